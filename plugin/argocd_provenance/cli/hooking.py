"""`generate` with the check at sync time: what it carries, put together and read back, and what it cannot stand beside."""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from argocd_provenance.argocd import hookpod, payload, workloads
from argocd_provenance.argocd.environment import Application
from argocd_provenance.argocd.payload import CarriedImage, CarriedPlace, Payload
from argocd_provenance.argocd.synchooks import WORDS, collision, phases
from argocd_provenance.argocd.workloads import FOLLOWED, Expected, Proof, Workload
from argocd_provenance.cli import answers, operator
from argocd_provenance.cli.foreign import cluster
from argocd_provenance.cli.operator import Operator
from argocd_provenance.config import ClusterObjects, Config, Hook
from argocd_provenance.documents import ImageField, Rendered, objects_with
from argocd_provenance.errors import FileFaults, HookError
from argocd_provenance.evidence.trust import TrustDomain
from argocd_provenance.oci.reference import Reference, Repository
from argocd_provenance.oci.settings import EVERY_HOST, HostSettings, endpoints
from argocd_provenance.operatorfile import document_text
from argocd_provenance.pipeline import Decided
from argocd_provenance.policy.load import load_files
from argocd_provenance.policy.model import Policy
from argocd_provenance.records import dataclass, replace
from argocd_provenance.verdict import Finding, Outcome

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")


# What the proof needs behind the time that it waits: to compare, and to ask registries.
_COMPARING = 30.0


