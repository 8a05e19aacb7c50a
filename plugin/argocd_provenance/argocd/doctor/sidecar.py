"""What can be seen from inside the sidecar without asking anybody: files, sockets, programs, the kernel's fences."""

import contextlib
import os
import socket
import stat
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from argocd_provenance.argocd.doctor.applications import PLUGIN
from argocd_provenance.argocd.doctor.complaint import Complaint, other_plugin
from argocd_provenance.render import helm, kustomize
from argocd_provenance.render.confinement import Fences
from argocd_provenance.render.process import Program
from argocd_provenance.resident import place

# Where Argo CD's server looks: common/common.go, DefaultPluginConfigFilePath and DefaultPluginSockFilePath.
PLUGIN_FILE = Path("/home/argocd/cmp-server/config/plugin.yaml")
SOCKETS = Path("/home/argocd/cmp-server/plugins")
_WORDS = ["-I", "-m", "argocd_provenance", "generate", "."]
_VERSION: Mapping[str, tuple[str, ...]] = {"helm": ("version", "--template", "{{.Version}}"), "kustomize": ("version",)}


def judge_plugin_file(file: Path) -> Iterator[Complaint]:
    """Whether Argo CD starts us, by the name that Applications use, and never renders without us."""
    try:
        document = yaml.load(file.read_bytes(), yaml.CSafeLoader)
    except OSError as error:
        yield Complaint(
            "plugin-file", str(file), f"cannot be read: {error.strerror}", "use the image as it is, or mount it"
        )
        return
    except yaml.YAMLError as error:
        yield Complaint("plugin-file", str(file), f"is not YAML: {error}", "take argocd/plugin.yaml")
        return
    spec = document.get("spec") if isinstance(document, dict) else None
    if not isinstance(spec, dict) or document.get("kind") != "ConfigManagementPlugin":
        yield Complaint("plugin-file", str(file), "is no ConfigManagementPlugin", "take argocd/plugin.yaml")
        return
    name = (document.get("metadata") or {}).get("name")
    if name != PLUGIN:
        yield Complaint("plugin-file", str(file), f"names the plugin {name!r}", f"call it {PLUGIN}, as Applications do")
    yield from _judge_spec(str(file), spec)


def _judge_spec(file: str, spec: Mapping[str, Any]) -> Iterator[Complaint]:
    if spec.get("discover"):
        yield Complaint(
            "plugin-file-discovers",
            file,
            "has `discover`: where discovery fails, Argo CD renders without any plugin, unverified",
            "remove `discover`; Applications name the plugin",
        )
    if spec.get("version"):
        yield Complaint(
            "plugin-file-versioned",
            file,
            f"has version {spec['version']}: the plugin is then called {PLUGIN}-{spec['version']}, and no Application finds it",
            "remove `version`",
        )
    command = _command(spec)
    if len(command) < 2 or not command[0].startswith("/") or command[1 : 1 + len(_WORDS)] != _WORDS:
        yield Complaint(
            "plugin-file",
            file,
            f"starts {' '.join(command) or 'nothing'}",
            f"start an absolute path with {' '.join(_WORDS)}, as argocd/plugin.yaml does; -I keeps the repository's code out",
        )


def _command(spec: Mapping[str, Any]) -> list[str]:
    return [str(word) for word in (spec.get("generate") or {}).get("command") or ()]


def judge_resident(file: Path) -> Iterator[Complaint]:
    """Whether somebody serves where the plugin that `file` starts would ask."""
    command = list[str]()
    with contextlib.suppress(OSError, yaml.YAMLError, AttributeError, KeyError, TypeError):
        command = _command(yaml.load(file.read_bytes(), yaml.CSafeLoader)["spec"])
    path, _ = place.named(command)
    try:
        os.close(place.opened(os.path.dirname(path)))  # noqa: PTH120 - a text in, a text out
        why = "" if _answers(Path(path)) else "nobody listens"
    except OSError as error:
        why = error.strerror or str(error)
    if why:
        yield Complaint(
            "resident-missing",
            path,
            f"{why}: each run of the plugin starts by itself, and takes that much longer",
            "start the sidecar as argocd/repo-server-patch.yaml does; its log says what keeps `serve` from starting",
        )


def judge_sockets(folder: Path) -> Iterator[Complaint]:
    """Whether our server listens, and who else does."""
    found = sorted(folder.glob("*.sock")) if folder.is_dir() else []
    if not _answers(folder / f"{PLUGIN}.sock"):
        yield Complaint(
            "socket-missing",
            str(folder / f"{PLUGIN}.sock"),
            "nobody listens: Argo CD finds no plugin of this name",
            "see the sidecar's log; the server reads plugin.yaml at its start",
        )
    for other in found:
        if other.stem != PLUGIN:
            yield other_plugin(str(other))


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(2)
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


def judge_programs(search_path: str) -> Iterator[Complaint]:
    """Whether the renderers are there, in the versions that render as Argo CD does."""
    for program in (kustomize.PROGRAM, helm.PROGRAM):
        found = _version(program, search_path)
        if found is None:
            yield Complaint(
                "program-missing",
                program.name,
                "is not installed: Applications that need it are refused",
                f"install {program.name} {program.version}, or use our image",
            )
        elif not _same(found, program.version):
            yield Complaint(
                "program-version",
                program.name,
                f"is {found}; Argo CD renders with {program.version}",
                "install that version, so that the manifests are the same",
            )


def _version(program: Program, search_path: str) -> str | None:
    try:
        command = [program.find(search_path), *_VERSION[program.name]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True, stdin=subprocess.DEVNULL)  # noqa: S603
    except Exception:  # noqa: BLE001 - not there, or it does not even start: to a render that is the same
        return None
    return done.stdout.strip().removeprefix("v")


def _same(found: str, wanted: str) -> bool:
    """Whether it is the wanted version, as far as the program knows its own: helm from Go's proxy says two numbers."""
    return wanted == found or (found.count(".") == 1 and wanted.startswith(found + "."))


def judge_fences(fences: Fences) -> Iterator[Complaint]:
    """Whether the kernel can keep renderers in."""
    if not fences.landlock or not fences.sockets:
        yield Complaint(
            "fences",
            "kernel",
            str(fences),
            "use a kernel with Landlock (5.13 or newer), and one Application's repository a repo-server where they must not meet",
        )


def judge_cache(path: str | None, key: Path) -> Iterator[Complaint]:
    """Whether the cache can be written, and the key be read by us alone."""
    if path is None:
        yield Complaint(
            "cache-off",
            "config",
            "there is no `cache`: every render asks every registry again",
            "set cache.path to a volume of its own",
        )
    elif not _writable(Path(path)):
        yield Complaint(
            "cache-unwritable",
            path,
            "cannot be written by us: runs go on without it",
            "mount a volume there that user 999 can write",
        )
    try:
        mode = key.stat()
    except OSError:
        if path is not None and not _writable(key.parent):
            yield Complaint(
                "cache-unwritable",
                str(key),
                "there is no key, and none can be made",
                "mount a volume of its own there (cache.keyFile)",
            )
        return
    if mode.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Complaint(
            "key-exposed",
            str(key),
            f"others can read or write it (mode {stat.S_IMODE(mode.st_mode):04o})",
            "chmod 600, and remove the cache's entries",
        )


def _writable(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
