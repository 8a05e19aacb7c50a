"""Image patterns: which references a policy is about.

A pattern matches the repository whatever its tag; with ``:`` it matches the tag too, with ``@`` the digest. The names of
Docker Hub are understood as people write them: ``nginx`` is ``docker.io/library/nginx``.
"""

from typing import Self

from argocd_provenance.errors import InvalidReference
from argocd_provenance.oci.reference import Digest, Reference, Repository, registry_host
from argocd_provenance.policy.patterns import BadPatternError, Glob
from argocd_provenance.records import dataclass

_ALLOWED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_:/*.@[]")


@dataclass(frozen=True, slots=True)
class Image:
    """The image that is judged: the reference as written, and the digest it stands for."""

    reference: Reference
    digest: Digest | None

    @property
    def repository(self) -> Repository:
        """Where it lies."""
        return self.reference.repository

    @property
    def tag(self) -> str | None:
        """The tag it was asked for by; ``latest`` where neither tag nor digest was written."""
        if self.reference.tag is None and self.reference.digest is None:
            return "latest"
        return self.reference.tag


@dataclass(frozen=True, slots=True)
class ImagePattern:
    """A glob over repositories, and optionally over tags and digests."""

    written: str
    repository: Glob
    tag: Glob | None = None
    digest: Glob | None = None

    @classmethod
    def parse(cls, written: str) -> Self:
        """The pattern that people mean by `written`; raises `BadPatternError`."""
        if not set(written) <= _ALLOWED:
            raise BadPatternError("holds characters that no image reference has")
        name, at, digest = written.partition("@")
        head, slash, last = name.rpartition("/")
        last, colon, tag = last.partition(":")
        if (at and not digest) or (colon and not tag):
            raise BadPatternError("ends where a tag or a digest is expected")
        repository = Glob(_qualified(head + slash + last))
        return cls(written, repository, Glob(tag) if colon else None, Glob(digest) if at else None)

    @property
    def host(self) -> str | None:
        """The registry that stands literally in it."""
        host = self.repository.text.partition("/")[0]
        return None if "*" in host else host

    @property
    def names_a_digest(self) -> bool:
        """Whether it matches the images of one digest only."""
        if self.digest is None or not self.digest.literal:
            return False
        try:
            Digest(self.digest.text)
        except InvalidReference:
            return False
        return True

    def matches(self, image: Image, *, proved: bool = False) -> bool:
        """Whether `image` fits; with `proved`, a tag counts only where nothing but the tag was asked for.

        Beside a digest the tag is text that nobody checked: an exemption must not rest on it.
        """
        if not self.repository.matches(image.repository.name):
            return False
        if self.tag is not None:
            if image.tag is None or (proved and image.reference.digest is not None):
                return False
            if not self.tag.matches(image.tag):
                return False
        return self.digest is None or (image.digest is not None and self.digest.matches(image.digest.text))

    def awaits_digest(self, image: Image) -> bool:
        """Whether only the digest, which is not known yet, decides if `image` fits."""
        return self.digest is not None and image.digest is None and self.repository.matches(image.repository.name)


def _qualified(name: str) -> str:
    """`name` with the registry and the ``library/`` that Docker's short names leave out."""
    first, slash, rest = name.partition("/")
    if not first or name.endswith("/"):
        raise BadPatternError("names no repository")
    if not slash:
        return name if "**" in name else f"docker.io/library/{name}"
    if "**" in first or (first == "*" and rest != "*"):
        return name
    host = registry_host(first)
    if host == "docker.io":
        return f"docker.io/library/{rest}" if "/" not in rest and "**" not in rest else f"docker.io/{rest}"
    if "." in first or ":" in first or host == "localhost":
        return f"{host}/{rest}"
    return f"docker.io/{name}"
