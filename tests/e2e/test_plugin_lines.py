"""The installed program by the exact lines of ``argocd/plugin.yaml``, as Argo CD's cmp-server runs them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from argocd_provenance.demo.world import World

ROOT = Path(__file__).resolve().parents[2]
LINES: list[str] = yaml.safe_load((ROOT / "argocd" / "plugin.yaml").read_text())["spec"]["generate"]["command"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The world of the demo: a good application and a bad one."""
    with World(tmp_path_factory.mktemp("world"), datetime.now(UTC)) as world:
        yield world


def run(world: World, application: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The plugin's command line in the application's folder; only the interpreter's place differs from the image."""
    assert LINES[0] == "/opt/argocd-provenance/bin/python"
    told = {
        "PATH": os.environ["PATH"],
        "ARGOCD_PROVENANCE_CONFIG": str(world.folder / "config.yaml"),
        "ARGOCD_APP_NAME": "shop",
        "ARGOCD_APP_PARAMETERS": "null",
        **environment,
    }
    command = [sys.executable, *LINES[1:]]
    return subprocess.run(
        command, cwd=world.folder / application, env=told, capture_output=True, text=True, timeout=60, check=False
    )


class TestPluginLines:
    def test_a_good_application_comes_out_pinned_and_annotated(self, world: World) -> None:
        """Standard output is what Argo CD applies: each image with its digest, each object with its verdict."""
        done = run(world, "good")

        document = yaml.safe_load(done.stdout)
        image = document["spec"]["template"]["spec"]["containers"][0]["image"]
        assert (done.returncode, image) == (0, f"{world.registry.host}/acme/web:v1@{world.good_digest}")
        assert document["metadata"]["annotations"]["argocd-provenance.io/verdict"] == "verified"
        assert "annotations" not in document["spec"]["template"]["metadata"]

    def test_the_same_commit_and_evidence_give_the_same_bytes(self, world: World) -> None:
        """Two runs write the same bytes to both streams, so that nothing flaps."""
        first, second = run(world, "good"), run(world, "good")

        assert (first.stdout, first.stderr) == (second.stdout, second.stderr)

    def test_a_bad_application_prints_no_manifests_and_says_why(self, world: World) -> None:
        """A refusal exits 4, leaves standard output empty, and begins standard error with the verdict."""
        done = run(world, "bad")

        assert (done.returncode, done.stdout) == (4, "")
        assert done.stderr.startswith("image policy: 3 of 4 images refused (app shop, policy shop)\n DENY ")
        assert "Traceback" not in done.stderr

    def test_a_module_in_the_repository_is_never_imported(self, world: World, tmp_path: Path) -> None:
        """`-I` keeps the working folder, which the repository's author controls, out of the import path."""
        folder = world.folder / "trojan"
        folder.mkdir(exist_ok=True)
        for name in ("yaml", "click", "argocd_provenance", "sitecustomize"):
            (folder / f"{name}.py").write_text(f"open({str(tmp_path / name)!r}, 'w').close()\n")
        (folder / "web.yaml").write_text((world.folder / "good" / "web.yaml").read_text())

        done = run(world, "trojan", PYTHONPATH=".")

        assert done.returncode == 0
        assert list(tmp_path.iterdir()) == []

    def test_without_a_config_it_refuses_and_says_how_to_make_one(self, world: World) -> None:
        """No config is no permission: exit 2, and a first config to copy."""
        done = run(world, "good", ARGOCD_PROVENANCE_CONFIG=str(world.folder / "none.yaml"))

        assert (done.returncode, done.stdout) == (2, "")
        assert "kind: Config" in done.stderr

    @pytest.mark.parametrize(
        "parameters",
        ['[{"name": "policy.mod", "string": "enforce"}]', '[{"name": "policy.mode", "string": "warn"}]', "{"],
    )
    def test_parameters_that_are_not_understood_are_errors(self, world: World, parameters: str) -> None:
        """The Application can tighten, never loosen; a typing error is not silently nothing."""
        done = run(world, "good", ARGOCD_APP_PARAMETERS=parameters)

        assert (done.returncode, done.stdout) == (2, "")
        assert "policy.mode" in done.stderr or "JSON" in done.stderr

    def test_a_run_without_images_imports_neither_sigstore_nor_requests(self, world: World) -> None:
        """Nothing heavy is imported before it is needed: most renders hold objects without images too."""
        folder = world.folder / "plain"
        folder.mkdir(exist_ok=True)
        (folder / "config.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\n")

        assert not imported(folder, world.folder / "config.yaml") & {
            "sigstore",
            "requests",
            "urllib3",
            "cryptography",
            "pydantic",
            "re2",
            "jsonpath_ng",
            "ruamel.yaml",
            "click",
            "sqlite3",
            "opentelemetry",
            "google.protobuf",
            "argocd_provenance.cli.collector",
            "argocd_provenance.cli.timed",
            "argocd_provenance.pipeline",
            "argocd_provenance.policy.cel",
            "argocd_provenance.policy.cue",
            "argocd_provenance.render.helm",
            "concurrent.futures",
            "dataclasses",
            "inspect",
            "_hashlib",
            "difflib",
            "json",
            "traceback",
        }

    def test_a_run_that_knows_all_imports_neither_sigstore_nor_requests(self, world: World, tmp_path: Path) -> None:
        """Where everything is cached nobody is asked and nothing is verified anew, and so nothing waits for who could."""
        config = yaml.safe_load((world.folder / "config.yaml").read_text())
        config["cache"] = {"path": str(tmp_path / "cache"), "keyFile": str(tmp_path / "key"), "tags": "1h"}
        beside = world.folder / "cached.yaml"
        beside.write_text(yaml.safe_dump(config))

        first, second = (imported(world.folder / "good", beside) for _ in range(2))

        assert {"urllib3", "sqlite3"} <= first
        # It is imported beside, where there is a second processor.
        assert ("sigstore" in first) == (len(os.sched_getaffinity(0)) < 2)
        assert "sqlite3" in second
        assert not second & {"sigstore", "requests", "urllib3", "cryptography", "pydantic", "click", "opentelemetry"}

    def test_a_run_that_only_asks_registries_imports_neither_sigstore_nor_requests(
        self, world: World, tmp_path: Path
    ) -> None:
        """Registries are spoken to with urllib3; requests says which proxy there is, where the environment names one."""
        config = yaml.safe_load((world.folder / "config.yaml").read_text())
        config |= {"policies": [], "unmatched": "pin", "registries": [{"host": world.registry.host}]}
        config["cache"] = {"path": str(tmp_path / "cache"), "keyFile": str(tmp_path / "key")}
        beside = world.folder / "pinned.yaml"
        beside.write_text(yaml.safe_dump(config))

        found = imported(world.folder / "good", beside)

        assert {"urllib3", "argocd_provenance.oci.transport"} <= found
        assert not found & {"sigstore", "requests", "cryptography", "pydantic", "click"}


def imported(folder: Path, config: Path) -> set[str]:
    """The modules that the plugin's line imports for what lies in `folder`, which it lets through."""
    told = {"PATH": os.environ["PATH"], "ARGOCD_PROVENANCE_CONFIG": str(config)}
    command = [sys.executable, "-X", "importtime", *LINES[1:]]
    done = subprocess.run(command, cwd=folder, env=told, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
