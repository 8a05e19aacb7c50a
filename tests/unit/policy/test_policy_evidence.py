"""Evidence beside provenance: SBOM, scans with VEX, test results, releases, verification summaries, thresholds."""

from datetime import UTC, datetime
from typing import Any

import pytest

from argocd_provenance.errors import FileFaults
from argocd_provenance.evidence.values import Evidence
from unit.policy.builders import BY, DIGEST, KEY, SAN, certificate, codes, evidence, policy, verdict

VULN = "https://cosign.sigstore.dev/attestation/vuln/v1"
VEX = "https://openvex.dev/ns/v0.2.0"
VSA = "https://slsa.dev/verification_summary/v1"
VERIFIER = "https://verifier.acme.example"
SECURITY = certificate("security@acme.example", "https://accounts.google.com")
WHO = "[{identity: {issuer: https://accounts.google.com, subject: security@acme.example}}]"
SEVERE = (
    "predicate.scanner.result.Results.all(r, !has(r.Vulnerabilities) || "
    'r.Vulnerabilities.all(v, !(v.Severity in ["HIGH", "CRITICAL"]) || v.VulnerabilityID in vex.accepted))'
)
SCANNED = f"attestation: {{type: vuln, by: {BY}, vex: {{by: {WHO}}}, where: '{SEVERE}'}}"


def scan(*found: tuple[str, str]) -> Evidence:
    """What ``cosign attest --type vuln`` makes of Trivy's report."""
    listed = [{"VulnerabilityID": name, "Severity": severity} for name, severity in found]
    result = {"Results": [{"Target": "app", "Vulnerabilities": listed}, {"Target": "empty"}]}
    return evidence("attestation", predicate_type=VULN, predicate={"scanner": {"uri": "trivy", "result": result}})


def vex(
    *statements: dict[str, Any], at: str = "2026-11-01T00:00:00Z", kind: str = VEX, by: Any = SECURITY, **more: Any
) -> Evidence:
    """What ``vexctl attest`` signs."""
    document = {"@context": "https://openvex.dev/ns/v0.2.0", "timestamp": at, "statements": list(statements)}
    return evidence("attestation", predicate_type=kind, predicate=document, signer=by, **more)


def says(status: str, name: str = "CVE-2026-1", **more: Any) -> dict[str, Any]:
    """A statement of OpenVEX 0.2."""
    return {"vulnerability": {"name": name}, "status": status, **more}


class TestVexBesideAScan:
    SCAN = scan(("CVE-2026-1", "CRITICAL"), ("CVE-2026-2", "LOW"))

    def test_a_severe_finding_denies(self) -> None:
        """Unless somebody who may says that it does not matter."""
        assert codes(verdict(SCANNED, self.SCAN)) == ["where-failed"]
        assert verdict(SCANNED, scan(("CVE-2026-2", "LOW"))).allowed

    @pytest.mark.parametrize("status", ["not_affected", "fixed"])
    @pytest.mark.parametrize("kind", ["https://openvex.dev/ns", VEX])
    def test_what_vex_accepts_passes(self, status: str, kind: str) -> None:
        """As cosign and as vexctl name the type."""
        assert verdict(SCANNED, self.SCAN, vex(says(status), kind=kind)).allowed

    @pytest.mark.parametrize("status", ["affected", "under_investigation", "", None])
    def test_other_statuses_accept_nothing(self, status: Any) -> None:
        """Nor does one that nobody knows."""
        assert codes(verdict(SCANNED, self.SCAN, vex(says(status)))) == ["where-failed"]

    def test_vex_by_somebody_else_is_not_seen(self) -> None:
        """The pipeline that scans does not excuse itself, and another key is nobody."""
        for signer in (certificate(), KEY, certificate("security@evil.example", "https://accounts.google.com")):
            assert codes(verdict(SCANNED, self.SCAN, vex(says("not_affected"), by=signer))) == ["where-failed"]

    def test_the_newest_statement_decides(self) -> None:
        """By its own time, else by the document's; of two equally new ones the stricter."""
        old, new = "2026-10-01T00:00:00Z", "2026-11-02T00:00:00Z"
        accepting = vex(says("not_affected"), at=old)

        assert codes(verdict(SCANNED, self.SCAN, accepting, vex(says("affected"), at=new))) == ["where-failed"]
        assert verdict(SCANNED, self.SCAN, accepting, vex(says("affected"), at="2026-09-01T00:00:00Z")).allowed
        assert codes(verdict(SCANNED, self.SCAN, accepting, vex(says("affected"), at=old))) == ["where-failed"]
        assert verdict(SCANNED, self.SCAN, vex(says("affected", timestamp=old)), vex(says("fixed"), at=new)).allowed

    def test_an_alias_is_the_same_vulnerability(self) -> None:
        """A scanner may know it by another name."""
        statement = {"vulnerability": {"name": "GHSA-1", "aliases": ["CVE-2026-1"]}, "status": "fixed"}

        assert verdict(SCANNED, self.SCAN, vex(statement)).allowed
        assert verdict(SCANNED, self.SCAN, vex({"vulnerability": "CVE-2026-1", "status": "fixed"})).allowed

    @pytest.mark.parametrize(
        ("products", "counts"),
        [
            (None, True),
            ([], False),
            ([{"@id": f"pkg:oci/shop@{DIGEST.text}"}], True),
            ([{"@id": f"pkg:oci/shop@{DIGEST.text.replace(':', '%3A')}?repository_url=ghcr.io/acme/shop"}], True),
            ([{"@id": "pkg:oci/shop?repository_url=ghcr.io%2Facme%2Fshop"}], True),
            ([{"identifiers": {"purl": "pkg:oci/shop?repository_url=ghcr.io/acme"}}], True),
            ([f"ghcr.io/acme/shop@{DIGEST.text}"], True),
            ([{"@id": "pkg:oci/shop@sha256%3A" + "9" * 64}], False),
            ([{"@id": "pkg:oci/shop?repository_url=ghcr.io/mallory/shop"}], False),
            ([{"@id": "pkg:oci/other"}], False),
            ([{"@id": "pkg:deb/debian/shop"}], False),
            ("all", False),
        ],
    )
    def test_a_statement_counts_for_its_products(self, products: Any, counts: bool) -> None:  # noqa: FBT001 - a table
        """Where it names none, the attestation's subject is the product."""
        said = says("not_affected") if products is None else says("not_affected", products=products)

        assert verdict(SCANNED, self.SCAN, vex(said)).allowed == counts

    def test_anything_else_is_no_statement(self) -> None:
        """Whatever stands there instead."""
        for document in ([], {"statements": {}}, {"statements": [1, {"vulnerability": 3, "status": "fixed"}]}):
            odd = evidence("attestation", predicate_type=VEX, predicate=document, signer=SECURITY)
            assert codes(verdict(SCANNED, self.SCAN, odd)) == ["where-failed"]

    def test_an_expression_knows_vex_only_where_somebody_may_write_it(self) -> None:
        """Otherwise the name is a mistake, and said to be one when the policy is read."""
        with pytest.raises(FileFaults, match="knows no vex"):
            policy(f"attestation: {{type: vuln, by: {BY}, where: size(vex.accepted) > 0}}")
        with pytest.raises(FileFaults, match="means nothing without"):
            policy(f"attestation: {{type: vuln, by: {BY}, vex: {{by: {WHO}}}}}")


