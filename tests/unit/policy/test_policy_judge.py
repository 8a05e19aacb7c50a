"""Evidence against one demand: each expectation allows what fits, and denies the next best thing."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from argocd_provenance.evidence.values import PROVENANCE_V1, Certificate, KeyAnchor, Rejected
from argocd_provenance.policy.judge import judge
from argocd_provenance.policy.model import Authority
from unit.policy.builders import (
    BUILD_TYPE,
    BY,
    CLAIMS,
    COMMIT,
    GENERATOR,
    ISSUER,
    OTHER_DIGEST,
    REPOSITORY,
    SAN,
    TODAY,
    certificate,
    codes,
    evidence,
    generator_evidence,
    image,
    policy,
    predicate_v1,
    verdict,
)

REUSABLE = "https://github.com/acme/ci/.github/workflows/docker.yml@refs/tags/v3"
SIGNED = f"signature: {{by: {BY}}}"
BUILT = f"provenance: {{by: {BY}}}"


def built(expectations: str) -> str:
    """A demand for provenance with `expectations` beside the signer."""
    return f"provenance: {{by: {BY}, {expectations}}}"


class TestKinds:
    def test_a_signature_by_the_signer_allows(self) -> None:
        """One good piece of evidence for each demand is enough."""
        judgement = verdict(SIGNED, evidence())

        assert judgement.allowed
        assert judgement.used == (evidence(),)
        assert not judgement.weak

    @pytest.mark.parametrize(
        ("demand", "kind", "code"),
        [
            pytest.param(SIGNED, "provenance", "no-signature", id="provenance is no signature"),
            pytest.param(BUILT, "signature", "no-provenance", id="a signature is no provenance"),
            pytest.param(
                f"attestation: {{type: spdx, by: {BY}}}", "provenance", "no-attestation", id="provenance is no SBOM"
            ),
        ],
    )
    def test_kinds_are_not_interchangeable(self, demand: str, kind: str, code: str) -> None:
        """An attestation of another type satisfies nothing, whoever signed it."""
        assert codes(verdict(demand, evidence(kind)))[:1] == [code]  # type: ignore[arg-type]

    def test_slsa_v02_is_not_v1(self) -> None:
        """An attestation demanded by type is of that type exactly."""
        demand = f"attestation: {{type: slsaprovenance, by: {BY}}}"

        assert codes(
            verdict(demand, evidence("provenance", predicate_type=PROVENANCE_V1, predicate=predicate_v1()))
        ) == ["no-attestation"]

    def test_no_evidence_is_unsigned_and_says_where_it_looked(self) -> None:
        """Nothing attached: expected, found and fix are all there, and the notes too."""
        judgement = judge(
            image(), policy(SIGNED), (), notes=["BuildKit provenance is present but unsigned"], today=TODAY
        )

        assert codes(judgement) == ["unsigned"]
        finding = judgement.findings[0]
        assert "BuildKit provenance is present but unsigned" in finding.found
        assert "github.com/acme/shop" in finding.expected
        assert finding.fix

    def test_rejected_candidates_are_named_with_their_reason(self) -> None:
        """What was found and does not verify explains the denial, and never allows."""
        rejected = [Rejected("expired", "the certificate had expired", "sha256-1a.sig", "https://evil.example")]

        judgement = judge(image(), policy(SIGNED), (), rejected, today=TODAY)

        assert codes(judgement) == ["unsigned", "rejected"]
        assert "the certificate had expired" in judgement.findings[1].message
        assert "https://evil.example" in judgement.findings[1].found

    def test_evidence_about_another_digest_is_nobodys(self) -> None:
        """Perfect evidence for another image leaves this one unsigned."""
        assert codes(verdict(SIGNED, evidence(subject=OTHER_DIGEST))) == ["unsigned"]

    def test_each_demand_needs_its_own_evidence(self) -> None:
        """Entries of `require` are AND."""
        assert codes(verdict(f"{SIGNED}\n{BUILT}", evidence()))[:1] == ["no-provenance"]
        assert verdict(f"{SIGNED}\n{BUILT}", evidence(), evidence("provenance")).allowed

    def test_two_half_good_pieces_do_not_add_up(self) -> None:
        """One piece of evidence must pass every check of a demand."""
        other_signer = evidence("provenance", signer=certificate(issuer="https://evil.example"))
        self_hosted = evidence(
            "provenance",
            signer=certificate(runnerEnvironment="self-hosted"),
            predicate=predicate_v1(runner_environment="self-hosted"),
        )

        assert not verdict(built("runner: github-hosted"), other_signer, self_hosted).allowed


class TestGithubSigner:
    @pytest.mark.parametrize(
        "signer",
        [
            pytest.param(
                certificate(f"{REPOSITORY}-evil/.github/workflows/build.yml@refs/heads/main"), id="repository"
            ),
            pytest.param(certificate(f"{REPOSITORY}/.github/workflows/build.yml@refs/heads/main2"), id="ref appended"),
            pytest.param(certificate(f"{REPOSITORY}/.github/workflows/evil.yml@refs/heads/main"), id="workflow"),
            pytest.param(
                certificate(f"{REPOSITORY}/.github/workflows/Build.yml@refs/heads/main"), id="workflow's case"
            ),
            pytest.param(certificate(f"{SAN}\n"), id="newline"),
            pytest.param(
                certificate(f"{REPOSITORY}/.github/workflows/build.yml@x.yml@refs/heads/main"), id="@ in the file"
            ),
            pytest.param(
                certificate(SAN.replace("https://github.com", "https://github.com@evil.example")), id="userinfo"
            ),
            pytest.param(certificate(issuer="https://token.actions.githubusercontent.com.evil.example"), id="issuer"),
            pytest.param(certificate(issuer=""), id="no issuer"),
            pytest.param(certificate(sourceRepositoryURI="https://github.com/evil/shop"), id="source"),
            pytest.param(certificate(sourceRepositoryURI=None), id="no source"),
            pytest.param(certificate(sourceRepositoryRef="refs/pull/7/merge"), id="a fork's pull request"),
            pytest.param(certificate(sourceRepositoryRef=None), id="no ref"),
            pytest.param(certificate(buildConfigURI=SAN.replace("build", "evil")), id="started by another workflow"),
            pytest.param(certificate(buildSignerURI=SAN.replace("build", "evil")), id="signer and identity differ"),
            pytest.param(certificate(REUSABLE), id="a reusable workflow that no rule names"),
        ],
    )
    def test_a_near_miss_is_another_signer(self, signer: Certificate) -> None:
        """One thing that differs makes another signer, and the message says who signed."""
        judgement = verdict(SIGNED, evidence(signer=signer))

        assert codes(judgement) == ["wrong-signer"]
        assert judgement.findings[0].found

    def test_names_are_compared_as_github_compares_them(self) -> None:
        """GitHub does not look at the case of owners and repositories."""
        loud = "https://github.com/ACME/Shop"
        signer = certificate(SAN.replace(REPOSITORY, loud), sourceRepositoryURI=loud, buildConfigURI=SAN)

        assert verdict(SIGNED, evidence(signer=signer)).allowed

    def test_old_certificates_name_the_repository_without_a_server(self) -> None:
        """Extension .5 holds owner/name, and .18 may be missing."""
        old = certificate(sourceRepositoryURI="acme/shop", buildConfigURI=None, buildSignerURI=None)

        assert verdict(SIGNED, evidence(signer=old)).allowed

    def test_a_public_reusable_workflow_proves_nothing_by_its_name(self) -> None:
        """With `signer` the caller's repository still counts: anyone may call a public workflow."""
        by = "[{github: {repository: acme/shop, signer: 'acme/ci/.github/workflows/docker.yml@refs/tags/v*'}}]"
        evil = "https://github.com/evil/shop"
        stranger = certificate(REUSABLE, sourceRepositoryURI=evil, buildConfigURI=SAN.replace(REPOSITORY, evil))

        assert verdict(f"signature: {{by: {by}}}", evidence(signer=certificate(REUSABLE))).allowed
        assert not verdict(f"signature: {{by: {by}}}", evidence(signer=stranger)).allowed

    @pytest.mark.parametrize(
        "identity",
        [
            pytest.param(REUSABLE.replace("v3", "v3/x"), id="a glob never crosses a slash"),
            pytest.param(REUSABLE.replace("tags", "heads"), id="a branch is no tag"),
            pytest.param(REUSABLE.replace("docker", "other"), id="another workflow"),
            pytest.param(SAN, id="the own workflow"),
        ],
    )
    def test_another_reusable_workflow_is_another_signer(self, identity: str) -> None:
        """The reusable workflow is named by repository, path and ref."""
        by = "[{github: {repository: acme/shop, signer: 'acme/ci/.github/workflows/docker.yml@refs/tags/v*'}}]"

        assert codes(verdict(f"signature: {{by: {by}}}", evidence(signer=certificate(identity)))) == ["wrong-signer"]

    def test_with_signer_workflow_and_ref_are_the_callers(self) -> None:
        """The caller's workflow is read from .18, its ref from .14."""
        by = (
            "[{github: {repository: acme/shop, workflow: .github/workflows/build.yml, ref: refs/heads/main, "
            "signer: 'acme/ci/.github/workflows/docker.yml@refs/tags/v*'}}]"
        )
        started = SAN.replace("build", "other")

        assert verdict(f"signature: {{by: {by}}}", evidence(signer=certificate(REUSABLE))).allowed
        for wrong in ({"buildConfigURI": started}, {"sourceRepositoryRef": "refs/heads/x"}, {"buildConfigURI": None}):
            assert not verdict(f"signature: {{by: {by}}}", evidence(signer=certificate(REUSABLE, **wrong))).allowed

    def test_another_trust_domain_proves_nothing(self) -> None:
        """A certificate counts only in the domain that the rule names."""
        assert codes(verdict(SIGNED, evidence(domain="internal"))) == ["wrong-signer"]
        by = "[{github: {repository: acme/shop}, domain: internal}]"
        assert verdict(f"signature: {{by: {by}}}", evidence(domain="internal")).allowed


