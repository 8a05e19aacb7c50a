"""A place in a predicate, and what is read there: foreign JSON in which anything may be missing, or of another type."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from argocd_provenance.records import dataclass
from argocd_provenance.regex import regex

# git+https://host/owner/name.git@ref (SPDX, in-toto), https://host/owner/name.git#ref:folder (BuildKit)
_GIT_URI = regex(r"(?:git\+)?(https://[^@#\s]+?)(?:\.git)?/?(?:@([^\s]+)|#([^:\s]*)(?::\S*)?)?")


@dataclass(frozen=True, slots=True)
class Said:
    """A value and where it was read: an OID, or a path of the predicate."""

    value: str
    read_from: str


@dataclass(frozen=True, slots=True)
class At:
    """The value at a `path` of a predicate; None where there is none."""

    path: str
    value: Any

    def at(self, *names: str) -> "At":
        """The member at the end of these names."""
        value = self.value
        for name in names:
            value = value.get(name) if isinstance(value, Mapping) else None
        return At(".".join((self.path, *names)), value)

    def items(self) -> Iterator["At"]:
        """The items of a list, in order; nothing where there is no list."""
        listed = self.value if isinstance(self.value, list | tuple) else ()
        for number, item in enumerate(listed):
            yield At(f"{self.path}[{number}]", item)

    def there(self) -> bool:
        """Whether a mapping stands here."""
        return isinstance(self.value, Mapping)

    def text(self) -> Said | None:
        """The text that stands here, if it is one and not empty."""
        return Said(self.value, self.path) if isinstance(self.value, str) and self.value else None

    def repository(self) -> Said | None:
        """The URL of the repository of the Git URI that stands here."""
        match = _GIT_URI.fullmatch(self.value) if isinstance(self.value, str) else None
        return Said(match[1], self.path) if match else None

    def git_ref(self) -> Said | None:
        """The ref of the Git URI that stands here."""
        match = _GIT_URI.fullmatch(self.value) if isinstance(self.value, str) else None
        ref = (match[2] or match[3]) if match else None
        return Said(ref, self.path) if ref else None


def first(*found: Said | None) -> Said | None:
    """The first that is said."""
    return next((said for said in found if said is not None), None)


def source_of(listed: Iterable[At], repository: Said | None) -> At | None:
    """Which of the `listed` dependencies is the source: the one of that repository.

    Where the builder names no repository it is the only one of Git; builders list base images, pipelines and tools too,
    and only the source itself has the source's commit.
    """
    found = [(item, url.value.lower()) for item in listed if (url := item.at("uri").repository()) is not None]
    if repository is not None:
        return next((item for item, url in found if url == repository.value.lower()), None)
    return found[0][0] if len({url for _, url in found}) == 1 else None
