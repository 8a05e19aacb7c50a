"""Cryptography in a process of its own, beside the one that asks registries.

The import of sigstore takes as long as all else that a run does, and Python does one thing at a time. So a run that will
verify starts this process early, and uses the wait.

One law: it changes where `proving.prove` runs, never what it says. Both ends are this very program over an anonymous pair
of sockets; whatever is amiss with the other end (`Gone`) makes the run do the work itself.
"""

import contextlib
import gc
import importlib
import os
import pickle
import signal
import socket
import struct
import sys
import threading
from concurrent.futures import Future
from typing import Any

from argocd_provenance.errors import OperatorError
from argocd_provenance.evidence.artifact import Artifact
from argocd_provenance.evidence.parts import Candidate
from argocd_provenance.evidence.proofs import Proved, Refusal, read_proof, spell_proof
from argocd_provenance.evidence.rejections import Refused, Unexpected
from argocd_provenance.evidence.trust import TrustDomain, check_keys, parse
from argocd_provenance.evidence.values import Anchor

_LENGTH = struct.Struct(">IQ")
_BRIDGE = "argocd_provenance.evidence.bridge"
# Seconds; an answer takes milliseconds, the first one as long as the import of sigstore.
_PATIENCE = 30.0


class Gone(Exception):
    """The other process is not there, or does not know what to do."""


class Aside:
    """The other process, for many threads, until `close`; it is started when it is first needed."""

    def __init__(self) -> None:
        self._lock, self._sending = threading.Lock(), threading.Lock()
        self._socket: socket.socket | None = None
        self._pid = 0
        self._waiting: dict[int, Future[bytes]] = {}
        self._asked = 0
        self._gone = False
        self._known: dict[TrustDomain, int] = {}

    def start(self) -> bool:
        """Start the process, which begins to import sigstore; whether there is one.

        There is none where it would be of no use: sigstore is here already, or there is one processor only.
        """
        with self._lock:
            if self._socket is None and not self._gone:
                self._gone = _BRIDGE in sys.modules or len(os.sched_getaffinity(0)) < 2 or not self._spawn()
            return not self._gone

    def check_root(self, root: bytes) -> None:
        """As `trust.check_keys`; raises `OperatorError` as it does, and `Gone`."""
        answer = self._ask("root", root)
        if answer[:1] != b"=":
            raise OperatorError(answer[1:].decode()) if answer[:1] == b"!" else Gone

    def prove(self, candidate: Candidate, anchor: Anchor, artifact: Artifact, domain: TrustDomain) -> Proved:
        """As `proving.prove`; raises `Refused` as it does, `Unexpected` for what it lets through, and `Gone`."""
        if not self.start():
            raise Gone
        with self._sending:
            if domain not in self._known:
                number = len(self._known)
                self._send(0, ("domain", number, domain))
                # Only now: a number that means another domain at the other end would prove things to who trusts that one.
                self._known[domain] = number
        return _understood(self._ask("prove", candidate, anchor, artifact, self._known[domain]))

    def end(self) -> None:
        """End the process, whatever it does; `close` waits for that."""
        self._give_up()
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    def close(self) -> None:
        """End the process, and see it gone: nobody else would bury it in a container."""
        self.end()
        if self._pid:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._pid, 0)
            self._pid = 0

    def _spawn(self) -> bool:
        ours, theirs = socket.socketpair()
        nowhere = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
        line = [sys.executable, "-I", "-c", f"from {__name__} import main; main()"]
        try:
            with theirs:
                actions = [(os.POSIX_SPAWN_DUP2, theirs.fileno(), 0), *nowhere]
                self._pid = os.posix_spawn(sys.executable, line, {}, file_actions=actions)
        except OSError:
            ours.close()
            return False
        try:
            threading.Thread(target=self._listen, args=(ours,), daemon=True).start()
        except RuntimeError:  # no more threads; it ends by itself, for nobody is at our end
            ours.close()
            return False
        self._socket = ours
        return True

    def _ask(self, *what: object) -> bytes:
        if not self.start():
            raise Gone
        answer: Future[bytes] = Future()
        with self._lock:
            if self._gone:
                raise Gone
            self._asked += 1
            number = self._asked
            self._waiting[number] = answer
        with self._sending:
            self._send(number, what)
        try:
            return answer.result(_PATIENCE)
        except TimeoutError:
            self.end()
            raise Gone from None

    def _send(self, number: int, what: object) -> None:
        content = pickle.dumps(what, pickle.HIGHEST_PROTOCOL)
        if self._socket is None:
            raise Gone
        try:
            self._socket.sendall(_LENGTH.pack(len(content), number) + content)
        except OSError:
            self._give_up()
            raise Gone from None

    def _listen(self, ours: socket.socket) -> None:
        # Whatever ends this, nobody may wait for an answer any more. One that nobody asked for (KeyError) is not ours.
        with ours, contextlib.suppress(OSError, EOFError, KeyError):
            try:
                while True:
                    number, content = _frame(ours)
                    with self._lock:
                        answer = self._waiting.pop(number)
                    answer.set_result(content)
            finally:
                self._give_up()

    def _give_up(self) -> None:
        with self._lock:
            self._gone = True
            waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            answer.set_exception(Gone())
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


