"""Plain manifests: the files of a folder, as Argo CD reads them.

Rules: ``reposerver/repository/repository.go``, findManifests. Hidden files are files like any. The law: a file is
taken, skipped for a reason of Argo CD's, or an error that names it; never half.
"""

import codecs
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RenderError
from argocd_provenance.regex import regex
from argocd_provenance.render.globs import GlobError, glob
from argocd_provenance.render.manifests import check_json, is_manifest
from argocd_provenance.render.settings import DirectoryOptions, Settings
from argocd_provenance.render.symlinks import inside

_NAME = regex(r".*\.(yaml|yml|json|jsonnet)", re.DOTALL)
_SKIP = "+argocd:skip-file-rendering"
_JSONNET = ".jsonnet"
_MARKS = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"), (b"", "utf-8-sig"))

# reposerver.max.combined.directory.manifests.size, by default 10M.
_SUM_OF_SIZES = 10_000_000


def render(source: Path, root: Path, settings: Settings, deadline: Deadline) -> Sequence[tuple[str, str]]:
    """The manifests among the files of `source`, in Argo CD's order; raises `RenderError`."""
    found = {}
    for name in _candidates(source, root, settings.directory):
        deadline.check(f"{name!r} was read")
        text = _decoded(name, (source / name).read_bytes())
        if _SKIP not in text:
            found[name] = text
    evaluated = _evaluated([name for name in found if name.endswith(_JSONNET)], source, root, settings, deadline)
    texts = []
    for name, text in found.items():
        if name.endswith(_JSONNET):
            texts += [(name, made) for made in evaluated[name]]
            continue
        if name.endswith(".json"):
            check_json(name, text)
        elif not is_manifest(name, text):
            continue
        texts.append((name, text))
    return texts


def _evaluated(
    names: list[str], source: Path, root: Path, settings: Settings, deadline: Deadline
) -> Mapping[str, Sequence[str]]:
    """What the files of Jsonnet among them print."""
    if not names:
        return {}
    from argocd_provenance.render import jsonnet  # most folders need none

    return jsonnet.evaluate(names, source, root, settings, deadline)


def _candidates(source: Path, root: Path, options: DirectoryOptions) -> list[str]:
    """Paths below `source` that can be manifests; all looked at, and their sizes summed, before one is read."""
    included, excluded = (
        _matcher("directory.include", options.include, True),
        _matcher("directory.exclude", options.exclude, False),
    )
    found, total = [], 0
    for name in _walk(source, "", recurse=options.recurse):
        if not _NAME.fullmatch(os.path.basename(name)):  # noqa: PTH119 - names stay text: they are matched and sorted as such
            continue
        path = source / name
        if path.is_symlink() and not inside(path, root):
            raise RenderError(f"{name!r}: a symlink that leads out of the source")
        if not path.is_file() or excluded(name) or not included(name):
            continue
        found.append(name)
        total += 0 if name.endswith(_JSONNET) else path.stat().st_size
        if total > _SUM_OF_SIZES:
            raise RenderError(f"the manifests of the folder exceed {_SUM_OF_SIZES} bytes together, at {name!r}")
    return found


def _walk(source: Path, below: str, *, recurse: bool) -> Iterator[str]:
    """Paths of all that is no folder, in the order of Go's filepath.Walk: by the bytes of the names, level by level."""
    with os.scandir(source / below) as entries:
        listed = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    for entry in listed:
        if not entry.is_dir(follow_symlinks=False):
            yield below + entry.name
        elif recurse:
            yield from _walk(source, f"{below}{entry.name}/", recurse=True)


def _matcher(parameter: str, pattern: str, without: bool) -> Callable[[str], bool]:  # noqa: FBT001 - what holds if there is no pattern
    if not pattern:
        return lambda _: without
    try:
        compiled = glob(pattern)
    except GlobError as error:
        raise RenderError(f"{parameter}: {error}") from error
    return lambda name: compiled.fullmatch(name) is not None


def _decoded(name: str, content: bytes) -> str:
    """The text of `content`: UTF-8, or UTF-16 with a byte order mark (TomOnTime/utfutil, as Argo CD)."""
    encoding = next(encoding for mark, encoding in _MARKS if content.startswith(mark))
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise RenderError(f"{name!r}: not {encoding.upper().removesuffix('-SIG')} (byte {error.start})") from error
