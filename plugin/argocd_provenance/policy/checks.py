"""One demand held against one piece of evidence, check by check.

The checks stand in the order of their weight: the further one gets, the nearer the miss.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date
from typing import Any

from argocd_provenance.errors import InvalidReference
from argocd_provenance.evidence.values import Evidence
from argocd_provenance.oci.reference import Reference
from argocd_provenance.policy.claims import Claims, Said, level
from argocd_provenance.policy.imagepatterns import Image
from argocd_provenance.policy.model import Demand, Source, SubjectName
from argocd_provenance.policy.patterns import Glob
from argocd_provenance.policy.predicates import PROVENANCE_TYPES
from argocd_provenance.policy.signers import describe
from argocd_provenance.verdict import Finding

_SHORT_SHA = 7
_FULL_SHA = (40, 64)
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a piece of evidence: a demand, for an image, under a policy, on a day."""

    demand: Demand
    image: Image
    subject_name: SubjectName
    today: date


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
    for finding in _checks(question, evidence):
        passed, found = (passed + 1, found) if finding is None else (passed, [*found, finding])
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


def _checks(question: Question, evidence: Evidence) -> Iterator[Finding | None]:
    """A finding, or None, for each check that the demand makes."""
    claims = Claims.of(evidence)
    if not _content_alone(question.demand):
        yield from _agreement(claims)
    yield from _source(question, claims)
    yield from _build(question.demand, claims, evidence)
    yield from _annotations(question.demand, evidence)
    yield _subject_name(question, evidence)
    yield _age(question, evidence)
    yield from _where(question, evidence)


def _content_alone(demand: Demand) -> bool:
    """Whether any verified content will do, whatever it says: a bundle, and nobody asked what it is about."""
    return demand.kind == "any" and demand.source == Source() and demand.builder is None


def _agreement(claims: Claims) -> Iterator[Finding]:
    """A finding for each thing of which certificate and predicate say something different."""
    yield from (
        Finding(
            "certificate-disagrees",
            f"certificate and predicate name another {other.what.replace('_', ' ')}",
            expected=f"{other.certificate} (certificate)",
            found=f"{_shown(other.predicate)} (predicate)",
            fix="rebuild the image: the workflow wrote something into its provenance that did not happen",
        )
        for other in claims.disagreements()
    )


def _source(question: Question, claims: Claims) -> Iterator[Finding | None]:
    source, demand = question.demand.source, question.demand
    if source.repository is not None:
        glob = source.repository
        yield _holds(
            "wrong-source",
            "source repository",
            glob.text,
            claims.said("repository"),
            lambda said: same_source(glob, said),
        )
    if source.ref is not None:
        yield _holds("wrong-ref", "source ref", source.ref.text, claims.said("ref"), source.ref.matches)
    if source.commit is not None:
        yield _commit(source.commit, question.image, claims.said("commit"))
    if demand.workflow is not None:
        yield _holds(
            "wrong-workflow", "workflow", demand.workflow.text, claims.said("workflow"), demand.workflow.matches
        )


def _build(demand: Demand, claims: Claims, evidence: Evidence) -> Iterator[Finding | None]:
    build_type = claims.said("build_type") if demand.build_type else None
    for code, what, wanted, said in (
        ("wrong-builder", "builder", demand.builder, claims.builder() if demand.builder else None),
        ("wrong-build-type", "build type", demand.build_type, build_type),
        ("wrong-runner", "runner", demand.runner, claims.said("runner")),
        ("wrong-trigger", "trigger", demand.trigger, claims.said("trigger")),
        ("wrong-environment", "deployment environment", demand.environment, claims.said("environment")),
        ("wrong-visibility", "repository visibility", demand.visibility, claims.said("visibility")),
    ):
        if wanted is not None:
            yield _holds(code, what, wanted, said, wanted.__eq__)
    if demand.level is not None:
        reached = level(evidence)
        yield (
            None
            if reached >= demand.level
            else Finding(
                "low-level",
                "the builder does not reach the SLSA build level asked for",
                expected=f"level {demand.level}",
                found=f"level {reached}: {describe(evidence)}",
                fix="build with a reusable workflow or slsa-github-generator on GitHub's runners, or lower `level`",
            )
        )


def same_source(wanted: Glob, said: str) -> bool:
    """Whether the repository URL `said` fits, compared as its host compares: GitHub does not look at case."""
    if said.lower().startswith("https://github.com/"):
        return said.isascii() and Glob(wanted.text, fold=True).matches(said)
    return wanted.matches(said)


