"""The client: asks the resident process to do the work, or says that there is none."""

import os
import socket
import sys

from argocd_provenance.resident import wire

SOCKET = "ARGOCD_PROVENANCE_SOCKET"
# Seconds: whoever does not answer at once is not the help we hoped for.
_PATIENCE = 0.5
_LOST = 3


def served(path: str, arguments: list[str]) -> int | None:
    """The exit code of the run with `arguments` in the resident process at `path`; None where we must do it ourselves."""
    # First of all: what is opened from here on may get the number of a stream that is closed.
    streams = [number for number in (0, 1, 2) if _is_open(number)]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.settimeout(_PATIENCE)
            connection.connect(path)
            # Somebody else's process would tell us what it likes.
            if wire.peer(connection) != os.geteuid():
                return None
            connection.sendall(wire.packed(_request(arguments)))
            if wire.received(connection, 1) != wire.READY:
                return None
            folder = os.open(".", os.O_PATH | os.O_DIRECTORY)
        except (OSError, EOFError, ValueError):
            return None
        try:
            connection.settimeout(None)
            socket.send_fds(connection, [wire.GO + bytes(streams)], [folder, *streams])
            said = wire.received(connection, 2)
        except (OSError, EOFError):
            # It may have printed already, so it is too late to begin anew.
            sys.stderr.write(
                "error [internal]: the resident process of argocd-provenance ended in the middle; try again\n"
            )
            return _LOST
        return said[1]


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
