"""Why evidence does not satisfy a demand: findings for people, the nearest miss first.

Every finding says what was expected, what was found, and the fix.
"""

from collections.abc import Sequence

from argocd_provenance.evidence.values import Evidence, Rejected
from argocd_provenance.policy.checks import Question, is_of_kind, misses
from argocd_provenance.policy.model import Demand
from argocd_provenance.policy.signers import GithubSigner, describe
from argocd_provenance.verdict import Finding

_NOT_THERE = {
    "signature": ("no-signature", "a signature"),
    "provenance": ("no-provenance", "SLSA provenance"),
    "attestation": ("no-attestation", "an attestation"),
    "any": ("unsigned", "a signature or an attestation"),
}
_SHOWN = 3
_KEPT = "actions/attest needs `push-to-registry: true`, or only GitHub has what it signed; "
_PUSH = (
    "set `push-to-registry: true` in the step that runs actions/attest, build again, and hard-refresh the Application"
)
_LOOKED = "looked at: "


def denial(question: Question, evidence: Sequence[Evidence]) -> list[Finding]:
    """Why none of `evidence` satisfies the demand."""
    demand = question.demand
    fitting = [piece for piece in evidence if is_of_kind(demand, piece)]
    if not fitting:
        return [_of_other_kind(demand, evidence), *_not_pushed(demand, evidence)]
    tried = sorted((misses(question, piece) for piece in fitting), key=lambda miss: (-miss[0], miss[1]))
    good = sum(not findings for _, findings in tried)
    if good:
        return [_too_few(demand, good), *(finding for _, findings in tried for finding in findings[:1])]
    nearest = tried[0][1]
    others = {findings[0] for _, findings in tried[1:]} - set(nearest)
    return [*nearest, *sorted(others)[: _SHOWN - 1]]


def nearest_miss(question: Question, evidence: Sequence[Evidence]) -> int:
    """How far the evidence that came nearest got; 0 where there is none of its kind."""
    return max((misses(question, piece)[0] for piece in evidence if is_of_kind(question.demand, piece)), default=0)


def missing(demands: Sequence[Demand], rejected: Sequence[Rejected], notes: Sequence[str]) -> list[Finding]:
    """Why nothing that is attached to the image proves anything."""
    looked = _in_one(notes)
    found = f"{_count(len(rejected), 'candidate')}, of which none verifies" if rejected else "nothing that is signed"
    asked = " and ".join(dict.fromkeys(wanted(demand) for demand in demands))
    unsigned = Finding(
        "unsigned",
        "nothing that is attached to the image verifies",
        expected=asked,
        found=f"{found}{f'; {looked}' if looked else ''}",
        fix="sign the image in the pipeline that builds it, or deploy one that is signed; "
        f"{_KEPT if not rejected and _by_attest(demands) else ''}after signing, hard-refresh the Application",
    )
    return [unsigned, *_rejections(rejected, asked)]


def _by_attest(demands: Sequence[Demand]) -> bool:
    """Whether an attestation of a GitHub workflow is asked for, which GitHub keeps to itself unless told otherwise."""
    return any(
        demand.kind in ("provenance", "attestation") and any(isinstance(signer, GithubSigner) for signer in demand.by)
        for demand in demands
    )


def _in_one(notes: Sequence[str]) -> str:
    """The notes in one line: first where was looked, then what else there is to say."""
    places = [note.removeprefix(_LOOKED) for note in dict.fromkeys(notes) if note.startswith(_LOOKED)]
    others = [note for note in dict.fromkeys(notes) if not note.startswith(_LOOKED)]
    return "; ".join([_LOOKED + ", ".join(places)] * bool(places) + others)


def _rejections(rejected: Sequence[Rejected], asked: str) -> list[Finding]:
    said = sorted({(r.source, r.code, r.reason, r.claimed_identity, r.claimed_predicate_type) for r in rejected})
    found = [
        Finding(
            "rejected",
            f"evidence was found, and it does not verify [{code}]: {reason}",
            expected=asked,
            found=_claimed(source, identity, kind),
            fix="sign the image again with a signer that the policy trusts; see the reason",
        )
        for source, code, reason, identity, kind in said[:_SHOWN]
    ]
    if len(said) > _SHOWN:
        last = found[-1]
        more = f"{last.message} (+{len(said) - _SHOWN} other candidates, see the report)"
        found[-1] = Finding(last.code, more, last.expected, last.found, last.fix)
    return found


def _claimed(source: str, identity: str, kind: str) -> str:
    claims = [f"claims to be by {plain(identity)}" if identity else "", f"of type {plain(kind)}" if kind else ""]
    return ", ".join(part for part in (plain(source) or "a candidate", *claims) if part)


def _of_other_kind(demand: Demand, evidence: Sequence[Evidence]) -> Finding:
    code, what = _NOT_THERE[demand.kind]
    verified = sorted({piece.predicate_type or "a cosign signature" for piece in evidence})
    listed = ", ".join(plain(kind) for kind in verified[:5]) + (
        f" and {len(verified) - 5} more" if len(verified) > 5 else ""
    )
    return Finding(
        code,
        f"something verifies, but it is not {what} that the policy asks for",
        expected=wanted(demand),
        found=listed or "nothing",
        fix=f"attach {what} in the pipeline that builds the image",
    )


def _not_pushed(demand: Demand, evidence: Sequence[Evidence]) -> list[Finding]:
    """A finding where the workflow that should have attested did sign, and no attestation at all is in the registry.

    It is no proof that GitHub keeps one: GitHub is not asked. It is the one sign of it that lies in the registry.
    """
    if demand.kind not in ("provenance", "attestation") or any(piece.kind != "signature" for piece in evidence):
        return []
    github = [signer for signer in demand.by if isinstance(signer, GithubSigner)]
    by = [piece for piece in evidence if any(signer.built(piece) for signer in github)]
    if not by:
        return []
    return [
        Finding(
            "not-pushed",
            "this workflow's repository signed the image, and no attestation is in the registry",
            expected=wanted(demand),
            found=f"a signature by {describe(by[0])}, and no attestation; what GitHub itself may keep is not asked for",
            fix=_PUSH,
        )
    ]


def _too_few(demand: Demand, good: int) -> Finding:
    return Finding(
        "too-few-signers",
        "fewer signers than the policy asks for",
        expected=f"{demand.at_least} different signers of: {'; '.join(str(signer) for signer in demand.by)}",
        found=f"{_count(good, 'piece')} of evidence that fit{'s' if good == 1 else ''}",
        fix="have the other signers sign the same digest",
    )


def wanted(demand: Demand) -> str:
    """What the demand asks for, in words."""
    what = _NOT_THERE[demand.kind][1]
    types = f" of type {' or '.join(sorted(demand.predicate_types))}" if demand.predicate_types else ""
    others = f" or {len(demand.by) - 1} more" if len(demand.by) > 1 else ""
    return f"{what}{types} by {demand.by[0]}{others}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def plain(text: str) -> str:
    """Foreign text without what would move a terminal's cursor, at most 300 characters of it."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:300])
