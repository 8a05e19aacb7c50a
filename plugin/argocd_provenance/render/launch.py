"""A program behind its fences: started, listened to, and ended with all that it started.

``subprocess`` does as much, but waits until the program runs, which takes as long as all fences, and four milliseconds
to import. Here the caller goes on at once; whether the program came to run is known when it is done.
"""

import contextlib
import fcntl
import os
import select
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import DeadlineExceeded, RenderError

# Argo CD's own limit for a plugin's whole answer is 100 MB; no render comes near.
_OUTPUT_LIMIT = 64 * 1024 * 1024
_STDERR_KEPT = 64 * 1024
# What a program may print before anybody reads it; more than a user may have is not given.
_PIPE = 1024 * 1024
_CHUNK = 1 << 18
# Seconds in which a supervisor kills what it supervises; it takes milliseconds.
_SWEEP = 5.0


class Launched:
    """A program that runs, in a process group of its own, by the process that `enter` leaves there as its supervisor."""

    def __init__(
        self, arguments: Sequence[str], cwd: Path, variables: Mapping[str, str], enter: Callable[[], None]
    ) -> None:
        """Start ``arguments[0]``, an absolute path; `enter` is called in the child, and returns in what becomes the program.

        Raises `OSError` where nothing can be started.
        """
        self.status: int | None = None
        pipes = [_pipe() for _ in range(3)]
        (self._out, out), (self._err, err), (self._fault, fault) = pipes
        try:
            self._pid = os.fork()
            if not self._pid:
                _become(arguments, cwd, variables, enter, out, err, fault)
        except BaseException:
            self._close()
            raise
        finally:
            for end in (out, err, fault):
                os.close(end)

    def output(self, name: str, deadline: Deadline) -> tuple[bytes, bytes]:
        """All that it prints on both streams, until both are closed and its supervisor is gone; then `status` is known.

        Raises `RenderError` for too much, `DeadlineExceeded`, and `OSError` where it was never started.
        """
        out, err = bytearray(), bytearray()
        poll, waiting = select.poll(), {self._out: out, self._err: err}
        for stream in waiting:
            poll.register(stream, select.POLLIN)
        while waiting:
            ready = poll.poll(deadline.remaining() * 1000)
            if not ready:
                raise DeadlineExceeded(f"the time limit of {deadline.seconds:g} s was reached before {name} was done")
            for stream, _ in ready:
                chunk = os.read(stream, _CHUNK)
                if not chunk:
                    poll.unregister(stream)
                    del waiting[stream]
                elif stream == self._out or len(err) < _STDERR_KEPT:
                    waiting[stream].extend(chunk)
            if len(out) > _OUTPUT_LIMIT:
                raise RenderError(f"{name} printed more than {_OUTPUT_LIMIT} bytes")
        fault = os.read(self._fault, _CHUNK)  # closed as the streams are, when the program runs or is gone
        if fault:
            raise OSError(fault.decode(errors="replace"))
        self._await(name, deadline)
        return bytes(out), bytes(err)

    def end(self) -> None:
        """End the program and all that it started, also when the program itself is done: nobody stays behind."""
        self._close()
        if self.status is None:
            os.kill(self._pid, signal.SIGTERM)  # to the supervisor: it kills the others, and goes last
            until = time.monotonic() + _SWEEP
            while not self._reap(os.WNOHANG) and time.monotonic() < until:
                time.sleep(0.001)
        if self.status is None:
            os.kill(self._pid, signal.SIGKILL)
            self._reap(0)

    def _await(self, name: str, deadline: Deadline) -> None:
        """Wait until the supervisor is gone: a program may close its streams and live on."""
        while not self._reap(os.WNOHANG):
            deadline.check(f"{name} was done")
            time.sleep(0.0005)

    def _reap(self, options: int) -> bool:
        """Whether the supervisor is gone, and with it the program."""
        pid, status = os.waitpid(self._pid, options)
        if pid:
            self.status = os.waitstatus_to_exitcode(status)
        return bool(pid)

    def _close(self) -> None:
        for stream in (self._out, self._err, self._fault):
            os.close(stream)


def _pipe() -> tuple[int, int]:
    """A pipe whose ends are no standard streams, though ours may be closed, and go with `exec`."""
    ends = os.pipe()
    try:
        reader, writer = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 3) for end in ends)
    finally:
        for end in ends:
            os.close(end)
    with contextlib.suppress(OSError):  # a user has only so much; then the program waits for us
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _PIPE)
    return reader, writer


def _become(
    arguments: Sequence[str],
    cwd: Path,
    variables: Mapping[str, str],
    enter: Callable[[], None],
    out: int,
    err: int,
    fault: int,
) -> NoReturn:
    """What the child does; whatever stops it is said by `fault`."""
    try:
        os.setpgid(0, 0)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.set_inheritable(0, True)
        os.dup2(out, 1)
        os.dup2(err, 2)
        for descriptor in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208 - names are what is wanted
            if descriptor > 2 and descriptor not in (out, err, fault):
                _keep_from_programs(descriptor)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them; programs must not
            signal.signal(number, signal.SIG_DFL)
        os.chdir(cwd)
        enter()
        os.execve(arguments[0], list(arguments), variables)  # noqa: S606 - an argument list, by absolute path
    except BaseException as error:  # noqa: BLE001 - there is nobody above to hear of it
        os.write(fault, str(error).encode(errors="replace")[:1000] or b"?")
    finally:
        os._exit(255)


def _keep_from_programs(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # that of the folder that was listed
        os.set_inheritable(descriptor, False)
