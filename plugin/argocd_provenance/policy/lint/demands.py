"""Demands: those that contradict themselves, ask for what nobody writes any more, or are true of nothing."""

import re
from collections.abc import Iterator

from argocd_provenance.lints import Lint
from argocd_provenance.policy import retired
from argocd_provenance.policy.expression import CelExpression
from argocd_provenance.policy.lint.meeting import meet
from argocd_provenance.policy.lint.places import Spot
from argocd_provenance.policy.model import Demand, Policy
from argocd_provenance.policy.signers import GithubSigner, IdentitySigner, KeySigner


def demand_lints(policy: Policy, spot: Spot) -> Iterator[Lint]:
    """What there is to say of what `policy` demands."""
    for demand in policy.require:
        yield from _retired(demand, spot)
        yield from _contradictions(policy, demand, spot)
        for place, condition in enumerate(demand.where):
            path = f"{demand.path}.where" + (f"[{place}]" if len(demand.where) > 1 else "")
            yield from _expression(condition, path, spot)
    for warning in policy.warnings:
        yield from _of_reader(warning, spot)


def _retired(demand: Demand, spot: Spot) -> Iterator[Lint]:
    said = (
        ("builder", demand.builder or "", retired.retired_builder(demand.builder or "")),
        ("buildType", demand.build_type or "", retired.retired_build_type(demand.build_type or "")),
    )
    for name, value, advice in said:
        if advice:
            yield spot("retired-value", f"{demand.path}.{name}", f"{name} {value} fits nothing built today", advice)
    for condition in demand.where:
        advice = retired.retired_builder(condition.text)
        if advice:
            yield spot("retired-value", f"{demand.path}.where", f"{condition.text} fits nothing built today", advice)


def _expression(condition: object, path: str, spot: Spot) -> Iterator[Lint]:
    if isinstance(condition, CelExpression):
        for said in condition.warnings():
            yield spot("vacuous-expression", path, said, "say what must be there, in the same expression")


def _of_reader(warning: str, spot: Spot) -> Iterator[Lint]:
    """What the reader of a ClusterImagePolicy noticed; what is said elsewhere is left out here."""
    path, _, said = warning.partition(": ")
    if path.endswith("RegExp") or said.startswith("a key without ctlog"):
        return
    if path.endswith("insecureIgnoreSCT"):
        yield spot("no-sct", path, said, "leave insecureIgnoreSCT out, unless the instance has no CT log")
    elif said in {retired.BUILDER_ADVICE, retired.BUILD_TYPE_ADVICE}:
        yield spot("retired-value", path, "the policy asks for a value that fits nothing built today", said)
    else:
        yield spot("vacuous-expression", path, said, "constrain the fields that must be there, by their values")


def _contradictions(policy: Policy, demand: Demand, spot: Spot) -> Iterator[Lint]:
    if demand.source.ref is not None and not meet(demand.source.ref.text, "refs/**"):
        yield spot(
            "demand-never",
            f"{demand.path}.source.ref",
            f"{demand.source.ref.text} fits no ref of Git: they begin with refs/",
            f"write refs/heads/{demand.source.ref.text}, or refs/tags/…",
        )
    for place, signer in enumerate(demand.by):
        path = f"{demand.path}.by[{place}]"
        if isinstance(signer, GithubSigner):
            yield from _github(demand, signer, path, spot)
        highest = 3 if policy.builders else _highest(demand, signer)
        if demand.level is not None and demand.level > highest:
            yield spot(
                "demand-never",
                f"{demand.path}.level",
                f"{signer} reaches SLSA build level {highest}, and level {demand.level} is demanded",
                "name the reusable workflow that signs (`signer`), ask for less, or add a row under `builders`",
            )


def _github(demand: Demand, signer: GithubSigner, path: str, spot: Spot) -> Iterator[Lint]:
    wanted = demand.source.repository
    if wanted is not None and not meet(signer.source.text.lower(), wanted.text.lower()):
        yield spot(
            "demand-never",
            path,
            f"{signer.source.text} is the source of whatever it signs, and source.repository asks for {wanted.text}",
            "name the same repository twice, or leave source.repository out",
        )
    for name, mine, asked in (("ref", signer.ref, demand.source.ref), ("workflow", signer.workflow, demand.workflow)):
        refs = name != "ref" or (asked is not None and meet(asked.text, "refs/**"))  # a ref that is none is said above
        if mine is not None and asked is not None and refs and not meet(mine.text, asked.text):
            yield spot(
                "demand-never",
                path,
                f"{name} {mine.text} is never {asked.text}, which the demand asks for",
                f"name the same {name} twice, or leave one of them out",
            )


def _highest(demand: Demand, signer: GithubSigner | IdentitySigner | KeySigner) -> int:
    """The highest level that evidence by `signer` can reach by the built-in table (`policy.levels`)."""
    if isinstance(signer, KeySigner) or demand.runner == "self-hosted":
        return 1
    if isinstance(signer, GithubSigner) and signer.signer is None:
        generator = re.match(r"slsa-framework/", signer.repository, re.IGNORECASE)
        return 3 if generator else 2
    return 3