class TestOtherSigners:
    IDENTITY = "signature: {by: [{identity: {issuer: https://accounts.google.com, subject: release@acme.example}}]}"
    PATTERN = (
        "signature: {by: [{identity: {issuer: https://accounts.google.com, subjectPattern: 'a|b@acme\\.example'}}]}"
    )

    @pytest.mark.parametrize(
        ("subject", "issuer", "allowed"),
        [
            pytest.param("release@acme.example", "https://accounts.google.com", True, id="exact"),
            pytest.param("release@acme.example", "https://accounts.google.com/", False, id="issuer with a slash"),
            pytest.param("release@acme.example.evil", "https://accounts.google.com", False, id="appended"),
            pytest.param("Release@acme.example", "https://accounts.google.com", False, id="case"),
            pytest.param("", "https://accounts.google.com", False, id="no identity"),
        ],
    )
    def test_an_identity_is_compared_as_it_stands(self, subject: str, issuer: str, *, allowed: bool) -> None:
        """Issuer and subject are anchored at both ends."""
        signer = Certificate(subject, issuer)

        assert verdict(self.IDENTITY, evidence(signer=signer)).allowed is allowed

    @pytest.mark.parametrize(
        ("subject", "allowed"), [("a", True), ("b@acme.example", True), ("ax", False), ("xb@acme.example", False)]
    )
    def test_a_pattern_is_a_full_match_even_with_alternatives(self, subject: str, *, allowed: bool) -> None:
        """A top-level ``|`` does not open either end."""
        signer = Certificate(subject, "https://accounts.google.com")

        assert verdict(self.PATTERN, evidence(signer=signer)).allowed is allowed

    def test_an_identity_longer_than_a_kibibyte_matches_nothing(self) -> None:
        """Hostile texts are not matched at all."""
        entry = "signature: {by: [{identity: {issuer: https://accounts.google.com, subjectPattern: 'a+'}}]}"

        assert verdict(entry, evidence(signer=Certificate("a" * 1024, "https://accounts.google.com"))).allowed
        assert not verdict(entry, evidence(signer=Certificate("a" * 1025, "https://accounts.google.com"))).allowed

    def test_signers_are_alternatives_and_at_least_counts_different_ones(self) -> None:
        """`by` is OR; two signatures of one signer are one signer."""
        by = "[{identity: {issuer: https://i, subject: '*@x'}}, {identity: {issuer: https://i, subject: 'a@*'}}]"
        demand = f"signature: {{atLeast: 2, by: {by}}}"
        first, again, second = (
            evidence(signer=Certificate("a@x", "https://i")),
            evidence(signer=Certificate("a@x", "https://i"), source="elsewhere"),
            evidence(signer=Certificate("b@x", "https://i")),
        )

        assert codes(verdict(demand, first, again))[0] == "too-few-signers"
        assert verdict(demand, first, second).allowed
        assert not verdict(demand, second, evidence(signer=Certificate("c@x", "https://i"))).allowed

    def test_a_key_is_trusted_as_itself_and_with_its_log(self) -> None:
        """A key whose rule demands a log entry is not satisfied by a signature without one."""
        from dataclasses import replace

        from argocd_provenance.policy.model import Authority, Demand
        from argocd_provenance.policy.signers import KeySigner

        key = KeyAnchor(b"spki")
        mine = replace(
            policy(SIGNED), authorities=(Authority((Demand("signature", (KeySigner(key, "cosign.pub"),)),)),)
        )

        assert judge(image(), mine, [evidence(signer=key)], today=TODAY).allowed
        for wrong in (evidence(signer=key, logged=False), evidence(signer=KeyAnchor(b"other")), evidence()):
            assert codes(judge(image(), mine, [wrong], today=TODAY)) == ["wrong-signer"]


