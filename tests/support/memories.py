"""Memories for tests: stores that can be looked into and lied in, under a clock that the test moves.

keeper = Keeper()
with keeper.memory() as memory: ...        # one run
keeper.later(31)
with keeper.memory() as memory: ...        # the next
"""

import contextlib
from collections.abc import Iterator, Mapping

from argocd_provenance.cache.memory import Memory
from argocd_provenance.cache.moments import Moment
from argocd_provenance.cache.seal import Seal
from argocd_provenance.cache.store import Store


class Dictionary:
    """A store whose entries the test may change."""

    def __init__(self) -> None:
        self.entries: dict[bytes, bytes] = {}

    def get(self, name: bytes) -> bytes | None:
        """What lies under `name`."""
        return self.entries.get(name)

    def put(self, entries: Mapping[bytes, bytes]) -> None:
        """Keep `entries`."""
        self.entries.update(entries)

    def close(self) -> None:
        """Nothing to let go of."""


class Keeper:
    """What survives a run: a key, a store, and the time."""

    def __init__(self, store: Store | None = None, secret: bytes = b"k" * 32) -> None:
        self.dictionary = Dictionary()
        self.store = store or self.dictionary
        self.seal = Seal(secret)
        self.now = Moment(1_800_000_000.0, 1000.0, b"b" * 16)

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.now = Moment(self.now.wall + seconds, self.now.since_boot + seconds, self.now.boot)

    @contextlib.contextmanager
    def memory(self) -> Iterator[Memory]:
        """The memory of one run, which is written when it ends."""
        memory = Memory(self.seal, [self.store], lambda: self.now)
        yield memory
        memory.flush()
