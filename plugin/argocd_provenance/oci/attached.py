"""What hangs on a digest: through the Referrers API, under its fallback tag, and under cosign's tags.

One law: all of it is untrusted, and none of it is dropped in silence. What was looked at is in `notes`, what could not
be fetched in `faults`, and more than we look at is a fault too.

Source: distribution-spec 1.1, "Listing Referrers" and "Referrers Tag Schema"; cosign ``pkg/oci/remote/remote.go`` (tags),
``write.go`` (referrers) and ``specs/BUNDLE_SPEC.md``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol, TypeVar

from argocd_provenance.errors import NotFound, RegistryError
from argocd_provenance.oci import descriptor as types
from argocd_provenance.oci.descriptor import Descriptor, Index, Manifest
from argocd_provenance.oci.reference import Digest, Repository, is_tag

# More is a mistake or an attack; cosign itself stops at 1,000 layers.
REFERRERS = 64
LAYERS = 64

UNSIGNED = "BuildKit provenance is present but unsigned: it proves nothing"

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")


class Place(StrEnum):
    """Where evidence can hang."""

    REFERRERS = "referrers"
    SIGNATURES = "sig"
    ATTESTATIONS = "att"


@dataclass(frozen=True, slots=True)
class Attachment:
    """One thing that may be evidence: a Sigstore bundle, or a layer whose `descriptor` (raw) carries annotations."""

    kind: Literal["layer", "bundle"]
    descriptor: Mapping[str, Any] = field(hash=False)
    content: bytes = field(repr=False)
    source: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a place gave."""

    attachments: tuple[Attachment, ...] = ()
    notes: tuple[str, ...] = ()
    faults: tuple[RegistryError, ...] = ()

    def __add__(self, other: "Gathered") -> "Gathered":
        return Gathered(self.attachments + other.attachments, self.notes + other.notes, self.faults + other.faults)


@dataclass(frozen=True, slots=True)
class Listing:
    """What the Referrers API listed; `complete` is False when there was more than we read."""

    descriptors: tuple[Descriptor, ...]
    complete: bool = True


class Source(Protocol):
    """What discovery asks of a registry. Each method raises `RegistryError`; `NotFound` where there is nothing."""

    def referrers(self, repository: Repository, digest: Digest) -> Listing | None:
        """The listing of the Referrers API; None where the registry has no such API."""

    def tagged(self, repository: Repository, tag: str) -> Manifest | Index:
        """The manifest under `tag`."""

    def known(self, repository: Repository, digest: Digest) -> Manifest | Index | None:
        """The manifest `digest`, if it was fetched before."""

    def manifest(self, repository: Repository, digest: Digest) -> Manifest | Index:
        """The manifest `digest`."""

    def blob(self, repository: Repository, descriptor: Descriptor) -> bytes:
        """The blob that `descriptor` names."""

    def each(self, ask: Callable[[_Item], _Found], items: Sequence[_Item]) -> Iterable[_Found]:
        """`ask` of every item, in order, some at once."""


def gather(source: Source, repository: Repository, digest: Digest, place: Place, tag_prefix: str = "") -> Gathered:
    """All that hangs on `digest` at `place`. Raises no `RegistryError`: what failed is in the result's `faults`.

    `tag_prefix` stands before the tags, without a separator.
    """
    try:
        if place is Place.REFERRERS:
            return _referrers(source, repository, digest, tag_prefix) + _buildkit(source.known(repository, digest))
        return _cosign_tag(source, repository, digest, f".{place}", tag_prefix)
    except RegistryError as fault:
        return Gathered(faults=(fault,))


# -- referrers ---------------------------------------------------------------------------------------------------------


def _referrers(source: Source, repository: Repository, digest: Digest, tag_prefix: str) -> Gathered:
    listing = source.referrers(repository, digest)
    if listing is None:
        looked = Gathered(notes=("looked at: referrers (no such API)",))
    else:
        looked = Gathered(notes=(f"looked at: referrers ({len(listing.descriptors)})",))
        if listing.descriptors:
            return looked + _walk(source, repository, digest, listing, "referrers")
    # A client that found no API wrote the tag, and the registry may have got the API since.
    return looked + _fallback(source, repository, digest, tag_prefix)


def _fallback(source: Source, repository: Repository, digest: Digest, tag_prefix: str) -> Gathered:
    # distribution-spec 1.1, "Referrers Tag Schema": at most 64 characters of the digest; the subject is compared in full.
    tag = f"{tag_prefix}{digest.algorithm}-{digest.hex[:64]}"
    label = _tag(digest, "", tag_prefix)[1]
    found = _tagged(source, repository, tag)
    if found is None:
        return Gathered(notes=(f"looked at: {label} (404)",))
    if not isinstance(found, Index):
        return Gathered(notes=(f"looked at: {label} (no index)",))
    return Gathered(notes=(f"looked at: {label} ({len(found.manifests)})",)) + _walk(
        source, repository, digest, Listing(found.manifests), label
    )


