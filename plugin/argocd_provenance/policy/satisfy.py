"""Which evidence satisfies a demand.

One piece of evidence must pass every check: two half-good ones do not add up to a good one. Where more signers than one
are asked for, each entry of `by` counts once, and each signer counts once.
"""

from collections.abc import Sequence

from argocd_provenance.evidence.values import Evidence
from argocd_provenance.policy.checks import Question, is_of_kind, misses, signed_as


def satisfying(question: Question, evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """One piece of evidence for each signer that the demand asks for; empty if it is not satisfied."""
    offers: dict[str, dict[int, Evidence]] = {}
    for piece in evidence:
        if is_of_kind(question.demand, piece) and not misses(question, piece)[1]:
            places = offers.setdefault(_who(piece), {})
            for place in signed_as(question.demand, piece):
                places.setdefault(place, piece)
    seats = seated({who: sorted(places) for who, places in offers.items()})
    if len(seats) < question.demand.at_least:
        return ()
    return tuple(offers[seats[place]][place] for place in sorted(seats)[: question.demand.at_least])


def seated(offers: dict[str, list[int]]) -> dict[int, str]:
    """Who takes which entry, so that as many entries as can be are taken (bipartite matching, augmenting paths)."""
    seats: dict[int, str] = {}

    def seat(who: str, tried: set[int]) -> bool:
        for place in offers[who]:
            if place in tried:
                continue
            tried.add(place)
            if place not in seats or seat(seats[place], tried):
                seats[place] = who
                return True
        return False

    for who in offers:
        seat(who, set())
    return seats


def _who(evidence: Evidence) -> str:
    """The signer, who counts once however often they signed."""
    if evidence.certificate is None:
        return evidence.anchor.name
    return f"{evidence.certificate.issuer} {evidence.certificate.identity}"
