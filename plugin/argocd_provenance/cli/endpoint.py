"""The metrics endpoint of `serve`: the metrics file over HTTP, for a Prometheus that scrapes.

One law: it shows one file, and nothing that a request says changes what is done. Each answer is a fork, so that a slow
scraper holds nobody up.
"""

import contextlib
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from argocd_provenance.errors import UsageError

_PATIENCE = 5.0
_MOST = 8
_TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Endpoint:
    """Listens at `where` (HOST:PORT) while the context is open."""

    def __init__(self, where: str, file: Path) -> None:
        host, _, port = where.rpartition(":")
        if not host or not port.isdecimal():
            raise UsageError(f"--metrics: {where!r} is not HOST:PORT, such as 127.0.0.1:9464")
        self._file, self._answering = file, set[int]()
        try:
            self.listener = socket.create_server((host.strip("[]"), int(port)), family=_family(host))
        except (OSError, OverflowError) as error:
            raise UsageError(f"--metrics: {where}: {error}") from error
        self.listener.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.listener.close()

    def answer(self) -> None:
        """Answer whoever connects, in a fork."""
        try:
            connection, _ = self.listener.accept()
        except OSError:
            return
        with connection:
            if len(self._answering) >= _MOST:
                return
            try:
                pid = os.fork()
            except OSError:
                return  # no more processes now; a scraper comes again
            if pid:
                self._answering.add(pid)
                return
            try:
                with contextlib.suppress(OSError):
                    _say(connection, self._file)
            finally:
                os._exit(0)

    def reap(self) -> None:
        """Let go of forks that are done."""
        for pid in tuple(self._answering):
            if os.waitpid(pid, os.WNOHANG)[0]:
                self._answering.discard(pid)


def _say(connection: socket.socket, file: Path) -> None:
    connection.settimeout(_PATIENCE)
    asked = b""
    while b"\r\n\r\n" not in asked and len(asked) < 8192:
        piece = connection.recv(4096)
        if not piece:
            return
        asked += piece
    if asked.split(b" ")[:2] != [b"GET", b"/metrics"]:
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        return
    text = file.read_bytes() if file.exists() else b""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {_TEXT}\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n"
    connection.sendall(head.encode() + text)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