class TestExpectations:
    @pytest.mark.parametrize(
        ("expectation", "claim", "wrong", "code"),
        [
            pytest.param("source: {repository: https://github.com/acme/shop}", "", "", "wrong-source", id="source"),
            pytest.param("source: {ref: refs/heads/main}", "", "", "wrong-ref", id="ref"),
            pytest.param(
                f"source: {{commit: {COMMIT}}}", "sourceRepositoryDigest", "0" * 40, "wrong-commit", id="commit"
            ),
            pytest.param("workflow: .github/workflows/build.yml", "", "", "wrong-workflow", id="workflow"),
            pytest.param("runner: github-hosted", "runnerEnvironment", "self-hosted", "wrong-runner", id="runner"),
            pytest.param("trigger: push", "buildTrigger", "pull_request_target", "wrong-trigger", id="trigger"),
            pytest.param(
                "environment: production", "deploymentEnvironment", "test", "wrong-environment", id="environment"
            ),
            pytest.param(
                "visibility: public",
                "sourceRepositoryVisibilityAtSigning",
                "private",
                "wrong-visibility",
                id="visibility",
            ),
        ],
    )
    def test_a_claim_must_be_there_and_be_the_one(self, expectation: str, claim: str, wrong: str, code: str) -> None:
        """Removing a claim, or changing it, flips the verdict."""
        demand = f"signature: {{by: [{{identity: {{issuer: '{ISSUER}', subject: '**'}}}}], {expectation}}}"
        names = {
            "wrong-source": "sourceRepositoryURI",
            "wrong-ref": "sourceRepositoryRef",
            "wrong-workflow": "buildConfigURI",
        }
        name = claim or names[code]
        others = {
            "wrong-source": "https://github.com/acme/shoq",
            "wrong-ref": "refs/heads/mains",
            "wrong-workflow": REUSABLE,
        }
        changed = wrong or others[code]

        assert verdict(demand, evidence()).allowed
        assert codes(verdict(demand, evidence(signer=certificate(**{name: None})))) == [code]
        assert codes(verdict(demand, evidence(signer=certificate(**{name: changed})))) == [code]

    @pytest.mark.parametrize(
        ("expectation", "path", "code"),
        [
            pytest.param(
                f"buildType: {BUILD_TYPE}", ("buildDefinition", "buildType"), "wrong-build-type", id="build type"
            ),
            pytest.param(f"builder: '{SAN}'", ("runDetails", "builder"), "wrong-builder", id="builder"),
        ],
    )
    def test_what_only_the_predicate_says_must_be_there(
        self, expectation: str, path: tuple[str, str], code: str
    ) -> None:
        """A predicate that is silent satisfies nothing."""
        silent = predicate_v1()
        del silent[path[0]][path[1]]

        assert verdict(built(expectation), evidence("provenance")).allowed
        assert codes(verdict(built(expectation), evidence("provenance", predicate=silent))) == [code]
        assert codes(
            verdict(built(expectation.rstrip("'") + "x" + "'" * expectation.count("'", -1)), evidence("provenance"))
        ) == [code]

    @pytest.mark.parametrize(
        ("tag", "wanted", "allowed"),
        [
            pytest.param(f":{COMMIT}", "{tag}", True, id="the commit"),
            pytest.param(f":{COMMIT[:12]}", "{tag}", False, id="an abbreviation where the commit is asked for"),
            pytest.param(f":{COMMIT[:7]}", "{tag:short}", True, id="an abbreviation"),
            pytest.param(f":{COMMIT[:6]}", "{tag:short}", False, id="too short"),
            pytest.param(":v1", "{tag:short}", False, id="no commit"),
            pytest.param("", "{tag}", False, id="no tag"),
            pytest.param("@sha256:" + "1a" * 32, "{tag}", False, id="a digest only"),
            pytest.param(f":{COMMIT}@sha256:" + "1a" * 32, "{tag}", True, id="beside a digest"),
        ],
    )
    def test_a_tag_may_have_to_name_the_commit(self, tag: str, wanted: str, *, allowed: bool) -> None:
        """The commit that was proved must be the one in the tag; no tag denies."""
        judgement = verdict(
            built(f'source: {{commit: "{wanted}"}}'), evidence("provenance"), reference=f"ghcr.io/acme/shop{tag}"
        )

        assert judgement.allowed is allowed
        assert codes(judgement) == ([] if allowed else ["wrong-commit"])

    @pytest.mark.parametrize(
        ("piece", "reached"),
        [
            pytest.param(evidence("provenance"), 2, id="own workflow"),
            pytest.param(generator_evidence(), 3, id="slsa-github-generator"),
            pytest.param(
                evidence(
                    "provenance", signer=certificate(REUSABLE), predicate={"runDetails": {"builder": {"id": REUSABLE}}}
                ),
                3,
                id="reusable workflow",
            ),
            pytest.param(evidence("provenance", signer=Certificate("a@b", "https://i")), 1, id="nobody knows"),
            pytest.param(
                evidence("provenance", signer=certificate(runnerEnvironment="self-hosted"), predicate={"x": 1}),
                1,
                id="a runner of one's own",
            ),
            pytest.param(
                evidence(
                    "provenance", signer=certificate(GENERATOR.replace("tags/v2.0.0", "heads/main")), predicate={"x": 1}
                ),
                1,
                id="the generator, but no release",
            ),
        ],
    )
    def test_the_level_is_looked_up_by_builder(self, piece: object, reached: int) -> None:
        """Never read from the predicate."""
        from argocd_provenance.policy.levels import level

        assert level(piece).level == reached  # type: ignore[arg-type]

    def test_a_level_that_is_not_reached_denies(self) -> None:
        """An own workflow reaches 2, not 3."""
        assert verdict(built("level: 2"), evidence("provenance")).allowed
        assert codes(verdict(built("level: 3"), evidence("provenance"))) == ["low-level"]

    def test_age_counts_from_the_earliest_proved_time(self) -> None:
        """Anybody can have an old signature stamped again; without a proved time nothing is young."""
        old, fresh = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC)

        assert verdict(built("maxAge: 30d"), evidence("provenance", times=(fresh,))).allowed
        assert codes(verdict(built("maxAge: 30d"), evidence("provenance", times=(fresh, old)))) == ["too-old"]
        assert codes(verdict(built("maxAge: 30d"), evidence("provenance", times=()))) == ["too-old"]

    def test_annotations_must_be_signed(self) -> None:
        """Each annotation that is asked for must be there, with that value."""
        demand = f"signature: {{by: {BY}, annotations: {{repo: acme/shop}}}}"

        assert verdict(demand, evidence(annotations={"repo": "acme/shop", "more": "x"})).allowed
        assert codes(verdict(demand, evidence(annotations={"repo": "acme/shoq"}))) == ["wrong-annotation"]
        assert codes(verdict(demand, evidence())) == ["wrong-annotation"]

    @pytest.mark.parametrize(
        ("rule", "names", "allowed"),
        [
            ("any", ("ghcr.io/evil/shop",), True),
            ("same", (), True),
            ("same", ("ghcr.io/acme/shop",), True),
            ("same", ("ghcr.io/acme/shop:v9",), True),
            ("same", ("ghcr.io/acme/shop-sandbox",), False),
            ("same", ("not a name",), False),
            ('["ghcr.io/acme/**"]', ("ghcr.io/acme/other",), True),
            ('["ghcr.io/acme/**"]', ("ghcr.io/evil/other",), False),
        ],
    )
    def test_evidence_that_names_an_image_may_have_to_name_this_one(
        self, rule: str, names: tuple[str, ...], *, allowed: bool
    ) -> None:
        """`subjectName`: any, same, or patterns."""
        judgement = verdict(SIGNED, evidence(names=names), subjectName=rule)

        assert codes(judgement) == ([] if allowed else ["wrong-subject-name"])

    @pytest.mark.parametrize(
        ("expression", "allowed"),
        [
            ("predicate.runDetails.builder.id.startsWith('https://github.com/acme/')", True),
            ("certificate.issuer == 'https://token.actions.githubusercontent.com'", True),
            (
                "image.repository == 'ghcr.io/acme/shop' && image.tag == 'v1' && image.digest.startsWith('sha256:')",
                True,
            ),
            ("statement.predicateType == 'https://slsa.dev/provenance/v1'", True),
            ("predicate.runDetails.builder.id == 'x'", False),
            ("predicate.missing == predicate.missing", False),
            ("!(predicate.missing == 'x')", False),
            ("predicate.missing != 'x'", False),
            ("[predicate.missing].size() == 1", False),
            ("has(predicate.missing)", False),
            ("'true'", False),
            ("1", False),
            ("predicate", False),
            ("1 / 0 == 1", False),
        ],
    )
    def test_where_must_be_true(self, expression: str, *, allowed: bool) -> None:
        """An error that reaches the result, a missing key and anything but true deny."""
        judgement = verdict(built(f'where: "{expression}"'), evidence("provenance"))

        assert codes(judgement) == ([] if allowed else ["where-failed"])


