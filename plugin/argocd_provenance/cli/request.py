"""What one request of a sidecar may take of it: its turn, and its time."""

import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType

from argocd_provenance.argocd import turn
from argocd_provenance.cli import streams
from argocd_provenance.config import Config
from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import DeadlineExceeded, Error
from argocd_provenance.report.model import stopped

# Seconds after the deadline in which whoever noticed it may say so; then nobody is asked any more.
_OVERTIME = 5.0
# A shorter wait is not worth a word, and the same run should say the same.
_NOTICEABLE = 1.0


@contextlib.contextmanager
def request(config: Config, application: str, deadline: Deadline) -> Iterator[list[str]]:
    """Wait for a turn, and keep it and the clock while the context is open; the notes for the report are what it gives.

    An `Error` that passes through takes the notes along. Raises `Busy`.
    """
    notes: list[str] = []
    try:
        with _alarm(application, deadline), _turn(config.cache.path, deadline, notes):
            yield notes
    except Error as error:
        for note in notes:
            error.add_note(note)
        raise


@contextlib.contextmanager
def _turn(cache: str | None, deadline: Deadline, notes: list[str]) -> Iterator[None]:
    """A turn; without one where there is no folder of turns, or where it cannot be used, which is a warning."""
    folder = turn.folder(cache)
    if folder is None:
        yield
        return
    with contextlib.ExitStack() as stack:
        before = deadline.remaining()
        try:
            stack.enter_context(turn.Turns(folder, turn.at_a_time()).take(deadline))
        except OSError as error:
            notes.append(
                f"requests are not limited: {folder} cannot be used ({error.strerror}); point `cache.path` in the config to a volume of our own"
            )
        waited = before - deadline.remaining()
        if waited >= _NOTICEABLE:
            notes.append(f"waited {waited:.0f} s of its {deadline.seconds:g} s for its turn")
        yield


@contextlib.contextmanager
def _alarm(application: str, deadline: Deadline) -> Iterator[None]:
    """Answer at the end of the time, whatever we are doing: an answer after Argo CD's limit is shown to nobody."""
    late = DeadlineExceeded(
        f"the time limit of {deadline.seconds:g} s was passed, and the work could not be stopped. Nothing is known to be wrong. "
        "Fix: make the source smaller, or raise `deadline` in the config"
    )
    said = streams.error_text(stopped(late, application))

    def answer(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - what a handler gets
        os.write(2, said)
        os._exit(late.exit_code)

    try:
        before = signal.signal(signal.SIGALRM, answer)
    except ValueError:
        yield  # signals are the main thread's
        return
    signal.setitimer(signal.ITIMER_REAL, deadline.remaining() + _OVERTIME)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
