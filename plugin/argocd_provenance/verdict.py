"""What a decision says: findings with stable codes, and the verdict they add up to.

The list of codes is closed: each has a section in ``docs/findings.md``, and a test holds the two together.
"""

import enum
from collections.abc import Mapping

from argocd_provenance.records import dataclass

CODES: Mapping[str, str] = {
    # denied: it was checked, and it does not hold
    "unsigned": "nothing that is attached to the image verifies",
    "no-signature": "something verifies, but no signature that the policy asks for",
    "no-provenance": "something verifies, but no provenance",
    "no-attestation": "something verifies, but no attestation of the type asked for",
    "wrong-signer": "signed, but by somebody else than the policy trusts",
    "wrong-source": "built from another repository",
    "wrong-ref": "built from another branch or tag",
    "wrong-commit": "built from another commit",
    "wrong-workflow": "built by another workflow",
    "wrong-builder": "built by another builder",
    "wrong-build-type": "built in another way",
    "wrong-runner": "built on another kind of runner",
    "wrong-trigger": "built by another kind of event",
    "wrong-environment": "built for another deployment environment",
    "wrong-visibility": "built from a repository of another visibility",
    "too-old": "signed longer ago than the policy allows",
    "low-level": "the builder does not reach the SLSA build level asked for",
    "wrong-annotation": "the signature lacks an annotation, or it has another value",
    "wrong-subject-name": "the evidence names another image repository",
    "certificate-disagrees": "certificate and predicate say different things",
    "where-failed": "the policy's expression is not true of the predicate",
    "wrong-summary": "a verification summary by another verifier, of another resource, or that did not pass",
    "not-pushed": "the workflow signed the image, and its attestation is not in the registry",
    "too-few-signers": "fewer signers than the policy asks for",
    "rejected": "evidence was found, and it does not verify",
    "static-fail": "the policy refuses this image by name",
    "unmatched": "no policy covers the image",
    "out-of-scope": "only policies for other Applications cover the image",
    "expired-exception": "an exception for this image has expired",
    "platform": "a platform that the policy asks for is missing from the image",
    "suspect": "a string that looks like an image stands where no image field is known",
    "templated": "an image field that holds no image reference yet",
    "hook-collision": "an object of the source would run before the check at sync time, or passes for it",
    "running-other": "a container runs another image than the one that was verified",
    "running-unknown": "a container runs that the manifests do not have",
    # error: nothing is known to be wrong with the image, it could not be checked
    "invalid-reference": "an image field holds no image reference",
    "ambiguous-yaml": "YAML that two readers could understand differently",
    "render-failed": "the renderer failed",
    "empty-render": "nothing was rendered",
    "image-not-found": "the registry has no such image",
    "registry-unauthorized": "the registry wants other credentials",
    "registry-unavailable": "the registry failed or could not be reached",
    "registry-throttled": "the registry answers that it is asked too often",
    "registry-forbidden": "requests to this registry are not permitted by the config",
    "offline": "a registry would have to be asked, and --offline forbids it",
    "registry-misbehaved": "the registry sent something that is not what was asked for, or too much of it",
    "digest-mismatch": "the registry sent other bytes than their digest says",
    "too-many": "more is attached to the image than is looked at",
    "hook-not-possible": "the check at sync time cannot be made for this Application",
    "hook-too-large": "the check at sync time would have to carry too much",
    "hook-payload": "the check at sync time cannot read what it was given",
    "rollout": "what was applied does not run in time",
    "cluster": "the cluster's API cannot be asked",
    "deadline": "the time limit was reached",
    "busy": "other requests were being worked on until the time was nearly over",
    "config": "the operator's files are wrong",
    "trust-update": "a newer trusted root could not be had",
    "usage": "the command line is wrong",
    "internal": "a fault in this program",
}


class Outcome(enum.StrEnum):
    """What was decided about one image, worst first."""

    DENIED = "denied"
    ERROR = "error"
    UNVERIFIED = "unverified"
    ALLOWED = "allowed"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One reason. `code` is stable; `expected`, `found` and `fix` are for people, and may be empty."""

    code: str
    message: str
    expected: str = ""
    found: str = ""
    fix: str = ""

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"no such finding code: {self.code}")
