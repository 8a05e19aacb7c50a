"""Connections that look at the address before they open, kept for the next question.

One law: the address is judged before a packet leaves, and connected to as it was judged: a name that is looked up twice could
mean two machines (DNS rebinding).
"""

import contextlib
import socket
import ssl
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import SplitResult

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

from argocd_provenance.oci import tls
from argocd_provenance.oci.network import Network, Zone
from argocd_provenance.oci.proxies import proxy_for, proxy_manager
from argocd_provenance.oci.reference import registry_host
from argocd_provenance.oci.settings import HostSettings
from argocd_provenance.records import dataclass

_CONNECTIONS = 32  # 16 to 32 kept-alive connections are as fast as hundreds
_POOLS = 32  # a registry may redirect to as many hosts as it likes


class Connections:
    """The connections of a run, by whom they lead to and who led there; for many threads."""

    def __init__(self, hosts: Mapping[str, HostSettings], network: Network) -> None:
        self._hosts, self._network = hosts, network
        self._open: weakref.WeakSet[Any] = weakref.WeakSet()
        self._pools: OrderedDict[tuple[Zone | None, str, str], HTTPConnectionPool] = OrderedDict()
        self._contexts: dict[tuple[str | None, str | None], ssl.SSLContext] = {}
        self._lock = threading.Lock()

    def pool(self, url: SplitResult, origin: Zone | None) -> HTTPConnectionPool:
        """The connections to the host of `url` for who is redirected from `origin`; None for hosts that the operator named.

        Direct ones open only to where `network` lets them; those to a proxy are urllib3's own. Raises `OperatorError` when
        a file for TLS cannot be used.
        """
        key = (origin, url.scheme, url.netloc)
        with self._lock:
            found = self._pools.get(key)
            if found is None:
                found = self._pools[key] = self._made(url, origin)
                if len(self._pools) > _POOLS:
                    self._pools.popitem(last=False)  # urllib3 closes it when the last answer was read
            else:
                self._pools.move_to_end(key)
        return found

    def sever(self) -> None:
        """End all connections, those that somebody waits for included."""
        with self._lock:
            open_ = tuple(self._open)
        for connection in open_:
            with contextlib.suppress(OSError, AttributeError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close all connections that nobody uses."""
        with self._lock:
            pools = list(self._pools.values())
            self._pools.clear()
        for pool in pools:
            pool.close()

    def _made(self, url: SplitResult, origin: Zone | None) -> HTTPConnectionPool:
        settings = self._hosts.get(registry_host(url.netloc)) or HostSettings(url.netloc)
        secure = url.scheme == "https"
        more: dict[str, Any] = {"ssl_context": self._context(settings)} if secure else {}
        if proxy := proxy_for(url.scheme, url.netloc):
            return self._behind(proxy, url, settings, more)
        door = _Door(self._network, origin, self._opened)
        kind = _SecurePool if secure else _PlainPool
        return kind(url.hostname or "", url.port, maxsize=_CONNECTIONS, door=door, **more)

    def _behind(
        self, proxy: str, url: SplitResult, settings: HostSettings, more: Mapping[str, Any]
    ) -> HTTPConnectionPool:
        to_proxy: dict[str, Any] = {}
        if proxy.lower().startswith("https://"):
            # It shows a certificate of the same CAs, and is never shown ours.
            to_proxy["proxy_ssl_context"] = self._context(HostSettings(settings.host, ca_file=settings.ca_file))
        manager = proxy_manager(proxy, _CONNECTIONS, **to_proxy)
        made: HTTPConnectionPool = manager.connection_from_host(url.hostname, url.port, url.scheme, pool_kwargs=more)
        made.ConnectionCls = _heard(made.ConnectionCls, self._opened)
        return made

    def _opened(self, connection: Any) -> None:
        with self._lock:
            self._open.add(connection)

    def _context(self, settings: HostSettings) -> ssl.SSLContext:
        """One for all hosts of the same files; whoever calls has the lock."""
        files = settings.ca_file, settings.client_cert
        if files not in self._contexts:
            self._contexts[files] = tls.context(settings)
        return self._contexts[files]


@dataclass(frozen=True, slots=True)
class _Door:
    """What new connections of a pool go through; `opened` hears of each."""

    network: Network
    origin: Zone | None
    opened: Callable[[Any], None]

    def open(self, connection: Any) -> socket.socket:
        """As `HTTPConnection._new_conn`, to addresses that were judged, and to no other."""
        found = self.network.open_to(connection.host, self.origin)
        if not found:
            unknown = socket.gaierror(socket.EAI_NONAME, "the name is unknown")
            raise NameResolutionError(connection.host, connection, unknown)
        fault: OSError | None = None
        for address in found:
            try:
                made = create_connection(
                    (address, connection.port), connection.timeout, socket_options=connection.socket_options
                )
            except OSError as error:
                fault = error
                continue
            connection.address = address
            self.opened(connection)
            return made
        if isinstance(fault, TimeoutError):
            raise ConnectTimeoutError(connection, "no connection in time") from fault
        raise NewConnectionError(connection, "no connection") from fault


def _heard(kind: Any, opened: Callable[[Any], None]) -> Any:
    """Connections of this kind, of each of which `opened` hears before it opens."""

    class Heard(kind):  # type: ignore[misc]
        def connect(self) -> None:
            opened(self)
            super().connect()

    return Heard


class _Led:
    """A connection through a door; `address` is where it led."""

    address = ""

    def __init__(self, *arguments: Any, door: _Door, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._door = door

    def _new_conn(self) -> socket.socket:
        return self._door.open(self)


class _Plain(_Led, HTTPConnection):
    pass


class _Secure(_Led, HTTPSConnection):
    """The same with TLS."""


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure
