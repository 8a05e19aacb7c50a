"""What hangs on a digest: through the Referrers API, under its fallback tag, and under cosign's tags.

One law: what was looked at is in `notes`, what could not be fetched in `faults`, and more than we look at is a fault too.

Source: distribution-spec 1.1, "Listing Referrers" and "Referrers Tag Schema"; cosign ``pkg/oci/remote/remote.go`` (tags),
``write.go`` (referrers) and ``specs/BUNDLE_SPEC.md``.
"""

from argocd_provenance.errors import NotFound, RegistryError
from argocd_provenance.oci import descriptor as types
from argocd_provenance.oci.descriptor import Descriptor, Index, Manifest
from argocd_provenance.oci.gathered import (
    NOTHING,
    REFERRERS,
    Gathered,
    Listing,
    Place,
    Source,
    Wanted,
    by_listing,
    by_manifest,
    by_tag,
)
from argocd_provenance.oci.layers import UNSIGNED, buildkit, fetch, listed, too_many
from argocd_provenance.oci.reference import Digest, Repository, is_tag

__all__ = ["NOTHING", "REFERRERS", "UNSIGNED", "Gathered", "Listing", "Place", "Wanted", "gather"]


def gather(
    source: Source,
    repository: Repository,
    digest: Digest,
    place: Place,
    tag_prefix: str = "",
    wanted: Wanted = NOTHING,
) -> Gathered:
    """All that hangs on `digest` at `place`. Raises no `RegistryError`: what failed is in the result's `faults`.

    `tag_prefix` stands before the tags, without a separator.
    """
    try:
        if place is Place.REFERRERS:
            found = _referrers(source, repository, digest, tag_prefix, wanted)
            known = source.known(repository, digest)
            return found + buildkit(known) + Gathered(lists=(by_manifest(known=known is not None),))
        return _cosign_tag(source, repository, digest, place, tag_prefix)
    except RegistryError as fault:
        return Gathered(faults=(fault,))


# -- referrers ---------------------------------------------------------------------------------------------------------


def _referrers(source: Source, repository: Repository, digest: Digest, tag_prefix: str, wanted: Wanted) -> Gathered:
    listing, looked, label = _listed(source, repository, digest, tag_prefix)
    unique = {entry.digest: entry for entry in listing.descriptors}
    # Those that say they are evidence come first, for what they say is only a hint.
    promising = sorted(unique.values(), key=_rank)
    for place in wanted.ahead(sum(_rank(entry) == 0 for entry in promising)):
        source.soon(repository, digest, place, tag_prefix)
    if len(promising) > REFERRERS or not listing.complete:
        looked += too_many(f"{repository}@{digest}: more than {REFERRERS} referrers in {label}")
    holders = []
    for found in source.each(lambda entry: _referrer(source, repository, digest, entry), promising[:REFERRERS]):
        if isinstance(found, Gathered):
            looked += found
        else:
            holders.append(found)
    return looked + fetch(source, repository, holders, label)


def _listed(source: Source, repository: Repository, digest: Digest, tag_prefix: str) -> tuple[Listing, Gathered, str]:
    """What refers to `digest`, where it was looked for, and what the list is called."""
    listing = source.referrers(repository, digest)
    said = "no such API" if listing is None else str(len(listing.descriptors))
    looked = Gathered(notes=(f"looked at: referrers ({said})",), lists=(by_listing(listing),))
    if listing is not None and listing.descriptors:
        return listing, looked, "referrers"
    # A client that found no API wrote the tag, and the registry may have got the API since.
    label = _label(digest, "", tag_prefix)
    named, found = _tagged(source, repository, Place.REFERRERS.tag(digest, tag_prefix))
    said = "404" if found is None else str(len(found.manifests)) if isinstance(found, Index) else "no index"
    entries = found.manifests if isinstance(found, Index) else ()
    looked += Gathered(notes=(f"looked at: {label} ({said})",), lists=(by_tag(named),))
    return Listing(entries), looked, label


def _rank(entry: Descriptor) -> int:
    kind = entry.artifact_type
    if kind.startswith((types.BUNDLE_PREFIX, "application/vnd.dev.cosign.")) or kind == types.IN_TOTO:
        return 0
    return 1 if not kind else 2


def _referrer(
    source: Source, repository: Repository, digest: Digest, entry: Descriptor
) -> tuple[str, Manifest] | Gathered:
    """The manifest of a referrer and what it is called; why it is none otherwise."""
    name = f"referrer {_short(entry.digest)}"
    if entry.media_type not in types.MANIFEST_TYPES:
        return Gathered(notes=(f"{name} is skipped: it is no image manifest",))
    try:
        manifest = source.manifest(repository, entry.digest)
    except NotFound as error:
        return Gathered(faults=(listed(error),))
    except RegistryError as fault:
        return Gathered(faults=(fault,))
    if not isinstance(manifest, Manifest):
        return Gathered(notes=(f"{name} is skipped: it is no image manifest",))
    if manifest.subject is None or manifest.subject.digest != digest:
        return Gathered(notes=(f"{name} is skipped: its subject is another one",))
    return name, manifest


# -- cosign's tags -----------------------------------------------------------------------------------------------------


def _cosign_tag(source: Source, repository: Repository, digest: Digest, place: Place, tag_prefix: str) -> Gathered:
    label = _label(digest, f".{place}", tag_prefix)
    named, found = _tagged(source, repository, place.tag(digest, tag_prefix))
    lists = (by_tag(named),)
    if found is None:
        return Gathered(notes=(f"looked at: {label} (404)",), lists=lists)
    if not isinstance(found, Manifest):
        return Gathered(notes=(f"looked at: {label} (no image manifest)",), lists=lists)
    looked = Gathered(notes=(f"looked at: {label} ({len(found.layers)})",), lists=lists)
    return looked + fetch(source, repository, [(label, found)], label)


def _tagged(source: Source, repository: Repository, tag: str) -> tuple[Digest | None, Manifest | Index | None]:
    """What `tag` names, or None. What is too long for a tag (``sha512-….sig``, a long prefix) names nothing."""
    try:
        return source.tagged(repository, tag) if is_tag(tag) else (None, None)
    except NotFound:
        return None, None


def _label(digest: Digest, suffix: str, prefix: str) -> str:
    """How notes call a tag."""
    return f"{prefix}{digest.algorithm}-{digest.hex[:12]}…{suffix}"


def _short(digest: Digest) -> str:
    return f"{digest.algorithm}:{digest.hex[:12]}…"
