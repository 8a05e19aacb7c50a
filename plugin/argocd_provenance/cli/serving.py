"""The resident process: one loop that accepts, forks and reaps, and does nothing else.

One law: what is ready is code, never state. Each request runs in a fork, with the client's arguments, environment, folder
and streams, reads the operator's files afresh, and dies with its client. A request is taken from our own user only.
"""

import contextlib
import fcntl
import gc
import importlib
import os
import selectors
import signal
import socket
import stat
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from argocd_provenance import records
from argocd_provenance.cli import main
from argocd_provenance.cli.endpoint import Endpoint
from argocd_provenance.errors import OperatorError, UsageError
from argocd_provenance.records import dataclass
from argocd_provenance.resident import wire

# Everything that a run may import: once here, instead of once in each.
_READY = (
    "argocd_provenance.cli.generating",
    "argocd_provenance.cli.group",
    "argocd_provenance.cli.edges",
    "argocd_provenance.cli.remembering",
    "argocd_provenance.cache.disk",
    "argocd_provenance.cache.shared",
    "argocd_provenance.cache.moments",
    "argocd_provenance.evidence.bridge",
    "argocd_provenance.evidence.proving",
    "argocd_provenance.oci.bearer",
    "argocd_provenance.oci.transport",
    "argocd_provenance.pipeline",
    "argocd_provenance.policy.expression",
    "argocd_provenance.render.directory",
    "argocd_provenance.render.helm",
    "argocd_provenance.render.kustomize",
    "argocd_provenance.report.text",
    "argocd_provenance.report.jsonreport",
)
# More at a time than a repo-server asks of one sidecar; beyond them a client does its own work, and waits for its turn.
_MOST = 32
_PATIENCE = 1.0


@dataclass(slots=True)
class _Request:
    """One client: `pid` of its fork, and the pipe that closes when that ends."""

    connection: socket.socket
    pid: int


def serve(path: Path, metrics: str | None = None, metrics_file: Path | None = None) -> None:
    """Serve at `path` until a SIGTERM or SIGINT; raises `OperatorError` where that is not safe, or taken."""
    with _alone(path):
        for name in _READY:
            importlib.import_module(name)
        records.make_all()
        # What is there now lives for ever: forks must not copy it only to count references to garbage.
        gc.collect()
        gc.freeze()
        with _listening(path) as listener, contextlib.ExitStack() as stack:
            endpoint = stack.enter_context(Endpoint(metrics, metrics_file)) if metrics and metrics_file else None
            _Loop(listener, endpoint).run()


