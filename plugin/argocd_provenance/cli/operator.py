"""The operator's files, read: config, policies, trust roots. Nothing of the Application's repository is looked at here."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from argocd_provenance.cli.foreign import cluster, mixed_domain
from argocd_provenance.config import Config, Trust, read_config
from argocd_provenance.errors import FileFaults, OperatorError, UsageError
from argocd_provenance.evidence.trust import PUBLIC_GOOD, USUAL, TrustDomain, offered, public_good, trust_domain
from argocd_provenance.evidence.values import Anchor, DomainAnchor
from argocd_provenance.operatorfile import Faults
from argocd_provenance.policy.load import load_files
from argocd_provenance.policy.model import Policy
from argocd_provenance.policy.trust_root import TrustRoot
from argocd_provenance.records import dataclass

if TYPE_CHECKING:
    from argocd_provenance.evidence.proofs import Proofs

DEFAULT_CONFIG = "/etc/argocd-provenance/config.yaml"
_HOW_TO = (
    "there is no config file at {path}. Write one and name it with --config or ARGOCD_PROVENANCE_CONFIG; a first one is:\n"
    "  apiVersion: argocd-provenance.io/v1alpha1\n  kind: Config\n  policies: []\n  unmatched: pin"
)


@dataclass(frozen=True, slots=True)
class Operator:
    """What the operator decided. `instead` replaces every trust domain (``--trusted-root``).

    `files` are the policy files as read (path and text); `carried` are the trust domains that a hook brought along.
    """

    config: Config
    policies: tuple[Policy, ...]
    trust_roots: tuple[TrustRoot, ...] = ()
    """Trust domains that stand among the policies, as TrustRoot objects."""
    instead: TrustDomain | None = None
    files: tuple[tuple[str, str], ...] = ()
    carried: tuple[TrustDomain, ...] | None = None

    def hosts(self) -> frozenset[str]:
        """The registries that may be asked: named under `registries`, or literally in a policy's pattern."""
        named = {settings.host for settings in self.config.registries}
        return frozenset(named.union(*(policy.hosts() for policy in self.policies)))

    def leans_on_sigstore(self) -> bool:
        """Whether some policy trusts certificates, a log or a timestamp authority, and not keys alone."""
        anchors = (anchor for policy in self.policies for anchor in policy.anchors())
        return any(isinstance(anchor, DomainAnchor) or anchor.log or anchor.stamped for anchor in anchors)


def config_path(given: Path | None, environment: Mapping[str, str]) -> Path:
    """The config's path: the option, the variable, or the usual place."""
    named = Path(environment.get("ARGOCD_PROVENANCE_CONFIG") or DEFAULT_CONFIG)
    if given is None and not named.is_absolute():
        # The working folder is the Application's repository: what lies there is not the operator's.
        raise UsageError(f"ARGOCD_PROVENANCE_CONFIG must be an absolute path, not {str(named)!r}")
    return given or named


def load(path: Path, policies: Sequence[Path] | None = None) -> Operator:
    """The operator's decisions from the config at `path`; `policies` replaces the policies it names.

    Raises `OperatorError` with every fault of every file.
    """
    if not path.exists():
        raise OperatorError(_HOW_TO.format(path=path))
    faults = Faults()
    config = read_config(str(path), _text(path), faults)
    named = [name for name in config.policies if name] if config is not None and policies is None else []
    lost = [name for name in named if not Path(name).exists()]
    paths = [Path(name) for name in named if name not in lost] if policies is None else list(policies)
    if config is None or faults.found or lost:
        missing = (f"{path}: policies: there is no {name}" for name in lost)
        beside = _faults_beside(faults, config, paths) if config is not None else ()
        raise FileFaults((*faults.texts(), *missing, *beside))
    try:
        return _with_policies(config, paths)
    except OperatorError as error:
        raise FileFaults((*_faults_of(error), *_faults_of_roots(config))) from error


