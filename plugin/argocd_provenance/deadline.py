"""The time a run has left. The clock is an argument, so tests need none."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from argocd_provenance.errors import DeadlineExceeded

if TYPE_CHECKING:
    from concurrent.futures import Future

Value = TypeVar("Value")


class Deadline:
    """A number of seconds from now, shared by everything a run waits for."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    def remaining(self) -> float:
        """Seconds left; 0.0 once it has passed."""
        return max(0.0, self._end - self._clock())

    def check(self, what: str) -> None:
        """Raise `DeadlineExceeded`, naming `what` was not finished, once the time is over."""
        if self.remaining() <= 0:
            raise DeadlineExceeded(f"the time limit of {self.seconds:g} s was reached before {what}")

    def wait(self, future: "Future[Value]", what: str) -> Value:
        """The result of `future`; raises what it raises, or `DeadlineExceeded` where `what` is not finished in time.

        A second of grace lets those who notice the time themselves say what they were doing.
        """
        try:
            return future.result(timeout=self.remaining() + 1)
        except TimeoutError:
            if future.done():
                raise
            raise DeadlineExceeded(f"the time limit of {self.seconds:g} s was reached before {what}") from None
