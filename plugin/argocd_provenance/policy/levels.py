"""SLSA build levels, by who built: from a table, never from what a predicate says of itself.

Source: slsa.dev/spec/v1.0/verifying-artifacts, step 1: a verifier is configured with roots of trust, each a pair of who
signed and which builder that vouches for, and the highest level that the pair is trusted up to. `BUILT_IN` are the pairs
that hold for everybody; a policy's `builders` go before them, up or down. Whom no row names reaches level 1.
"""

from collections.abc import Callable, Sequence

from argocd_provenance.evidence.values import Certificate, Evidence
from argocd_provenance.policy import github
from argocd_provenance.policy.patterns import Glob
from argocd_provenance.policy.provenance import extract
from argocd_provenance.policy.signers import Signer
from argocd_provenance.records import dataclass
from argocd_provenance.regex import regex

_RELEASE = regex(r"refs/tags/v[0-9]+\.[0-9]+\.[0-9]+")
UNKNOWN = "a builder that no row of the table names"


@dataclass(frozen=True, slots=True)
class Builder:
    """A row of the operator: what this signer signs about this builder (None: any) is trusted up to `level`."""

    by: Signer
    level: int
    builder_id: Glob | None = None

    def fits(self, evidence: Evidence) -> bool:
        """Whether `evidence` is by this signer, and names this builder."""
        if self.by.mismatch(evidence) is not None:
            return False
        if self.builder_id is None:
            return True
        provenance = extract(evidence)
        said = provenance.value("builder") if provenance is not None else None
        return said is not None and self.builder_id.matches(said)


@dataclass(frozen=True, slots=True)
class Row:
    """A row that holds for everybody; `source` says who claims the level, and where."""

    name: str
    level: int
    source: str
    fits: Callable[[Certificate], bool]


@dataclass(frozen=True, slots=True)
class Reached:
    """A level, and the row that gives it."""

    level: int
    row: str


def level(evidence: Evidence, builders: Sequence[Builder] = ()) -> Reached:
    """The SLSA build level that `evidence` proves; the first row that fits decides, the operator's before the built-in."""
    for row in builders:
        if row.fits(evidence):
            named = f" as builder {row.builder_id.text}" if row.builder_id is not None else ""
            return Reached(row.level, f"the policy's row for {row.by}{named}")
    certificate = evidence.certificate
    if certificate is not None and github.server(certificate.issuer) is not None:
        for built_in in BUILT_IN:
            if built_in.fits(certificate):
                return Reached(built_in.level, built_in.name)
    return Reached(1, UNKNOWN)


def _own_runner(certificate: Certificate) -> bool:
    return certificate.claims.get("runnerEnvironment", "github-hosted") != "github-hosted"


def _generator(certificate: Certificate) -> bool:
    found = github.workflow_in(github.GENERATOR, certificate.identity)
    return found is not None and _RELEASE.fullmatch(found.ref) is not None


def _unreleased_generator(certificate: Certificate) -> bool:
    return github.lies_in(github.GENERATOR, certificate.identity)


def _own_workflow(certificate: Certificate) -> bool:
    # Not "no own workflow": a file name with an @ is read as none at all, and would be taken for somebody else's.
    return github.lies_in(github.source_repository(certificate) or "", certificate.identity)


BUILT_IN: tuple[Row, ...] = (
    Row(
        "a runner of one's own",
        1,
        "slsa.dev/spec/v1.0/levels, build L2: a hosted build platform; who owns the runner can change what it builds",
        _own_runner,
    ),
    Row(
        "slsa-github-generator at a release",
        3,
        "slsa-framework/slsa-github-generator: README.md; refs as slsa-verifier takes them (verifiers/utils/builder.go)",
        _generator,
    ),
    Row(
        "slsa-github-generator at no release",
        1,
        "slsa-verifier: verifiers/utils/builder.go, IsValidBuilderTag; a branch of it is nobody's promise",
        _unreleased_generator,
    ),
    Row(
        "a certificate that names no source repository",
        1,
        "fulcio: docs/oid-info.md; before 2023 some did not, and nobody can tell an own workflow from a reusable one",
        lambda certificate: github.source_repository(certificate) is None,
    ),
    Row(
        "an own workflow on GitHub's runners",
        2,
        "docs.github.com, Artifact attestations: SLSA v1.0 Build Level 2 by themselves",
        _own_workflow,
    ),
    Row(
        "a reusable workflow on GitHub's runners",
        3,
        "docs.github.com, Using artifact attestations and reusable workflows to achieve SLSA v1 Build Level 3",
        lambda _certificate: True,
    ),
)
