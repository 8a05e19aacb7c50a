"""The check at sync time in a whole Argo CD. No kubelet runs, so `Kubelet` does its part: it starts the Pod's own command."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.argocd import PLUGIN, Cluster, Repository
from support.scenario import Scenario
from support.shop import WEB, pod, shop

pytestmark = pytest.mark.cluster

HOOK = f"hook: {{enabled: true, image: 'ghcr.io/acme/argocd-provenance@sha256:{'1' * 64}'}}\n"
SETTINGS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\ndata: {colour: blue}\n"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, labels: {app: web}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: web, image: "REGISTRY/acme/web:v1"}
"""
EARLY = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: early, annotations: {argocd.argoproj.io/hook: PreSync, argocd.argoproj.io/sync-wave: "-999999"}}
"""
FAILED = "one or more synchronization tasks completed unsuccessfully"
RESTRICTED = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/enforce-version": "latest",
}


class Kubelet:
    """Runs what a Pod says in this machine, and writes how it ended."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder

    def pending(self, namespace: str, prefix: str = "provenance-check-") -> list[dict[str, Any]]:
        """The Pods of ours that nobody has run yet."""
        pods = self.cluster.list("v1", "Pod", namespace)
        return [
            pod
            for pod in pods
            if pod["metadata"]["name"].startswith(prefix)
            and pod["status"]["phase"] == "Pending"
            and "deletionTimestamp" not in pod["metadata"]
        ]

    def run(self, namespace: str, prefix: str = "provenance-check-") -> tuple[str, int, str]:
        """Wait for a Pod of ours, run it, and return its name, exit code and termination message."""
        pod = self.cluster.wait_for("a Pod of ours", lambda: self.pending(namespace, prefix))[0]
        (container,) = pod["spec"]["containers"]
        message = self.folder / "termination-log"
        told = {variable["name"]: variable["value"] for variable in container["env"]}
        command = [sys.executable, *container["command"][1:], *container["args"], "--termination-log", str(message)]
        if pod["spec"].get("automountServiceAccountToken"):
            command += ["--service-account", str(self._account(pod["spec"]["serviceAccountName"], namespace))]
            host, _, port = self.cluster.url.removeprefix("https://").partition(":")
            told |= {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
        done = subprocess.run(command, env=told, cwd="/", capture_output=True, text=True, timeout=60, check=False)
        name = pod["metadata"]["name"]
        self.cluster.finish_pod(name, namespace, message=message.read_text(), code=done.returncode)
        return name, done.returncode, message.read_text()

    def _account(self, name: str, namespace: str) -> Path:
        """What Kubernetes mounts of a service account: a token of its own, the namespace, the API's authority."""
        folder = self.folder / "account"
        folder.mkdir(exist_ok=True)
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        wanted = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        (folder / "token").write_text(self.cluster.request("POST", path, wanted)["status"]["token"])
        (folder / "namespace").write_text(namespace)
        authority = self.cluster.folder / "kube" / "certificates" / "apiserver.crt"
        (folder / "ca.crt").write_bytes(authority.read_bytes())
        return folder


@contextmanager
def hooked(cluster: Cluster, folder: Path, name: str, *applications: str) -> Iterator[tuple[Scenario, Repository]]:
    """Applications of one commit in one restricted namespace, rendered once, whose operator wants the hook."""
    files = {"web/web.yaml": DEPLOYMENT.replace("NAME", name), "web/early.yaml": EARLY}
    with shop(folder, images=[WEB], source=files, config=HOOK) as scenario:
        cluster.operator(scenario.folder)
        repository = cluster.repository(folder / "git")
        repository.commit_folder(scenario.folder / "source")
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}}
        cluster.apply(namespace)
        for application in applications or (name,):
            cluster.application(application, repository, "web", namespace=name)
            cluster.sync_status(application, "OutOfSync")
        yield scenario, repository


@contextmanager
def without_evidence(scenario: Scenario) -> Iterator[None]:
    """As long as it is open, nothing hangs on any image."""
    tags = scenario.registry.contents.tags
    hidden = {key: tags.pop(key) for key in list(tags) if key[1].startswith("sha256-")}
    assert hidden
    yield
    tags.update(hidden)


def row(state: dict[str, Any], name: str) -> str:
    """What the sync's results say of the object."""
    (found,) = [one for one in state["syncResult"]["resources"] if one["name"] == name]
    said: str = found["message"]
    return said


