"""HTTP as registries need it: one question, one answer, within the deadline and the limit of its kind.

One law: no byte of a stranger costs more than we said: time by the `Deadline`, memory by the limit, and credentials go to
the origin they were given for and nowhere else. No cookies, no netrc, no redirect that `redirects` does not allow.
"""

import contextlib
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.utils import get_environ_proxies
from urllib3.exceptions import HTTPError

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RegistryError
from argocd_provenance.oci import redirects
from argocd_provenance.oci.connections import Adapter, check_files
from argocd_provenance.oci.manners import TRY_AGAIN, Manners, retry_after
from argocd_provenance.oci.network import Network, Zone
from argocd_provenance.oci.reference import registry_host
from argocd_provenance.oci.replies import Reply, misbehaved, shown
from argocd_provenance.oci.settings import HostSettings, is_loopback
from argocd_provenance.oci.silence import silence
from argocd_provenance.oci.tally import Tally, kind_of

_CONNECT = 5.0
_READ = 10.0
_CHUNK = 64 * 1024
_LARGE = 256 * 1024  # no usual answer is longer
_AT_A_TIME = 4  # large ones, so that memory is bounded whatever registries send
_NO_ANSWER = (requests.RequestException, HTTPError, HTTPException, OSError)


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
        self._hosts = hosts
        self._deadline = deadline
        self._sleep = sleep
        self._network = network or Network()
        self._manners = manners or Manners(lambda: deadline.seconds - deadline.remaining())
        self._tally = tally or Tally()
        self._open: weakref.WeakSet[Any] = weakref.WeakSet()
        self._adapters: dict[Zone | None, Adapter] = {}
        self._proxies: dict[str, dict[str, str]] = {}
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
        form: Mapping[str, str] | None = None,
        follow: bool = True,
    ) -> Reply:
        """The answer to a request for `url` (a POST of `form` where there is one), whatever its status.

        Raises `RegistryError` when there is no answer, none in time for a retry, or one that breaks a rule, and
        `DeadlineExceeded`. A body longer than `limit` is ``registry-misbehaved``.
        """
        prepared = requests.Request(method if form is None else "POST", url, headers=dict(headers), data=form).prepare()
        # A compressed body could be a bomb, and its digest is that of other bytes.
        prepared.headers["Accept-Encoding"] = "identity"
        prepared.headers["User-Agent"] = "argocd-provenance"
        current, origin, kind = url, None, kind_of(url)
        for _ in range(redirects.LIMIT + 1):
            reply = self._persist(prepared, current, limit, origin, kind)
            if not follow or reply.status not in redirects.STATUSES:
                return reply
            current = redirects.target(reply, self._network)
            if not redirects.same_origin(urlsplit(reply.url), urlsplit(current)):
                prepared.headers.pop("Authorization", None)
                origin = self._zone(reply, origin)
            prepared.prepare_url(current, None)
        raise misbehaved(reply, f"redirects more than {redirects.LIMIT} times")

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            adapters, end = list(self._adapters.values()), self._end
        if end is not None:
            end.cancel()
        for adapter in adapters:
            adapter.close()

    # -- one question ------------------------------------------------------------------------------------------------

    def _persist(
        self, prepared: requests.PreparedRequest, url: str, limit: int, origin: Zone | None, kind: str
    ) -> Reply:
        """Ask, and ask again after a pause when there is hope."""
        where = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        attempts = self._manners.attempts(where)
        for attempt in range(attempts):
            last = attempt == attempts - 1
            self._wait(where, url)
            pause = self._manners.pause(attempt)
            try:
                with self._manners.turn(where), self._tally.request(kind) as answered:
                    reply = self._ask(prepared, url, limit, origin)
                    answered(reply.status)
            except _NO_ANSWER as error:
                self._deadline.check(f"{shown(url)} answered")
                reason = silence(error)
                if last or reason.final or pause >= self._deadline.remaining():
                    self._manners.silent(where)
                    raise reason.error(url) from None
            else:
                self._manners.answered(where)
                if (asked_for := retry_after(reply.headers, time.time)) and reply.status in TRY_AGAIN:
                    pause = self._manners.pause(attempt, asked_for)
                    self._manners.later(where, asked_for)
                if last or reply.status not in TRY_AGAIN or pause >= self._deadline.remaining():
                    return reply
            self._sleep(pause)
        raise AssertionError("unreachable")

    def _wait(self, where: str, url: str) -> None:
        """Give `where` the peace that it asked another thread for."""
        pause = self._manners.wait(where)
        if pause >= self._deadline.remaining() > 0:
            raise RegistryError(
                f"{shown(url)}: not asked, for its host wants to be left alone for {pause:.0f} s",
                code="registry-throttled",
                url=shown(url),
            )
        if pause:
            self._sleep(pause)

    def _ask(self, prepared: requests.PreparedRequest, url: str, limit: int, origin: Zone | None) -> Reply:
        self._deadline.check(f"{shown(url)} was asked")
        parts = urlsplit(url)
        settings = self._hosts.get(registry_host(parts.netloc)) or HostSettings(parts.netloc)
        secure = parts.scheme == "https"
        if secure:
            check_files(settings)
        remaining = self._deadline.remaining()
        response = self._adapter(origin).send(
            prepared,
            stream=True,
            timeout=(min(_CONNECT, remaining), min(_READ, remaining)),
            verify=settings.ca_file or True,
            cert=settings.client_cert if secure else None,
            proxies=self._proxies_for(parts.scheme, parts.netloc),
        )
        named = {name.lower(): value for name, value in response.headers.items()}
        address = getattr(getattr(response.raw, "connection", None), "address", "")
        reply = Reply(response.status_code, named, b"", url, address)
        try:
            body = b"" if prepared.method == "HEAD" else self._read(response.raw, reply, limit)
        except BaseException:
            response.close()  # the rest of the body is not worth reading
            raise
        response.raw.release_conn()
        return Reply(reply.status, named, body, url, address)

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
                self._deadline.check(f"{shown(reply.url)} was read")
        if announced and len(body) != int(announced):
            raise ConnectionResetError("the connection ended in the middle of the answer")
        return bytes(body)

    def _one_of_few(self, turn: contextlib.ExitStack, reply: Reply) -> None:
        if not self._large.acquire(timeout=self._deadline.remaining()):
            self._deadline.check(f"{shown(reply.url)} was read")
        turn.callback(self._large.release)

    def _piece(self, raw: Any) -> bytes:
        """What has arrived, and no waiting for more: a body that drips must not hide from the deadline."""
        connection = getattr(getattr(raw, "connection", None), "sock", None)
        if connection is not None:
            connection.settimeout(max(0.01, min(_READ, self._deadline.remaining())))
        piece: bytes = raw.read1(_CHUNK, decode_content=False)
        return piece

    # -- connections -------------------------------------------------------------------------------------------------

    def _zone(self, reply: Reply, before: Zone | None) -> Zone:
        """From how near the answer came that redirects us; through a proxy nobody knows, and the public is assumed."""
        here = self._network.zone(reply.address) if reply.address else Zone.PUBLIC
        return here if before is None else min(here, before)

    def _adapter(self, origin: Zone | None) -> Adapter:
        """The connections for who is redirected from `origin`; None for hosts that the operator named."""
        with self._lock:
            if self._end is None:
                # Sockets time out between two bytes; who drips headers is cut off when the time is over.
                self._end = threading.Timer(self._deadline.remaining(), self._sever)
                self._end.daemon = True
                self._end.start()
            if origin not in self._adapters:
                # An adapter, not a Session: a Session keeps cookies, reads netrc, and is not promised to be right under
                # threads.
                self._adapters[origin] = Adapter(self._network, origin, self._open.add)
            return self._adapters[origin]

    def _sever(self) -> None:
        for connection in tuple(self._open):
            with contextlib.suppress(OSError, AttributeError):
                connection.sock.shutdown(2)

    def _proxies_for(self, scheme: str, host: str) -> dict[str, str]:
        """The environment's proxies as requests reads them; this machine is never asked for through another."""
        if is_loopback(host):
            return {}
        with self._lock:
            if host not in self._proxies:
                self._proxies[host] = dict(get_environ_proxies(f"{scheme}://{host}"))
            return self._proxies[host]