class TestAgreement:
    @pytest.mark.parametrize(
        "claim",
        [
            {"sourceRepositoryDigest": "0" * 40},
            {"buildTrigger": "workflow_dispatch"},
            {"runnerEnvironment": "self-hosted"},
            {"sourceRepositoryIdentifier": "666"},
            {"sourceRepositoryOwnerIdentifier": "666"},
        ],
    )
    def test_certificate_and_predicate_must_agree(self, claim: dict[str, str]) -> None:
        """Where both speak of one thing and say different things, nothing is demanded and it is denied still."""
        assert codes(verdict(BUILT, evidence("provenance", signer=certificate(**claim)))) == ["certificate-disagrees"]

    @pytest.mark.parametrize(
        ("field", "value"), [("repository", "https://github.com/evil/x"), ("ref", "refs/heads/x"), ("path", "x")]
    )
    def test_a_predicate_that_names_another_workflow_disagrees(self, field: str, value: str) -> None:
        """A workflow writes its own predicate, but not its certificate."""
        forged = predicate_v1()
        forged["buildDefinition"]["externalParameters"]["workflow"][field] = value

        assert codes(verdict(BUILT, evidence("provenance", predicate=forged))) == ["certificate-disagrees"]

    def test_another_builder_disagrees(self) -> None:
        """A builder in GitHub's name is the workflow that signed."""
        forged = predicate_v1()
        forged["runDetails"]["builder"]["id"] = REUSABLE

        assert codes(verdict(BUILT, evidence("provenance", predicate=forged))) == ["certificate-disagrees"]

    def test_the_first_era_of_github_is_read_too(self) -> None:
        """Before 2024-06 the builder was the kind of runner: it speaks of the runner, not of the workflow."""
        old = predicate_v1()
        old["runDetails"]["builder"]["id"] = "https://github.com/actions/runner/github-hosted"
        del old["buildDefinition"]["internalParameters"]

        assert verdict(BUILT, evidence("provenance", predicate=old)).allowed
        assert codes(
            verdict(BUILT, evidence("provenance", predicate=old, signer=certificate(runnerEnvironment="self-hosted")))
        ) == ["certificate-disagrees"]

    def test_the_second_era_names_the_workflows_ref(self) -> None:
        """Before attest 1.6.0 the predicate's ref was that of the workflow file, which the certificate knows too."""
        by = "[{github: {repository: acme/shop, workflow: .github/workflows/build.yml}}]"
        signer = certificate(sourceRepositoryRef="refs/heads/other")
        predicate = predicate_v1()
        predicate["buildDefinition"]["resolvedDependencies"][0]["uri"] = f"git+{REPOSITORY}@refs/heads/other"

        assert verdict(f"provenance: {{by: {by}}}", evidence("provenance", signer=signer, predicate=predicate)).allowed

    def test_the_generators_provenance_is_read(self) -> None:
        """slsa-github-generator signs as itself, for a source that the certificate names."""
        by = (
            "[{github: {repository: acme/shop, signer: 'slsa-framework/slsa-github-generator/.github/workflows/"
            "generator_container_slsa3.yml@refs/tags/v*'}}]"
        )
        demand = f"provenance: {{by: {by}, level: 3, source: {{repository: https://github.com/acme/shop, commit: {COMMIT}}}}}"

        assert verdict(demand, generator_evidence()).allowed


