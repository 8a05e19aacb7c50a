"""Keeps a process that serves, for as long as the command lives beside which it was started.

One law: it never gets in the command's way. The command is process 1 of the container, and waits for nobody's children
but its own; so whoever serves, and whoever it leaves behind, is a child of this process, which collects them, starts
another one when one ends, and goes when the command goes.
"""

import contextlib
import os
import signal
import time
from typing import NoReturn

from argocd_provenance.offspring import adopt_orphans, die_with_parent, sweep
from argocd_provenance.resident.beside import say

_STOP = signal.SIGTERM
_HEARD = frozenset({_STOP, signal.SIGCHLD})
# Seconds until the next one is started, doubled each time, unless one has lived for so long that all was well.
_FIRST, _LONGEST, _WELL = 0.5, 300.0, 60.0
_GRACE = 5.0
_REFUSED = 2


def keep(command: int, arguments: list[str]) -> NoReturn:
    """Serve by these arguments of `serve`, in children, until the process `command`, our parent, ends."""
    os.setsid()  # what a terminal says to the command is not said to us
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    die_with_parent(command, _STOP)
    adopt_orphans()
    pause = _FIRST
    while True:
        begun = time.monotonic()
        try:
            status = _watch(_started(arguments))
        except OSError as error:  # there is no process to be had, today
            say(f"cannot be started: {error.strerror}")
            status = 1 << 8
        _collect()
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == _REFUSED:
            _rest(None)  # nothing of what was said will change while the container lives
        pause = _FIRST if time.monotonic() - begun > _WELL else pause
        code = os.waitstatus_to_exitcode(status)
        how = f"signal {-code}" if code < 0 else f"exit {code}"
        say(
            f"it has ended ({how}) and is started again in {pause:g} s; until then each run of the plugin does its own work"
        )
        _rest(pause)
        pause = min(2 * pause, _LONGEST)


def _started(arguments: list[str]) -> int:
    """The process id of a child that serves."""
    above = os.getpid()
    child = os.fork()
    if not child:
        code = 1
        try:
            die_with_parent(above, _STOP)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
            code = _serve(arguments)
        finally:
            os._exit(code)
    return child


def _serve(arguments: list[str]) -> int:
    """Serve, and the exit code; whatever is wrong is one line."""
    try:
        from argocd_provenance.cli.serve import command

        command.main(arguments, prog_name="argocd-provenance serve", standalone_mode=False)
    except Exception as error:  # noqa: BLE001 - said, and the plugin works without us
        code: int = getattr(error, "exit_code", 1)
        say(
            f"{error if code == _REFUSED else f'{type(error).__name__}: {error}'}; each run of the plugin does its own work"
        )
        return code
    return 0


def _watch(child: int) -> int:
    """The wait status of `child`; ends it, all below it, and us, where we are told to stop."""
    while True:
        if signal.sigwaitinfo(_HEARD).si_signo == _STOP:
            _end()
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:  # orphans that end are children as well
            if ended[0] == child:
                return ended[1]


def _collect() -> None:
    """Wait for what it left behind, which has its own work to end and its own folders to remove; then end what is left."""
    end = time.monotonic() + _GRACE
    with contextlib.suppress(ChildProcessError):
        while (left := end - time.monotonic()) > 0:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
            heard = signal.sigtimedwait(_HEARD, left)
            if heard is not None and heard.si_signo == _STOP:
                _end()
    sweep()


def _rest(seconds: float | None) -> None:
    """Wait so long, or for ever, or to be told to stop."""
    end = None if seconds is None else time.monotonic() + seconds
    while end is None or (left := end - time.monotonic()) > 0:
        heard = signal.sigwaitinfo(_HEARD) if end is None else signal.sigtimedwait(_HEARD, left)
        if heard is not None and heard.si_signo == _STOP:
            _end()


def _end() -> NoReturn:
    sweep()
    os._exit(0)
