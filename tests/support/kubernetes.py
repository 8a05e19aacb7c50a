"""A Kubernetes API on loopback: etcd, kube-apiserver and kube-controller-manager, and the few requests that tests make.

    with Kubernetes(folder) as kube:
        kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}})
        kube.get("apps/v1", "Deployment", "web", "target")            # None where there is none
        kube.wait_for("the Pod", lambda: kube.list("v1", "Pod", "target"))
        kube.kubectl("apply", "--server-side", "-k", "argocd/")       # the finished process: returncode, stdout, stderr

No kubelet runs: a Pod stays Pending until `finish_pod` writes what a kubelet would. Of the controllers only those for
garbage, namespaces and Jobs: a Deployment makes no Pods. Everybody may do everything; nothing listens beyond loopback.
"""

import contextlib
import json
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urlencode

from support.processes import Bench, answers, free_port, program, wait_for

T = TypeVar("T")
Object = dict[str, Any]
_TOKEN = "of-the-tests"
_TLS = ssl._create_unverified_context()  # noqa: S323 - a certificate that the server made for itself, on loopback


class Refusal(Exception):
    """A server said no; its status and its own words."""

    def __init__(self, asked: str, status: int, said: str) -> None:
        super().__init__(f"{asked}: {status} {said}")
        self.status, self.said = status, said