class _Loop:
    def __init__(self, listener: socket.socket, endpoint: Endpoint | None) -> None:
        self._listener, self._endpoint = listener, endpoint
        self._selector = selectors.DefaultSelector()
        self._requests: dict[int, _Request] = {}
        self._ended = False

    def run(self) -> None:
        """Accept, fork, reap."""
        woken, wake = socket.socketpair()
        wake.setblocking(False)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for source in (self._listener, woken):
            self._selector.register(source, selectors.EVENT_READ, source)
        if self._endpoint is not None:
            self._selector.register(self._endpoint.listener, selectors.EVENT_READ, self._endpoint)
        while not self._ended:
            for key, _ in self._selector.select():
                if key.data is self._listener:
                    self._accept()
                elif key.data is self._endpoint and self._endpoint is not None:
                    self._endpoint.answer()
                elif key.data is woken:
                    woken.recv(4096)
                else:
                    self._hang_up(key.data)
            self._reap()
        for request in self._requests.values():
            _kill(request.pid)

    def _end(self, *_: object) -> None:
        self._ended = True

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return  # it has changed its mind
        connection.settimeout(_PATIENCE)
        with contextlib.suppress(OSError, EOFError, ValueError):
            if wire.peer(connection) == os.geteuid():
                self._begin(connection)
                return
        connection.close()

    def _begin(self, connection: socket.socket) -> None:
        fields = wire.frame(connection)
        if len(self._requests) >= _MOST:
            connection.sendall(wire.BUSY)
            connection.close()
            return
        connection.sendall(wire.READY)
        said, descriptors, _, _ = socket.recv_fds(connection, 4, 4)
        try:
            if said[:1] != wire.GO or len(descriptors) != len(said):
                raise ValueError("the client does not go on")
            pid = os.fork()
            if not pid:
                self._become(connection, fields, list(said[1:]), descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        connection.settimeout(None)
        self._requests[pid] = _Request(connection, pid)
        self._selector.register(connection, selectors.EVENT_READ, pid)

    def _hang_up(self, pid: int) -> None:
        """The client is gone, or says what nobody asked: its work ends here."""
        if pid in self._requests:
            _kill(pid)

    def _reap(self) -> None:
        if self._endpoint is not None:
            self._endpoint.reap()
        for pid in tuple(self._requests):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            _kill(pid)  # whatever it left behind in its group, which is ours to name until the fork is reaped
            request = self._requests.pop(pid)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            self._selector.unregister(request.connection)
            with contextlib.suppress(OSError):
                if code >= 0:
                    request.connection.sendall(wire.EXIT + bytes((code,)))
            request.connection.close()

    def _become(
        self, connection: socket.socket, fields: list[bytes], streams: list[int], descriptors: list[int]
    ) -> None:
        """The client's run, in a fork; never returns."""
        code = 1
        try:
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            self._selector.close()
            endpoint = [self._endpoint.listener] if self._endpoint is not None else []
            for other in (connection, self._listener, *endpoint, *(r.connection for r in self._requests.values())):
                other.close()
            code = _run(fields, streams, descriptors)
        except BaseException:  # noqa: BLE001 - as the interpreter would: say it, exit with 1
            traceback.print_exc()
        finally:
            with contextlib.suppress(BaseException):
                for stream in filter(None, (sys.stdout, sys.stderr)):
                    stream.flush()
            os._exit(code)


def _run(fields: list[bytes], streams: list[int], descriptors: list[int]) -> int:
    """Put the client's streams, folder, mask, arguments and environment in place of ours, and run its command."""
    mask, count = int(fields[0], 8), int(fields[1])
    arguments, variables = fields[2 : 2 + count], fields[2 + count :]
    os.fchdir(descriptors[0])
    for number in (0, 1, 2):
        # Two steps, for a descriptor that we were sent may have the number of a stream that the client has closed.
        if number in streams:
            os.dup2(descriptors[1 + streams.index(number)], number)
    for descriptor in descriptors:
        os.close(descriptor)
    _reopen(streams)
    os.umask(mask)
    os.environb.clear()
    os.environb.update(dict(variable.split(b"=", 1) for variable in variables))
    sys.argv = ["argocd-provenance", *map(os.fsdecode, arguments)]
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


def _reopen(streams: list[int]) -> None:
    """Python's streams over the new descriptors; None where the client has closed one, as in a process of its own."""
    opened = {number: open(number, "r" if number == 0 else "w", closefd=False) for number in streams}  # noqa: SIM115
    sys.stdin, sys.stdout, sys.stderr = (opened.get(number) for number in (0, 1, 2))
    for number in {0, 1, 2} - set(streams):
        with contextlib.suppress(OSError):
            os.close(number)


def _kill(pid: int) -> None:
    """End the fork `pid` and all it started, but for renderers, which die with it by their own supervisor."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)  # it may not have its group yet


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the place at `path`; raise where somebody else could put their own socket there."""
    if not path.is_absolute():
        raise UsageError(f"--socket: {path} must be an absolute path")
    try:
        folder = path.parent.stat()
    except OSError as error:
        raise OperatorError(f"--socket: {path.parent}: {error.strerror}") from error
    if folder.st_uid not in (0, os.geteuid()) or folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise OperatorError(
            f"--socket: others may write to {path.parent}, and could answer in our name; use a folder of our own (0700)"
        )
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OperatorError(f"--socket: another process serves at {path} already") from None
        yield


@contextlib.contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    """The socket at `path`, for our user alone."""
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        mask = os.umask(0o177)
        try:
            listener.bind(str(path))
        except OSError as error:
            raise OperatorError(f"--socket: {path}: {error.strerror or error}") from error
        finally:
            os.umask(mask)
        listener.listen(128)
        listener.setblocking(False)
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)
