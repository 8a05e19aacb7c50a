"""The files that ``helm.valueFiles`` and ``helm.fileParameters`` name.

Rules: ``reposerver/repository/repository.go``, getResolvedValueFiles, and ``util/io/path/resolved.go``: relative to the
Application's folder, or to the root if they begin with ``/``; patterns in the order of names, a file that is also
written out keeps its own place, and each counts once. The law: every file lies in the source, all links followed.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from argocd_provenance.errors import RenderError
from argocd_provenance.regex import regex
from argocd_provenance.render.settings import Settings
from argocd_provenance.render.substitution import substitute
from argocd_provenance.render.symlinks import inside

_SCHEME = regex(r"[A-Za-z][A-Za-z0-9+.-]*:")
_OTHER_SOURCE = regex(r"\$(?!\{?ARGOCD_|\$)([^/]*)")
_MATCHES = 10_000
_BRACES = regex(r"\{([^{}]*)\}")


def value_files(source: Path, root: Path, settings: Settings, fetch: Callable[[str], Path]) -> list[Path]:
    """The values files for `source`, in helm's order: later ones win. Raises `RenderError`.

    `fetch` brings one that is named by its URL, or raises.
    """
    written = [_substituted(text, "helm.valueFiles", settings) for text in settings.helm.value_files]
    plain = {_place(text, source, root, "helm.valueFiles") for text in written if not (_is_url(text) or _is_glob(text))}
    found: dict[Path, None] = {}
    for text in written:
        if _is_url(text):
            found.setdefault(fetch(text))
        elif _is_glob(text):
            matches = _expand(text, source, root)
            if not matches and not settings.helm.ignore_missing_value_files:
                raise RenderError(f"helm.valueFiles: {text!r} matches no file")
            found.update(dict.fromkeys(match for match in matches if match not in plain))
        else:
            path = _place(text, source, root, "helm.valueFiles")
            if path.exists():
                found.setdefault(path)
            elif not settings.helm.ignore_missing_value_files:
                raise RenderError(f"helm.valueFiles: {text!r}: no such file")
    return list(found)


def parameter_file(text: str, source: Path, root: Path, settings: Settings, fetch: Callable[[str], Path]) -> Path:
    """The file of one of ``helm.fileParameters``; raises `RenderError`."""
    text = _substituted(text, "helm.fileParameters", settings)
    path = fetch(text) if _is_url(text) else _place(text, source, root, "helm.fileParameters")
    if not path.is_file():
        raise RenderError(f"helm.fileParameters: {text!r}: no such file")
    return path


def _substituted(text: str, parameter: str, settings: Settings) -> str:
    if other := _OTHER_SOURCE.match(text):
        raise RenderError(
            f"{parameter}: {text!r}: a plugin gets one source, and ${other[1]} names another one",
            fix="copy the file into this source, or write its content into helm.values",
        )
    return substitute(text, settings)


def _is_url(text: str) -> bool:
    return _SCHEME.match(text) is not None


def _is_glob(text: str) -> bool:
    return any(c in text for c in "*?[")


def _place(text: str, source: Path, root: Path, parameter: str) -> Path:
    """The real path of what is written, which lies in `root`."""
    written = f"{root}/{text}" if text.startswith("/") else f"{source}/{text}"
    path = Path(os.path.normpath(written))
    real = Path(os.path.realpath(path))
    if not path.is_relative_to(root) or not inside(path, root) or real == root:
        raise RenderError(f"{parameter}: {text!r}: lies outside of the source")
    return real


def _expand(pattern: str, source: Path, root: Path) -> list[Path]:
    """The files and folders that `pattern` matches, in the order of doublestar.FilepathGlob.

    By the names on their way; below ``**``, a folder's own before those of its folders.
    """
    if "\\" in pattern:
        raise RenderError(f"helm.valueFiles: {pattern!r}: a pattern has no \\")
    start = root if pattern.startswith("/") else source
    found = {}
    for one in _alternatives(pattern):
        parts = [part for part in os.path.normpath(one).split("/") if part]
        for match in _matches(start, parts):
            path = Path(os.path.normpath(match))
            if not path.is_relative_to(root) or not inside(path, root):
                raise RenderError(f"helm.valueFiles: {pattern!r}: leads out of the source")
            found[path] = Path(os.path.realpath(path))
            if len(found) > _MATCHES:
                raise RenderError(f"helm.valueFiles: {pattern!r}: matches more than {_MATCHES} files")
    order = list(found) if "{" not in pattern else sorted(found, key=os.fsencode)
    return list(dict.fromkeys(found[path] for path in order))


def _alternatives(pattern: str) -> list[str]:
    """`pattern` without ``{a,b}``: one for each choice."""
    braces = _BRACES.search(pattern)
    if braces is None:
        return [pattern]
    return [
        found
        for choice in braces[1].split(",")
        for found in _alternatives(pattern[: braces.start()] + choice + pattern[braces.end() :])
    ]


def _matches(folder: Path, parts: Sequence[str]) -> Iterator[Path]:
    head, rest = parts[0], parts[1:]
    if head == "..":
        yield from _matches(folder / "..", rest) if rest else [folder / ".."]
        return
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if head == "**":
        yield from _matches(folder, rest or ["*"])
        for name in names:
            if (folder / name).is_dir() and not (folder / name).is_symlink():
                yield from _matches(folder / name, parts)
        return
    matching = re.compile(_expression(head), re.DOTALL)
    for name in names:
        if matching.fullmatch(name):
            yield from _matches(folder / name, rest) if rest else [folder / name]


def _expression(part: str) -> str:
    """One segment of a pattern as a regular expression."""
    expression, at = "", 0
    while at < len(part):
        c = part[at]
        at += 1
        if c == "*":
            expression += ".*"
        elif c == "?":
            expression += "."
        elif c == "[":
            end = part.find("]", at + 1)
            if end < 0:
                raise RenderError(f"helm.valueFiles: {part!r}: a [ is never closed")
            inner, at = part[at:end], end + 1
            negated = inner[0] in "!^"
            expression += f"[{'^' if negated else ''}{_listed(inner[negated:])}]"
        else:
            expression += re.escape(c)
    return expression


def _listed(inner: str) -> str:
    return re.sub(r"([\\\[\]^&|~])", r"\\\1", inner)
