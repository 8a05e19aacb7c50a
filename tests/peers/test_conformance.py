"""The Sigstore client conformance suite and real attestations, offline: each bundle must be judged as its authors say."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from argocd_provenance.errors import OperatorError
from argocd_provenance.evidence.candidate import Candidate, parse_bundle
from argocd_provenance.evidence.keys import load_public_key
from argocd_provenance.evidence.trust import offered, trust_domain
from argocd_provenance.evidence.values import Anchor, DomainAnchor, Evidence, KeyAnchor
from argocd_provenance.evidence.verify import Artifact, Verifier
from argocd_provenance.oci.reference import Digest

pytestmark = pytest.mark.corpus


def corpus() -> Path:
    """The folder of real data; it must be named."""
    return Path(os.environ["CORPUS"])


def cases(name: str) -> list[Any]:
    """The cases of one index, as parameters; none are collected where this run has no corpus."""
    if "CORPUS" not in os.environ:
        return [pytest.param({}, id="CORPUS is not set")]
    index = json.loads((corpus() / name / "index.json").read_text())
    return [pytest.param(case, id=case["id"]) for case in index["cases"]]


def judge(case: dict[str, Any], artifact: Artifact) -> bool:
    """Whether the bundle of `case` proves `artifact` to who trusts what `case` trusts."""
    root = (corpus() / case["trusted_root"]).read_bytes()
    candidate = parse_bundle((corpus() / case["bundle"]).read_bytes(), case["bundle"])
    if not isinstance(candidate, Candidate):
        return False
    anchor: Anchor = DomainAnchor("case")
    try:
        verifier = Verifier({"case": trust_domain("case", root, offered(root))})
        if case.get("key"):
            spki = load_public_key((corpus() / case["key"]).read_bytes())
            anchor = KeyAnchor(spki, log=candidate.entry is not None, domain="case")
    except OperatorError:
        return False
    found = verifier.verify(candidate, anchor, artifact)
    if not isinstance(found, Evidence):
        return False
    if found.certificate is None:
        return bool(case.get("key"))
    return (found.certificate.identity, found.certificate.issuer) == (case["identity"], case["issuer"])


@pytest.mark.parametrize("case", [*cases("sigstore-conformance"), *cases("gh-attestation")])
class TestConformance:
    def test_a_bundle_and_its_file(self, case: dict[str, Any]) -> None:
        """A bundle verifies for the file it was made for, and no other."""
        artifact = Artifact.file((corpus() / case["artifact"]).read_bytes())

        assert judge(case, artifact) == (case["expected"] == "pass")

    def test_a_bundle_and_the_digest_of_its_file(self, case: dict[str, Any]) -> None:
        """A digest is as good as the file, under the algorithm that the signer used."""
        content = (corpus() / case["artifact"]).read_bytes()
        algorithm = "sha512" if case["artifact"].endswith(".tgz") else "sha256"

        assert judge(case, Artifact.hashed(Digest.of(content, algorithm))) == (case["expected"] == "pass")
