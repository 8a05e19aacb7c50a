"""Landlock: a program sees the files it is given, and nothing else of the machine's.

Numbers and rules: the kernel's ``Documentation/userspace-api/landlock.rst`` and ``include/uapi/linux/landlock.h``. A
right that a kernel does not know yet is left out, as both advise: what is known is denied all the same.
"""

import ctypes
import errno
import fcntl
import os
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

from argocd_provenance.records import dataclass

# The same numbers on every architecture: the calls are younger than their common table.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = (1 << bit for bit in range(4))
_REMOVE = 1 << 4 | 1 << 5  # folders, files
_MAKE = 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 12  # folders, files, sockets, pipes, symlinks
_MAKE_DEVICES = 1 << 6 | 1 << 11
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_TCP = 0b11  # bind, connect
_SCOPES = 0b11  # abstract UNIX sockets, signals

READ = _READ_FILE | _READ_DIR
RUN = READ | _EXECUTE
WRITE = READ | _WRITE_FILE | _REMOVE | _MAKE | _REFER | _TRUNCATE
"""What is written can be read, and never executed."""


def abi() -> int:
    """The version of Landlock that the kernel speaks; 0 where it has none, or where a container forbids it."""
    version = _call(_CREATE_RULESET, None, 0, _VERSION_FLAG)
    return max(0, version)


@dataclass(frozen=True, slots=True)
class Handled:
    """What a kernel of some ABI can deny: rights on files, on TCP, and what stays inside (`scoped`)."""

    files: int
    network: int
    scoped: int

    @classmethod
    def of(cls, abi: int, *, network: bool) -> "Handled":
        """All that `abi` knows; without what concerns TCP where the program may use the `network`."""
        files = RUN | _WRITE_FILE | _REMOVE | _MAKE | _MAKE_DEVICES
        for since, right in ((2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEV)):
            files |= right if abi >= since else 0
        return cls(files, _TCP if abi >= 4 and not network else 0, _SCOPES if abi >= 6 else 0)

    def packed(self, abi: int) -> bytes:
        """``struct landlock_ruleset_attr``, as long as the ABI knows it: an older kernel refuses a longer one."""
        fields = (self.files, self.network, self.scoped)[: 1 if abi < 4 else 2 if abi < 6 else 3]
        return struct.pack(f"={len(fields)}Q", *fields)


class Ruleset:
    """A ruleset that is ready: made before a fork, and put on after it by `restrict`, which is one system call."""

    def __init__(self, abi: int, permitted: Iterable[tuple[int, Iterable[Path]]], *, network: bool) -> None:
        """Permit `READ`, `RUN` or `WRITE` at or below the paths beside it, and nothing else.

        A path that is not there is left out. Raises `OSError` where the kernel refuses the ruleset.
        """
        handled = Handled.of(abi, network=network)
        attributes = handled.packed(abi)
        made = _checked(_call(_CREATE_RULESET, attributes, len(attributes), 0))
        try:
            # No standard stream, which the program gets others of, though one of ours may be closed.
            self.descriptor = fcntl.fcntl(made, fcntl.F_DUPFD_CLOEXEC, 3)
        finally:
            os.close(made)
        try:
            for rights, paths in permitted:
                for path in paths:
                    self._permit(path, rights & handled.files)
        except BaseException:
            self.close()
            raise

    def _permit(self, path: Path, rights: int) -> None:
        try:
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return  # nothing to see here
        try:
            if not stat.S_ISDIR(os.fstat(opened).st_mode):
                rights &= _OF_FILES
            rule = struct.pack("=Qi", rights, opened)
            _checked(_call(_ADD_RULE, self.descriptor, _PATH_BENEATH, rule, 0))
        finally:
            os.close(opened)

    def restrict(self) -> None:
        """Put it on, for this thread and all that it starts; needs ``no_new_privs``. Raises `OSError`."""
        _checked(_call(_RESTRICT_SELF, self.descriptor, 0))

    def close(self) -> None:
        """Give the ruleset back."""
        os.close(self.descriptor)


_libc = ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: int | bytes | None) -> int:
    given = [ctypes.c_long(a) if isinstance(a, int) else ctypes.c_char_p(a) for a in arguments]
    result: int = _libc.syscall(ctypes.c_long(number), *given)
    return result


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno() or errno.EPERM
        raise OSError(number, f"Landlock: {os.strerror(number)}")
    return result
