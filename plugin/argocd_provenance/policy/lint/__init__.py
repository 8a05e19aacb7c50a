"""What is wrong with policies that load: rules that can never match, and rules that match more than they seem to.

The law: whatever is called an error here is shown, not suspected: by two patterns that have no text in common, or by a stranger's
identity that a pattern takes.
"""

from collections.abc import Iterator, Sequence
from datetime import date

from argocd_provenance.lints import Lint, in_order
from argocd_provenance.policy.lint.demands import demand_lints
from argocd_provenance.policy.lint.images import image_lints
from argocd_provenance.policy.lint.places import Places
from argocd_provenance.policy.lint.signers import signer_lints
from argocd_provenance.policy.lint.together import exception_lints, overlaps
from argocd_provenance.policy.model import Policy


def lint(policies: Sequence[Policy], files: Sequence[tuple[str, str]], today: date) -> tuple[Lint, ...]:
    """What there is to say of `policies`, which stand in `files` (path and text); exceptions are judged by `today`."""
    places = Places(files)
    return in_order((*_each(policies, places, today), *overlaps(policies, places)))


def _each(policies: Sequence[Policy], places: Places, today: date) -> Iterator[Lint]:
    for policy in policies:
        spot = places.of(policy)
        yield from image_lints(policy, spot)
        yield from signer_lints(policy, spot)
        yield from demand_lints(policy, spot)
        yield from exception_lints(policy, spot, today)
