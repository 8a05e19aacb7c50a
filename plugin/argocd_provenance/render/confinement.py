"""What a renderer's program can reach: its source, the installed system, a home that is deleted; and how much of it.

The law: each fence is put up where the kernel has it, and one that should be there and is not stops the program. What
no kernel of today lacks (limits, no new privileges, a supervisor) is never left out.
"""

import ctypes
import os
import resource
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from argocd_provenance.records import dataclass
from argocd_provenance.render import landlock, seccomp, supervisor

_PR_SET_NO_NEW_PRIVS = 38  # linux/prctl.h
_MIB = 1024 * 1024

# What is installed, and holds no secret. Nothing else of /etc, nothing of /proc (other processes' environment),
# /var (our cache and seal key) or /tmp (other Applications' sources).
_INSTALLED = ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin", "/nix/store", sys.prefix, sys.base_prefix)
_SETTINGS = ("/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives")
_NAMES = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/run/systemd/resolve")  # to look up hosts
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")

# Go reserves addresses that it never touches, so what counts is RLIMIT_DATA; helm takes 200 MB for the largest charts.
# Processes are counted by user over the whole machine, on which Argo CD's own containers have our user: no tighter.
LIMITS: Sequence[tuple[int, int]] = (
    (resource.RLIMIT_AS, 16 * 1024 * _MIB),
    (resource.RLIMIT_DATA, 2 * 1024 * _MIB),
    (resource.RLIMIT_FSIZE, 256 * _MIB),
    (resource.RLIMIT_NOFILE, 1024),
    (resource.RLIMIT_NPROC, 4096),
)


@dataclass(frozen=True, slots=True)
class Access:
    """What a program is for: the folders it may read, those it may also write, and whether it may use the network."""

    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    network: bool = False


@dataclass(frozen=True, slots=True)
class Fences:
    """What this kernel has: the version of Landlock (0: none), and whether a program can be kept from sockets."""

    landlock: int
    sockets: bool

    def __str__(self) -> str:
        """One sentence, for people who look after an installation."""
        if not self.landlock:
            said = "renderers run without Landlock, which this kernel, or the container's seccomp profile, does not offer: they can read what our user can"
        elif self.landlock < 6:
            said = f"renderers run under Landlock (ABI {self.landlock}), which cannot keep signals inside before ABI 6 (Linux 6.12)"
        else:
            said = f"renderers run under Landlock (ABI {self.landlock})"
        if self.sockets:
            return said + "; they can open no socket"
        tcp = "no TCP connection, but UDP" if self.landlock >= 4 else "connections to any place"
        return f"{said}; without a seccomp filter for this machine they can open {tcp}"


def fences() -> Fences:
    """What this kernel has, asked now."""
    return Fences(landlock.abi(), seccomp.calls() is not None)


class Confinement:
    """A confinement that is ready: made before a fork; `enter` puts it on in the child.

    Raises `OSError` where the kernel has a fence and refuses it.
    """

    def __init__(self, program: Path, access: Access, home: Path, seconds: float) -> None:
        self._parent, self._home = os.getpid(), home
        self._processor_time = int(seconds + 1) * (os.cpu_count() or 1)
        self._ruleset: landlock.Ruleset | None = None
        version, calls = landlock.abi(), seccomp.calls()
        if version:
            self._ruleset = landlock.Ruleset(version, _permitted(program, access, home), network=access.network)
        self._filter = seccomp.Filter(seccomp.no_sockets(calls)) if calls and not access.network else None

    def enter(self) -> None:
        """Leave a supervisor behind, and become the program's process with every fence up; raises `OSError`."""
        _limit(resource.RLIMIT_CORE, 0)
        supervisor.supervise(self._parent, self._home)
        for limit, most in LIMITS:
            _limit(limit, most)
        _limit(resource.RLIMIT_CPU, self._processor_time)
        if _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "no_new_privs")
        restrictions: Iterable[landlock.Ruleset | seccomp.Filter | None] = (self._ruleset, self._filter)
        for restriction in restrictions:
            if restriction is not None:
                restriction.restrict()

    def close(self) -> None:
        """Give back what `enter` needed."""
        if self._ruleset is not None:
            self._ruleset.close()


def _permitted(program: Path, access: Access, home: Path) -> Sequence[tuple[int, Iterable[Path]]]:
    installed = [program, *(Path(name) for name in _INSTALLED)]
    names = (*_SETTINGS, *(_NAMES if access.network else ()))
    settings = [*access.readable, *(Path(name) for name in names)]
    return (
        (landlock.RUN, installed),
        (landlock.READ, settings),
        (landlock.WRITE, [home, *access.writable, *(Path(name) for name in _DEVICES)]),
    )


def _limit(limit: int, most: int) -> None:
    _, hard = resource.getrlimit(limit)
    value = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(limit, (value, value))


_prctl: Callable[..., int] = ctypes.CDLL(None, use_errno=True).prctl
