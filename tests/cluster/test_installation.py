"""What docs/install.md says, done to a Kubernetes API on which Argo CD's own install manifests were applied."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.argocd.asking import ROOT
from support.argocd.cluster import module_folder
from support.kubernetes import Kubernetes
from support.processes import program

pytestmark = pytest.mark.cluster
INSTRUCTIONS = (ROOT / "docs" / "install.md").read_text()
SERVER = ("apps/v1", "Deployment", "argocd-repo-server", "argocd")


@pytest.fixture(scope="module")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubernetes]:
    """A Kubernetes API with Argo CD installed as its documentation says; no controller makes Pods of it."""
    with Kubernetes(tmp_path_factory.mktemp("installed")) as kube:
        kube.namespace("argocd")
        install_argo_cd(kube)
        yield kube


def install_argo_cd(kube: Kubernetes) -> None:
    """Apply the manifests that come in Argo CD's own Go module."""
    manifests = module_folder("github.com/argoproj/argo-cd/v3") / "manifests" / "install.yaml"
    done = kube.kubectl("apply", "--server-side", "--force-conflicts", "-n", "argocd", "-f", str(manifests))
    assert done.returncode == 0, done.stderr


def documented(kube: Kubernetes, command: str, stdin: str = "") -> str:
    """Run a command that docs/install.md has word for word, as its reader would from the checkout; what it prints."""
    assert command in INSTRUCTIONS
    called, *words = shlex.split(command)
    assert called == "kubectl"
    done = kube.kubectl(*[word.replace("argocd/", f"{ROOT}/argocd/") for word in words], stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


def pod(kube: Kubernetes) -> Any:
    """The repo-server's pod template."""
    deployment = kube.get(*SERVER)
    assert deployment is not None
    return deployment["spec"]["template"]["spec"]


def names(things: Any) -> list[str]:
    """The names of containers or volumes."""
    return [thing["name"] for thing in things]


def add(kube: Kubernetes) -> str:
    """Step 3 of the instructions."""
    return documented(kube, "kubectl apply --server-side --field-manager=argocd-provenance -k argocd/")


def test_the_sidecar_joins_the_repo_server_that_is_there(kube: Kubernetes) -> None:
    """Container and volumes are added, and all that Argo CD's installation wrote stays."""
    before = pod(kube)

    said = add(kube)

    after = pod(kube)
    assert said.count("serverside-applied") == 3
    assert names(after["containers"]) == [*names(before["containers"]), "argocd-provenance"]
    assert set(names(before["volumes"])) < set(names(after["volumes"]))
    assert [c for c in after["containers"] if c["name"] != "argocd-provenance"] == before["containers"]
    mounted = {m["name"] for c in after["containers"] for m in c["volumeMounts"]}
    assert mounted <= set(names(after["volumes"]))


def test_an_upgrade_of_argo_cd_keeps_the_sidecar(kube: Kubernetes) -> None:
    """Server-side apply takes away only what its own manager wrote."""
    add(kube)

    install_argo_cd(kube)

    assert "argocd-provenance" in names(pod(kube)["containers"])


def test_the_removal_leaves_what_was_there_before(kube: Kubernetes) -> None:
    """The repo-server is as Argo CD's installation made it."""
    command = "kubectl apply --server-side --field-manager=argocd-provenance -f -"
    given = INSTRUCTIONS.partition(command)[2].partition("EOF\n")[2].partition("EOF\n")[0]
    documented(kube, command, stdin=given)
    before = pod(kube)
    add(kube)

    documented(kube, command, stdin=given)

    assert pod(kube) == before
    assert "argocd-provenance" not in names(before["containers"])


@pytest.mark.parametrize("sample", ["admission-policy.yaml", "app-project.yaml", "network-policy.yaml"])
def test_a_sample_is_taken_by_the_api(kube: Kubernetes, sample: str) -> None:
    """By the strict field validation of the API, so that no misspelt field is dropped in silence."""
    path = Path(ROOT, "argocd", "samples", sample)

    done = kube.kubectl("apply", "--server-side", "--validate=strict", "--dry-run=server", "-f", str(path))

    assert done.returncode == 0, done.stderr


class TestDoctor:
    """``doctor`` from a laptop, by kubectl."""

    def test_an_installation_by_the_instructions_has_nothing_wrong(self, kube: Kubernetes, tmp_path: Path) -> None:
        """But for what an example leaves open: a tag, and nothing that requires the plugin."""
        documented(kube, "kubectl apply --server-side --field-manager=argocd-provenance -k argocd/")

        code, found = doctor(kube, tmp_path)

        assert code == 0
        assert set(found) == {"sidecar-image-by-tag", "plugin-not-required"}

    def test_faults_are_found_where_they_are(self, kube: Kubernetes, tmp_path: Path) -> None:
        """An Application with a wrong name, and a caller that waits too short."""
        documented(kube, "kubectl apply --server-side --field-manager=argocd-provenance -k argocd/")
        data = {"controller.repo.server.timeout.seconds": "30", "server.repo.server.timeout.seconds": "30"}
        params = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "argocd-cmd-params-cm", "namespace": "argocd"},
        }
        kube.apply({**params, "data": data})
        source = {"repoURL": "https://git.example.com/x", "path": ".", "plugin": {"name": "argocd-provenance-v1"}}
        to = {"server": "https://kubernetes.default.svc", "namespace": "x"}
        kube.apply(
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "Application",
                "metadata": {"name": "misnamed", "namespace": "argocd"},
                "spec": {"project": "default", "source": source, "destination": to},
            }
        )

        code, found = doctor(kube, tmp_path)

        kube.delete("argoproj.io/v1alpha1", "Application", "misnamed", "argocd")
        kube.apply({**params, "data": {}})
        assert code == 4
        assert found["application-plugin-name"] == "Application argocd/misnamed"
        assert found["deadline-too-long"].startswith("ConfigMap argocd-cmd-params-cm, ")


def doctor(kube: Kubernetes, folder: Path) -> tuple[int, dict[str, str]]:
    """Exit code and where each finding is, by its code; the `kubectl` on its PATH is the one of `Kubernetes`."""
    kubectl = folder / "kubectl"
    kubectl.write_text(f'#!/bin/sh\nexec {program("argocd-kube", "tests/argocd/build")} kubectl "$@"\n')
    kubectl.chmod(0o755)
    command = [sys.executable, "-I", "-m", "argocd_provenance", "doctor", "--kubeconfig", str(kube.kubeconfig)]
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(folder)}
    done = subprocess.run(
        [*command, "--output", "json"], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stderr == ""
    return done.returncode, {one["code"]: one["where"] for one in json.loads(done.stdout)["findings"]}
