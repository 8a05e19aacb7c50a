"""``policy check``, put together: which files, what is said of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from argocd_provenance.cli import gate, operator
from argocd_provenance.cli.operator import Operator
from argocd_provenance.config import Config
from argocd_provenance.errors import OperatorError, UsageError
from argocd_provenance.lints import Lint, in_order
from argocd_provenance.operatorfile import Faults, documents
from argocd_provenance.policy.lint import lint
from argocd_provenance.records import dataclass


@dataclass(frozen=True, slots=True)
class Checked:
    """How many policies there were, and what there is to say of them."""

    policies: int
    found: tuple[Lint, ...]


def check(paths: Sequence[Path], config: Path | None, environment: Mapping[str, str]) -> Checked:
    """What there is to say of `paths`, or else of the operator's config and its policies.

    Raises `OperatorError` with every fault of every file that does not load.
    """
    configs = [path for path in paths if _is_config(path)]
    policies = [path for path in paths if path not in configs]
    if len(configs) + (config is not None) > 1:
        raise UsageError("name one config, by --config or as PATH")
    ruled, written = _ruled(configs[0] if configs else config, policies, environment)
    said = lint(ruled.policies, ruled.files, gate.today())
    return Checked(len(ruled.policies), in_order((*said, *_unmatched(ruled.config, written))))


def _ruled(named: Path | None, policies: Sequence[Path], environment: Mapping[str, str]) -> tuple[Operator, str]:
    """The operator's decisions, and the text of the config; empty where there is none."""
    path = operator.config_path(named, environment)
    if named is None and policies and not path.exists():
        return operator.without_config(policies), ""
    ruled = operator.load(path, policies or None)
    return ruled, path.read_text(encoding="utf-8")


def _is_config(path: Path) -> bool:
    """Whether `path` is a file with a config, and not with policies."""
    if not path.exists():
        raise UsageError(f"{path} is not there")
    if path.is_dir():
        return False
    try:
        roots = documents(str(path), path.read_text(encoding="utf-8"), Faults())
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(f"{path}: cannot be read: {error}") from error
    kinds = [
        str(root.mapping(None)["kind"].plain_values())
        for root in roots
        if isinstance(root.value, Mapping) and "kind" in root.value
    ]
    return kinds == ["Config"]


def _unmatched(config: Config, text: str) -> list[Lint]:
    """The lint for a config that lets through what no policy covers."""
    if not text or config.unmatched == "deny":
        return []
    root = documents(config.file, text, Faults())[0]
    fields = root.mapping(None)
    line = fields["unmatched"].line if "unmatched" in fields else root.line
    return [
        Lint(
            "unmatched-open",
            config.file,
            line,
            f"unmatched: {config.unmatched} lets every image through that no policy covers",
            "write unmatched: deny once every image that you run has a policy",
            "unmatched",
        )
    ]
