"""Whoever a renderer started ends with it, and all of them end with us.

Argo CD kills a plugin without warning, and a process group at most: a child in a session of its own would live on. So
a process stands between us and the program. It outlives us by a moment: the kernel tells it when the program is done or
we are dead, every orphan below it becomes its child (``PR_SET_CHILD_SUBREAPER``), and it leaves only when none is left.
"""

import contextlib
import os
import signal
from pathlib import Path
from typing import NoReturn

from argocd_provenance.offspring import adopt_orphans, die_with_parent, sweep
from argocd_provenance.render.temporary import delete

# The signal that a dead parent sends, and whoever wants the program to end.
STOP = signal.SIGTERM
_HEARD = frozenset({STOP, signal.SIGCHLD})


def supervise(parent: int, home: Path) -> None:
    """Return in a child that becomes the program; stay behind as its supervisor, and never return.

    To be called after a fork, by the child of `parent`. The supervisor deletes `home`, which nobody else would if
    `parent` were killed, and ends as the program did: with its exit status, or by its signal.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    die_with_parent(parent, STOP)
    adopt_orphans()
    above = os.getpid()
    program = os.fork()
    if program:
        _stay(program, home)
    os.setsid()
    die_with_parent(above, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _stay(program: int, home: Path) -> NoReturn:
    status = 1 << 8
    try:
        # Nobody must wait for an end of file, or for a lock, because of us.
        for descriptor in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208 - names are what is wanted
            with contextlib.suppress(OSError):  # that of the folder itself is closed already
                os.close(descriptor)
        status = _ended(program)
        sweep()
        delete(home)
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


def _end_as(status: int) -> NoReturn:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        with contextlib.suppress(OSError):  # SIGKILL cannot be set, and need not be
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1)
