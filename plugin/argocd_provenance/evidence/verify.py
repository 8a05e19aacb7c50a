"""The one place where evidence is made: a candidate, a trust anchor and an artifact give `Evidence` or `Rejected`.

Law: every `Evidence` went through `Verifier.verify`, in this run or in an earlier one that sealed it (`proofs`), and
whatever goes wrong on the way is a `Rejected`. A verdict is never remembered.
"""

import contextlib
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from argocd_provenance.errors import Error, OperatorError
from argocd_provenance.evidence import statement, trust
from argocd_provenance.evidence.artifact import Artifact
from argocd_provenance.evidence.found import Found, Spot
from argocd_provenance.evidence.parts import Candidate, LogEntry
from argocd_provenance.evidence.proofs import Proofs, Proved, Refusal, Trusted
from argocd_provenance.evidence.rejections import REJECTIONS, Refused, Unexpected
from argocd_provenance.evidence.trust import TrustDomain
from argocd_provenance.evidence.values import Anchor, DomainAnchor, Evidence, Rejected
from argocd_provenance.imports import one_at_a_time
from argocd_provenance.records import replace

if TYPE_CHECKING:
    from argocd_provenance.evidence.aside import Aside
    from argocd_provenance.evidence.bridge import Instance

__all__ = ["REJECTIONS", "Artifact", "Verifier"]

# The Rekor v1 of sigstore.dev: the one log whose entries have a page that anybody may open.
_PUBLIC_LOG = bytes.fromhex("c0d23d6ad406973f9559f3ba2d1ca01f84147d8ffc5b8445c224f98b9591801d")
_LOG_PAGE = "https://search.sigstore.dev/?logIndex="


class Verifier:
    """Verifies candidates against the trust domains it was made with. Threads may share one.

    What leans on a trust domain is proved `aside`, where there is such a process.
    """

    def __init__(
        self, domains: Mapping[str, TrustDomain], proofs: Proofs | None = None, aside: "Aside | None" = None
    ) -> None:
        self._domains = dict(domains)
        self._aside = aside
        self._proofs = proofs or Proofs()
        self._instances: dict[TrustDomain, Instance] = {}
        self._lock = threading.Lock()

    def warm(self) -> None:
        """Do what the first keyless verification would have to wait for: import sigstore, read the trusted roots."""
        if self._aside is None or not self._aside.start():
            for domain in self._domains.values():
                self._instance(domain)

    def verify(self, candidate: Candidate, anchor: Anchor, artifact: Artifact) -> Evidence | Rejected:
        """What `candidate` proves about `artifact` to who trusts `anchor`, or why it proves nothing.

        Raises `Error` for faults that are not the candidate's: a domain that there is not, a sigstore that cannot be
        imported.
        """
        domain = self._domain(anchor)
        known = self._proofs.recall(candidate, anchor, domain)
        if isinstance(known, Refusal):
            return _rejected(candidate, known)
        try:
            proved = known or self._prove(candidate, anchor, artifact, domain)
            return _evidence(candidate, anchor, artifact, proved)
        except Error:
            raise
        except Refused as refused:
            return _rejected(candidate, _refusal(candidate, refused))
        except Exception as fault:  # noqa: BLE001 - sigstore and what it uses let many types out; all mean: not verified
            text = str(fault) if isinstance(fault, Unexpected) else f"{type(fault).__name__}: {fault}"
            refusal = _refusal(candidate, Refused("malformed", text))
            return replace(_rejected(candidate, refusal), lasting=False)

    def recall(self, spot: Spot, anchors: Sequence[Anchor]) -> Found | None:
        """What an earlier run found at `spot` for who trusts all of `anchors`; None where none did."""
        known = self._proofs.recall_spot(spot, self._trusted(anchors))
        if known is None:
            return None
        return Found(tuple(_made(**parts) for parts in known.parts), known.rejected, known.notes)

    def keep(self, spot: Spot, anchors: Sequence[Anchor], found: Found) -> None:
        """Remember what was found at `spot`, all of which this verifier said, and would say again."""
        self._proofs.keep_spot(spot, self._trusted(anchors), found)

    def _prove(
        self,
        candidate: Candidate,
        anchor: Anchor,
        artifact: Artifact,
        domain: TrustDomain | None,
    ) -> Proved:
        """What cryptography proves; remembered, as is what it refuses. What goes wrong in another way is not."""
        try:
            proved = self._computed(candidate, anchor, artifact, domain)
        except Refused as refused:
            self._proofs.keep(candidate, anchor, domain, _refusal(candidate, refused))
            raise
        self._proofs.keep(candidate, anchor, domain, proved)
        return proved

    def _computed(self, candidate: Candidate, anchor: Anchor, artifact: Artifact, domain: TrustDomain | None) -> Proved:
        """What cryptography says, in the other process or in this one; raises `Refused`."""
        if self._aside is not None and domain is not None:
            from argocd_provenance.evidence.aside import Gone  # noqa: PLC0415 - where all is known, nobody needs it

            with contextlib.suppress(Gone):
                return self._aside.prove(candidate, anchor, artifact, domain)
        with one_at_a_time:
            from argocd_provenance.evidence.proving import prove  # noqa: PLC0415 - as above

        instance = self._instance(domain) if domain is not None else None
        requires = domain.requires if domain is not None else frozenset()
        return prove(candidate, anchor, artifact, instance, requires)

    def _trusted(self, anchors: Sequence[Anchor]) -> Trusted:
        return [(anchor, self._domain(anchor)) for anchor in anchors]

    def _domain(self, anchor: Anchor) -> TrustDomain | None:
        """The trust domain that `anchor` leans on; none for a key that needs neither log nor timestamp."""
        if isinstance(anchor, DomainAnchor):
            name: str | None = anchor.name
        else:
            name = anchor.domain if anchor.log or anchor.stamped else None
        if name is not None and name not in self._domains:
            raise OperatorError(f"there is no trust domain named {name!r} (known: {', '.join(sorted(self._domains))})")
        return self._domains[name] if name is not None else None

    def _instance(self, domain: TrustDomain) -> "Instance":
        with self._lock:
            if domain not in self._instances:
                try:
                    # It takes 0.4 s, and keys without a log need none of it.
                    with one_at_a_time:
                        from argocd_provenance.evidence.bridge import Instance  # noqa: PLC0415
                except ImportError as fault:
                    raise Error(f"sigstore, which checks signatures, cannot be imported: {fault}") from fault

                self._instances[domain] = Instance(trust.parse(domain.root))
            return self._instances[domain]


def _evidence(candidate: Candidate, anchor: Anchor, artifact: Artifact, proved: Proved) -> Evidence:
    said = statement.read(candidate, artifact)
    entry = candidate.entry if proved.logged else None
    return _made(
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


def _made(**parts: Any) -> Evidence:
    """The one place where evidence comes into being: of what was proved just now, or was when its entry was sealed."""
    return Evidence(**parts)


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


def _refusal(candidate: Candidate, refused: Refused) -> Refusal:
    with one_at_a_time:
        from argocd_provenance.evidence.certificate import claimed_identity  # noqa: PLC0415 - takes cryptography

    claimed = claimed_identity(candidate.certificate) if candidate.certificate else ""
    return Refusal(refused.code, refused.reason, claimed)


def _rejected(candidate: Candidate, refusal: Refusal) -> Rejected:
    said = statement.claimed_predicate_type(candidate.envelope)
    return Rejected(refusal.code, refusal.reason, candidate.source, refusal.claimed_identity, said)
