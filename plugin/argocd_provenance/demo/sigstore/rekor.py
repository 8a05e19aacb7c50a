"""A transparency log, of either generation: Rekor v1 promises and proves, Rekor v2 (tiles) only proves.

Tree: RFC 6962, section 2.1. Checkpoint: C2SP tlog-checkpoint. Promise: rekor, pkg/api/entries.go.
"""

from datetime import datetime
from typing import Any, Literal

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from argocd_provenance.demo.sigstore.wire import b64, canonical, sha256, spki, window

_TREE_ID = "1193050959916656506"


class Rekor:
    """A log that keeps its leaves in memory. Version 1 signs with P-256, version 2 with Ed25519."""

    def __init__(self, version: Literal[1, 2] = 1, host: str = "") -> None:
        self.version = version
        self.host = host or ("rekor.example" if version == 1 else "log2026-1.rekor.example")
        # Other people's entries: sigstore 4.5 reads neither index 0 nor an empty proof where protojson omits them.
        self._leaves = [sha256(b"\0genesis%d" % number) for number in range(5)]
        self._key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
        if version == 1:
            self._key = ec.generate_private_key(ec.SECP256R1())
            self.log_id = sha256(spki(self._key.public_key()))
        else:
            self._key = ed25519.Ed25519PrivateKey.generate()
            raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            self.log_id = sha256(self.host.encode() + b"\n\x01" + raw)

    @property
    def spki(self) -> bytes:
        """The log's public key as DER SubjectPublicKeyInfo."""
        return spki(self._key.public_key())

    def add(self, body: dict[str, Any], at: datetime, *, promise: bool = True, proof: bool = True) -> dict[str, Any]:
        """Append `body`; the entry as a bundle holds it, with what is asked for of promise (v1 only) and proof."""
        raw = canonical(body)
        self._leaves.append(sha256(b"\0" + raw))
        index, time = len(self._leaves) - 1, int(at.timestamp())
        entry: dict[str, Any] = {
            "logIndex": str(index),
            "logId": {"keyId": b64(self.log_id)},
            "kindVersion": {"kind": body["kind"], "version": body["apiVersion"]},
        }
        if self.version == 1:
            entry["integratedTime"] = str(time)
            if promise:
                entry["inclusionPromise"] = {"signedEntryTimestamp": b64(self._promise(raw, time, index))}
        if proof:
            entry["inclusionProof"] = self._proof(index)
        return {**entry, "canonicalizedBody": b64(raw)}

    def _promise(self, raw: bytes, time: int, index: int) -> bytes:
        return self._sign(
            canonical({"body": b64(raw), "integratedTime": time, "logID": self.log_id.hex(), "logIndex": index})
        )

    def _proof(self, index: int) -> dict[str, Any]:
        size, root = len(self._leaves), _root(self._leaves)
        origin = f"{self.host} - {_TREE_ID}" if self.version == 1 else self.host
        note = f"{origin}\n{size}\n{b64(root)}\n"
        signature = b64(self.log_id[:4] + self._sign(note.encode()))
        return {
            "logIndex": str(index),
            "rootHash": b64(root),
            "treeSize": str(size),
            "hashes": [b64(node) for node in _path(index, self._leaves)],
            "checkpoint": {"envelope": f"{note}\n\u2014 {self.host} {signature}\n"},
        }

    def _sign(self, content: bytes) -> bytes:
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(content)
        return self._key.sign(content, ec.ECDSA(hashes.SHA256()))

    def trust(self, start: datetime, end: datetime | None = None) -> dict[str, Any]:
        """Its entry in a trusted root."""
        return {
            "baseUrl": f"https://{self.host}",
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": b64(self.spki),
                "keyDetails": "PKIX_ECDSA_P256_SHA_256" if self.version == 1 else "PKIX_ED25519",
                "validFor": window(start, end),
            },
            "logId": {"keyId": b64(self.log_id)},
        }


def _split(leaves: list[bytes]) -> int:
    """The largest power of two below the number of leaves."""
    return 1 << (len(leaves) - 1).bit_length() - 1


def _root(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    middle = _split(leaves)
    return sha256(b"\1" + _root(leaves[:middle]) + _root(leaves[middle:]))


def _path(index: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    middle = _split(leaves)
    if index < middle:
        return [*_path(index, leaves[:middle]), _root(leaves[middle:])]
    return [*_path(index - middle, leaves[middle:]), _root(leaves[:middle])]
