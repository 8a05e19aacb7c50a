"""Real images judged by ClusterImagePolicies, as people write them for such images."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from argocd_provenance.evidence.candidate import Candidate
from argocd_provenance.evidence.trust import public_good
from argocd_provenance.evidence.values import Evidence
from argocd_provenance.evidence.verify import Artifact, Verifier
from argocd_provenance.oci.reference import Digest, Reference
from argocd_provenance.policy.imagepatterns import Image
from argocd_provenance.policy.judge import Judgement, judge
from argocd_provenance.policy.load import load_policies
from peers.test_corpus_images import attached
from unit.policy.builders import TODAY

pytestmark = pytest.mark.corpus

BUILDER = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml"
CUE = 'predicateType: "https://slsa.dev/provenance/v0.2"\npredicate: builder: id: =~"^{}@refs/tags/v[0-9.]+$"\n'


def corpus() -> Path:
    """The folder of real data."""
    return Path(os.environ["CORPUS"])


def case(name: str) -> dict[str, Any]:
    """One image of the index."""
    listed = json.loads((corpus() / "cosign-images/index.json").read_text())["cases"]
    return next(one for one in listed if one["id"] == name)


def judged(image: dict[str, Any], authority: dict[str, Any]) -> Judgement:
    """What a policy with that one authority says of the image."""
    document = {
        "apiVersion": "policy.sigstore.dev/v1beta1",
        "kind": "ClusterImagePolicy",
        "metadata": {"name": "real"},
        "spec": {"images": [{"glob": "**"}], "authorities": [authority]},
    }
    (policy,) = load_policies([("p.yaml", yaml.safe_dump(document))], lambda name: name.encode())
    digest, verifier = Digest(image["digest"]), Verifier({"public-good": public_good()})
    found = [
        verifier.verify(candidate, anchor, Artifact((digest,)))
        for candidate in attached(corpus() / image["layout"])
        if isinstance(candidate, Candidate)
        for anchor in policy.anchors()
    ]
    reference = Image(Reference.parse("ghcr.io/acme/shop:v1"), digest)
    return judge(reference, policy, [one for one in found if isinstance(one, Evidence)], today=TODAY)


def keyless(subject: str, issuer: str = "https://token.actions.githubusercontent.com") -> dict[str, Any]:
    """Certificates of that subject, an expression."""
    return {"keyless": {"identities": [{"issuer": issuer, "subjectRegExp": subject}]}}


@pytest.mark.parametrize("name", ["slsa-verifier/v1.5.0", "slsa-verifier/v1.9.0", "slsa-verifier/v2.1.0"])
class TestProvenance:
    def test_cue_over_real_provenance_holds(self, name: str) -> None:
        """The builder that slsa-github-generator writes."""
        policy = {
            "name": "p",
            "predicateType": "slsaprovenance",
            "policy": {"type": "cue", "data": CUE.format(BUILDER)},
        }

        assert judged(case(name), {**keyless(f"^{BUILDER}@"), "attestations": [policy]}).allowed

    def test_another_builder_another_path_and_another_signer_do_not(self, name: str) -> None:
        """Each alone denies; upstream lets the misspelt path through."""
        for text in (
            CUE.format(BUILDER + "x"),
            "predicate: bilder: id: string",
            "predicate: runDetails: builder: id: string",
        ):
            policy = {"name": "p", "predicateType": "slsaprovenance", "policy": {"type": "cue", "data": text}}
            assert not judged(case(name), {**keyless(f"^{BUILDER}@"), "attestations": [policy]}).allowed
        policy = {"name": "p", "predicateType": "slsaprovenance"}
        assert not judged(case(name), {**keyless("^https://github.com/acme/"), "attestations": [policy]}).allowed


class TestSignatures:
    def test_a_person_signed_keyless(self) -> None:
        """And nobody else."""
        image = case("containers-image/dir-img-cosign-fulcio-rekor-valid")

        assert judged(image, keyless("^mitr@redhat\\.com$", image["expected_issuer"])).allowed
        assert not judged(image, keyless("^mitr@example\\.com$", image["expected_issuer"])).allowed

    def test_a_key_signed_and_logged(self) -> None:
        """With and without the log, with its hash and no other."""
        image = case("containers-image/dir-img-cosign-key-rekor-valid")
        pem = (corpus() / image["key"]).read_text()
        log = {"ctlog": {"url": "https://rekor.sigstore.dev"}}

        assert judged(image, {"key": {"data": pem}, **log}).allowed
        assert judged(image, {"key": {"data": pem, "hashAlgorithm": "SHA256"}}).allowed
        assert not judged(image, {"key": {"data": pem, "hashAlgorithm": "sha384"}}).allowed
