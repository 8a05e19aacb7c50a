"""What the signed content itself must say: annotations, the image's name, and whatever an expression asks for."""

from collections.abc import Iterator
from typing import Any

from argocd_provenance.errors import InvalidReference
from argocd_provenance.evidence.values import Evidence
from argocd_provenance.oci.reference import Reference
from argocd_provenance.policy.checks.holds import Check, checked, shown
from argocd_provenance.policy.imagepatterns import Image
from argocd_provenance.policy.model import Demand, SubjectName
from argocd_provenance.policy.question import Question
from argocd_provenance.verdict import Finding


def annotations(demand: Demand, evidence: Evidence) -> Iterator[Check]:
    """A check for each signed annotation that is asked for."""
    for name, wanted in demand.annotations.items():
        found = evidence.annotations.get(name)
        finding = Finding(
            "wrong-annotation",
            f"the signed annotation {name} is {'missing' if found is None else 'another'}",
            expected=f"{name}={wanted}",
            found="no such annotation" if found is None else f"{name}={shown(found)}",
            fix=f"sign with `cosign sign -a {name}={wanted}`, or change the policy",
        )
        yield Check(finding.expected, finding.found, None if found == wanted else finding)


def subject_name(question: Question, evidence: Evidence) -> Iterator[Check]:
    """A check where the evidence names an image and the policy minds: it must be one that is allowed."""
    rule, names = question.subject_name, tuple(name for name in evidence.names if name)
    if rule.kind == "any" or not names:
        return
    wanted = question.image.repository.name if rule.kind == "same" else " or ".join(p.written for p in rule.patterns)
    finding = Finding(
        "wrong-subject-name",
        "the evidence names another image repository",
        expected=wanted,
        found=", ".join(shown(name) for name in names[:3]),
        fix="deploy the image from the repository it was signed for, or list that one under subjectName",
    )
    fits = any(_names(name, rule, question.image) for name in names)
    yield Check(finding.expected, finding.found, None if fits else finding)


def _names(name: str, rule: SubjectName, image: Image) -> bool:
    try:
        # Google Cloud Build writes the image as a URL.
        named = Reference.parse(name.removeprefix("https://"))
    except InvalidReference:
        return False
    if rule.kind == "same":
        return named.repository == image.repository
    return any(pattern.matches(Image(named, image.digest)) for pattern in rule.patterns)


def where(question: Question, evidence: Evidence) -> Iterator[Check]:
    """A check for each expression."""
    for condition in question.demand.where:
        failure = condition.failure(scope(question, evidence))
        finding = (
            None
            if failure is None
            else Finding(
                "where-failed",
                "the policy's expression is not true of the evidence",
                expected=condition.text,
                found=shown(failure),
                # Only a CUE policy gives advice: where it asks for what nobody writes any more.
                fix=getattr(condition, "advice", "")
                or "deploy an image for which it is true; `verify --explain` shows the predicate",
            )
        )
        yield checked(condition.text, "it is true", finding)


def scope(question: Question, evidence: Evidence) -> dict[str, Any]:
    """What an expression sees."""
    certificate, image = evidence.certificate, question.image
    said = {"identity": certificate.identity, "issuer": certificate.issuer, **certificate.claims} if certificate else {}
    digest = (image.digest or evidence.subject).text
    seen: dict[str, Any] = {"repository": image.repository.name, "digest": digest}
    if image.reference.tag is not None:
        seen["tag"] = image.reference.tag
    return {
        "predicate": evidence.predicate,
        "statement": evidence.statement,
        "certificate": said,
        "image": seen,
        **question.beside,
    }
