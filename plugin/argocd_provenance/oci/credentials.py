"""Credentials from a docker ``config.json``, each bound to one host.

One law: nothing secret is in a `repr` or a message.

Format: docker/cli, ``cli/config/configfile/file.go``; credential helpers are named, but not run.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from argocd_provenance.errors import OperatorError, Unauthorized
from argocd_provenance.oci.reference import registry_host
from argocd_provenance.oci.strictjson import NotJSONError, read_object


@dataclass(frozen=True, slots=True)
class Credential:
    """A user and password, or an identity token that a token server trades for another."""

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The value of an ``Authorization: Basic`` header."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a config.json says about each host: a credential, or the helper that would know it."""

    known: Mapping[str, Credential] = field(default_factory=dict, repr=False)
    helpers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read `path`, a config.json or the folder it is in. A missing file is no credentials.

        Raises `OperatorError` for a file that cannot be read or understood.
        """
        file = path / "config.json" if path.is_dir() else path
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            return cls()
        except OSError as error:
            raise OperatorError(f"{file}: {error.strerror}") from None
        return cls.parse(content, str(file))

    @classmethod
    def parse(cls, content: bytes, origin: str = "config.json") -> Self:
        """Read the bytes of a config.json; `OperatorError` names `origin`, and no content."""
        try:
            value = read_object(content)
        except NotJSONError as error:
            raise OperatorError(f"{origin}: {error}") from None
        auths, helpers = value.get("auths") or {}, value.get("credHelpers") or {}
        store = value.get("credsStore") or ""
        if not isinstance(auths, dict) or not isinstance(helpers, dict) or not isinstance(store, str):
            raise OperatorError(f"{origin}: `auths` and `credHelpers` are objects, `credsStore` is a text")
        known: dict[str, Credential] = {}
        named = {_host(key): str(helper) for key, helper in helpers.items()}
        for key, entry in auths.items():
            credential = _credential(entry, f"{origin}: auths[{key!r}]")
            if credential is not None:
                known[_host(key)] = credential
            elif store:
                named.setdefault(_host(key), store)
        return cls(known, named)

    def of(self, host: str) -> Credential | None:
        """The credential of `host`, or None. `Unauthorized` when only a credential helper would know it."""
        name = _host(host)
        if name in self.helpers and name not in self.known:
            raise Unauthorized(
                f"the credentials of {name} are kept by the credential helper {self.helpers[name][:60]!r}, and helpers are not run; "
                "put user and password under `auths` of the docker config.json"
            )
        return self.known.get(name)


def _credential(entry: Any, place: str) -> Credential | None:
    if not isinstance(entry, dict) or not all(
        isinstance(entry.get(name, ""), str) for name in ("auth", "username", "password", "identitytoken")
    ):
        raise OperatorError(f"{place}: not an object of texts")
    username, password = entry.get("username", ""), entry.get("password", "")
    if entry.get("auth"):
        try:
            decoded = base64.b64decode(entry["auth"], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise OperatorError(f"{place}: `auth` is not base64 of user:password") from None
        username, colon, password = decoded.partition(":")
        if not colon:
            raise OperatorError(f"{place}: `auth` is not base64 of user:password")
        password = password.strip("\0")  # as docker/cli's decodeAuth
    credential = Credential(username, password, entry.get("identitytoken", ""))
    return credential if credential != Credential() else None


def _host(key: str) -> str:
    """The host that a key of ``auths`` means: ``https://index.docker.io/v1/`` is docker.io (docker/cli: ConvertToHostname)."""
    host = key.removeprefix("https://").removeprefix("http://").partition("/")[0]
    return registry_host(host)