class TestVerificationSummaries:
    ENTRY = (
        f"attestation: {{type: vsa, by: {WHO}, maxAge: 30d, "
        f"summary: {{verifier: {VERIFIER}, policy: https://acme.example/policy, level: 2}}}}"
    )

    @staticmethod
    def vsa(**changed: Any) -> Evidence:
        """A summary that passes."""
        predicate = {
            "verifier": {"id": VERIFIER},
            "timeVerified": "2026-11-20T00:00:00Z",
            "resourceUri": "ghcr.io/acme/shop",
            "policy": {"uri": "https://acme.example/policy"},
            "verificationResult": "PASSED",
            "verifiedLevels": ["SLSA_BUILD_LEVEL_3", "ACME_SCANNED"],
            "future": {},
            **changed,
        }
        return evidence("attestation", predicate_type=VSA, predicate=predicate, signer=SECURITY)

    def test_a_summary_of_a_trusted_verifier_passes(self) -> None:
        """Unknown fields are ignored, as the specification demands."""
        assert verdict(self.ENTRY, self.vsa()).allowed

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"verifier": {"id": "https://other.example"}}, "wrong-summary"),
            ({"verifier": None}, "wrong-summary"),
            ({"verificationResult": "FAILED"}, "wrong-summary"),
            ({"verificationResult": "passed"}, "wrong-summary"),
            ({"resourceUri": "ghcr.io/acme/other"}, "wrong-summary"),
            ({"resourceUri": "ghcr.io/acme/shop@sha256:" + "9" * 64}, "wrong-summary"),
            ({"resourceUri": ""}, "wrong-summary"),
            ({"policy": {"uri": "https://acme.example/lax"}}, "wrong-summary"),
            ({"verifiedLevels": ["SLSA_BUILD_LEVEL_1"]}, "wrong-summary"),
            ({"verifiedLevels": "SLSA_BUILD_LEVEL_3"}, "wrong-summary"),
            ({"verifiedLevels": []}, "wrong-summary"),
            ({"timeVerified": "2026-01-01T00:00:00Z"}, "too-old"),
            ({"timeVerified": "2027-01-01T00:00:00Z"}, "too-old"),
            ({"timeVerified": None}, "too-old"),
            ({"timeVerified": "0001-01-01T00:00:00+14:00"}, "too-old"),
        ],
    )
    def test_each_part_must_be_as_asked(self, changed: dict[str, Any], code: str) -> None:
        """Verifier, result, resource, policy, level, time; the finding names the place."""
        judgement = verdict(self.ENTRY, self.vsa(**changed))

        assert codes(judgement) == [code]
        assert "predicate." in judgement.findings[0].found

    @pytest.mark.parametrize("uri", ["docker://ghcr.io/acme/shop:v1", f"oci://ghcr.io/acme/shop@{DIGEST.text}"])
    def test_the_resource_is_understood_as_people_write_it(self, uri: str) -> None:
        """A reference, with a scheme or without."""
        assert verdict(self.ENTRY, self.vsa(resourceUri=uri)).allowed

    def test_signer_and_verifier_are_a_pair(self) -> None:
        """Anybody else may write any verifier's name."""
        other = evidence("attestation", predicate_type=VSA, predicate=self.vsa().predicate)

        assert codes(verdict(self.ENTRY, other)) == ["wrong-signer"]
        with pytest.raises(FileFaults, match="summary is missing"):
            policy(f"attestation: {{type: vsa, by: {WHO}}}")
        with pytest.raises(FileFaults, match="for type"):
            policy(f"attestation: {{type: spdx, by: {WHO}, summary: {{verifier: x}}}}")


