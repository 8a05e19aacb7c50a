"""What an Application asks for and what comes back: the same for Argo CD's own servers and for the stand-in."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha1
from pathlib import Path
from typing import Any

PLUGIN = "argocd-provenance"
ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Request:
    """An Application, as the application controller puts it to the repo-server.

    `parameters` and `environment` are those of ``spec.source.plugin``; `source` holds further fields of the source, as
    they stand in an Application (``{"helm": {…}}`` with `plugin` None is Argo CD's own rendering). `deadline` is the
    caller's, in seconds; `hard` is a hard refresh.
    """

    app: str = "web"
    project: str = "default"
    namespace: str = "target"
    plugin: str | None = PLUGIN
    parameters: Sequence[Mapping[str, Any]] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)
    deadline: float = 60
    hard: bool = False
    kube_version: str = "1.36.1"
    api_versions: Sequence[str] = ("v1", "apps/v1", "apps/v1/Deployment")
    build_options: str = ""

    def full_source(self, repository: "Repository", path: str) -> dict[str, Any]:
        """``spec.source`` of the Application."""
        full = {"repoURL": repository.url, "path": path, "targetRevision": repository.branch, **self.source}
        if self.plugin is not None:
            listed = [{"name": name, "value": value} for name, value in self.environment.items()]
            full["plugin"] = {"name": self.plugin, "env": listed, "parameters": [dict(p) for p in self.parameters]}
        return full


@dataclass(frozen=True, slots=True)
class Reply:
    """The objects that Argo CD would apply, or the error text that it would show; `seconds` from question to answer."""

    objects: list[dict[str, Any]]
    error: str
    code: str
    seconds: float
    source_type: str = ""

    def images(self) -> list[str]:
        """The images of all Pods and pod templates in `objects`, in order."""
        specs = [one["spec"].get("template", one).get("spec", {}) for one in self.objects if "spec" in one]
        return [container["image"] for spec in specs for container in spec.get("containers", ())]


class Repository:
    """A folder that plays a Git repository, for the stand-in: `commit` writes files and names a revision."""

    branch = "main"

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "tree"
        self.tree.mkdir(parents=True)
        self.revision = ""

    @property
    def url(self) -> str:
        """What stands in ``spec.source.repoURL``."""
        return self.tree.as_uri()

    def commit(self, files: Mapping[str, str | bytes | None]) -> str:
        """Write the files (None removes one) and return the new revision, 40 hexadecimal digits."""
        for name, content in files.items():
            path = self.tree / name
            if content is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.revision = self._record()
        return self.revision

    def commit_folder(self, folder: Path) -> str:
        """The same with all files below `folder`."""
        return self.commit(
            {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
        )

    def _record(self) -> str:
        return sha1(self.revision.encode(), usedforsecurity=False).hexdigest()


class GitRepository(Repository):
    """A bare Git repository at a ``file://`` URL, with a work tree beside it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._bare = folder / "bare.git"
        self._git("init", "-q", "--bare", "-b", self.branch, str(self._bare))
        self._git("init", "-q", "-b", self.branch)
        self._git("remote", "add", "origin", str(self._bare))

    @property
    def url(self) -> str:
        """What stands in ``spec.source.repoURL``."""
        return self._bare.as_uri()

    def _record(self) -> str:
        self._git("add", "-A")
        self._git("commit", "-q", "--allow-empty", "-m", "change")
        self._git("push", "-q", "origin", self.branch)
        return self._git("rev-parse", "HEAD")

    def _git(self, *words: str) -> str:
        who = {
            f"GIT_{role}_{what}": "tests@example.invalid"
            for role in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        }
        own = {"PATH": os.environ["PATH"], "HOME": str(self.tree), "GIT_CONFIG_NOSYSTEM": "1", **who}
        done = subprocess.run(["git", *words], cwd=self.tree, env=own, check=True, capture_output=True, text=True)
        return done.stdout.strip()


class Operated:
    """Where plugins run whose config is what an operator has put there last: a link in `folder`."""

    folder: Path

    def operator(self, folder: Path) -> None:
        """Let the plugin read ``config.yaml`` of `folder`, and what lies beside it, from now on."""
        link = self.folder / "operator"
        link.unlink(missing_ok=True)
        link.symlink_to(folder, target_is_directory=True)


def plugin_file(python: str, socket: Path | None = None) -> str:
    """Our ``argocd/plugin.yaml`` with `python` where the image has its interpreter; not a byte else is changed.

    With `socket` it names that place of the resident process, as an operator can.
    """
    text = (ROOT / "argocd" / "plugin.yaml").read_text()
    before, interpreter, after = text.partition("/opt/argocd-provenance/bin/python")
    assert interpreter
    assert interpreter not in after
    if socket is not None:
        words, end, rest = after.partition("generate, .]")
        after = f"{words}generate, ., --socket, {socket}]{rest}"
        assert end
    return before + python + after
