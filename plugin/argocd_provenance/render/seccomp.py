"""seccomp: a program that opens no socket speaks to no network, and to no server on a path.

Landlock denies TCP on new kernels only, and neither UDP (a name looked up carries what is in it) nor UNIX sockets,
behind which Argo CD's plugins and its Git credentials sit. Numbers and rules: the kernel's
``Documentation/userspace-api/seccomp_filter.rst``, ``include/uapi/linux/{seccomp,filter,audit}.h`` and the tables of
system calls of each architecture.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Sequence
from typing import NamedTuple

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_PR_GET_SECCOMP = 21
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # BPF: ld [k], jeq, jge, ret
_ALLOW, _ERRNO = 0x7FFF_0000, 0x0005_0000
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
_X32 = 0x4000_0000  # x86-64 with 32-bit pointers: the same calls under other numbers


class Calls(NamedTuple):
    """An architecture: its name to the audit system, and its numbers of socket and io_uring_setup."""

    audit: int
    socket: int
    io_uring_setup: int


_ARCHITECTURES = {"x86_64": Calls(0xC000_003E, 41, 425), "aarch64": Calls(0xC000_00B7, 198, 425)}

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, operand: ``struct sock_filter``."""


def calls(machine: str = os.uname().machine) -> Calls | None:
    """The numbers of `machine`; None for one that is not in our table, or where the kernel has no filters."""
    known = struct.calcsize("P") == 8 and _libc.prctl(_PR_GET_SECCOMP, 0, 0, 0, 0) >= 0
    return _ARCHITECTURES.get(machine) if known else None


def no_sockets(of: Calls) -> Sequence[Instruction]:
    """A filter under which ``socket`` and ``io_uring_setup`` fail with EPERM, by whatever convention they are called."""
    return (
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 0, 5, of.audit),  # another architecture's numbers mean other calls
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 3, 0, _X32),
        (_EQUAL, 2, 0, of.socket),
        (_EQUAL, 1, 0, of.io_uring_setup),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERRNO | errno.EPERM),
    )


class Filter:
    """A filter that is ready: made before a fork, and put on after it by `restrict`, which is one system call."""

    def __init__(self, instructions: Sequence[Instruction]) -> None:
        packed = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
        self._instructions = ctypes.create_string_buffer(packed, len(packed))
        self._program = struct.pack("@HP", len(instructions), ctypes.addressof(self._instructions))

    def restrict(self) -> None:
        """Put it on, for this thread and all that it starts; needs ``no_new_privs``. Raises `OSError`."""
        if _libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, self._program, 0, 0):
            number = ctypes.get_errno()
            raise OSError(number, f"seccomp: {os.strerror(number)}")


_libc = ctypes.CDLL(None, use_errno=True)
