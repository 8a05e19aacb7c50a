"""A small token server on loopback, whose tokens a real docker-registry takes.

with TokenServer(authority, login, issuer="tests", service="registry") as server: server.url, server.certificate

distribution, "Token Authentication Specification": a JWT signed with ES256, the certificate in its header.
"""

import base64
import http.server
import json
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from support.certificates import END, START, Authority


class TokenServer:
    """Answers GET /token for `login`; what was granted is in `scopes`."""

    def __init__(self, authority: Authority, login: tuple[str, str], *, issuer: str, service: str) -> None:
        pem = Path(authority.issue("tokens.test")).read_bytes()
        self._certificate = x509.load_pem_x509_certificate(pem)
        key = load_pem_private_key(pem[pem.index(b"-----BEGIN PRIVATE") :], None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key, self._issuer, self._service = key, issuer, service
        self.scopes: list[str] = []
        expected = "Basic " + base64.b64encode(":".join(login).encode()).decode()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                scope = parse_qs(urlsplit(self.path).query).get("scope", [""])[0]
                allowed = self.headers.get("Authorization") == expected
                server.scopes += [scope] if allowed else []
                body = json.dumps({"token": server._token(scope), "expires_in": 300}).encode() if allowed else b"{}"
                self.send_response(200 if allowed else 401)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/token"

    def _token(self, scope: str) -> str:
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        der = base64.b64encode(self._certificate.public_bytes(Encoding.DER)).decode()
        claims = {
            "iss": self._issuer,
            "sub": "user",
            "aud": self._service,
            "nbf": int(START.timestamp()),
            "exp": int(END.timestamp()),
            "jti": scope,
            "access": [{"type": kind, "name": name, "actions": actions.split(",")}],
        }
        signed = f"{_part({'typ': 'JWT', 'alg': 'ES256', 'x5c': [der]})}.{_part(claims)}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(SHA256())))
        return f"{signed}.{_encoded(r.to_bytes(32) + s.to_bytes(32))}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _part(value: dict[str, Any]) -> str:
    return _encoded(json.dumps(value).encode())


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
