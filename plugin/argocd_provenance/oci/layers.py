"""The layers of manifests that may be evidence, fetched; and what is said of those that are not.

One law: what is read is decided from descriptors, in their order, before a byte of it is asked for.
"""

import itertools
from collections.abc import Sequence
from typing import Literal

from argocd_provenance.errors import NotFound, RegistryError
from argocd_provenance.oci import descriptor as types
from argocd_provenance.oci.descriptor import Descriptor, Index, Manifest
from argocd_provenance.oci.gathered import EVIDENCE_LIMIT, LAYERS, Attachment, Gathered, Source
from argocd_provenance.oci.reference import Repository

UNSIGNED = "BuildKit provenance is present but unsigned: it proves nothing"


def fetch(source: Source, repository: Repository, holders: Sequence[tuple[str, Manifest]], label: str) -> Gathered:
    """The blobs of the manifests in `holders` (each with what it is called) that may be evidence."""
    found = Gathered()
    chosen: list[Descriptor] = []
    for name, manifest in holders:
        wanted = [layer for layer in manifest.layers if _kind(layer) is not None]
        found += Gathered(notes=_others(manifest, name))
        if len(wanted) > LAYERS:
            found += too_many(f"{repository}: more than {LAYERS} layers in {name}")
        # Signers append, so the last are the newest.
        chosen += wanted[-LAYERS:]
    sizes = itertools.accumulate(layer.size for layer in chosen)
    fitting = [layer for layer, size in zip(chosen, sizes, strict=True) if size <= EVIDENCE_LIMIT]
    if len(fitting) < len(chosen):
        found += too_many(f"{repository}: more than {EVIDENCE_LIMIT} bytes of evidence in {label}")
    for one in source.each(lambda layer: _layer(source, repository, layer, label), fitting):
        found += one
    return found


def _layer(source: Source, repository: Repository, layer: Descriptor, label: str) -> Gathered:
    try:
        content = source.blob(repository, layer)
    except NotFound as error:
        return Gathered(faults=(listed(error),))
    except RegistryError as fault:
        return Gathered(faults=(fault,))
    return Gathered((Attachment(_kind(layer) or "layer", layer.raw, content, label),))


def _kind(layer: Descriptor) -> Literal["layer", "bundle"] | None:
    if layer.media_type.startswith(types.BUNDLE_PREFIX):
        return "bundle"
    return "layer" if layer.media_type in (types.SIMPLE_SIGNING, types.DSSE) else None


def _others(manifest: Manifest, name: str) -> tuple[str, ...]:
    """What a manifest holds that is no evidence."""
    if manifest.artifact_type == types.BUILDKIT_ATTESTATION or any(
        layer.media_type == types.IN_TOTO for layer in manifest.layers
    ):
        return (UNSIGNED,)
    others = sorted({layer.media_type[:100] for layer in manifest.layers if _kind(layer) is None})
    return (f"{name} holds what is no signature ({', '.join(others)})",) if others else ()


def buildkit(manifest: Manifest | Index | None) -> Gathered:
    """A note about the attestations that BuildKit puts into an index (buildkit: docs/attestations/attestation-storage.md)."""
    if not isinstance(manifest, Index):
        return Gathered()
    unsigned = any(
        entry.annotations.get("vnd.docker.reference.type") == "attestation-manifest" for entry in manifest.manifests
    )
    return Gathered(notes=(UNSIGNED,)) if unsigned else Gathered()


def too_many(message: str) -> Gathered:
    """The fault of more than is looked at."""
    return Gathered(faults=(RegistryError(f"{message}; what is beyond was not looked at", code="too-many"),))


def listed(error: NotFound) -> RegistryError:
    """The fault of what is listed and not there: withheld is not absent."""
    return RegistryError(
        f"the registry lists what it does not have: {error}",
        code="registry-misbehaved",
        status=error.status,
        url=error.url,
    )