def there(cluster: Cluster, name: str) -> bool:
    """Whether anything of the Application was applied."""
    early = cluster.get("v1", "ConfigMap", "early", name)
    return cluster.get("apps/v1", "Deployment", name, name) is not None or early is not None


@pytest.fixture
def kubelet(cluster: Cluster, tmp_path: Path) -> Kubelet:
    """What runs Pods."""
    return Kubelet(cluster, tmp_path)


class TestBlocked:
    @pytest.mark.parametrize("by", ["api", "patch"])
    def test_evidence_that_is_gone_stops_the_sync_with_our_words(
        self, cluster: Cluster, kubelet: Kubelet, tmp_path: Path, by: str
    ) -> None:
        """Argo CD applies what it rendered before; the hook asks now, nothing is applied, and the next sync heals."""
        name = f"hook-blocked-{by}"
        with hooked(cluster, tmp_path / "shop", name) as (scenario, _):
            with without_evidence(scenario):
                cluster.start_sync(name, by=by)
                first, code, message = kubelet.run(name)
                state = cluster.operation(name)

            assert code == 4
            assert message.startswith(f"image policy: 1 of 1 image refused (app {name}, policy shop)\n DENY ")
            assert (state["phase"], state["message"]) == ("Failed", FAILED)
            assert row(state, first) == message
            assert not there(cluster, name)
            assert cluster.list("v1", "Pod", name) == []

            cluster.start_sync(name, by=by)
            second, code, _ = kubelet.run(name)
            state = cluster.operation(name)

            assert (code, state["phase"], second != first) == (0, "Succeeded", True)
            assert there(cluster, name)
            assert cluster.list("v1", "Pod", name) == []

    def test_every_retry_runs_a_fresh_pod(self, cluster: Cluster, kubelet: Kubelet, tmp_path: Path) -> None:
        """No result of an earlier attempt is used again: the third, after the cause is gone, succeeds."""
        name = "hook-retried"
        retry = {"limit": 3, "backoff": {"duration": "1s", "factor": 1, "maxDuration": "10s"}}
        with hooked(cluster, tmp_path / "shop", name) as (scenario, _):
            with without_evidence(scenario):
                cluster.start_sync(name, retryStrategy=retry)
                codes = [kubelet.run(name)[1], kubelet.run(name)[1]]
            codes.append(kubelet.run(name)[1])
            state = cluster.operation(name)

            assert (codes, state["phase"], state.get("retryCount")) == ([4, 4, 0], "Succeeded", 2)
            assert cluster.list("v1", "Pod", name) == []

    def test_a_pod_that_says_nothing_blocks_too(self, cluster: Cluster, kubelet: Kubelet, tmp_path: Path) -> None:
        """A crash is no verdict."""
        name = "hook-crashed"
        with hooked(cluster, tmp_path / "shop", name):
            cluster.start_sync(name)
            pod = cluster.wait_for("a Pod of ours", lambda: kubelet.pending(name))[0]["metadata"]["name"]
            cluster.finish_pod(pod, name, code=1)
            state = cluster.operation(name)

            assert (state["phase"], row(state, pod)) == ("Failed", 'container "verify" failed with exit code 1')
            assert not there(cluster, name)


