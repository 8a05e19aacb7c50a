"""What a kustomization names is here, and none of it is a program.

The law is positive: every base, component and resource must exist inside the source's root, and be written so that
kustomize cannot take it for an address (``api/internal/git/repospec.go`` is tried before the file system for folders,
``api/internal/loader/fileloader.go`` fetches any path that is an http URL). This runs before kustomize; a child without
git in its PATH and with a dead proxy is the second fence.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RenderError
from argocd_provenance.regex import regex
from argocd_provenance.render.symlinks import inside

if TYPE_CHECKING:
    from argocd_provenance.render.bases import Bring

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")

_FOLDERS = ("resources", "bases", "components")
_REMOTE = ("resources", "bases")
_PLUGINS = ("generators", "transformers", "validators")
_HELM = ("helmCharts", "helmChartInflationGenerator", "helmGlobals")

# Texts under these are data that kustomize copies; it opens none of them.
_DATA = frozenset(
    {"annotations", "commonAnnotations", "commonLabels", "images", "labels", "literals", "metadata", "patch", "value"}
)
_URL = regex(r"(?:[^=\s]*=)?\s*https?://", re.IGNORECASE)
_ADDRESS = regex(r"[:?]|^github\.com/|^[^/]*@|(?:^|/)_git/", re.IGNORECASE)

# Nobody has so many; an attacker's tree of bases could.
_FOLDER_LIMIT = 1000


class RemoteBaseError(RenderError):
    """A base lies elsewhere, and nobody was there to bring it."""


def check_local(source: Path, root: Path, deadline: Deadline, bring: "Bring | None" = None) -> None:
    """Raise `RenderError`, naming file and entry, for what in `source` or its bases is remote, missing or a program.

    With `bring`, `source` lies in a copy that is ours: remote bases are brought into it, and the kustomizations that name
    them are changed. Each is checked as the others are, and stays in its own root.
    """
    waiting, seen = [(source, root)], {source}
    while waiting:
        deadline.check("the kustomizations were read")
        folder, its_root = waiting.pop()
        for base, base_root in _bases(folder, its_root, bring):
            if base not in seen:
                seen.add(base)
                waiting.append((base, base_root))
        if len(seen) > _FOLDER_LIMIT:
            raise RenderError(f"more than {_FOLDER_LIMIT} bases")


def is_local(entry: str, folder: Path, root: Path) -> bool:
    """Whether `entry`, a component that an Application names, is there; raises `RenderError` for an address."""
    if _ADDRESS.search(entry):
        raise RenderError(
            f"kustomize.components: {entry!r}: remote components are not fetched", fix="copy it into the repository"
        )
    path = Path(os.path.realpath(folder / entry))
    return path.exists() and inside(path, root)


def _bases(folder: Path, root: Path, bring: "Bring | None") -> Iterator[tuple[Path, Path]]:
    """The folders that the kustomization of `folder` builds on, with their roots; all that it names was checked."""
    file = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    if file is None:
        raise RenderError(f"{_named(folder, root)!r}: a base without a kustomization file")
    name = _named(file, root)
    for content in _documents(file, name):
        if not isinstance(content, dict) or "<<" in content:
            raise RenderError(f"{name!r}: not one plain mapping")
        _refuse_other_case(content, name)
        for field in _HELM:
            if content.get(field):
                raise RenderError(
                    f"{name!r}: {field} is not supported: kustomize would fetch and run a chart",
                    fix="use a chart, or render it in CI",
                )
        brought = _brought(file, content, name, bring)
        yield from brought
        _refuse_urls(content, name)
        for field in (*_FOLDERS, *_PLUGINS):
            for entry in _entries(content, field, name):
                if field in _PLUGINS and "\n" in entry:
                    _check_plugins(yaml.load_all(entry, Loader=yaml.CBaseLoader), name)
                    continue
                where = f"{name!r}: {field}: {entry!r}"
                yield from ((base, root) for base in _local(entry, folder, root, where, plugins=field in _PLUGINS))


def _brought(file: Path, content: dict[str, Any], name: str, bring: "Bring | None") -> list[tuple[Path, Path]]:
    """The remote bases among ``resources`` and ``bases``, brought; they leave `content`, and the file names their copies."""
    found: dict[str, tuple[Path, Path]] = {}
    for field in _REMOTE:
        entries = _entries(content, field, name)
        for entry in entries:
            if _ADDRESS.search(entry):
                if bring is None:
                    raise RemoteBaseError(
                        f"{name!r}: {field}: {entry!r}: nothing is fetched from there; copy it into the repository, or name the place under `render.remotes` in the config"
                    )
                found[entry] = bring(entry)
        content[field] = [entry for entry in entries if entry not in found]
    if bring is not None and content.get("buildMetadata"):
        raise RenderError(f"{name!r}: buildMetadata would name our copy of a remote base", fix="leave it out")
    if found:
        from argocd_provenance.render.edit import rewrite

        rewrite(file, {entry: os.path.relpath(base, file.parent) for entry, (base, _) in found.items()})
    return list(found.values())


def _refuse_other_case(content: dict[str, Any], name: str) -> None:
    """Go's JSON reader takes ``Resources`` for ``resources``, with which kustomize reads a kustomization."""
    for field in content:
        for known in (*_FOLDERS, *_PLUGINS, *_HELM):
            # casefold, for Go folds more than ASCII: the long s is an s to it.
            if field != known and str(field).casefold() == known.casefold():
                raise RenderError(f"{name!r}: {field!r}: write {known}")


