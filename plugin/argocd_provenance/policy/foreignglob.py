"""Globs of ClusterImagePolicy, matched as upstream matches them.

policy-controller: pkg/apis/glob/glob.go. A glob sees the name of the image with its digest or its tag behind it, so an
exact name matches no tag. Stricter or kinder here: both sides spell Docker Hub one way, and the tag stays visible.
"""

from argocd_provenance.oci.reference import registry_host
from argocd_provenance.policy.imagepatterns import Image, ImagePattern
from argocd_provenance.policy.patterns import BadPatternError, Glob
from argocd_provenance.records import dataclass
from argocd_provenance.regex import regex

_ALLOWED = regex(r"[a-zA-Z0-9\-_:/*.@]+")
_HUB = "index.docker.io/"


@dataclass(frozen=True, slots=True)
class ForeignPattern(ImagePattern):
    """A glob over the whole text of a reference."""

    wholes: tuple[Glob, ...] = ()

    def matches(self, image: Image, *, proved: bool = False) -> bool:
        """Whether any spelling of `image` fits, with its tag or with its digest."""
        return any(glob.matches(text) for glob in self.wholes for text in _spellings(image, proved=proved))

    def awaits_digest(self, image: Image) -> bool:
        """Whether the digest, which is not known yet, may decide."""
        return image.digest is None and "@" in self.written and self.repository.matches(image.repository.name)


def foreign_pattern(written: str) -> ForeignPattern:
    """The pattern for the glob `written`; raises `BadPatternError`."""
    if not _ALLOWED.fullmatch(written):
        raise BadPatternError("holds characters that a glob does not take: letters, digits and - _ : / * . @ only")
    text = {"*": f"{_HUB}library/*", "*/*": f"{_HUB}*/*"}.get(written, written)
    other = f"docker.io/{text.removeprefix(_HUB)}" if text.startswith(_HUB) else text
    host, slash, rest = other.partition("/")
    other = f"{registry_host(host)}/{rest}" if slash and "*" not in host else other
    return ForeignPattern(written, Glob(_repository(other)), wholes=tuple(dict.fromkeys((Glob(text), Glob(other)))))


def _spellings(image: Image, *, proved: bool) -> tuple[str, ...]:
    """The reference as written, and as upstream spells it: with its digest, and with its tag where no digest was written.

    What lies on Docker Hub in every spelling: whoever writes the reference must not choose the policy by it.
    """
    name = image.repository.name
    names: tuple[str, ...] = (name,)
    if name.startswith("docker.io/"):
        path, short = image.repository.path, image.repository.familiar
        names = (*(f"{host}{said}" for said in (path, short) for host in ("docker.io/", _HUB)), path, short)
    tails = [f"@{image.digest.text}"] if image.digest is not None else []
    if image.tag is not None and image.reference.digest is None:
        tails.append(f":{image.tag}")
    written = () if proved and image.reference.digest is not None else (image.reference.written,)
    return (*written, *(f"{spelled}{tail}" for spelled in names for tail in tails))


def _repository(glob: str) -> str:
    """The part of `glob` before tag and digest, for the host that stands in it."""
    name = glob.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0] or "**"
