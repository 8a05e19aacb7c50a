"""Judgement: evidence held against a policy, and what several policies add up to.

Pure: the same evidence gives the same decision, in whatever order it came. Less evidence never helps; a denial is a value
with all its reasons; only a positive proof allows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from argocd_provenance.evidence.values import Evidence, Rejected
from argocd_provenance.policy.checks import Question
from argocd_provenance.policy.explain import denial, missing
from argocd_provenance.policy.imagepatterns import Image
from argocd_provenance.policy.model import Authority, Policy, PolicyException
from argocd_provenance.policy.satisfy import satisfying
from argocd_provenance.policy.select import Coverage
from argocd_provenance.verdict import Finding, Outcome


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one policy says of one image."""

    allowed: bool
    findings: tuple[Finding, ...] = ()
    """Why not, nearest miss first; empty when allowed."""
    used: tuple[Evidence, ...] = ()
    """The evidence that satisfied the demands."""
    exception: PolicyException | None = None
    """The exception that lets it through although it did not pass."""
    weak: bool = False
    """Allowed, but nothing was proved: `mode: pin`, or a `static: pass`."""
    final: bool = False
    """No evidence could change it: `static: fail`."""


@dataclass(frozen=True, slots=True)
class ImageDecision:
    """What all policies together say of one image."""

    outcome: Outcome
    mode: Literal["enforce", "warn"] = "enforce"
    """The strictest mode among the policies that fail; `warn` lets the image through as written."""
    findings: tuple[Finding, ...] = ()
    used: tuple[Evidence, ...] = ()
    exception: PolicyException | None = None
    word: Literal["verified", "exception", "unverified", "warned"] = "unverified"
    """The word for the annotation, where the image is let through."""
    policies: tuple[str, ...] = ()

    @property
    def passes(self) -> bool:
        """Whether the image is let through."""
        return self.mode == "warn" or self.outcome in (Outcome.ALLOWED, Outcome.UNVERIFIED)


def judge(
    image: Image,
    policy: Policy,
    evidence: Sequence[Evidence],
    rejected: Sequence[Rejected] = (),
    notes: Sequence[str] = (),
    *,
    today: date,
) -> Judgement:
    """Decide whether `evidence` about `image` satisfies `policy` on the day `today`.

    `rejected` and `notes` only help to explain. Evidence about another digest is nobody's, and left out.
    """
    if policy.mode == "pin" and not policy.authorities:
        return Judgement(allowed=True, weak=True)
    about = tuple(sorted((e for e in evidence if e.subject == image.digest), key=_order))
    tried = [_authority(image, policy, authority, about, rejected, notes, today) for authority in policy.authorities]
    allowed = [judgement for judgement in tried if judgement.allowed]
    if allowed:
        return min(allowed, key=lambda judgement: judgement.weak)
    nearest = min(tried, key=lambda judgement: (judgement.final, len(judgement.findings)))
    findings = nearest.findings
    exception = _exception(image, policy, today)
    if isinstance(exception, PolicyException):
        return Judgement(allowed=True, exception=exception)
    expired = (exception,) if exception is not None else ()
    return Judgement(allowed=False, findings=(*findings, *expired), final=all(j.final for j in tried))


def decide(
    image: Image,
    coverage: Coverage,
    evidence: Sequence[Evidence] = (),
    rejected: Sequence[Rejected] = (),
    notes: Sequence[str] = (),
    errors: Sequence[Finding] = (),
    *,
    today: date,
    unmatched: Literal["deny", "pin", "allow"] = "deny",
) -> ImageDecision:
    """Decide about `image` by the policies that cover it: all must hold.

    `errors` are findings of kind error: what could not be fetched. They matter only where evidence is missing, and then
    the outcome is an error, because nothing is known to be wrong with the image.
    """
    names = tuple(policy.name for policy in coverage.policies)
    if not coverage.policies:
        return _uncovered(image, coverage, unmatched)
    judged = [(p, judge(image, p, evidence, rejected, notes, today=today)) for p in coverage.policies]
    pieces = tuple({(e.digest, e.source, e.anchor): e for _, judgement in judged for e in judgement.used}.values())
    failing = [(policy, judgement) for policy, judgement in judged if not judgement.allowed]
    if failing:
        return _failed(failing, errors, names)
    exceptions = [judgement.exception for _, judgement in judged if judgement.exception is not None]
    if exceptions:
        return ImageDecision(Outcome.ALLOWED, used=pieces, exception=exceptions[0], word="exception", policies=names)
    if all(judgement.weak for _, judgement in judged):
        return ImageDecision(Outcome.UNVERIFIED, policies=names)
    return ImageDecision(Outcome.ALLOWED, used=pieces, word="verified", policies=names)


def undecided(coverage: Coverage, errors: Sequence[Finding]) -> ImageDecision:
    """The decision about an image whose digest could not be found out: an error, in the strictest mode that covers it."""
    names = tuple(policy.name for policy in coverage.policies)
    mode = _strictest([policy.mode for policy in coverage.policies])
    word: Literal["warned", "unverified"] = "warned" if mode == "warn" else "unverified"
    return ImageDecision(Outcome.ERROR, mode, tuple(errors), word=word, policies=names)


