"""The virtual Sigstore behind HTTP on loopback, as cosign speaks to it: Fulcio, Rekor v1 and v2, a timestamp authority.

    with Services(VirtualSigstore(datetime.now(UTC))) as services:
        services.url, services.signing_config(log="v2", timestamp=True, certificates=True), services.token(email, issuer)

cosign signs with real time, so this is the one place in the tests where the wall clock is read.
"""

import base64
import hashlib
import http.server
import json
import threading
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key

from argocd_provenance.demo.sigstore import VirtualSigstore

Answer = tuple[int, str, bytes, dict[str, str]]


class _PublicOnly:
    """Stands where a signer's private key would: Fulcio never sees it."""

    def __init__(self, pem: bytes) -> None:
        self._public = load_pem_public_key(pem)

    def public_key(self) -> Any:
        return self._public


class Services:
    """All services on one port of 127.0.0.1, while the context is open."""

    def __init__(self, sigstore: VirtualSigstore) -> None:
        self.sigstore = sigstore
        lock, services = threading.Lock(), self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with lock:
                    status, kind, content, headers = services._answer(
                        self.path, body, self.headers.get("Authorization", "")
                    )
                self.send_response(status)
                for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, path: str, body: bytes, authorization: str) -> Answer:
        now = datetime.now(UTC).replace(microsecond=0)
        if path == "/api/v1/log/entries":
            return self._rekor_v1(json.loads(body), now)
        if path == "/api/v2/log/entries":
            return self._rekor_v2(json.loads(body), now)
        if path.endswith("/timestamp"):
            at = body.index(b"\x04\x20") + 2  # the request's only 32-byte OCTET STRING is the digest
            leaf = self.sigstore.timestamps.leaf
            stamp = self.sigstore.timestamps.stamp_digest(body[at : at + 32], now, certificates=(leaf,))
            return 201, "application/timestamp-reply", stamp, {}
        if path == "/api/v2/signingCert":
            pem = json.loads(body)["publicKeyRequest"]["publicKey"]["content"].encode()
            chain = {"chain": {"certificates": self._certify(pem, authorization, now)}}
            return 200, "application/json", json.dumps({"signedCertificateEmbeddedSct": chain}).encode(), {}
        if path == "/api/v1/signingCert":
            der = base64.b64decode(json.loads(body)["publicKey"]["content"])
            framed = b"-----BEGIN PUBLIC KEY-----\n" + base64.encodebytes(der) + b"-----END PUBLIC KEY-----\n"
            chain_text = "".join(self._certify(der if der.startswith(b"-----") else framed, authorization, now))
            return 201, "application/pem-certificate-chain", chain_text.encode(), {}
        return 404, "text/plain", b"no such service", {}

    def _certify(self, pem: bytes, authorization: str, now: datetime) -> list[str]:
        part = authorization.split()[1].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        key: Any = _PublicOnly(pem)
        signer = self.sigstore.issue(
            claims.get("email") or claims["sub"], claims["iss"], at=now - timedelta(seconds=5), key=key
        )
        assert signer.certificate is not None
        return [signer.certificate.public_bytes(Encoding.PEM).decode(), self.sigstore.authority.chain_pem]

    def _rekor_v1(self, entry: dict[str, Any], now: datetime) -> Answer:
        spec = entry["spec"]
        if entry["kind"] == "dsse":
            raw = spec["proposedContent"]["envelope"]
            envelope = json.loads(raw)
            verifier = spec["proposedContent"]["verifiers"][0]
            spec = {
                "envelopeHash": _hash(raw.encode()),
                "payloadHash": _hash(base64.b64decode(envelope["payload"])),
                "signatures": [{"signature": envelope["signatures"][0]["sig"], "verifier": verifier}],
            }
        elif entry["kind"] != "hashedrekord":
            return 400, "application/json", json.dumps({"code": 400, "message": f"kind {entry['kind']}"}).encode(), {}
        added = self.sigstore.rekor.add({"apiVersion": entry["apiVersion"], "kind": entry["kind"], "spec": spec}, now)
        proof = added["inclusionProof"]
        leaf = hashlib.sha256(b"\0" + base64.b64decode(added["canonicalizedBody"])).hexdigest()
        verification = {
            "signedEntryTimestamp": added["inclusionPromise"]["signedEntryTimestamp"],
            "inclusionProof": {
                "checkpoint": proof["checkpoint"]["envelope"],
                "hashes": [base64.b64decode(node).hex() for node in proof["hashes"]],
                "logIndex": int(proof["logIndex"]),
                "rootHash": base64.b64decode(proof["rootHash"]).hex(),
                "treeSize": int(proof["treeSize"]),
            },
        }
        said = {
            "body": added["canonicalizedBody"],
            "integratedTime": int(added["integratedTime"]),
            "logID": self.sigstore.rekor.log_id.hex(),
            "logIndex": int(added["logIndex"]),
            "verification": verification,
        }
        # Rekor names the new entry in these headers, and its client panics where they are missing.
        named = {"ETag": leaf, "Location": f"/api/v1/log/entries/{leaf}"}
        return 201, "application/json", json.dumps({leaf: said}).encode(), named

    def _rekor_v2(self, request: dict[str, Any], now: datetime) -> Answer:
        asked = request["hashedRekordRequestV002"]
        details = asked["signature"]["verifier"]["keyDetails"]
        algorithm = {"256": "SHA2_256", "384": "SHA2_384", "512": "SHA2_512", "_PH": "SHA2_512"}[details[-3:]]
        record = {"data": {"algorithm": algorithm, "digest": asked["digest"]}, "signature": asked["signature"]}
        body = {"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": record}}
        return 201, "application/json", json.dumps(self.sigstore.rekor_v2.add(body, now)).encode(), {}

    def signing_config(
        self, *, log: str | None = "v1", timestamp: bool = False, certificates: bool = False
    ) -> dict[str, Any]:
        """What ``cosign --signing-config`` reads: where to get certificates, log entries and timestamps."""
        start = self.sigstore.start.strftime("%Y-%m-%dT%H:%M:%SZ")

        def service(url: str, version: int) -> dict[str, Any]:
            return {"url": url, "majorApiVersion": version, "validFor": {"start": start}, "operator": "virtual"}

        config: dict[str, Any] = {"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json"}
        if certificates:
            config["caUrls"] = [service(self.url, 1)]
        if log:
            config["rekorTlogUrls"] = [service(self.url, 1 if log == "v1" else 2)]
            config["rekorTlogConfig"] = {"selector": "ANY"}
        if timestamp:
            config["tsaUrls"] = [service(f"{self.url}/api/v1/timestamp", 1)]
            config["tsaConfig"] = {"selector": "ANY"}
        return config

    @staticmethod
    def token(subject: str, issuer: str) -> str:
        """An identity token that this Fulcio believes, whoever signed it."""

        def part(content: dict[str, Any]) -> str:
            return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

        who = {"email": subject, "email_verified": True} if "@" in subject and "://" not in subject else {}
        claims = {"iss": issuer, "sub": subject, "aud": "sigstore", "exp": 4102444800, "iat": 1700000000, **who}
        return ".".join((part({"alg": "RS256", "typ": "JWT"}), part(claims), "c2ln"))


def _hash(content: bytes) -> dict[str, str]:
    return {"algorithm": "sha256", "value": hashlib.sha256(content).hexdigest()}
