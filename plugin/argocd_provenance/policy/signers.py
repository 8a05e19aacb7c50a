"""Whom a policy trusts: a GitHub workflow, an identity, a key.

Every signer names the trust anchor that must have proved the evidence, and says what does not fit: None is a match.
"""

from collections.abc import Iterator

from argocd_provenance.evidence.values import Anchor, Certificate, DomainAnchor, Evidence, KeyAnchor
from argocd_provenance.policy import github
from argocd_provenance.policy.patterns import Glob, Pattern
from argocd_provenance.records import dataclass

DEFAULT_DOMAIN = "public-good"


@dataclass(frozen=True, slots=True)
class Mismatch:
    """What does not fit, under the finding code it is reported by. `passed` counts what did fit before."""

    code: str
    expected: str
    found: str
    passed: int = 0


@dataclass(frozen=True, slots=True)
class IdentitySigner:
    """A certificate's issuer and identity, of any OIDC provider."""

    issuer: Pattern
    subject: Pattern
    domain: str = DEFAULT_DOMAIN

    @property
    def anchor(self) -> Anchor:
        """The trust domain."""
        return DomainAnchor(self.domain)

    def __str__(self) -> str:
        return f"{self.subject.text} (issuer {self.issuer.text})"

    def mismatch(self, evidence: Evidence) -> Mismatch | None:
        """What of `evidence` is not by this signer."""
        certificate = _certificate(evidence, self.anchor)
        if certificate is None:
            return Mismatch("wrong-signer", str(self), describe(evidence))
        if not (certificate.issuer and self.issuer.matches(certificate.issuer)):
            return Mismatch("wrong-signer", str(self), describe(evidence), 1)
        if not (certificate.identity and self.subject.matches(certificate.identity)):
            return Mismatch("wrong-signer", str(self), describe(evidence), 2)
        return None


@dataclass(frozen=True, slots=True)
class KeySigner:
    """A public key; `name` is how the operator calls it."""

    key: KeyAnchor
    name: str

    @property
    def anchor(self) -> Anchor:
        """The key itself."""
        return self.key

    def __str__(self) -> str:
        return f"key {self.name}"

    def mismatch(self, evidence: Evidence) -> Mismatch | None:
        """What of `evidence` is not by this key."""
        unproved = (self.key.log and not evidence.logged) or (self.key.stamped and not evidence.times)
        if evidence.anchor != self.key or unproved:
            return Mismatch("wrong-signer", str(self), describe(evidence))
        return None


@dataclass(frozen=True, slots=True)
class ReusableWorkflow:
    """A workflow that others call: its repository, its path and the refs it is trusted at."""

    repository: str
    path: Glob
    ref: Glob

    def __str__(self) -> str:
        return f"{self.repository}/{self.path.text}@{self.ref.text}"


