"""Connections that look at the address before they open.

One law: the address is judged before a packet leaves, and connected to as it was judged: a name that is looked up twice could
mean two machines (DNS rebinding).
"""

import functools
import socket
import ssl
from collections.abc import Callable
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

from argocd_provenance.errors import OperatorError
from argocd_provenance.oci.network import Network, Zone
from argocd_provenance.oci.settings import HostSettings

_CONNECTIONS = 32  # 16 to 32 kept-alive connections are as fast as hundreds


class Adapter(HTTPAdapter):
    """An adapter whose direct connections open only to where `network` lets who is redirected from `origin`.

    Those to a proxy are urllib3's own. `opened` hears of each connection.
    """

    def __init__(self, network: Network, origin: Zone | None, opened: Callable[[Any], None]) -> None:
        self._classes = _pools(network, origin, opened)
        super().__init__(pool_connections=_CONNECTIONS, pool_maxsize=_CONNECTIONS, max_retries=0)

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        """Make the pools, of our classes."""
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = self._classes


def _pools(network: Network, origin: Zone | None, opened: Callable[[Any], None]) -> dict[str, Any]:
    """urllib3's pools by scheme, of connections of ours."""

    class Plain(HTTPConnection):
        address = ""

        def _new_conn(self) -> socket.socket:
            return _connect(self, network, origin, opened)

    class Secure(HTTPSConnection):
        address = ""

        def _new_conn(self) -> socket.socket:
            return _connect(self, network, origin, opened)

    plain = type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": Plain})
    secure = type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": Secure})
    return {"http": plain, "https": secure}


def _connect(connection: Any, network: Network, origin: Zone | None, opened: Callable[[Any], None]) -> socket.socket:
    """As `HTTPConnection._new_conn`, to addresses that were judged, and to no other."""
    host = connection.host
    found = network.open_to(host, origin)
    if not found:
        raise NameResolutionError(host, connection, socket.gaierror(socket.EAI_NONAME, "the name is unknown"))
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
        opened(connection)
        return made
    if isinstance(fault, TimeoutError):
        raise ConnectTimeoutError(connection, "no connection in time") from fault
    raise NewConnectionError(connection, "no connection") from fault


@functools.cache
def check_files(settings: HostSettings) -> None:
    """Raise `OperatorError` when the CA file or client certificate of `settings` cannot be used."""
    for name, path in (("caFile", settings.ca_file), ("clientCert", settings.client_cert)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            if path and name == "caFile":
                context.load_verify_locations(cafile=path)
            elif path:
                context.load_cert_chain(path, password=lambda: b"")  # never a prompt
        except OSError as error:
            fault = error.strerror if error.errno and not isinstance(error, ssl.SSLError) else "holds no PEM for that"
            if name == "clientCert" and isinstance(error, ssl.SSLError):
                fault = "must hold a certificate and its unencrypted key, both as PEM"
            raise OperatorError(f"registries: {settings.host}: {name}: {path}: {fault}") from None
