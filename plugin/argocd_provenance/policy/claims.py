"""What a piece of evidence says of its build: the certificate first, the predicate second.

A workflow writes its own predicate, but not its certificate. Where both speak they must agree; what neither says is None
and satisfies no demand.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from argocd_provenance.evidence.values import Certificate, Evidence
from argocd_provenance.policy import github
from argocd_provenance.policy.provenance import Provenance, extract

_GENERATOR = "https://github.com/slsa-framework/slsa-github-generator"
# The workflows that sign for another workflow, which the predicate then names as builder (BYOB).
_DELEGATORS = re.compile(r"\.github/workflows/delegator_[a-z-]+_slsa3\.yml")
_RELEASE = re.compile(r"refs/tags/v[0-9]+\.[0-9]+\.[0-9]+")


@dataclass(frozen=True, slots=True)
class Said:
    """A value and where it was read: an OID, or a path of the predicate."""

    value: str
    read_from: str


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One thing of which certificate and predicate say different things."""

    what: str
    certificate: str
    predicate: str


_CLAIMS = {
    "repository": "sourceRepositoryURI",
    "ref": "sourceRepositoryRef",
    "commit": "sourceRepositoryDigest",
    "trigger": "buildTrigger",
    "runner": "runnerEnvironment",
    "environment": "deploymentEnvironment",
    "visibility": "sourceRepositoryVisibilityAtSigning",
}


@dataclass(frozen=True, slots=True)
class Claims:
    """What certificate and provenance of one piece of evidence say."""

    certificate: Certificate | None
    provenance: Provenance | None

    @classmethod
    def of(cls, evidence: Evidence) -> "Claims":
        """The claims of `evidence`."""
        return cls(evidence.certificate, extract(evidence))

    def said(self, what: str) -> Said | None:
        """What is said of `what` (``repository``, ``ref``, ``workflow``, …), by the certificate if it speaks of it."""
        value = self._certified(what)
        if value and self.certificate is not None:
            claim = "buildConfigURI" if what == "workflow" else _CLAIMS[what]
            return Said(value, self.certificate.read_from.get(claim, "certificate"))
        return self._stated(what)

    def builder(self) -> Said | None:
        """Who built: the predicate's builder, or the workflow that signed where there is no provenance."""
        if self.provenance is not None:
            return self._stated("builder")
        if self.certificate is None or github.server(self.certificate.issuer) is None:
            return None
        return Said(self.certificate.identity, self.certificate.read_from.get("buildSignerURI", "certificate"))

    def disagreements(self) -> Iterator[Disagreement]:
        """All that certificate and predicate say differently; nothing where only one of them speaks."""
        if self.certificate is None or self.provenance is None:
            return
        for what in ("repository", "ref", "commit", "workflow", "trigger", "runner"):
            certified, stated = self._certified(what), getattr(self.provenance, what)
            if certified and stated and not self._agree(what, certified, stated):
                yield Disagreement(what, certified, stated)
        for what, claim in (("repository_id", "Identifier"), ("owner_id", "OwnerIdentifier")):
            certified, stated = self.certificate.claims.get(f"sourceRepository{claim}"), getattr(self.provenance, what)
            if certified and stated and certified != stated:
                yield Disagreement(what, certified, stated)
        yield from self._other_builder()

    def _certified(self, what: str) -> str | None:
        if self.certificate is None:
            return None
        if what == "repository":
            return github.source_repository(self.certificate)
        if what == "workflow":
            return self._started_path()
        return self.certificate.claims.get(_CLAIMS.get(what, "")) or None

    def _stated(self, what: str) -> Said | None:
        value = getattr(self.provenance, what, None) if self.provenance is not None else None
        paths = (self.provenance.paths or {}) if self.provenance is not None else {}
        return Said(value, paths.get(what, "predicate")) if value else None

    def _started_path(self) -> str | None:
        assert self.certificate is not None  # noqa: S101 - for the type checker; every caller has looked
        repository = github.source_repository(self.certificate)
        started = self.certificate.claims.get("buildConfigURI")
        found = github.workflow_in(repository, started) if repository and started else None
        return found.path if found else None

    def _agree(self, what: str, certified: str, stated: str) -> bool:
        if what == "repository":
            return github.same_repository(certified, stated)
        if what == "ref" and certified != stated and self.certificate is not None:
            # Before @actions/attest 1.6.0 the predicate's ref was that of the workflow file.
            return self.certificate.claims.get("buildConfigURI", "").endswith(f"{self._started_path()}@{stated}")
        return certified == stated

    def _other_builder(self) -> Iterator[Disagreement]:
        assert self.certificate is not None  # noqa: S101 - as above
        assert self.provenance is not None  # noqa: S101 - as above
        host, builder = github.server(self.certificate.issuer), self.provenance.builder
        signer = self.certificate.claims.get("buildSignerURI") or self.certificate.identity
        if host is None or builder is None or self.provenance.by_runner or not builder.startswith(f"{host}/"):
            return
        delegator = github.workflow_in(_GENERATOR, signer)
        if delegator is not None and _DELEGATORS.fullmatch(delegator.path):
            return
        if builder != signer:
            yield Disagreement("builder", signer, builder)


def level(evidence: Evidence) -> int:
    """The SLSA build level of `evidence`, by who built: never by what its predicate says.

    A workflow of slsa-github-generator (at a release) or another reusable workflow: 3; an own GitHub workflow: 2; a
    builder that nobody vouches for, which includes a runner of one's own: 1.

    Source: slsa.dev/spec/v1.0/verifying-artifacts, step 1.
    """
    certificate = evidence.certificate
    if certificate is None or github.server(certificate.issuer) is None:
        return 1
    if certificate.claims.get("runnerEnvironment", "github-hosted") != "github-hosted":
        return 1
    generator = github.workflow_in(_GENERATOR, certificate.identity)
    if generator is not None:
        return 3 if _RELEASE.fullmatch(generator.ref) else 1
    source = github.source_repository(certificate)
    if source is None:
        return 1
    # Not "no own workflow": a file name with an @ is read as none at all, and would be taken for somebody else's.
    return 2 if github.lies_in(source, certificate.identity) else 3
