"""How a policy was decided, as a tree of lines: authorities, demands, evidence, and every check with what it found.

It decides nothing: it asks the same questions again, and writes the answers down.
"""

from collections.abc import Iterator, Sequence
from datetime import date

from argocd_provenance.evidence.values import Evidence, Rejected
from argocd_provenance.policy.checks import Question, checks, is_of_kind, signed_as
from argocd_provenance.policy.explain import plain, wanted
from argocd_provenance.policy.imagepatterns import Image
from argocd_provenance.policy.judge import about, question
from argocd_provenance.policy.model import Authority, Policy
from argocd_provenance.policy.satisfy import satisfying


def tree(
    image: Image, policy: Policy, evidence: Sequence[Evidence], rejected: Sequence[Rejected], *, today: date
) -> Iterator[str]:
    """The lines about `policy`, indented by their depth."""
    where = f" for {image.digest}" if image.digest is not None else ""
    place = f" ({policy.origin})" if policy.origin != policy.name else ""
    yield f"policy {policy.name}{place}, mode {policy.mode}{where}"
    if not policy.authorities:
        yield "  nothing is asked for: the digest is only written down"
    held = about(image, evidence)
    for authority in policy.authorities:
        yield from _authority(image, policy, authority, held, today)
    for candidate in sorted(rejected, key=lambda one: (one.source, one.code, one.reason)):
        said = f"claims to be by {plain(candidate.claimed_identity)}" if candidate.claimed_identity else "by nobody"
        yield f"  not verified: {plain(candidate.source) or 'a candidate'}, {said} [{candidate.code}] {candidate.reason}"


def _authority(
    image: Image, policy: Policy, authority: Authority, evidence: Sequence[Evidence], today: date
) -> Iterator[str]:
    inset = "  "
    if authority.name or len(policy.authorities) > 1:
        yield f"  authority {authority.name}, any of {len(policy.authorities)}"
        inset = "    "
    if authority.static is not None:
        yield f"{inset}static: {authority.static} {authority.message}".rstrip()
    for demand in authority.demands:
        asked = question(demand, image, policy, evidence, today)
        used = satisfying(asked, evidence)
        at_least = f", {demand.at_least} of {len(demand.by)} signers" if demand.at_least > 1 else ""
        yield f"{inset}{'ok' if used else 'NO'} {demand.path}: {wanted(demand)}{at_least}"
        yield from (f"{inset}   {line}" for line in _demand(asked, evidence))


def _demand(asked: Question, evidence: Sequence[Evidence]) -> Iterator[str]:
    fitting = [piece for piece in evidence if is_of_kind(asked.demand, piece)]
    if not fitting:
        yield "nothing of this kind verifies"
    for piece in fitting:
        yield f"{piece.kind} {piece.digest} ({piece.form}, from {plain(piece.source) or 'a file'})"
        signers = signed_as(asked.demand, piece)
        for signer in asked.demand.by:
            missed = signer.mismatch(piece)
            said = "" if missed is None else f"; found {missed.found}"
            yield f"  {'ok' if missed is None else 'NO'} signed by {signer}{said}"
        if signers:
            for check in checks(asked, piece):
                failed = check.finding
                word = "ok" if failed is None else f"NO [{failed.code}]"
                yield f"  {word} {plain(check.asked)}: {plain(check.found)}"
