"""What a piece of evidence says of its build: the certificate first, the predicate second.

A workflow writes its own predicate, but not its certificate. Where both speak they must agree; what neither says is None
and satisfies no demand.
"""

import re
from collections.abc import Iterator

from argocd_provenance.evidence.values import Certificate, Evidence
from argocd_provenance.policy import github
from argocd_provenance.policy.predicateplace import Said
from argocd_provenance.policy.provenance import Provenance, extract
from argocd_provenance.records import dataclass

# The workflows that sign for another workflow, which the predicate then names as builder (BYOB).
_DELEGATORS = re.compile(r"\.github/workflows/delegator_[a-z-]+_slsa3\.yml")

_CLAIMS = {
    "repository": "sourceRepositoryURI",
    "ref": "sourceRepositoryRef",
    "commit": "sourceRepositoryDigest",
    "workflow": "buildConfigURI",
    "trigger": "buildTrigger",
    "runner": "runnerEnvironment",
    "environment": "deploymentEnvironment",
    "visibility": "sourceRepositoryVisibilityAtSigning",
    "run": "runInvocationURI",
    "repository_id": "sourceRepositoryIdentifier",
    "owner_id": "sourceRepositoryOwnerIdentifier",
}
_COMPARED = ("repository", "ref", "commit", "workflow", "trigger", "runner", "run", "repository_id", "owner_id")


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One thing of which certificate and predicate say different things."""

    what: str
    certificate: Said
    predicate: Said


@dataclass(frozen=True, slots=True)
class Claims:
    """What certificate and provenance of one piece of evidence say."""

    certificate: Certificate | None
    provenance: Provenance | None

    @classmethod
    def of(cls, evidence: Evidence) -> "Claims":
        """The claims of `evidence`; read once, however many demands are held against it."""
        known = _read.get(id(evidence))
        if known is None or known[0] is not evidence:
            if len(_read) >= _READ_AT_MOST:
                _read.clear()
            known = _read[id(evidence)] = (evidence, cls(evidence.certificate, extract(evidence)))
        return known[1]

    def said(self, what: str) -> Said | None:
        """What is said of `what` (``repository``, ``ref``, ``workflow``, …), by the certificate if it speaks of it."""
        value = self._certified(what)
        return self._in_certificate(what, value) if value else self._stated(what)

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
        for what in _COMPARED:
            certified, stated = self._certified(what), self.provenance.said(what)
            if certified and stated and not self._agree(what, certified, stated.value):
                yield Disagreement(what, self._in_certificate(what, certified), stated)
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
        return self.provenance.said(what) if self.provenance is not None else None

    def _in_certificate(self, what: str, value: str) -> Said:
        read_from = self.certificate.read_from if self.certificate is not None else {}
        return Said(value, read_from.get(_CLAIMS[what], "certificate"))

    def _started_path(self) -> str | None:
        assert self.certificate is not None  # noqa: S101 - for the type checker; every caller has looked
        repository = github.source_repository(self.certificate)
        started = self.certificate.claims.get("buildConfigURI")
        found = github.workflow_in(repository, started) if repository and started else None
        # GitLab writes https://gitlab.com/group/project//.gitlab-ci.yml@refs/heads/main (fulcio: docs/oidc.md).
        return found.path.removeprefix("/") or None if found else None

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
        host, said = github.server(self.certificate.issuer), self.provenance.said("builder")
        signer = self.certificate.claims.get("buildSignerURI") or self.certificate.identity
        if host is None or said is None or self.provenance.by_runner or not said.value.startswith(f"{host}/"):
            return
        delegator = github.workflow_in(github.GENERATOR, signer)
        if delegator is not None and _DELEGATORS.fullmatch(delegator.path):
            return
        builder = said.value
        if builder != signer:
            read_from = self.certificate.read_from.get("buildSignerURI", "certificate: subject alternative name")
            yield Disagreement("builder", Said(signer, read_from), said)


# What was read of late, by the identity of the evidence (which is kept, so that no other gets its identity): the same piece
# is held against every demand of every policy, again after each place that was looked at.
_READ_AT_MOST = 256
_read: dict[int, tuple[Evidence, Claims]] = {}
