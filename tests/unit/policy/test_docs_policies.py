"""``docs/policies.md`` by its examples: each is loaded, and judged against what fits it and what nearly does."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from argocd_provenance.config import load_config
from argocd_provenance.demo.sigstore import Signer
from argocd_provenance.evidence.keys import load_public_key
from argocd_provenance.evidence.values import Evidence, KeyAnchor
from argocd_provenance.oci.reference import Digest
from argocd_provenance.policy import load, require, signerfields
from argocd_provenance.policy.judge import judge
from argocd_provenance.policy.model import Policy
from argocd_provenance.policy.select import Application, cover
from unit.policy.builders import COMMIT, DIGEST, REF, REPOSITORY, SAN, TODAY, certificate, evidence, image, predicate_v1

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "policies.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
EXAMPLES = {
    match[1]: block for block in BLOCKS if (match := re.search(r"kind: ImagePolicy\nmetadata: \{name: (\S+)\}", block))
}
_KEY = Signer.by_key()
ACCOUNTS = "https://accounts.google.com"
REUSABLE = "https://github.com/acme/ci/.github/workflows/build-image.yml@refs/tags/v2"
TAGGED = f"ghcr.io/acme/shop:{COMMIT[:12]}"


def read(_: str) -> bytes:
    """The key that stands beside the policies."""
    return _KEY.public_pem


def example(name: str) -> Policy:
    """The policy of that name on the page."""
    return load.load_policies([("docs/policies.md", EXAMPLES[name])], read)[0]


def by_key(*, log: bool = True) -> KeyAnchor:
    """Trust in that key."""
    return KeyAnchor(load_public_key(_KEY.public_pem), log=log)


def person(name: str, issuer: str = ACCOUNTS) -> Any:
    """A certificate for a person, or for whatever a provider names."""
    return certificate(name, issuer)


def attested(kind: str, predicate: Any, **more: Any) -> Evidence:
    """An attestation of that predicate type."""
    return evidence("attestation", predicate_type=kind, predicate=predicate, **more)


def built(builder: str = SAN, **claims: str | None) -> Evidence:
    """Provenance by that workflow."""
    predicate = predicate_v1()
    predicate["runDetails"]["builder"]["id"] = builder
    return evidence("provenance", signer=certificate(builder, **claims), predicate=predicate)


def cloud_build(source: str) -> Evidence:
    """What Google Cloud Build signs with its key."""
    predicate = {
        "buildDefinition": {
            "buildType": "https://cloud.google.com/build/gcb-buildtypes/google-worker/v1",
            "externalParameters": {"buildConfigSource": {"ref": REF, "repository": f"git+{source}"}},
        },
        "runDetails": {"builder": {"id": "https://cloudbuild.googleapis.com/GoogleHostedWorker"}},
    }
    return evidence("provenance", signer=by_key(log=False), predicate=predicate, logged=False)


SPDX, VULN, VEX = (
    "https://spdx.dev/Document",
    "https://cosign.sigstore.dev/attestation/vuln/v1",
    "https://openvex.dev/ns",
)
TEST, RELEASE = "https://in-toto.io/attestation/test-result/v0.1", "https://in-toto.io/attestation/release/v0.2"
VSA = "https://slsa.dev/verification_summary/v1"
SUMMARY = {
    "verifier": {"id": "https://verifier.acme.example"}, "policy": {"uri": "https://acme.example/policies/prod"},
    "resourceUri": "ghcr.io/acme/shop", "verificationResult": "PASSED", "verifiedLevels": ["SLSA_BUILD_LEVEL_3"],
    "timeVerified": "2026-11-20T00:00:00Z",
}  # fmt: skip
SCAN = {"scanner": {"result": {"Results": [{"Vulnerabilities": [{"VulnerabilityID": "CVE-1", "Severity": "HIGH"}]}]}}}
ACCEPTS = {"statements": [{"vulnerability": {"name": "CVE-1"}, "status": "not_affected"}]}
GITHUB_RELEASES = person("https://dotcom.releases.github.com", "https://dotcom.releases.github.com")
VERIFIER, SECURITY = person("verifier@acme.example"), person("security@acme.example")
ALICE, BOB = evidence(signer=person("alice@acme.example")), evidence(signer=person("bob@acme.example"))
FORK = certificate(
    "https://github.com/mallory/shop/.github/workflows/build.yml@refs/heads/main",
    sourceRepositoryURI="https://github.com/mallory/shop",
)
CALLED = {"buildConfigURI": SAN}
ELSEWHERE = {**CALLED, "sourceRepositoryURI": "https://github.com/mallory/shop", "buildConfigURI": None}

Row = tuple[str, Sequence[Evidence], Sequence[Evidence], str]
CASES: dict[str, Row] = {
    # name: reference, what fits, what nearly fits, the code of the first finding then
    "images": ("ghcr.io/acme/api/web:v1", [evidence()], [evidence(signer=FORK)], "wrong-signer"),
    "own-workflow": (
        "",
        [evidence()],
        [evidence(signer=certificate(sourceRepositoryRef="refs/heads/x"))],
        "wrong-signer",
    ),
    "reusable-workflow": ("", [built(REUSABLE, **CALLED)], [built(REUSABLE, **ELSEWHERE)], "wrong-signer"),
    "identities-and-keys": (
        "",
        [evidence(signer=by_key(), annotations={"env": "prod"})],
        [evidence(signer=by_key(), annotations={"env": "test"})],
        "wrong-annotation",
    ),
    "two-of-three": ("", [ALICE, BOB], [ALICE, ALICE], "too-few-signers"),
    "provenance": (TAGGED, [built()], [built(deploymentEnvironment="staging")], "wrong-environment"),
    "levels": (
        "us-docker.pkg.dev/acme/web/app:v1",
        [cloud_build(REPOSITORY)],
        [cloud_build("https://github.com/mallory/shop")],
        "wrong-source",
    ),
    "sbom": (
        "",
        [attested(SPDX, {"packages": [{"name": "zlib", "versionInfo": "1.3"}]})],
        [attested(SPDX, {"packages": [{"name": "log4j-core", "versionInfo": "2.14.1"}]})],
        "where-failed",
    ),
    "tests": ("", [attested(TEST, {"result": "PASSED"})], [attested(TEST, {"result": "WARNED"})], "where-failed"),
    "release": (
        "",
        [attested(RELEASE, {"repository": "acme/shop", "tag": "v1"}, signer=GITHUB_RELEASES, domain="github")],
        [attested(RELEASE, {"repository": "acme/shop", "tag": "v2"}, signer=GITHUB_RELEASES, domain="github")],
        "where-failed",
    ),
    "scan": (
        "",
        [attested(VULN, SCAN), attested(VEX, ACCEPTS, signer=SECURITY)],
        [attested(VULN, SCAN), attested(VEX, ACCEPTS)],
        "where-failed",
    ),
    "summary": (
        "",
        [attested(VSA, SUMMARY, signer=VERIFIER)],
        [attested(VSA, {**SUMMARY, "verificationResult": "FAILED"}, signer=VERIFIER)],
        "wrong-summary",
    ),
    "expressions": ("", [built()], [built(buildTrigger="pull_request")], "certificate-disagrees"),
    "platforms": (
        "",
        [evidence("provenance", names=("ghcr.io/acme/shop",))],
        [evidence("provenance", names=("ghcr.io/acme/other",))],
        "wrong-subject-name",
    ),
    "exceptions": ("", [evidence()], [evidence(signer=FORK)], "wrong-signer"),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_decides_as_the_page_says(name: str) -> None:
    """What fits passes, what nearly fits does not, and the finding says what is missing."""
    if name == "third-party":
        assert judge(image("docker.io/library/redis:7"), example(name), (), today=TODAY).weak
        return
    reference, good, near, code = CASES[name]
    about = image(reference or "ghcr.io/acme/shop:v1")

    allowed = judge(about, example(name), good, today=TODAY)
    denied = judge(about, example(name), near, today=TODAY)

    assert allowed.allowed, allowed.findings
    assert allowed.exception is None
    assert not denied.allowed
    assert denied.findings[0].code == code
    assert all((found.expected, found.found, found.fix) for found in denied.findings)


def test_every_example_has_its_case() -> None:
    """None is only shown."""
    assert set(EXAMPLES) == {*CASES, "third-party"}


def test_every_field_that_a_policy_may_have_is_shown() -> None:
    """By example, for each demand and each signer."""
    known = {*load._SPEC, *(name for names in require._KNOWN.values() for name in names), *signerfields._KINDS}
    shown = set(re.findall(r"[A-Za-z]+(?=:)", "\n".join(EXAMPLES.values())))

    assert known - shown == set()


def test_images_and_applications_are_matched_as_the_page_says() -> None:
    """What is excluded, and what another Application deploys, is not covered."""
    policy = example("images")
    mine = Application("web", "shop", "https://github.com/acme/deploy.git")

    def covered(reference: str, who: Application) -> bool:
        return bool(cover([policy], image(reference).reference, DIGEST, who).policies)

    assert covered("ghcr.io/acme/shop:v1", mine)
    assert covered("ghcr.io/acme/api/deep/er", mine)
    assert not covered("ghcr.io/acme/shop/deeper", mine)
    assert not covered("ghcr.io/acme/api/sandbox-1", mine)
    assert not covered("ghcr.io/acme/shop", Application("web", "other", mine.repository))


def test_the_exception_names_its_digest() -> None:
    """And holds until its day."""
    policy = example("exceptions")
    named = image(digest=Digest("sha256:" + "2b" * 32))
    excepted = judge(named, policy, (), today=TODAY)
    other = judge(image(digest=DIGEST), policy, (), today=TODAY)
    late = judge(named, policy, (), today=TODAY.replace(year=2027, month=2))

    assert excepted.exception is not None
    assert not other.allowed
    assert [finding.code for finding in late.findings] == ["unsigned", "expired-exception"]


def test_the_config_is_one() -> None:
    """The file of the operator that the page begins with."""
    assert load_config("config.yaml", next(block for block in BLOCKS if "kind: Config" in block)).unmatched == "deny"
