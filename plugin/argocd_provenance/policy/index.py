"""Which policies may cover an image, without asking all of them: by the literal beginnings of their patterns.

A pattern can only match names that begin as it does, up to its first ``*``. Beginnings are kept by their text, and a
name is cut to each length that occurs; what the index offers is then held against the patterns as ever.
"""

from collections.abc import Iterable

from argocd_provenance.oci.reference import registry_host
from argocd_provenance.policy.foreignglob import ForeignPattern
from argocd_provenance.policy.imagepatterns import ImagePattern
from argocd_provenance.policy.model import Policy

_HUB = "docker.io"


class PolicyIndex:
    """The policies of a run, by what their image patterns begin with."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self.policies = tuple(policies)
        self.tried = tuple(dict.fromkeys(pattern.written for policy in self.policies for pattern in policy.images))
        self._by_beginning: dict[str, list[int]] = {}
        for place, policy in enumerate(self.policies):
            for beginning in {_beginning(pattern) for pattern in policy.images}:
                self._by_beginning.setdefault(beginning, []).append(place)
        self._lengths = sorted({len(beginning) for beginning in self._by_beginning})

    def offered(self, repository: str) -> tuple[Policy, ...]:
        """The policies that may cover images of `repository`, in the order in which they were read."""
        found: set[int] = set()
        for length in self._lengths:
            if length > len(repository):
                break
            found.update(self._by_beginning.get(repository[:length], ()))
        return tuple(self.policies[place] for place in sorted(found))


def _beginning(pattern: ImagePattern) -> str:
    """What the name of every repository begins with that `pattern` can match."""
    literal = pattern.repository.text.partition("*")[0]
    if isinstance(pattern, ForeignPattern) and not _names_a_host(literal):
        # It is held against the reference as written too, which may leave the host out.
        return ""
    return literal


def _names_a_host(literal: str) -> bool:
    """Whether a whole host stands in `literal`, as repositories spell it, and one that no reference leaves out."""
    host, slash, _ = literal.partition("/")
    return bool(slash) and ("." in host or ":" in host or host == "localhost") and registry_host(host) not in {_HUB, ""}
