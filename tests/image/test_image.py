"""The image as a container runs it: user 999, a read-only root, an empty /tmp, the volumes of the sidecar's patch.

``make image`` builds it and names its folder in IMAGE; bubblewrap plays the container engine.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from argocd_provenance import __version__
from argocd_provenance.demo.world import World
from argocd_provenance.render import helm, kustomize

pytestmark = pytest.mark.image
SOURCE = Path(__file__).resolve().parents[2]
LINES: list[str] = yaml.safe_load((SOURCE / "argocd" / "plugin.yaml").read_text())["spec"]["generate"]["command"]
VOLUMES = ("/tmp", "/var/cache/argocd-provenance", "/var/lib/argocd-provenance")  # noqa: S108 - the container's own


@pytest.fixture(scope="module")
def folder() -> Path:
    """Where the build left the image."""
    return Path(os.environ["IMAGE"])


@pytest.fixture(scope="module")
def settings(folder: Path) -> dict[str, Any]:
    """The image's configuration: user, environment, entry point."""
    config: dict[str, Any] = json.loads((folder / "image.json").read_text())["OCIv1"]["config"]
    return config


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The world of the demo: a registry, signed images, a config, and what Applications hold."""
    made = tmp_path_factory.mktemp("world")
    for parent in (made, *made.parents[:2]):
        parent.chmod(0o755)  # user 999 reads it
    with World(made, datetime.now(UTC)) as world:
        yield world


class Container:
    """The image with a read-only root; `command` runs in it as user 999 and sees only what a container would."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self._root, self._settings = folder / "root", settings

    def run(
        self, *command: str, arguments: tuple[str, ...] = (), **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """What `command` did; `arguments` are bubblewrap's, such as more mounts."""
        told = dict(entry.split("=", 1) for entry in self._settings["Env"]) | environment
        wrapped = ["bwrap", "--ro-bind", str(self._root), "/", "--dev", "/dev", "--proc", "/proc"]
        for volume in VOLUMES:
            wrapped += ["--perms", "0777", "--tmpfs", volume]
        wrapped += [
            "--unshare-user",
            "--unshare-pid",
            "--unshare-ipc",
            "--uid",
            "999",
            "--gid",
            "999",
            "--die-with-parent",
        ]
        wrapped += ["--clearenv", *(word for name, value in told.items() for word in ("--setenv", name, value))]
        return subprocess.run(
            [*wrapped, *arguments, "--", *command], capture_output=True, text=True, timeout=120, check=False
        )


@pytest.fixture(scope="module")
def container(folder: Path, settings: dict[str, Any]) -> Container:
    """A container of the image."""
    return Container(folder, settings)


def test_the_program_starts_and_says_its_version(container: Container) -> None:
    """As user 999, with nothing writable but its volumes."""
    done = container.run(LINES[0], "-I", "-m", "argocd_provenance", "--version")

    assert (done.returncode, done.stderr) == (0, "")
    assert __version__ in done.stdout


def test_the_demo_runs_without_a_network(container: Container) -> None:
    """The main job from signing to refusal, in a network that has loopback only."""
    done = container.run(LINES[0], "-I", "-m", "argocd_provenance", "demo", arguments=("--unshare-net",))

    assert done.returncode == 0, done.stderr
    assert "DENY" in done.stdout + done.stderr


@pytest.mark.parametrize("source", ["plain", "kustomize", "helm"])
def test_the_plugins_line_renders_verifies_and_pins(container: Container, world: World, source: str) -> None:
    """By the exact words of plugin.yaml, with the renderers that the image brings."""
    application = _sources(world)[source]
    mounts = ("--ro-bind", str(world.folder), str(world.folder), "--chdir", str(application))

    done = container.run(
        *LINES,
        arguments=mounts,
        ARGOCD_PROVENANCE_CONFIG=str(world.folder / "config.yaml"),
        ARGOCD_APP_NAME="shop",
        ARGOCD_APP_PARAMETERS="null",
    )

    assert done.returncode == 0, done.stderr
    assert f"{world.registry.host}/acme/web:v1@{world.good_digest}" in done.stdout


def _sources(world: World) -> dict[str, Path]:
    """The demo's good application, as a folder, a kustomization and a chart."""
    document = (world.folder / "good" / "web.yaml").read_text()
    made = {"plain": world.folder / "good", "kustomize": world.folder / "kustomized", "helm": world.folder / "chart"}
    (made["helm"] / "templates").mkdir(parents=True, exist_ok=True)
    (made["helm"] / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 1.0.0\n")
    (made["helm"] / "templates" / "web.yaml").write_text(document)
    made["kustomize"].mkdir(exist_ok=True)
    (made["kustomize"] / "kustomization.yaml").write_text("resources: [web.yaml]\n")
    (made["kustomize"] / "web.yaml").write_text(document)
    return made


@pytest.mark.parametrize("program", [helm.PROGRAM, kustomize.PROGRAM], ids=lambda program: program.name)
def test_it_brings_the_renderers_that_the_program_asks_for(container: Container, program: Any) -> None:
    """In the version that the program names; a helm that Go's module proxy built knows its first two numbers only."""
    assert program.version.rpartition(".")[0] in container.run(f"/usr/local/bin/{program.name}", "version").stdout


def test_it_is_started_as_argo_cds_plugin_server(settings: dict[str, Any]) -> None:
    """By user 999, through the binary that Argo CD's init container leaves."""
    assert (settings["User"], settings["Entrypoint"]) == ("999", ["/var/run/argocd/argocd-cmp-server"])


def test_byte_code_is_shipped(folder: Path) -> None:
    """The root is read-only, so what is not compiled at build time is compiled anew at every start."""
    sources = list((folder / "root/opt/argocd-provenance/lib").rglob("*.py"))

    assert any(path.parent.name == "argocd_provenance" for path in sources)
    assert [
        path for path in sources if not list((path.parent / "__pycache__").glob(f"{path.stem}.cpython-*.pyc"))
    ] == []


def test_nothing_that_installs_is_left_in_it(folder: Path) -> None:
    """No pip beside the program, and no wheel."""
    environment = folder / "root/opt/argocd-provenance"

    assert list(environment.glob("lib/python3.*/site-packages/pip")) == []
    assert not (folder / "root/wheels").exists()


def test_all_it_adds_to_the_base_is_one_layer(folder: Path) -> None:
    """Base and program: what changes with a release is one download."""
    manifest = json.loads(json.loads((folder / "image.json").read_text())["Manifest"])

    assert len(manifest["layers"]) == 2


def test_doctor_finds_what_the_image_brings(container: Container, world: World) -> None:
    """Of all that it looks at, only the server's socket is not there: nobody started Argo CD's server here."""
    done = container.run(
        LINES[0], "-I", "-m", "argocd_provenance", "doctor", "--output", "json",
        arguments=("--ro-bind", str(world.folder), str(world.folder)),
        ARGOCD_PROVENANCE_CONFIG=str(world.folder / "config.yaml"),
    )  # fmt: skip

    found = {one["code"]: one["severity"] for one in json.loads(done.stdout)["findings"]}
    assert (done.returncode, done.stderr) == (4, "")
    assert [code for code, severity in found.items() if severity == "error"] == ["socket-missing"]
    assert [code for code, severity in found.items() if severity == "warning"] == []
