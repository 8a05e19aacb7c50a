"""A registry client for one run: resolve, manifest, blob, and what hangs on a digest.

One law: the host is permitted before a packet leaves, and each thing is asked for once, however many threads want it.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import NotFound, RegistryError
from argocd_provenance.imports import one_at_a_time
from argocd_provenance.oci import attached
from argocd_provenance.oci.credentials import Credentials
from argocd_provenance.oci.descriptor import Descriptor, Index, Manifest, parse_manifest
from argocd_provenance.oci.gathered import NOTHING, Gathered, Listing, Place, Wanted, by_manifest
from argocd_provenance.oci.once import Once
from argocd_provenance.oci.questions import BLOB_LIMIT, Questions, Wire
from argocd_provenance.oci.reference import Digest, Reference, Repository, registry_host
from argocd_provenance.oci.referrers import ReferrersApi, pages
from argocd_provenance.oci.remembered import Remembered
from argocd_provenance.oci.settings import Endpoint, HostSettings
from argocd_provenance.oci.tally import Tally

if TYPE_CHECKING:
    from argocd_provenance.oci.manners import Manners
    from argocd_provenance.oci.network import Network

_WORKERS = 16
_KEPT = 256 * 1024  # larger blobs are not remembered: a run's memory does not grow with what hangs on its images
_Item = TypeVar("_Item")
_Found = TypeVar("_Found")
_Asked = tuple[Repository, Digest, Place, str]


class Registry:
    """The registries that the operator permits; for many threads, until `close`.

    `permitted` says of a host whether it may be asked, `remembered` what earlier runs learned; `offline`
    nobody is asked at all; `tally` counts what is asked. `sleep`, `network` and `manners` are for tests.
    """

    def __init__(
        self,
        hosts: Sequence[HostSettings],
        permitted: Callable[[str], bool],
        credentials: Credentials,
        deadline: Deadline,
        *,
        remembered: Remembered | None = None,
        offline: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        network: "Network | None" = None,
        manners: "Manners | None" = None,
        tally: Tally | None = None,
    ) -> None:
        self._deadline = deadline
        self._remembered = remembered or Remembered()

        def connect() -> Wire:
            if offline:
                raise RegistryError("--offline: no registry is asked", code="offline")
            # Their import is slow, and where all is remembered nobody needs them.
            with one_at_a_time:
                from argocd_provenance.oci.bearer import Authority  # noqa: PLC0415
                from argocd_provenance.oci.transport import Transport  # noqa: PLC0415

            transport = Transport(
                _by_address(hosts), deadline, sleep=sleep, network=network, manners=manners, tally=tally
            )
            return Wire(transport, Authority(transport, credentials.with_settings(hosts), deadline))

        self._questions = Questions(hosts, permitted, connect)
        self._named: set[tuple[Repository, Digest]] = set()
        self._tags: Once[tuple[Repository, str], Digest] = Once(deadline)
        self._manifests: Once[tuple[Repository, Digest], Manifest | Index] = Once(deadline)
        self._blobs: Once[tuple[Repository, Digest, int], bytes] = Once(deadline)
        self._api = ReferrersApi(deadline, self._remembered)
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="registry")
        self._early: dict[_Asked, Future[Gathered]] = {}
        self._lock = threading.Lock()

    def resolve(self, reference: Reference) -> Digest:
        """The digest that `reference` stands for: its own, or that of the bytes its tag names now.

        A tag is asked for once in a run. Raises `RegistryError`.
        """
        if reference.digest is not None:
            return reference.digest
        return self._tag(reference.repository, reference.effective_tag or "latest")

    def manifest(self, repository: Repository, digest: Digest) -> Manifest | Index:
        """The manifest `digest`. Raises `RegistryError`; `DigestMismatch` when the registry sends other bytes."""
        return self._manifests.fetch((repository, digest), lambda: self._fetch_manifest(repository, digest))

    def blob(self, repository: Repository, descriptor: Descriptor) -> bytes:
        """The blob of `descriptor`, checked against digest and size. Raises `RegistryError`."""
        if descriptor.size > _KEPT:
            return self._fetch_blob(repository, descriptor)
        key = (repository, descriptor.digest, descriptor.size)
        return self._blobs.fetch(key, lambda: self._fetch_blob(repository, descriptor))

    def children(self, repository: Repository, digest: Digest) -> Mapping[str, Digest]:
        """The manifests of an index by platform (``linux/arm64/v8``), in its order; none for the manifest of one image.

        A child without a platform can run anywhere: it is listed as ``any@<digest>``. ``unknown/unknown`` is what
        BuildKit calls its attestations; nothing runs it. Two children of one platform are ``registry-misbehaved``:
        which of them a node runs is not ours to guess.
        """
        return by_platform(self.manifest(repository, digest), f"{repository}@{digest}")

    def gather(
        self, repository: Repository, digest: Digest, place: Place, *, tag_prefix: str = "", wanted: Wanted = NOTHING
    ) -> Gathered:
        """All that hangs on `digest` at `place`; never a `RegistryError`, see `attached.gather`."""
        with self._lock:
            early = self._early.pop((repository, digest, place, tag_prefix), None)
        if early is not None and not early.cancel():  # what has not begun is quicker done here
            return self._deadline.wait(early, f"what hangs on {repository}@{digest} was fetched")
        return attached.gather(self, repository, digest, place, tag_prefix, wanted)

    def close(self) -> None:
        """Close all connections."""
        self._workers.shutdown(wait=False, cancel_futures=True)
        self._questions.close()

    # -- what is remembered, and believed still ------------------------------------------------------------------------

    def recall(self, reference: Reference) -> Digest | None:
        """As `resolve`, by what earlier runs learned alone; None where a registry must be asked. Raises `RegistryError`."""
        if reference.digest is not None:
            return reference.digest
        repository, tag = reference.repository, reference.effective_tag or "latest"
        known = self._remembered.tag(self._questions.endpoints(repository), repository, tag)
        if known is None or not known.fresh or known.digest is None:
            return None
        self._named.add((repository, known.digest))
        return known.digest

    def lists(
        self, repository: Repository, digest: Digest, place: Place, tag_prefix: str = ""
    ) -> tuple[str, ...] | None:
        """What `Gathered.lists` says of this place now, by what earlier runs learned alone; None where that is not known.

        Raises `RegistryError`.
        """
        lists = self._remembered.lists(self._questions.endpoints(repository), repository, digest, place, tag_prefix)
        if lists is None or place is not Place.REFERRERS:
            return lists
        named = (repository, digest) in self._named or self._manifests.peek((repository, digest)) is not None
        return (*lists, by_manifest(known=named))

    # -- what discovery asks (`attached.Source`) -----------------------------------------------------------------------

    def tagged(self, repository: Repository, tag: str) -> tuple[Digest, Manifest | Index]:
        """The manifest under `tag`, and its digest."""
        where = self._questions.endpoints(repository)
        known = self._remembered.tag(where, repository, tag)
        if known is not None and known.fresh and known.digest is None:
            raise NotFound(f"{repository}:{tag}: a moment ago there was no such tag", status=404)
        try:
            digest = self._tag(repository, tag)
        except NotFound:
            self._remembered.keep_tag(where, repository, tag, None)
            raise
        return digest, self.manifest(repository, digest)

    def known(self, repository: Repository, digest: Digest) -> Manifest | Index | None:
        """The manifest `digest`, if a tag led to it before."""
        if (repository, digest) in self._named:
            return self.manifest(repository, digest)
        return self._manifests.peek((repository, digest))

    def each(self, ask: Callable[[_Item], _Found], items: Sequence[_Item]) -> Iterable[_Found]:
        """`ask` of every item, in order: some at once, unless we are one of those already."""
        if len(items) < 2 or threading.current_thread().name.startswith("registry"):
            return map(ask, items)
        return self._workers.map(ask, items)

    def soon(self, repository: Repository, digest: Digest, place: Place, tag_prefix: str) -> None:
        """Begin to gather what `gather` will be asked for."""
        with self._lock:
            key = (repository, digest, place, tag_prefix)
            if key not in self._early:
                self._early[key] = self._workers.submit(attached.gather, self, *key)

    def referrers(self, repository: Repository, digest: Digest) -> Listing | None:
        """The listing of the Referrers API; None where the registry has no such API, which is asked once a host."""
        where = self._questions.endpoints(repository)
        listing = self._remembered.listing(where, repository, digest)
        if listing is None:
            listing = self._ask_referrers(where, repository, digest)
            if listing is not None:
                self._remembered.keep_listing(where, repository, digest, listing)
        return listing

    def _ask_referrers(self, candidates: Sequence[Endpoint], repository: Repository, digest: Digest) -> Listing | None:
        for endpoint in candidates[:-1]:
            try:
                listing = self._api.ask(
                    endpoint.base, partial(pages, self._questions.page, endpoint, repository, digest)
                )
            except RegistryError:
                continue
            if listing is not None and listing.descriptors:
                return listing
        last = candidates[-1]
        return self._api.ask(last.base, partial(pages, self._questions.page, last, repository, digest))

    # -- requests ------------------------------------------------------------------------------------------------------

    def _tag(self, repository: Repository, tag: str) -> Digest:
        return self._tags.fetch((repository, tag), lambda: self._ask_tag(repository, tag))

    def _ask_tag(self, repository: Repository, tag: str) -> Digest:
        where = self._questions.endpoints(repository)
        known = self._remembered.tag(where, repository, tag)
        digest = known.digest if known is not None else None
        if known is None or digest is None or not (known.fresh or self._stands(repository, tag, digest)):
            digest = self._fetch_tag(repository, tag)
        if known is None or not known.fresh:
            self._remembered.keep_tag(where, repository, tag, digest)
        self._named.add((repository, digest))
        return digest

    def _stands(self, repository: Repository, tag: str, digest: Digest) -> bool:
        try:
            return self._questions.still(repository, tag, digest)
        except RegistryError:
            return False  # the question that follows will say what is wrong

    def _fetch_tag(self, repository: Repository, tag: str) -> Digest:
        digest, manifest, content = self._questions.tag(repository, tag)
        self._manifests.put((repository, digest), manifest)
        self._remembered.keep_content(repository, digest, content)
        return digest

    def _fetch_manifest(self, repository: Repository, digest: Digest) -> Manifest | Index:
        self._questions.endpoints(repository)  # permitted, or nothing is told of it
        remembered = self._remembered.content(repository, digest)
        if remembered is not None:
            return parse_manifest(remembered)
        manifest, content = self._questions.manifest(repository, digest)
        self._remembered.keep_content(repository, digest, content)
        return manifest

    def _fetch_blob(self, repository: Repository, descriptor: Descriptor) -> bytes:
        if descriptor.size > BLOB_LIMIT:
            raise RegistryError(
                f"{repository}@{descriptor.digest} has {descriptor.size} bytes; more than {BLOB_LIMIT} are not read",
                code="too-many",
            )
        self._questions.endpoints(repository)  # permitted, or nothing is told of it
        content = self._remembered.content(repository, descriptor.digest)
        if content is not None and len(content) == descriptor.size:
            return content
        content = self._questions.blob(repository, descriptor)
        self._remembered.keep_content(repository, descriptor.digest, content)
        return content


def by_platform(found: Manifest | Index, named: str) -> dict[str, Digest]:
    """The children of `found`, as `Registry.children` gives them; faults call it `named`."""
    children: dict[str, Digest] = {}
    for child in found.manifests if isinstance(found, Index) else ():
        platform = str(child.platform) if child.platform is not None else ""
        if platform == "unknown/unknown":
            continue
        name = platform or f"any@{child.digest}"
        if children.setdefault(name, child.digest) != child.digest:
            raise RegistryError(f"{named}: two manifests for {name[:100]}", code="registry-misbehaved")
    return children


def _by_address(hosts: Sequence[HostSettings]) -> dict[str, HostSettings]:
    """Settings by `registry_host` of what stands in a URL: Docker Hub listens under another name than its own."""
    return {registry_host(settings.host): settings for settings in hosts}
