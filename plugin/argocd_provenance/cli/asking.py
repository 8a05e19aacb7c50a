"""`verify`, put together: which policies, which trust, and then the same pipeline as `generate`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from argocd_provenance.cli import answers, gate, operator, summary
from argocd_provenance.cli.operator import Operator
from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import InvalidReference, OperatorError, UsageError
from argocd_provenance.evidence.trust import TrustDomain, offered, trust_domain
from argocd_provenance.oci.reference import Digest, Reference
from argocd_provenance.pipeline import Rules
from argocd_provenance.policy.adhoc import Demands, policy_for
from argocd_provenance.policy.model import Policy
from argocd_provenance.records import dataclass, replace
from argocd_provenance.report.model import Report, worst_first


@dataclass(frozen=True, slots=True)
class Asked:
    """The command line of `verify`."""

    references: Sequence[str]
    config: Path | None = None
    policies: Sequence[Path] = ()
    certificate_identity: str | None = None
    certificate_identity_regexp: str | None = None
    certificate_oidc_issuer: str | None = None
    key: Path | None = None
    no_log: bool = False
    predicate_type: str | None = None
    source_repository: str | None = None
    source_ref: str | None = None
    source_commit: str | None = None
    builder_id: str | None = None
    bundle: Path | None = None
    trusted_root: Path | None = None
    domain: str | None = None
    offline: bool = False
    record: Path | None = None
    vsa: Path | None = None
    verifier_id: str = summary.VERIFIER
    explain: bool = False

    def demands(self) -> Demands:
        """What the options demand of the evidence."""
        return Demands(
            certificate_identity=self.certificate_identity,
            certificate_identity_regexp=self.certificate_identity_regexp,
            certificate_oidc_issuer=self.certificate_oidc_issuer,
            type=self.predicate_type,
            source_repository=self.source_repository,
            source_ref=self.source_ref,
            source_commit=self.source_commit,
            builder_id=self.builder_id,
            key=None if self.key is None else read_bytes(self.key, "--key"),
            key_name=str(self.key or ""),
            log=not self.no_log,
            domain=str(self.trusted_root) if self.trusted_root else self.domain or "public-good",
            bundle=self.bundle is not None,
        )


def answer(asked: Asked, environment: Mapping[str, str], progress: gate.Progress) -> Report:
    """The report about everything asked for. Raises `OperatorError` where the question itself is wrong."""
    if not asked.references:
        raise UsageError("name an image, or an artifact after --bundle")
    if asked.vsa is not None:
        summary.refuse(len(set(asked.references)), bundle=asked.bundle is not None)
    ruled = operator.check_domains(_trust(_ruled(asked, environment), asked))
    if asked.offline:
        ruled = replace(ruled, config=ruled.config.without_network())
    if asked.record is not None and (asked.bundle is not None or asked.offline):
        raise UsageError("--record writes down what a registry says; it goes neither with --bundle nor with --offline")
    if asked.bundle is not None:
        from argocd_provenance.cli.offline import judge_bundle

        return judge_bundle(asked, ruled, gate.today())
    hosts = frozenset(_typed(text).repository.host for text in asked.references)
    policies = tuple(replace(p, applications=None) for p in ruled.policies)
    rules = Rules(policies, ruled.config.unmatched, None, gate.today())
    warnings: list[str] = []
    if asked.record is not None:
        from argocd_provenance.cli.recording import ask_and_record

        decided, recorded = ask_and_record(asked.references, ruled, rules, ruled.hosts() | hosts, asked.record)
        warnings += recorded
    else:
        decided = gate.ask(
            list(asked.references),
            ruled,
            rules,
            Deadline(ruled.config.deadline),
            progress,
            ruled.hosts() | hosts,
            warnings,
        )
    written = [summary.write(asked.vsa, one, ruled, asked.verifier_id) for one in decided.values()] if asked.vsa else []
    return Report(
        worst_first([answers.image_report(one, tree=asked.explain) for one in decided.values()]),
        notes=(*_notes(ruled.policies), *warnings, *written),
    )


def read_bytes(path: Path, option: str) -> bytes:
    """The content of the file that `option` names; raises `UsageError` when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{option}: cannot read {path}: {error.strerror}") from error


def _typed(text: str) -> Reference:
    try:
        return Reference.parse(text)
    except InvalidReference as error:
        raise UsageError(str(error)) from error


def _ruled(asked: Asked, environment: Mapping[str, str]) -> Operator:
    """The operator's decisions with the policies that this command line asks for."""
    demands = asked.demands()
    if demands.any and asked.policies:
        raise UsageError(
            "--policy and demands on the command line are two ways to say what is trusted; give one of them"
        )
    if not demands.any and asked.no_log:
        raise UsageError("--no-log goes with --key")
    if not demands.any and asked.domain is not None:
        raise UsageError("--domain goes with a signer on the command line; a policy names its own trust domains")
    path = operator.config_path(asked.config, environment)
    named = asked.config is not None or "ARGOCD_PROVENANCE_CONFIG" in environment
    if demands.any:
        ruled = _config_or_none(path, named=named, policies=())
        return replace(ruled, policies=(policy_for(demands),))
    if asked.policies:
        ruled = _config_or_none(path, named=named, policies=asked.policies)
    elif named or path.exists():
        ruled = operator.load(path)
    else:
        raise UsageError(
            "nothing says what to trust, so nothing could be proved. Give --policy FILE, or --certificate-identity and "
            "--certificate-oidc-issuer, or --key FILE, or name the operator's config with --config"
        )
    if not ruled.policies:
        raise UsageError("there is no policy to judge by: the config names none")
    return ruled


def _config_or_none(path: Path, *, named: bool, policies: Sequence[Path]) -> Operator:
    """The config where there is one: `registries`, `trust` and `unmatched` still hold beside other policies."""
    if named or path.exists():
        return operator.load(path, policies)
    return operator.without_config(policies)


def _trust(ruled: Operator, asked: Asked) -> Operator:
    if asked.trusted_root is None:
        return ruled
    return replace(ruled, instead=_given_root(asked.trusted_root))


def _given_root(path: Path) -> TrustDomain:
    raw = read_bytes(path, "--trusted-root")
    try:
        return trust_domain(str(path), raw, offered(raw))
    except OperatorError as error:
        raise OperatorError(f"{path}: {error}") from error


def _notes(policies: Sequence[Policy]) -> tuple[str, ...]:
    return tuple(
        f"policy {p.name} is for some Applications or objects only; here it is taken as matching"
        for p in policies
        if p.narrow
    )


def digest_typed(text: str) -> Digest | None:
    """The digest that `text` is, if it is one."""
    try:
        return Digest(text)
    except InvalidReference:
        return None
