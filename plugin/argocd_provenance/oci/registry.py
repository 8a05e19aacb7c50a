"""A registry client for one run: resolve, manifest, blob, and what hangs on a digest.

One law: the host is permitted before a packet leaves, and bytes are checked against their digest before anyone sees them.

Source: distribution-spec 1.1.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import DigestMismatch, InvalidReference, NotFound, RegistryError
from argocd_provenance.oci import attached
from argocd_provenance.oci.attached import REFERRERS, Gathered, Listing, Place
from argocd_provenance.oci.credentials import Credentials
from argocd_provenance.oci.descriptor import ACCEPTED, OCI_INDEX, Descriptor, Index, Manifest, parse_manifest
from argocd_provenance.oci.once import Once
from argocd_provenance.oci.redirects import Lookup
from argocd_provenance.oci.reference import Digest, Reference, Repository, registry_host
from argocd_provenance.oci.referrers import Absent, ReferrersApi, absent, following
from argocd_provenance.oci.remembered import Remembered
from argocd_provenance.oci.replies import Reply, misbehaved, refused, shown
from argocd_provenance.oci.settings import Endpoint, HostSettings, endpoints

if TYPE_CHECKING:
    from argocd_provenance.oci.bearer import Authority
    from argocd_provenance.oci.transport import Transport

# No manifest, and no evidence, that we read comes near these; a longer one is an attack or a mistake.
MANIFEST_LIMIT = 4 * 1024 * 1024
BLOB_LIMIT = 16 * 1024 * 1024

_PAGES = 16
_WORKERS = 16
_Item = TypeVar("_Item")
_Found = TypeVar("_Found")


class Registry:
    """The registries that the operator permits; for many threads, until `close`.

    `permitted` says of a host whether it may be asked, `remembered` what earlier runs learned. `sleep` and `lookup` are
    for tests.
    """

    def __init__(
        self,
        hosts: Sequence[HostSettings],
        permitted: Callable[[str], bool],
        credentials: Credentials,
        deadline: Deadline,
        *,
        remembered: Remembered | None = None,
        sleep: Callable[[float], None] = time.sleep,
        lookup: Lookup | None = None,
    ) -> None:
        self._hosts = tuple(hosts)
        self._permitted = permitted
        self._deadline = deadline
        self._remembered = remembered or Remembered()
        self._credentials, self._sleep, self._lookup = credentials, sleep, lookup
        self._connecting = threading.Lock()
        self._connected: tuple[Transport, Authority] | None = None
        self._named: set[tuple[Repository, Digest]] = set()
        self._tags: Once[tuple[Repository, str], Digest] = Once(deadline)
        self._manifests: Once[tuple[Repository, Digest], Manifest | Index] = Once(deadline)
        self._blobs: Once[tuple[Repository, Digest, int], bytes] = Once(deadline)
        self._api = ReferrersApi(deadline, self._remembered)
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="registry")

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
        key = (repository, descriptor.digest, descriptor.size)
        return self._blobs.fetch(key, lambda: self._fetch_blob(repository, descriptor))

    def children(self, repository: Repository, digest: Digest) -> Mapping[str, Digest]:
        """The manifests of an index by platform (``linux/arm64/v8``), in its order; none for the manifest of one image.

        A child without a platform can run anywhere: it is listed as ``any@<digest>``. ``unknown/unknown`` is what
        BuildKit calls its attestations; nothing runs it. Two children of one platform are ``registry-misbehaved``:
        which of them a node runs is not ours to guess.
        """
        found = self.manifest(repository, digest)
        children: dict[str, Digest] = {}
        for child in found.manifests if isinstance(found, Index) else ():
            platform = str(child.platform) if child.platform is not None else ""
            if platform == "unknown/unknown":
                continue
            name = platform or f"any@{child.digest}"
            if children.setdefault(name, child.digest) != child.digest:
                raise RegistryError(
                    f"{repository}@{digest}: two manifests for {name[:100]}", code="registry-misbehaved"
                )
        return children

    def gather(self, repository: Repository, digest: Digest, place: Place, *, tag_prefix: str = "") -> Gathered:
        """All that hangs on `digest` at `place`; never a `RegistryError`, see `attached.gather`."""
        return attached.gather(self, repository, digest, place, tag_prefix)

    def close(self) -> None:
        """Close all connections."""
        self._workers.shutdown(wait=False, cancel_futures=True)
        with self._connecting:
            if self._connected is not None:
                self._connected[0].close()

    # -- what discovery asks (`attached.Source`) -----------------------------------------------------------------------

    def tagged(self, repository: Repository, tag: str) -> Manifest | Index:
        """The manifest under `tag`."""
        where = self._endpoints(repository)
        known = self._remembered.tag(where, repository, tag)
        if known is not None and known.fresh and known.digest is None:
            raise NotFound(f"{repository}:{tag}: a moment ago there was no such tag", status=404)
        try:
            digest = self._tag(repository, tag)
        except NotFound:
            self._remembered.keep_tag(where, repository, tag, None)
            raise
        return self.manifest(repository, digest)

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

    def referrers(self, repository: Repository, digest: Digest) -> Listing | None:
        """The listing of the Referrers API; None where the registry has no such API, which is asked once a host."""
        where = self._endpoints(repository)
        listing = self._remembered.listing(where, repository, digest)
        if listing is None:
            listing = self._ask_referrers(where, repository, digest)
            if listing is not None:
                self._remembered.keep_listing(where, repository, digest, listing)
        return listing

    def _ask_referrers(self, candidates: Sequence[Endpoint], repository: Repository, digest: Digest) -> Listing | None:
        for endpoint in candidates[:-1]:
            try:
                listing = self._api.ask(endpoint.base, partial(self._list, endpoint, repository, digest))
            except RegistryError:
                continue
            if listing is not None and listing.descriptors:
                return listing
        last = candidates[-1]
        return self._api.ask(last.base, partial(self._list, last, repository, digest))

    # -- requests ------------------------------------------------------------------------------------------------------

    def _tag(self, repository: Repository, tag: str) -> Digest:
        return self._tags.fetch((repository, tag), lambda: self._ask_tag(repository, tag))

    def _ask_tag(self, repository: Repository, tag: str) -> Digest:
        where = self._endpoints(repository)
        known = self._remembered.tag(where, repository, tag)
        digest = known.digest if known is not None else None
        if known is None or digest is None or not (known.fresh or self._stands(where[0], repository, tag, digest)):
            digest = self._fetch_tag(repository, tag)
        if known is None or not known.fresh:
            self._remembered.keep_tag(where, repository, tag, digest)
        self._named.add((repository, digest))
        return digest

    def _stands(self, endpoint: Endpoint, repository: Repository, tag: str, digest: Digest) -> bool:
        """Whether the registry says that `tag` still names `digest`: a HEAD, which Docker Hub does not count as a pull."""
        try:
            url = f"{endpoint.base}/v2/{repository.path}/manifests/{tag}"
            reply = self._ask(endpoint, repository, url, 0, _ACCEPT, head=True)
        except RegistryError:
            return False  # the question that follows will say what is wrong
        return reply.status == 200 and reply.headers.get("docker-content-digest", "").strip() == digest.text

    def _fetch_tag(self, repository: Repository, tag: str) -> Digest:
        reply = self._get(repository, f"manifests/{tag}", MANIFEST_LIMIT, _ACCEPT)
        digest = Digest.of(reply.body)
        _check_header(reply)
        self._manifests.put((repository, digest), _parsed(reply))
        self._remembered.keep_content(repository, digest, reply.body)
        return digest

    def _fetch_manifest(self, repository: Repository, digest: Digest) -> Manifest | Index:
        self._endpoints(repository)  # permitted, or nothing is told of it
        content = self._remembered.content(repository, digest)
        if content is not None:
            return parse_manifest(content)
        reply = self._get(repository, f"manifests/{digest}", MANIFEST_LIMIT, _ACCEPT)
        _check_digest(reply, digest)
        manifest = _parsed(reply)
        self._remembered.keep_content(repository, digest, reply.body)
        return manifest

    def _fetch_blob(self, repository: Repository, descriptor: Descriptor) -> bytes:
        if descriptor.size > BLOB_LIMIT:
            raise RegistryError(
                f"{repository}@{descriptor.digest} has {descriptor.size} bytes; more than {BLOB_LIMIT} are not read",
                code="too-many",
            )
        self._endpoints(repository)  # permitted, or nothing is told of it
        content = self._remembered.content(repository, descriptor.digest)
        if content is not None and len(content) == descriptor.size:
            return content
        reply = self._get(repository, f"blobs/{descriptor.digest}", descriptor.size, {})
        if len(reply.body) != descriptor.size:
            raise DigestMismatch(
                f"{shown(reply.url)}: {len(reply.body)} bytes, not {descriptor.size}", status=200, url=shown(reply.url)
            )
        _check_digest(reply, descriptor.digest)
        self._remembered.keep_content(repository, descriptor.digest, reply.body)
        return reply.body

    def _get(self, repository: Repository, what: str, limit: int, headers: Mapping[str, str]) -> Reply:
        """A success from the first endpoint that has one; other bytes than asked for are never made good by the next."""
        candidates = self._endpoints(repository)
        for endpoint in candidates[:-1]:
            try:
                return self._success(endpoint, repository, what, limit, headers)
            except DigestMismatch:
                raise
            except RegistryError:
                continue
        return self._success(candidates[-1], repository, what, limit, headers)

    def _success(
        self, endpoint: Endpoint, repository: Repository, what: str, limit: int, headers: Mapping[str, str]
    ) -> Reply:
        reply = self._ask(endpoint, repository, f"{endpoint.base}/v2/{repository.path}/{what}", limit, headers)
        if reply.status != 200:
            raise refused(reply)
        return reply

    def _ask(
        self,
        endpoint: Endpoint,
        repository: Repository,
        url: str,
        limit: int,
        headers: Mapping[str, str],
        *,
        head: bool = False,
    ) -> Reply:
        """The answer, after one answer to the registry's challenge."""
        transport, authority = self._http()
        sent = authority.header(endpoint, repository.path)
        reply = transport.send(url, _with(headers, sent), max(limit, _ERROR_LIMIT), head=head)
        if reply.status == 401:
            header = authority.answer(endpoint, repository.path, reply, sent)
            if header is not None and header != sent:
                reply = transport.send(url, _with(headers, header), max(limit, _ERROR_LIMIT), head=head)
        if reply.status == 200 and len(reply.body) > limit:
            raise misbehaved(reply, f"sends more than {limit} bytes")
        return reply

    def _http(self) -> "tuple[Transport, Authority]":
        """Connections and tokens; their import is slow, and where all is remembered nobody needs them."""
        with self._connecting:
            if self._connected is None:
                from argocd_provenance.oci.bearer import Authority  # noqa: PLC0415
                from argocd_provenance.oci.transport import Transport  # noqa: PLC0415

                transport = Transport(_by_address(self._hosts), self._deadline, sleep=self._sleep, lookup=self._lookup)
                self._connected = transport, Authority(transport, self._credentials)
            return self._connected

    def _endpoints(self, repository: Repository) -> tuple[Endpoint, ...]:
        if not self._permitted(repository.host):
            raise RegistryError(
                f"{repository.host} may not be asked: neither `registries` in the config nor a policy's image pattern names it",
                code="registry-forbidden",
            )
        return endpoints(repository, self._hosts)

    def _list(self, endpoint: Endpoint, repository: Repository, digest: Digest) -> Listing | Absent:
        """All pages, as far as we read them."""
        url, seen = f"{endpoint.base}/v2/{repository.path}/referrers/{digest}", list[str]()
        found: tuple[Descriptor, ...] = ()
        while True:
            seen.append(url)
            reply = self._ask(endpoint, repository, url, MANIFEST_LIMIT, {"Accept": OCI_INDEX})
            if (none := absent(reply)) is not None and not found:
                return none
            if reply.status != 200:
                raise refused(reply)
            index = _parsed(reply)
            if not isinstance(index, Index):
                raise misbehaved(reply, "the list of referrers is no index")
            found += index.manifests
            page = following(reply)
            if page is None:
                return Listing(found)
            if page in seen:
                raise misbehaved(reply, "the pages of referrers go round in a circle")
            if len(found) > REFERRERS or len(seen) >= _PAGES:
                return Listing(found, complete=False)
            url = page


