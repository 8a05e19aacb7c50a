"""A check: an expectation, what was found and where, and a finding unless it holds."""

from collections.abc import Callable

from argocd_provenance.policy.predicateplace import Said
from argocd_provenance.records import dataclass
from argocd_provenance.verdict import Finding


@dataclass(frozen=True, slots=True)
class Check:
    """What was asked and what was found, for people; `finding` is None where it holds."""

    asked: str
    found: str
    finding: Finding | None = None


def holds(code: str, what: str, wanted: str, said: Said | None, fits: Callable[[str], bool]) -> Check:
    """Whether something is said of `what`, and fits. What nobody says satisfies no expectation."""
    asked = f"{what} {wanted}"
    found = f"{shown(said.value)} ({said.read_from})" if said else "nothing, neither in certificate nor predicate"
    if said is not None and fits(said.value):
        return Check(asked, found)
    finding = Finding(
        code,
        f"the {what} is another" if said else f"nothing says which {what} it was",
        expected=asked,
        found=found,
        fix=f"deploy an image of the expected {what}, or change the policy",
    )
    return Check(asked, found, finding)


def checked(asked: str, found: str, finding: Finding | None) -> Check:
    """The check that `finding` is about; its own words go before these."""
    return Check(asked, found, None) if finding is None else Check(finding.expected, finding.found, finding)


def shown(text: str) -> str:
    """Foreign text, short enough for a message, without what would move a terminal's cursor."""
    clean = "".join(letter if letter.isprintable() else "?" for letter in text[:300])
    return clean + ("…" if len(text) > 300 else "")
