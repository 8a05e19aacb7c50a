"""``python -I -m argocd_provenance``: how Argo CD's plugin starts us, out of reach of the repository's files."""

import os
import sys

# The socket is the operator's to name, in the sidecar's own environment; Argo CD marks what Applications name.
_SOCKET = "ARGOCD_PROVENANCE_SOCKET"


def start() -> None:
    """Hand a `generate` to the resident process where there is one, before anything heavy is imported; or do it here."""
    path = os.environ.get(_SOCKET, "")
    if path.startswith("/") and sys.argv[1:2] == ["generate"]:
        from argocd_provenance.resident.client import served  # noqa: PLC0415

        code = served(path, sys.argv[1:])
        if code is not None:
            sys.exit(code)
    from argocd_provenance.cli import main  # noqa: PLC0415 - a fifth of a second that the client does not have

    main()


if __name__ == "__main__":
    start()
