"""Tokens: what a registry's challenge asks for, fetched from a token server that it may name, used on that host alone.

One law: credentials go to the registry's own host, a token server we know to be its own, or the operator's `realm`.

Source: distribution, "Token Authentication Specification"; RFC 9110, 11.6.1; Docker's OAuth2 variant for identity tokens.
"""

import math
import re
import threading
from urllib.parse import urlencode, urlsplit

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RegistryError, Unauthorized
from argocd_provenance.oci.credential import Credential
from argocd_provenance.oci.credentials import Credentials, Entry
from argocd_provenance.oci.once import Once
from argocd_provenance.oci.replies import Reply, refused, shown
from argocd_provenance.oci.settings import Endpoint, hostname, is_loopback
from argocd_provenance.oci.strictjson import NotJSONError, read_object
from argocd_provenance.oci.transport import Transport
from argocd_provenance.records import dataclass, field
from argocd_provenance.regex import regex

# Registries whose token server is on another host.
_REALMS = {
    "docker.io": "auth.docker.io",
    "registry.gitlab.com": "gitlab.com",
    "registry.digitalocean.com": "api.digitalocean.com",
    "lscr.io": "ghcr.io",
}

_HEADER = 8 * 1024
_TOKEN = 64 * 1024
_SECONDS = 60.0  # the specification's, where `expires_in` is absent
_MARGIN = 5.0  # a token is not sent when it could end on the way
_PARAMETER = regex(r'\s*,?\s*([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_SCHEME = regex(r"\s*,?\s*([A-Za-z0-9_-]+)(?:\s+|$|(?=,))")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge of a ``WWW-Authenticate`` header; names in lower case."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """The challenges of `header`; what cannot be read ends the list."""
    found: list[Challenge] = []
    text, at = header[:_HEADER], 0
    while at < len(text):
        parameter = _PARAMETER.match(text, at)
        if parameter is not None and found:
            quoted, plain = parameter[2], parameter[3]
            found[-1].parameters.setdefault(
                parameter[1].lower(), plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            )
            at = parameter.end()
            continue
        scheme = _SCHEME.match(text, at)
        if scheme is None or scheme.end() == at:
            break
        found.append(Challenge(scheme[1].lower()))
        at = scheme.end()
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Grant:
    """What to send to an endpoint for a repository: the `header`, until `end` (of the clock), by the `number`-th credential.

    `challenge` is what it answers.
    """

    header: str
    number: int
    end: float
    challenge: Challenge


class Authority:
    """The ``Authorization`` header for each endpoint and repository, once it is known what they ask for."""

    def __init__(self, transport: Transport, credentials: Credentials, deadline: Deadline) -> None:
        self._transport = transport
        self._credentials = credentials
        self._deadline = deadline
        self._grants: dict[tuple[str, str], Grant] = {}
        self._proved: set[str] = set()
        self._challenges: dict[str, Challenge] = {}
        self._lock = threading.Lock()
        self._locks: dict[tuple[str, str], threading.Lock] = {}
        self._revealed: Once[tuple[Entry, str], Credential | None] = Once(deadline)

    def header(self, endpoint: Endpoint, repository: str) -> str | None:
        """What to send for `repository` (its path there), if that is known; a token that is over is fetched anew.

        What the endpoint asked for about one repository it will ask for about the next: it is answered before.
        """
        with self._lock:
            grant = self._grants.get((endpoint.base, repository))
            challenge = grant.challenge if grant is not None else self._challenges.get(endpoint.base)
        if grant is not None and self._now() < grant.end:
            return grant.header
        if challenge is None:
            return None
        with self._turn(endpoint, repository):
            known = self._grants.get((endpoint.base, repository))
            if known is not None and known is not grant:
                return known.header
            return self._grant(endpoint, repository, (challenge,), 0 if grant is None else grant.number)

    def answer(self, endpoint: Endpoint, repository: str, refusal: Reply, sent: str | None) -> str | None:
        """The header that answers the `refusal` (401 or 403), or None when nothing more can be said to it.

        `sent` is what that request had: many threads ask at once, and one fetches the token. A token that was good
        before is fetched anew; otherwise the next of the credentials is tried, as kubelet does. Raises `Unauthorized`
        when the token server is not one of this registry's, or when a credential cannot be had.
        """
        with self._turn(endpoint, repository):
            known = self._grants.get((endpoint.base, repository))
            if known is not None and known.header != sent:
                return known.header
            challenges = parse_challenges(refusal.headers.get("www-authenticate", ""))
            if known is None:
                return self._grant(endpoint, repository, challenges, 0)
            again = refusal.status == 401 and sent in self._proved
            self._proved.discard(known.header)
            return self._grant(
                endpoint, repository, challenges or (known.challenge,), known.number if again else known.number + 1
            )

    def accepted(self, header: str | None) -> None:
        """A request that had `header` was not refused for who asked."""
        if header is not None:
            self._proved.add(header)

    # -- grants --------------------------------------------------------------------------------------------------------

    def _grant(self, endpoint: Endpoint, repository: str, challenges: tuple[Challenge, ...], number: int) -> str | None:
        """The header by the credential `number`, or the first after it that its token server takes."""
        entries = self._credentials.matching(endpoint.host, repository) if endpoint.may_authenticate else ()
        for challenge in challenges:
            if challenge.scheme not in ("bearer", "basic"):
                continue
            for at in range(number, max(1, len(entries))):
                last = at + 1 >= len(entries)
                credential = self._reveal(entries[at], endpoint.host) if entries else None
                try:
                    found = self._header(endpoint, repository, challenge, credential)
                except Unauthorized:
                    if last:
                        raise
                    continue
                if found is not None:
                    self._remember(endpoint, repository, Grant(found[0], at, found[1], challenge))
                    return found[0]
            return None
        return None

    def _header(
        self, endpoint: Endpoint, repository: str, challenge: Challenge, credential: Credential | None
    ) -> tuple[str, float] | None:
        """The header, and until when it holds."""
        if challenge.scheme == "bearer":
            return self._token(endpoint, repository, challenge, credential)
        return (credential.basic, math.inf) if credential is not None and credential.username else None

    def _remember(self, endpoint: Endpoint, repository: str, grant: Grant) -> None:
        with self._lock:
            self._grants[endpoint.base, repository] = grant
            self._challenges[endpoint.base] = grant.challenge

    def _reveal(self, entry: Entry, host: str) -> Credential | None:
        """A helper is asked once a run for each host."""
        return self._revealed.fetch((entry, host), lambda: entry.reveal(host, self._deadline.remaining()))

    def _turn(self, endpoint: Endpoint, repository: str) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault((endpoint.base, repository), threading.Lock())

    def _now(self) -> float:
        return self._deadline.seconds - self._deadline.remaining()

    def _token(
        self, endpoint: Endpoint, repository: str, challenge: Challenge, credential: Credential | None
    ) -> tuple[str, float]:
        realm = challenge.parameters.get("realm", "")
        if not realm_allowed(realm, endpoint):
            raise Unauthorized(
                f"{endpoint.host} names a token server on another host ({shown(realm)[:200]!r}); if it is right, set `realm` for this registry in the config",
                status=401,
                url=endpoint.base,
            )
        # The scope is ours, not the challenge's: no token is asked for that could do more than read.
        fields = {"service": challenge.parameters.get("service", ""), "scope": f"repository:{repository}:pull"}
        since = self._now()
        if credential is not None and credential.identity_token:
            form = {
                **fields,
                "grant_type": "refresh_token",
                "client_id": "argocd-provenance",
                "refresh_token": credential.identity_token,
            }
            reply = self._transport.send(realm, {}, _TOKEN, form=form, follow=False)
        else:
            headers = {} if credential is None else {"Authorization": credential.basic}
            joint = "&" if urlsplit(realm).query else "?"
            reply = self._transport.send(f"{realm}{joint}{urlencode(fields)}", headers, _TOKEN, follow=False)
        token, seconds = _token_of(reply)
        return f"Bearer {token}", since + seconds


def realm_allowed(realm: str, endpoint: Endpoint) -> bool:
    """Whether the token server `realm` belongs to the registry at `endpoint`."""
    try:
        parts = urlsplit(realm)
        port = parts.port
    except ValueError:
        return False
    own = urlsplit(endpoint.base)
    name = parts.hostname or ""
    if not name or "@" in parts.netloc or port == 0 or parts.fragment:
        return False
    if parts.scheme == "http":
        # Plain http stays on this machine, and on the address that the registry itself has.
        return own.scheme == "http" and is_loopback(own.netloc) and name == own.hostname
    if parts.scheme != "https":
        return False
    named = endpoint.settings.realm or ""
    operators = (urlsplit(named).hostname or "") if "://" in named else hostname(named)
    return name in {own.hostname, _REALMS.get(endpoint.host), operators}


def _token_of(reply: Reply) -> tuple[str, float]:
    """The token, and for how many seconds it may be sent."""
    if reply.status != 200:
        error = refused(reply)
        raise Unauthorized(str(error), status=reply.status, url=error.url) if reply.status in (400, 404) else error
    try:
        value = read_object(reply.body)
    except NotJSONError as error:
        raise RegistryError(
            f"{shown(reply.url)}: {error}", code="registry-misbehaved", status=200, url=shown(reply.url)
        ) from None
    token = value.get("token") or value.get("access_token")
    if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
        raise RegistryError(
            f"{shown(reply.url)}: no token in the answer", code="registry-misbehaved", status=200, url=shown(reply.url)
        )
    seconds = value.get("expires_in")
    given = isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 < seconds < 10**9
    return token, max(1.0, (float(seconds) if given and seconds else _SECONDS) - _MARGIN)
