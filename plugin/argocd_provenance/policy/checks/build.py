"""How it must have been built: builder, build type, runner, trigger, environment, visibility, SLSA build level, age."""

from collections.abc import Iterator
from datetime import UTC

from argocd_provenance.evidence.values import Evidence
from argocd_provenance.policy.checks.holds import Check, holds
from argocd_provenance.policy.claims import Claims
from argocd_provenance.policy.levels import level
from argocd_provenance.policy.question import Question
from argocd_provenance.policy.signers import describe
from argocd_provenance.verdict import Finding


def build(question: Question, claims: Claims, evidence: Evidence) -> Iterator[Check]:
    """A check for each expectation of the build."""
    demand = question.demand
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
            yield holds(code, what, wanted, said, wanted.__eq__)
    if demand.level is not None:
        reached = level(evidence, question.builders)
        finding = Finding(
            "low-level",
            "the builder does not reach the SLSA build level asked for",
            expected=f"level {demand.level}",
            found=f"level {reached.level} ({reached.row}): {describe(evidence)}",
            fix="build with a reusable workflow or slsa-github-generator on GitHub's runners, lower `level`, or "
            "say under `builders` which level you trust this builder up to",
        )
        yield Check(finding.expected, finding.found, finding if reached.level < demand.level else None)


def age(question: Question, evidence: Evidence) -> Iterator[Check]:
    """A check where an age is asked for: it fails where it was signed longer ago, or nobody knows when."""
    allowed = question.demand.max_age_days
    if allowed is None:
        return
    # The earliest: anybody can have an old signature stamped again later.
    signed = min(evidence.times).astimezone(UTC).date() if evidence.times else None
    finding = Finding(
        "too-old",
        "signed longer ago than the policy allows" if signed else "nothing proves when it was signed",
        expected=f"at most {allowed} day{'s' if allowed != 1 else ''} ago",
        found=f"signed on {signed} (proved by log or timestamp authority)" if signed else "no proved time",
        fix="rebuild the image, or raise `maxAge`",
    )
    young = signed is not None and (question.today - signed).days <= allowed
    yield Check(finding.expected, finding.found, None if young else finding)