def _failed(
    failing: Sequence[tuple[Policy, Judgement]], errors: Sequence[Finding], names: tuple[str, ...]
) -> ImageDecision:
    """The decision where some policy does not hold. Among enforcing policies a denial outweighs an error."""
    mode = _strictest([policy.mode for policy, _ in failing])
    deciding = [judgement for policy, judgement in failing if _strictest([policy.mode]) == mode]
    final = [judgement for judgement in deciding if judgement.final]
    word: Literal["warned", "unverified"] = "warned" if mode == "warn" else "unverified"
    if errors and not final:
        return ImageDecision(Outcome.ERROR, mode, tuple(errors), word=word, policies=names)
    ordered = [
        *(final or deciding),
        *(j for _, j in failing if j not in deciding),
        *(j for j in deciding if j not in final),
    ]
    findings = tuple(dict.fromkeys(finding for judgement in ordered for finding in judgement.findings))
    return ImageDecision(Outcome.DENIED, mode, findings, word=word, policies=names)


def _strictest(modes: Sequence[str]) -> Literal["enforce", "warn"]:
    """The mode that decides; where nothing says otherwise, and for `pin`, it is enforced."""
    return "warn" if modes and all(mode == "warn" for mode in modes) else "enforce"


def _uncovered(image: Image, coverage: Coverage, unmatched: Literal["deny", "pin", "allow"]) -> ImageDecision:
    name = image.repository.name
    if coverage.out_of_scope:
        others = ", ".join(coverage.elsewhere)
        return ImageDecision(Outcome.DENIED, findings=(Finding(
            "out-of-scope",
            "only policies for other Applications cover the image",
            expected=f"an Application of policy {others}",
            found=f"{name}, wanted by another Application",
            fix="add this Application's project, name or repository to `applications` of the policy",
        ),))  # fmt: skip
    if unmatched != "deny":
        return ImageDecision(Outcome.UNVERIFIED)
    excluded = f"; excluded from {', '.join(coverage.excluded)}" if coverage.excluded else ""
    tried = ", ".join(coverage.tried[:5]) + (f" and {len(coverage.tried) - 5} more" if len(coverage.tried) > 5 else "")
    return ImageDecision(Outcome.DENIED, findings=(Finding(
        "unmatched",
        "no policy covers the image",
        expected=f"an image that fits {tried}" if tried else "a policy that covers it; there is none",
        found=f"{name}{excluded}",
        fix="write a policy for it; `mode: pin` lets an image through by its digest alone",
    ),))  # fmt: skip


def _authority(
    image: Image,
    policy: Policy,
    authority: Authority,
    evidence: Sequence[Evidence],
    rejected: Sequence[Rejected],
    notes: Sequence[str],
    today: date,
) -> Judgement:
    if authority.static == "pass":
        return Judgement(allowed=True, weak=True)
    if authority.static == "fail" or not authority.demands:
        return Judgement(allowed=False, findings=(_refused(authority),), final=True)
    used: list[Evidence] = []
    findings: list[Finding] = []
    for demand in authority.demands:
        question = Question(demand, image, policy.subject_name, today)
        satisfied = satisfying(question, evidence)
        used += [piece for piece in satisfied if piece not in used]
        if not satisfied:
            findings += denial(question, evidence)
    if not findings:
        return Judgement(allowed=True, used=tuple(used))
    if not evidence:
        findings = missing(authority.demands, rejected, notes)
    return Judgement(allowed=False, findings=tuple(dict.fromkeys(findings)))


def _refused(authority: Authority) -> Finding:
    return Finding(
        "static-fail",
        f"disallowed by the policy: {authority.message}" if authority.message else "disallowed by the policy",
        expected="another image",
        found="an image that the policy refuses by name",
        fix="deploy an image that the policy allows",
    )


def _exception(image: Image, policy: Policy, today: date) -> PolicyException | Finding | None:
    """The exception that holds for `image` today; a finding when there is only one that has expired."""
    about = [e for e in policy.exceptions if any(p.names_a_digest and p.matches(image, proved=True) for p in e.images)]
    for exception in about:
        if today <= exception.expires:
            return exception
    if not about:
        return None
    last = max(about, key=lambda exception: exception.expires)
    return Finding(
        "expired-exception",
        f"an exception for this image has expired: {last.reason}, owner {last.owner}",
        expected=f"a day up to {last.expires}",
        found=str(today),
        fix=f"ask {last.owner}: sign the image, or renew the exception",
    )


def _order(evidence: Evidence) -> tuple[str, ...]:
    """An order that is the same however the evidence came."""
    who = evidence.certificate.identity if evidence.certificate else ""
    return (evidence.digest.text, evidence.kind, evidence.form, str(evidence.anchor), who, evidence.source)
