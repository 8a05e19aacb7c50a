"""Provenance as builders really emit it, signed and verified: what is read of it, and where."""

import pytest

from argocd_provenance.oci.reference import Reference
from argocd_provenance.policy.claims import Claims
from argocd_provenance.policy.imagepatterns import Image
from argocd_provenance.policy.judge import Judgement, judge
from argocd_provenance.policy.levels import BUILT_IN, UNKNOWN, level
from argocd_provenance.policy.load import load_policies
from support.emitted import COMMIT, EMITTED, OWN, REF, REPOSITORY, REUSABLE, attest
from support.signing import IMAGE
from unit.policy.builders import TODAY, codes, no_files, policy_text

OWN_BY = (
    "[{github: {repository: acme/shop, workflow: .github/workflows/build.yml, ref: refs/heads/main}, domain: test}]"
)
GITLAB_SOURCE = "https://gitlab.com/acme/shop"


def judged(entry: str, name: str, reference: str = "ghcr.io/acme/shop:v1", **changed: object) -> Judgement:
    """What a policy with one demand says of an image with that evidence."""
    ruled = load_policies([("policy.yaml", policy_text(entry, images='["**"]'))], no_files)[0]
    return judge(Image(Reference.parse(reference), IMAGE), ruled, [EMITTED[name].evidence(**changed)], today=TODAY)


class TestWhatIsRead:
    @pytest.mark.parametrize("name", EMITTED)
    def test_source_and_commit_are_read_of_every_builder(self, name: str) -> None:
        """From the certificate where there is one, else from the place of that builder."""
        claims = Claims.of(EMITTED[name].evidence())
        repository, commit = claims.said("repository"), claims.said("commit")

        assert repository is not None
        assert commit is not None
        assert (repository.value, commit.value) == (GITLAB_SOURCE if "GitLab" in name else REPOSITORY, COMMIT)

    @pytest.mark.parametrize("name", EMITTED)
    def test_certificate_and_predicate_agree(self, name: str) -> None:
        """What is emitted as it should be raises no suspicion."""
        assert list(Claims.of(EMITTED[name].evidence()).disagreements()) == []

    @pytest.mark.parametrize(
        ("name", "place"),
        [
            ("Google Cloud Build v1", "predicate.buildDefinition.externalParameters.buildConfigSource.repository"),
            ("Google Cloud Build v0.1", "predicate.materials[0].uri"),
            ("Tekton Chains v2", "predicate.buildDefinition.resolvedDependencies[2].uri"),
            ("Tekton Chains, v0.2", "predicate.materials[1].uri"),
            ("BuildKit, signed by somebody", "predicate.buildDefinition.externalParameters.configSource.uri"),
            ("BuildKit v0.2, signed by somebody", "predicate.invocation.configSource.uri"),
        ],
    )
    def test_the_place_is_the_builders_own(self, name: str, place: str) -> None:
        """And it is named."""
        said = Claims.of(EMITTED[name].evidence()).said("repository")

        assert said is not None
        assert said.read_from == place

    @pytest.mark.parametrize(
        ("name", "ref"),
        [(name, REF) for name in EMITTED if "Tekton" not in name],
    )
    def test_the_ref_is_a_full_one(self, name: str, ref: str) -> None:
        """Cloud Build's branch names and BuildKit's fragments too; Tekton says none."""
        said = Claims.of(EMITTED[name].evidence()).said("ref")

        assert said is not None
        assert said.value == ref

    def test_the_pipelines_repository_is_not_the_source(self) -> None:
        """Tekton lists where the pipeline was read first; what is asked for is what was built."""
        said = Claims.of(EMITTED["Tekton Chains v2"].evidence()).said("repository")

        assert said is not None
        assert said.value == REPOSITORY

    def test_two_sources_are_none(self) -> None:
        """Which of two repositories an unknown builder built is not guessed."""
        uris = [f"git+{REPOSITORY}", "git+https://github.com/acme/base"]
        definition = {
            "buildType": "https://builder.example/v1",
            "resolvedDependencies": [{"uri": uri, "digest": {"sha1": COMMIT}} for uri in uris],
        }
        claims = Claims.of(EMITTED["Tekton Chains v2"].evidence(buildDefinition=definition))

        assert claims.said("repository") is None
        assert claims.said("commit") is None

    def test_the_kind_of_runner_was_the_builder_once(self) -> None:
        """The first era of actions/attest."""
        claims = Claims.of(EMITTED["actions/attest 1.0 to 1.2"].evidence())
        assert claims.provenance is not None

        assert claims.provenance.by_runner
        assert claims.provenance.value("runner") == "github-hosted"


