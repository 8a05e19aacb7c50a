"""Layers of cosign's tags ``sha256-….sig`` and ``sha256-….att``: the content is signed, the rest stands in annotations.

cosign: specs/SIGNATURE_SPEC.md, pkg/oci/static/signature.go, pkg/cosign/bundle/rekor.go. The annotation
``dev.sigstore.cosign/chain`` is never read: an image does not choose whom we trust.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from argocd_provenance.evidence import envelope, strict_json
from argocd_provenance.evidence.limits import LATEST, MAX_ANNOTATION, MAX_CONTENT
from argocd_provenance.evidence.parts import Candidate, Envelope, LogEntry
from argocd_provenance.evidence.pem import one_block
from argocd_provenance.evidence.rejections import Refused
from argocd_provenance.regex import regex

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
DSSE = "application/vnd.dsse.envelope.v1+json"
_SIGNATURE = "dev.cosignproject.cosign/signature"
_CERTIFICATE = "dev.sigstore.cosign/certificate"
_ENTRY = "dev.sigstore.cosign/bundle"
_TIMESTAMP = "dev.sigstore.cosign/rfc3161timestamp"
_LOG_ID = regex(r"[0-9a-f]{64}")


def read(descriptor: Mapping[str, Any], content: bytes, source: str) -> Candidate:
    """The candidate in a layer; raises `Refused`."""
    if len(content) > MAX_CONTENT:
        raise Refused("too-large", f"the layer has {len(content)} bytes, at most {MAX_CONTENT} are read")
    named = descriptor.get("digest"), descriptor.get("size")
    if named != ("sha256:" + hashlib.sha256(content).hexdigest(), len(content)):
        raise Refused("digest-mismatch", "the layer is not what its descriptor says")
    notes = _annotations(descriptor)
    certificate = one_block(notes[_CERTIFICATE], "CERTIFICATE", _CERTIFICATE) if notes.get(_CERTIFICATE) else None
    entry = _entry(notes[_ENTRY]) if notes.get(_ENTRY) else None
    timestamps = (_timestamp(notes[_TIMESTAMP]),) if notes.get(_TIMESTAMP) else ()
    wrapped: Envelope | None = None
    media_type = descriptor.get("mediaType")
    if media_type == SIMPLE_SIGNING:
        signature = strict_json.decoded(notes.get(_SIGNATURE), _SIGNATURE)
    elif media_type == DSSE:
        wrapped = envelope.read(strict_json.read(content, "the envelope", MAX_CONTENT))
        signature = wrapped.signature
    else:
        raise Refused("unknown-form", f"a layer of media type {str(media_type)[:120]!r} is no signature")
    if not signature:
        raise Refused("malformed", "the signature is empty")
    return Candidate(
        "cosign-sig" if wrapped is None else "cosign-att",
        source,
        content,
        signature,
        wrapped,
        payload=content if wrapped is None else None,
        certificate=certificate,
        entry=entry,
        timestamps=timestamps,
    )


def _annotations(descriptor: Mapping[str, Any]) -> dict[str, str]:
    notes = strict_json.mapping(descriptor.get("annotations") or {}, "the layer's annotations")
    for name, value in notes.items():
        if len(strict_json.text(value, f"the annotation {name[:120]}")) > MAX_ANNOTATION:
            raise Refused("too-large", f"the annotation {name[:120]} has {len(value)} characters")
    return notes


def _utf8(annotation: str, what: str) -> bytes:
    try:
        return annotation.encode()
    except UnicodeEncodeError:
        raise Refused("malformed", f"{what}: half of a surrogate pair") from None


def _entry(annotation: str) -> LogEntry:
    """A Rekor v1 entry by its promise alone; this form never has a proof."""
    members = strict_json.mapping(strict_json.read(_utf8(annotation, _ENTRY), _ENTRY, MAX_ANNOTATION), _ENTRY)
    payload = strict_json.mapping(members.get("Payload"), f"{_ENTRY}: Payload")
    body = strict_json.decoded(payload.get("body"), f"{_ENTRY}: body")
    log_id = strict_json.text(payload.get("logID"), f"{_ENTRY}: logID")
    if not _LOG_ID.fullmatch(log_id):
        raise Refused("malformed", f"{_ENTRY}: logID is no sha256")
    index, time = payload.get("logIndex"), payload.get("integratedTime")
    if type(index) is not int or type(time) is not int or not 0 <= index < 2**63 or not 0 <= time <= LATEST:
        raise Refused("malformed", f"{_ENTRY}: logIndex or integratedTime is out of range")
    promise = strict_json.decoded(members.get("SignedEntryTimestamp") or "", f"{_ENTRY}: SignedEntryTimestamp")
    if not promise or not time:
        # cosign 3 writes this when the signature went to a Rekor v2 log, which makes no promises.
        raise Refused("no-proof", "the log entry carries no inclusion promise, and this form has no inclusion proof")
    said = strict_json.mapping(strict_json.read(body, "the log entry's body", MAX_ANNOTATION), "the log entry's body")
    kind = strict_json.text(said.get("kind"), "the log entry's kind")
    version = strict_json.text(said.get("apiVersion"), "the log entry's version")
    return LogEntry(bytes.fromhex(log_id), index, kind, version, body, time, promise, None)


def _timestamp(annotation: str) -> bytes:
    members = strict_json.read(_utf8(annotation, _TIMESTAMP), _TIMESTAMP, MAX_ANNOTATION)
    return strict_json.decoded(strict_json.mapping(members, _TIMESTAMP).get("SignedRFC3161Timestamp"), _TIMESTAMP)