def http(method: str, url: str, body: Any = None, kind: str = "application/json") -> bytes:
    """One request with our token; raises `Refusal` for what is no success, and OSError where nobody answers."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {_TOKEN}", "Content-Type": kind, "Accept": "application/json"}
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - a server of ours
    tls = _TLS if url.startswith("https") else None
    try:
        with urllib.request.urlopen(request, timeout=90, context=tls) as answer:  # noqa: S310 - as above
            content: bytes = answer.read()
    except urllib.error.HTTPError as error:
        with error:
            raise Refusal(f"{method} {url}", error.code, error.read().decode(errors="replace")) from None
    return content


class Kubernetes(Bench):
    """The servers, and what tests ask of them; objects are the JSON as it is."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._resources: dict[tuple[str, str], tuple[str, bool]] = {}

    def __enter__(self) -> Self:
        try:
            self.start_kubernetes()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    # -- what tests do ---------------------------------------------------------------------------------------------

    def request(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        """The answer to a request; `path` starts with ``/api``. Raises `Refusal`."""
        return json.loads(http(method, self.url + path, body, kind) or b"null")

    def apply(self, one: Mapping[str, Any], *, manager: str = "tests") -> Object:
        """Server-side apply of `one`, whose namespace stands in its metadata; the object as it then is."""
        meta = one["metadata"]
        path = self._path(one["apiVersion"], one["kind"], meta["name"], meta.get("namespace", ""))
        query = urlencode({"fieldManager": manager, "force": "true"})
        applied: Object = self.request("PATCH", f"{path}?{query}", one, "application/apply-patch+yaml")
        return applied

    def get(self, version: str, kind: str, name: str, namespace: str = "") -> Object | None:
        """The object, or None."""
        try:
            found: Object = self.request("GET", self._path(version, kind, name, namespace))
        except Refusal as refusal:
            if refusal.status != 404:
                raise
            return None
        return found

    def list(self, version: str, kind: str, namespace: str = "") -> "list[Object]":
        """All objects of that kind in the namespace, or everywhere."""
        items: list[Object] = self.request("GET", self._path(version, kind, "", namespace))["items"]
        return items

    def merge(
        self, version: str, kind: str, name: str, namespace: str, change: Mapping[str, Any], part: str = ""
    ) -> Object:
        """Apply a JSON merge patch to the object, or to its part ``status``."""
        path = self._path(version, kind, name, namespace) + (f"/{part}" if part else "")
        changed: Object = self.request("PATCH", path, change, "application/merge-patch+json")
        return changed

    def delete(self, version: str, kind: str, name: str, namespace: str = "") -> None:
        """Ask for the end of the object; finalizers may delay it."""
        self.request("DELETE", self._path(version, kind, name, namespace))

    def namespace(self, name: str) -> str:
        """Make a namespace; its name."""
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name

    def finish_pod(self, name: str, namespace: str, *, message: str = "", code: int = 0) -> None:
        """Write what a kubelet writes when a Pod's containers have ended with this termination message and exit code."""
        pod = self.get("v1", "Pod", name, namespace)
        assert pod is not None
        ended = {
            "exitCode": code,
            "reason": "Error" if code else "Completed",
            "message": message,
            "startedAt": "2026-01-01T00:00:00Z",
            "finishedAt": "2026-01-01T00:00:01Z",
        }
        containers = [
            {
                "name": one["name"],
                "image": one["image"],
                "imageID": "",
                "ready": False,
                "restartCount": 0,
                "state": {"terminated": ended},
            }
            for one in pod["spec"]["containers"]
        ]
        status = {"phase": "Failed" if code else "Succeeded", "containerStatuses": containers}
        self.merge("v1", "Pod", name, namespace, {"status": status}, "status")

    def kubectl(self, *words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        """Run kubectl against this API."""
        command = [
            program("argocd-kube", "tests/argocd/build"),
            "kubectl",
            "--kubeconfig",
            str(self.kubeconfig),
            *words,
        ]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)

    @staticmethod
    def wait_for(what: str, ready: Callable[[], T], seconds: float = 60) -> T:
        """What `ready` answers as soon as it is true; fails after that time."""
        return wait_for(what, ready, seconds=seconds)

    # -- servers -----------------------------------------------------------------------------------------------------

    def start_kubernetes(self) -> None:
        """Start etcd and Kubernetes's servers, and wait until the API is ready."""
        store = self._start_etcd()
        folder, port = self.made("kube"), free_port()
        self.url = f"https://127.0.0.1:{port}"
        key = folder / "service-accounts.key"
        subprocess.run(
            [program("openssl", "tests/peers/install"), "genrsa", "-out", str(key), "2048"],
            check=True,
            capture_output=True,
        )
        (folder / "tokens.csv").write_text(f'{_TOKEN},admin,admin,"system:masters"\n')
        flags = {
            "etcd-servers": store,
            "secure-port": port,
            "bind-address": "127.0.0.1",
            "advertise-address": "127.0.0.1",
            "cert-dir": folder / "certificates",
            "token-auth-file": folder / "tokens.csv",
            "authorization-mode": "RBAC",
            "service-account-key-file": key,
            "service-account-signing-key-file": key,
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-cluster-ip-range": "10.0.0.0/24",
            "disable-admission-plugins": "ServiceAccount",
            "endpoint-reconciler-type": "none",
        }
        api = self.start("kube-apiserver", self._server("kube-apiserver", flags))
        self.kubeconfig = folder / "config"
        self.kubeconfig.write_text(json.dumps(_kubeconfig(self.url)))
        wait_for("kube-apiserver", self._ready, api, seconds=120)
        controllers = "garbage-collector-controller,namespace-controller,job-controller"
        flags = {"kubeconfig": self.kubeconfig, "secure-port": 0, "leader-elect": "false", "controllers": controllers}
        self.start("kube-controller-manager", self._server("kube-controller-manager", flags))

    def _start_etcd(self) -> str:
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        flags = {
            "data-dir": self.folder / "etcd",
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
        }
        argv = [
            program("etcd", "tests/peers/install"),
            "--unsafe-no-fsync",
            *(f"--{name}={value}" for name, value in flags.items()),
        ]
        process = self.start("etcd", argv)
        wait_for("etcd", lambda: answers(int(client.rpartition(":")[2])), process)
        return client

    @staticmethod
    def _server(name: str, flags: Mapping[str, Any]) -> "list[str]":
        return [
            program("argocd-kube", "tests/argocd/build"),
            name,
            *(f"--{flag}={value}" for flag, value in flags.items()),
        ]

    def _ready(self) -> bool:
        with contextlib.suppress(OSError, Refusal):
            return http("GET", f"{self.url}/readyz") == b"ok"
        return False

    def _path(self, version: str, kind: str, name: str, namespace: str) -> str:
        """The path of an object, or of the collection."""
        plural, namespaced = self._resource(version, kind)
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        within = f"/namespaces/{namespace}" if namespaced and namespace else ""
        return f"{root}{within}/{plural}" + (f"/{name}" if name else "")

    def _resource(self, version: str, kind: str) -> tuple[str, bool]:
        """The plural of a kind, and whether its objects are namespaced, as the server says."""
        if (version, kind) not in self._resources:
            listed = self.request("GET", f"/apis/{version}" if "/" in version else f"/api/{version}")["resources"]
            self._resources |= {
                (version, one["kind"]): (one["name"], one["namespaced"]) for one in listed if "/" not in one["name"]
            }
        return self._resources[version, kind]


def _kubeconfig(url: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "loopback",
        "clusters": [{"name": "loopback", "cluster": {"server": url, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "admin", "user": {"token": _TOKEN}}],
        "contexts": [{"name": "loopback", "context": {"cluster": "loopback", "user": "admin", "namespace": "argocd"}}],
    }
