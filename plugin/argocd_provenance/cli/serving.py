"""The resident process: one loop that accepts, forks and reaps, and does nothing else.

One law: what is ready is code, never state. Each request is heard and done in a fork, with the client's arguments,
environment, folder and streams; it reads the operator's files afresh, and dies with its client, and with us. A request is
taken from our own user only, and of that not from who cannot open the socket's folder, as renderers' children cannot.
"""

import contextlib
import fcntl
import gc
import importlib
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from argocd_provenance import records, regex
from argocd_provenance.cli import main
from argocd_provenance.cli.endpoint import Endpoint
from argocd_provenance.errors import OperatorError
from argocd_provenance.offspring import die_with_parent
from argocd_provenance.records import dataclass
from argocd_provenance.resident import place, wire

# Everything that a run may import: once here, instead of once in each.
_READY = (
    "argocd_provenance.cli.generating",
    "argocd_provenance.cli.group",
    "argocd_provenance.cli.answers",
    "argocd_provenance.cli.edges",
    "argocd_provenance.cli.hooking",
    "argocd_provenance.cli.recollection",
    "argocd_provenance.cli.remembering",
    "argocd_provenance.cli.remotes",
    "argocd_provenance.cache.disk",
    "argocd_provenance.cache.shared",
    "argocd_provenance.cache.moments",
    "argocd_provenance.documents",
    "argocd_provenance.evidence.aside",
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
    "argocd_provenance.report.explain",
    "argocd_provenance.report.jsonreport",
    "cryptography.hazmat.backends.openssl.backend",
    "encodings.ascii",
    "encodings.utf_16_be",
    "encodings.utf_8_sig",
    "re2",
)
# More at a time than a repo-server asks of one sidecar; beyond them a client does its own work, and waits for its turn.
_MOST = 32
# Seconds for all that a client has to say; after them its fork is ended by the alarm.
_PATIENCE = 5.0


@dataclass(slots=True)
class _Request:
    """One client: `pid` of its fork, which hears it and does its work."""

    connection: socket.socket
    pid: int


def serve(path: Path, metrics: str | None = None, metrics_file: Path | None = None) -> None:
    """Serve at `path` until a SIGTERM or SIGINT; raises `OperatorError` where that is not safe, or taken."""
    with _alone(path) as ours:
        for name in _READY:
            importlib.import_module(name)
        records.make_all()
        regex.compile_all()
        # What is there now lives for ever: forks must not copy it only to count references to garbage.
        gc.collect()
        gc.freeze()
        with _listening(path, ours[0]) as listener, contextlib.ExitStack() as stack:
            endpoint = stack.enter_context(Endpoint(metrics, metrics_file)) if metrics and metrics_file else None
            _Loop(listener, ours, endpoint).run()