class TestOtherTypes:
    @pytest.mark.parametrize(
        ("kind", "predicate_type", "predicate", "where"),
        [
            ("spdx", "https://spdx.dev/Document", {"packages": [{"name": "a"}]}, "size(predicate.packages) > 0"),
            ("cyclonedx", "https://cyclonedx.org/bom", {"components": [{"name": "a"}]}, "has(predicate.components)"),
            (
                "test-result",
                "https://in-toto.io/attestation/test-result/v0.1",
                {"result": "PASSED", "configuration": []},
                'predicate.result == "PASSED"',
            ),
            (
                "release",
                "https://in-toto.io/attestation/release/v0.1",
                {"purl": "pkg:github/acme/shop@v1", "repository": "acme/shop", "tag": "v1"},
                "predicate.tag == image.tag",
            ),
        ],
    )
    def test_a_type_by_its_short_name(self, kind: str, predicate_type: str, predicate: Any, where: str) -> None:
        """SBOM, test results, what GitHub says of an immutable release."""
        entry = f"attestation: {{type: {kind}, by: {BY}, where: '{where}'}}"
        piece = evidence("attestation", predicate_type=predicate_type, predicate=predicate)

        assert verdict(entry, piece).allowed
        assert codes(
            verdict(entry, evidence("attestation", predicate_type="https://x.example", predicate=predicate))
        ) == ["no-attestation"]


class TestNotPushed:
    BUILT = f"provenance: {{by: {BY}}}"

    def test_a_signature_of_the_workflow_without_an_attestation_says_push_to_registry(self) -> None:
        """What only GitHub keeps is not seen here."""
        judgement = verdict(self.BUILT, evidence())

        assert codes(judgement) == ["no-provenance", "not-pushed"]
        assert "push-to-registry: true" in judgement.findings[1].fix
        assert SAN in judgement.findings[1].found

    def test_nothing_at_all_is_unsigned_and_says_it_in_the_fix(self) -> None:
        """No sign of GitHub is there: it is a possibility, and no more."""
        judgement = verdict(self.BUILT)

        assert codes(judgement) == ["unsigned"]
        assert "push-to-registry: true" in judgement.findings[0].fix

    @pytest.mark.parametrize(
        "piece",
        [
            evidence(signer=certificate("https://github.com/acme/other/.github/workflows/b.yml@refs/heads/main",
                                        sourceRepositoryURI="https://github.com/acme/other")),
            evidence(signer=KEY),
            evidence(signer=SECURITY),
            evidence("attestation", predicate_type="https://spdx.dev/Document", predicate={}),
        ],
    )  # fmt: skip
    def test_other_signs_say_nothing(self, piece: Evidence) -> None:
        """Another repository's signature, a key's, a person's; and what was pushed was pushed."""
        assert "not-pushed" not in codes(verdict(self.BUILT, piece))


class TestThresholds:
    TWO = (
        "signature: {atLeast: 2, by: [{identity: {issuer: https://accounts.google.com, subject: a@acme.example}}, "
        "{identity: {issuer: https://accounts.google.com, subject: b@acme.example}}, "
        "{identity: {issuer: https://accounts.google.com, subject: '*@acme.example'}}]}"
    )

    @staticmethod
    def by(name: str, day: int = 20, source: str = "referrers", domain: str = "public-good") -> Evidence:
        """A signature by a person."""
        who = certificate(f"{name}@acme.example", "https://accounts.google.com")
        return evidence(signer=who, times=(datetime(2026, 11, day, tzinfo=UTC),), source=source, domain=domain)

    def test_distinct_signers_are_counted(self) -> None:
        """Not signatures: whoever signs twice is one."""
        assert codes(verdict(self.TWO, self.by("a"), self.by("a", 21), self.by("a", 22, "sig"))) == [
            "too-few-signers",
        ]
        assert verdict(self.TWO, self.by("a"), self.by("c")).allowed
        assert verdict(self.TWO, self.by("a"), self.by("b")).allowed

    def test_an_entry_counts_once(self) -> None:
        """Two people who fit the same entry alone fill one seat of it."""
        assert codes(verdict(self.TWO, self.by("c"), self.by("d"))) == ["too-few-signers"]
