"""Judgement: evidence held against one policy. What several add up to stands in `decision`.

Pure: the same evidence gives the same decision, in whatever order it came. Less evidence never helps; a denial is a value
with all its reasons; only a positive proof allows.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from argocd_provenance.evidence.values import Evidence, Rejected
from argocd_provenance.policy.explain import denial, missing, nearest_miss
from argocd_provenance.policy.imagepatterns import Image
from argocd_provenance.policy.model import Authority, Demand, Policy, PolicyException
from argocd_provenance.policy.policyresult import policy_result
from argocd_provenance.policy.question import Question
from argocd_provenance.policy.satisfy import satisfying
from argocd_provenance.policy.vex import accepted, is_vex
from argocd_provenance.records import dataclass
from argocd_provenance.verdict import Finding

# A demand that is satisfied counts for more than any that is not.
_PASSED = 1000


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
    open: bool = False
    """Allowed, but more evidence could change it: a policy over all that was found, which may have upper limits."""
    reached: int = 0
    """How far it got: checks that were passed, of all demands."""


def judge(
    image: Image,
    policy: Policy,
    evidence: Sequence[Evidence],
    rejected: Sequence[Rejected] = (),
    notes: Sequence[str] = (),
    *,
    today: date,
    reasons: bool = True,
) -> Judgement:
    """Decide whether `evidence` about `image` satisfies `policy` on the day `today`.

    `rejected` and `notes` only help to explain. Evidence about another digest is nobody's, and left out. Without `reasons`
    a denial has no findings: for who only asks whether more evidence is needed.
    """
    if policy.mode == "pin" and not policy.authorities:
        return Judgement(allowed=True, weak=True)
    held = about(image, evidence)
    told = (rejected, notes) if reasons else None
    tried = [_authority(image, policy, authority, held, told, today) for authority in policy.authorities]
    allowed = [judgement for judgement in tried if judgement.allowed]
    if allowed and policy.over is None:
        return min(allowed, key=lambda judgement: judgement.weak)
    if allowed:
        matched = [one for one, judgement in zip(policy.authorities, tried, strict=True) if judgement.allowed]
        tried = [_overall(image, policy, matched, held, today)]
        if tried[0].allowed:
            return tried[0]
    exception = _exception(image, policy, today)
    if isinstance(exception, PolicyException):
        return Judgement(allowed=True, exception=exception)
    final = all(judgement.final for judgement in tried)
    if not reasons:
        return Judgement(allowed=False, final=final)
    nearest = min(tried, key=lambda judgement: (judgement.final, -judgement.reached, len(judgement.findings)))
    expired = (exception,) if exception is not None else ()
    return Judgement(allowed=False, findings=(*_and_others(nearest, policy, tried), *expired), final=final)


def about(image: Image, evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """The evidence about `image`, in an order that is the same however it came."""
    return tuple(sorted((e for e in evidence if e.subject == image.digest), key=_order))


def question(demand: Demand, image: Image, policy: Policy, evidence: Sequence[Evidence], today: date) -> Question:
    """What `policy` asks of each piece of `evidence` by one of its demands."""
    beside = _beside(demand, image, evidence)
    return Question(demand, image, policy.subject_name, today, policy.builders, beside)


def _authority(
    image: Image,
    policy: Policy,
    authority: Authority,
    evidence: Sequence[Evidence],
    told: tuple[Sequence[Rejected], Sequence[str]] | None,
    today: date,
) -> Judgement:
    """What one authority of `policy` says; why it denies is found out where it is `told` what else was found."""
    if authority.static == "pass":
        return Judgement(allowed=True, weak=True)
    if authority.static == "fail" or not authority.demands:
        return Judgement(allowed=False, findings=(_refused(authority),), final=True)
    used: list[Evidence] = []
    unmet = False
    for demand in authority.demands:
        satisfied = satisfying(question(demand, image, policy, evidence, today), evidence)
        used += [piece for piece in satisfied if piece not in used]
        unmet = unmet or not satisfied
        if unmet and told is None:
            return Judgement(allowed=False)
    if not unmet:
        return Judgement(allowed=True, used=tuple(used))
    if not evidence and told is not None:
        return Judgement(allowed=False, findings=tuple(dict.fromkeys(missing(authority.demands, *told))))
    return _nearest(image, policy, authority, evidence, today)


def _nearest(
    image: Image, policy: Policy, authority: Authority, evidence: Sequence[Evidence], today: date
) -> Judgement:
    """The denial of one authority: how far it got, and why not farther."""
    findings: list[Finding] = []
    reached = 0
    for demand in authority.demands:
        asked = question(demand, image, policy, evidence, today)
        if satisfying(asked, evidence):
            reached += _PASSED
        else:
            findings += denial(asked, evidence)
            reached += nearest_miss(asked, evidence)
    return Judgement(allowed=False, findings=tuple(dict.fromkeys(findings)), reached=reached)


def _and_others(nearest: Judgement, policy: Policy, tried: Sequence[Judgement]) -> tuple[Finding, ...]:
    """The findings of the nearest authority; where there are several, the first says which, and how the others fared."""
    if len(tried) == 1 or not nearest.findings:
        return nearest.findings
    names = [authority.name or f"number {place}" for place, authority in enumerate(policy.authorities, 1)]
    others = [
        f"{name}: {', '.join(dict.fromkeys(finding.code for finding in judgement.findings))}"
        for name, judgement in zip(names, tried, strict=True)
        if judgement is not nearest
    ]
    mine = next(name for name, judgement in zip(names, tried, strict=True) if judgement is nearest)
    first, *rest = nearest.findings
    told = f"{first.found}; authority {mine} came nearest, of the others {'; '.join(others[:3])}"
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    return (Finding(first.code, first.message, first.expected, told + more, first.fix), *rest)


def _overall(
    image: Image, policy: Policy, matched: Sequence[Authority], evidence: Sequence[Evidence], today: date
) -> Judgement:
    """What the policy over all authorities says, once some are satisfied."""
    assert policy.over is not None  # noqa: S101 - for the type checker; the caller has looked
    result, used = policy_result(image, policy, matched, evidence, today)
    failure = policy.over.failure({"statement": result})
    if failure is None:
        return Judgement(allowed=True, used=used, weak=not used, open=True)
    finding = Finding(
        "where-failed",
        "the authorities are satisfied, but not the policy over all of them",
        expected=policy.over.text,
        found=failure,
        fix="add the signatures and attestations that it asks for, or change the policy",
    )
    return Judgement(allowed=False, findings=(finding,))


def _beside(demand: Demand, image: Image, evidence: Sequence[Evidence]) -> Mapping[str, Any]:
    """What other evidence adds to what the demand's expressions see: ``vex``, where it names who may write it."""
    if not demand.vex:
        return {}
    documents = [e for e in evidence if is_vex(e) and any(signer.mismatch(e) is None for signer in demand.vex)]
    return {"vex": {"accepted": accepted(documents, image)}}


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