@dataclass(frozen=True, slots=True)
class GithubSigner:
    """A workflow of a GitHub repository, which is the *source* repository.

    Without `signer` the workflow that signed must lie in that repository too, and be the one that was started. With
    `signer` that reusable workflow signed, and `workflow` and `ref` are the caller's: anyone may call a public one, so
    its name alone proves nothing.
    """

    repository: str
    workflow: Glob | None = None
    ref: Glob | None = None
    signer: ReusableWorkflow | None = None
    issuer: str = github.ISSUER
    domain: str = DEFAULT_DOMAIN

    @property
    def anchor(self) -> Anchor:
        """The trust domain."""
        return DomainAnchor(self.domain)

    @property
    def source(self) -> Glob:
        """The URL of the source repository; its name may be a glob."""
        return Glob(f"{github.server(self.issuer)}/{self.repository}", fold=True)

    def __str__(self) -> str:
        host = self.source.text.removeprefix("https://")
        workflow = f"/{self.workflow.text}" if self.workflow else ""
        ref = f"@{self.ref.text}" if self.ref else ""
        return f"{host}{workflow}{ref}" + (f" signed by {self.signer}" if self.signer else "")

    def mismatch(self, evidence: Evidence) -> Mismatch | None:
        """What of `evidence` is not by this workflow."""
        certificate = _certificate(evidence, self.anchor)
        if certificate is None:
            return Mismatch("wrong-signer", str(self), describe(evidence))
        if certificate.issuer != self.issuer:
            return Mismatch("wrong-signer", str(self), describe(evidence), 1)
        for passed, (fits, claim) in enumerate(zip(self._checks(certificate), _CHECKED, strict=True), start=2):
            if not fits:
                return Mismatch(
                    "wrong-signer", str(self), f"{describe(evidence)}{_differs(certificate, claim)}", passed
                )
        return None

    def built(self, evidence: Evidence) -> bool:
        """Whether `evidence` was signed in a run for this source repository, whichever workflow it was."""
        certificate = _certificate(evidence, self.anchor)
        source = github.source_repository(certificate) if certificate is not None else None
        return (
            certificate is not None
            and certificate.issuer == self.issuer
            and source is not None
            and source.isascii()
            and self.source.matches(source)
        )

    def _checks(self, certificate: Certificate) -> Iterator[bool]:
        source = github.source_repository(certificate) or ""
        yield source.isascii() and self.source.matches(source)
        yield self._signed(certificate, source)
        yield self._started(certificate, source)
        said = certificate.claims.get("sourceRepositoryRef", "")
        yield self.ref is None or (bool(said) and self.ref.matches(said))

    def _signed(self, certificate: Certificate, source: str) -> bool:
        """Whether the workflow that signed is the reusable one, or an own one that fits."""
        if certificate.claims.get("buildSignerURI", certificate.identity) != certificate.identity:
            return False
        if self.signer is None:
            own = github.workflow_in(source, certificate.identity)
            return own is not None and self._fits(own)
        home = f"{github.server(self.issuer)}/{self.signer.repository}"
        found = github.workflow_in(home, certificate.identity)
        return found is not None and self.signer.path.matches(found.path) and self.signer.ref.matches(found.ref)

    def _started(self, certificate: Certificate, source: str) -> bool:
        """Whether the workflow that was started fits, where the certificate says which (.18; old ones do not)."""
        started = certificate.claims.get("buildConfigURI")
        if started is None:
            return self.signer is None or self.workflow is None
        found = github.workflow_in(source, started)
        return found is not None and self._fits(found, ref=self.signer is None)

    def _fits(self, found: github.Workflow, *, ref: bool = True) -> bool:
        """Whether path and `ref` fit. The file that a caller started may be of another ref than its source."""
        if self.workflow is not None and not self.workflow.matches(found.path):
            return False
        return not ref or self.ref is None or self.ref.matches(found.ref)


# What each check of `GithubSigner` reads, in their order.
_CHECKED = ("sourceRepositoryURI", "buildSignerURI", "buildConfigURI", "sourceRepositoryRef")

Signer = GithubSigner | IdentitySigner | KeySigner


def describe(evidence: Evidence) -> str:
    """Who signed `evidence`, in words."""
    certificate = evidence.certificate
    if certificate is None:
        return f"key {evidence.anchor.name.removeprefix('key:')}{'' if evidence.logged else ', not logged'}"
    source = github.source_repository(certificate)
    commit = certificate.claims.get("sourceRepositoryDigest", "")
    details = [
        f"issuer {certificate.issuer}" if github.server(certificate.issuer) is None else "",
        f"source {source}" if source and not certificate.identity.startswith(f"{source}/") else "",
        certificate.claims.get("sourceRepositoryRef", ""),
        certificate.claims.get("buildTrigger", ""),
        f"commit {commit[:12]}" if commit else "",
        f"trust domain {evidence.anchor.name}" if evidence.anchor.name != DEFAULT_DOMAIN else "",
    ]
    said = ", ".join(detail for detail in details if detail)
    return (certificate.identity or "a certificate without an identity")[:1024] + (f" ({said})" if said else "")


def _differs(certificate: Certificate, claim: str) -> str:
    """Which field of the certificate is the first that does not fit."""
    said = certificate.claims.get(claim) or (certificate.identity if claim == "buildSignerURI" else "")
    place = certificate.read_from.get(claim, "subject alternative name" if claim == "buildSignerURI" else "certificate")
    return f"; what differs is {claim}: {said[:300] or 'nothing there'} ({place})"


def _certificate(evidence: Evidence, anchor: Anchor) -> Certificate | None:
    return evidence.certificate if evidence.anchor == anchor else None
