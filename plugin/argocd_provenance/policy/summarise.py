"""A decision as a verification summary (VSA): an in-toto statement that others may sign and then rely on.

slsa.dev/spec/v1.1/verification_summary. It holds nothing that the decision does not: PASSED where the policies hold,
FAILED where they do not; all evidence that satisfied them, by its digest; and of the SLSA build levels the lowest that the
provenance among it proves.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from argocd_provenance.evidence.values import Evidence
from argocd_provenance.oci.reference import Digest
from argocd_provenance.policy.imagepatterns import Image
from argocd_provenance.policy.levels import Builder, level
from argocd_provenance.policy.predicates import VERIFICATION_SUMMARY

STATEMENT = "https://in-toto.io/Statement/v1"


def summary(
    image: Image,
    digest: Digest,
    *,
    passed: bool,
    used: Sequence[Evidence],
    builders: Sequence[Builder],
    policies: Mapping[str, bytes],
    verifier: str,
    version: str,
    at: datetime,
) -> dict[str, Any]:
    """The statement about `digest`; `policies` are the files that were judged by, by name."""
    return {
        "_type": STATEMENT,
        "subject": [{"name": image.repository.name, "digest": {digest.algorithm: digest.hex}}],
        "predicateType": VERIFICATION_SUMMARY,
        "predicate": {
            "verifier": {"id": verifier, "version": {"argocd-provenance": version}},
            "timeVerified": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "resourceUri": f"{image.repository.name}@{digest.text}",
            "policy": _policy(policies),
            "inputAttestations": [
                {"uri": piece.source, "digest": {piece.digest.algorithm: piece.digest.hex}} for piece in used
            ],
            "verificationResult": "PASSED" if passed else "FAILED",
            "verifiedLevels": [_level(used, builders)] if passed else ["FAILED"],
            "slsaVersion": "1.1",
        },
    }


def _level(used: Sequence[Evidence], builders: Sequence[Builder]) -> str:
    reached = [level(piece, builders).level for piece in used if piece.kind == "provenance"]
    return f"SLSA_BUILD_LEVEL_{min(reached, default=0)}"


def _policy(policies: Mapping[str, bytes]) -> dict[str, Any]:
    """One file by its own digest; several by that of the lines that ``sha256sum`` prints of them, sorted by name."""
    if not policies:
        return {"uri": "command line"}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(policies.items())}
    if len(digests) == 1:
        ((name, digest),) = digests.items()
        return {"uri": name, "digest": {"sha256": digest}}
    lines = "".join(f"{digest}  {name}\n" for name, digest in digests.items())
    return {"uri": ",".join(digests), "digest": {"sha256": hashlib.sha256(lines.encode()).hexdigest()}}
