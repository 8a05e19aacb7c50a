"""A small CONNECT proxy on loopback: names lead to addresses of its own table, and it keeps a list of who was asked for."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self


class Proxy:
    """While open, tunnels to `names` (``host:port`` → ``address:port``); anything else is refused with 403."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.asked: list[str] = []
        """The request lines."""
        self.authorizations: list[str] = []
        proxy = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                line = self.rfile.readline().decode("latin-1").strip()
                proxy.asked.append(line)
                while header := self.rfile.readline().decode("latin-1").strip():
                    if header.lower().startswith(("proxy-authorization:", "authorization:")):
                        proxy.authorizations.append(header)
                method, target, _ = [*line.split(), "", ""][:3]
                if method != "CONNECT" or target not in names:
                    self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                    return
                host, _, port = names[target].rpartition(":")
                with socket.create_connection((host, int(port)), 5) as there:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    thread = threading.Thread(target=_pump, args=(there, self.connection), daemon=True)
                    thread.start()
                    _pump(self.connection, there)
                    thread.join(5)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server: Any = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

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