def _local(entry: str, folder: Path, root: Path, where: str, *, plugins: bool) -> Iterator[Path]:
    """The folder that `entry` names, if it is one; nothing for a file."""
    if _ADDRESS.search(entry):
        raise RenderError(f"{where}: is not fetched", fix="copy it into the repository")
    if not plugins and "/" not in entry and _is_plain_file(folder, entry):
        return  # `folder` is real and lies inside, and so does what lies in it and is no link
    path = Path(os.path.realpath(folder / entry))
    if not inside(path, root):
        raise RenderError(
            f"{where}: lies outside of the source", fix="run in the Git checkout, or in a folder that holds both"
        )
    if path.is_dir():
        yield path
    elif not path.is_file():
        raise RenderError(f"{where}: no such file or folder")
    elif plugins:
        _check_plugins(_documents(path, _named(path, root)), _named(path, root))


def _is_plain_file(folder: Path, name: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(f"{folder}/{name}").st_mode)
    except (OSError, ValueError):
        return False


def _check_plugins(documents: Iterable[Any], name: str) -> None:
    """Generators and transformers are kustomize's own, without chart inflation, functions or addresses."""
    try:
        for document in documents:
            if document is None or document == "":
                continue
            metadata = document.get("metadata") if isinstance(document, dict) else None
            builtin = isinstance(document, dict) and document.get("apiVersion") == "builtin"
            if not builtin or document.get("kind") == "HelmChartInflationGenerator":
                raise RenderError(
                    f"{name!r}: only kustomize's own generators and transformers (apiVersion: builtin, no charts) are supported: others run programs"
                )
            if isinstance(metadata, dict) and "function" in str(metadata.get("annotations", "")):
                raise RenderError(f"{name!r}: functions run programs, and are not supported")
            _refuse_urls(document, name)
    except yaml.YAMLError as error:
        raise RenderError(f"{name!r}: cannot be read as YAML") from error


def _entries(content: dict[str, Any], field: str, name: str) -> list[str]:
    entries = content.get(field) or []
    if not (isinstance(entries, list) and all(isinstance(entry, str) for entry in entries)):
        raise RenderError(f"{name!r}: {field} is not a list of texts")
    return entries


def _refuse_urls(content: dict[str, Any], name: str) -> None:
    waiting: list[Any] = [content]
    seen: set[int] = set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, str) and _URL.match(value):
            raise RenderError(
                f"{name!r}: {value[:200]!r}: nothing is fetched by kustomize", fix="copy it into the repository"
            )
        if isinstance(value, (dict, list)) and id(value) not in seen:
            seen.add(id(value))  # an alias is the same object: looked at once, however often it stands there
            waiting += value if isinstance(value, list) else [inner for key, inner in value.items() if key not in _DATA]


def _documents(file: Path, name: str) -> list[Any]:
    """The documents of `file`, all scalars as texts."""
    try:
        return [d for d in yaml.load_all(file.read_bytes(), Loader=yaml.CBaseLoader) if d not in (None, "")]
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, TypeError, OSError) as error:
        raise RenderError(f"{name!r}: cannot be read as YAML") from error


def _named(path: Path, root: Path) -> str:
    return os.path.relpath(path, root)