_ACCEPT = {"Accept": ", ".join(ACCEPTED)}
_ERROR_LIMIT = 64 * 1024  # the body of a refusal may be longer than the blob that was asked for


def _parsed(reply: Reply) -> Manifest | Index:
    try:
        return parse_manifest(reply.body)
    except RegistryError as error:
        raise misbehaved(reply, str(error)) from None


def _check_digest(reply: Reply, digest: Digest) -> None:
    found = Digest.of(reply.body, digest.algorithm)
    if found != digest:
        raise DigestMismatch(
            f"{shown(reply.url)}: the registry sent {found}", status=reply.status, url=shown(reply.url)
        )
    _check_header(reply)


def _check_header(reply: Reply) -> None:
    """``Docker-Content-Digest``, where it stands, must say what the bytes say."""
    text = reply.headers.get("docker-content-digest", "").strip()
    if not text:
        return
    try:
        claimed = Digest(text)
    except InvalidReference:
        raise misbehaved(reply, "`Docker-Content-Digest` is no digest") from None
    found = Digest.of(reply.body, claimed.algorithm)
    if found != claimed:
        raise DigestMismatch(
            f"{shown(reply.url)}: the registry sent {found}, and says it is {claimed}",
            status=reply.status,
            url=shown(reply.url),
        )


def _with(headers: Mapping[str, str], authorization: str | None) -> Mapping[str, str]:
    return headers if authorization is None else {**headers, "Authorization": authorization}


def _by_address(hosts: Sequence[HostSettings]) -> dict[str, HostSettings]:
    """Settings by `registry_host` of what stands in a URL: Docker Hub listens under another name than its own."""
    return {registry_host(settings.host): settings for settings in hosts}
