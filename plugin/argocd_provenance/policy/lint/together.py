"""Policies beside each other, and exceptions beside the day."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import combinations

from argocd_provenance.lints import Lint
from argocd_provenance.policy.imagepatterns import ImagePattern
from argocd_provenance.policy.lint.images import swallows
from argocd_provenance.policy.lint.meeting import meet
from argocd_provenance.policy.lint.places import Places, Spot
from argocd_provenance.policy.model import Policy

SOON = timedelta(days=14)
# Each pair is compared; a folder of thousands of policies is made by a program, which knows what it does.
_MOST = 400


def exception_lints(policy: Policy, spot: Spot, today: date) -> Iterator[Lint]:
    """What there is to say of the exceptions of `policy` on a day."""
    for place, exception in enumerate(policy.exceptions):
        path = f"spec.exceptions[{place}]"
        if exception.expires < today:
            yield spot(
                "expired-exception",
                f"{path}.expires",
                f"the exception {exception.reason} of {exception.owner} expired on {exception.expires}",
                "remove it; or prolong it, if its owner still answers for it",
            )
        elif exception.expires <= today + SOON:
            yield spot(
                "expiring-exception",
                f"{path}.expires",
                f"the exception {exception.reason} of {exception.owner} ends after {exception.expires}",
                "have the image signed before that day, or prolong the exception",
            )
        for pattern in exception.images:
            if not any(_overlap(pattern, covered) for covered in policy.images):
                yield spot(
                    "exception-idle",
                    f"{path}.images",
                    f"{pattern.written} is none of the images that this policy is about",
                    "move the exception to the policy that refuses the image, or correct the name",
                )


def overlaps(policies: Sequence[Policy], places: Places) -> Iterator[Lint]:
    """A note for each pair of policies that are about the same images."""
    if len(policies) > _MOST:
        return
    for one, other in combinations(policies, 2):
        if one.narrow or other.narrow:
            continue
        away = (*one.exclude, *other.exclude)
        pairs = ((a, b) for a in one.images for b in other.images if _overlap(a, b))
        pair = next(((a, b) for a, b in pairs if not any(swallows(x, a) or swallows(x, b) for x in away)), None)
        if pair is None:
            continue
        yield places.of(other)(
            "overlap",
            f"spec.images[{other.images.index(pair[1])}]",
            f"{pair[1].written} and {pair[0].written} (policy {one.name}, {one.origin}) can fit the same image: both policies must hold"
            + _modes(one, other),
            "nothing, if that is meant; otherwise narrow one of them, or exclude the images there",
        )


def _modes(one: Policy, other: Policy) -> str:
    if one.mode == other.mode:
        return ""
    return (
        f", and the strictest mode among those that fail decides ({one.name}: {one.mode}, {other.name}: {other.mode})"
    )


def _overlap(one: ImagePattern, other: ImagePattern) -> bool:
    if not meet(one.repository.text, other.repository.text):
        return False
    for mine, theirs in ((one.tag, other.tag), (one.digest, other.digest)):
        if mine is not None and theirs is not None and not meet(mine.text, theirs.text):
            return False
    return True
