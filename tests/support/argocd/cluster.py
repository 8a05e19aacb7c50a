"""A whole Argo CD on loopback: `ArgoCD`, a Kubernetes API, the application controller and the API server.

    def test_…(cluster, tmp_path):              # one for the session, about 20 s to start; marked `cluster`
        with shop(tmp_path, images=[WEB], source={"web/pod.yaml": pod("acme/web:v1")}) as scenario:
            cluster.operator(scenario.folder)
            repository = cluster.repository(tmp_path / "git")
            repository.commit_folder(scenario.folder / "source")
            cluster.namespace("pinned")
            cluster.application("pinned", repository, "web", namespace="pinned")
            cluster.sync("pinned")                                   # operationState, as `argocd app sync` starts it
            cluster.get("v1", "Pod", "web", "pinned")                # and all of `support.kubernetes`

Give each test names of its own: an Application and its namespace stay until the end.
"""

import contextlib
import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import yaml

from support.argocd.asking import PLUGIN, ROOT, Repository
from support.argocd.repo_server import ArgoCD
from support.kubernetes import Kubernetes, Object, Refusal, http
from support.processes import answers, free_port, wait_for

NAMESPACE = "argocd"
API = "argoproj.io/v1alpha1"
ENDED = ("Succeeded", "Failed", "Error")
_REFRESH = "argocd.argoproj.io/refresh"
_ASKED = 3


