"""HTTP as registries need it: one question, one answer, within the deadline and the limit of its kind.

One law: no byte of a stranger costs more than we said: time by the `Deadline`, memory by the limit, and credentials go to
the origin they were given for and nowhere else. No cookies, no netrc, no redirect that `redirects` does not allow.
"""

import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.exceptions import HTTPError

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RegistryError
from argocd_provenance.oci import redirects
from argocd_provenance.oci.reference import registry_host
from argocd_provenance.oci.replies import Reply, misbehaved, shown
from argocd_provenance.oci.settings import HostSettings, is_loopback

_CONNECT = 5.0
_READ = 10.0
_CHUNK = 64 * 1024
_CONNECTIONS = 32  # 16 to 32 kept-alive connections are as fast as hundreds
_ATTEMPTS = 4
_BACK_OFF = 0.2  # doubled each time
_TRY_AGAIN = frozenset({429, 502, 503, 504})
_NO_ANSWER = (requests.RequestException, HTTPError, HTTPException, OSError)


class Transport:
    """Connections to registries, shared by all threads of a run."""

    def __init__(
        self,
        hosts: Mapping[str, HostSettings],
        deadline: Deadline,
        *,
        sleep: Callable[[float], None] = time.sleep,
        lookup: redirects.Lookup | None = None,
    ) -> None:
        self._hosts = hosts
        self._deadline = deadline
        self._sleep = sleep
        self._lookup = lookup or _addresses
        # An adapter, not a Session: a Session keeps cookies, reads netrc, and is not promised to be right under threads.
        self._adapter = HTTPAdapter(pool_connections=_CONNECTIONS, pool_maxsize=_CONNECTIONS, max_retries=0)
        self._proxies: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()

    def send(
        self,
        url: str,
        headers: Mapping[str, str],
        limit: int,
        *,
        form: Mapping[str, str] | None = None,
        follow: bool = True,
        head: bool = False,
    ) -> Reply:
        """The answer to a GET of `url` (`head`: to a HEAD), or to a POST of `form`, whatever its status.

        Raises `RegistryError` when there is no answer, none in time for a retry, or one that breaks a rule, and
        `DeadlineExceeded`. A body longer than `limit` is ``registry-misbehaved``.
        """
        current, sent = url, dict(headers)
        for _ in range(redirects.LIMIT + 1):
            reply = self._persist(current, sent, limit, form, head=head)
            if not follow or reply.status not in redirects.STATUSES:
                return reply
            current = redirects.target(reply, self._lookup)
            if not redirects.same_origin(urlsplit(reply.url), urlsplit(current)):
                sent = {name: value for name, value in sent.items() if name.lower() != "authorization"}
        raise misbehaved(reply, f"redirects more than {redirects.LIMIT} times")

    def close(self) -> None:
        """Close all connections."""
        self._adapter.close()

    def _persist(
        self, url: str, headers: Mapping[str, str], limit: int, form: Mapping[str, str] | None, *, head: bool
    ) -> Reply:
        """Ask, and ask again after a pause when there is hope."""
        for attempt in range(_ATTEMPTS):
            last = attempt == _ATTEMPTS - 1
            pause = _BACK_OFF * 2**attempt
            try:
                reply = self._ask(url, headers, limit, form, head=head)
            except _NO_ANSWER as error:
                self._deadline.check(f"{shown(url)} answered")
                if last or isinstance(error, requests.exceptions.SSLError) or pause >= self._deadline.remaining():
                    raise RegistryError(f"{shown(url)}: {_reason(error)}", url=shown(url)) from None
            else:
                pause = max(pause, _retry_after(reply))
                if last or reply.status not in _TRY_AGAIN or pause >= self._deadline.remaining():
                    return reply
            self._sleep(pause)
        raise AssertionError("unreachable")

    def _ask(
        self, url: str, headers: Mapping[str, str], limit: int, form: Mapping[str, str] | None, *, head: bool
    ) -> Reply:
        self._deadline.check(f"{shown(url)} was asked")
        # A compressed body could be a bomb, and its digest is that of other bytes.
        sent = {"User-Agent": "argocd-provenance", **headers, "Accept-Encoding": "identity"}
        method = "POST" if form is not None else "HEAD" if head else "GET"
        prepared = requests.Request(method, url, headers=sent, data=form).prepare()
        parts = urlsplit(url)
        settings = self._hosts.get(registry_host(parts.netloc)) or HostSettings(parts.netloc)
        remaining = self._deadline.remaining()
        response = self._adapter.send(
            prepared,
            stream=True,
            timeout=(min(_CONNECT, remaining), min(_READ, remaining)),
            verify=settings.ca_file or True,
            cert=settings.client_cert,
            proxies=self._proxies_for(parts.scheme, parts.netloc),
        )
        named = {name.lower(): value for name, value in response.headers.items()}
        reply = Reply(response.status_code, named, b"", url)
        try:
            body = b"" if head else self._read(response, reply, limit)
        except BaseException:
            response.close()  # the rest of the body is not worth reading
            raise
        response.raw.release_conn()
        return Reply(reply.status, named, body, url)

    def _read(self, response: requests.Response, reply: Reply, limit: int) -> bytes:
        if reply.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise misbehaved(reply, "sends a compressed body that nobody asked for")
        announced = reply.headers.get("content-length", "")
        if announced and not (announced.isascii() and announced.isdigit() and len(announced) < 20):
            raise misbehaved(reply, "sends a length that is no number")
        if announced and int(announced) > limit:
            raise misbehaved(reply, f"sends more than {limit} bytes")
        body = bytearray()
        while piece := self._piece(response.raw):
            body += piece
            if len(body) > limit:
                raise misbehaved(reply, f"sends more than {limit} bytes")
            self._deadline.check(f"{shown(reply.url)} was read")
        if announced and len(body) != int(announced):
            raise ConnectionResetError("the connection ended in the middle of the answer")
        return bytes(body)

    def _piece(self, raw: Any) -> bytes:
        """What has arrived, and no waiting for more: a body that drips must not hide from the deadline."""
        connection = getattr(getattr(raw, "connection", None), "sock", None)
        if connection is not None:
            connection.settimeout(max(0.01, min(_READ, self._deadline.remaining())))
        piece: bytes = raw.read1(_CHUNK, decode_content=False)
        return piece

    def _proxies_for(self, scheme: str, host: str) -> dict[str, str]:
        """The environment's proxies as requests reads them; this machine is never asked for through another."""
        if is_loopback(host):
            return {}
        with self._lock:
            if host not in self._proxies:
                self._proxies[host] = dict(get_environ_proxies(f"{scheme}://{host}"))
            return self._proxies[host]


