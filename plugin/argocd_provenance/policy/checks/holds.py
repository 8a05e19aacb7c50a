"""An expectation held against what is said: a finding with both and the place, or None."""

from collections.abc import Callable

from argocd_provenance.policy.predicateplace import Said
from argocd_provenance.verdict import Finding


def holds(code: str, what: str, wanted: str, said: Said | None, fits: Callable[[str], bool]) -> Finding | None:
    """A finding unless something is said of `what`, and it fits. What nobody says satisfies no expectation."""
    if said is not None and fits(said.value):
        return None
    return Finding(
        code,
        f"the {what} is another" if said else f"nothing says which {what} it was",
        expected=f"{what} {wanted}",
        found=f"{shown(said.value)} ({said.read_from})" if said else "nothing, neither in certificate nor predicate",
        fix=f"deploy an image of the expected {what}, or change the policy",
    )


def shown(text: str) -> str:
    """Foreign text, short enough for a message, without what would move a terminal's cursor."""
    clean = "".join(letter if letter.isprintable() else "?" for letter in text[:300])
    return clean + ("…" if len(text) > 300 else "")
