"""Who ends with whom: what Linux offers so that no process stays behind. Numbers: the kernel's ``linux/prctl.h``."""

import contextlib
import ctypes
import os
import signal
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_prctl = ctypes.CDLL(None, use_errno=True).prctl


def die_with_parent(parent: int, by: signal.Signals) -> None:
    """Have the kernel send us `by` when our parent ends; where `parent` has ended before, so do we."""
    _prctl(_PR_SET_PDEATHSIG, by, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of whoever below us loses theirs."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def sweep() -> None:
    """Kill every child until there is none: of who adopts orphans, the children of those that die are next."""
    with contextlib.suppress(ChildProcessError):
        while True:
            for child in _children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            os.waitpid(-1, 0)


def _children() -> list[int]:
    """Our children, by ``/proc``."""
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    return [int(p.name) for p in Path("/proc").iterdir() if p.name.isdecimal() and _parent(p.name) == os.getpid()]


def _parent(process: str) -> int:
    try:
        # proc_pid_stat(5): the parent stands second after the name, which is in brackets and may hold anything.
        return int(Path("/proc", process, "stat").read_bytes().rpartition(b")")[2].split()[1])
    except OSError:
        return 0
