"""What evidence says: the certificate first, the predicate second."""

from argocd_provenance.policy.claims import Claims
from argocd_provenance.policy.predicateplace import Said
from unit.policy.builders import (
    BUILD_TYPE,
    COMMIT,
    KEY,
    REF,
    REPOSITORY,
    SAN,
    evidence,
    generator_evidence,
    predicate_v1,
)


class TestClaims:
    def test_the_certificate_goes_first(self) -> None:
        """What it says is read there, and the place is named."""
        claims = Claims.of(evidence("provenance"))

        assert claims.said("repository") == Said(REPOSITORY, "certificate")
        assert claims.said("workflow") == Said(".github/workflows/build.yml", "certificate")

    def test_the_predicate_speaks_where_there_is_no_certificate(self) -> None:
        """Provenance signed by a key says what its signer vouches for."""
        claims = Claims.of(evidence("provenance", signer=KEY))

        assert claims.said("commit") == Said(
            COMMIT, "predicate.buildDefinition.resolvedDependencies[0].digest.gitCommit"
        )
        assert claims.said("ref") == Said(REF, "predicate.buildDefinition.externalParameters.workflow.ref")
        assert claims.said("build_type") == Said(BUILD_TYPE, "predicate.buildDefinition.buildType")
        assert claims.said("environment") is None
        assert claims.builder() == Said(SAN, "predicate.runDetails.builder.id")

    def test_v02_is_read_at_its_own_places(self) -> None:
        """The layout of slsa-github-generator."""
        provenance = Claims.of(generator_evidence()).provenance

        assert provenance is not None
        assert [provenance.value(what) for what in ("repository", "ref", "commit")] == [REPOSITORY, REF, COMMIT]
        assert [provenance.value(what) for what in ("workflow", "trigger")] == [".github/workflows/build.yml", "push"]

    def test_only_the_source_has_the_sources_commit(self) -> None:
        """A first dependency that is something else says nothing of the commit."""
        predicate = predicate_v1()
        predicate["buildDefinition"]["resolvedDependencies"][0]["uri"] = (
            "git+https://github.com/acme/base@refs/heads/main"
        )
        claims = Claims.of(evidence("provenance", signer=KEY, predicate=predicate))

        assert claims.said("commit") is None
        assert claims.said("repository") == Said(
            REPOSITORY, "predicate.buildDefinition.externalParameters.workflow.repository"
        )

    def test_a_malformed_predicate_says_nothing(self) -> None:
        """Whatever stands there instead of what is expected."""
        for predicate in (
            [],
            "x",
            {"buildDefinition": []},
            {"buildDefinition": {"resolvedDependencies": [1]}},
            {"runDetails": 3},
        ):
            piece = evidence(
                "provenance", signer=KEY, predicate_type="https://slsa.dev/provenance/v1", predicate=predicate
            )
            assert Claims.of(piece).said("commit") is None
            assert Claims.of(piece).builder() is None