class TestOthers:
    def test_two_applications_of_one_commit_have_a_pod_each(
        self, cluster: Cluster, kubelet: Kubelet, tmp_path: Path
    ) -> None:
        """In one namespace and one second: neither takes the other's verdict."""
        with hooked(cluster, tmp_path / "shop", "hook-twins", "hook-twin-a", "hook-twin-b"):
            for name in ("hook-twin-a", "hook-twin-b"):
                cluster.start_sync(name)
            pods = cluster.wait_for("two Pods", lambda: (p := kubelet.pending("hook-twins")) and len(p) == 2 and p)
            names = sorted(pod["metadata"]["name"] for pod in pods)
            owners = {
                pod["metadata"]["name"]: pod["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"]
                for pod in pods
            }
            cluster.finish_pod(names[0], "hook-twins", message="refused", code=4)
            cluster.finish_pod(names[1], "hook-twins", message="allowed", code=0)
            phases = {
                owners[name].partition(":")[0]: code for name, code in zip(names, ("Failed", "Succeeded"), strict=True)
            }

            found = {name: cluster.operation(name)["phase"] for name in ("hook-twin-a", "hook-twin-b")}

            assert found == phases
            assert cluster.list("v1", "Pod", "hook-twins") == []

    def test_every_source_of_an_application_has_a_pod(self, cluster: Cluster, kubelet: Kubelet, tmp_path: Path) -> None:
        """Each carries what was verified of its source, and one that fails stops the whole sync."""
        name = "hook-sources"
        files = {f"{part}/web.yaml": DEPLOYMENT.replace("NAME", part) for part in ("one", "two")}
        with shop(tmp_path / "shop", images=[WEB], source=files, config=HOOK) as scenario:
            cluster.operator(scenario.folder)
            repository = cluster.repository(tmp_path / "git")
            repository.commit_folder(scenario.folder / "source")
            cluster.namespace(name)
            source = {"repoURL": repository.url, "targetRevision": repository.branch, "plugin": {"name": PLUGIN}}
            sources = [source | {"path": part} for part in ("one", "two")]
            to = {"server": "https://kubernetes.default.svc", "namespace": name}
            cluster.apply(
                {
                    "apiVersion": "argoproj.io/v1alpha1",
                    "kind": "Application",
                    "metadata": {"name": name, "namespace": "argocd"},
                    "spec": {"project": "default", "sources": sources, "destination": to},
                }
            )
            cluster.sync_status(name, "OutOfSync")

            cluster.start_sync(name)
            codes = [kubelet.run(name)[1], kubelet.run(name)[1]]
            state = cluster.operation(name)

            assert (codes, state["phase"]) == ([0, 0], "Succeeded")
            assert cluster.list("v1", "Pod", name) == []

    def test_a_pod_that_was_left_behind_decides_nothing(
        self, cluster: Cluster, kubelet: Kubelet, tmp_path: Path
    ) -> None:
        """A sync runs a Pod of its own, whatever an earlier one of the same commit once said."""
        name = "hook-left"
        with hooked(cluster, tmp_path / "shop", name) as (scenario, repository):
            old = f"{_prefix(cluster, name)}{repository.revision[:7]}-presync-{int(time.time()) - 60}"
            cluster.apply(_finished(cluster, old, name))
            cluster.finish_pod(old, name, message="image policy: 1 image verified")

            with without_evidence(scenario):
                cluster.start_sync(name)
                pod, code, _ = kubelet.run(name)
                state = cluster.operation(name)

            assert pod != old
            assert (code, state["phase"]) == (4, "Failed")
            assert not there(cluster, name)

    def test_a_pod_of_just_that_name_is_not_believed(self, cluster: Cluster, kubelet: Kubelet, tmp_path: Path) -> None:
        """Who guesses the second of the sync can stop it, and can not make it succeed."""
        name = "hook-guessed"
        with hooked(cluster, tmp_path / "shop", name) as (_, repository):
            now = int(time.time())
            start = f"{_prefix(cluster, name)}{repository.revision[:7]}-presync-"
            for seconds in range(20):
                cluster.apply(_finished(cluster, f"{start}{now + seconds}", name))
                cluster.finish_pod(f"{start}{now + seconds}", name, message="image policy: 1 image verified")

            cluster.start_sync(name)
            ended = cluster.wait_for(
                "an end, or a Pod",
                lambda: kubelet.pending(name) or cluster.status(name).get("operationState", {}).get("finishedAt"),
            )
            if isinstance(ended, list):
                assert kubelet.run(name)[1] == 0
            state = cluster.operation(name)

            assert (state["phase"] == "Succeeded") == isinstance(ended, list)
            assert there(cluster, name) == isinstance(ended, list)


def _prefix(cluster: Cluster, application: str) -> str:
    """The generateName of the Application's hook, as Argo CD's own API shows the manifests."""
    manifests = cluster.ask("GET", f"/api/v1/applications/{application}/manifests")["manifests"]
    names = [json.loads(text)["metadata"].get("generateName", "") for text in manifests]
    (found,) = [name for name in names if name]
    return str(found)


def _finished(cluster: Cluster, name: str, namespace: str) -> dict[str, Any]:
    """A Pod of that name that looks like the Application's own."""
    manifests = cluster.ask("GET", f"/api/v1/applications/{namespace}/manifests")["manifests"]
    (pod,) = [one for one in map(json.loads, manifests) if one["kind"] == "Pod"]
    metadata = {"name": name, "namespace": namespace, "annotations": pod["metadata"]["annotations"]}
    return pod | {"metadata": metadata}


