"""What a run may ask of earlier runs, and tell later ones. For many threads.

One law: `recall` gives what this operator's own process learned, for this very question, or nothing. Faults of a store
are words for the operator, never a reason to fail.
"""

import threading
from collections.abc import Callable, Sequence

from argocd_provenance.cache.moments import Moment
from argocd_provenance.cache.seal import OVERHEAD, Question, Seal
from argocd_provenance.cache.store import ENTRY_LIMIT, Store, StoreError
from argocd_provenance.records import dataclass


@dataclass(frozen=True, slots=True)
class Recalled:
    """An answer of an earlier run, and the seconds since then."""

    answer: bytes
    age: float


class Memory:
    """Sealed entries in `stores`, the nearest first; what a farther one knows is told to the nearer ones."""

    def __init__(self, seal: Seal, stores: Sequence[Store], clock: Callable[[], Moment]) -> None:
        self._seal, self._stores, self._clock = seal, list(stores), clock
        self._lock = threading.Lock()
        self._fresh: dict[bytes, bytes] = {}
        self._nearer: dict[bytes, bytes] = {}
        self._unknown: set[bytes] = set()
        self.warnings: list[str] = []
        self.hits = self.misses = 0

    def recall(self, question: Question) -> Recalled | None:
        """What was answered to `question`; None where nobody knows, or only somebody without our key."""
        name = self._seal.name(question)
        if name in self._unknown:  # a moment ago; whoever asks for it keeps what they are told
            return None
        for number, store in enumerate(tuple(self._stores)):
            entry = self._get(store, name)
            opened = self._seal.open(question, entry) if entry is not None and len(entry) <= ENTRY_LIMIT else None
            age = opened[0].age(self._clock()) if opened is not None else None
            if entry is None or opened is None or age is None:
                continue
            with self._lock:
                self.hits += 1
                if number:
                    self._nearer[name] = entry
            return Recalled(opened[1], age)
        with self._lock:
            self.misses += 1
            self._unknown.add(name)
        return None

    def keep(self, question: Question, answer: bytes) -> None:
        """Remember that `answer` was given to `question` just now; `flush` writes it."""
        if len(answer) + OVERHEAD > ENTRY_LIMIT:
            return
        entry = self._seal.close(question, self._clock(), answer)
        with self._lock:
            self._fresh[self._seal.name(question)] = entry

    def flush(self) -> None:
        """Write what was kept: after the work is done, in one go, for nobody waits for it then."""
        with self._lock:
            fresh, self._fresh = self._fresh, {}
            nearer, self._nearer = self._nearer, {}
        for number, store in enumerate(tuple(self._stores)):
            entries = fresh if number else nearer | fresh
            if not entries:
                continue
            try:
                store.put(entries)
            except StoreError as error:
                self._give_up(store, error)

    def close(self) -> None:
        """Write what was kept, and let go of the stores."""
        self.flush()
        with self._lock:
            stores, self._stores = self._stores, []  # for threads that outlive the run
        for store in stores:
            store.close()

    def _get(self, store: Store, name: bytes) -> bytes | None:
        try:
            return store.get(name)
        except StoreError as error:
            self._give_up(store, error)
            return None

    def _give_up(self, store: Store, error: StoreError) -> None:
        with self._lock:
            if store in self._stores:
                self._stores.remove(store)
                self.warnings.append(str(error))
        store.close()