def _retry_after(reply: Reply) -> float:
    """The seconds that ``Retry-After`` asks for; its form as a date is left to the back-off (RFC 9110, 10.2.3)."""
    value = reply.headers.get("retry-after", "").strip()
    return float(value) if value.isascii() and value.isdigit() and len(value) < 10 else 0.0


def _addresses(host: str) -> list[str]:
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except OSError:
        return []


def _reason(error: BaseException) -> str:
    """Why there was no answer, without the URL that the libraries put into their words: its query may hold a secret."""
    if isinstance(error, requests.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy refuses, or does not answer"
    seen: BaseException | None = error
    for _ in range(8):
        if isinstance(seen, ssl.SSLCertVerificationError):
            return f"TLS: {seen.verify_message}"
        if isinstance(seen, ssl.SSLError):
            return f"TLS: {seen.reason}"
        if isinstance(seen, TimeoutError) or "Timeout" in type(seen).__name__:
            return "no answer in time"
        if isinstance(seen, OSError) and seen.errno is not None:
            return os.strerror(seen.errno) if seen.errno > 0 else "the name is unknown"
        if seen is None:
            break
        inner = getattr(seen, "reason", None) or next(
            (part for part in seen.args if isinstance(part, BaseException)), None
        )
        seen = inner if isinstance(inner, BaseException) else seen.__cause__ or seen.__context__
    return "the connection broke before the answer was whole"
