"""Sigstore bundles, v0.1 to v0.3: protobuf's JSON, read strictly.

protobuf-specs: protos/sigstore_bundle.proto. What protobuf's JSON leaves out (zeros, empty lists) is put back; members
that the schema does not know are refused, since what we do not understand we cannot have checked.
"""

from collections.abc import Mapping
from typing import Any

from argocd_provenance.evidence import envelope, strict_json
from argocd_provenance.evidence.limits import LATEST, MAX_CONTENT, MAX_HASHES, MAX_TIMESTAMPS
from argocd_provenance.evidence.parts import Candidate, InclusionProof, LogEntry, MessageDigest
from argocd_provenance.evidence.rejections import Refused
from argocd_provenance.regex import regex

_VERSIONS = {
    "application/vnd.dev.sigstore.bundle+json;version=0.1": 1,
    "application/vnd.dev.sigstore.bundle+json;version=0.2": 2,
    "application/vnd.dev.sigstore.bundle+json;version=0.3": 3,
    "application/vnd.dev.sigstore.bundle.v0.3+json": 3,
}
_NUMBER = regex(r"0|[1-9][0-9]{0,18}")
_SIGNER_MEMBERS = {"publicKey", "x509CertificateChain", "certificate"}
_ENTRY_MEMBERS = {"logIndex", "logId", "kindVersion", "integratedTime", "inclusionPromise", "inclusionProof"}
_PROOF_MEMBERS = {"logIndex", "rootHash", "treeSize", "hashes", "checkpoint"}


def read(content: bytes, source: str) -> Candidate:
    """The candidate in a bundle; raises `Refused`."""
    top = _members(
        strict_json.read(content, "the bundle", MAX_CONTENT),
        "the bundle",
        {"mediaType", "verificationMaterial", "dsseEnvelope", "messageSignature"},
    )
    media_type = strict_json.text(top.get("mediaType"), "the bundle's mediaType")
    if media_type not in _VERSIONS:
        raise Refused("unknown-form", f"bundles of media type {media_type[:120]!r} are not supported")
    if ("dsseEnvelope" in top) == ("messageSignature" in top):
        raise Refused("malformed", "a bundle holds either an envelope or a message signature")
    version = _VERSIONS[media_type]
    material = _members(
        top.get("verificationMaterial"),
        "verificationMaterial",
        _SIGNER_MEMBERS | {"tlogEntries", "timestampVerificationData"},
    )
    certificate, hint = _signer(material, version)
    wrapped = envelope.read(top["dsseEnvelope"]) if "dsseEnvelope" in top else None
    if wrapped is not None:
        signature, digest = wrapped.signature, None
    else:
        signature, digest = _message(top["messageSignature"])
    return Candidate(
        "bundle",
        source,
        content,
        signature,
        wrapped,
        message_digest=digest,
        certificate=certificate,
        key_hint=hint,
        entry=_entry(material.get("tlogEntries", []), version),
        timestamps=_timestamps(material.get("timestampVerificationData", {})),
    )


def _members(value: Any, what: str, known: set[str]) -> dict[str, Any]:
    members = strict_json.mapping(value, what)
    if unknown := members.keys() - known:
        raise Refused("malformed", f"{what} has a member that is not known: {min(unknown)[:80]!r}")
    return members


def _number(value: Any, what: str) -> int:
    """A 64-bit number: protobuf's JSON writes it as a string, and reads it as a number too."""
    if type(value) is int and 0 <= value < 2**63:
        return value
    if isinstance(value, str) and _NUMBER.fullmatch(value) and int(value) < 2**63:
        return int(value)
    raise Refused("malformed", f"{what} is no number from 0 to 2**63 - 1")


def _signer(material: Mapping[str, Any], version: int) -> tuple[bytes | None, str]:
    """The certificate, or the hint at a key. v0.3 has one certificate, before that it is the first of a chain."""
    if len(material.keys() & _SIGNER_MEMBERS) != 1:
        raise Refused("malformed", "a bundle names its signer in exactly one way")
    if "publicKey" in material:
        key = _members(material["publicKey"], "publicKey", {"hint"})
        return None, strict_json.text(key.get("hint", ""), "the key's hint")
    if version == 3:
        if "certificate" not in material:
            raise Refused("malformed", "a bundle v0.3 holds one certificate, not a chain")
        leaf = material["certificate"]
    else:
        chain = _members(material.get("x509CertificateChain"), "x509CertificateChain", {"certificates"})
        certificates = strict_json.sequence(chain.get("certificates", []), "the certificates")
        if not certificates:
            raise Refused("malformed", "the certificate chain is empty")
        leaf = certificates[0]
    raw = _members(leaf, "the certificate", {"rawBytes"}).get("rawBytes")
    return strict_json.decoded(raw, "the certificate"), ""


