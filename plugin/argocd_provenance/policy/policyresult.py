"""What a policy over all authorities sees: which were satisfied, by which signatures and attestations.

policy-controller: pkg/webhook/validator_result.go. Of a certificate only the fields that are named there are shown; the
predicates are not; what says the same of signer and run is listed once, stricter than upstream. What upstream adds from the cluster or makes up itself (``id``, ``digest``, ``config``, ``spec``, …)
is absent, so that a policy about it does not hold.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from argocd_provenance.evidence.values import Evidence
from argocd_provenance.policy import github
from argocd_provenance.policy.checks import is_of_kind, misses
from argocd_provenance.policy.imagepatterns import Image
from argocd_provenance.policy.model import Authority, Demand, Policy
from argocd_provenance.policy.question import Question

_CLAIMS = {
    "githubWorkflowTrigger": "buildTrigger",
    "githubWorkflowSha": "sourceRepositoryDigest",
    "githubWorkflowName": "githubWorkflowName",
    "githubWorkflowRef": "sourceRepositoryRef",
}


def policy_result(
    image: Image, policy: Policy, matched: Sequence[Authority], evidence: Sequence[Evidence], today: date
) -> tuple[dict[str, Any], tuple[Evidence, ...]]:
    """The result of the authorities that were satisfied, and all evidence in it."""
    used: list[Evidence] = []
    found: dict[str, Any] = {}
    for authority in matched:
        if authority.static is not None:
            found[authority.name] = {"static": True}
            continue
        entry: dict[str, Any] = {}
        for demand in authority.demands:
            question = Question(demand, image, policy.subject_name, today, policy.builders)
            fitting = [e for e in evidence if is_of_kind(demand, e) and not misses(question, e)[1]]
            used += [piece for piece in fitting if piece not in used]
            listed = _distinct(_said(demand, piece) for piece in fitting)
            if demand.kind == "signature":
                entry["signatures"] = listed
            else:
                entry.setdefault("attestations", {})[demand.name] = listed
        found[authority.name] = entry
    return {"authorityMatches": found}, tuple(used)


def _distinct(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """`entries`, alike ones once: who can write to the registry can copy a signature, and it must not count as two."""
    found: list[dict[str, Any]] = []
    for entry in entries:
        if entry not in found:
            found.append(entry)
    return found


def _said(demand: Demand, evidence: Evidence) -> dict[str, Any]:
    said: dict[str, Any] = {}
    certificate = evidence.certificate
    if certificate is not None:
        said = {"subject": certificate.identity, "issuer": certificate.issuer}
        said |= {name: certificate.claims.get(claim, "") for name, claim in _CLAIMS.items()}
        server, source = github.server(certificate.issuer), github.source_repository(certificate)
        if server and source:
            said["githubWorkflowRepo"] = source.removeprefix(f"{server}/")
    if demand.kind == "attestation":
        said["predicateType"] = evidence.predicate_type
    return {name: value for name, value in said.items() if value}
