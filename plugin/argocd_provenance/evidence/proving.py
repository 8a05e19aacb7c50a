"""What certificate, key, log and timestamp authorities prove about a candidate: the cryptography, step by step.

Law: `prove` returns only after every check that the anchor asks for has passed; else it raises `Refused`. The steps are
those of the Sigstore client specification (architecture-docs: client-spec.md, section 4). What it returns is no evidence
yet: nobody has looked at what was signed.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from argocd_provenance.evidence import certificate as certificates
from argocd_provenance.evidence import keys, log_entry
from argocd_provenance.evidence.artifact import Artifact
from argocd_provenance.evidence.parts import Candidate
from argocd_provenance.evidence.proofs import Proved
from argocd_provenance.evidence.rejections import REJECTIONS, Refused
from argocd_provenance.evidence.trust import Requirement
from argocd_provenance.evidence.values import Anchor, KeyAnchor

if TYPE_CHECKING:
    from argocd_provenance.evidence.bridge import Instance

_LOG_ONLY: frozenset[Requirement] = frozenset({"log"})
_LOG_AND_STAMP: frozenset[Requirement] = frozenset({"log", "timestamp"})


def prove(
    candidate: Candidate,
    anchor: Anchor,
    artifact: Artifact,
    instance: "Instance | None",
    requires: frozenset[Requirement],
) -> Proved:
    """What `candidate` proves to who trusts `anchor`, whose trust domain is `instance`; raises `Refused`."""
    signed = _signed(candidate, artifact)
    if isinstance(anchor, KeyAnchor):
        return _by_key(candidate, anchor, signed, instance)
    assert instance is not None  # noqa: S101 - every domain has one
    return _by_certificate(candidate, signed, instance, requires)


def _by_certificate(
    candidate: Candidate, signed: keys.Signed, instance: "Instance", requires: frozenset[Requirement]
) -> Proved:
    if candidate.certificate is None:
        raise Refused("no-certificate", "it is signed with a key, a certificate is expected")
    certificate = certificates.load(candidate.certificate)
    times = _times(instance, candidate, requires)
    if not times:
        raise Refused("no-time", "neither a timestamp nor a log entry proves when it was signed")
    for time in times:
        path = instance.path(certificate, time)
        if not certificate.not_valid_before_utc <= time <= certificate.not_valid_after_utc:
            raise Refused("verification", f"the certificate was not valid at {time}, when it was used")
        if "sct" in requires:
            instance.check_sct(certificate, path)
    certificates.check_purpose(certificate)
    keys.check_signature(certificate.public_key(), candidate.signature, signed)
    if candidate.entry is not None:
        log_entry.check_body(candidate.entry, candidate, signed, candidate.certificate)
    return Proved(certificates.read(certificate), candidate.entry is not None, times)


def _by_key(candidate: Candidate, anchor: KeyAnchor, signed: keys.Signed, instance: "Instance | None") -> Proved:
    """What the key of `anchor` proves; what it demands of log and timestamp authority is checked with `instance`."""
    if candidate.certificate is not None:
        raise Refused("has-certificate", "it is signed with a certificate, a key is expected")
    key = keys.key_from(anchor.spki)
    try:
        keys.check_signature(key, candidate.signature, signed, anchor.hash)
    except Refused:
        if keys.says_prehashed(key, candidate.key_hint, candidate.entry.body if candidate.entry else b""):
            raise Refused("ed25519ph", f"{REJECTIONS['ed25519ph']}: use an ECDSA P-256 key") from None
        raise
    if instance is None:
        return Proved(None, logged=False, times=())
    if not anchor.log:
        # The entry may be of a log that nobody asked about, and counts for nothing.
        stamped = instance.timestamps(candidate)
        if not stamped:
            raise Refused("no-time", "no timestamp of a trusted authority proves when it was signed")
        return Proved(None, logged=False, times=tuple(sorted(set(stamped))))
    times = _times(instance, candidate, _LOG_AND_STAMP if anchor.stamped else _LOG_ONLY)
    if candidate.entry is not None:
        log_entry.check_body(candidate.entry, candidate, signed, anchor.spki)
    return Proved(None, candidate.entry is not None, times)


def _signed(candidate: Candidate, artifact: Artifact) -> keys.Signed:
    """What the signature must be over."""
    if candidate.envelope is not None:
        return keys.Signed(candidate.envelope.covered)
    if candidate.payload is not None:
        return keys.Signed(candidate.payload)
    if not artifact.blob:
        raise Refused("wrong-form", "it signs bytes and says nothing about them; an image needs a statement")
    signed = keys.Signed(artifact.content, {digest.algorithm: bytes.fromhex(digest.hex) for digest in artifact.digests})
    said = candidate.message_digest
    if said is not None and signed.hashed(keys.PROTOBUF_HASHES.get(said.algorithm, "")) != said.value:
        raise Refused("other-subject", "the bundle is about another file")
    return signed


def _times(instance: "Instance", candidate: Candidate, requires: frozenset[Requirement]) -> tuple[datetime, ...]:
    """All proved times of signing, after the log entry was checked."""
    entry = candidate.entry
    if entry is None and "log" in requires:
        raise Refused("no-log", "it has no transparency log entry, and one is required")
    times = instance.timestamps(candidate)
    if not times and "timestamp" in requires:
        raise Refused("no-time", "no timestamp of a trusted authority proves when it was signed")
    if entry is not None:
        if entry.promise and entry.integrated_time:
            # Without the promise nobody signed this time (CVE-2024-55655); Rekor v2 never vouches for it.
            if (entry.kind, entry.version) not in log_entry.PROMISED_KINDS:
                raise Refused(
                    "unknown-form", f"log entries of kind {entry.kind[:40]} {entry.version[:40]} are not supported"
                )
            times.append(datetime.fromtimestamp(entry.integrated_time, tz=UTC))
        instance.check_entry(entry, times)
    return tuple(sorted(set(times)))
