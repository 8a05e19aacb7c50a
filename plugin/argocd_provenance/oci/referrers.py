"""The Referrers API of a registry: whether there is one, and where its next page is.

Distribution-spec 1.1, "Listing Referrers". One law: a host that lacks the API is asked once a run, whoever asks.
"""

import re
import threading
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

from argocd_provenance.deadline import Deadline
from argocd_provenance.oci.descriptor import OCI_INDEX, Descriptor, Index
from argocd_provenance.oci.gathered import REFERRERS, Listing
from argocd_provenance.oci.questions import parsed
from argocd_provenance.oci.redirects import same_origin
from argocd_provenance.oci.reference import Digest, Repository
from argocd_provenance.oci.remembered import Remembered
from argocd_provenance.oci.replies import Reply, error_codes, misbehaved, refused
from argocd_provenance.oci.settings import Endpoint
from argocd_provenance.regex import regex

_PAGES = 16
_LINK = regex(r'<([^>]*)>\s*;[^,]*\brel="?next"?', re.IGNORECASE)
# What a registry that has the Referrers API says of a repository or digest: it is no word about the API.
_ABOUT_CONTENT = frozenset({"NAME_UNKNOWN", "NAME_INVALID", "MANIFEST_UNKNOWN", "DIGEST_INVALID"})


class Absent:
    """The Referrers API gave nothing usable; `everywhere` when that holds for the whole host."""

    def __init__(self, *, everywhere: bool) -> None:
        self.everywhere = everywhere


class ReferrersApi:
    """Remembers per host that the API is missing: one thread asks first, the others wait for what it learns."""

    def __init__(self, deadline: Deadline, remembered: Remembered) -> None:
        self._deadline, self._remembered = deadline, remembered
        self._lock = threading.Lock()
        self._probed: dict[str, threading.Event] = {}
        self._missing: set[str] = set()

    def ask(self, base: str, ask: Callable[[], Listing | Absent]) -> Listing | None:
        """What `ask` returns, unless the host is known to lack the API."""
        with self._lock:
            first = base not in self._probed
            probed = self._probed.setdefault(base, threading.Event())
        if not first:
            probed.wait(self._deadline.remaining())
            self._deadline.check(f"{base} was asked for referrers")
            if base in self._missing:
                return None
        try:
            if first and self._remembered.lacks_referrers(base):
                self._missing.add(base)
                return None
            answer = ask()
            if isinstance(answer, Listing):
                return answer
            if answer.everywhere:
                self._missing.add(base)
                self._remembered.keep_lack_of_referrers(base)
            return None
        finally:
            probed.set()


def pages(
    ask: Callable[[Endpoint, Repository, str], Reply], endpoint: Endpoint, repository: Repository, digest: Digest
) -> Listing | Absent:
    """All pages of what refers to `digest`, as far as we read them. Raises `RegistryError`."""
    url, seen = f"{endpoint.base}/v2/{endpoint.path(repository)}/referrers/{digest}", list[str]()
    found: tuple[Descriptor, ...] = ()
    while True:
        seen.append(url)
        reply = ask(endpoint, repository, url)
        if (none := absent(reply)) is not None and not found:
            return none
        if reply.status != 200:
            raise refused(reply)
        index = parsed(reply)
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


def absent(reply: Reply) -> Absent | None:
    """Whether `reply` means that there is no Referrers API (go-containerregistry: pkg/v1/remote/referrers.go)."""
    if reply.status == 200:
        return None if reply.media_type == OCI_INDEX else Absent(everywhere=True)
    if reply.status in (400, 404, 405, 406):
        return Absent(everywhere=not any(code in _ABOUT_CONTENT for code, _ in error_codes(reply.body)))
    return None


def following(reply: Reply) -> str | None:
    """The next page, which must be on the same host (RFC 8288)."""
    match = _LINK.search(reply.headers.get("link", "")[:4096])
    if match is None:
        return None
    url: str = urljoin(reply.url, match[1])
    try:
        same = same_origin(urlsplit(reply.url), urlsplit(url))
    except ValueError:
        same = False
    if not same:
        raise misbehaved(reply, "the next page of referrers is on another host")
    return url