@contextmanager
def _provable(cluster: Cluster, tmp_path: Path, namespace: str) -> Iterator[tuple[Scenario, Repository]]:
    """A shop whose Application, in the folder ``web`` of the repository, is to be proved; the account for it is there."""
    config = HOOK.replace("enabled: true", "enabled: true, proof: true")
    source = {"web/web.yaml": pod("acme/web:v1")}
    with shop(tmp_path / "shop", images=[WEB], source=source, config=config) as scenario:
        cluster.operator(scenario.folder)
        repository = cluster.repository(tmp_path / "git")
        repository.commit_folder(scenario.folder / "source")
        cluster.namespace(namespace)
        _apply_account(cluster, tmp_path, namespace)
        yield scenario, repository


class TestProof:
    def test_what_runs_is_compared_when_everything_is_healthy(
        self, cluster: Cluster, kubelet: Kubelet, tmp_path: Path
    ) -> None:
        """By the shipped account, which may no more than its role says: another digest fails the operation, the verified one does not."""
        name = "hook-proved"
        with _provable(cluster, tmp_path, name) as (scenario, repository):
            cluster.application(name, repository, "web", namespace=name)
            cluster.sync_status(name, "OutOfSync")
            digest = scenario.registry.contents.tags["acme/web", "v1"]
            codes, phases = [], []
            for ran in (f"sha256:{'e' * 64}", digest):
                cluster.start_sync(name)
                kubelet.run(name)
                cluster.wait_for("the Application's Pod", lambda: cluster.get("v1", "Pod", "web", name))
                _runs(cluster, name, "web", ran)
                proof, code, message = kubelet.run(name, "provenance-proof-")
                state = cluster.operation(name)
                codes.append(code)
                phases.append(state["phase"])
                if code:
                    assert row(state, proof) == message
                    assert '(Pod/web "c0") [running-other]' in message

            assert (codes, phases) == ([4, 0], ["Failed", "Succeeded"])
            assert [one["metadata"]["name"] for one in cluster.list("v1", "Pod", name)] == ["web"]

    def test_without_its_role_it_proves_nothing(self, cluster: Cluster, kubelet: Kubelet, tmp_path: Path) -> None:
        """An account that nobody bound to the role is told what is missing, and the operation fails."""
        name = "hook-unbound"
        with _provable(cluster, tmp_path, name) as (scenario, repository):
            cluster.delete("rbac.authorization.k8s.io/v1", "RoleBinding", "argocd-provenance-proof", name)
            cluster.application(name, repository, "web", namespace=name)
            cluster.sync_status(name, "OutOfSync")
            cluster.start_sync(name)
            kubelet.run(name)
            cluster.wait_for("the Application's Pod", lambda: cluster.get("v1", "Pod", "web", name))
            _runs(cluster, name, "web", scenario.registry.contents.tags["acme/web", "v1"])
            _, code, message = kubelet.run(name, "provenance-proof-")

            assert (code, cluster.operation(name)["phase"]) == (3, "Failed")
            assert "the service account may not read" in message
            assert "(403)" in message
            assert "apply argocd/proof/" in message


def _apply_account(cluster: Cluster, folder: Path, namespace: str) -> None:
    """What the docs say to apply, and the token that Kubernetes would mount."""
    (folder / "proof").mkdir()
    shipped = Path(__file__).parents[2] / "argocd" / "proof"
    for file in shipped.iterdir():
        text = file.read_text().replace("namespace: shop", f"namespace: {namespace}")
        (folder / "proof" / file.name).write_text(text)
    applied = cluster.kubectl("apply", "-k", str(folder / "proof"))
    assert applied.returncode == 0, applied.stderr


def _runs(cluster: Cluster, namespace: str, name: str, digest: str) -> None:
    """Write what a kubelet writes of a Pod that is ready and runs `digest`."""
    status = {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [
            {
                "name": "c0",
                "image": "acme/web:v1",
                "imageID": f"acme/web@{digest}",
                "ready": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
            }
        ],
    }
    cluster.merge("v1", "Pod", name, namespace, {"status": status}, "status")