def _faults_beside(faults: Faults, config: Config, paths: Sequence[Path]) -> tuple[str, ...]:
    """What is wrong with policies and trusted roots too where the config has `faults`, so that one run tells of all.

    Nothing of those whose part of the config (``clusterImagePolicy``; ``trust``) is at fault: theirs would be its echo.
    """
    found: tuple[str, ...] = ()
    if not _stand_in(faults, "cluster"):
        try:
            _with_policies(config, paths)
        except OperatorError as error:
            found = _faults_of(error)
    return found if _stand_in(faults, "trust", "publicGood") else (*found, *_faults_of_roots(config))


def _stand_in(faults: Faults, *fields: str) -> bool:
    return any(text.removeprefix(f"{file}:{line}: ").startswith(fields) for file, line, text in faults.found)


def _faults_of(error: OperatorError) -> tuple[str, ...]:
    return error.faults if isinstance(error, FileFaults) else (str(error),)


def _faults_of_roots(config: Config) -> tuple[str, ...]:
    """What is wrong with the trusted roots that the config names; for a run that has failed already, for it takes time."""
    try:
        domains(Operator(config, ()))
    except FileFaults as error:
        return error.faults
    return ()


def without_config(policies: Sequence[Path]) -> Operator:
    """What holds where there is no config: these policies, the public-good trust domain, every default."""
    return _with_policies(Config("-"), policies)


def _with_policies(config: Config, paths: Sequence[Path]) -> Operator:
    files = policy_files(paths)
    loaded = load_files(files, key_file, cluster(config.cluster))
    return Operator(config, loaded.policies, loaded.trust_roots, files=files)


def policy_files(paths: Sequence[Path]) -> tuple[tuple[str, str], ...]:
    """Path and text of each file in `paths`: files, and folders with files that end in .yaml, .yml or .json."""
    files: list[tuple[str, str]] = []
    for path in paths:
        found = _in_folder(path) if path.is_dir() else [path]
        files += [(str(file), _text(file)) for file in found]
    return tuple(files)


def _in_folder(folder: Path) -> list[Path]:
    # Hidden names are left out: a mounted ConfigMap keeps its versions in folders such as ..data.
    endings = (".yaml", ".yml", ".json")
    names = sorted(p for p in folder.iterdir() if p.suffix.lower() in endings and not p.name.startswith("."))
    if not names:
        raise OperatorError(f"policies: {folder} holds no policy (*.yaml, *.yml, *.json)")
    return names


def key_file(path: str) -> bytes:
    """The bytes of a file that a policy names; raises OSError."""
    return Path(path).read_bytes()


def domains(
    ruled: Operator, proofs: "Proofs | None" = None, check: Callable[[bytes], None] | None = None
) -> dict[str, TrustDomain]:
    """The trust domains that its policies can name; read only where evidence is verified, for it takes cryptography.

    A trusted root that `proofs` knows to be sound is not looked into again; `check` is `trust_domain`'s. Raises `FileFaults` with the faults of every trusted root.
    """
    if ruled.instead is not None:
        return dict.fromkeys(_named(ruled), ruled.instead)
    if ruled.carried is not None:
        return {domain.name: domain for domain in ruled.carried}
    from argocd_provenance.evidence.proofs import Proofs

    trusts = ruled.config.trust
    if ruled.config.public_good is None:
        found = {PUBLIC_GOOD: public_good()}
    else:
        found, trusts = {}, (Trust(PUBLIC_GOOD, ruled.config.public_good), *trusts)
    proofs, faults = proofs or Proofs(), []
    for root in ruled.trust_roots:
        try:
            found[root.name] = trust_domain(root.name, root.root, offered(root.root))
        except OperatorError as error:
            faults.append(f"{root.origin}: {error}")
    for trust in trusts:
        try:
            found[trust.name] = _domain(trust, Path(trust.trusted_root).read_bytes(), proofs, check)
        except OSError as error:
            faults.append(
                f"{ruled.config.file}: trust {trust.name!r}: cannot read {trust.trusted_root}: {error.strerror}"
            )
        except OperatorError as error:
            faults.append(f"{trust.trusted_root}: {error}")
    if faults:
        raise FileFaults(faults)
    return found | _mixed(ruled, found)


