# ruff: noqa: INP001
"""A registry that is far away: answers from memory over HTTP/1.1 on loopback, a round trip later.

    python benchmarks/faraway.py CONTENTS.pickle SECONDS        prints its port, and ends with its standard input

A new connection costs one round trip more, as TCP's handshake does. The registry has no Referrers API, as most have none.
It costs the measured machine almost no CPU, so that on two cores the client is measured, not the registry.
"""

import asyncio
import pickle
import re
import sys
from pathlib import Path

_PATH = re.compile(r"/v2/(?P<repository>.+)/(?P<what>manifests|blobs)/(?P<name>[^/?]+)")


class Connection(asyncio.Protocol):
    """One client: its requests, answered in order."""

    def __init__(self, registry: "FarAway") -> None:
        self._registry, self._buffer = registry, b""
        self._loop = asyncio.get_running_loop()
        self._ready = self._loop.time() + registry.seconds

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every whole request, a round trip later."""
        if data[:1] == b"\x16":  # some clients try TLS first, even on loopback
            self._transport.close()
            return
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            line, self._buffer = self._buffer[:end].split(b"\r\n", 1)[0].decode(), self._buffer[end + 4 :]
            method, path, _ = line.split(" ", 2)
            when = max(self._loop.time(), self._ready) + self._registry.seconds
            self._loop.call_at(when, self._transport.write, self._registry.answer(method, path))


class FarAway:
    """The contents, and the distance in `seconds`."""

    def __init__(self, contents: "dict[str, tuple[str, bytes, str]]", seconds: float) -> None:
        self._contents, self.seconds = contents, seconds

    def answer(self, method: str, path: str) -> bytes:
        """A whole HTTP answer."""
        if path.rstrip("/") == "/v2":
            return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDocker-Distribution-API-Version: registry/2.0\r\n\r\n"
        found = self._contents.get(path) if _PATH.fullmatch(path) else None
        if found is None:
            body = (
                b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}'
                if _PATH.fullmatch(path)
                else b"404 page not found\n"
            )
            kind = "application/json" if _PATH.fullmatch(path) else "text/plain"
            head = f"HTTP/1.1 404 Not Found\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        else:
            kind, body, digest = found
            head = (
                f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                f"Docker-Content-Digest: {digest}\r\n\r\n"
            )
        return head.encode() + (b"" if method == "HEAD" else body)


async def serve(contents: bytes, seconds: float) -> None:
    """Answer until standard input ends."""
    registry = FarAway(pickle.loads(contents), seconds)  # noqa: S301 - written by the benchmark itself
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(registry), "127.0.0.1", 0, backlog=512)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]).read_bytes(), float(sys.argv[2])))
