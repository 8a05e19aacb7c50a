"""The HTTP side of the demo's registry: a thread for each kept-alive connection, on loopback only.

One law: it decides nothing; paths and statuses are the distribution specification's, contents are the registry's.
"""

import base64
import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from argocd_provenance.demo.contents import OCI_INDEX, describe, encode
from argocd_provenance.records import dataclass, field

if TYPE_CHECKING:
    from argocd_provenance.demo.registry import Registry

_PATH = re.compile(r"/v2/(?P<repository>.+)/(?P<what>manifests|blobs|referrers|tags)/(?P<name>[^/]+)")
_UPLOAD = re.compile(r"/v2/(?P<repository>.+)/blobs/uploads/(?P<name>[^/]*)")
_POLL = 0.02  # seconds that `stop` may wait for the accepting thread


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent instead of the truth. A body in pieces is sent chunked; `drop` closes the connection without a word."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Iterable[bytes] = b""
    drop: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """One line of the log: `path` with its query, and the headers in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]


class Server:
    """Accepts connections for a `Registry` between `start` and `stop`."""

    def __init__(self, address: str, registry: "Registry", tls: ssl.SSLContext | None = None) -> None:
        self._http = _HTTPServer((address, 0), registry)
        if tls is not None:  # each connection shakes hands in its own thread
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True, do_handshake_on_connect=False)
        self.host = f"{address}:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": _POLL}, daemon=True)

    def start(self) -> None:
        """Accept connections."""
        self._thread.start()

    def stop(self) -> None:
        """Close every connection and the port."""
        if self._thread.is_alive():
            self._http.shutdown()
        self._http.close_connections()
        self._http.server_close()


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], registry: "Registry") -> None:
        super().__init__(address, _Handler)
        self.registry = registry
        self.open: set[socket.socket] = set()

    def close_connections(self) -> None:
        for connection in tuple(self.open):
            with contextlib.suppress(OSError):  # the client was faster
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away in the middle is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "demo-registry", ""
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body in one packet
    server: _HTTPServer

    def setup(self) -> None:
        super().setup()
        self.server.open.add(self.connection)

    def finish(self) -> None:
        self.server.open.discard(self.connection)
        with contextlib.suppress(OSError):  # the client was faster
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Log nothing: `Registry.requests` is the log."""

    def do_GET(self) -> None:
        self._handle()

    def do_HEAD(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        planned = self.server.registry.note(Request(self.command, self.path, headers))
        self._send(planned if planned is not None else self._truth(headers, body))

    def _send(self, answer: Answer) -> None:
        if answer.drop:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if isinstance(answer.body, bytes):
            if "Content-Length" not in answer.headers:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else answer.body)
            self.close_connection = self.close_connection or int(
                answer.headers.get("Content-Length", len(answer.body))
            ) != len(answer.body)
        else:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in answer.body:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _truth(self, headers: Mapping[str, str], body: bytes) -> Answer:
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if path == "/token":
            return self._token(headers, query.get("scope", [""])[0])
        if (challenge := self._challenge(headers, path)) is not None:
            denied = refusal(401, "UNAUTHORIZED", "authentication required")
            return Answer(401, {**denied.headers, "WWW-Authenticate": challenge}, denied.body)
        if path == "/v2/":
            return Answer()
        match = _UPLOAD.fullmatch(path) if self.command in ("POST", "PUT") else None
        if match is not None:
            return self._upload(match["repository"], body)
        match = _PATH.fullmatch(path)
        if match is None:
            return Answer(404, {"Content-Type": "text/plain"}, b"404 page not found\n")
        if self.command == "PUT":
            return self._store(match["repository"], match["name"], headers.get("content-type", ""), body)
        return self._content(match["repository"], match["what"], match["name"])

    def _content(self, repository: str, what: str, name: str) -> Answer:
        contents = self.server.registry.contents
        if what == "referrers":
            if not self.server.registry.referrers:
                return Answer(404, {"Content-Type": "text/plain"}, b"404 page not found\n")
            index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": contents.referrers(repository, name)}
            return Answer(200, {"Content-Type": OCI_INDEX}, encode(index))
        if what == "manifests" and (found := contents.manifest(repository, name)) is not None:
            digest, media_type, content = found
            return Answer(200, {"Content-Type": media_type, "Docker-Content-Digest": digest}, content)
        if what == "blobs" and (blob := contents.blobs.get((repository, name))) is not None:
            return Answer(200, {"Content-Type": "application/octet-stream", "Docker-Content-Digest": name}, blob)
        return refusal(404, "MANIFEST_UNKNOWN" if what == "manifests" else "BLOB_UNKNOWN", f"{what[:-1]} unknown")

    def _upload(self, repository: str, body: bytes) -> Answer:
        """A blob: POST opens an upload, PUT with the bytes closes it (distribution-spec, "POST then PUT")."""
        if self.command == "POST":
            return Answer(202, {"Location": f"/v2/{repository}/blobs/uploads/1"})
        descriptor = self.server.registry.push_blob(repository, body)
        return Answer(
            201,
            {
                "Location": f"/v2/{repository}/blobs/{descriptor['digest']}",
                "Docker-Content-Digest": descriptor["digest"],
            },
        )

    def _store(self, repository: str, name: str, media_type: str, body: bytes) -> Answer:
        descriptor = describe(body, media_type)
        self.server.registry.contents.store(repository, body, media_type, None if ":" in name else name)
        return Answer(
            201, {"Location": f"/v2/{repository}/manifests/{name}", "Docker-Content-Digest": descriptor["digest"]}
        )

    def _challenge(self, headers: Mapping[str, str], path: str) -> str | None:
        registry = self.server.registry
        if registry.login is None and not registry.bearer:
            return None
        given = headers.get("authorization", "")
        match = _PATH.fullmatch(path)
        scope = f"repository:{match['repository']}:pull" if match else ""
        if registry.bearer:
            if registry.tokens.get(given.removeprefix("Bearer ")) == scope:
                return None
            realm = registry.realm or f"http://{registry.host}/token"
            return f'Bearer realm="{realm}",service="{registry.host}",scope="{scope}"'
        return None if registry.login and given == _basic(registry.login) else 'Basic realm="demo"'

    def _token(self, headers: Mapping[str, str], scope: str) -> Answer:
        login = self.server.registry.login
        if login is not None and headers.get("authorization") != _basic(login):
            return refusal(401, "UNAUTHORIZED", "incorrect username or password")
        token = self.server.registry.grant(scope)
        return Answer(200, {"Content-Type": "application/json"}, encode({"token": token, "expires_in": 300}))


def refusal(status: int, code: str, message: str) -> Answer:
    """An error as the distribution specification words it."""
    body = encode({"errors": [{"code": code, "message": message or HTTPStatus(status).phrase}]})
    return Answer(status, {"Content-Type": "application/json"}, body)


def _basic(login: tuple[str, str]) -> str:
    return "Basic " + base64.b64encode(":".join(login).encode()).decode()
