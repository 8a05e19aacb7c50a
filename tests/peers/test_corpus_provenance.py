"""Real provenance: of slsa-github-generator 1.5 to 2.1 over real images, and of GitHub over a real package."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from argocd_provenance.evidence.candidate import Candidate, parse_bundle
from argocd_provenance.evidence.trust import public_good
from argocd_provenance.evidence.values import DomainAnchor, Evidence
from argocd_provenance.evidence.verify import Artifact, Verifier
from argocd_provenance.oci.reference import Digest
from argocd_provenance.policy.claims import Claims
from argocd_provenance.policy.levels import level

pytestmark = pytest.mark.corpus


def corpus() -> Path:
    """The folder of real data; it must be named."""
    return Path(os.environ["CORPUS"])


def proved(bundle: Path, artifact: Artifact) -> Evidence:
    """What sigstore.dev proves of it."""
    candidate = parse_bundle(bundle.read_bytes(), bundle.name)
    assert isinstance(candidate, Candidate), candidate
    found = Verifier({"public-good": public_good()}).verify(candidate, DomainAnchor("public-good"), artifact)
    assert isinstance(found, Evidence), found
    return found


@pytest.mark.parametrize("version", ["1.5.0", "1.9.0", "2.1.0"])
def test_the_generators_provenance_is_read_and_agrees(version: str) -> None:
    """Repository, ref, commit, workflow, trigger, builder; level 3, for it ran at a release."""
    index: dict[str, Any] = json.loads((corpus() / "cosign-images/index.json").read_text())
    case = next(c for c in index["cases"] if c["id"] == f"slsa-verifier/v{version}")
    bundle = corpus() / f"cosign-images/derived-bundles/slsa-v{version}-att0.sigstore.json"
    found = proved(bundle, Artifact((Digest(case["digest"]),)))
    claims = Claims.of(found)
    assert claims.provenance is not None

    assert list(claims.disagreements()) == []
    assert {what for what in ("repository", "ref", "commit", "workflow", "trigger") if not claims.said(what)} == set()
    assert claims.provenance.value("repository") == "https://github.com/slsa-framework/example-package"
    assert claims.provenance.value("commit") == case["signatures"][0]["identity"]["gh_sha"]
    assert level(found).level == 3


def test_a_real_github_attestation_is_read_and_agrees() -> None:
    """Npm's provenance of sigstore-js: an own workflow on a hosted runner, level 2."""
    index: dict[str, Any] = json.loads((corpus() / "gh-attestation/index.json").read_text())
    case = index["cases"][0]
    artifact = Artifact.file((corpus() / case["artifact"]).read_bytes())
    claims = Claims.of(found := proved(corpus() / case["bundle"], artifact))
    repository, runner = claims.said("repository"), claims.said("runner")

    assert list(claims.disagreements()) == []
    assert repository is not None
    assert repository.value == "https://github.com/sigstore/sigstore-js"
    assert runner is not None
    assert runner.value == "github-hosted"
    assert level(found).level == 2