class TestAgreement:
    @pytest.mark.parametrize(
        ("what", "changed"),
        [
            ("ref", attest(OWN, ref="refs/heads/evil")),
            ("builder", attest(REUSABLE)),
        ],
    )
    def test_a_predicate_that_says_another_thing_is_refused(self, what: str, changed: dict[str, object]) -> None:
        """Whoever may run code in the workflow can write the predicate, not the certificate."""
        judgement = judged(f"provenance: {{by: {OWN_BY}}}", "actions/attest 1.6 to 4", **changed)

        assert codes(judgement) == ["certificate-disagrees"]
        assert what in judgement.findings[0].message
        assert "1.3.6.1.4.1.57264.1." in judgement.findings[0].expected
        assert "predicate." in judgement.findings[0].found

    def test_the_run_must_be_the_one_of_the_certificate(self) -> None:
        """A provenance of another run is somebody's copy."""
        details = {"builder": {"id": OWN}, "metadata": {"invocationId": f"{REPOSITORY}/actions/runs/2/attempts/1"}}
        judgement = judged(f"provenance: {{by: {OWN_BY}}}", "actions/attest 1.6 to 4", runDetails=details)

        assert codes(judgement) == ["certificate-disagrees"]
        assert "1.3.6.1.4.1.57264.1.21" in judgement.findings[0].expected


class TestReusableWorkflows:
    NAME = "actions/attest in a reusable workflow"

    def test_caller_and_callee_are_told_apart(self) -> None:
        """`repository` and `workflow` are the caller's, `signer` the callee's."""
        signer = "acme/ci/.github/workflows/build-image.yml@refs/tags/v*"
        by = f"[{{github: {{repository: acme/shop, workflow: .github/workflows/build.yml, signer: {signer}}}, domain: test}}]"

        assert judged(f"provenance: {{by: {by}, level: 3}}", self.NAME).allowed
        assert codes(judged(f"provenance: {{by: {OWN_BY}}}", self.NAME)) == ["wrong-signer"]

    def test_another_caller_of_the_same_workflow_is_refused(self) -> None:
        """Anyone may call a public one."""
        signer = "acme/ci/.github/workflows/build-image.yml@refs/tags/v*"
        by = f"[{{github: {{repository: acme/other, signer: {signer}}}, domain: test}}]"

        assert codes(judged(f"provenance: {{by: {by}}}", self.NAME)) == ["wrong-signer"]


