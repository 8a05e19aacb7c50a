"""Bodies of log entries, by kind: what Rekor records about a signature.

rekor: pkg/types/{hashedrekord,dsse,intoto}; rekor-tiles: api/proto/rekor/v2.
"""

import hashlib
from typing import Any

from argocd_provenance.demo.sigstore.signer import Signer
from argocd_provenance.demo.sigstore.wire import b64, der
from argocd_provenance.records import dataclass

_DETAILS = {
    "sha256": ("SHA2_256", "PKIX_ECDSA_P256_SHA_256"),
    "sha384": ("SHA2_384", "PKIX_ECDSA_P384_SHA_384"),
    "sha512": ("SHA2_512", "PKIX_ECDSA_P521_SHA_512"),
}


@dataclass(frozen=True, slots=True)
class Signed:
    """One signature with all that a log entry may record about it."""

    signer: Signer
    content: bytes
    """The bytes under the signature: a message, or the encoding (PAE) of an envelope."""
    signature: bytes
    payload: bytes = b""
    payload_type: str = ""
    envelope: bytes = b""
    """The envelope as it is stored."""
    algorithm: str = ""

    def body(self, kind: str) -> dict[str, Any]:
        """The body of an entry of `kind`, written ``dsse/0.0.1``."""
        makers = {
            "hashedrekord/0.0.1": self._hashedrekord,
            "hashedrekord/0.0.2": self._hashedrekord_v2,
            "dsse/0.0.1": self._dsse,
            "intoto/0.0.1": self._intoto_v1,
            "intoto/0.0.2": self._intoto_v2,
        }
        name, _, version = kind.partition("/")
        return {"apiVersion": version, "kind": name, "spec": makers[kind]()}

    @property
    def _verifier(self) -> str:
        return b64(self.signer.verifier_pem)

    def _hashedrekord(self) -> dict[str, Any]:
        used = self.algorithm or self.signer.algorithm
        digest = {"algorithm": used, "value": hashlib.new(used, self.content).hexdigest()}
        signature = {"content": b64(self.signature), "publicKey": {"content": self._verifier}}
        return {"data": {"hash": digest}, "signature": signature}

    def _hashedrekord_v2(self) -> dict[str, Any]:
        used = self.signer.algorithm
        algorithm, details = _DETAILS[used]
        if self.signer.certificate:
            verifier: dict[str, Any] = {"x509Certificate": {"rawBytes": b64(der(self.signer.certificate))}}
        else:
            verifier = {"publicKey": {"rawBytes": b64(self.signer.spki)}}
        data = {"algorithm": algorithm, "digest": b64(hashlib.new(used, self.content).digest())}
        signature = {"content": b64(self.signature), "verifier": {**verifier, "keyDetails": details}}
        return {"hashedRekordV002": {"data": data, "signature": signature}}

    def _dsse(self) -> dict[str, Any]:
        signature = {"signature": b64(self.signature), "verifier": self._verifier}
        return {
            "envelopeHash": _sha256(self.envelope),
            "payloadHash": _sha256(self.payload),
            "signatures": [signature],
        }

    def _intoto_v1(self) -> dict[str, Any]:
        content = {"hash": _sha256(self.envelope), "payloadHash": _sha256(self.payload)}
        return {"content": content, "publicKey": self._verifier}

    def _intoto_v2(self) -> dict[str, Any]:
        # This kind encodes the signature in base64 twice.
        signature = {"publicKey": self._verifier, "sig": b64(b64(self.signature).encode())}
        envelope = {"payloadType": self.payload_type, "signatures": [signature]}
        return {"content": {"envelope": envelope, "hash": _sha256(self.envelope), "payloadHash": _sha256(self.payload)}}


def _sha256(content: bytes) -> dict[str, str]:
    return {"algorithm": "sha256", "value": hashlib.sha256(content).hexdigest()}
