"""Where sealed entries lie. A store may lose them, lie about them, or be gone: it is asked again, or not at all."""

from collections.abc import Mapping
from typing import Protocol

FILE = "evidence.sqlite"
"""What the store on disk is called in its folder."""
# Manifests and evidence are some kilobytes; the rare large SBOM is asked for again.
ENTRY_LIMIT = 4 * 1024 * 1024


class StoreError(Exception):
    """The store cannot be used; what to tell the operator."""


class Store(Protocol):
    """Names and bytes. Every method may raise `StoreError`, after which the store is left alone for the run."""

    def get(self, name: bytes) -> bytes | None:
        """What lies under `name`, at most `ENTRY_LIMIT` bytes of it."""

    def put(self, entries: Mapping[bytes, bytes]) -> None:
        """Keep `entries`, all or none."""

    def close(self) -> None:
        """Let go of files and connections."""
