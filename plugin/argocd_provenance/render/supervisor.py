"""Whoever a renderer started ends with it, and all of them end with us.

Argo CD kills a plugin without warning, and a process group at most: a child in a session of its own would live on. So
a process stands between us and the program. It outlives us by a moment: the kernel tells it when the program is done or
we are dead, every orphan below it becomes its child (``PR_SET_CHILD_SUBREAPER``), and it leaves only when none is left.
"""

import contextlib
import ctypes
import os
import shutil
import signal
from pathlib import Path
from typing import NoReturn

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
# The signal that a dead parent sends, and whoever wants the program to end.
STOP = signal.SIGTERM
_HEARD = frozenset({STOP, signal.SIGCHLD})

_prctl = ctypes.CDLL(None, use_errno=True).prctl


def supervise(parent: int, home: Path) -> None:
    """Return in a child that becomes the program; stay behind as its supervisor, and never return.

    To be called after a fork, by the child of `parent`. The supervisor deletes `home`, which nobody else would if
    `parent` were killed, and ends as the program did: with its exit status, or by its signal.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    _prctl(_PR_SET_PDEATHSIG, STOP, 0, 0, 0)
    if os.getppid() != parent:  # it died before the call
        os._exit(1)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    above = os.getpid()
    program = os.fork()
    if program:
        _stay(program, home)
    os.setsid()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != above:
        os._exit(1)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _stay(program: int, home: Path) -> NoReturn:
    status = 1 << 8
    try:
        # Nobody must wait for an end of file, or for a lock, because of us.
        for descriptor in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
            with contextlib.suppress(OSError):  # that of the folder itself is closed already
                os.close(descriptor)
        status = _ended(program)
        _sweep()
        shutil.rmtree(home, ignore_errors=True)
    finally:
        _end_as(status)


def _ended(program: int) -> int:
    """The wait status of `program`; that of a killed one where we were told to stop."""
    while signal.sigwaitinfo(_HEARD).si_signo != STOP:
        # Orphans that end are children as well.
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == program:
                return ended[1]
    return signal.SIGKILL


def _sweep() -> None:
    """Kill every child until there is none: the children of those that die are ours the next time."""
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


def _end_as(status: int) -> NoReturn:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        with contextlib.suppress(OSError):  # SIGKILL cannot be set, and need not be
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1)
