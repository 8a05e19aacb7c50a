"""What a registry's refusal means in our words. Pure: an answer in, a `RegistryError` out.

One law: what a stranger wrote is cut, and printable, before it reaches a message; a URL is named without its query.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from argocd_provenance.errors import NotFound, RegistryError, Unauthorized
from argocd_provenance.oci.strictjson import NotJSONError, read_object
from argocd_provenance.records import dataclass

_MESSAGE = 200


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: `headers` by lower-case name, `url` as asked last, `address` as connected to (empty by a proxy)."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    address: str = ""

    @property
    def media_type(self) -> str:
        """The Content-Type without parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


def shown(url: str) -> str:
    """`url` without query, fragment, user and password."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def error_codes(body: bytes) -> tuple[tuple[str, str], ...]:
    """The (code, message) pairs of an error body; none when it is no such body.

    distribution-spec 1.1, "Error Codes".
    """
    try:
        errors = read_object(body).get("errors")
    except NotJSONError:
        return ()
    if not isinstance(errors, list):
        return ()
    entries = [entry for entry in errors[:8] if isinstance(entry, dict)]
    return tuple((_clean(str(entry.get("code", ""))), _clean(str(entry.get("message", "")))) for entry in entries)


def refused(reply: Reply) -> RegistryError:
    """The error that `reply`, whose status is no success, stands for."""
    said = "; ".join(f"{code}: {message}" if message else code for code, message in error_codes(reply.body))
    url, status = shown(reply.url), reply.status
    text = f"{url}: {status}" + (f" ({said})" if said else "")
    if status in (401, 403):
        return Unauthorized(f"{text}: it does not exist, or other credentials are needed", status=status, url=url)
    if status == 404:
        return NotFound(text, status=status, url=url)
    if status == 429:
        return RegistryError(f"{text}: asked too often", code="registry-throttled", status=status, url=url)
    return RegistryError(text, status=status, url=url)


def misbehaved(reply: Reply, why: str) -> RegistryError:
    """The error for a success that is not what was asked for."""
    return RegistryError(
        f"{shown(reply.url)}: {why}", code="registry-misbehaved", status=reply.status, url=shown(reply.url)
    )


def _clean(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_MESSAGE])
