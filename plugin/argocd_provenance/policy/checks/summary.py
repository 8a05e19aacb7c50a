"""What a verification summary (VSA) must say, beside who signed it.

slsa.dev/spec/v1.1/verification_summary, "How to verify": the verifier is one that the signer may speak for, the resource
is this image, the result is PASSED, and the levels reach what is asked for. Unknown fields are ignored, as it demands.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

from argocd_provenance.errors import InvalidReference
from argocd_provenance.evidence.values import Evidence
from argocd_provenance.oci.reference import Reference
from argocd_provenance.policy.checks.holds import Check, checked, shown
from argocd_provenance.policy.imagepatterns import Image
from argocd_provenance.policy.model import Summary
from argocd_provenance.policy.predicateplace import At
from argocd_provenance.policy.question import Question
from argocd_provenance.verdict import Finding

_TRACK = "SLSA_BUILD_LEVEL_"
_SCHEMES = ("docker://", "oci://", "https://")


def summary(question: Question, evidence: Evidence) -> Iterator[Check]:
    """A check for each thing that the summary must say."""
    wanted = question.demand.summary
    if wanted is None:
        return
    predicate = At("predicate", evidence.predicate)
    yield _check(_says("verifier", wanted.verifier, predicate.at("verifier", "id")), predicate.at("verifier", "id"))
    yield _check(_says("result", "PASSED", predicate.at("verificationResult")), predicate.at("verificationResult"))
    yield _check(_resource(wanted, question.image, predicate.at("resourceUri")), predicate.at("resourceUri"))
    if wanted.policy is not None:
        yield _check(_says("policy", wanted.policy, predicate.at("policy", "uri")), predicate.at("policy", "uri"))
    if wanted.level is not None:
        yield _check(_level(wanted.level, predicate.at("verifiedLevels")), predicate.at("verifiedLevels"))
    if question.demand.max_age_days is not None:
        yield _check(
            _time(question.demand.max_age_days, question.today, predicate.at("timeVerified")),
            predicate.at("timeVerified"),
        )


def _check(finding: Finding | None, place: At) -> Check:
    return checked(f"a summary's {place.path.removeprefix('predicate.')}", _found(place), finding)


def _says(what: str, wanted: str, place: At) -> Finding | None:
    return None if place.value == wanted else _wrong(f"the summary's {what} is another", wanted, place)


def _resource(wanted: Summary, image: Image, place: At) -> Finding | None:
    uri = place.text()
    if uri is not None and (
        wanted.resource.matches(uri.value) if wanted.resource is not None else _names(uri.value, image)
    ):
        return None
    named = wanted.resource.text if wanted.resource is not None else image.repository.name
    return _wrong("the summary is about another resource", named, place)


def _names(uri: str, image: Image) -> bool:
    """Whether `uri` is a reference of the image's repository, of this digest where it names one."""
    scheme = next((scheme for scheme in _SCHEMES if uri.startswith(scheme)), "")
    try:
        named = Reference.parse(uri.removeprefix(scheme))
    except InvalidReference:
        return False
    return named.repository == image.repository and named.digest in (None, image.digest)


def _level(wanted: int, place: At) -> Finding | None:
    levels = [item.value for item in place.items() if isinstance(item.value, str)]
    if any(f"{_TRACK}{number}" in levels for number in range(wanted, 4)):
        return None
    return _wrong("the summary's levels do not reach the one asked for", f"{_TRACK}{wanted}", At(place.path, levels))


def _time(allowed: int, today: date, place: At) -> Finding | None:
    try:
        at = datetime.fromisoformat(place.value) if isinstance(place.value, str) else None
        at = at.astimezone(UTC) if at is not None and at.tzinfo is not None else None
    except (ValueError, OverflowError):  # in UTC a time of the year 1 may lie before all years
        at = None
    if at is not None and 0 <= (today - at.date()).days <= allowed:
        return None
    return Finding(
        "too-old",
        "verified longer ago than the policy allows" if at else "the summary does not say when it was verified",
        expected=f"at most {allowed} day{'s' if allowed != 1 else ''} ago",
        found=_found(place),
        fix="have the image verified again, or raise `maxAge`",
    )


def _wrong(message: str, wanted: str, place: At) -> Finding:
    return Finding(
        "wrong-summary",
        message,
        expected=wanted,
        found=_found(place),
        fix="deploy an image that the verifier passed, or correct `summary` in the policy",
    )


def _found(place: At) -> str:
    value: Any = place.value
    return f"{shown(str(value))} ({place.path})" if value not in (None, [], "") else f"nothing ({place.path})"
