"""Remote bases of a kustomization: fetched by us, into a copy of the source, and checked there as if they were local.

kustomize would fetch them with git, and theirs, and tell nobody. The law: an address is permitted before a packet
leaves, a fetched tree is closed and has no submodules, and its own bases are treated alike.

How kustomize reads addresses: ``api/internal/git/repospec.go``.
"""

import json
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RenderError
from argocd_provenance.records import dataclass
from argocd_provenance.regex import regex
from argocd_provenance.render.children import PACKAGES, command
from argocd_provenance.render.process import run
from argocd_provenance.render.remotes import Remotes
from argocd_provenance.render.symlinks import check_symlinks, inside

Bring = Callable[[str], tuple[Path, Path]]
"""The folder of a remote base, and the root in which it stays."""

_REF = regex(r"[A-Za-z0-9][A-Za-z0-9._/+-]*")
_ANSWERED = frozenset({"ref", "version", "submodules", "timeout"})
# No settings of the machine or of a user: they could name proxies, filters and other addresses.
_SETTINGS = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
_FILES = (".yaml", ".yml", ".json")
# Each is a clone; nobody builds on so many.
_LIMIT = 20


@dataclass(frozen=True, slots=True)
class Address:
    """What is fetched: a repository's URL, a branch, tag or full commit, and a folder in it."""

    repository: str
    ref: str
    folder: str


def parse(entry: str) -> Address:
    """The address in an entry of ``resources``; raises `RenderError` for what is not fetched, by name."""
    text = entry.removeprefix("git::")
    parts = urlsplit(f"https://{text}" if text.lower().startswith("github.com/") else text)
    if parts.scheme not in ("https", "http") or not parts.hostname or "@" in parts.netloc:
        raise RenderError(f"{entry!r}: remote bases are fetched by https only, without credentials in the address")
    if parts.path.endswith(_FILES) or "_git/" in parts.path or ".." in parts.path:
        raise RenderError(f"{entry!r}: only folders of Git repositories are fetched", fix="copy it into the repository")
    asked = parse_qs(parts.query, keep_blank_values=True)
    refs = asked.get("ref", []) + asked.get("version", [])
    if set(asked) - _ANSWERED or len(refs) != 1 or not _REF.fullmatch(refs[0]) or ".." in refs[0]:
        raise RenderError(f"{entry!r}: say which version: …?ref=<tag or commit>, and nothing else")
    repository, folder = _divided(parts.path.strip("/"))
    if not repository:
        raise RenderError(f"{entry!r}: names no repository")
    return Address(f"{parts.scheme}://{parts.netloc}/{repository}", refs[0], folder.strip("/"))


def _divided(path: str) -> tuple[str, str]:
    """Repository and folder: divided by ``//``, after ``.git``, or behind the first two names."""
    if "//" in path:
        before, _, after = path.partition("//")
        return before, after
    found = re.match(r"(.+?\.git)(?:/(.*))?$", path)
    if found:
        return found[1], found[2] or ""
    names = path.split("/")
    return ("/".join(names[:2]), "/".join(names[2:])) if len(names) > 1 else ("", "")


def bringer(place: Path, remotes: Remotes, deadline: Deadline) -> Bring:
    """What brings the remote bases of the copy in `place`, each repository and ref once."""
    fetched: dict[tuple[str, str], Path] = {}

    def bring(entry: str) -> tuple[Path, Path]:
        address = parse(entry)
        key = (address.repository, address.ref)
        if key not in fetched:
            if len(fetched) == _LIMIT:
                raise RenderError(f"more than {_LIMIT} remote bases")
            fetched[key] = _fetch(address, place, remotes.git(address.repository), deadline)
        root = fetched[key]
        folder = root / address.folder
        if not inside(folder, root) or not folder.is_dir():
            raise RenderError(f"{entry!r}: has no such folder")
        return folder.resolve(), root

    return bring


def _fetch(address: Address, place: Path, access: Mapping[str, str], deadline: Deadline) -> Path:
    with tempfile.TemporaryDirectory(prefix="argocd-provenance-") as made:
        folder = Path(tempfile.mkdtemp(prefix="remote-base-", dir=place))
        request = Path(made, "request.json")
        asked = {"repository": address.repository, "ref": address.ref, "folder": str(folder), **access}
        request.write_text(json.dumps(asked), encoding="utf-8")
        folders = [Path(made), PACKAGES, *([Path(access["ca"])] if access.get("ca") else [])]
        try:
            run(
                command("clone", str(request)),
                folder,
                lambda _: _SETTINGS,
                folders,
                deadline,
                writable=(folder,),
                network=True,
                called="git clone",
            )
        except RenderError as error:
            raise RenderError(f"{address.repository}, {address.ref}: {error}") from error
    if (folder / ".gitmodules").exists():
        raise RenderError(
            f"{address.repository}: has submodules, which are not fetched", fix="copy it into the repository"
        )
    check_symlinks(folder, folder, deadline)
    return folder
