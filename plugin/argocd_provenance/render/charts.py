"""What a chart says about the charts that it needs: ``Chart.yaml``, ``Chart.lock``, and what lies in ``charts/``.

Format: helm 4, ``pkg/chart/v2/dependency.go``; the digest of a lock: ``internal/resolver/resolver.go``, HashReq. The law:
one commit gives one set of charts. A version is the lock's, or written out; a range without a lock is refused.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from argocd_provenance.errors import RenderError
from argocd_provenance.records import dataclass
from argocd_provenance.regex import regex
from argocd_provenance.render.schemas import PACKED_FILES, PACKED_SIZE

# A version of semver with nothing left out; whatever else helm takes is a range.
_VERSION = regex(r"v?[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?")
_NAME = regex(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_FIELDS = ("name", "version", "repository", "condition", "tags", "enabled", "import-values", "alias")
_ALWAYS = frozenset({"name", "repository"})
_OCI = "oci://"
_CHART_FILE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Needed:
    """A chart that is not there: its name, its exact version, and where it comes from (``https://…``, ``oci://…``)."""

    name: str
    version: str
    repository: str

    @property
    def archive(self) -> str:
        """The name of its file in ``charts/``."""
        return f"{self.name}-{self.version}.tgz"

    @property
    def reference(self) -> str:
        """Its reference in a registry; empty for one that comes from elsewhere. A tag has no plus: helm writes ``_``."""
        if not self.repository.startswith(_OCI):
            return ""
        return f"{self.repository.removeprefix(_OCI).rstrip('/')}/{self.name}:{self.version.replace('+', '_')}"


def needed(source: Path) -> tuple[Needed, ...]:
    """The dependencies of the chart in `source` that do not lie in its ``charts/``; raises `RenderError`."""
    chart = _mapping(source / "Chart.yaml")
    asked = _listed(chart, "Chart.yaml")
    lock = "Chart.lock"
    if not asked and (source / "requirements.yaml").is_file():
        asked, lock = _listed(_mapping(source / "requirements.yaml"), "requirements.yaml"), "requirements.lock"
    there = set(_vendored(source / "charts")) if asked else set()
    missing = [one for one in asked if one["name"] not in there]
    if not missing:
        return ()
    locked = _locked(source / lock, asked)
    return tuple(_needed(one, locked) for one in missing)


def _needed(one: Mapping[str, Any], locked: Mapping[tuple[str, str], str] | None) -> Needed:
    name, repository = one["name"], one["repository"]
    if not repository.startswith(("https://", "http://", "file://", _OCI)):
        where = repr(repository) if repository else "no repository"
        raise RenderError(
            f"dependency {name!r} has {where}: a name of a repository is known to Argo CD only",
            fix="write its URL, or commit charts/",
        )
    version = one.get("version", "") if locked is None else locked.get((name, repository), "")
    local = repository.startswith("file://")
    if not _NAME.fullmatch(name) or not (local or _VERSION.fullmatch(version)):
        raise RenderError(
            f"dependency {name!r}, version {version!r}: a range gives other charts on other days",
            fix="commit Chart.lock (`helm dependency update`), or write the version out",
        )
    return Needed(name, version, repository)


def _locked(file: Path, asked: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], str] | None:
    """The versions of a lock, by name and repository, if there is one; it must be of these dependencies."""
    if not file.is_file():
        return None
    lock = _mapping(file)
    listed = _listed(lock, file.name)
    if lock.get("digest") != _digest(asked, listed):
        raise RenderError(
            f"{file.name} is out of sync with the dependencies of the chart", fix="run `helm dependency update`"
        )
    return {(one["name"], one["repository"]): one.get("version", "") for one in listed}


def _digest(asked: Sequence[Mapping[str, Any]], locked: Sequence[Mapping[str, Any]]) -> str:
    """As Go marshals the two lists: fields in order, empty ones left out, and ``<``, ``>``, ``&`` escaped."""
    import hashlib
    import json

    both = [[_in_order(one) for one in listed] for listed in (asked, locked)]
    text = json.dumps(both, separators=(",", ":"), ensure_ascii=False)
    for c in "<>&\u2028\u2029":
        text = text.replace(c, f"\\u{ord(c):04x}")
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _in_order(one: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one.get(name, "") for name in _FIELDS if name in _ALWAYS or one.get(name)}


def _listed(chart: Mapping[str, Any], file: str) -> list[dict[str, Any]]:
    listed = chart.get("dependencies") or []
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise RenderError(f"{file}: dependencies is not a list of mappings")
    for one in listed:
        one.setdefault("repository", "")
        if not all(isinstance(one.get(name, ""), str) for name in ("name", "version", "repository")) or not one.get(
            "name"
        ):
            raise RenderError(f"{file}: a dependency has a name, a version and a repository, and all are texts")
    return listed


def _mapping(file: Path) -> dict[str, Any]:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise RenderError(f"{file.name}: cannot be read: {error.strerror}") from error
    return _parsed(content, file.name)


def _parsed(content: bytes, name: str) -> dict[str, Any]:
    try:
        value = yaml.load(content, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise RenderError(f"{name}: cannot be read as YAML") from error
    if not isinstance(value, dict):
        raise RenderError(f"{name}: not a mapping")
    return value


def _vendored(folder: Path) -> Iterator[str]:
    """The names of the charts in ``charts/``, as folders and as archives."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if (path / "Chart.yaml").is_file():
            yield str(_mapping(path / "Chart.yaml").get("name"))
        elif path.name.endswith(".tgz") and path.is_file():
            yield packed_chart(path)[0]


def packed_chart(path: Path) -> tuple[str, str]:
    """Name and version of the chart in an archive; raises `RenderError` for what is none, or holds links."""
    found = None
    import tarfile
    import zlib

    try:
        with tarfile.open(path, mode="r:gz") as archive:
            for count, member in enumerate(archive):
                parts = member.name.split("/")
                if count > PACKED_FILES or archive.offset + member.size > PACKED_SIZE:
                    raise RenderError(f"{path.name!r}: holds more than a chart does")
                if not (member.isfile() or member.isdir()) or ".." in parts or member.name.startswith("/"):
                    raise RenderError(f"{path.name!r}: holds a link, or a file outside of its folder")
                content = archive.extractfile(member) if parts[1:] == ["Chart.yaml"] and member.isfile() else None
                if content is not None:
                    found = _parsed(content.read(_CHART_FILE), f"{path.name}: Chart.yaml")
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise RenderError(f"{path.name!r}: cannot be read as an archive") from error
    if found is None:
        raise RenderError(f"{path.name!r}: holds no Chart.yaml")
    return str(found.get("name")), str(found.get("version"))
