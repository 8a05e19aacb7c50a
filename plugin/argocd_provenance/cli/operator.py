"""The operator's files, read: config, policies, trust roots. Nothing of the Application's repository is looked at here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from argocd_provenance.config import Config, load_config
from argocd_provenance.errors import FileFaults, OperatorError
from argocd_provenance.evidence.trust import PUBLIC_GOOD, TrustDomain, public_good, trust_domain
from argocd_provenance.evidence.values import DomainAnchor
from argocd_provenance.policy.load import load_policies
from argocd_provenance.policy.model import Policy

DEFAULT_CONFIG = "/etc/argocd-provenance/config.yaml"
_HOW_TO = (
    "there is no config file at {path}. Write one and name it with --config or ARGOCD_PROVENANCE_CONFIG; a first one is:\n"
    "  apiVersion: argocd-provenance.io/v1alpha1\n  kind: Config\n  policies: []\n  unmatched: pin"
)


@dataclass(frozen=True, slots=True)
class Operator:
    """What the operator decided."""

    config: Config
    policies: tuple[Policy, ...]
    domains: Mapping[str, TrustDomain]

    def hosts(self) -> frozenset[str]:
        """The registries that may be asked: named under `registries`, or literally in a policy's pattern."""
        named = {settings.host for settings in self.config.registries}
        return frozenset(named.union(*(policy.hosts() for policy in self.policies)))


def config_path(given: Path | None, environment: Mapping[str, str]) -> Path:
    """The config's path: the option, the variable, or the usual place."""
    return given or Path(environment.get("ARGOCD_PROVENANCE_CONFIG") or DEFAULT_CONFIG)


def load(path: Path, policies: Sequence[Path] | None = None) -> Operator:
    """The operator's decisions from the config at `path`; `policies` replaces the policies it names.

    Raises `OperatorError` with every fault of every file.
    """
    if not path.exists():
        raise OperatorError(_HOW_TO.format(path=path))
    config = load_config(str(path), _text(path))
    files = [Path(name) for name in config.policies] if policies is None else list(policies)
    return Operator(config, read_policies(files), _domains(config))


def without_config(policies: Sequence[Path]) -> Operator:
    """What holds where there is no config: these policies, the public-good trust domain, every default."""
    return Operator(Config("-"), read_policies(policies), {PUBLIC_GOOD: public_good()})


def read_policies(paths: Sequence[Path]) -> tuple[Policy, ...]:
    """The policies in `paths`: files, and folders with files that end in .yaml, .yml or .json."""
    files: list[tuple[str, str]] = []
    for path in paths:
        found = _in_folder(path) if path.is_dir() else [path]
        files += [(str(file), _text(file)) for file in found]
    return load_policies(files, _key_file)


def _in_folder(folder: Path) -> list[Path]:
    # Hidden names are left out: a mounted ConfigMap keeps its versions in folders such as ..data.
    names = sorted(p for p in folder.iterdir() if p.suffix in (".yaml", ".yml", ".json") and not p.name.startswith("."))
    if not names:
        raise OperatorError(f"policies: {folder} holds no policy (*.yaml, *.yml, *.json)")
    return names


def _key_file(path: str) -> bytes:
    return Path(path).read_bytes()


def _domains(config: Config) -> dict[str, TrustDomain]:
    domains = {PUBLIC_GOOD: public_good()}
    faults = []
    for trust in config.trust:
        try:
            domains[trust.name] = trust_domain(trust.name, Path(trust.trusted_root).read_bytes(), trust.requires)
        except OSError as error:
            faults.append(f"{config.file}: trust {trust.name!r}: cannot read {trust.trusted_root}: {error.strerror}")
        except OperatorError as error:
            faults.append(f"{trust.trusted_root}: {error}")
    if faults:
        raise FileFaults(faults)
    return domains


def check_domains(operator: Operator) -> Operator:
    """`operator`, once every trust domain that a policy names is there; raises `FileFaults` otherwise."""
    known = ", ".join(sorted(operator.domains))
    faults = [
        f"{policy.origin}: {policy.name}: there is no trust domain {name!r} (known: {known}); add it under `trust` in the config"
        for policy in operator.policies
        for name in sorted({a.name if isinstance(a, DomainAnchor) else a.domain for a in policy.anchors()})
        if name not in operator.domains
    ]
    if faults:
        raise FileFaults(faults)
    return operator


def replaced_trust(operator: Operator, domain: TrustDomain) -> Operator:
    """`operator` with `domain` in the place of every trust domain that anything names."""
    named = {a.name if isinstance(a, DomainAnchor) else a.domain for p in operator.policies for a in p.anchors()}
    return replace(operator, domains=dict.fromkeys({*operator.domains, *named}, domain))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise OperatorError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise OperatorError(f"{path}: is not UTF-8 text (byte {error.start})") from error
