"""What a Pod sees of its cluster's API, on loopback over TLS: lists of objects, to who has the token.

with KubernetesApi(folder) as api:
api.add("target", {"kind": "Pod", "metadata": {"name": "web"}, ...})
api.environment, api.account               # what the Pod's environment and its mounted service account say
"""

import json
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

TOKEN = "of-the-pod"
_PLURALS = {
    "pods": "Pod",
    "replicasets": "ReplicaSet",
    "deployments": "Deployment",
    "statefulsets": "StatefulSet",
    "daemonsets": "DaemonSet",
    "jobs": "Job",
    "replicationcontrollers": "ReplicationController",
}


class KubernetesApi:
    """The API. `forbidden` are plurals that the token may not list; `asked` is what was asked, in order.

    `turns` are called one by one, before a list of Pods is answered: time passes in a cluster.
    """

    def __init__(self, folder: Path, namespace: str = "target") -> None:
        self.objects: list[tuple[str, dict[str, Any]]] = []
        self.forbidden: set[str] = set()
        self.asked: list[str] = []
        self.turns: list[Any] = []
        self.page = 1000
        self.account = folder
        folder.mkdir()
        (folder / "token").write_text(f"{TOKEN}\n")
        (folder / "namespace").write_text(namespace)
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                api._answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(_certificate(folder))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    @property
    def environment(self) -> dict[str, str]:
        """What Kubernetes tells every container."""
        host, port = self._server.server_address[:2]
        return {"KUBERNETES_SERVICE_HOST": str(host), "KUBERNETES_SERVICE_PORT": str(port)}

    def add(self, namespace: str, *objects: dict[str, Any]) -> None:
        """Let these objects be there."""
        self.objects += [(namespace, one) for one in objects]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        url = urlsplit(request.path)
        self.asked.append(url.path)
        *_, namespace, plural = url.path.split("/")
        if plural == "pods" and self.turns:
            self.turns.pop(0)()
        status, body = 200, self._list(namespace, plural, parse_qs(url.query))
        if request.headers["Authorization"] != f"Bearer {TOKEN}":
            status, body = 401, {"kind": "Status"}
        if plural in self.forbidden:
            status, body = 403, {"kind": "Status", "message": "forbidden"}
        content = json.dumps(body).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def _list(self, namespace: str, plural: str, query: dict[str, list[str]]) -> dict[str, Any]:
        kind = _PLURALS[plural]
        items = [one for where, one in self.objects if where == namespace and one["kind"] == kind]
        start = int(query.get("continue", ["0"])[0])
        more = {"continue": str(start + self.page)} if len(items) > start + self.page else {}
        return {"kind": f"{kind}List", "metadata": more, "items": items[start : start + self.page]}


def _certificate(folder: Path) -> Path:
    """Key and certificate of a server on 127.0.0.1, its own authority; the latter in ``ca.crt`` too."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM)
    (folder / "ca.crt").write_bytes(pem)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder.with_suffix(".pem")
    path.write_bytes(private + pem)
    return path
