"""The one place where evidence is made: a candidate, a trust anchor and an artifact give `Evidence` or `Rejected`.

Law: every `Evidence` went through `Verifier.verify`, and whatever goes wrong on the way is a `Rejected`. The steps are
those of the Sigstore client specification (architecture-docs: client-spec.md, section 4).
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from argocd_provenance.errors import Error, OperatorError
from argocd_provenance.evidence import certificate as certificates
from argocd_provenance.evidence import keys, log_entry, statement, trust
from argocd_provenance.evidence.artifact import Artifact
from argocd_provenance.evidence.parts import Candidate, LogEntry
from argocd_provenance.evidence.rejections import REJECTIONS, Refused, printable
from argocd_provenance.evidence.trust import Requirement, TrustDomain
from argocd_provenance.evidence.values import Anchor, Certificate, DomainAnchor, Evidence, KeyAnchor, Rejected

if TYPE_CHECKING:
    from argocd_provenance.evidence.bridge import Instance

__all__ = ["REJECTIONS", "Artifact", "Verifier"]

# The Rekor v1 of sigstore.dev: the one log whose entries have a page that anybody may open.
_PUBLIC_LOG = bytes.fromhex("c0d23d6ad406973f9559f3ba2d1ca01f84147d8ffc5b8445c224f98b9591801d")
_LOG_PAGE = "https://search.sigstore.dev/?logIndex="
_LOG_ONLY: frozenset[Requirement] = frozenset({"log"})


@dataclass(frozen=True, slots=True)
class _Proved:
    """What the certificate, key, log and timestamp authorities prove."""

    certificate: Certificate | None
    entry: LogEntry | None
    times: tuple[datetime, ...]


class Verifier:
    """Verifies candidates against the trust domains it was made with. Threads may share one."""

    def __init__(self, domains: Mapping[str, TrustDomain]) -> None:
        self._domains = dict(domains)
        self._instances: dict[str, Instance] = {}
        self._lock = threading.Lock()

    def warm(self) -> None:
        """Do what the first keyless verification would have to wait for: import sigstore, read the trusted roots."""
        for name in self._domains:
            self._instance(name)

    def verify(self, candidate: Candidate, anchor: Anchor, artifact: Artifact) -> Evidence | Rejected:
        """What `candidate` proves about `artifact` to who trusts `anchor`, or why it proves nothing.

        Raises `Error` for faults that are not the candidate's: a domain that there is not, a sigstore that cannot be
        imported.
        """
        name = _domain_name(anchor)
        instance = self._instance(name) if name is not None else None
        try:
            return self._evidence(candidate, anchor, artifact, instance)
        except Refused as refused:
            return _rejected(candidate, refused.code, refused.reason)
        except Exception as fault:  # noqa: BLE001 - sigstore and what it uses let many types out; all mean: not verified
            return _rejected(candidate, "malformed", printable(f"{type(fault).__name__}: {fault}"))

    def _evidence(
        self, candidate: Candidate, anchor: Anchor, artifact: Artifact, instance: "Instance | None"
    ) -> Evidence:
        signed = _signed(candidate, artifact)
        if isinstance(anchor, KeyAnchor):
            proved = _by_key(candidate, anchor.spki, signed, instance)
        else:
            assert instance is not None  # noqa: S101 - every domain has one
            proved = _by_certificate(candidate, signed, instance, self._domains[anchor.name].requires)
        said = statement.read(candidate, artifact)
        entry = proved.entry
        return Evidence(
            subject=said.subject,
            kind=said.kind,
            form=candidate.form,
            anchor=anchor,
            certificate=proved.certificate,
            predicate_type=said.predicate_type,
            statement=said.statement,
            annotations=said.annotations,
            names=said.names,
            source=candidate.source,
            digest=candidate.digest,
            logged=entry is not None,
            log_index=_log_index(entry),
            log_url=_log_url(entry),
            times=proved.times,
        )

    def _instance(self, name: str) -> "Instance":
        if name not in self._domains:
            raise OperatorError(f"there is no trust domain named {name!r} (known: {', '.join(sorted(self._domains))})")
        with self._lock:
            if name not in self._instances:
                try:
                    # It takes 0.4 s, and keys without a log need none of it.
                    from argocd_provenance.evidence.bridge import Instance  # noqa: PLC0415
                except ImportError as fault:
                    raise Error(f"sigstore, which checks signatures, cannot be imported: {fault}") from fault

                self._instances[name] = Instance(trust.parse(self._domains[name].root))
            return self._instances[name]


def _by_certificate(
    candidate: Candidate, signed: keys.Signed, instance: "Instance", requires: frozenset[Requirement]
) -> _Proved:
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
    return _Proved(certificates.read(certificate), candidate.entry, times)


def _by_key(candidate: Candidate, spki: bytes, signed: keys.Signed, instance: "Instance | None") -> _Proved:
    """What the key `spki` proves; with `instance` a log entry is demanded, and checked there."""
    if candidate.certificate is not None:
        raise Refused("has-certificate", "it is signed with a certificate, a key is expected")
    key = keys.key_from(spki)
    try:
        keys.check_signature(key, candidate.signature, signed)
    except Refused:
        if keys.says_prehashed(key, candidate.key_hint, candidate.entry.body if candidate.entry else b""):
            raise Refused("ed25519ph", f"{REJECTIONS['ed25519ph']}: use an ECDSA P-256 key") from None
        raise
    if instance is None:
        return _Proved(None, None, ())
    times = _times(instance, candidate, _LOG_ONLY)
    if candidate.entry is not None:
        log_entry.check_body(candidate.entry, candidate, signed, spki)
    return _Proved(None, candidate.entry, times)


def _domain_name(anchor: Anchor) -> str | None:
    if isinstance(anchor, DomainAnchor):
        return anchor.name
    return anchor.domain if anchor.log else None


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


def _log_index(entry: LogEntry | None) -> int | None:
    """The index that is proved: the promise covers the entry's own, a proof only that inside its tree."""
    if entry is None:
        return None
    if entry.promise and entry.integrated_time:
        return entry.log_index
    return entry.proof.log_index if entry.proof else None


def _log_url(entry: LogEntry | None) -> str | None:
    if entry is None or entry.log_id != _PUBLIC_LOG or not (entry.promise and entry.integrated_time):
        return None
    return f"{_LOG_PAGE}{entry.log_index}"


def _rejected(candidate: Candidate, code: str, reason: str) -> Rejected:
    return Rejected(
        code,
        reason,
        candidate.source,
        certificates.claimed_identity(candidate.certificate) if candidate.certificate else "",
        statement.claimed_predicate_type(candidate.envelope),
    )
