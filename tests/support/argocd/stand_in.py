"""What Argo CD does between an Application and a plugin's command, played in Python for tests that need nothing else.

It follows argo-cd v3.5.3: ``cmpserver/plugin/plugin.go`` (temporary folder, command without stdin, deadline, kill),
``util/io/files/tar.go`` (what of a repository arrives), ``reposerver/repository/repository.go`` (environment,
``.argocd-source.yaml``, error texts) and ``gitops-engine/pkg/utils/kube/kube.go`` (reading stdout). It has no caches and
no plugin discovery. `tests/e2e/test_in_argocd.py` holds it and the real servers to the same expectations.
"""

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from support.argocd.asking import PLUGIN, Operated, Reply, Repository, Request, plugin_file

_BUFFER = 0.1  # cmpTimeoutBuffer: seconds that cmp-server keeps for itself
_GRACE = 5  # seconds between the group's SIGTERM and its SIGKILL


class Refused(Exception):
    """What the repo-server answers instead of manifests."""

    def __init__(self, message: str, code: str = "UNKNOWN") -> None:
        super().__init__(message)
        self.code = code


class StandIn(Operated):
    """Answers as `support.argocd.ArgoCD` does, by the plugins' own command lines."""

    def __init__(
        self, folder: Path, *, plugins: Mapping[str, str] | None = None, sidecar: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        texts = {PLUGIN: plugin_file(sys.executable)} if plugins is None else plugins
        self._plugins = {name: yaml.safe_load(text)["spec"] for name, text in texts.items()}
        self.work = folder / "work"
        self.programs = folder / "programs"
        for made in (self.work, self.programs, folder / "tmp"):
            made.mkdir()
        self._sidecar = {
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "HOME": str(folder),
            "TMPDIR": str(folder / "tmp"),
            "ARGOCD_PROVENANCE_CONFIG": str(folder / "operator" / "config.yaml"),
            "PYTHONDONTWRITEBYTECODE": "1",
            **(sidecar or {}),
        }

    @staticmethod
    def repository(folder: Path) -> Repository:
        """A repository that this class can read."""
        return Repository(folder)

    def manifests(self, repository: Repository, path: str = ".", **asked: Any) -> Reply:
        """What the repo-server would answer to the Application of `asked` (see `Request`) at `path` of `repository`."""
        request = Request(**asked)
        start = time.monotonic()
        try:
            objects = self._objects(repository, path, request, start + request.deadline)
        except Refused as refusal:
            return Reply([], str(refusal), refusal.code, time.monotonic() - start)
        return Reply(objects, "", "OK", time.monotonic() - start, "Plugin")

    def _objects(self, repository: Repository, path: str, request: Request, end: float) -> list[dict[str, Any]]:
        source = merged_source(request.full_source(repository, path), repository.tree / path, request.app)
        plugin = source["plugin"]
        if plugin.get("name") not in self._plugins:
            raise Refused(
                f'couldn\'t find cmp-server plugin with name "{plugin.get("name")}" supporting the given repository'
            )
        folder = Path(tempfile.mkdtemp(dir=self.work))
        try:
            _unpack(repository.tree, folder)
            told = self._sidecar | environment(request, source, repository)
            return self._generate(self._plugins[plugin["name"]], folder / path, told, request, end)
        finally:
            shutil.rmtree(folder)

    def _generate(
        self, plugin: Mapping[str, Any], folder: Path, told: Mapping[str, str], request: Request, end: float
    ) -> list[dict[str, Any]]:
        chain = f'CMP processing failed for application "{request.app}": error generating manifests in cmp: rpc error: code = Unknown desc = error generating manifests: '
        command = [*plugin["generate"]["command"], *plugin["generate"].get("args", ())]
        code, out, err = run(command, folder, told, end - _BUFFER)
        if code:
            cause = (
                f"signal: {signal.Signals(-code).name.removeprefix('SIG').lower()}ed"
                if code < 0
                else f"exit status {code}"
            )
            said = err.decode(errors="replace").strip()
            raise Refused(chain + f"`{shlex.join(command)}` failed {cause}" + (f": {said}" if said else ""))
        return [_tracked(one, request) for one in objects(out.decode(), chain)]


def merged_source(source: Mapping[str, Any], folder: Path, app: str) -> dict[str, Any]:
    """`source` after ``.argocd-source.yaml`` and ``.argocd-source-<app>.yaml`` of its folder; raises `Refused`.

    The patched source is read into the one that is there, so a plugin that was removed (null) stays.
    """
    merged: dict[str, Any] = dict(source)
    for name in (".argocd-source.yaml", f".argocd-source-{app}.yaml"):
        if (folder / name).is_file():
            patched = _merge(merged, yaml.safe_load((folder / name).read_text()))
            merged = {**merged, **{field: value for field, value in patched.items() if value is not None}}
    merged |= {field: source[field] for field in ("repoURL", "path", "targetRevision")}
    kinds = [kind for kind in ("kustomize", "helm", "directory", "plugin") if merged.get(kind)]
    if len(kinds) > 1:
        listed = ",".join({"plugin": "Plugin", "directory": "Directory"}.get(kind, kind.title()) for kind in kinds)
        raise Refused(f"multiple application sources defined: {listed}")
    return merged


def _merge(target: Any, patch: Any) -> Any:
    """JSON Merge Patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merge(merged.get(name), value)
    return merged


def environment(request: Request, source: Mapping[str, Any], repository: Repository) -> dict[str, str]:
    """What the request adds to the sidecar's own environment, and overrides there."""
    told = {
        "ARGOCD_APP_NAME": request.app,
        "ARGOCD_APP_NAMESPACE": request.namespace,
        "ARGOCD_APP_PROJECT_NAME": request.project,
        "ARGOCD_APP_REVISION": repository.revision,
        "ARGOCD_APP_REVISION_SHORT": repository.revision[:7],
        "ARGOCD_APP_REVISION_SHORT_8": repository.revision[:8],
        "ARGOCD_APP_SOURCE_REPO_URL": repository.url,
        "ARGOCD_APP_SOURCE_PATH": source["path"],
        "ARGOCD_APP_SOURCE_TARGET_REVISION": source["targetRevision"],
        "KUBE_VERSION": request.kube_version,
        "KUBE_API_VERSIONS": ",".join(sorted(request.api_versions)),
    }
    plugin = source["plugin"]
    own = {
        f"ARGOCD_ENV_{entry['name']}": re.sub(
            r"\$(?:(\$)|(\w+)|\{(\w+)\})", lambda m: m[1] or told.get(m[2] or m[3], ""), entry["value"]
        )
        for entry in plugin.get("env") or ()
    }
    parameters = plugin.get("parameters") or None
    told |= own | {"ARGOCD_APP_PARAMETERS": json.dumps(parameters, separators=(",", ":"))}
    for parameter in parameters or ():
        name = f"PARAM_{_escaped(parameter['name'])}"
        if "string" in parameter:
            told[name] = parameter["string"]
        told |= {f"{name}_{_escaped(key)}": value for key, value in parameter.get("map", {}).items()}
        told |= {f"{name}_{number}": value for number, value in enumerate(parameter.get("array", ()))}
    return told


def _escaped(name: str) -> str:
    return re.sub("[^A-Z0-9_]", "_", name.upper())


def _unpack(tree: Path, folder: Path) -> None:
    """What of `tree` arrives in `folder`: files and folders with the usual modes, and links that stay inside."""
    for path in sorted(tree.rglob("*")):
        target = folder / path.relative_to(tree)
        if path.is_symlink():
            if not (path.parent / path.readlink()).resolve().is_relative_to(tree.resolve()):
                raise Refused(f"repository contains out-of-bounds symlinks. file: {path.relative_to(tree)}")
            target.symlink_to(path.readlink())
        elif path.is_dir():
            target.mkdir(mode=0o755)
        elif path.is_file():
            target.write_bytes(path.read_bytes())
            target.chmod(0o644)


def run(command: list[str], folder: Path, told: Mapping[str, str], end: float) -> tuple[int, bytes, bytes]:
    """Exit code (negative for a signal), standard output and standard error of a plugin's command.

    At the end of the time the command is killed at once, its process group is asked to end, and killed later: so
    children that hold the pipes delay the answer.
    """
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=told,
        process_group=0,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        out, err = process.communicate(timeout=max(end - time.monotonic(), 0))
    except subprocess.TimeoutExpired:
        process.kill()
        _signal(process.pid, signal.SIGTERM)
        try:
            out, err = process.communicate(timeout=_GRACE)
        except subprocess.TimeoutExpired:
            _signal(process.pid, signal.SIGKILL)
            out, err = process.communicate()
    _signal(process.pid, signal.SIGTERM)  # after a normal end too: no plugin can leave a server behind
    return process.returncode, out, err


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def objects(text: str, chain: str = "") -> list[dict[str, Any]]:
    """The objects in a plugin's output: null documents are dropped, lists taken apart; raises `Refused`."""
    try:
        documents = [document for document in yaml.load_all(text, yaml.CSafeLoader) if document is not None]
    except yaml.YAMLError as error:
        raise Refused(f"{chain}failed to unmarshal manifest: {error}") from error
    found: list[dict[str, Any]] = []
    for document in documents:
        if not isinstance(document, dict) or not document.get("kind"):
            raise Refused(f"{chain}failed to unmarshal manifest: Object 'Kind' is missing in '{json.dumps(document)}'")
        found += document["items"] if document["kind"].endswith("List") and "items" in document else [document]
    return found


def _tracked(one: dict[str, Any], request: Request) -> dict[str, Any]:
    """`one` with the annotation by which Argo CD finds its objects again (``util/argo/resource_tracking.go``)."""
    if one["kind"] == "CustomResourceDefinition":
        return one
    group = one["apiVersion"].rpartition("/")[0]
    namespace = one["metadata"].get("namespace") or request.namespace
    track = f"{request.app}:{group}/{one['kind']}:{namespace}/{one['metadata']['name']}"
    notes = one["metadata"].get("annotations") or {}
    return {**one, "metadata": {**one["metadata"], "annotations": {**notes, "argocd.argoproj.io/tracking-id": track}}}