def _walk(source: Source, repository: Repository, digest: Digest, listing: Listing, label: str) -> Gathered:
    """What the listed manifests hold. Those that say they are evidence come first, for what they say is only a hint."""
    unique = {entry.digest: entry for entry in listing.descriptors}
    promising = sorted(unique.values(), key=_rank)
    found = Gathered()
    if len(promising) > REFERRERS or not listing.complete:
        found += _too_many(f"{repository}@{digest}: more than {REFERRERS} referrers in {label}")
    for one in source.each(lambda entry: _referrer(source, repository, digest, entry, label), promising[:REFERRERS]):
        found += one
    return found


def _rank(entry: Descriptor) -> int:
    kind = entry.artifact_type
    if kind.startswith((types.BUNDLE_PREFIX, "application/vnd.dev.cosign.")) or kind == types.IN_TOTO:
        return 0
    return 1 if not kind else 2


def _referrer(source: Source, repository: Repository, digest: Digest, entry: Descriptor, label: str) -> Gathered:
    name = f"referrer {_short(entry.digest)}"
    if entry.media_type not in types.MANIFEST_TYPES:
        return Gathered(notes=(f"{name} is skipped: it is no image manifest",))
    try:
        manifest = source.manifest(repository, entry.digest)
        if not isinstance(manifest, Manifest):
            return Gathered(notes=(f"{name} is skipped: it is no image manifest",))
        if manifest.subject is None or manifest.subject.digest != digest:
            return Gathered(notes=(f"{name} is skipped: its subject is another one",))
    except NotFound as error:
        return Gathered(faults=(_listed(error),))
    except RegistryError as fault:
        return Gathered(faults=(fault,))
    return _layers(source, repository, manifest, name, label)


# -- cosign's tags -----------------------------------------------------------------------------------------------------


def _cosign_tag(source: Source, repository: Repository, digest: Digest, suffix: str, tag_prefix: str) -> Gathered:
    tag, label = _tag(digest, suffix, tag_prefix)
    found = _tagged(source, repository, tag)
    if found is None:
        return Gathered(notes=(f"looked at: {label} (404)",))
    if not isinstance(found, Manifest):
        return Gathered(notes=(f"looked at: {label} (no image manifest)",))
    return Gathered(notes=(f"looked at: {label} ({len(found.layers)})",)) + _layers(
        source, repository, found, label, label
    )


def _tagged(source: Source, repository: Repository, tag: str) -> Manifest | Index | None:
    """What `tag` names, or None. What is too long for a tag (``sha512-….sig``, a long prefix) names nothing."""
    try:
        return source.tagged(repository, tag) if is_tag(tag) else None
    except NotFound:
        return None


def _tag(digest: Digest, suffix: str, prefix: str) -> tuple[str, str]:
    """The tag, and how notes call it."""
    return f"{prefix}{digest.algorithm}-{digest.hex}{suffix}", f"{prefix}{digest.algorithm}-{digest.hex[:12]}…{suffix}"


# -- layers ------------------------------------------------------------------------------------------------------------


def _layers(source: Source, repository: Repository, manifest: Manifest, name: str, label: str) -> Gathered:
    """The blobs of a manifest that may be evidence."""
    wanted = [layer for layer in manifest.layers if _kind(layer) is not None]
    found = Gathered(notes=_others(manifest, name))
    if len(wanted) > LAYERS:
        found += _too_many(f"{repository}: more than {LAYERS} layers in {name}")
    # Signers append, so the last are the newest.
    for one in source.each(lambda layer: _layer(source, repository, layer, label), wanted[-LAYERS:]):
        found += one
    return found


def _layer(source: Source, repository: Repository, layer: Descriptor, label: str) -> Gathered:
    try:
        content = source.blob(repository, layer)
    except NotFound as error:
        return Gathered(faults=(_listed(error),))
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


def _buildkit(manifest: Manifest | Index | None) -> Gathered:
    """A note about the attestations that BuildKit puts into an index (buildkit: docs/attestations/attestation-storage.md)."""
    if not isinstance(manifest, Index):
        return Gathered()
    unsigned = any(
        entry.annotations.get("vnd.docker.reference.type") == "attestation-manifest" for entry in manifest.manifests
    )
    return Gathered(notes=(UNSIGNED,)) if unsigned else Gathered()


def _too_many(message: str) -> Gathered:
    return Gathered(faults=(RegistryError(f"{message}; what is beyond was not looked at", code="too-many"),))


def _listed(error: NotFound) -> RegistryError:
    return RegistryError(
        f"the registry lists what it does not have: {error}",
        code="registry-misbehaved",
        status=error.status,
        url=error.url,
    )


def _short(digest: Digest) -> str:
    return f"{digest.algorithm}:{digest.hex[:12]}…"
