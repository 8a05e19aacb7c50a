"""One question about a repository: put to its endpoints in order, answered to their challenge, the bytes checked.

One law: bytes are checked against their digest before anyone sees them, and other bytes than asked for are never made
good by the next endpoint.

Source: distribution-spec 1.1, "Pulling manifests" and "Pulling blobs".
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from argocd_provenance.errors import DigestMismatch, InvalidReference, RegistryError
from argocd_provenance.oci.descriptor import ACCEPTED, OCI_INDEX, Descriptor, Index, Manifest, parse_manifest
from argocd_provenance.oci.layout import answer as layout_answer
from argocd_provenance.oci.layout import is_layout
from argocd_provenance.oci.reference import Digest, Repository
from argocd_provenance.oci.replies import Reply, misbehaved, refused, shown
from argocd_provenance.oci.settings import Endpoint, HostSettings, endpoints
from argocd_provenance.records import dataclass

if TYPE_CHECKING:
    from argocd_provenance.oci.bearer import Authority
    from argocd_provenance.oci.transport import Transport

# No manifest, and no evidence, that we read comes near these; a longer one is an attack or a mistake.
MANIFEST_LIMIT = 4 * 1024 * 1024
BLOB_LIMIT = 16 * 1024 * 1024

_ACCEPT = {"Accept": ", ".join(ACCEPTED)}
_ERROR_LIMIT = 64 * 1024  # the body of a refusal may be longer than the blob that was asked for
_ANSWERS = 8  # to challenges, for one question


@dataclass(frozen=True, slots=True)
class Wire:
    """Connections, and what is said on them about who asks."""

    transport: "Transport"
    authority: "Authority"


class Questions:
    """What may be asked of the hosts that `permitted` lets through; `connect` is called once, when something is asked."""

    def __init__(
        self, hosts: Sequence[HostSettings], permitted: Callable[[str], bool], connect: Callable[[], Wire]
    ) -> None:
        self._hosts = tuple(hosts)
        self._permitted = permitted
        self._connect = connect
        self._places: dict[Repository, tuple[Endpoint, ...]] = {}
        self._connecting = threading.Lock()
        self._wire: Wire | None = None

    def close(self) -> None:
        """Close all connections."""
        with self._connecting:
            if self._wire is not None:
                self._wire.transport.close()

    def tag(self, repository: Repository, tag: str) -> tuple[Digest, Manifest | Index, bytes]:
        """The manifest under `tag`, the digest of its bytes, and those. Raises `RegistryError`."""
        reply = self._get(repository, f"manifests/{tag}", MANIFEST_LIMIT, _ACCEPT)
        digest = Digest.of(reply.body)
        _check_header(reply, digest)
        return digest, parsed(reply), reply.body

    def still(self, repository: Repository, tag: str, digest: Digest) -> bool:
        """Whether `tag` names `digest` now, by a HEAD request: it costs no body, and Docker Hub does not count it.

        `digest` must be one whose bytes were seen before; the registry's word is enough to say that nothing changed, and
        for nothing else. Raises `RegistryError`.
        """
        first = self.endpoints(repository)[0]
        url = f"{first.base}/v2/{first.path(repository)}/manifests/{tag}"
        reply = self._ask(first, repository, url, 0, _ACCEPT, method="HEAD")
        return reply.status == 200 and reply.headers.get("docker-content-digest", "").strip() == digest.text

    def manifest(self, repository: Repository, digest: Digest) -> tuple[Manifest | Index, bytes]:
        """The manifest `digest`, and its bytes. Raises `RegistryError`."""
        reply = self._get(repository, f"manifests/{digest}", MANIFEST_LIMIT, _ACCEPT)
        _check_digest(reply, digest)
        return parsed(reply), reply.body

    def blob(self, repository: Repository, descriptor: Descriptor) -> bytes:
        """The blob of `descriptor`, of its digest and size. Raises `RegistryError`."""
        reply = self._get(repository, f"blobs/{descriptor.digest}", descriptor.size, {})
        if len(reply.body) != descriptor.size:
            raise DigestMismatch(
                f"{shown(reply.url)}: {len(reply.body)} bytes, not {descriptor.size}", status=200, url=shown(reply.url)
            )
        _check_digest(reply, descriptor.digest)
        return reply.body

    def page(self, endpoint: Endpoint, repository: Repository, url: str) -> Reply:
        """The answer of the Referrers API at `url`, whatever its status."""
        return self._ask(endpoint, repository, url, MANIFEST_LIMIT, {"Accept": OCI_INDEX})

    def endpoints(self, repository: Repository) -> tuple[Endpoint, ...]:
        """Whom to ask. Raises `RegistryError` (``registry-forbidden``) before a packet leaves."""
        if not self._permitted(repository.host):
            raise RegistryError(
                f"{repository.host} may not be asked: neither `registries` in the config nor a policy's image pattern names it",
                code="registry-forbidden",
            )
        found = self._places.get(repository)
        if found is None:
            found = self._places[repository] = endpoints(repository, self._hosts)
        return found

    def _get(
        self, repository: Repository, what: str, limit: int, headers: Mapping[str, str], *, method: str = "GET"
    ) -> Reply:
        """A success from the first endpoint that has one; its bytes are for the caller to check."""
        candidates = self.endpoints(repository)
        for number, endpoint in enumerate(candidates, 1):
            try:
                url = f"{endpoint.base}/v2/{endpoint.path(repository)}/{what}"
                reply = self._ask(endpoint, repository, url, limit, headers, method=method)
                if reply.status != 200:
                    raise refused(reply)
            except RegistryError:
                if number == len(candidates):
                    raise
            else:
                return reply
        raise AssertionError("unreachable")

    def _ask(
        self,
        endpoint: Endpoint,
        repository: Repository,
        url: str,
        limit: int,
        headers: Mapping[str, str],
        *,
        method: str = "GET",
    ) -> Reply:
        """The answer, after our answers to the registry's challenges."""
        if is_layout(endpoint.base):
            return layout_answer(endpoint.base, url, limit)
        wire, path = self._wired(), endpoint.path(repository)
        sent = wire.authority.header(endpoint, path)
        for _ in range(_ANSWERS):
            reply = wire.transport.send(url, _with(headers, sent), max(limit, _ERROR_LIMIT), method=method)
            if reply.status != 401 and (reply.status != 403 or sent is None):
                wire.authority.accepted(sent)
                break
            header = wire.authority.answer(endpoint, path, reply, sent)
            if header is None or header == sent:
                break
            sent = header
        if reply.status == 200 and len(reply.body) > limit:
            raise misbehaved(reply, f"sends more than {limit} bytes")
        return reply

    def _wired(self) -> Wire:
        with self._connecting:
            if self._wire is None:
                self._wire = self._connect()
            return self._wire


def parsed(reply: Reply) -> Manifest | Index:
    """The manifest in `reply`. Raises `RegistryError` (``registry-misbehaved``)."""
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
    _check_header(reply, found)


def _check_header(reply: Reply, known: Digest) -> None:
    """``Docker-Content-Digest``, where it stands, must say what the bytes say, of which `known` is one digest."""
    text = reply.headers.get("docker-content-digest", "").strip()
    if not text:
        return
    try:
        claimed = Digest(text)
    except InvalidReference:
        raise misbehaved(reply, "`Docker-Content-Digest` is no digest") from None
    found = known if known.algorithm == claimed.algorithm else Digest.of(reply.body, claimed.algorithm)
    if found != claimed:
        raise DigestMismatch(
            f"{shown(reply.url)}: the registry sent {found}, and says it is {claimed}",
            status=reply.status,
            url=shown(reply.url),
        )


def _with(headers: Mapping[str, str], authorization: str | None) -> Mapping[str, str]:
    return headers if authorization is None else {**headers, "Authorization": authorization}