def _mixed(ruled: Operator, known: Mapping[str, TrustDomain]) -> dict[str, TrustDomain]:
    """The trust domains that policies put together from those that are `known`."""
    explicit = {trust.name: trust.requires or frozenset() for trust in ruled.config.trust}
    found, faults = {}, []
    for policy in ruled.policies:
        for domain in policy.domains:
            try:
                found[domain.name] = mixed_domain(domain, known, explicit.get(domain.base, frozenset()))
            except OperatorError as error:
                faults.append(f"{policy.origin}: {error}")
    if faults:
        raise FileFaults(faults)
    return found


def places_of_roots(ruled: Operator) -> dict[str, str]:
    """Where the trusted root of each domain is: a file, or the package that ships it."""
    from importlib.metadata import version

    shipped = f"shipped with sigstore {version('sigstore')}"
    own = {trust.name: trust.trusted_root for trust in ruled.config.trust}
    objects = {root.name: root.origin for root in ruled.trust_roots}
    return {PUBLIC_GOOD: ruled.config.public_good or shipped, **own, **objects}


def _domain(trust: Trust, raw: bytes, proofs: "Proofs", check: Callable[[bytes], None] | None) -> TrustDomain:
    requires = USUAL if trust.requires is None else trust.requires
    if proofs.knows_root(raw, requires):
        return TrustDomain(trust.name, raw, requires)
    domain = trust_domain(trust.name, raw, requires, check)
    proofs.keep_root(raw, requires)
    return domain


def check_domains(ruled: Operator) -> Operator:
    """`ruled`, if every trust domain that a policy names is there; raises `FileFaults` otherwise."""
    if ruled.instead is not None:
        return ruled
    named = {trust.name for trust in ruled.config.trust}
    known = sorted({PUBLIC_GOOD, *named, *(root.name for root in ruled.trust_roots)})
    if ruled.carried is not None:
        known = sorted(domain.name for domain in ruled.carried)
    faults = [
        f"{': '.join(dict.fromkeys((policy.origin, policy.name)))}: there is no trust domain {name!r} (known: {', '.join(known)}); "
        "add it under `trust` in the config"
        for policy in ruled.policies
        for name in sorted(_bases(policy, ruled) - set(known))
    ]
    faults += [
        f"{root.origin}: metadata.name: {root.name} is the name of a trust domain of the config too, or built in"
        for root in ruled.trust_roots
        if root.name in {PUBLIC_GOOD, *named}
    ]
    if faults:
        raise FileFaults((*faults, *(_faults_of_roots(ruled.config) if ruled.carried is None else ())))
    return ruled


def _bases(policy: Policy, ruled: Operator) -> set[str]:
    """The trust domains that `policy` names, and those that it puts its own together from; a hook carries these whole."""
    if ruled.carried is not None:
        return {domain_of(anchor) for anchor in policy.anchors()}
    mixed = {domain.name for domain in policy.domains}
    parts = {name for domain in policy.domains for name in (domain.base, domain.log, domain.stamps)}
    return {domain_of(anchor) for anchor in policy.anchors()} - mixed | parts


def _named(ruled: Operator) -> frozenset[str]:
    return frozenset(domain_of(anchor) for policy in ruled.policies for anchor in policy.anchors())


def domain_of(anchor: Anchor) -> str:
    """The trust domain that `anchor` belongs to."""
    return anchor.name if isinstance(anchor, DomainAnchor) else anchor.domain


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise OperatorError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise OperatorError(f"{path}: is not UTF-8 text (byte {error.start})") from error
