"""Tokens: what a registry's challenge asks for, fetched from a token server that it may name, used on that host alone.

One law: credentials go to the registry's own host, a token server we know to be its own, or the operator's `realm`.

Source: distribution, "Token Authentication Specification"; RFC 9110, 11.6.1; Docker's OAuth2 variant for identity tokens.
"""

import re
import threading
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from argocd_provenance.errors import RegistryError, Unauthorized
from argocd_provenance.oci.credentials import Credential, Credentials
from argocd_provenance.oci.replies import Reply, refused, shown
from argocd_provenance.oci.settings import Endpoint, hostname, is_loopback
from argocd_provenance.oci.strictjson import NotJSONError, read_object
from argocd_provenance.oci.transport import Transport

# Registries whose token server is on another host.
_REALMS = {"docker.io": "auth.docker.io", "registry.gitlab.com": "gitlab.com"}

_HEADER = 8 * 1024
_TOKEN = 64 * 1024
_PARAMETER = re.compile(r'\s*,?\s*([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_SCHEME = re.compile(r"\s*,?\s*([A-Za-z0-9_-]+)(?:\s+|$|(?=,))")


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


class Authority:
    """The ``Authorization`` header for each endpoint and repository, once it is known what they ask for."""

    def __init__(self, transport: Transport, credentials: Credentials) -> None:
        self._transport = transport
        self._credentials = credentials
        self._known: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()
        self._locks: dict[tuple[str, str], threading.Lock] = {}

    def header(self, endpoint: Endpoint, path: str) -> str | None:
        """What to send for the repository `path`, if it is known."""
        with self._lock:
            return self._known.get((endpoint.base, path)) or self._known.get((endpoint.base, ""))

    def answer(self, endpoint: Endpoint, path: str, refusal: Reply, sent: str | None) -> str | None:
        """The header that answers the 401 in `refusal`, or None when nothing can be said to it.

        `sent` is what that request had: many threads ask at once, and one fetches the token. Raises `Unauthorized` when
        the token server is not one of this registry's, or when credentials are kept where we do not look.
        """
        key = (endpoint.base, path)
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            known = self.header(endpoint, path)
            if known != sent:
                return known
            credential = self._credentials.of(endpoint.host) if endpoint.may_authenticate else None
            for challenge in parse_challenges(refusal.headers.get("www-authenticate", "")):
                if challenge.scheme == "bearer":
                    return self._remember(key, self._token(endpoint, path, challenge, credential))
                if challenge.scheme == "basic" and credential is not None and credential.username:
                    return self._remember((endpoint.base, ""), credential.basic)
            return None

    def _remember(self, key: tuple[str, str], header: str) -> str:
        with self._lock:
            self._known[key] = header
        return header

    def _token(self, endpoint: Endpoint, path: str, challenge: Challenge, credential: Credential | None) -> str:
        realm = challenge.parameters.get("realm", "")
        if not realm_allowed(realm, endpoint):
            raise Unauthorized(
                f"{endpoint.host} names a token server on another host ({shown(realm)[:200]!r}); if it is right, set `realm` for this registry in the config",
                status=401,
                url=endpoint.base,
            )
        # The scope is ours, not the challenge's: no token is asked for that could do more than read.
        fields = {"service": challenge.parameters.get("service", ""), "scope": f"repository:{path}:pull"}
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
        return f"Bearer {_token_of(reply)}"


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


def _token_of(reply: Reply) -> str:
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
    return token
