"""Image references and digests, by the grammar of the distribution project.

Parsing is strict and total: any text gives a `Reference`, or `InvalidReference`.

Grammar: distribution/reference, ``regexp.go`` and ``reference.go``; defaults: its ``normalize.go``, which is what the
kubelet applies (kubernetes, ``pkg/util/parsers/parsers.go``).
"""

from typing import Self

from argocd_provenance.errors import InvalidReference
from argocd_provenance.records import dataclass
from argocd_provenance.regex import regex

_HEX_LENGTH = {"sha256": 64, "sha384": 96, "sha512": 128}
_DIGEST = regex(r"(sha256|sha384|sha512):([0-9a-f]+)")

_LABEL = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = rf"{_COMPONENT}(?:/{_COMPONENT})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_HOST_PATTERN = regex(_HOST)
_PATH_PATTERN = regex(_PATH)
_TAG_PATTERN = regex(_TAG)
_REFERENCE = regex(rf"(?:(?P<host>{_HOST})/)?(?P<path>{_PATH})(?::(?P<tag>{_TAG}))?(?:@(?P<digest>.+))?")

# `RepositoryNameTotalLengthMax` of distribution/reference; a host is no longer than a DNS name.
_NAME_LENGTH = 255
# Host, path, tag and the longest digest; what is longer is refused before any pattern sees it.
_LENGTH = 2 * _NAME_LENGTH + 128 + 7 + 128 + 3

_DEFAULT_HOST = "docker.io"
_LEGACY_HOST = "index.docker.io"
_HUB_HOSTS = frozenset({_LEGACY_HOST, "registry-1.docker.io"})
# Loopback registries speak http unless told otherwise, where 443 is a port like any.
_LOOPBACK = regex(r"localhost|127\..*|\[::1\]")
_HTTPS = 443
_IDENTIFIER = regex(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """The address of some bytes by their content: ``sha256:<64 hex digits>``, or sha384, sha512."""

    text: str

    def __post_init__(self) -> None:
        match = _DIGEST.fullmatch(self.text)
        if match is None or len(match[2]) != _HEX_LENGTH[match[1]]:
            raise InvalidReference(f"not a digest: {self.text[:200]!r}")

    @classmethod
    def of(cls, content: bytes, algorithm: str = "sha256") -> Self:
        """The digest that `content` has."""
        import hashlib  # noqa: PLC0415 - OpenSSL, which a run without images does without

        return cls(f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}")

    @property
    def algorithm(self) -> str:
        """``sha256``, ``sha384`` or ``sha512``."""
        return self.text.partition(":")[0]

    @property
    def hex(self) -> str:
        """The digits after the colon."""
        return self.text.partition(":")[2]

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, order=True)
class Repository:
    """A named set of manifests and blobs on a host: ``docker.io`` and ``library/nginx``. The host may carry a port."""

    host: str
    path: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "host", registry_host(self.host))
        if len(self.host) > _NAME_LENGTH or _HOST_PATTERN.fullmatch(self.host) is None:
            raise InvalidReference(f"not a registry host: {self.host[:200]!r}")
        if len(self.path) > _NAME_LENGTH or _PATH_PATTERN.fullmatch(self.path) is None:
            raise InvalidReference(f"not a repository path: {self.path[:200]!r}")

    @classmethod
    def parse(cls, text: str) -> "Repository":
        """The repository that `text` names, with the defaults of `Reference.parse`; a tag or a digest is refused."""
        reference = Reference.parse(text)
        if reference.tag is not None or reference.digest is not None:
            raise InvalidReference(f"a repository has neither tag nor digest: {text[:200]!r}")
        return reference.repository

    @property
    def name(self) -> str:
        """Host and path: ``docker.io/library/nginx``."""
        return f"{self.host}/{self.path}"

    @property
    def familiar(self) -> str:
        """The name as people write it: without ``docker.io/``, and without its ``library/``."""
        if self.host != _DEFAULT_HOST:
            return self.name
        namespace, _, rest = self.path.partition("/")
        return rest if namespace == "library" and rest and "/" not in rest else self.path

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Parts:
    """What the grammar alone sees in a text: no default host, no ``library/``. `host` may be empty."""

    host: str
    path: str
    tag: str | None
    digest: Digest | None