class TestLevels:
    @pytest.mark.parametrize(
        ("name", "reached"),
        [
            ("actions/attest 1.0 to 1.2", 2),
            ("actions/attest 1.6 to 4", 2),
            ("actions/attest in a private repository", 2),
            ("actions/attest in a reusable workflow", 3),
            ("slsa-github-generator 1.4, container", 3),
            ("slsa-github-generator 2.1, generic", 3),
            ("Google Cloud Build v1", 1),
            ("Tekton Chains v2", 1),
            ("BuildKit, signed by somebody", 1),
            ("GitLab, keyless", 1),
        ],
    )
    def test_the_table_says_it(self, name: str, reached: int) -> None:
        """A key's builder is whatever its signer writes: it reaches 1 until the operator says more."""
        assert level(EMITTED[name].evidence()).level == reached

    def test_the_operators_rows_go_first(self) -> None:
        """Up or down, by signer and builder."""
        subject = 'subject: "https://gitlab.com/acme/shop//.gitlab-ci.yml@refs/heads/main"'
        by = f"{{identity: {{issuer: https://gitlab.com, {subject}}}, domain: test}}"
        rows = f'[{{by: {by}, id: "https://gitlab.com/acme/shop/-/runners/*", level: 2}}]'
        ruled = load_policies(
            [("policy.yaml", policy_text(f"provenance: {{by: [{by}], level: 2}}", builders=rows))], no_files
        )[0]
        piece = EMITTED["GitLab, keyless"].evidence()
        image = Image(Reference.parse("ghcr.io/acme/shop:v1"), IMAGE)

        assert judge(image, ruled, [piece], today=TODAY).allowed
        assert level(piece, ruled.builders).level == 2
        assert level(EMITTED["actions/attest 1.6 to 4"].evidence(), ruled.builders).level == 2
        assert level(piece).row == UNKNOWN

    def test_a_row_for_another_builder_does_not_fit(self) -> None:
        """The pair of signer and builder is what is trusted."""
        by = "{github: {repository: acme/shop}, domain: test}"
        rows = f'[{{by: {by}, id: "https://github.com/acme/other/**", level: 3}}]'
        text = policy_text(f"provenance: {{by: [{by}], level: 3}}", builders=rows)
        ruled = load_policies([("policy.yaml", text)], no_files)[0]
        image = Image(Reference.parse("ghcr.io/acme/shop:v1"), IMAGE)
        judgement = judge(image, ruled, [EMITTED["actions/attest 1.6 to 4"].evidence()], today=TODAY)

        assert codes(judgement) == ["low-level"]
        assert "an own workflow on GitHub's runners" in judgement.findings[0].found

    def test_a_row_for_another_signer_does_not_fit(self) -> None:
        """Without an `id` it is for every builder of its signer, and of nobody else."""
        row = "[{by: {github: {repository: acme/other}, domain: test}, level: 3}]"
        ruled = load_policies([("policy.yaml", policy_text(f"provenance: {{by: {OWN_BY}}}", builders=row))], no_files)[
            0
        ]

        assert level(EMITTED["actions/attest 1.6 to 4"].evidence(), ruled.builders).level == 2

    def test_every_built_in_row_has_its_source(self) -> None:
        """Who claims the level, and where."""
        assert [row.name for row in BUILT_IN if not row.source] == []


class TestWhatTheCertificateProves:
    ENTRY = "provenance: {{by: " + OWN_BY.replace("{", "{{").replace("}", "}}") + ", {0}}}"

    @pytest.mark.parametrize(
        ("good", "bad", "code"),
        [
            ("runner: github-hosted", "runner: self-hosted", "wrong-runner"),
            ("trigger: push", "trigger: pull_request_target", "wrong-trigger"),
            ("visibility: public", "visibility: private", "wrong-visibility"),
            ("source: {ref: refs/heads/main}", 'source: {ref: "refs/tags/*"}', "wrong-ref"),
            ("workflow: .github/workflows/build.yml", "workflow: .github/workflows/test.yml", "wrong-workflow"),
            (f'source: {{commit: "{COMMIT}"}}', f'source: {{commit: "{"b" * 40}"}}', "wrong-commit"),
        ],
    )
    def test_each_expectation_reads_the_certificate(self, good: str, bad: str, code: str) -> None:
        """And names the OID where it read what it found."""
        refused = judged(self.ENTRY.format(bad), "actions/attest 1.6 to 4")

        assert judged(self.ENTRY.format(good), "actions/attest 1.6 to 4").allowed
        assert codes(refused) == [code]
        assert "(1.3.6.1.4.1.57264.1." in refused.findings[0].found

    def test_a_claim_that_is_not_there_satisfies_nothing(self) -> None:
        """No environment in the certificate: none was proved."""
        refused = judged(self.ENTRY.format("environment: production"), "actions/attest 1.6 to 4")

        assert codes(refused) == ["wrong-environment"]
