"""What the judgements of several policies add up to for one image.

All policies that cover an image must hold, and the strictest mode among those that fail decides. What could not be
asked makes an answer "undecided", never "denied"; and it never makes it "allowed".
"""

from collections.abc import Sequence
from typing import Literal

from argocd_provenance.evidence.values import Evidence
from argocd_provenance.policy.imagepatterns import Image
from argocd_provenance.policy.judge import Judgement
from argocd_provenance.policy.model import Policy, PolicyException
from argocd_provenance.policy.select import Coverage
from argocd_provenance.records import dataclass
from argocd_provenance.verdict import Finding, Outcome

Unmatched = Literal["deny", "pin", "allow"]
Word = Literal["verified", "exception", "unverified", "warned"]
"""How an annotation says it; ``warned`` is the weakest, ``verified`` the strongest."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one image. `mode` is ``enforce`` or ``warn``; `word` is empty where nothing is deployed."""

    outcome: Outcome
    mode: Literal["enforce", "warn"] = "enforce"
    findings: tuple[Finding, ...] = ()
    used: tuple[Evidence, ...] = ()
    policies: tuple[str, ...] = ()
    exception: PolicyException | None = None
    word: Word | Literal[""] = ""
    pins: bool = False
    """Whether the digest is written into the document."""
    settled: bool = False
    """Whether no further evidence could change it."""


def decide(
    image: Image,
    coverage: Coverage,
    judged: Sequence[tuple[Policy, Judgement]],
    faults: Sequence[Finding],
    unmatched: Unmatched,
    *,
    enforce: bool = False,
) -> Decision:
    """Combine what every policy of `coverage` said of `image`.

    `faults` are what could not be asked; `enforce` makes every ``mode: warn`` count as ``enforce``.
    """
    if not coverage.policies:
        return _uncovered(image, coverage, unmatched)
    names = tuple(sorted(policy.name for policy in coverage.policies))
    failed = [(policy, judgement) for policy, judgement in judged if not judgement.allowed]
    if not failed and judged:
        return _allowed([judgement for _, judgement in judged], names)
    mode = _strictest([policy for policy, _ in failed], enforce=enforce)
    word: Word | Literal[""] = "warned" if mode == "warn" else ""
    # A policy that holds has proved this digest and no other: a tag left as written could become one.
    pins = mode == "warn" and any(policy.mode != "warn" for policy in coverage.policies)
    final = any(judgement.final for policy, judgement in failed if mode == "warn" or enforce or policy.mode != "warn")
    if faults and not final:
        return Decision(Outcome.ERROR, mode, tuple(dict.fromkeys(faults)), policies=names, word=word, pins=pins)
    findings = tuple(dict.fromkeys(finding for _, judgement in failed for finding in judgement.findings))
    return Decision(Outcome.DENIED, mode, findings, policies=names, word=word, pins=pins, settled=final)


def undecided(finding: Finding, policies: Sequence[Policy] = (), *, enforce: bool = False) -> Decision:
    """The decision about an image that could not be asked about at all."""
    mode = _strictest(policies, enforce=enforce)
    names = tuple(sorted(policy.name for policy in policies))
    return Decision(
        Outcome.ERROR, mode, (finding,), policies=names, word="warned" if mode == "warn" else "", settled=True
    )


def _strictest(failed: Sequence[Policy], *, enforce: bool) -> Literal["enforce", "warn"]:
    """``warn`` only where every policy that fails says so; an image without policies is enforced."""
    return "warn" if failed and not enforce and all(policy.mode == "warn" for policy in failed) else "enforce"


def _allowed(judgements: Sequence[Judgement], names: tuple[str, ...]) -> Decision:
    used = _distinct(judgements)
    exception = next((j.exception for j in judgements if j.exception is not None), None)
    if exception is not None:
        return Decision(Outcome.ALLOWED, used=used, policies=names, exception=exception, word="exception", pins=True)
    settled = not any(judgement.open for judgement in judgements)
    if all(judgement.weak for judgement in judgements):
        return Decision(Outcome.UNVERIFIED, policies=names, word="unverified", pins=True, settled=settled)
    return Decision(Outcome.ALLOWED, used=used, policies=names, word="verified", pins=True, settled=settled)


def _distinct(judgements: Sequence[Judgement]) -> tuple[Evidence, ...]:
    used: list[Evidence] = []
    for judgement in judgements:
        used += [piece for piece in judgement.used if piece not in used]
    return tuple(used)


def _uncovered(image: Image, coverage: Coverage, unmatched: Unmatched) -> Decision:
    if coverage.out_of_scope:
        finding = Finding(
            "out-of-scope",
            "only policies for other Applications cover this image",
            expected="a policy for this Application",
            found=f"policies {', '.join(coverage.elsewhere)} for others",
            fix="deploy it with the Application that the policy names, or add this one to its `applications`",
        )
        return Decision(Outcome.DENIED, findings=(finding,), settled=True)
    if unmatched == "deny":
        excluded = f"; policies {', '.join(coverage.excluded)} exclude it" if coverage.excluded else ""
        unlike = f"; policies {', '.join(coverage.unlike)} are about other objects" if coverage.unlike else ""
        finding = Finding(
            "unmatched",
            "no policy covers this image",
            expected=f"an image that fits {', '.join(coverage.tried[:5]) or 'a policy (there is none)'}",
            found=f"{image.repository.name}{excluded}{unlike}",
            fix="add a policy for it, with `mode: pin` if nobody signs it",
        )
        return Decision(Outcome.DENIED, findings=(finding,), settled=True)
    return Decision(Outcome.UNVERIFIED, word="unverified", pins=unmatched == "pin", settled=True)
