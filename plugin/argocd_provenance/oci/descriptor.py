"""Manifests, indexes and descriptors: what a registry sends, as values.

One law: the bytes are a stranger's. They are a `Manifest` or an `Index` by the image specification, or a `RegistryError`.

Source: OCI image-spec 1.1, ``descriptor.md``, ``manifest.md``, ``image-index.md``; Docker's image manifest version 2,
schema 2.
"""

from collections.abc import Mapping
from typing import Any

from argocd_provenance.errors import InvalidReference, RegistryError
from argocd_provenance.oci.reference import Digest
from argocd_provenance.oci.strictjson import NotJSONError, read_object
from argocd_provenance.records import dataclass, field

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFEST_TYPES = (OCI_MANIFEST, DOCKER_MANIFEST)
INDEX_TYPES = (OCI_INDEX, DOCKER_LIST)
ACCEPTED = (OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST)

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
DSSE = "application/vnd.dsse.envelope.v1+json"
IN_TOTO = "application/vnd.in-toto+json"
BUNDLE_PREFIX = "application/vnd.dev.sigstore.bundle"
BUILDKIT_ATTESTATION = "application/vnd.docker.attestation.manifest.v1+json"

_TEXT = 4096  # a media type or the field of a platform is a word
_ANNOTATION = 256 * 1024  # certificates and log entries stand in annotations


@dataclass(frozen=True, slots=True)
class Platform:
    """What an image of an index runs on; ``str`` is ``linux/arm64/v8``, ``windows(10.0.17763)/amd64`` as containerd writes it."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""

    def __str__(self) -> str:
        system = f"{self.os}({self.os_version})" if self.os_version else self.os
        return "/".join(filter(None, (system, self.architecture, self.variant)))


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Names content: its type, digest and size. `raw` is the JSON object itself."""

    media_type: str
    digest: Digest
    size: int
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    platform: Platform | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Manifest:
    """One image, or an artifact in the shape of one."""

    media_type: str
    artifact_type: str
    config: Descriptor | None
    layers: tuple[Descriptor, ...]
    subject: Descriptor | None
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Index:
    """A list of manifests: an image of many platforms, or the referrers of a digest."""

    media_type: str
    artifact_type: str
    manifests: tuple[Descriptor, ...]
    subject: Descriptor | None
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)


class _MalformedError(ValueError):
    """Something that the specification does not allow."""


def parse_manifest(content: bytes) -> Manifest | Index:
    """What `content` is. Raises `RegistryError` (``registry-misbehaved``) for anything the specification does not allow."""
    try:
        return _document(read_object(content))
    except (_MalformedError, NotJSONError, InvalidReference) as error:
        raise RegistryError(f"not a manifest: {error}", code="registry-misbehaved") from None


def _document(value: dict[str, Any]) -> Manifest | Index:
    version = value.get("schemaVersion")
    if version != 2 or isinstance(version, bool):
        raise _MalformedError("`schemaVersion` is not 2")
    media_type = _text(value, "mediaType")
    # CVE-2021-41190: what is a manifest to one reader and an index to another is neither.
    if "manifests" in value and ("layers" in value or "config" in value or "fsLayers" in value):
        raise _MalformedError("both a manifest and an index")
    is_index = media_type in INDEX_TYPES or (not media_type and "manifests" in value)
    if not is_index and media_type and media_type not in MANIFEST_TYPES:
        raise _MalformedError(f"unknown media type {media_type[:100]!r}")
    artifact_type, annotations = _text(value, "artifactType"), _annotations(value)
    subject = _optional(value, "subject")
    if is_index:
        return Index(media_type or OCI_INDEX, artifact_type, _descriptors(value, "manifests"), subject, annotations)
    return Manifest(
        media_type or OCI_MANIFEST,
        artifact_type,
        _optional(value, "config"),
        _descriptors(value, "layers"),
        subject,
        annotations,
    )


def _descriptors(value: Mapping[str, Any], name: str) -> tuple[Descriptor, ...]:
    found = value.get(name)
    if not isinstance(found, list):
        raise _MalformedError(f"`{name}` is not a list")
    return tuple(_descriptor(entry, name) for entry in found)


def _optional(value: Mapping[str, Any], name: str) -> Descriptor | None:
    return None if value.get(name) is None else _descriptor(value[name], name)


def _descriptor(value: Any, name: str) -> Descriptor:
    if not isinstance(value, dict):
        raise _MalformedError(f"`{name}`: a descriptor is an object")
    size, digest = value.get("size"), value.get("digest")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 2**63:
        raise _MalformedError(f"`{name}`: `size` is not a size")
    if not isinstance(digest, str):
        raise _MalformedError(f"`{name}`: `digest` is not a text")
    media_type = _text(value, "mediaType")
    return Descriptor(
        media_type, Digest(digest), size, _text(value, "artifactType"), _annotations(value), _platform(value), value
    )


def _platform(value: Mapping[str, Any]) -> Platform | None:
    found = value.get("platform")
    if found is None:
        return None
    if not isinstance(found, dict):
        raise _MalformedError("`platform` is not an object")
    return Platform(
        _text(found, "os"), _text(found, "architecture"), _text(found, "variant"), _text(found, "os.version")
    )


def _annotations(value: Mapping[str, Any]) -> Mapping[str, str]:
    found = value.get("annotations")
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(
        isinstance(text, str) and len(text) <= _ANNOTATION for text in found.values()
    ):
        raise _MalformedError("`annotations` are not texts")
    return found


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    if found is None:
        return ""
    if not isinstance(found, str) or len(found) > _TEXT:
        raise _MalformedError(f"`{name}` is not a text")
    return found