@dataclass(frozen=True, slots=True)
class Hooks:
    """What is asked at sync time, for one Application."""

    hook: Hook
    ruled: Operator
    application: Application

    def collisions(self, rendered: Rendered) -> tuple[Finding, ...]:
        """Why objects of the source cannot be applied beside the hook."""
        found = (collision(one) for one in objects_with(rendered, WORDS))
        return tuple(finding for finding in found if finding is not None)

    def pods(self, rendered: Rendered, decided: Mapping[str, Decided]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The documents to add behind a stream, and what the report should note. Raises `HookError`."""
        verified = [one for one in decided.values() if one.decision.outcome is Outcome.ALLOWED]
        if not verified:
            return (), ("hook: no image was verified, so there is nothing to check again at sync time",)
        pods, notes = [], list[str]()
        if self.hook.enabled:
            carried = _payload(verified, _places(rendered.images), self.ruled, self.application)
            text = _read_back(carried, self.ruled)
            pods.append(hookpod.check_pod(self.application, self.hook, text, carried.deadline))
        if self.hook.proof:
            proof, notes = _proof(rendered, decided, self)
            if proof.workloads:
                text = workloads.pack(proof)
                workloads.unpack(text)
                pods.append(hookpod.proof_pod(self.application, self.hook, text, proof.rollout + _COMPARING))
        return tuple(_document(pod) for pod in pods), tuple(notes)


def wanted(ruled: Operator, application: Application) -> Hooks:
    """The hooks that operator or Application ask for.

    Raises `FileFaults` where the Application asks for what the operator has not made possible, and `HookError`.
    """
    config = ruled.config
    if config.hook.image is None:
        raise FileFaults(
            [
                f"{config.file}: hook.image is missing: the Application asks for a check at sync time (plugin parameter hook); "
                "name the image of this program by its digest, or remove the parameter"
            ]
        )
    if application.name and not application.namespace:
        raise HookError(
            "the Application has no destination namespace for the Pod that checks at sync time. "
            "Fix: set spec.destination.namespace",
            code="hook-not-possible",
        )
    hook = replace(config.hook, enabled=config.hook.enabled or application.parameters.hook)
    return Hooks(hook, ruled, application)


def _document(pod: Mapping[str, Any]) -> str:
    """`pod` as a document that stands behind others."""
    return "---\n" + json.dumps(pod, separators=(",", ":")) + "\n"


def _payload(
    verified: Sequence[Decided], where: Mapping[str, Sequence[CarriedPlace]], ruled: Operator, application: Application
) -> Payload:
    images = tuple(_image(one, where.get(one.written, ())) for one in sorted(verified, key=lambda one: one.written))
    names = {name for image in images for name in image.policies}
    policies = [policy for policy in ruled.policies if policy.name in names]
    registries = _registries(images, policies, ruled.config)
    return Payload(
        application=application.name,
        images=images,
        policies=_policies(policies, ruled.files),
        trust=_trust(policies, ruled),
        files={},
        registries=registries,
        authorities=_authorities(registries),
        enforce=application.parameters.enforce,
        deadline=ruled.config.deadline,
    )


def _proof(rendered: Rendered, decided: Mapping[str, Decided], hooks: Hooks) -> tuple[Proof, list[str]]:
    """What the proof carries, and what it will not look at."""
    config = hooks.ruled.config
    found, notes = _workloads(rendered, decided)
    pinned = [e for workload in found for e in workload.expected]
    repositories = {Reference.parse(expected.reference).repository for expected in pinned}
    registries = _host_settings(repositories, config)
    everything = any(settings.host == EVERY_HOST for settings in config.registries)
    permitted = {r.host for r in repositories if everything or r.host in hooks.ruled.hosts()}
    proof = Proof(
        application=hooks.application.name,
        workloads=tuple(found),
        rollout=hooks.hook.rollout,
        injected=hooks.hook.injected,
        registries=registries,
        authorities=_authorities(registries),
        hosts=tuple(sorted(permitted)),
    )
    return proof, notes


def _workloads(rendered: Rendered, decided: Mapping[str, Decided]) -> tuple[list[Workload], list[str]]:
    hooks = {(o.kind, o.namespace, o.name) for o in objects_with(rendered, ("hook",)) if phases(o.annotations)}
    objects: dict[int, list[ImageField]] = {}
    for field in rendered.images:
        objects.setdefault(field.object_id, []).append(field)
    found, notes = [], []
    for fields in objects.values():
        first = fields[0]
        if (first.kind, first.namespace, first.name) in hooks:
            continue  # it has ended, or will, and was deleted
        if (first.api_version, first.kind) not in FOLLOWED or not first.name:
            notes.append(
                f"hook: the proof does not follow {answers.place(first)}: it looks at Pods of core kinds with a name"
            )
            continue
        one = _workload(fields, decided)
        if one.expected:
            found.append(one)
    return found, notes


def _workload(fields: Sequence[ImageField], decided: Mapping[str, Decided]) -> Workload:
    first = fields[0]
    # Kubernetes does not say which digest an image volume has.
    containers = [field for field in fields if not field.path.endswith("image.reference")]
    pinned = [(field, decided[field.written]) for field in containers if field.written in decided]
    expected = tuple(
        Expected(field.container, field.written, one.digest)
        for field, one in pinned
        if one.digest is not None and (one.pinned or one.digest.text in field.written)
    )
    known = {e.container for e in expected}
    left = tuple(dict.fromkeys(field.container for field in containers if field.container not in known))
    return Workload(first.api_version, first.kind, first.namespace, first.name, expected, left)


def _image(one: Decided, where: Sequence[CarriedPlace]) -> CarriedImage:
    if one.digest is None:
        raise AssertionError(f"{one.written} was verified without a digest")
    return CarriedImage(one.written, one.digest, one.decision.policies, tuple(where))


def _places(fields: Iterable[ImageField]) -> Mapping[str, Sequence[CarriedPlace]]:
    found: dict[str, dict[CarriedPlace, None]] = {}
    for field in fields:
        place = CarriedPlace(field.kind, field.namespace, field.name, field.container)
        found.setdefault(field.written, {})[place] = None
    return {written: tuple(places) for written, places in found.items()}


def _policies(policies: Sequence[Policy], files: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The documents of `policies`, each as a file of its own with its lines where they were."""
    texts = dict(files)
    placed = [policy.origin.rpartition(":") for policy in policies]
    return tuple((file, document_text(texts[file], int(line))) for file, _, line in placed)


def _trust(policies: Sequence[Policy], ruled: Operator) -> tuple[TrustDomain, ...]:
    named = {operator.domain_of(anchor) for policy in policies for anchor in policy.anchors()}
    return tuple(domain for name, domain in sorted(operator.domains(ruled).items()) if name in named)


def _registries(images: Sequence[CarriedImage], policies: Sequence[Policy], config: Config) -> tuple[HostSettings, ...]:
    """What the config says of the hosts that the check asks."""
    repositories = {Reference.parse(image.reference).repository for image in images}
    repositories |= {s.repository for policy in policies for s in policy.sources() if s.repository is not None}
    return _host_settings(repositories, config)


def _host_settings(repositories: Collection[Repository], config: Config) -> tuple[HostSettings, ...]:
    """What is carried of the config's `registries`; raises `HookError` where one that is asked needs a secret."""
    asked = {e.settings for repository in repositories for e in endpoints(repository, config.registries)}
    _refuse_folders(repositories, config)
    for settings in sorted(asked, key=lambda settings: settings.host):
        if settings.client_cert is not None:
            raise HookError(
                f"registry {settings.host} wants a client certificate, whose key is not put into a Pod, so it cannot be asked "
                "at sync time. Fix: let a mirror without one be asked instead, or leave the hook off for this Application",
                code="hook-not-possible",
            )
    hosts = {EVERY_HOST, *(repository.host for repository in repositories), *(settings.host for settings in asked)}
    needed = (settings for settings in config.registries if settings.host in hosts)
    # What only a host that is not asked would need, such as the authority of one that a mirror replaces, stays behind.
    return tuple(s if s in asked else replace(s, ca_file=None, client_cert=None) for s in needed)


def _refuse_folders(repositories: Collection[Repository], config: Config) -> None:
    """Raise `HookError` where a mirror is a folder of the sidecar, which a Pod elsewhere does not have."""
    for repository in repositories:
        for endpoint in endpoints(repository, config.registries):
            if endpoint.base.startswith("file:"):
                raise HookError(
                    f"{repository.host} is read from {endpoint.base}, a folder that a Pod does not have, so nothing can be "
                    "asked at sync time. Fix: let a registry be the mirror, or leave the hook off for this Application",
                    code="hook-not-possible",
                )


def _authorities(registries: Sequence[HostSettings]) -> dict[str, str]:
    return {host.host: _authority(host) for host in registries if host.ca_file is not None}


def _authority(host: HostSettings) -> str:
    """The certificates in a host's `ca_file`; whatever else stands there, such as a key, stays behind."""
    try:
        text = Path(host.ca_file or "").read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise FileFaults([f"registries: {host.host}: caFile {host.ca_file}: {error.strerror}"]) from error
    found = _CERTIFICATE.findall(text)
    if not found:
        raise FileFaults([f"registries: {host.host}: caFile {host.ca_file} holds no certificate in PEM"])
    return "\n".join(found) + "\n"


_ONLY_HERE = "a ClusterImagePolicy leans on clusterImagePolicy of the config, which no hook carries"


def _read_back(carried: Payload, ruled: Operator) -> str:
    """`carried` as text, with the files that its policies read; raises `HookError` unless it reads as the same policies."""
    files: dict[str, bytes] = {}

    def reading(path: str) -> bytes:
        files[path] = operator.key_file(path)
        return files[path]

    objects = ruled.config.cluster
    names = {policy.origin: policy.name for policy in ruled.policies}
    loaded = load_files(carried.policies, reading, cluster(replace(objects, cue=None))).policies
    if any(names.get(policy.origin) != policy.name for policy in loaded) or len(loaded) != len(carried.policies):
        raise HookError("the policies do not read alike when they are carried alone", code="hook-not-possible")
    carried = replace(carried, files=without_private_keys(files), cluster=_read_objects(objects, files))
    text = payload.pack(carried)
    payload.unpack(text)
    return text


def without_private_keys(files: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """`files`, by their paths; raises `HookError` where a private key lies in one of them."""
    for path, content in files.items():
        if b"PRIVATE KEY" in content:
            raise HookError(
                f"{path} holds a private key beside what a policy reads, and no key is put into a Pod. "
                "Fix: let the file hold the public key alone",
                code="hook-not-possible",
            )
    return files


def _read_objects(objects: ClusterObjects, files: Collection[str]) -> ClusterObjects:
    """Of what stands for a cluster's objects, the names of those files that were read."""

    def read(named: Mapping[str, str]) -> dict[str, str]:
        return {name: path for name, path in named.items() if path in files}

    return ClusterObjects(
        read(objects.secrets),
        read(objects.config_maps),
        read(objects.kms),
        read(objects.remotes),
        objects.cue_missing,
    )