class Cluster(ArgoCD, Kubernetes):
    """Everything of `ArgoCD` and `Kubernetes`, and Applications."""

    def __init__(self, folder: Path, **more: Any) -> None:
        interfaces = [name for _, name in socket.if_nameindex()]
        assert interfaces == ["lo"], (
            "run by `make cluster`, or tests/argocd/loopback COMMAND: the controller listens on all interfaces"
        )
        super().__init__(folder, **more)

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            self.start_kubernetes()
            self._prepare()
            self._start_controller()
            self._start_api_server()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    # -- Applications ------------------------------------------------------------------------------------------------

    def application(
        self,
        name: str,
        repository: Repository,
        path: str = ".",
        *,
        namespace: str,
        plugin: str | None = PLUGIN,
        source: Mapping[str, Any] | None = None,
        spec: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Object:
        """Make an Application; `source`, `spec` and `metadata` hold further fields. `plugin` None opts out."""
        full: Object = {"repoURL": repository.url, "path": path, "targetRevision": repository.branch, **(source or {})}
        if plugin is not None:
            full["plugin"] = {"name": plugin, **full.get("plugin", {})}
        to = {"server": "https://kubernetes.default.svc", "namespace": namespace}
        return self.apply(
            {
                "apiVersion": API,
                "kind": "Application",
                "metadata": {"name": name, "namespace": NAMESPACE, **(metadata or {})},
                "spec": {"project": "default", "source": full, "destination": to, **(spec or {})},
            }
        )

    def app(self, name: str) -> Object:
        """The Application; empty where there is none."""
        return self.get(API, "Application", name, NAMESPACE) or {}

    def status(self, name: str) -> Object:
        """The Application's status."""
        status: Object = self.app(name).get("status") or {}
        return status

    def conditions(self, name: str) -> dict[str, str]:
        """The messages of its conditions, by their types."""
        return {one["type"]: one["message"] for one in self.status(name).get("conditions") or ()}

    def refresh(self, name: str, *, hard: bool = False) -> Object:
        """Compare again, as a person asks for it, and the status when that is done.

        Argo CD can lose a request that comes while it writes down the comparison before: then it is asked again.
        """

        def done() -> bool:
            return _REFRESH not in (self.app(name)["metadata"].get("annotations") or {})

        for _ in range(_ASKED):
            for value in (None, "hard" if hard else "normal"):  # only a change is a request
                self.merge(API, "Application", name, NAMESPACE, {"metadata": {"annotations": {_REFRESH: value}}})
            with contextlib.suppress(AssertionError):
                self.wait_for(f"the refresh of {name}", done, seconds=30)
                return self.status(name)
        raise AssertionError(f"the refresh of {name}: asked {_ASKED} times, and never done")

    def sync_status(self, name: str, *wanted: str, seconds: float = 60) -> Object:
        """The status as soon as ``status.sync.status`` is one of `wanted` (Synced, OutOfSync, Unknown)."""

        def there() -> Object | None:
            status = self.status(name)
            return status if status.get("sync", {}).get("status") in wanted else None

        return wait_for(f"{name} to be {' or '.join(wanted)}", there, seconds=seconds) or {}

    def sync(self, name: str, *, by: str = "api", seconds: float = 60, **more: Any) -> Object:
        """Sync and return ``status.operationState`` at the end; see `start_sync`."""
        self.start_sync(name, by=by, **more)
        return self.operation(name, seconds=seconds)

    def start_sync(self, name: str, *, by: str = "api", **more: Any) -> None:
        """Start a sync by the API server (``api``), as people do, or by patching ``operation``: hooks are not treated alike.

        `more` goes into the request, or into ``operation.sync``.
        """
        strategy = {"hook": {}}
        if by == "api":
            self.ask("POST", f"/api/v1/applications/{name}/sync", {"name": name, "strategy": strategy, **more})
            return
        operation = {"initiatedBy": {"username": "tests"}, "sync": {"syncStrategy": strategy, **more}}
        self.merge(API, "Application", name, NAMESPACE, {"operation": operation})

    def operation(self, name: str, phases: Sequence[str] = ENDED, *, seconds: float = 60) -> Object:
        """``status.operationState`` as soon as its phase is one of these."""

        def there() -> Object | None:
            app = self.app(name)
            state: Object = (app.get("status") or {}).get("operationState") or {}
            pending = "operation" in app and not set(phases) - set(ENDED)
            return state if state.get("phase") in phases and not pending else None

        return wait_for(f"the operation of {name}", there, seconds=seconds) or {}

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of Argo CD's own API; `path` starts with ``/api/v1``. Raises `Refusal`."""
        return yaml.safe_load(http(method, f"http://127.0.0.1:{self.api_port}{path}", body) or b"null")

    # -- servers -----------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Argo CD's resource definitions, its settings, and the default project."""
        folder = module_folder("github.com/argoproj/argo-cd/v3") / "manifests" / "crds"
        for file in sorted(folder.glob("*-crd.yaml")):
            self.apply(yaml.load(file.read_text(), yaml.CSafeLoader))
        self.namespace(NAMESPACE)
        label = {"app.kubernetes.io/part-of": "argocd"}
        for part in ("cm", "rbac-cm", "cmd-params-cm", "ssh-known-hosts-cm", "tls-certs-cm", "gpg-keys-cm"):
            meta = {"name": f"argocd-{part}", "namespace": NAMESPACE, "labels": label}
            self.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {}})
        meta = {"name": "argocd-secret", "namespace": NAMESPACE, "labels": label}
        key = {"server.secretkey": "loopback-only-" * 3}
        self.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": key})
        self.wait_for("Argo CD's resources", self._served)
        anywhere = {
            "sourceRepos": ["*"],
            "destinations": [{"server": "*", "namespace": "*"}],
            "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
        }
        meta = {"name": "default", "namespace": NAMESPACE}
        self.apply({"apiVersion": API, "kind": "AppProject", "metadata": meta, "spec": anywhere})

    def _served(self) -> bool:
        with contextlib.suppress(Refusal, KeyError):
            return all(self.list(API, kind) == [] for kind in ("Application", "AppProject", "ApplicationSet"))
        return False

    def _environment(self, name: str) -> dict[str, str]:
        return {
            "ARGOCD_FAKE_IN_CLUSTER": "true",
            "ARGOCD_GPG_ENABLED": "false",
            "ARGOCD_TLS_DATA_PATH": str(self.made("tls")),
            "ARGOCD_SSH_DATA_PATH": str(self.made("ssh")),
            "HOSTNAME": f"{name}-0",
            "KUBECONFIG": str(self.kubeconfig),
            "REDIS_PASSWORD": "",
        }

    def _start_controller(self) -> None:
        metrics, name = free_port(), "argocd-application-controller"
        flags = ["--metrics-port", str(metrics), "--server-side-diff-enabled=false", "--hydrator-enabled=false"]
        resync = ["--app-resync", "120", "--app-resync-jitter", "0"]
        process = self.start("controller", self.server(name, *self._others(), *flags, *resync), self._environment(name))
        wait_for(name, lambda: answers(metrics), process, seconds=120)

    def _start_api_server(self) -> None:
        self.api_port = free_port()
        listen = ["--address", "127.0.0.1", "--port", str(self.api_port)]
        metrics = ["--metrics-address", "127.0.0.1", "--metrics-port", str(free_port())]
        plain = [
            "--insecure",
            "--disable-auth",
            "--dex-server",
            "http://127.0.0.1:1",
            "--staticassets",
            str(self.made("assets")),
        ]
        argv = self.server("argocd-server", *self._others(), *listen, *metrics, *plain)
        process = self.start("argocd-server", argv, self._environment("argocd-server"))
        wait_for("argocd-server", self._healthy, process, seconds=120)

    def _others(self) -> list[str]:
        repo_server = ["--repo-server", f"127.0.0.1:{self.port}", "--repo-server-plaintext"]
        return ["--namespace", NAMESPACE, "--redis", f"127.0.0.1:{self.redis}", *repo_server]

    def _healthy(self) -> bool:
        with contextlib.suppress(OSError, Refusal):
            return http("GET", f"http://127.0.0.1:{self.api_port}/healthz").startswith(b"ok")
        return False


def module_folder(name: str) -> Path:
    """Where the files of a module of ``tests/argocd/go.mod`` lie; the servers' build has downloaded them."""
    path = f"{os.environ['PATH']}:/usr/local/go/bin"
    command = ["go", "list", "-m", "-f", "{{.Dir}}", name]
    done = subprocess.run(
        command,
        cwd=ROOT / "tests" / "argocd",
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip(), f"go list -m {name}: {done.stderr}"
    return Path(done.stdout.strip())
