"""A mirror in files: OCI image layouts, one a repository, answered as a registry would.

One law: it is a registry like any: its bytes are a stranger's, and are checked by who asked.

Source: OCI image-spec 1.1, ``image-layout.md``; cosign ``pkg/oci/layout/write.go`` for what `cosign save` writes.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from argocd_provenance.errors import InvalidReference, RegistryError
from argocd_provenance.oci.descriptor import OCI_INDEX
from argocd_provenance.oci.reference import Digest
from argocd_provenance.oci.replies import Reply
from argocd_provenance.oci.strictjson import NotJSONError, read_object

_REF_NAME = "org.opencontainers.image.ref.name"
_KINDS = {"sig": "dev.cosignproject.cosign/sigs", "att": "dev.cosignproject.cosign/atts"}
_INDEX = 4 * 1024 * 1024
_ENTRIES = 1024


def is_layout(base: str) -> bool:
    """Whether the endpoint at `base` is a folder."""
    return base.startswith("file:")


def answer(base: str, url: str, limit: int) -> Reply:
    """What a registry would answer to `url`, from the layouts below the folder that `base` names.

    Raises `RegistryError` where a file is there and cannot be read.
    """
    repository, kind, name = url.removeprefix(f"{base}/v2/").rsplit("/", 2)
    folder = Path(unquote(urlsplit(base).path), repository)
    try:
        if kind == "referrers":
            return _found(url, _referrers(folder, name), OCI_INDEX)
        if kind == "manifests" and ":" not in name:
            descriptor = _tagged(folder, name)
            if descriptor is None:
                return Reply(404, {}, b"", url)
            name = str(descriptor.get("digest", ""))
        return _found(url, _blob(folder, name, limit), "")
    except (FileNotFoundError, NotADirectoryError, InvalidReference):
        return Reply(404, {}, b"", url)
    except OSError as error:
        raise RegistryError(f"{folder}: {error.strerror}", url=url) from None
    except NotJSONError as error:
        raise RegistryError(f"{folder}/index.json: {error}", code="registry-misbehaved", url=url) from None


def _found(url: str, body: bytes, media_type: str) -> Reply:
    return Reply(200, {"content-type": media_type} if media_type else {}, body, url)


def _blob(folder: Path, digest: str, limit: int) -> bytes:
    named = Digest(digest)
    with (folder / "blobs" / named.algorithm / named.hex).open("rb") as file:
        return file.read(limit + 1)


def _entries(folder: Path) -> Iterator[Mapping[str, Any]]:
    with (folder / "index.json").open("rb") as file:
        listed = read_object(file.read(_INDEX + 1)).get("manifests")
    for entry in (listed if isinstance(listed, list) else [])[:_ENTRIES]:
        if isinstance(entry, dict):
            yield entry


def _notes(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    notes = entry.get("annotations")
    return notes if isinstance(notes, dict) else {}


def _tagged(folder: Path, tag: str) -> Mapping[str, Any] | None:
    """What `tag` names, by itself or at the end of a whole reference; cosign's tags also by their kind."""
    entries = list(_entries(folder))
    for entry in entries:
        name = str(_notes(entry).get(_REF_NAME, ""))
        if name == tag or name.endswith(f":{tag}"):
            return entry
    kind = _KINDS.get(tag.rpartition(".")[2])
    return next((entry for entry in entries if kind and _notes(entry).get("kind") == kind), None)


def _referrers(folder: Path, digest: str) -> bytes:
    """The index of what refers to `digest`, as the Referrers API gives it."""
    found = []
    for entry in _entries(folder):
        try:
            manifest = read_object(_blob(folder, str(entry.get("digest", "")), _INDEX))
        except (OSError, NotJSONError, InvalidReference):
            continue
        subject = manifest.get("subject")
        if isinstance(subject, dict) and subject.get("digest") == digest:
            config = manifest.get("config")
            kind = manifest.get("artifactType") or (config.get("mediaType") if isinstance(config, dict) else None)
            found.append({**entry, "artifactType": kind or "", "annotations": manifest.get("annotations") or {}})
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found}).encode()
