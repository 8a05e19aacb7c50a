"""A certificate transparency log: it signs a promise (SCT) for each certificate. RFC 6962, section 3.2."""

import struct
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from argocd_provenance.demo.sigstore.wire import OCTET_STRING, b64, sha256, spki, tlv, window


class CTLog:
    """A log with one P-256 key."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.log_id = sha256(spki(self._key.public_key()))

    def sct_list(self, precertificate: bytes, issuer_spki: bytes, at: datetime) -> bytes:
        """The certificate extension that holds the promise for `precertificate` (its TBS bytes), made `at` that time."""
        milliseconds = int(at.timestamp() * 1000)
        head = struct.pack(">BBQH", 0, 0, milliseconds, 1)  # v1, certificate_timestamp, time, precert_entry
        length = struct.pack(">I", len(precertificate))[1:]
        signed = head + sha256(issuer_spki) + length + precertificate + b"\0\0"
        signature = self._key.sign(signed, ec.ECDSA(hashes.SHA256()))
        algorithms = b"\x04\x03"  # sha256, ecdsa
        promise = b"\0" + self.log_id + struct.pack(">Q", milliseconds) + b"\0\0" + algorithms
        promise += struct.pack(">H", len(signature)) + signature
        return tlv(OCTET_STRING, struct.pack(">HH", len(promise) + 2, len(promise)) + promise)

    def trust(self, start: datetime, end: datetime | None = None) -> dict[str, Any]:
        """Its entry in a trusted root."""
        return {
            "baseUrl": "https://ctfe.example",
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": b64(spki(self._key.public_key())),
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                "validFor": window(start, end),
            },
            "logId": {"keyId": b64(self.log_id)},
        }
