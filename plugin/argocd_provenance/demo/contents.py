"""What the demo's registry holds: blobs, manifests and tags, in memory. A digest names exactly its bytes."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"


class Contents:
    """Blobs and manifests by repository and digest, and the digests that tags name."""

    def __init__(self) -> None:
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.tags: dict[tuple[str, str], str] = {}

    def store(self, repository: str, content: bytes, media_type: str, tag: str | None) -> dict[str, Any]:
        """Keep a manifest under its digest, and under `tag`; its descriptor."""
        descriptor = describe(content, media_type)
        self.manifests[repository, descriptor["digest"]] = (media_type, content)
        if tag is not None:
            self.tags[repository, tag] = descriptor["digest"]
        return descriptor

    def manifest(self, repository: str, name: str) -> tuple[str, str, bytes] | None:
        """Digest, media type and bytes of what a digest or a tag names."""
        digest = self.tags.get((repository, name), name)
        found = self.manifests.get((repository, digest))
        return None if found is None else (digest, *found)

    def tagged(self, repository: str, tag: str) -> dict[str, Any] | None:
        """The manifest under `tag`, as JSON."""
        found = self.manifest(repository, tag)
        return None if found is None else json.loads(found[2])

    def referrers(self, repository: str, digest: str) -> list[dict[str, Any]]:
        """The descriptors of all manifests whose ``subject`` is `digest`."""
        return [
            found
            for (name, _), kept in self.manifests.items()
            if name == repository and (found := _refers(digest, *kept))
        ]


def _refers(digest: str, media_type: str, content: bytes) -> dict[str, Any] | None:
    try:
        manifest = json.loads(content)
    except ValueError:
        return None
    if not isinstance(manifest, dict) or (manifest.get("subject") or {}).get("digest") != digest:
        return None
    kind = manifest.get("artifactType") or (manifest.get("config") or {}).get("mediaType", "")
    return describe(content, media_type) | {"artifactType": kind, "annotations": manifest.get("annotations") or {}}


def describe(content: bytes, media_type: str) -> dict[str, Any]:
    """The descriptor of `content`."""
    return {"mediaType": media_type, "digest": "sha256:" + hashlib.sha256(content).hexdigest(), "size": len(content)}


def encode(value: Mapping[str, Any]) -> bytes:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":")).encode()
