"""What runs, held against what was verified: pure, from the objects of the cluster as they are.

A rollout is over when Kubernetes's own rules say so (kubectl, ``pkg/polymorphichelpers/rollout_status.go``); then every
container of every Pod must run a digest that was expected of it, or one that its index lists for another architecture.
"""

import fnmatch
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from argocd_provenance.argocd.workloads import Expected, Proof, Workload
from argocd_provenance.oci.reference import Digest
from argocd_provenance.records import dataclass

Object = Mapping[str, Any]
Same = Callable[[Expected, Digest], bool]
"""Whether a digest is one of the images that the expected one, an index, lists. May raise `RegistryError`."""

# Runtimes write `repository@digest`, `docker-pullable://repository@digest`, `docker://digest` or the digest alone.
_IMAGE_ID = re.compile(r"(?:.*[@/])?(sha256:[0-9a-f]{64})")
_STATUSES = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


@dataclass(frozen=True, slots=True)
class Namespace:
    """What the proof reads of one namespace: objects by kind and name, and all Pods."""

    objects: Mapping[tuple[str, str], Object]
    pods: Sequence[Object]


@dataclass(frozen=True, slots=True)
class Seen:
    """One container of one Pod: what it runs, and what was expected of it (None: the manifests do not have it)."""

    pod: str
    container: str
    image: str
    digest: Digest | None
    expected: Expected | None
    right: bool


def pending(workload: Workload, there: Namespace) -> str:
    """Why what was applied of `workload` does not run yet; empty where it does."""
    one = there.objects.get((workload.kind, workload.name))
    if one is None:
        return "it is not there"
    if why := _rolling(workload.kind, one):
        return why
    for pod in _pods(workload, there):
        started = {s.get("name"): s for s in _statuses(pod)}
        for container in _declared(pod):
            if not started.get(container, {}).get("imageID"):
                return f"container {container!r} of Pod/{pod['metadata']['name']} has not started"
    return ""


def seen(workload: Workload, there: Namespace, proof: Proof, same: Same) -> Iterator[Seen]:
    """Every container that runs for `workload`, but for those that nothing is expected of."""
    for pod in _pods(workload, there):
        for status in _statuses(pod):
            name = str(status.get("name", ""))
            if name in workload.open or any(fnmatch.fnmatchcase(name, glob) for glob in proof.injected):
                continue
            match = _IMAGE_ID.fullmatch(str(status.get("imageID", "")))
            digest = Digest(match[1]) if match else None
            expected = next((e for e in workload.expected if e.container == name), None)
            right = (
                expected is not None and digest is not None and (digest == expected.digest or same(expected, digest))
            )
            shown = str(status.get("image", "")) or "an image without a name"
            yield Seen(str(pod["metadata"]["name"]), name, shown, digest, expected, right)


def held_back(workload: Workload, there: Namespace) -> int:
    """How many Pods Kubernetes was told to leave at the revision before (a partition, or ``OnDelete``)."""
    return len(_own(workload, there)) - len(_pods(workload, there))


def _rolling(kind: str, one: Object) -> str:
    spec, status = one.get("spec") or {}, one.get("status") or {}
    if kind in ("Pod", "Job"):
        return ""
    if int(status.get("observedGeneration", 0)) < int(one["metadata"].get("generation", 0)):
        return "its controller has not seen it yet"
    if kind == "DaemonSet":
        wanted = int(status.get("desiredNumberScheduled", 0))
        ready, updated = int(status.get("numberAvailable", 0)), int(status.get("updatedNumberScheduled", 0))
    else:
        wanted = int(spec.get("replicas", 1))
        ready = int(status.get("availableReplicas", status.get("readyReplicas", 0)))
        updated = int(status.get("updatedReplicas", wanted if kind in _UNVERSIONED else 0))
    if _holds_back(spec):
        return "" if ready >= wanted else f"{ready} of {wanted} Pods are available"
    if kind != "DaemonSet" and int(status.get("replicas", 0)) > max(updated, wanted):
        return "Pods of the revision before still run"
    if min(updated, ready) < wanted:
        return f"{min(updated, ready)} of {wanted} Pods are updated and available"
    return ""


_UNVERSIONED = frozenset({"ReplicaSet", "ReplicationController"})


def _holds_back(spec: Object) -> bool:
    strategy = spec.get("updateStrategy") or {}
    return strategy.get("type") == "OnDelete" or bool((strategy.get("rollingUpdate") or {}).get("partition"))


def _pods(workload: Workload, there: Namespace) -> list[Object]:
    """The Pods of `workload` but for those that it was told to leave at the revision before."""
    one = there.objects.get((workload.kind, workload.name)) or {}
    revision = (one.get("status") or {}).get("updateRevision")
    own = _own(workload, there)
    if not revision or not _holds_back(one.get("spec") or {}):
        return own
    return [p for p in own if (p["metadata"].get("labels") or {}).get("controller-revision-hash") == revision]


def _own(workload: Workload, there: Namespace) -> list[Object]:
    """The Pods that `workload` owns, by whatever stands between; not those that are ending, or never started anything."""
    return [
        pod
        for pod in there.pods
        if not pod["metadata"].get("deletionTimestamp")
        and (any(True for _ in _statuses(pod)) or (pod.get("status") or {}).get("phase") != "Failed")
        and (workload.kind, workload.name) in _ancestors(pod, "Pod", there)
    ]


def _ancestors(one: Object, kind: str, there: Namespace) -> Iterator[tuple[str, str]]:
    """`one` itself, its controller, the controller of that, and so on."""
    current: Object | None = one
    for _ in range(8):
        if current is None:
            return
        yield kind, str(current["metadata"]["name"])
        owners = [o for o in current["metadata"].get("ownerReferences") or () if o.get("controller")]
        if not owners:
            return
        kind = str(owners[0]["kind"])
        owner = there.objects.get((kind, str(owners[0]["name"])))
        # A name can be taken again; the uid tells whose child it is.
        current = owner if owner is not None and owner["metadata"].get("uid") == owners[0].get("uid") else None


def _statuses(pod: Object) -> Iterator[Object]:
    status = pod.get("status") or {}
    for name in _STATUSES:
        yield from status.get(name) or ()


def _declared(pod: Object) -> Iterator[str]:
    spec = pod.get("spec") or {}
    for name in _CONTAINERS:
        yield from (str(container["name"]) for container in spec.get(name) or ())
