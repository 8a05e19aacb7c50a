"""The API of the cluster in which a Pod runs, as its service account may read it.

One law: it reads. Where and how: kubernetes.io, "Accessing the Kubernetes API from a Pod".
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from argocd_provenance.argocd.running import Namespace
from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import HookError, RegistryError
from argocd_provenance.oci.reference import registry_host
from argocd_provenance.oci.settings import HostSettings
from argocd_provenance.oci.strictjson import NotJSONError, read_object
from argocd_provenance.oci.transport import Transport

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

_LIMIT = 32 * 1024 * 1024
_PAGE = 250
_LISTS = {
    "ReplicaSet": "/apis/apps/v1/namespaces/{}/replicasets",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets",
    "DaemonSet": "/apis/apps/v1/namespaces/{}/daemonsets",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "ReplicationController": "/api/v1/namespaces/{}/replicationcontrollers",
}


class Cluster:
    """The API, until `close`; `namespace` is that of the Pod. Whatever fails is a `HookError` of code ``cluster``."""

    def __init__(self, environment: Mapping[str, str], account: Path, deadline: Deadline) -> None:
        host, port = (environment.get(f"KUBERNETES_SERVICE_{name}", "") for name in ("HOST", "PORT"))
        try:
            self._token = (account / "token").read_text().strip()
            self.namespace = (account / "namespace").read_text().strip()
        except OSError as error:
            raise _unable(f"the Pod has no service account token: {error.strerror}") from error
        if not host or not port.isdigit():
            raise _unable("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT do not say where the API is")
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._base = f"https://{address}"
        settings = HostSettings(address, ca_file=str(account / "ca.crt"))
        self._transport = Transport({registry_host(address): settings}, deadline)

    def read(self, namespace: str) -> Namespace:
        """The workloads and Pods of `namespace`."""
        objects = {
            (kind, str(one["metadata"]["name"])): one
            for kind, path in _LISTS.items()
            for one in self._list(path.format(namespace))
        }
        pods = self._list(f"/api/v1/namespaces/{namespace}/pods")
        objects |= {("Pod", str(pod["metadata"]["name"])): pod for pod in pods}
        return Namespace(objects, pods)

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def _list(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        following = ""
        while True:
            page = self._get(f"{path}?limit={_PAGE}{following}")
            try:
                found += page["items"]
                token = page["metadata"].get("continue")
            except (KeyError, TypeError, AttributeError) as error:
                raise _unable(f"{path}: the answer is no list of objects") from error
            if not token:
                return found
            following = f"&continue={quote(str(token), safe='')}"

    def _get(self, path: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        try:
            reply = self._transport.send(self._base + path, headers, _LIMIT, follow=False)
        except RegistryError as error:
            raise _unable(str(error)) from error
        shown = path.partition("?")[0]
        if reply.status in (401, 403):
            raise _unable(
                f"the service account may not read {shown} ({reply.status}). "
                "Fix: apply argocd/proof/ to each namespace that the Application has workloads in"
            )
        if reply.status != 200:
            raise _unable(f"{shown}: {reply.status}")
        try:
            return read_object(reply.body)
        except NotJSONError as error:
            raise _unable(f"{shown}: {error}") from error


def _unable(why: str) -> HookError:
    return HookError(f"cannot see what runs: {why}", code="cluster")