class _Loop:
    """Serves whoever comes to `listener`; `ours` are the descriptors of its folder and of the lock in it."""

    def __init__(self, listener: socket.socket, ours: tuple[int, int], endpoint: Endpoint | None) -> None:
        self._listener, self._ours, self._endpoint = listener, ours, endpoint
        self._poll = select.epoll()
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
        sources: dict[int, Callable[[], object]] = {
            self._listener.fileno(): self._accept,
            woken.fileno(): lambda: woken.recv(4096),
        }
        if self._endpoint is not None:
            sources[self._endpoint.listener.fileno()] = self._endpoint.answer
        for source in sources:
            self._poll.register(source, select.EPOLLIN)
        while not self._ended:
            for source, _ in self._poll.poll():
                if source in sources:
                    sources[source]()
                else:
                    self._hang_up(source)
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
        with contextlib.suppress(OSError):
            if wire.peer(connection) == os.geteuid() and len(self._requests) < _MOST:
                self._begin(connection)
                return
        connection.close()

    def _begin(self, connection: socket.socket) -> None:
        """Leave the client to a fork: nobody whom it keeps waiting is another client."""
        above = os.getpid()
        # What it says is for the fork to hear; ours is its end.
        self._poll.register(connection, select.EPOLLRDHUP)
        pid = os.fork()
        if not pid:
            self._become(connection, above)
        self._requests[connection.fileno()] = _Request(connection, pid)

    def _hang_up(self, number: int) -> None:
        """The client is gone: its work ends here."""
        if number in self._requests:
            _kill(self._requests[number].pid)

    def _reap(self) -> None:
        if self._endpoint is not None:
            self._endpoint.reap()
        for number, request in tuple(self._requests.items()):
            if os.waitid(os.P_PID, request.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            _kill(request.pid)  # whatever it left behind in its group, which is ours to name until the fork is reaped
            del self._requests[number]
            code = os.waitstatus_to_exitcode(os.waitpid(request.pid, 0)[1])
            self._poll.unregister(request.connection)
            with contextlib.suppress(OSError):
                if code >= 0:
                    request.connection.setblocking(False)
                    request.connection.sendall(wire.EXIT + bytes((code,)))
                request.connection.shutdown(socket.SHUT_RDWR)  # a fork that answers a scraper has it open, too
            request.connection.close()

    def _become(self, connection: socket.socket, above: int) -> None:
        """The client's run, in a fork of the process `above`; never returns."""
        code = 1
        try:
            os.setpgid(0, 0)
            die_with_parent(above, signal.SIGKILL)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            self._poll.close()
            endpoint = [self._endpoint.listener] if self._endpoint is not None else []
            for other in (self._listener, *endpoint, *(request.connection for request in self._requests.values())):
                other.close()
            try:
                asked = _heard(connection, self._ours[0])
            except (OSError, EOFError, ValueError):
                os.kill(os.getpid(), signal.SIGKILL)  # not served: there is no exit code to tell
            connection.close()
            for descriptor in self._ours:
                os.close(descriptor)
            code = _run(*asked)
        except BaseException:  # noqa: BLE001 - as the interpreter would: say it, exit with 1
            traceback.print_exc()
        finally:
            with contextlib.suppress(BaseException):
                for stream in filter(None, (sys.stdout, sys.stderr)):
                    stream.flush()
            os._exit(code)


def _heard(connection: socket.socket, folder: int) -> tuple[list[bytes], list[int], list[int]]:
    """What a client asks for: fields, the numbers of its open streams, its folder and streams as descriptors.

    Raises `ValueError`, `EOFError` or `OSError` for one that does not keep to the wire, or cannot open `folder`.
    """
    signal.setitimer(signal.ITIMER_REAL, _PATIENCE)
    connection.setblocking(True)
    head, doors, _, _ = socket.recv_fds(connection, wire.HEAD, 1)
    if not _opens(doors, folder):
        raise ValueError("the client cannot open our folder")
    os.close(doors[0])
    fields = wire.body(connection, head)
    connection.sendall(wire.READY)
    said, descriptors, _, _ = socket.recv_fds(connection, 4, 4)
    if said[:1] != wire.GO or len(descriptors) != len(said):
        raise ValueError("the client does not go on")
    signal.setitimer(signal.ITIMER_REAL, 0)
    return fields, list(said[1:]), descriptors


def _opens(doors: list[int], folder: int) -> bool:
    """Whether `doors` holds `folder`, opened to be read: one that was only found (O_PATH) opens nothing."""
    if len(doors) != 1 or fcntl.fcntl(doors[0], fcntl.F_GETFL) & os.O_PATH:
        return False
    return os.path.samestat(os.fstat(doors[0]), os.fstat(folder))


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
def _alone(path: Path) -> Iterator[tuple[int, int]]:
    """Hold the place at `path`, made if need be; the descriptors of its folder and of the lock in it.

    Raises `OperatorError` where somebody else could put their own socket there, or serves there already.
    """
    try:
        with contextlib.suppress(FileExistsError):
            path.parent.mkdir(mode=0o700)
        folder = place.opened(str(path.parent))
    except OSError as error:
        raise OperatorError(f"--socket: {path.parent}: {error.strerror or error}") from error
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, folder)
        try:
            lock = os.open(f"{path.name}.lock", os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600, dir_fd=folder)
            stack.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OperatorError(f"--socket: another process serves at {path} already") from None
        except OSError as error:
            raise OperatorError(f"--socket: {path}.lock: {error.strerror}") from error
        yield folder, lock


@contextlib.contextmanager
def _listening(path: Path, folder: int) -> Iterator[socket.socket]:
    """The socket of the name in `path`, in `folder`, for our user alone."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path.name, dir_fd=folder)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        mask = os.umask(0o177)
        try:
            listener.bind(place.within(folder, path.name))
        except OSError as error:
            raise OperatorError(f"--socket: {path}: {error.strerror or error}") from error
        finally:
            os.umask(mask)
        listener.listen(128)
        listener.setblocking(False)
        try:
            yield listener
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path.name, dir_fd=folder)
