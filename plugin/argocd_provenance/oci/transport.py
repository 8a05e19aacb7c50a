"""HTTP as registries need it: one question, one answer, within the deadline and the limit of its kind.

One law: no byte of a stranger costs more than we said: time by the `Deadline`, memory by the limit, and credentials go to
the origin they were given for and nowhere else. No cookies, no netrc, no redirect that `redirects` does not allow.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.util import Retry, Timeout

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RegistryError
from argocd_provenance.oci import redirects
from argocd_provenance.oci.connections import Connections
from argocd_provenance.oci.manners import TRY_AGAIN, Manners, retry_after
from argocd_provenance.oci.network import Network, Zone
from argocd_provenance.oci.replies import Reply, misbehaved, shown
from argocd_provenance.oci.settings import HostSettings
from argocd_provenance.oci.silence import silence
from argocd_provenance.oci.tally import Tally, kind_of
from argocd_provenance.records import dataclass

_CONNECT = 5.0
_READ = 10.0
_CHUNK = 64 * 1024
_LARGE = 256 * 1024  # no usual answer is longer
_LEAST = 0.01  # no time at all would mean for ever
_AT_A_TIME = 4  # large ones, so that memory is bounded whatever registries send
_NO_ANSWER = (HTTPError, HTTPException, OSError)
_OURS = {
    # A compressed body could be a bomb, and its digest is that of other bytes.
    "Accept-Encoding": "identity",
    "User-Agent": "argocd-provenance",
}
_NEVER = Retry(False, redirect=False)  # when to ask again is for `Manners` to say, and where else for `redirects`


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked wherever it leads: at most `limit` bytes are read of the answer."""

    method: str
    headers: dict[str, str]
    limit: int
    body: bytes | None = None

    def without_credentials(self) -> "Request":
        """The same from nobody."""
        headers = {name: value for name, value in self.headers.items() if name.lower() != "authorization"}
        return Request(self.method, headers, self.limit, self.body)


