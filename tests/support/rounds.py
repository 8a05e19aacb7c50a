"""A registry that answers in rounds: everything that is asked at one time is answered together.

The number of rounds is the number of dependent round trips. What belongs to one round may come late on a busy machine and
be counted as one more, never as one less: so the least of a few tries is the depth.
"""

import threading

from argocd_provenance.demo.registry import Answer, Registry, Request

_QUIET = 0.08  # seconds without a new question end a round


class Rounds(Registry):
    """`rounds` holds what was asked in each."""

    def __init__(self, *, referrers: bool = False) -> None:
        super().__init__(referrers=referrers)
        self.rounds: list[list[str]] = []
        self._gate = threading.Condition()
        self._asked = 0

    def note(self, request: Request) -> Answer | None:
        """Hold the answer back until nobody asks any more."""
        with self._gate:
            if not self.rounds or self.rounds[-1] is self._answered:
                self.rounds.append([])
            mine = self.rounds[-1]
            mine.append(f"{request.method} {request.path}")
            self._gate.notify_all()
            while mine is not self._answered and self.rounds[-1] is mine:
                if not self._gate.wait(_QUIET):
                    self._answered = mine
                    self._gate.notify_all()
        return super().note(request)

    _answered: list[str] | None = None
