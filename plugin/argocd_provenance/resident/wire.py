"""What client and resident process say to each other, over a Unix socket of our own user.

1. client: a request, in a frame: arguments and environment as bytes, in fields of an announced length; with it, as a
   file descriptor, the folder of the socket (see `place`)
2. resident: ``READY``, or nothing at all
3. client: ``GO``, with its open standard streams and its folder as file descriptors
4. resident: ``EXIT`` and the exit code, when the work is done

Until step 3 the client may walk away and do the work itself: nobody has a stream to write to.
"""

import struct
from _socket import SCM_RIGHTS, SO_PEERCRED, SOL_SOCKET, socket

READY, GO, EXIT = b"R", b"G", b"E"
LIMIT = 4 * 1024 * 1024
_LENGTH = struct.Struct(">I")
HEAD = _LENGTH.size
_CREDENTIALS = struct.Struct("3i")


def peer(connection: socket) -> int:
    """The user at the other end, as the kernel says."""
    raw = connection.getsockopt(SOL_SOCKET, SO_PEERCRED, _CREDENTIALS.size)
    user: int = _CREDENTIALS.unpack(raw)[1]
    return user


def send(connection: socket, said: bytes, descriptors: list[int]) -> None:
    """Send a few bytes, and file descriptors with them."""
    connection.sendmsg([said], [(SOL_SOCKET, SCM_RIGHTS, struct.pack(f"{len(descriptors)}i", *descriptors))])


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


def received(connection: socket, length: int) -> bytes:
    """Exactly `length` bytes; raises EOFError where the other end closes before."""
    pieces, missing = list[bytes](), length
    while missing:
        piece = connection.recv(missing)
        if not piece:
            raise EOFError
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def body(connection: socket, head: bytes) -> list[bytes]:
    """The fields of the frame that begins with `head`; raises ValueError or EOFError."""
    (length,) = _LENGTH.unpack(head)
    if length > LIMIT:
        raise ValueError("a frame too long")
    return unpacked(received(connection, length))