def _message(value: Any) -> tuple[bytes, MessageDigest | None]:
    message = _members(value, "messageSignature", {"messageDigest", "signature"})
    signature = strict_json.decoded(message.get("signature"), "the signature")
    if not signature:
        raise Refused("malformed", "the signature is empty")
    if "messageDigest" not in message:
        return signature, None
    digest = _members(message["messageDigest"], "messageDigest", {"algorithm", "digest"})
    algorithm = strict_json.text(digest.get("algorithm"), "the algorithm of messageDigest")
    return signature, MessageDigest(algorithm, strict_json.decoded(digest.get("digest"), "messageDigest"))


def _timestamps(value: Any) -> tuple[bytes, ...]:
    listed = _members(value, "timestampVerificationData", {"rfc3161Timestamps"}).get("rfc3161Timestamps", [])
    tokens = strict_json.sequence(listed, "the timestamps")
    if len(tokens) > MAX_TIMESTAMPS:
        raise Refused("too-large", f"the bundle has {len(tokens)} timestamps, at most {MAX_TIMESTAMPS} are read")
    name = "signedTimestamp"
    raw = tuple(strict_json.decoded(_members(t, "a timestamp", {name}).get(name), "a timestamp") for t in tokens)
    if len(set(raw)) != len(raw):
        raise Refused("malformed", "the bundle has the same timestamp twice")
    return raw


def _entry(value: Any, version: int) -> LogEntry | None:
    entries = strict_json.sequence(value, "tlogEntries")
    if len(entries) > 1:
        # Thresholds over several logs are nobody's practice; counting entries as logs was sigstore-go's fault.
        raise Refused("malformed", f"one transparency log entry is looked at, the bundle has {len(entries)}")
    if not entries:
        return None
    entry = _members(entries[0], "the log entry", _ENTRY_MEMBERS | {"canonicalizedBody"})
    log_id = _members(entry.get("logId"), "the log entry's logId", {"keyId"})
    kind = _members(entry.get("kindVersion"), "the log entry's kindVersion", {"kind", "version"})
    time = _number(entry.get("integratedTime", 0), "integratedTime")
    if time > LATEST:
        raise Refused("malformed", "integratedTime is out of range")
    promise = _members(entry.get("inclusionPromise", {}), "inclusionPromise", {"signedEntryTimestamp"})
    signed = strict_json.decoded(promise.get("signedEntryTimestamp", ""), "signedEntryTimestamp")
    proof = _proof(entry["inclusionProof"]) if "inclusionProof" in entry else None
    if version == 1 and proof is not None and not proof.checkpoint:
        proof = None  # Before v0.2 proofs came without checkpoint, and are worth nothing; the promise stands alone.
    if (version > 1 and (proof is None or not proof.checkpoint)) or (proof is None and not (signed and time)):
        raise Refused(
            "no-proof", "the log entry lacks what its bundle version asks for: proof with checkpoint, or promise"
        )
    return LogEntry(
        strict_json.decoded(log_id.get("keyId"), "the log entry's logId"),
        _number(entry.get("logIndex", 0), "the log entry's logIndex"),
        strict_json.text(kind.get("kind"), "the log entry's kind"),
        strict_json.text(kind.get("version"), "the log entry's version"),
        strict_json.decoded(entry.get("canonicalizedBody"), "the log entry's body"),
        time or None,
        signed or None,
        proof,
    )


def _proof(value: Any) -> InclusionProof:
    proof = _members(value, "inclusionProof", _PROOF_MEMBERS)
    checkpoint = _members(proof.get("checkpoint", {}), "the checkpoint", {"envelope"}).get("envelope", "")
    hashes = strict_json.sequence(proof.get("hashes", []), "the proof's hashes")
    if len(hashes) > MAX_HASHES:
        raise Refused("too-large", f"the inclusion proof has {len(hashes)} hashes")
    index = _number(proof.get("logIndex", 0), "the proof's logIndex")
    size = _number(proof.get("treeSize", 0), "treeSize")
    if index >= size:
        raise Refused("malformed", f"the log index {index} is outside of a tree of {size}")
    return InclusionProof(
        index,
        size,
        strict_json.decoded(proof.get("rootHash"), "rootHash"),
        tuple(strict_json.decoded(node, "a hash of the proof") for node in hashes),
        strict_json.text(checkpoint, "the checkpoint"),
    )
