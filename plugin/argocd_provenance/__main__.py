"""``python -I -m argocd_provenance``: how Argo CD's plugin starts us, out of reach of the repository's files."""

import os
import sys


def start() -> None:
    """Hand a `generate` to the resident process where there is one, before anything heavy is imported; or do it here.

    `serve -- COMMAND` becomes the command before anything at all is imported, and serves in a child.
    """
    if sys.argv[1:2] == ["serve"]:
        from argocd_provenance.resident import beside  # noqa: PLC0415

        arguments, command = beside.split(sys.argv[1:])
        if command:
            _serve_beside(command, arguments[1:])
    if sys.argv[1:2] == ["generate"]:
        from argocd_provenance.resident import client, place  # noqa: PLC0415

        path, arguments = place.named(sys.argv[1:])
        code = client.served(path, arguments)
        if code is not None:
            os._exit(
                code
            )  # the other process has printed; taking this one down in order would cost as much as the asking
        sys.argv[1:] = arguments
    from argocd_provenance.cli import main  # noqa: PLC0415 - a fifth of a second that the client does not have

    try:
        main()
    except SystemExit as end:
        _leave(end)
        raise


def _leave(end: SystemExit) -> None:
    """End at once, once all is written: to take Python down in order costs milliseconds."""
    if end.code is not None and not isinstance(end.code, int):
        return
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):
        return  # Python says so, as ever
    os._exit(end.code or 0)


def _serve_beside(command: list[str], arguments: list[str]) -> None:
    """Never returns."""
    from argocd_provenance.resident import beside  # noqa: PLC0415

    above = beside.begin(command)
    try:
        from argocd_provenance.cli import keeping  # noqa: PLC0415

        keeping.keep(above, arguments)
    except Exception as error:  # noqa: BLE001 - the command runs, and the plugin works without us
        beside.say(f"{type(error).__name__}: {error}; each run of the plugin does its own work")
    sys.exit(1)


if __name__ == "__main__":
    start()
