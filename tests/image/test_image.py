"""The image as a container runs it: user 999, a read-only root, an empty /tmp, the volumes of the sidecar's patch.

``make image`` builds it and names its folder in IMAGE; bubblewrap plays the container engine.
"""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from argocd_provenance import __version__
from argocd_provenance.demo.world import World
from argocd_provenance.render import helm, kustomize
from support.argocd import ArgoCD
from support.otlp import collector
from support.processes import Bench, answers, descendants, free_port, program, wait_for
from support.resident import alive, children, resident

pytestmark = pytest.mark.image
SOURCE = Path(__file__).resolve().parents[2]
LINES: list[str] = yaml.safe_load((SOURCE / "argocd" / "plugin.yaml").read_text())["spec"]["generate"]["command"]
SERVER = "/var/run/argocd/argocd-cmp-server"
SOCKET = "/var/lib/argocd-provenance/serve/socket"
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
        words = self._words(command, arguments, environment)
        return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)

    @contextmanager
    def started(
        self, server: Path, *arguments: str, words: tuple[str, ...] = (), **environment: str
    ) -> Iterator[tuple[subprocess.Popen[str], int]]:
        """The entry point as process 1, with `server` where Argo CD leaves its own, and `words` for it.

        The container, and the process id that its process 1 has out here.
        """
        # /var/run is a link to /run, which a container engine may write to.
        volume = ("--tmpfs", "/run", "--ro-bind", str(server), SERVER.removeprefix("/var"))
        mounts = ("--as-pid-1", *volume, *arguments)
        begun = subprocess.Popen(
            self._words((*self._settings["Entrypoint"], *words), mounts, environment),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            wait_for("process 1", lambda: children(begun.pid) or begun.poll() is not None)
            (first,) = children(begun.pid)
            yield begun, first
        finally:
            begun.kill()
            begun.communicate()

    def _words(self, command: tuple[str, ...], arguments: tuple[str, ...], environment: Mapping[str, str]) -> list[str]:
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
        return [*wrapped, *arguments, "--", *command]


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


def test_the_image_brings_what_a_collector_is_told_with(container: Container, world: World) -> None:
    """By the plugin's line, as user 999: the extra is there."""
    with collector() as told:
        config = (world.folder / "config.yaml").read_text()
        (world.folder / "told.yaml").write_text(f"{config}otel: {{endpoint: '{told.url}', timeout: 10s}}\n")
        mounts = ("--ro-bind", str(world.folder), str(world.folder), "--chdir", str(world.folder / "good"))
        done = container.run(*LINES, arguments=mounts, ARGOCD_PROVENANCE_CONFIG=str(world.folder / "told.yaml"))

    assert (done.returncode, "note" in done.stderr) == (0, False)
    assert told.spans[0].name == "generate"


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
    patch = yaml.safe_load((SOURCE / "argocd" / "repo-server-patch.yaml").read_text())
    (sidecar,) = patch["spec"]["template"]["spec"]["containers"]

    assert (settings["User"], settings["Entrypoint"]) == ("999", sidecar["command"])
    assert settings["Entrypoint"][-1] == SERVER


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
    """Of all that it looks at, only the servers' sockets are not there: nobody started them here."""
    done = container.run(
        LINES[0], "-I", "-m", "argocd_provenance", "doctor", "--output", "json",
        arguments=("--ro-bind", str(world.folder), str(world.folder)),
        ARGOCD_PROVENANCE_CONFIG=str(world.folder / "config.yaml"),
    )  # fmt: skip

    found = {one["code"]: one["severity"] for one in json.loads(done.stdout)["findings"]}
    assert (done.returncode, done.stderr) == (4, "")
    assert [code for code, severity in found.items() if severity == "error"] == ["socket-missing"]
    assert [code for code, severity in found.items() if severity == "warning"] == []


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """A program in the place of Argo CD's server that says what it is, and ends with 7 when it is told to."""
    server = tmp_path / "server"
    server.write_text('#!/bin/sh\ntrap "exit 7" TERM\necho $$ $(id -u) "$@"\nwhile :; do sleep 0.02; done\n')
    server.chmod(0o755)
    return server


def test_the_server_is_process_1_and_its_exit_code_the_containers(container: Container, stand_in: Path) -> None:
    """What the container engine signals is the server, and nothing of ours stands between."""
    with container.started(stand_in, words=("--loglevel", "info")) as (begun, first):
        assert begun.stdout is not None
        assert begun.stdout.readline() == "1 999 --loglevel info\n"
        wait_for("the resident process", lambda: len(descendants(first)) >= 2)
        left = descendants(first)
        os.kill(first, signal.SIGTERM)

        assert begun.wait(60) == 7
        wait_for("the end of all", lambda: not any(map(alive, left)))


@pytest.mark.parametrize("wrong", ["read-only", "open to others"])
def test_the_server_starts_where_nobody_can_serve(
    container: Container, stand_in: Path, tmp_path: Path, wrong: str
) -> None:
    """One line in the log, and the plugin works by itself."""
    volume = tmp_path / "volume"
    (volume / "serve").mkdir(parents=True)
    (volume / "serve").chmod(0o777 if wrong == "open to others" else 0o700)
    if wrong == "read-only":
        (volume / "serve").rmdir()
    mount = "--ro-bind" if wrong == "read-only" else "--bind"
    with container.started(stand_in, mount, str(volume), "/var/lib/argocd-provenance") as (begun, first):
        assert begun.stdout is not None
        assert begun.stderr is not None
        assert begun.stdout.readline().startswith("1 999")
        said = begun.stderr.readline()
        os.kill(first, signal.SIGTERM)
        _, rest = begun.communicate(timeout=60)

    assert begun.returncode == 7
    assert said.startswith(f"argocd-provenance serve: --socket: {Path(SOCKET).parent}: ")
    assert rest == ""


@pytest.fixture(scope="module")
def repo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArgoCD]:
    """Argo CD's repo-server, without a plugin."""
    with ArgoCD(tmp_path_factory.mktemp("argo"), plugins={}) as argo:
        yield argo


