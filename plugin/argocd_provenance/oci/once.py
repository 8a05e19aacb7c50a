"""Each thing is fetched once, however many threads ask for it; a failure is told to those who wait, and not kept."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

from argocd_provenance.deadline import Deadline

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Once(Generic[Key, Value]):
    """A memory of what was fetched, for one run."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._lock = threading.Lock()
        self._known: dict[Key, Future[Value]] = {}

    def fetch(self, key: Key, ask: Callable[[], Value]) -> Value:
        """What `ask` returned for `key`, now or before. Raises what it raises."""
        with self._lock:
            future = self._known.get(key)
            mine = future is None
            if future is None:
                future = self._known[key] = Future()
        if mine:
            self._run(key, future, ask)
        return self._deadline.wait(future, "the registry answered")

    def peek(self, key: Key) -> Value | None:
        """What is known of `key` already."""
        with self._lock:
            future = self._known.get(key)
        return future.result() if future is not None and future.done() and future.exception() is None else None

    def put(self, key: Key, value: Value) -> None:
        """Remember `value`, which was fetched under another key."""
        future: Future[Value] = Future()
        future.set_result(value)
        with self._lock:
            self._known.setdefault(key, future)

    def _run(self, key: Key, future: Future[Value], ask: Callable[[], Value]) -> None:
        try:
            future.set_result(ask())
        except BaseException as error:  # noqa: BLE001 - whoever waits must hear of it, whatever it is; `fetch` raises it
            with self._lock:
                self._known.pop(key, None)
            future.set_exception(error)
