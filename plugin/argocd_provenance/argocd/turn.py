"""Turns: so many requests of one sidecar are worked on at a time, first come first served.

Argo CD starts a process for each request, thirty at once if it has them (its own limit ends when our source is sent),
and each takes memory and a core. The processes meet in a folder of ours, by `flock`: a lock goes with its process,
however that ends. A request has a ticket in the queue, a locked file whose name is its place, and who is first in the
queue takes a slot, one of so many locked files. The slots are the limit; the tickets are only the order.
"""

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import Busy

# The volume that the image and the sidecar's Deployment have, also where no `cache` is configured.
VOLUME = Path("/var/cache/argocd-provenance")
# Work is half waiting for registries, so a few at a time are right for one core too.
_FEWEST, _MOST = 4, 16
# What one request may take: ours and the renderer's.
_MEMORY = 256 * 1024 * 1024
# Who gets a turn in the last tenth of the time could not use it.
_WORTH = 0.1
# Seconds between two looks at the queue, for each place in it, and at most.
_LOOK, _LOOK_MOST = 0.02, 0.25


def at_a_time(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """How many requests this container can work on: a few for each core, as far as its memory goes."""
    cores = float(len(os.sched_getaffinity(0)))
    quota, _, period = _setting(cgroup / "cpu.max").partition(" ")
    if quota.isdecimal() and period.isdecimal():
        cores = min(cores, int(quota) / int(period))
    most = max(_FEWEST, min(_MOST, int(cores)))
    memory = _setting(cgroup / "memory.max")
    return max(1, min(most, int(memory) // _MEMORY)) if memory.isdecimal() else most


def _setting(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""  # no limit, or no cgroup of version 2


def folder(cache: str | None) -> Path | None:
    """Where the processes meet: beside the cache's entries, or in the volume of our image; None where there is neither.

    Without a volume of ours, nobody but a person runs us, and one request at a time.
    """
    place = Path(cache) if cache else VOLUME
    return place / "turns" if cache or place.is_dir() else None


class Turns:
    """The queue in one folder. The clock's sleep is an argument, so tests need none."""

    def __init__(self, folder: Path, slots: int, sleep: Callable[[float], None] = time.sleep) -> None:
        """Raises `OSError` where `folder` cannot be made, or is another user's."""
        self._folder, self._slots, self._sleep = folder, slots, sleep
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise PermissionError(errno.EPERM, "it is not a folder that only our user can write to")

    @contextlib.contextmanager
    def take(self, deadline: Deadline) -> Iterator[None]:
        """Wait for a turn, and hold it for as long as the context is open.

        Raises `Busy` where `deadline` is nearly over before it comes, and `OSError` where the folder cannot be used.
        """
        with self._ticket() as ticket:
            slot = self._wait(ticket, deadline)
        try:
            yield
        finally:
            os.close(slot)

    @contextlib.contextmanager
    def _ticket(self) -> Iterator[str]:
        """A place in the queue, behind everybody who is there."""
        name = f"{time.monotonic_ns():020d}-{os.getpid()}-{os.urandom(4).hex()}"
        made = self._folder / f".{name}"
        descriptor = os.open(made, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            made.rename(self._folder / name)  # locked before it is seen: an unlocked one is a dead one's
            yield name
        finally:
            for path in (made, self._folder / name):
                path.unlink(missing_ok=True)
            os.close(descriptor)

    def _wait(self, ticket: str, deadline: Deadline) -> int:
        """The descriptor of a slot."""
        while True:
            before = self._before(ticket)
            slot = None if before else self._free_slot()
            if slot is not None:
                return slot
            if deadline.remaining() <= _WORTH * deadline.seconds:
                raise Busy(
                    f"waited {deadline.seconds - deadline.remaining():.0f} s for its turn: {self._slots} others were being worked on"
                    f"{f', {before} were waiting before it' if before else ''}. Nothing is known to be wrong. Fix: hard-refresh the Application; "
                    "if this happens often, give the sidecar more processor and memory, or find out which registry is slow"
                )
            self._sleep(min(_LOOK * (before + 1), _LOOK_MOST, deadline.remaining()))

    def _before(self, ticket: str) -> int:
        """How many live ones are before `ticket`; the tickets of dead ones are torn up."""
        earlier = [name for name in os.listdir(self._folder) if name < ticket and name[0].isdecimal()]  # noqa: PTH208 - names are what is compared
        return sum(self._alive(name) for name in earlier)

    def _alive(self, name: str) -> bool:
        path = self._folder / name
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            path.unlink(missing_ok=True)
            return False
        finally:
            os.close(descriptor)

    def _free_slot(self) -> int | None:
        for number in range(self._slots):
            path = self._folder / f"slot-{number}"
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
            else:
                return descriptor
        return None
