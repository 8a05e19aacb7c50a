"""`generate` with the check at sync time: what it carries, put together and read back, and what it cannot stand beside."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from argocd_provenance.argocd import hookpod, payload
from argocd_provenance.argocd.environment import Application
from argocd_provenance.argocd.payload import CarriedImage, CarriedPlace, Payload
from argocd_provenance.argocd.synchooks import WORDS, collision
from argocd_provenance.cli import operator
from argocd_provenance.cli.operator import Operator
from argocd_provenance.config import Config, Hook
from argocd_provenance.documents import ImageField, Rendered, objects_with
from argocd_provenance.errors import FileFaults, HookError
from argocd_provenance.evidence.trust import TrustDomain
from argocd_provenance.oci.reference import Reference
from argocd_provenance.oci.settings import EVERY_HOST, HostSettings, endpoints
from argocd_provenance.operatorfile import document_text
from argocd_provenance.pipeline import Decided
from argocd_provenance.policy.load import load_policies
from argocd_provenance.policy.model import Policy
from argocd_provenance.verdict import Finding, Outcome

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")


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
        carried = _payload(verified, _places(rendered.images), self.ruled, self.application)
        text = _read_back(carried, self.ruled)
        return (_document(hookpod.check_pod(self.application, self.hook, text, carried.deadline)),), ()


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
        authorities={host.host: _authority(host) for host in registries if host.ca_file is not None},
        enforce=application.parameters.enforce,
        deadline=ruled.config.deadline,
    )


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
    """What the config says of the hosts that the check asks; raises `HookError` where one needs a secret."""
    repositories = {Reference.parse(image.reference).repository for image in images}
    repositories |= {s.repository for policy in policies for s in policy.sources() if s.repository is not None}
    asked = {e.settings for repository in repositories for e in endpoints(repository, config.registries)}
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

    names = {policy.origin: policy.name for policy in ruled.policies}
    if ruled.config.cluster.cue_missing == "allow" and any(policy.foreign for policy in ruled.policies):
        raise HookError(_ONLY_HERE, code="hook-not-possible")
    try:
        loaded = load_policies(carried.policies, reading)
    except FileFaults as fault:
        raise HookError(f"{_ONLY_HERE}: {fault.faults[0]}", code="hook-not-possible") from fault
    if any(names.get(policy.origin) != policy.name for policy in loaded) or len(loaded) != len(carried.policies):
        raise HookError("the policies do not read alike when they are carried alone", code="hook-not-possible")
    text = payload.pack(replace(carried, files=files))
    payload.unpack(text)
    return text
