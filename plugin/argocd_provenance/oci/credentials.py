"""Credentials as people have them: docker's ``config.json``, Kubernetes pull secrets, credential helpers, password files.

One law: each belongs to a host, and where it says so to a path; it is given to nobody else, and nothing secret is in a
`repr` or a message.

Formats: docker/cli, ``cli/config/configfile/file.go``; kubernetes, ``pkg/credentialprovider/config.go`` (``.dockerconfigjson``,
``.dockercfg``) and ``keyring.go`` (which of several fits an image: globs in each part of the host, paths from the left).
"""

import base64
import binascii
import fnmatch
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from argocd_provenance.errors import OperatorError, Unauthorized
from argocd_provenance.oci import credentialprogram
from argocd_provenance.oci.credential import Credential
from argocd_provenance.oci.reference import Repository, registry_host
from argocd_provenance.oci.settings import Endpoint, HostSettings, endpoints
from argocd_provenance.oci.strictjson import NotJSONError, read_object
from argocd_provenance.records import dataclass, field
from argocd_provenance.regex import regex

Kind = Literal["password", "identity token", "credential helper", "password file"]

_HUB = "https://index.docker.io/v1/"
_LONGEST_SECRET = 64 * 1024
_KEY = regex(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9*?_.-]+)(:[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Entry:
    """One credential, or where it is: for `host` (a glob in each of its parts) below `path`, or for `every` host.

    `source` is the file it stands in, `key` what it is called there.
    """

    host: str
    path: str
    source: str
    key: str
    kind: Kind
    credential: Credential | None = field(default=None, repr=False)
    program: str = ""
    server: str = ""
    username: str = ""
    file: str = ""
    every: bool = False

    def fits(self, host: str, path: str) -> bool:
        """Whether it is meant for the repository `path` of `host`."""
        if self.every:
            return True
        below = not self.path or path == self.path or path.startswith(f"{self.path}/")
        return below and (self.host == host or _glob(self.host, host))

    def reveal(self, host: str, seconds: float) -> Credential | None:
        """The credential itself; None where a helper knows none. Raises `Unauthorized` within about `seconds`."""
        if self.kind == "credential helper":
            server = self.server or (_HUB if host == "docker.io" else host)
            return credentialprogram.ask(self.program, server, seconds)
        if self.kind == "password file":
            return Credential(self.username, _secret(self.file))
        return self.credential


@dataclass(frozen=True, slots=True)
class Choice:
    """Which credential is used at `endpoint` for a repository, without what it is; `entry` is None for an anonymous one."""

    endpoint: str
    entry: Entry | None
    why: str = ""
    """Why none is used, where that is a rule of ours."""

    def __str__(self) -> str:
        if self.entry is None:
            return f"{self.endpoint}: anonymous" + (f" ({self.why})" if self.why else "")
        program = f" docker-credential-{self.entry.program}" if self.entry.program else ""
        return f"{self.endpoint}: {self.entry.kind}{program}, key {self.entry.key!r} of {self.entry.source}"


@dataclass(frozen=True, slots=True)
class Credentials:
    """All entries, in the order in which the files were read."""

    entries: tuple[Entry, ...] = ()

    @classmethod
    def for_host(cls, host: str, credential: Credential) -> "Credentials":
        """One credential for one host."""
        return cls((Entry(registry_host(host), "", "-", host, "password", credential),))

    @classmethod
    def load(cls, folder: Path) -> "Credentials":
        """What lies in `folder`: ``config.json``, and pull secrets as Kubernetes mounts them, here or one folder deeper.

        No folder, no credentials. Raises `OperatorError` for a file that cannot be read or understood.
        """
        found: list[Entry] = []
        for file in _files(folder):
            try:
                content = file.read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise OperatorError(f"{file}: {error.strerror}") from None
            found += parse(content, str(file), legacy=file.name == ".dockercfg")
        return cls(tuple(found))

    def with_settings(self, hosts: Iterable[HostSettings]) -> "Credentials":
        """These, after what ``registries`` in the config says about its hosts."""
        own = tuple(
            Entry(
                h.host, "", h.password_file, "passwordFile", "password file", username=h.username, file=h.password_file
            )
            for h in hosts
            if h.password_file is not None
        )
        return Credentials(own + self.entries)

    def matching(self, host: str, path: str) -> tuple[Entry, ...]:
        """Those for the repository `path` of `host`, the closest first: kubelet tries them in this order, and so do we."""
        name = registry_host(host)
        return tuple(sorted((entry for entry in self.entries if entry.fits(name, path)), key=_closeness))

    def choices(self, repository: Repository, hosts: Sequence[HostSettings]) -> tuple[Choice, ...]:
        """For each endpoint of `repository`, in order, the credential that is tried first when the registry asks for one."""
        return tuple(self._choice(repository, endpoint) for endpoint in endpoints(repository, hosts))

    def _choice(self, repository: Repository, endpoint: Endpoint) -> Choice:
        where = f"{endpoint.base}/v2/{endpoint.path(repository)}"
        if not endpoint.may_authenticate:
            return Choice(where, None, "files" if not endpoint.host else "plain http carries no credentials")
        found = self.matching(endpoint.host, endpoint.path(repository))
        return Choice(where, found[0] if found else None)


def parse(content: bytes, origin: str = "config.json", *, legacy: bool = False) -> tuple[Entry, ...]:
    """The entries of a config.json, or of a ``.dockercfg`` (`legacy`); `OperatorError` names `origin`, and no content."""
    try:
        value = read_object(content)
    except NotJSONError as error:
        raise OperatorError(f"{origin}: {error}") from None
    value = {"auths": value} if legacy else value
    auths, programs = value.get("auths") or {}, value.get("credHelpers") or {}
    store = value.get("credsStore") or ""
    if not isinstance(auths, dict) or not isinstance(programs, dict) or not isinstance(store, str):
        raise OperatorError(f"{origin}: `auths` and `credHelpers` are objects, `credsStore` is a text")
    found: list[Entry] = []
    for key, program in programs.items():
        if not isinstance(program, str):
            raise OperatorError(f"{origin}: credHelpers[{key!r}]: not the name of a credential helper")
        found += [Entry(*at, origin, key, "credential helper", program=program, server=key) for at in _places(key)]
    for key, entry in auths.items():
        credential = _credential(entry, f"{origin}: auths[{key!r}]")
        if credential is not None:
            kind: Kind = "identity token" if credential.identity_token else "password"
            found += [Entry(*at, origin, key, kind, credential) for at in _places(key)]
    if store:
        found.append(Entry("", "", origin, "credsStore", "credential helper", program=store, every=True))
    return tuple(found)


def _files(folder: Path) -> list[Path]:
    """Where credentials lie in `folder`. A mounted Secret keeps its versions in folders such as ``..data``: left out."""
    names = ("config.json", ".dockerconfigjson", ".dockercfg")
    found = [folder / name for name in names]
    try:
        deeper = sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError:
        deeper = []
    return found + [inner / name for inner in deeper for name in names[1:]]


def _credential(entry: Any, place: str) -> Credential | None:
    if not isinstance(entry, dict) or not all(
        isinstance(entry.get(name, ""), str) for name in ("auth", "username", "password", "identitytoken")
    ):
        raise OperatorError(f"{place}: not an object of texts")
    username, password = entry.get("username", ""), entry.get("password", "")
    if entry.get("auth"):
        try:
            decoded = base64.b64decode(entry["auth"], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError, ValueError):
            raise OperatorError(f"{place}: `auth` is not base64 of user:password") from None
        username, colon, password = decoded.partition(":")
        if not colon:
            raise OperatorError(f"{place}: `auth` is not base64 of user:password")
        password = password.strip("\0")  # as docker/cli's decodeAuth
    credential = Credential(username, password, entry.get("identitytoken", ""))
    return credential if credential != Credential() else None


def _places(key: str) -> list[tuple[str, str]]:
    """Host and path that a key means, if it is one.

    ``/v1/`` and ``/v2/`` are no path; Docker Hub's ``https://index.docker.io/v1/`` is docker.io (docker/cli:
    ConvertToHostname; kubernetes: BasicDockerKeyring.Add).
    """
    text = key.removeprefix("https://").removeprefix("http://")
    host, _, path = text.partition("/")
    if not _KEY.fullmatch(host):
        return []
    path = f"{path}/".removeprefix("v1/").removeprefix("v2/").strip("/")
    return [(registry_host(host.lower()), path)]


def _glob(pattern: str, host: str) -> bool:
    """kubernetes, ``URLsMatch``: as many parts, each of which fits, and the same port."""
    if not ("*" in pattern or "?" in pattern):
        return False
    (wanted, _, wanted_port), (name, _, port) = pattern.partition(":"), host.partition(":")
    parts, given = wanted.split("."), name.split(".")
    return (
        wanted_port == port
        and len(parts) == len(given)
        and all(fnmatch.fnmatchcase(one, part) for one, part in zip(given, parts, strict=True))
    )


def _closeness(entry: Entry) -> tuple[bool, bool, int, int]:
    """A named host before a glob before the store for all; the longer path first; the longer glob first."""
    globbed = "*" in entry.host or "?" in entry.host
    return (entry.every, globbed, -len(entry.path), -len(entry.host))


def _secret(file: str) -> str:
    try:
        with Path(file).open("rb") as opened:
            content = opened.read(_LONGEST_SECRET + 1)
        text = content.decode().strip()
    except OSError as error:
        raise Unauthorized(f"passwordFile {file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Unauthorized(f"passwordFile {file} is not text") from None
    if not text or len(content) > _LONGEST_SECRET:
        raise Unauthorized(f"passwordFile {file} holds no password")
    return text