class Transport:
    """Connections to registries, shared by all threads of a run. `sleep`, `network` and `manners` are for tests."""

    def __init__(
        self,
        hosts: Mapping[str, HostSettings],
        deadline: Deadline,
        *,
        sleep: Callable[[float], None] = time.sleep,
        network: Network | None = None,
        manners: Manners | None = None,
        tally: Tally | None = None,
    ) -> None:
        self._deadline = deadline
        self._sleep = sleep
        self._network = network or Network()
        self._judging = self._network.remembering()
        self._manners = manners or Manners(lambda: deadline.seconds - deadline.remaining())
        self._tally = tally or Tally()
        self._connections = Connections(hosts, self._network)
        self._large = threading.BoundedSemaphore(_AT_A_TIME)
        self._lock = threading.Lock()
        self._end: threading.Timer | None = None

    def send(
        self,
        url: str,
        headers: Mapping[str, str],
        limit: int,
        *,
        method: str = "GET",
        form: Mapping[str, str] | bytes | None = None,
        follow: bool = True,
    ) -> Reply:
        """The answer to a request for `url` (a POST of `form`, its fields or its bytes, where there is one), whatever its status.

        Raises `RegistryError` when there is no answer, none in time for a retry, or one that breaks a rule, and
        `DeadlineExceeded`. A body longer than `limit` is ``registry-misbehaved``.
        """
        request = Request(method, {**headers, **_OURS}, limit)
        if form is not None:
            typed = {"Content-Type": "application/x-www-form-urlencoded", **request.headers}
            body = form if isinstance(form, bytes) else urlencode(form).encode()
            request = Request("POST", typed, limit, body)
        current, origin, kind = url, None, kind_of(url)
        for _ in range(redirects.LIMIT + 1):
            reply = self._persist(request, current, origin, kind)
            if not follow or reply.status not in redirects.STATUSES:
                return reply
            current = redirects.target(reply, self._judging)
            if not redirects.same_origin(urlsplit(reply.url), urlsplit(current)):
                request = request.without_credentials()
                origin = self._zone(reply, origin)
        raise misbehaved(reply, f"redirects more than {redirects.LIMIT} times")

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            end = self._end
        if end is not None:
            end.cancel()
        self._connections.close()

    # -- one question ------------------------------------------------------------------------------------------------

    def _persist(self, request: Request, url: str, origin: Zone | None, kind: str) -> Reply:
        """Ask, and ask again after a pause when there is hope."""
        parts = urlsplit(url)
        where = f"{parts.scheme}://{parts.netloc}"
        attempts = self._manners.attempts(where)
        for attempt in range(attempts):
            last = attempt == attempts - 1
            self._wait(where, url)
            try:
                with self._manners.turn(where), self._tally.request(kind) as answered:
                    reply = self._ask(request, parts, url, origin)
                    answered(reply.status)
            except _NO_ANSWER as error:
                self._check(url, "answered")
                reason, pause = silence(error), self._manners.pause(attempt)
                if last or reason.final or pause >= self._deadline.remaining():
                    self._manners.silent(where)
                    raise reason.error(url) from None
            else:
                self._manners.answered(where)
                if reply.status not in TRY_AGAIN:
                    return reply
                if asked_for := retry_after(reply.headers, time.time):
                    self._manners.later(where, asked_for)
                pause = self._manners.pause(attempt, asked_for)
                if last or pause >= self._deadline.remaining():
                    return reply
            self._sleep(pause)
        raise AssertionError("unreachable")

    def _wait(self, where: str, url: str) -> None:
        """Give `where` the peace that it asked another thread for."""
        pause = self._manners.wait(where)
        if not pause:
            return
        if pause >= self._deadline.remaining() > 0:
            raise RegistryError(
                f"{shown(url)}: not asked, for its host wants to be left alone for {pause:.0f} s",
                code="registry-throttled",
                url=shown(url),
            )
        self._sleep(pause)

    def _ask(self, request: Request, parts: SplitResult, url: str, origin: Zone | None) -> Reply:
        """Here, and nowhere else, a request leaves."""
        self._check(url, "was asked")
        pool = self._pool(parts, origin)
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        remaining = max(_LEAST, self._deadline.remaining())
        raw = pool.urlopen(
            request.method,
            # A proxy that forwards plain http wants to know whom to.
            f"http://{parts.netloc}{path}" if pool.proxy is not None and parts.scheme == "http" else path,
            request.body,
            request.headers,
            retries=_NEVER,
            redirect=False,
            assert_same_host=False,
            timeout=Timeout(min(_CONNECT, remaining), min(_READ, remaining)),
            preload_content=False,
            decode_content=False,
        )
        # Of headers that stand several times, all values.
        named = {name.lower(): value for name, value in raw.headers.itermerged()}
        reply = Reply(raw.status, named, b"", url, getattr(raw.connection, "address", ""))
        try:
            body = b"" if request.method == "HEAD" else self._read(raw, reply, request.limit)
        except BaseException:
            raw.close()  # the rest of the body is not worth reading
            raise
        raw.release_conn()
        return Reply(reply.status, named, body, url, reply.address)

    def _read(self, raw: Any, reply: Reply, limit: int) -> bytes:
        if reply.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise misbehaved(reply, "sends a compressed body that nobody asked for")
        announced = reply.headers.get("content-length", "")
        if announced and not (announced.isascii() and announced.isdigit() and len(announced) < 20):
            raise misbehaved(reply, "sends a length that is no number")
        if announced and int(announced) > limit:
            raise misbehaved(reply, f"sends more than {limit} bytes")
        body = bytearray()
        with contextlib.ExitStack() as turn:
            while piece := self._piece(raw):
                if len(body) <= _LARGE < len(body) + len(piece):
                    self._one_of_few(turn, reply)
                body += piece
                if len(body) > limit:
                    raise misbehaved(reply, f"sends more than {limit} bytes")
                self._check(reply.url, "was read")
        if announced and len(body) != int(announced):
            raise ConnectionResetError("the connection ended in the middle of the answer")
        return bytes(body)

    def _one_of_few(self, turn: contextlib.ExitStack, reply: Reply) -> None:
        if not self._large.acquire(timeout=self._deadline.remaining()):
            self._check(reply.url, "was read")
        turn.callback(self._large.release)

    def _piece(self, raw: Any) -> bytes:
        """What has arrived, and no waiting for more: a body that drips must not hide from the deadline."""
        connection = getattr(getattr(raw, "connection", None), "sock", None)
        if connection is not None:
            connection.settimeout(max(_LEAST, min(_READ, self._deadline.remaining())))
        piece: bytes = raw.read1(_CHUNK, decode_content=False)
        return piece

    # -- connections -------------------------------------------------------------------------------------------------

    def _zone(self, reply: Reply, before: Zone | None) -> Zone:
        """From how near the answer came that redirects us; through a proxy nobody knows, and the public is assumed."""
        here = self._network.zone(reply.address) if reply.address else Zone.PUBLIC
        return here if before is None else min(here, before)

    def _pool(self, parts: SplitResult, origin: Zone | None) -> HTTPConnectionPool:
        if self._end is None:
            with self._lock:
                if self._end is None:
                    # Sockets time out between two bytes; who drips headers is cut off when the time is over.
                    end = threading.Timer(self._deadline.remaining(), self._connections.sever)
                    end.daemon = True
                    end.start()
                    self._end = end
        return self._connections.pool(parts, origin)

    def _check(self, url: str, what: str) -> None:
        """Raise `DeadlineExceeded` once the time is over."""
        if not self._deadline.remaining():
            self._deadline.check(f"{shown(url)} {what}")