def _commit(wanted: str, image: Image, said: Said | None) -> Finding | None:
    if wanted in {"{tag}", "{tag:short}"}:
        tag = image.reference.tag
        if tag is None:
            return Finding(
                "wrong-commit",
                "the image is asked for without a tag, and the policy wants the commit there",
                expected="a tag that names the commit it was built from",
                found=f"{_shown(said.value)} as commit, and no tag" if said else "no tag",
                fix="write the tag that names the commit into the reference",
            )
        short = wanted == "{tag:short}"
        return _holds(
            "wrong-commit",
            "source commit",
            f"{tag} (the tag)",
            said,
            lambda commit: names_commit(tag, commit, short=short),
        )
    return _holds("wrong-commit", "source commit", wanted, said, wanted.__eq__)


def names_commit(tag: str, commit: str, *, short: bool) -> bool:
    """Whether `tag` is the `commit`, or (`short`) an abbreviation of seven digits and more."""
    if len(commit) not in _FULL_SHA or not set(commit) <= _HEX:
        return False
    return tag == commit or (short and len(tag) >= _SHORT_SHA and set(tag) <= _HEX and commit.startswith(tag))


def _annotations(demand: Demand, evidence: Evidence) -> Iterator[Finding | None]:
    for name, wanted in demand.annotations.items():
        found = evidence.annotations.get(name)
        yield (
            None
            if found == wanted
            else Finding(
                "wrong-annotation",
                f"the signed annotation {name} is {'missing' if found is None else 'another'}",
                expected=f"{name}={wanted}",
                found="no such annotation" if found is None else f"{name}={_shown(found)}",
                fix=f"sign with `cosign sign -a {name}={wanted}`, or change the policy",
            )
        )


def _subject_name(question: Question, evidence: Evidence) -> Finding | None:
    rule, names = question.subject_name, tuple(name for name in evidence.names if name)
    if rule.kind == "any" or not names or any(_names(name, rule, question.image) for name in names):
        return None
    wanted = question.image.repository.name if rule.kind == "same" else " or ".join(p.written for p in rule.patterns)
    return Finding(
        "wrong-subject-name",
        "the evidence names another image repository",
        expected=wanted,
        found=", ".join(_shown(name) for name in names[:3]),
        fix="deploy the image from the repository it was signed for, or list that one under subjectName",
    )


def _names(name: str, rule: SubjectName, image: Image) -> bool:
    try:
        named = Reference.parse(name)
    except InvalidReference:
        return False
    if rule.kind == "same":
        return named.repository == image.repository
    return any(pattern.matches(Image(named, image.digest)) for pattern in rule.patterns)


def _age(question: Question, evidence: Evidence) -> Finding | None:
    allowed = question.demand.max_age_days
    if allowed is None:
        return None
    # The earliest: anybody can have an old signature stamped again later.
    signed = min(evidence.times).astimezone(UTC).date() if evidence.times else None
    if signed is not None and (question.today - signed).days <= allowed:
        return None
    return Finding(
        "too-old",
        "signed longer ago than the policy allows" if signed else "nothing proves when it was signed",
        expected=f"at most {allowed} day{'s' if allowed != 1 else ''} ago",
        found=f"signed on {signed}" if signed else "no proved time",
        fix="rebuild the image, or raise `maxAge`",
    )


def _where(question: Question, evidence: Evidence) -> Iterator[Finding | None]:
    for condition in question.demand.where:
        failure = condition.failure(scope(question.image, evidence))
        yield (
            None
            if failure is None
            else Finding(
                "where-failed",
                "the policy's expression is not true of the evidence",
                expected=condition.text,
                found=_shown(failure),
                fix="deploy an image for which it is true; `verify --explain` shows the predicate",
            )
        )


def scope(image: Image, evidence: Evidence) -> dict[str, Any]:
    """What an expression sees."""
    certificate = evidence.certificate
    said = {"identity": certificate.identity, "issuer": certificate.issuer, **certificate.claims} if certificate else {}
    digest = (image.digest or evidence.subject).text
    seen: dict[str, Any] = {"repository": image.repository.name, "digest": digest}
    if image.reference.tag is not None:
        seen["tag"] = image.reference.tag
    return {"predicate": evidence.predicate, "statement": evidence.statement, "certificate": said, "image": seen}


def _holds(code: str, what: str, wanted: str, said: Said | None, fits: Callable[[str], bool]) -> Finding | None:
    if said is not None and fits(said.value):
        return None
    return Finding(
        code,
        f"the {what} is another" if said else f"nothing says which {what} it was",
        expected=f"{what} {wanted}",
        found=f"{_shown(said.value)} ({said.read_from})" if said else "nothing, neither in certificate nor predicate",
        fix=f"deploy an image of the expected {what}, or change the policy",
    )


def _shown(text: str) -> str:
    """Foreign text, short enough for a message, without what would move a terminal's cursor."""
    clean = "".join(letter if letter.isprintable() else "?" for letter in text[:300])
    return clean + ("…" if len(text) > 300 else "")
