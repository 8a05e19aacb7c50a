"""The client: asks the resident process to do the work, or says that there is none."""

import os
import sys

from argocd_provenance.resident import place

# Seconds: whoever does not answer by then is not the help we hoped for.
_PATIENCE = 1.0
_LOST = 3


def served(path: str, arguments: list[str]) -> int | None:
    """The exit code of the run with `arguments` in the resident process at `path`; None where we must do it ourselves."""
    # First of all: what is opened from here on may get the number of a stream that is closed.
    streams = [number for number in (0, 1, 2) if _is_open(number)]
    folder, _, name = path.rpartition("/")
    try:
        door = place.opened(folder)
    except OSError:
        return None
    try:
        return _asked(place.within(door, name), door, streams, arguments)
    finally:
        os.close(door)


def _asked(path: str, door: int, streams: list[int], arguments: list[str]) -> int | None:
    # The module `socket` takes several milliseconds to import, and whoever serves nobody should not wait even for this.
    from _socket import AF_UNIX, SOCK_STREAM, socket  # noqa: PLC0415

    from argocd_provenance.resident import wire  # noqa: PLC0415

    connection = socket(AF_UNIX, SOCK_STREAM)
    try:
        try:
            connection.settimeout(_PATIENCE)
            connection.connect(path)
            # Somebody else's process would tell us what it likes.
            if wire.peer(connection) != os.geteuid():
                return None
            frame = wire.packed(_request(arguments))
            wire.send(connection, frame[: wire.HEAD], [door])
            connection.sendall(frame[wire.HEAD :])
            if wire.received(connection, 1) != wire.READY:
                return None
            folder = os.open(".", os.O_PATH | os.O_DIRECTORY)
        except (OSError, EOFError, ValueError):
            return None
        try:
            connection.settimeout(None)
            wire.send(connection, wire.GO + bytes(streams), [folder, *streams])
            said = wire.received(connection, 2)
        except (OSError, EOFError):
            # It may have printed already, so it is too late to begin anew.
            sys.stderr.write(
                "error [internal]: the resident process of argocd-provenance ended in the middle; try again\n"
            )
            return _LOST
        return said[1]
    finally:
        connection.close()


def _request(arguments: list[str]) -> list[bytes]:
    mask = os.umask(0o077)
    os.umask(mask)
    variables = [name + b"=" + value for name, value in os.environb.items()]
    return [b"%o" % mask, b"%d" % len(arguments), *map(os.fsencode, arguments), *variables]


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