def split(text: str, written: str = "") -> Parts:
    """The parts of `text` by the grammar alone, as ``reference.Parse`` upstream; `InvalidReference` when it has none.

    `written` is what people wrote, for messages, where `text` has defaults in it.
    """
    said = written or text
    match = _REFERENCE.fullmatch(text) if len(text) <= _LENGTH else None
    if match is None:
        raise InvalidReference(f"not an image reference: {said[:200]!r}{_hint(said)}")
    if "/" in (match["digest"] or ""):
        raise InvalidReference(f"not an image reference: {said[:200]!r}; an image reference names no user")
    if len(match["path"]) > _NAME_LENGTH:
        raise InvalidReference(f"the repository name is longer than {_NAME_LENGTH} characters: {text[:60]!r}…")
    digest = None if match["digest"] is None else Digest(match["digest"])
    return Parts(match["host"] or "", match["path"], match["tag"], digest)


@dataclass(frozen=True, slots=True)
class Reference:
    """What an image field says: a repository, and the tag, the digest, both or neither; `written` is the text itself.

    Beside a digest the tag is a note for people: nothing proves it.
    """

    repository: Repository
    tag: str | None
    digest: Digest | None
    written: str

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """The reference that a cluster would read in `text`.

        Raises `InvalidReference`. Defaults as ``ParseNormalizedNamed``: a first component with a dot, a colon or a
        capital letter, or ``localhost``, is a host; without one the host is docker.io, and one word is in ``library/``.
        """
        if _IDENTIFIER.fullmatch(text):
            raise InvalidReference(f"64 hex digits are an image ID, not a repository: {text!r}")
        host, remainder = _split_host(text)
        parts = split(f"{host}/{remainder}", text)
        if parts.host != host:
            # Upstream takes such a host (``foo_bar.com``) for the begin of the path; whom a node asks then is anybody's guess.
            raise InvalidReference(f"not a registry host: {host[:200]!r}")
        if registry_host(host) == _DEFAULT_HOST != host and "/" not in parts.path:
            # A node asks Docker Hub for just that name then, without `library/`, and there is none such.
            raise InvalidReference(
                f"Docker Hub has no such repository: {text[:200]!r}; write {parts.path} without a host"
            )
        return cls(Repository(parts.host, parts.path), parts.tag, parts.digest, text)

    @property
    def effective_tag(self) -> str | None:
        """The tag that is asked for: ``latest`` when neither tag nor digest is written."""
        return "latest" if self.tag is None and self.digest is None else self.tag

    @property
    def canonical(self) -> str:
        """The name with its digest, else with its tag: what ``ParseDockerRef`` gives, and all that identifies the image."""
        return f"{self.repository}:{self.effective_tag}" if self.digest is None else f"{self.repository}@{self.digest}"

    def pinned(self, digest: Digest) -> str:
        """The text as written with ``@digest``; as it is when it has that digest. Another digest is a `ValueError`."""
        if self.digest is None:
            return f"{self.written}@{digest}"
        if self.digest != digest:
            raise ValueError(f"{self.written} has another digest than {digest}")
        return self.written

    def __str__(self) -> str:
        tag = "" if self.tag is None else f":{self.tag}"
        return f"{self.repository}{tag}" if self.digest is None else f"{self.repository}{tag}@{self.digest}"


def registry_host(host: str) -> str:
    """The one spelling of `host` that rules are compared by: lower case, no ``:443``, Docker Hub as ``docker.io``.

    A node asks the same registry whichever is written, so no rule may be passed by with another spelling. A single
    word keeps its capital: that alone makes it a host.
    """
    lower = host.lower()
    host = lower if "." in lower or ":" in lower or lower == "localhost" else host
    name, _, port = host.rpartition(":")
    if len(port) <= 5 and port.isdecimal() and int(port) == _HTTPS and not _LOOPBACK.fullmatch(name):
        host = name
    return _DEFAULT_HOST if host in _HUB_HOSTS else host


def is_tag(text: str) -> bool:
    """Whether `text` could be a tag."""
    return _TAG_PATTERN.fullmatch(text) is not None


def _split_host(text: str) -> tuple[str, str]:
    """``splitDockerDomain`` of distribution/reference's normalize.go."""
    first, slash, rest = text.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first or first.lower() != first):
        host, remainder = (_DEFAULT_HOST if first == _LEGACY_HOST else first), rest
    else:
        host, remainder = _DEFAULT_HOST, text
    return host, f"library/{remainder}" if host == _DEFAULT_HOST and "/" not in remainder else remainder


def _hint(text: str) -> str:
    if "://" in text:
        return "; an image reference has no scheme"
    name = text.partition("@")[0]
    if name.lower() != name and _REFERENCE.fullmatch(text.lower()):
        return "; a repository name must be in lower case"
    return ""