class TestMessages:
    def test_every_denial_says_expected_found_and_fix(self) -> None:
        """All three, always."""
        pieces = [
            evidence(signer=certificate(issuer="https://i")),
            evidence("provenance", signer=certificate(buildTrigger="x")),
        ]

        judgement = verdict(f"{SIGNED}\n{built('level: 3, maxAge: 1d, runner: self-hosted')}", *pieces)

        assert {"wrong-signer", "certificate-disagrees", "low-level", "too-old", "wrong-runner"} <= set(
            codes(judgement)
        )
        assert all(f.expected and f.found and f.fix and f.message for f in judgement.findings)

    def test_the_nearest_miss_comes_first(self) -> None:
        """The evidence that passed most checks explains best."""
        far = evidence("provenance", signer=Certificate("x@y", "https://i"))
        near = evidence(
            "provenance", signer=certificate(buildTrigger="schedule"), predicate=predicate_v1(event_name="schedule")
        )

        judgement = verdict(built("trigger: push"), far, near)

        assert codes(judgement) == ["wrong-trigger", "wrong-signer"]

    def test_foreign_text_cannot_move_the_cursor(self) -> None:
        """Control characters of a predicate are not printed."""
        predicate = predicate_v1()
        predicate["buildDefinition"]["buildType"] = "x\x1b[2J\n"

        finding = verdict(built(f"buildType: {BUILD_TYPE}"), evidence("provenance", predicate=predicate)).findings[0]

        assert finding.found.isprintable()


