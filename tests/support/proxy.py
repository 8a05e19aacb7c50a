"""A small proxy on loopback: names lead to addresses of its own table, and it keeps a list of who was asked for."""

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit


class Proxy:
    """While open, leads to `names` (``host:port`` → ``address:port``); anything else is refused with 403.

    It tunnels (CONNECT), and forwards plain http; with `tls` it is itself spoken to by TLS.
    """

    def __init__(self, names: Mapping[str, str], tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[str] = []
        """The request lines."""
        self.authorizations: list[str] = []
        self.certificates: list[object] = []
        """What clients showed of themselves by TLS."""
        proxy = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                line = self.rfile.readline().decode("latin-1").strip()
                proxy.asked.append(line)
                if isinstance(self.connection, ssl.SSLSocket):
                    proxy.certificates.append(self.connection.getpeercert())
                kept = []
                while header := self.rfile.readline().decode("latin-1").strip():
                    if header.lower().startswith(("proxy-authorization:", "authorization:")):
                        proxy.authorizations.append(header)
                    else:
                        kept.append(header)
                method, target, _ = [*line.split(), "", ""][:3]
                url = urlsplit(target)
                name = target if method == "CONNECT" else url.netloc
                if name not in names:
                    self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                    return
                host, _, port = names[name].rpartition(":")
                with socket.create_connection((host, int(port)), 5) as there:
                    if method == "CONNECT":
                        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    else:
                        lines = [f"{method} {url.path} HTTP/1.1", *kept, "Connection: close", "", ""]
                        there.sendall("\r\n".join(lines).encode("latin-1"))
                    thread = threading.Thread(target=_pump, args=(there, self.connection), daemon=True)
                    thread.start()
                    _pump(self.connection, there)
                    thread.join(5)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

            def get_request(self) -> tuple[socket.socket, Any]:
                connection, address = super().get_request()
                return (connection if tls is None else tls.wrap_socket(connection, server_side=True)), address

        self._server: Any = Server(("127.0.0.1", 0), Handler)
        self.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _pump(here: socket.socket, there: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := here.recv(65536):
            there.sendall(piece)
    with contextlib.suppress(OSError):
        there.shutdown(socket.SHUT_WR)