def test_argo_cds_own_server_in_the_image_is_served(
    container: Container, world: World, repo_server: ArgoCD, tmp_path: Path
) -> None:
    """From an Application's source to manifests, through the image's entry point; with nobody who serves, the same."""
    servers = Path(program("argocd-servers", "tests/argocd/build"))
    repository = repo_server.repository(tmp_path / "git")
    for name in ("good", "bad"):
        repository.commit({f"{name}/{path.name}": path.read_bytes() for path in (world.folder / name).iterdir()})
    mounts = ["--ro-bind", str(world.folder), str(world.folder)]
    mounts += ["--bind", str(repo_server.sockets), "/home/argocd/cmp-server/plugins"]
    told = {"ARGOCD_PROVENANCE_CONFIG": str(world.folder / "config.yaml")}

    with container.started(servers, *mounts, words=("argocd-cmp-server",), **told) as (begun, first):
        wait_for("the plugin's server", (repo_server.sockets / "argocd-provenance.sock").exists)
        wait_for("the resident process", lambda: listens(first))
        serving, before = resident(first), sum(memory(pid) for pid in (first, *descendants(first)))
        forks = worked(serving)
        good, bad = (repo_server.manifests(repository, name, hard=True) for name in ("good", "bad"))
        assert worked(serving) > forks

        os.kill(serving, signal.SIGKILL)
        alone = [repo_server.manifests(repository, name, hard=True) for name in ("good", "bad")]
        assert all(map(alive, (first, *descendants(first))))
        assert begun.poll() is None

    assert (good.code, bad.code, bad.objects) == ("OK", "UNKNOWN", [])
    assert good.images() == [f"{world.registry.host}/acme/web:v1@{world.good_digest}"]
    assert "image policy: 3 of 4 images refused" in bad.error
    assert [(reply.objects, reply.error) for reply in alone] == [(reply.objects, reply.error) for reply in (good, bad)]
    patch = yaml.safe_load((SOURCE / "argocd" / "repo-server-patch.yaml").read_text())
    (sidecar,) = patch["spec"]["template"]["spec"]["containers"]
    assert sidecar["resources"]["requests"]["memory"] == "256Mi"
    assert before < 256 * 1024


def listens(first: int) -> bool:
    """Whether somebody listens at the usual place, as the container sees it."""
    return Path(f"/proc/{first}/root{SOCKET}").exists()


def memory(pid: int) -> int:
    """KiB that are a process's own, and its part of what it shares."""
    return int(Path(f"/proc/{pid}/smaps_rollup").read_text().partition("\nPss:")[2].split()[0])


def worked(pid: int) -> int:
    """The page faults of those children of `pid` that it has waited for: more, if it had more (proc_pid_stat(5): cminflt)."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[8])


def test_a_config_with_redis_is_not_without_it(container: Container, world: World, tmp_path: Path) -> None:
    """What one replica learned is in the server, and nothing is said about a package that is missing."""
    port = free_port()
    config = (world.folder / "config.yaml").read_text()
    (world.folder / "redis.yaml").write_text(f"{config}cache: {{redis: {{url: 'redis://127.0.0.1:{port}'}}}}\n")
    with Bench(tmp_path) as bench:
        server = bench.start("redis", ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", ""])
        wait_for("redis-server", lambda: answers(port), server)
        done = container.run(
            *LINES,
            arguments=("--ro-bind", str(world.folder), str(world.folder), "--chdir", str(world.folder / "good")),
            ARGOCD_PROVENANCE_CONFIG=str(world.folder / "redis.yaml"),
        )
        with socket.create_connection(("127.0.0.1", port), 10) as asking:
            asking.sendall(b"DBSIZE\r\n")
            kept = asking.recv(64)

    assert done.returncode == 0, done.stderr
    assert "redis" not in done.stderr
    assert int(kept.decode().strip(":\r\n")) > 0
