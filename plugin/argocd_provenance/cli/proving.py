"""`hook --proof`, put together: the cluster is asked what runs until the rollout is over, and then the digests are compared."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from argocd_provenance.argocd.cluster import Cluster
from argocd_provenance.argocd.running import Namespace, Seen, held_back, pending, seen
from argocd_provenance.argocd.workloads import Expected, Proof, Workload, unpack
from argocd_provenance.cli.edges import registry
from argocd_provenance.cli.rechecking import authority_files
from argocd_provenance.config import Config
from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import DeadlineExceeded, RegistryError
from argocd_provenance.oci.descriptor import Index, Manifest
from argocd_provenance.oci.reference import Digest, Reference
from argocd_provenance.oci.registry import Registry
from argocd_provenance.pipeline import fault
from argocd_provenance.report.model import ImageReport, Place, Report, worst_first
from argocd_provenance.verdict import Finding, Outcome

_PAUSE = 2.0
# Of the time that is given, what is left for comparing when the rollout takes all of it.
_COMPARING = 15.0


def answer(
    packed: str, environment: Mapping[str, str], account: Path, sleep: Callable[[float], None] = time.sleep
) -> Report:
    """The report about what runs. Raises `HookError` where the cluster cannot be asked, or `packed` not be read."""
    proof = unpack(packed)
    waiting, deadline = Deadline(proof.rollout), Deadline(proof.rollout + _COMPARING)
    cluster = Cluster(environment, account, deadline)
    try:
        there = _settled(proof, cluster, waiting, sleep)
    finally:
        cluster.close()
    with (
        authority_files(proof.registries, proof.authorities) as registries,
        registry(Config("-", registries=registries), frozenset(proof.hosts), deadline) as client,
    ):
        images, notes = _compared(proof, cluster.namespace, there, Listed(client))
    running = {image.reference for image in images}
    return Report(
        worst_first(images),
        application=proof.application,
        notes=tuple(notes),
        good_news=f"{len(running)} {'image runs' if len(running) == 1 else 'images run'} as verified",
    )


def _settled(
    proof: Proof, cluster: Cluster, waiting: Deadline, sleep: Callable[[float], None]
) -> Mapping[str, Namespace]:
    """What is there, once nothing is pending any more or the time is over."""
    names = {one.namespace or cluster.namespace for one in proof.workloads}
    while True:
        there = {name: cluster.read(name) for name in sorted(names)}
        if not any(pending(one, there[one.namespace or cluster.namespace]) for one in proof.workloads):
            return there
        if waiting.remaining() <= _PAUSE:
            return there
        sleep(_PAUSE)


class Listed:
    """Whether a digest is one of those that an index lists; each index is asked for once, and checked by its digest."""

    def __init__(self, client: Registry) -> None:
        self._client = client
        self._known: dict[Digest, frozenset[Digest]] = {}

    def __call__(self, expected: Expected, digest: Digest) -> bool:
        """As `running.Same`: its images for other architectures, and the configurations by which some runtimes name an image."""
        if expected.digest not in self._known:
            self._known[expected.digest] = frozenset(self._same(expected))
        return digest in self._known[expected.digest]

    def _same(self, expected: Expected) -> set[Digest]:
        repository = Reference.parse(expected.reference).repository
        found = self._client.manifest(repository, expected.digest)
        children = list(self._client.children(repository, expected.digest).values()) if isinstance(found, Index) else []
        manifests = [found, *(self._client.manifest(repository, child) for child in children)]
        configs = [one.config.digest for one in manifests if isinstance(one, Manifest) and one.config is not None]
        return {*children, *configs}


def _compared(
    proof: Proof, namespace: str, there: Mapping[str, Namespace], same: Listed
) -> tuple[list[ImageReport], list[str]]:
    images, notes = [], []
    for workload in proof.workloads:
        around = there[workload.namespace or namespace]
        if why := pending(workload, around):
            images += [_late(workload, expected, why, proof) for expected in workload.expected]
            continue
        try:
            found = list(seen(workload, around, proof, same))
        except (RegistryError, DeadlineExceeded) as error:
            images += [_image(workload, expected, Outcome.ERROR, fault(error)) for expected in workload.expected]
            continue
        images += _reports(workload, found)
        if held := held_back(workload, around):
            notes.append(f"{workload}: {held} Pods are left at the revision before, as its update strategy says")
        if not found:
            notes.append(f"{workload}: no Pod of it runs")
    return images, notes


def _reports(workload: Workload, found: list[Seen]) -> list[ImageReport]:
    """One report for each image that runs as expected, and one for each container that does not."""
    reports = []
    for expected in workload.expected:
        pods = [one for one in found if one.expected == expected and one.right]
        if pods:
            reports.append(_image(workload, expected, Outcome.ALLOWED, pods=len(pods)))
    reports += [_wrong(workload, one) for one in found if not one.right]
    return reports


def _wrong(workload: Workload, one: Seen) -> ImageReport:
    ran = f"{one.image} ({one.digest or 'no digest'})"
    place = Place("Pod", workload.namespace, one.pod, one.container)
    if one.expected is None:
        finding = Finding(
            "running-unknown",
            f"a container runs in a Pod of {workload} that the manifests do not have",
            expected=", ".join(expected.container for expected in workload.expected),
            found=f"{one.container}: {ran}",
            fix="find out who added it; if that is as it should be (a service mesh), name it in `hook.injected`",
        )
        return ImageReport(one.image, Outcome.DENIED, where=(place,), findings=(finding,))
    finding = Finding(
        "running-other",
        f"a Pod of {workload} runs another image than the one that was verified",
        expected=one.expected.digest.text,
        found=ran,
        fix="find out what changes Pods or images between Argo CD and the node (admission webhooks, ignoreDifferences)",
    )
    digest = one.expected.digest.text
    return ImageReport(one.expected.reference, Outcome.DENIED, digest, where=(place,), findings=(finding,))


def _late(workload: Workload, expected: Expected, why: str, proof: Proof) -> ImageReport:
    finding = Finding(
        "rollout",
        f"{workload} does not run what was applied within {proof.rollout:g} s: {why}",
        fix="see what holds it up; raise `hook.rollout` in the config if it needs longer",
    )
    return _image(workload, expected, Outcome.ERROR, finding)


def _image(workload: Workload, expected: Expected, outcome: Outcome, *findings: Finding, pods: int = 0) -> ImageReport:
    place = Place(workload.kind, workload.namespace, workload.name, expected.container)
    remark = f"runs in {pods} {'Pod' if pods == 1 else 'Pods'}" if pods else ""
    return ImageReport(
        expected.reference, outcome, expected.digest.text, where=(place,), findings=tuple(findings), remark=remark
    )
