"""What discovery finds, as values; whom it asks; and how much of it is looked at.

One law: all of it is untrusted, and none of it is dropped in silence.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal, Protocol, TypeVar

from argocd_provenance.errors import RegistryError
from argocd_provenance.oci.descriptor import Descriptor, Index, Manifest
from argocd_provenance.oci.reference import Digest, Repository
from argocd_provenance.records import dataclass, field

# More is a mistake or an attack; cosign itself stops at 1,000 layers.
REFERRERS = 64
LAYERS = 64
EVIDENCE_LIMIT = 32 * 1024 * 1024
"""Bytes at one place: two of the largest pieces that are read."""

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")


class Place(StrEnum):
    """Where evidence can hang."""

    REFERRERS = "referrers"
    SIGNATURES = "sig"
    ATTESTATIONS = "att"

    def tag(self, digest: Digest, prefix: str = "") -> str:
        """The tag under which clients write what hangs on `digest` here.

        distribution-spec 1.1, "Referrers Tag Schema": at most 64 characters of the digest; the subject is compared in full.
        """
        if self is Place.REFERRERS:
            return f"{prefix}{digest.algorithm}-{digest.hex[:64]}"
        return f"{prefix}{digest.algorithm}-{digest.hex}.{self}"


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
    lists: tuple[str, ...] = ()
    """The lists that led here, each by its digest: while they stay the same, so does what a place gives."""

    def __add__(self, other: "Gathered") -> "Gathered":
        return Gathered(
            self.attachments + other.attachments,
            self.notes + other.notes,
            self.faults + other.faults,
            self.lists + other.lists,
        )


@dataclass(frozen=True, slots=True)
class Listing:
    """What the Referrers API listed; `complete` is False when there was more than we read."""

    descriptors: tuple[Descriptor, ...]
    complete: bool = True

    def spelled(self) -> bytes:
        """The listing as JSON, always the same for the same."""
        said = {"complete": self.complete, "manifests": [dict(entry.raw) for entry in self.descriptors]}
        return json.dumps(said, separators=(",", ":")).encode()


def by_listing(listing: Listing | None) -> str:
    """How `Gathered.lists` calls what the Referrers API listed; None: there is no such API."""
    return f"api {hashlib.sha256(listing.spelled()).hexdigest()}" if listing is not None else "no api"


def by_manifest(*, known: bool) -> str:
    """How `Gathered.lists` calls the image's own manifest, which is looked at where a tag led to it."""
    return "manifest" if known else "no manifest"


def by_tag(digest: Digest | None) -> str:
    """How `Gathered.lists` calls what a tag named, or that there is no such tag."""
    return f"tag {digest}" if digest is not None else "no tag"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the policies look for: a `signature`, and how many kinds of `attestations`.

    A hint: it decides in which order places are asked and what is begun early, never what is found.
    """

    signature: bool = False
    attestations: int = 0

    def places(self) -> tuple[Place, ...]:
        """The places, the likeliest first: an attestation is not under cosign's tag for signatures."""
        if self.attestations and not self.signature:
            return (Place.REFERRERS, Place.ATTESTATIONS, Place.SIGNATURES)
        return (Place.REFERRERS, Place.SIGNATURES, Place.ATTESTATIONS)

    def ahead(self, promising: int) -> tuple[Place, ...]:
        """The places that will be needed beside referrers, of which so many look like evidence."""
        missing = int(self.signature) + self.attestations - promising
        if missing <= 0:
            return ()
        # With nothing listed everything lies elsewhere. Otherwise what is listed is mostly newer than what lies under tags,
        # and signatures lie there more often than attestations.
        elsewhere = [Place.SIGNATURES] * self.signature + [Place.ATTESTATIONS] * bool(self.attestations)
        return tuple(elsewhere if not promising else elsewhere[:1])


NOTHING = Wanted()


class Source(Protocol):
    """What discovery asks of a registry. Each method raises `RegistryError`; `NotFound` where there is nothing."""

    def referrers(self, repository: Repository, digest: Digest) -> Listing | None:
        """The listing of the Referrers API; None where the registry has no such API."""

    def tagged(self, repository: Repository, tag: str) -> tuple[Digest, Manifest | Index]:
        """The manifest under `tag`, and its digest."""

    def known(self, repository: Repository, digest: Digest) -> Manifest | Index | None:
        """The manifest `digest`, if it was fetched before."""

    def manifest(self, repository: Repository, digest: Digest) -> Manifest | Index:
        """The manifest `digest`."""

    def blob(self, repository: Repository, descriptor: Descriptor) -> bytes:
        """The blob that `descriptor` names."""

    def each(self, ask: Callable[[_Item], _Found], items: Sequence[_Item]) -> Iterable[_Found]:
        """`ask` of every item, in order, some at once."""

    def soon(self, repository: Repository, digest: Digest, place: Place, tag_prefix: str) -> None:
        """Begin to gather at `place`: it will be asked for."""
