"""A policy from the demands of `verify`'s command line.

Without a signer such a command proves nothing, and is refused.
"""

from argocd_provenance.errors import OperatorError, UsageError
from argocd_provenance.evidence.values import KeyAnchor
from argocd_provenance.policy.imagepatterns import ImagePattern
from argocd_provenance.policy.model import Authority, Demand, DemandKind, Policy, Source
from argocd_provenance.policy.patterns import BadPatternError, Exact, Expression, Glob, Pattern
from argocd_provenance.policy.predicates import (
    PROVENANCE_TYPES,
    SHORT_NAMES,
    VERIFICATION_SUMMARY,
    predicate_types,
)
from argocd_provenance.policy.require import source_url
from argocd_provenance.policy.signers import DEFAULT_DOMAIN, IdentitySigner, KeySigner, Signer
from argocd_provenance.records import dataclass


@dataclass(frozen=True, slots=True)
class Demands:
    """What was asked on the command line; None is not asked. `key` is the bytes of a PEM file, `key_name` its name."""

    certificate_identity: str | None = None
    certificate_identity_regexp: str | None = None
    certificate_oidc_issuer: str | None = None
    type: str | None = None
    source_repository: str | None = None
    source_ref: str | None = None
    source_commit: str | None = None
    builder_id: str | None = None
    key: bytes | None = None
    key_name: str = ""
    log: bool = True
    domain: str = DEFAULT_DOMAIN
    bundle: bool = False
    """Judges one bundle: without a type, any verified content will do."""

    @property
    def any(self) -> bool:
        """Whether anything was asked at all."""
        return any(
            value is not None
            for value in (
                self.certificate_identity, self.certificate_identity_regexp, self.certificate_oidc_issuer, self.type,
                self.source_repository, self.source_ref, self.source_commit, self.builder_id, self.key,
            )
        )  # fmt: skip


def policy_for(demands: Demands) -> Policy:
    """The policy that these demands are, for every image; raises `UsageError` when they prove nothing."""
    kind, types = _content(demands)
    try:
        demand = Demand(
            kind=kind,
            by=(_signer(demands),),
            predicate_types=types,
            source=_source(demands),
            builder=_given(demands.builder_id, "--builder-id"),
            path="the command line",
        )
    except BadPatternError as error:
        raise UsageError(f"--certificate-identity-regexp {error}") from error
    return Policy(
        name="command line",
        origin="command line",
        mode="enforce",
        images=(ImagePattern.parse("**"),),
        authorities=(Authority((demand,)),),
    )


def _signer(demands: Demands) -> Signer:
    if demands.key is not None:
        if demands.certificate_identity or demands.certificate_identity_regexp or demands.certificate_oidc_issuer:
            raise UsageError("--key and --certificate-… are two ways to say who signed; give one of them")
        from argocd_provenance.evidence.keys import load_public_key  # noqa: PLC0415 - cryptography, only with --key

        try:
            key = load_public_key(demands.key)
        except OperatorError as error:
            raise OperatorError(f"--key: {demands.key_name}: {error}") from error
        return KeySigner(KeyAnchor(key, demands.log, demands.domain), demands.key_name or "--key")
    if not demands.log:
        raise UsageError("--no-log is for --key: a certificate is worth nothing without a proof of time")
    exact, expression = demands.certificate_identity, demands.certificate_identity_regexp
    if exact is not None and expression is not None:
        raise UsageError("give one of --certificate-identity and --certificate-identity-regexp")
    if not (exact or expression) or not demands.certificate_oidc_issuer:
        raise UsageError(
            "nothing says who must have signed: give --certificate-identity (or …-regexp) and "
            "--certificate-oidc-issuer, or --key, or a policy"
        )
    subject: Pattern = Exact(exact) if exact else Expression(expression or "")
    return IdentitySigner(Exact(demands.certificate_oidc_issuer), subject, demands.domain)


def _content(demands: Demands) -> tuple[DemandKind, frozenset[str]]:
    if demands.type is None:
        return ("any" if demands.bundle else "signature"), frozenset()
    if demands.type == "signature":
        return "signature", frozenset()
    if demands.type == "provenance":
        return "provenance", frozenset()
    found = predicate_types(demands.type)
    if VERIFICATION_SUMMARY in found:
        raise UsageError("--type vsa says nothing of verifier and result; write a policy with `summary: {verifier: …}`")
    if not found:
        known = ", ".join(("signature", "provenance", *SHORT_NAMES))
        raise UsageError(f"--type {demands.type!r} is no predicate type; give a URI, or one of {known}")
    return ("provenance" if found <= PROVENANCE_TYPES else "attestation"), found


def _source(demands: Demands) -> Source:
    repository = _given(demands.source_repository, "--source-repository")
    ref, commit = _given(demands.source_ref, "--source-ref"), _given(demands.source_commit, "--source-commit")
    if repository is not None and not source_url(repository).startswith("https://"):
        raise UsageError(f"--source-repository {repository!r} is no URL such as https://github.com/owner/name")
    return Source(Glob(source_url(repository)) if repository else None, Glob(ref) if ref else None, commit)


def _given(value: str | None, option: str) -> str | None:
    """`value`, which must not be empty: an empty demand asks for nothing, and means something."""
    if value == "":
        raise UsageError(f"{option} is empty")
    return value
