"""What registries answered to earlier runs: content by its digest, and for a short time what a tag names and a list lists.

One law: what was remembered is checked as if the registry had sent it just now. Content must have the digest it is asked
for by; everything belongs to one repository, as asked at the same places; failures are never remembered.
"""

import json
import threading
from collections.abc import Callable, Sequence

from argocd_provenance.cache.memory import Memory
from argocd_provenance.errors import Error, InvalidReference, RegistryError
from argocd_provenance.oci.descriptor import OCI_INDEX, Index, parse_manifest
from argocd_provenance.oci.gathered import Listing, Place, by_listing, by_tag
from argocd_provenance.oci.reference import Digest, Repository, is_tag
from argocd_provenance.oci.settings import Endpoint
from argocd_provenance.records import dataclass

# Seconds for which "there is nothing" is believed: whoever signs now deploys now.
ABSENCE = 5.0


@dataclass(frozen=True, slots=True)
class Tagged:
    """What a tag named: a digest, or nothing. Unless `fresh`, the registry must confirm it."""

    digest: Digest | None
    fresh: bool


class Remembered:
    """The answers in `memory`. Tags and lists are believed for `tags` seconds; never with `tags` 0."""

    def __init__(self, memory: Memory | None = None, tags: float = 0.0) -> None:
        self._memory, self._tags = memory, tags
        self._lock = threading.Lock()
        self._asked = False
        self._await: Callable[[], None] | None = None
        self._lacking: dict[str, bool] = {}
        self.relied = False
        """Whether an answer was believed that a registry might give differently now."""

    def when_asked(self, call: Callable[[], None]) -> None:
        """Call `call` once, in whatever thread, as soon as something is not known and a registry is asked for it."""
        with self._lock:
            if not self._asked:
                self._await = call
                return
        call()

    # -- content -------------------------------------------------------------------------------------------------------

    def content(self, repository: Repository, digest: Digest) -> bytes | None:
        """The manifest or blob `digest`, if it was fetched from this repository before."""
        found = self._memory.recall(_content(repository, digest)) if self._memory is not None else None
        if found is not None and Digest.of(found.answer, digest.algorithm) == digest:
            return found.answer
        self._unknown()
        return None

    def keep_content(self, repository: Repository, digest: Digest, content: bytes) -> None:
        """Remember `content`, which has the digest `digest`."""
        if self._memory is not None:
            self._memory.keep(_content(repository, digest), content)

    # -- tags ----------------------------------------------------------------------------------------------------------

    def tag(self, where: Sequence[Endpoint], repository: Repository, tag: str) -> Tagged | None:
        """What `tag` named when somebody last asked."""
        found = self._recall("tag", where, repository, tag)
        if found is None:
            self._unknown()
            return None
        answer, age = found
        if not answer:
            return self._believed(Tagged(None, fresh=True)) if age < min(ABSENCE, self._tags) else None
        try:
            digest = Digest(answer.decode())
        except (InvalidReference, UnicodeDecodeError):
            return None
        return self._believed(Tagged(digest, fresh=True)) if age < self._tags else Tagged(digest, fresh=False)

    def keep_tag(self, where: Sequence[Endpoint], repository: Repository, tag: str, digest: Digest | None) -> None:
        """Remember that `tag` names `digest`, or (None) that there is no such tag."""
        self._keep("tag", where, repository, tag, digest.text.encode() if digest is not None else b"")

    # -- lists of referrers --------------------------------------------------------------------------------------------

    def listing(self, where: Sequence[Endpoint], repository: Repository, digest: Digest) -> Listing | None:
        """What the Referrers API listed about `digest`."""
        found = self._recall("referrers", where, repository, digest.text)
        if found is None:
            return None
        listing = _listing(found[0])
        limit = self._tags if listing is not None and listing.descriptors else min(ABSENCE, self._tags)
        if listing is None or found[1] >= limit:
            return None
        self.relied = True
        return listing

    def keep_listing(self, where: Sequence[Endpoint], repository: Repository, digest: Digest, listing: Listing) -> None:
        """Remember what the Referrers API listed."""
        self._keep("referrers", where, repository, digest.text, listing.spelled())

    def lists(
        self, where: Sequence[Endpoint], repository: Repository, digest: Digest, place: Place, tag_prefix: str
    ) -> tuple[str, ...] | None:
        """What `Gathered.lists` of this place said, as far as it is believed still; None where a registry must be asked."""
        lists: tuple[str, ...] = ()
        if place is Place.REFERRERS:
            lacking = len(where) == 1 and self.lacks_referrers(where[0].base)
            listing = None if lacking else self.listing(where, repository, digest)
            if listing is None and not lacking:
                return None
            lists = (by_listing(listing),)
            if listing is not None and listing.descriptors:
                return lists
        tag = place.tag(digest, tag_prefix)
        if not is_tag(tag):
            return (*lists, by_tag(None))
        tagged = self.tag(where, repository, tag)
        return (*lists, by_tag(tagged.digest)) if tagged is not None and tagged.fresh else None

    def lacks_referrers(self, base: str) -> bool:
        """Whether the registry at `base` had no Referrers API when it was asked a short while ago."""
        with self._lock:
            known = self._lacking.get(base)
        if known is None:
            found = self._memory.recall(("no referrers API", base)) if self._memory is not None else None
            known = found is not None and found.age < self._tags
            with self._lock:
                self._lacking[base] = known
        self.relied |= known
        return known

    def keep_lack_of_referrers(self, base: str) -> None:
        """Remember that the registry at `base` has no Referrers API."""
        if self._memory is not None:
            self._memory.keep(("no referrers API", base), b"")

    # ------------------------------------------------------------------------------------------------------------------

    def _believed(self, tagged: Tagged) -> Tagged:
        self.relied = True
        return tagged

    def _unknown(self) -> None:
        with self._lock:
            self._asked, call, self._await = True, self._await, None
        if call is not None:
            call()

    def _recall(
        self, kind: str, where: Sequence[Endpoint], repository: Repository, what: str
    ) -> tuple[bytes, float] | None:
        if self._memory is None or not self._tags:
            return None
        found = self._memory.recall(_mutable(kind, where, repository, what))
        return (found.answer, found.age) if found is not None else None

    def _keep(self, kind: str, where: Sequence[Endpoint], repository: Repository, what: str, answer: bytes) -> None:
        if self._memory is not None:
            self._memory.keep(_mutable(kind, where, repository, what), answer)


def _content(repository: Repository, digest: Digest) -> tuple[str, ...]:
    return ("content", repository.host, repository.path, digest.text)


def _mutable(kind: str, where: Sequence[Endpoint], repository: Repository, what: str) -> tuple[str, ...]:
    # A mirror may be behind, so what it says is not what the host would have said.
    return (kind, repository.host, repository.path, what, *(endpoint.base for endpoint in where))


def _listing(answer: bytes) -> Listing | None:
    try:
        said = json.loads(answer)
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": said["manifests"]}
        found = parse_manifest(json.dumps(index).encode())
    except (ValueError, KeyError, TypeError, RegistryError, Error):
        return None
    return Listing(found.manifests, said["complete"] is True) if isinstance(found, Index) else None
