"""What client and resident process say to each other, over a Unix socket of our own user.

1. client: a request, in a frame: arguments and environment as bytes, in fields of an announced length
2. resident: ``READY``, or ``BUSY``, or nothing at all
3. client: ``GO``, with its open standard streams and its folder as file descriptors
4. resident: ``EXIT`` and the exit code, when the work is done

Until step 3 the client may walk away and do the work itself: nobody has a stream to write to.
"""

import socket
import struct

READY, BUSY, GO, EXIT = b"R", b"B", b"G", b"E"
LIMIT = 4 * 1024 * 1024
_LENGTH = struct.Struct(">I")
_CREDENTIALS = struct.Struct("3i")


def peer(connection: socket.socket) -> int:
    """The user at the other end, as the kernel says."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    user: int = _CREDENTIALS.unpack(raw)[1]
    return user


def packed(fields: list[bytes]) -> bytes:
    """A frame with these fields."""
    body = b"".join(_LENGTH.pack(len(field)) + field for field in fields)
    return _LENGTH.pack(len(body)) + body


def unpacked(body: bytes) -> list[bytes]:
    """The fields of a frame's body; raises ValueError for what is none."""
    fields, at = [], 0
    while at < len(body):
        (length,) = _LENGTH.unpack_from(body.ljust(at + 4, b"\xff"), at)
        at += _LENGTH.size + length
        if at > len(body):
            raise ValueError("a field longer than its frame")
        fields.append(body[at - length : at])
    return fields


def received(connection: socket.socket, length: int) -> bytes:
    """Exactly `length` bytes; raises EOFError where the other end closes before."""
    found = b""
    while len(found) < length:
        piece = connection.recv(length - len(found))
        if not piece:
            raise EOFError
        found += piece
    return found


def frame(connection: socket.socket) -> list[bytes]:
    """The fields of the next frame; raises ValueError or EOFError."""
    (length,) = _LENGTH.unpack(received(connection, _LENGTH.size))
    if length > LIMIT:
        raise ValueError("a frame too long")
    return unpacked(received(connection, length))