def _understood(answer: bytes) -> Proved:
    kind, content = answer[:1], answer[1:]
    if kind == b"?":
        raise Unexpected(content.decode(errors="replace"))
    found = read_proof(content) if kind == b"=" else None
    if found is None:
        raise Gone
    if isinstance(found, Refusal):
        raise Refused(found.code, found.reason)
    return found


# -- the other end -----------------------------------------------------------------------------------------------------


def main() -> None:
    """Serve whoever started us, on our standard input, until they are gone."""
    os.closerange(3, 1 << 20)  # whatever whoever started the run has left open in it
    # As in `cli.main`: we end with the run.
    gc.disable()
    with socket.socket(fileno=0) as connection, contextlib.suppress(OSError, EOFError, ImportError):
        importlib.import_module(_BRIDGE)
        end = _OtherEnd()
        while True:
            number, content = _frame(connection)
            # From the process that started us, and nobody else.
            answer = end.answer(*pickle.loads(content))  # noqa: S301
            if number:
                connection.sendall(_LENGTH.pack(len(answer), number) + answer)


class _OtherEnd:
    def __init__(self) -> None:
        self._domains: dict[int, TrustDomain] = {}
        self._instances: dict[int, Any] = {}

    def answer(self, what: str, *about: Any) -> bytes:
        if what == "root":
            return self._root(*about)
        if what == "prove":
            return self._prove(*about)
        number, domain = about
        self._domains[number] = domain
        return b""

    def _root(self, root: bytes) -> bytes:
        try:
            check_keys(parse(root))
        except OperatorError as error:
            return b"!" + str(error).encode(errors="replace")
        return b"="

    def _prove(self, candidate: Candidate, anchor: Anchor, artifact: Artifact, number: int) -> bytes:
        from argocd_provenance.evidence.proving import prove  # noqa: PLC0415 - it is heavy, and `main` has imported it

        domain = self._domains[number]
        try:
            found = prove(candidate, anchor, artifact, self._instance(number), domain.requires)
        except Refused as refused:
            return b"=" + spell_proof(Refusal(refused.code, refused.reason, ""))
        except Exception as fault:  # noqa: BLE001 - as in `verify`, whose word it is what that means
            return b"?" + f"{type(fault).__name__}: {fault}".encode(errors="replace")
        return b"=" + spell_proof(found)

    def _instance(self, number: int) -> Any:
        if number not in self._instances:
            from argocd_provenance.evidence.bridge import Instance  # noqa: PLC0415 - as above

            self._instances[number] = Instance(parse(self._domains[number].root))
        return self._instances[number]


def _frame(connection: socket.socket) -> tuple[int, bytes]:
    length, number = _LENGTH.unpack(_received(connection, _LENGTH.size))
    return number, _received(connection, length)


def _received(connection: socket.socket, length: int) -> bytes:
    found = bytearray()
    while len(found) < length:
        piece = connection.recv(min(length - len(found), 1 << 20))
        if not piece:
            raise EOFError
        found += piece
    return bytes(found)
