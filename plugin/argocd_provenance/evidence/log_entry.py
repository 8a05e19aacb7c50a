"""The body of a log entry: it must record this very signature.

Without this a valid entry of any other signature would do (CVE-2022-36056, CVE-2026-22703). Signature, signer and
message must all be those of the candidate, and the kind must be the body's own. Bodies: rekor, pkg/types;
rekor-tiles, api/proto/rekor/v2 and CLIENTS.md.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from argocd_provenance.evidence import strict_json
from argocd_provenance.evidence.keys import PROTOBUF_HASHES, Signed
from argocd_provenance.evidence.limits import MAX_CONTENT
from argocd_provenance.evidence.parts import Candidate, Envelope, InclusionProof, LogEntry
from argocd_provenance.evidence.pem import one_block
from argocd_provenance.evidence.rejections import Refused
from argocd_provenance.evidence.trust import Log
from argocd_provenance.records import dataclass

_ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")
PROMISED_KINDS = frozenset({("hashedrekord", "0.0.1"), ("dsse", "0.0.1"), ("intoto", "0.0.1"), ("intoto", "0.0.2")})
"""Kinds of Rekor v1, whose promise covers the time of integration."""


@dataclass(frozen=True, slots=True)
class _Case:
    """What the body must agree with."""

    candidate: Candidate
    signed: Signed
    signer: bytes
    by_certificate: bool


def check_body(entry: LogEntry, candidate: Candidate, signed: Signed, signer: bytes) -> None:
    """Check that `entry` records the signature of `candidate` over `signed` by `signer`; raises `Refused`.

    `signer` is the DER of the certificate where the candidate has one, else of the public key.
    """
    body = strict_json.mapping(
        strict_json.read(entry.body, "the log entry's body", MAX_CONTENT), "the log entry's body"
    )
    kind = (body.get("kind"), body.get("apiVersion"))
    if kind != (entry.kind, entry.version):
        raise Refused("verification", "the log entry's body is of another kind than the entry says")
    check = _KINDS.get((entry.kind, entry.version))
    if check is None:
        raise Refused("unknown-form", f"log entries of kind {entry.kind[:40]} {entry.version[:40]} are not supported")
    try:
        check(body["spec"], _Case(candidate, signed, signer, candidate.certificate is not None))
    except (KeyError, TypeError, IndexError, AttributeError) as fault:
        raise Refused("malformed", f"the log entry's body lacks what its kind has: {fault}") from None


def check_checkpoint(proof: InclusionProof, log: Log, log_id: bytes) -> None:
    """Check that the checkpoint is about the tree of the proof, and of `log`; raises `Refused`. C2SP: tlog-checkpoint.

    Rekor v2 (Ed25519) names itself by its host, which its id is made of too (C2SP: signed-note). The origin of Rekor v1
    is whatever its operator configured; there the log's own key has to do.
    """
    lines = proof.checkpoint.split("\n")
    if len(lines) < 4 or not lines[0]:
        raise Refused("verification", "the checkpoint names no log, or no tree")
    if lines[1] != str(proof.tree_size):
        raise Refused("verification", "the checkpoint is about a tree of another size than the proof")
    if log.key.startswith(_ED25519_SPKI) and lines[0] != log.host:
        raw = log.key.removeprefix(_ED25519_SPKI)
        if hashlib.sha256(lines[0].encode() + b"\n\x01" + raw).digest() != log_id:
            raise Refused("verification", "the checkpoint is of another log than the entry")


def _same(condition: bool, what: str) -> None:  # noqa: FBT001 - reads as an assertion
    if not condition:
        raise Refused("verification", f"the log entry is about another {what}")


def _pem(text: Any, case: _Case) -> bytes:
    label = "CERTIFICATE" if case.by_certificate else "PUBLIC KEY"
    pem = strict_json.decoded(text, "the log entry's signer").decode("latin-1")
    try:
        return one_block(pem, label, "the log entry's signer")
    except Refused:
        raise Refused("verification", "the log entry is about another signer") from None


def _sha256(said: Mapping[str, Any], content: bytes, what: str) -> None:
    _same(said == {"algorithm": "sha256", "value": hashlib.sha256(content).hexdigest()}, what)


def _hashedrekord(spec: Any, case: _Case) -> None:
    _same(case.candidate.envelope is None, "kind of content")
    said, signature = spec["data"]["hash"], spec["signature"]
    digest = case.signed.hashed(said["algorithm"]) if isinstance(said["algorithm"], str) else None
    _same(digest is not None and said["value"] == digest.hex(), "message")
    _same(
        strict_json.decoded(signature["content"], "the log entry's signature") == case.candidate.signature, "signature"
    )
    _same(_pem(signature["publicKey"]["content"], case) == case.signer, "signer")


def _hashedrekord_v2(spec: Any, case: _Case) -> None:
    record = spec["hashedRekordV002"]
    data, signature, verifier = record["data"], record["signature"], record["signature"]["verifier"]
    digest = case.signed.hashed(PROTOBUF_HASHES.get(data["algorithm"], ""))
    _same(digest is not None and strict_json.decoded(data["digest"], "the log entry's digest") == digest, "message")
    _same(
        strict_json.decoded(signature["content"], "the log entry's signature") == case.candidate.signature, "signature"
    )
    member = "x509Certificate" if case.by_certificate else "publicKey"
    _same(verifier.keys() == {member, "keyDetails"}, "signer")
    _same(strict_json.decoded(verifier[member]["rawBytes"], "the log entry's signer") == case.signer, "signer")


def _dsse(spec: Any, case: _Case) -> None:
    envelope = case.candidate.envelope
    _same(envelope is not None, "kind of content")
    assert envelope is not None  # noqa: S101 - `_same` has just raised otherwise
    _sha256(spec["payloadHash"], envelope.payload, "payload")
    (said,) = _one(spec["signatures"])
    _same(strict_json.decoded(said["signature"], "the log entry's signature") == envelope.signature, "signature")
    _same(_pem(said["verifier"], case) == case.signer, "signer")


def _intoto_v1(spec: Any, case: _Case) -> None:
    """This kind records no signature: the hash of the envelope as stored is the only bond, so it is a must."""
    envelope = case.candidate.envelope
    _same(envelope is not None, "kind of content")
    assert envelope is not None  # noqa: S101 - as above
    stored = case.candidate.content if case.candidate.form == "cosign-att" else _as_cosign_stores(envelope)
    _sha256(spec["content"]["hash"], stored, "envelope")
    if "payloadHash" in spec["content"]:
        _sha256(spec["content"]["payloadHash"], envelope.payload, "payload")
    _same(_pem(spec["publicKey"], case) == case.signer, "signer")


def _as_cosign_stores(envelope: Envelope) -> bytes:
    """The layer that cosign 2 makes of `envelope`: what a bundle converted from it no longer holds byte for byte."""
    signature = {"keyid": "", "sig": base64.b64encode(envelope.signature).decode()}
    payload = base64.b64encode(envelope.payload).decode()
    members = {"payloadType": envelope.payload_type, "payload": payload, "signatures": [signature]}
    return json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode()


def _intoto_v2(spec: Any, case: _Case) -> None:
    envelope = case.candidate.envelope
    _same(envelope is not None, "kind of content")
    assert envelope is not None  # noqa: S101 - as above
    said = spec["content"]["envelope"]
    _sha256(spec["content"]["payloadHash"], envelope.payload, "payload")
    _same(said["payloadType"] == envelope.payload_type, "payload type")
    (signature,) = _one(said["signatures"])
    # This kind encodes the signature in base64 twice.
    inner = strict_json.decoded(signature["sig"], "the log entry's signature").decode("latin-1")
    _same(strict_json.decoded(inner, "the log entry's signature") == envelope.signature, "signature")
    _same(_pem(signature["publicKey"], case) == case.signer, "signer")


def _one(signatures: Any) -> list[Any]:
    _same(isinstance(signatures, list) and len(signatures) == 1, "number of signatures")
    return list(signatures)


_KINDS: Mapping[tuple[str, str], Callable[[Any, _Case], None]] = {
    ("hashedrekord", "0.0.1"): _hashedrekord,
    ("hashedrekord", "0.0.2"): _hashedrekord_v2,
    ("dsse", "0.0.1"): _dsse,
    ("intoto", "0.0.1"): _intoto_v1,
    ("intoto", "0.0.2"): _intoto_v2,
}