class TestNearestMiss:
    def test_a_wrong_signer_names_the_field_that_differs(self) -> None:
        """The first of the certificate that does not fit, by its name, with its OID."""
        said = {**CLAIMS, "sourceRepositoryRef": "refs/heads/try"}
        who = Certificate(SAN, ISSUER, said, {"sourceRepositoryRef": "1.3.6.1.4.1.57264.1.14"})
        (finding,) = verdict(SIGNED, evidence(signer=who)).findings

        assert "what differs is sourceRepositoryRef: refs/heads/try (1.3.6.1.4.1.57264.1.14)" in finding.found

    def test_of_several_authorities_the_one_that_came_nearest_speaks(self) -> None:
        """And says how the others fared."""
        one = policy(SIGNED.replace("refs/heads/main", "refs/tags/v1"))
        far = policy("signature: {by: [{identity: {issuer: https://x.example, subject: somebody}}]}")
        several = replace(
            one,
            authorities=(
                replace(far.authorities[0], name="far"),
                replace(one.authorities[0], name="near"),
                Authority(name="never", static="fail"),
            ),
        )
        (finding,) = judge(image(), several, [evidence()], today=TODAY).findings

        assert "refs/tags/v1" in finding.expected
        assert "authority near came nearest, of the others far: wrong-signer; never: static-fail" in finding.found
