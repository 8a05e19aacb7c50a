"""What operators watch: metrics for the node exporter's textfile collector, a log of JSON lines, traces.

One law: a run is not failed, nor held up, by who watches it; what could not be told is a line on standard error.
"""

import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from argocd_provenance.cli.moments import Moments
from argocd_provenance.config import Config, Operations, Otel
from argocd_provenance.oci.tally import Tally
from argocd_provenance.report.model import Report

if TYPE_CHECKING:
    from argocd_provenance.pipeline import Registry, Verifier
    from argocd_provenance.report.metrics import Numbers

# Seconds that a run waits for others to have counted themselves; adding takes milliseconds.
_PATIENCE, _PAUSE = 1.0, 0.005


class Watch:
    """Takes the times of a run, and counts; `record` tells of it wherever the operator wants it told."""

    def __init__(self) -> None:
        self.moments = Moments()
        self.moments.begin("config")
        self.wanted = Operations()
        self.hits = self.misses = 0
        self.requests = Tally()
        self._limit = 0.0

    def told(self, config: Config) -> None:
        """What the operator wants to hear, and how long a run may take."""
        self.wanted, self._limit = config.operations, config.deadline

    def registry(self, port: "Registry") -> "Registry":
        """`port`, and the times at which it is asked where somebody wants to know them."""
        if self.wanted.otel is None:
            return port
        from argocd_provenance.cli.timed import TimedRegistry

        return TimedRegistry(port, self.moments)

    def verifier(self, make: Callable[[], "Verifier"]) -> "Verifier":
        """The same for the verifier that `make` makes."""
        if self.wanted.otel is None:
            return make()
        from argocd_provenance.cli.timed import TimedVerifier

        return TimedVerifier(make(), self.moments)

    def record(self, report: Report) -> None:
        """Do what the operator's config asks for; after the answer is out, for nobody waits for this."""
        if self.wanted == Operations():
            return
        from argocd_provenance.report.metrics import Numbers

        took = time.monotonic() - self.moments.began
        numbers = Numbers(took, time.time(), self.hits, self.misses, self.requests.counts())
        for what, path, write in (("metrics", self.wanted.metrics, _add), ("log", self.wanted.log, _append)):
            if path is None:
                continue
            try:
                write(Path(path), report, numbers)
            except (OSError, ValueError) as error:
                _note(f"{what}.file: {path}: {getattr(error, 'strerror', None) or error}")
        if self.wanted.otel is not None:
            self._export(self.wanted.otel, report, numbers)

    def _export(self, otel: Otel, report: Report, numbers: "Numbers") -> None:
        from argocd_provenance.cli.collector import tell

        times = self.moments.times()
        left = self._limit - (time.monotonic() - self.moments.began)
        fault = tell(otel, min(otel.timeout, left), report, numbers, times)
        if fault:
            _note(f"otel: {fault}")


def _note(text: str) -> None:
    with contextlib.suppress(OSError):  # nobody listens any more
        sys.stderr.write(f" note: {text}\n")
        sys.stderr.flush()


def _add(path: Path, report: Report, numbers: "Numbers") -> None:
    """Add a run to the text in `path`: one process at a time, and whoever reads sees the old text or the new."""
    from argocd_provenance.report.metrics import added

    if path.exists() and not path.is_file():
        raise OSError("is no file; a pipe, or a device, could hold up every run")
    with _alone(path):
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            beside.write_text(added(before, report, numbers), encoding="utf-8")
            beside.chmod(0o644)  # the node exporter is another user
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """The right to write `path`; raises `TimeoutError` where another process, which may be stopped, keeps it."""
    beside = path.with_name(f".{path.name}.lock")
    end = time.monotonic() + _PATIENCE
    with beside.open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise TimeoutError(f"another process keeps {beside.name}; this run is not counted") from None
            time.sleep(_PAUSE)
        yield


def _append(path: Path, report: Report, numbers: "Numbers") -> None:
    """One write of one line, so that lines of processes do not mix; ``/proc/1/fd/2`` is the container's own log."""
    from argocd_provenance.report.metrics import line

    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, line(report, numbers).encode(errors="backslashreplace"))
    finally:
        os.close(descriptor)
