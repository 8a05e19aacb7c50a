"""What a render asks of other places: a port, for it fetches nothing itself.

The law: without a port nothing is fetched, and what would have been is named.
"""

from collections.abc import Mapping
from typing import Protocol

from argocd_provenance.errors import RenderError


class Remotes(Protocol):
    """What a render asks of places that the operator permits (``render.remotes``)."""

    def file(self, address: str, limit: int) -> bytes:
        """The bytes at a web address; raises `errors.Error`."""

    def chart(self, reference: str, limit: int) -> bytes:
        """The archive of a chart in a registry, of the digest that was judged; raises `errors.Error`."""

    def git(self, repository: str) -> Mapping[str, str]:
        """How to speak to a Git repository: ``username``, ``password``, ``ca``, ``proxy``; raises `errors.Error`."""


class NoRemotes:
    """What is asked where nothing may be fetched."""

    def file(self, address: str, limit: int) -> bytes:  # noqa: ARG002 - the port's
        """Raise `RenderError`."""
        raise RenderError(
            f"{address[:200]!r}: nothing is fetched from there",
            fix="copy it into the repository, or name the place under `render.remotes` in the config",
        )

    def chart(self, reference: str, limit: int) -> bytes:
        """Raise `RenderError`."""
        return self.file(f"oci://{reference}", limit)

    def git(self, repository: str) -> Mapping[str, str]:
        """Raise `RenderError`."""
        self.file(repository, 0)
        return {}
