"""What the proof is about: the workloads that were applied, and the digests that their containers should run.

It travels like the payload of the check (`payload`), and under the same law: nothing secret.
"""

from collections.abc import Mapping
from typing import Any

from argocd_provenance.argocd.payload import host_settings, parsed, seconds, settings, text, write
from argocd_provenance.oci.reference import Digest, Reference
from argocd_provenance.oci.settings import HostSettings
from argocd_provenance.records import dataclass, field

FOLLOWED = {
    ("v1", "Pod"): "pods",
    ("v1", "ReplicationController"): "replicationcontrollers",
    ("apps/v1", "Deployment"): "deployments",
    ("apps/v1", "StatefulSet"): "statefulsets",
    ("apps/v1", "DaemonSet"): "daemonsets",
    ("apps/v1", "ReplicaSet"): "replicasets",
    ("batch/v1", "Job"): "jobs",
}
"""The kinds whose Pods are looked at, and their resources. What others run is up to their controllers."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a container should run: the reference as written, and its digest."""

    container: str
    reference: str
    digest: Digest


@dataclass(frozen=True, slots=True)
class Workload:
    """An object that was applied. `open` are containers that nobody pinned, and so nothing is expected of."""

    api_version: str
    kind: str
    namespace: str
    name: str
    expected: tuple[Expected, ...]
    open: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class Proof:
    """Everything the proof needs. `rollout` is how many seconds it waits; `injected` are globs for containers of others."""

    application: str
    workloads: tuple[Workload, ...]
    rollout: float = 300.0
    injected: tuple[str, ...] = ()
    registries: tuple[HostSettings, ...] = ()
    authorities: Mapping[str, str] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    """The registries that may be asked which images an index lists."""


def pack(proof: Proof) -> str:
    """`proof` as text; raises `HookError` (``hook-too-large``) where it does not fit."""
    data = {
        "application": proof.application,
        "workloads": [
            {
                "apiVersion": one.api_version,
                "kind": one.kind,
                "namespace": one.namespace,
                "name": one.name,
                "expected": [[e.container, e.reference, e.digest.text] for e in one.expected],
                "open": list(one.open),
            }
            for one in proof.workloads
        ],
        "rollout": proof.rollout,
        "injected": list(proof.injected),
        "registries": [settings(host) for host in proof.registries],
        "authorities": dict(proof.authorities),
        "hosts": list(proof.hosts),
    }
    return write(data, f"{len(proof.workloads)} workloads")


def unpack(packed: str) -> Proof:
    """The proof that `packed` spells; raises `HookError` for anything that `pack` would not have written."""
    return parsed(packed, _proof)


def _proof(value: dict[str, Any]) -> Proof:
    proof = Proof(
        application=text(value.pop("application")),
        workloads=tuple(_workload(one) for one in value.pop("workloads")),
        rollout=seconds(value.pop("rollout")),
        injected=tuple(text(glob) for glob in value.pop("injected")),
        registries=tuple(host_settings(host) for host in value.pop("registries")),
        authorities={host: text(pem) for host, pem in value.pop("authorities").items()},
        hosts=tuple(text(host) for host in value.pop("hosts")),
    )
    if value or not proof.workloads:
        raise ValueError("no workload, or a field that nobody reads")
    return proof


def _workload(value: dict[str, Any]) -> Workload:
    expected = tuple(
        Expected(text(container), Reference.parse(text(reference)).written, Digest(text(digest)))
        for container, reference, digest in value["expected"]
    )
    kind = (text(value["apiVersion"]), text(value["kind"]))
    if kind not in FOLLOWED or not expected:
        raise ValueError(f"{kind[1]}: nothing that a proof could follow")
    names = (text(value["namespace"]), text(value["name"]))
    return Workload(*kind, *names, expected, tuple(text(container) for container in value["open"]))
