"""One demand held against one piece of evidence, check by check.

The law: a check holds only where its value was read from proved bytes; what nobody says satisfies nothing. The checks
stand in the order of their weight: the further one gets, the nearer the miss.
"""

from collections.abc import Iterator

from argocd_provenance.evidence.values import Evidence
from argocd_provenance.policy.checks import build, content, source, summary
from argocd_provenance.policy.checks.holds import Check
from argocd_provenance.policy.checks.source import names_commit, same_source
from argocd_provenance.policy.claims import Claims
from argocd_provenance.policy.model import Demand, Source
from argocd_provenance.policy.predicates import PROVENANCE_TYPES
from argocd_provenance.policy.question import Question
from argocd_provenance.verdict import Finding

__all__ = ["Check", "Question", "checks", "is_of_kind", "misses", "names_commit", "same_source", "signed_as"]


def is_of_kind(demand: Demand, evidence: Evidence) -> bool:
    """Whether `evidence` is what the demand speaks of: a signature is no attestation, and the other way round."""
    match demand.kind:
        case "signature":
            return evidence.kind == "signature"
        case "provenance":
            wanted = demand.predicate_types or PROVENANCE_TYPES
            return evidence.kind == "provenance" and evidence.predicate_type in wanted
        case "attestation":
            return evidence.predicate_type is not None and evidence.predicate_type in demand.predicate_types
        case "any":
            return True


def signed_as(demand: Demand, evidence: Evidence) -> frozenset[int]:
    """Which of the demand's signers made `evidence`."""
    return frozenset(place for place, signer in enumerate(demand.by) if signer.mismatch(evidence) is None)


def misses(question: Question, evidence: Evidence) -> tuple[int, tuple[Finding, ...]]:
    """How many checks `evidence` passed, and a finding for each that it did not; none when it satisfies the demand."""
    passed = 0
    found: list[Finding] = []
    if not signed_as(question.demand, evidence):
        nearest = _nearest_signer(question.demand, evidence)
        return nearest[0], (nearest[1],)
    for check in checks(question, evidence):
        passed += check.finding is None
        found += [check.finding] if check.finding is not None else []
    return 10 + passed - len(found), tuple(found)


def _nearest_signer(demand: Demand, evidence: Evidence) -> tuple[int, Finding]:
    missed = [(miss.passed, miss) for signer in demand.by if (miss := signer.mismatch(evidence)) is not None]
    passed = max(count for count, _ in missed)
    first = next(miss for count, miss in missed if count == passed)
    others = f" (or {len(demand.by) - 1} other{'s' if len(demand.by) > 2 else ''})" if len(demand.by) > 1 else ""
    return passed, Finding(
        first.code,
        "signed by somebody whom the policy does not trust",
        expected=first.expected + others,
        found=first.found,
        fix="deploy an image that the expected signer built, or add this signer to the policy",
    )


def checks(question: Question, evidence: Evidence) -> Iterator[Check]:
    """Each check that the demand makes of evidence by one of its signers, in the order of their weight."""
    claims = Claims.of(evidence)
    if not _content_alone(question.demand):
        yield from source.agreement(claims)
    yield from source.source(question, claims)
    yield from build.build(question, claims, evidence)
    yield from content.annotations(question.demand, evidence)
    yield from content.subject_name(question, evidence)
    yield from build.age(question, evidence)
    yield from summary.summary(question, evidence)
    yield from content.where(question, evidence)


def _content_alone(demand: Demand) -> bool:
    """Whether any verified content will do, whatever it says: a bundle, and nobody asked what it is about."""
    return demand.kind == "any" and demand.source == Source() and demand.builder is None
