"""``doctor`` as people run it in a sidecar: files, a socket, a registry, and what it prints of them."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.otlp import collector
from support.processes import free_port
from support.scenario import Scenario
from support.shop import WEB, shop

ROOT = Path(__file__).resolve().parents[2]
SECRET = "hunter2-of-the-doctor"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scenario]:
    """A shop, with renderers on the PATH and a credential for its registry."""
    programs, docker = tmp_path / "bin", tmp_path / "docker"
    programs.mkdir()
    docker.mkdir()
    for name, version in (("helm", "v4.2.4"), ("kustomize", "v5.8.1")):
        (programs / name).write_text(f"#!/bin/sh\necho {version}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("DOCKER_CONFIG", str(docker))
    cache = f"cache: {{path: {tmp_path}/cache, keyFile: {tmp_path}/key}}\n"
    (tmp_path / "cache").mkdir()
    with shop(tmp_path, images=[WEB], config=cache) as scenario:
        auths = {scenario.registry.host: {"username": "acme", "password": SECRET}}
        (docker / "config.json").write_text(json.dumps({"auths": auths}))
        yield scenario


@contextmanager
def sidecar(folder: Path) -> Iterator[tuple[str, ...]]:
    """A plugin file as we ship it and a socket on which somebody listens: the options that name them."""
    sockets = folder / "sockets"
    sockets.mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(sockets / "argocd-provenance.sock"))
        server.listen()
        yield "--plugin-file", str(ROOT / "argocd" / "plugin.yaml"), "--sockets", str(sockets)


def doctor(here: Scenario, *arguments: str) -> tuple[int, Any]:
    """Exit code and JSON report."""
    code, said, complaints = here.run("doctor", "--output", "json", *arguments)
    assert complaints == ""
    report = json.loads(said)
    assert report["exitCode"] == code
    return code, report["findings"]


def test_a_good_installation_has_nothing_wrong(here: Scenario, tmp_path: Path) -> None:
    """Exit code 0; the notes tell the credential's place and the roots' age."""
    with sidecar(tmp_path) as options:
        code, findings = doctor(here, *options)

    assert code == 0
    assert {finding["severity"] for finding in findings} == {"note"}
    assert {finding["code"] for finding in findings} == {"credential", "trust-root", "resident-missing"}


def test_the_credential_is_named_and_never_shown(here: Scenario, tmp_path: Path) -> None:
    """The file and the key in it."""
    with sidecar(tmp_path) as options:
        code, said, complaints = here.run("doctor", *options)

    assert (code, complaints) == (0, "")
    assert "[credential]" in said
    assert "config.json" in said
    assert SECRET not in said


@pytest.mark.parametrize(("status", "codes"), [(200, set()), (404, {"collector"})])
def test_the_collector_is_asked_and_told_nothing(here: Scenario, tmp_path: Path, status: int, codes: set[str]) -> None:
    """An empty message for each signal, until one is refused."""
    with collector((status, {}, b"")) as told, sidecar(tmp_path) as options:
        with (here.folder / "config.yaml").open("a") as file:
            file.write(f"otel: {{endpoint: '{told.url}', timeout: 10s, signals: [traces, metrics]}}\n")
        code, findings = doctor(here, *options)

    assert code == 0
    assert {finding["code"] for finding in findings} == {"credential", "trust-root", "resident-missing"} | codes
    assert [request.body for request in told.requests] == [b""] * (1 if codes else 2)


def test_a_registry_that_does_not_answer_could_not_be_asked(here: Scenario, tmp_path: Path) -> None:
    """Exit code 3, with the registry's name."""
    nobody = f"127.0.0.1:{free_port()}"
    config = here.folder / "config.yaml"
    config.write_text(config.read_text().replace("registries:\n", f'registries:\n  - {{host: "{nobody}"}}\n'))

    with sidecar(tmp_path) as options:
        code, findings = doctor(here, *options)

    assert code == 3
    assert [f["where"] for f in findings if f["severity"] == "error"] == [f"{nobody}/argocd-provenance-doctor"]


def test_files_that_do_not_load_are_told_with_their_places(here: Scenario, tmp_path: Path) -> None:
    """Exit code 2, each fault by itself."""
    (here.folder / "policy.yaml").write_text(
        "apiVersion: argocd-provenance.io/v1alpha1\nkind: ImagePolicy\nspecs: {}\n"
    )

    with sidecar(tmp_path) as options:
        code, findings = doctor(here, *options)

    faults = [finding for finding in findings if finding["code"] == "config-unusable"]
    assert code == 2
    assert faults
    assert all("policy.yaml" in finding["message"] for finding in faults)


def test_outside_of_a_sidecar_it_says_so(here: Scenario, tmp_path: Path) -> None:
    """And looks at the config all the same."""
    code, findings = doctor(here, "--plugin-file", str(tmp_path / "none"), "--sockets", str(tmp_path / "nowhere"))

    assert code == 3
    assert [f["code"] for f in findings if f["severity"] == "error"] == ["not-a-sidecar"]


def test_without_kubectl_a_cluster_cannot_be_asked(here: Scenario) -> None:
    """Exit code 3 and what is missing."""
    code, said, complaints = here.run("doctor", "--kubeconfig", str(here.folder / "config.yaml"))

    assert (code, said) == (3, "")
    assert "kubectl is not installed" in complaints


def test_a_kubeconfig_that_is_not_there_is_a_mistake_of_the_command_line(here: Scenario) -> None:
    """Exit code 2, whether kubectl is installed or not."""
    code, said, complaints = here.run("doctor", "--kubeconfig", "/nonexistent")

    assert (code, said) == (2, "")
    assert "'/nonexistent' does not exist" in complaints
