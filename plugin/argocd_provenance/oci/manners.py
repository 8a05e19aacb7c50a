"""How often a host is asked, and how soon again.

One law: a registry that says "later" is asked later, by every thread, and never beyond the deadline; one that is down costs
the run its patience once.

Source: RFC 9110, 10.2.3 (``Retry-After``: seconds or a date); AWS Architecture Blog, "Exponential Backoff and Jitter".
"""

import random
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

PER_HOST = 24
"""Questions to one host at a time: with fewer, 20 ms away, 50 images wait for their turn; more are not faster."""
ATTEMPTS = 4
TRY_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_BACK_OFF = 0.2  # doubled each time
_LONGEST = 10**9  # nobody means more seconds than that


def retry_after(headers: Mapping[str, str], now: Callable[[], float]) -> float:
    """The seconds from now that ``Retry-After`` asks for; 0.0 where it stands not, or says nothing.

    A date is held against the answer's own ``Date``, for clocks differ; against `now` (seconds of the epoch) without one.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(min(int(value[:10]), _LONGEST))
    until = _date(value)
    if until is None:
        return 0.0
    since = _date(headers.get("date", ""))
    return max(0.0, until.timestamp() - (now() if since is None else since.timestamp()))


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text.strip()[:64])
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


class Manners:
    """What is known of each origin (scheme, host, port): who is asking now, until when it wants peace, whether it is down.

    `clock` is monotonic, `chance` gives numbers from 0 to 1.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, chance: Callable[[], float] = random.random
    ) -> None:
        self._clock, self._chance = clock, chance
        self._lock = threading.Lock()
        self._turns: dict[str, threading.BoundedSemaphore] = {}
        self._not_before: dict[str, float] = {}
        self._down: set[str] = set()

    def turn(self, origin: str) -> AbstractContextManager[Any]:
        """One of the questions that `origin` is asked at a time."""
        turn = self._turns.get(origin)
        if turn is None:
            with self._lock:
                turn = self._turns.setdefault(origin, threading.BoundedSemaphore(PER_HOST))
        return turn

    def attempts(self, origin: str) -> int:
        """How often to try: once where nobody answered before."""
        return 1 if origin in self._down else ATTEMPTS

    def pause(self, attempt: int, asked_for: float = 0.0) -> float:
        """Seconds before the next try: at least what was asked for; jitter keeps threads from coming all at once."""
        back_off = _BACK_OFF * float(2**attempt) * (0.5 + self._chance())
        return max(back_off, asked_for + (self._chance() * _BACK_OFF if asked_for else 0.0))

    def wait(self, origin: str) -> float:
        """Seconds until `origin` may be asked again, by whoever."""
        until = self._not_before.get(origin)
        return 0.0 if until is None else max(0.0, until - self._clock())

    def later(self, origin: str, seconds: float) -> None:
        """Nobody asks `origin` for so many seconds."""
        with self._lock:
            self._not_before[origin] = max(self._not_before.get(origin, 0.0), self._clock() + seconds)

    def silent(self, origin: str) -> None:
        """`origin` did not answer however often it was asked."""
        with self._lock:
            self._down.add(origin)

    def answered(self, origin: str) -> None:
        """`origin` lives."""
        if origin in self._down:
            with self._lock:
                self._down.discard(origin)
