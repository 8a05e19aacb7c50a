"""So many at a time, first come first served, whoever is killed: held by real processes."""

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from argocd_provenance.argocd import turn
from argocd_provenance.argocd.turn import Turns, at_a_time
from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import Busy


class Process:
    """A process of its own that takes a turn, writes its name into `told`, and keeps the turn until it may go."""

    def __init__(self, folder: Path, name: str, slots: int, told: Path) -> None:
        go, self._go = os.pipe()
        self._lives = True
        self.pid = os.fork()
        if not self.pid:
            os.close(self._go)
            with Turns(folder, slots).take(Deadline(60)):
                append(told, name)
                os.read(go, 1)
                append(told, name.lower())
            os._exit(0)
        self._go_read = go  # kept open, so that a killed one can be let go as well

    def release(self) -> None:
        """Let it end, and wait until it has."""
        if self._lives:
            self._lives = False
            os.write(self._go, b"x")  # its end would not do: those that came later have copies of ours
            os.waitpid(self.pid, 0)
            os.close(self._go)

    def kill(self) -> None:
        """What Argo CD does."""
        os.kill(self.pid, signal.SIGKILL)
        self.release()


def append(told: Path, text: str) -> None:
    with told.open("a") as file:
        file.write(text)


def until(holds: Callable[[], bool]) -> None:
    """Wait until `holds`, for half a minute at most."""
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.002)


class Sidecar:
    """A folder of turns, and who has come."""

    def __init__(self, folder: Path, slots: int) -> None:
        self.folder, self.slots, self.told = folder / "turns", slots, folder / "told"
        self.told.touch()
        self.came: list[Process] = []

    def comes(self, name: str, *, waits: bool) -> Process:
        """A process, once it has its turn, or once it stands in the queue."""
        before = self.queue()
        process = Process(self.folder, name, self.slots, self.told)
        self.came.append(process)
        until((lambda: self.queue() == before + 1) if waits else (lambda: name in self.said()))
        return process

    def queue(self) -> int:
        """How many tickets there are."""
        with contextlib.suppress(FileNotFoundError):
            return sum(path.name[0].isdecimal() for path in self.folder.iterdir())
        return 0

    def said(self) -> str:
        """Who got a turn (A) and gave it back (a), in order."""
        return self.told.read_text()


@pytest.fixture
def sidecar(tmp_path: Path) -> Iterator[Sidecar]:
    """One slot, and nobody left afterwards."""
    here = Sidecar(tmp_path, 1)
    yield here
    for process in here.came:
        process.release()


class TestQueue:
    def test_who_came_first_is_served_first(self, sidecar: Sidecar) -> None:
        """In the order of their coming, not in that of their luck."""
        first = sidecar.comes("A", waits=False)
        others = [sidecar.comes(name, waits=True) for name in "BCDE"]
        first.release()
        for other in others:
            other.release()

        assert sidecar.said() == "AaBbCcDdEe"

    def test_a_killed_waiter_blocks_nobody(self, sidecar: Sidecar) -> None:
        """Its ticket is torn up."""
        first, second = sidecar.comes("A", waits=False), sidecar.comes("B", waits=True)
        third = sidecar.comes("C", waits=True)
        second.kill()
        first.release()
        third.release()

        assert sidecar.said() == "AaCc"
        assert sidecar.queue() == 0

    def test_a_killed_holder_gives_its_turn_back(self, sidecar: Sidecar) -> None:
        """A lock goes with its process."""
        first, second = sidecar.comes("A", waits=False), sidecar.comes("B", waits=True)
        first.kill()
        second.release()

        assert sidecar.said() == "ABb"

    def test_never_more_than_the_slots_at_once(self, tmp_path: Path) -> None:
        """Twelve that come at once and leave at once: two are in, at most."""
        sidecar = Sidecar(tmp_path, 2)
        for name in "ABCDEFGHIJKL":
            process = Process(sidecar.folder, name, 2, sidecar.told)
            os.write(process._go, b"x")  # each may go as soon as it is in
            sidecar.came.append(process)
        for process in sidecar.came:
            process.release()
        inside, most = 0, 0
        for letter in sidecar.said():
            inside += 1 if letter.isupper() else -1
            most = max(most, inside)

        assert (len(sidecar.said()), inside) == (24, 0)
        assert 1 <= most <= 2

    def test_whose_turn_does_not_come_says_how_long_it_waited(self, tmp_path: Path) -> None:
        """At nine tenths of the time, for an answer takes some as well; its place in the queue is free again."""
        now = [0.0]

        def sleep(seconds: float) -> None:
            now[0] += seconds

        turns = Turns(tmp_path / "turns", 1, sleep)
        with (
            turns.take(Deadline(60)),
            pytest.raises(Busy, match=r"waited 36 s for its turn: 1 .* hard-refresh") as caught,
        ):
            turns.take(Deadline(40, clock=lambda: now[0])).__enter__()

        assert caught.value.exit_code == 3
        assert now[0] < 36.5
        assert [path.name for path in (tmp_path / "turns").iterdir()] == ["slot-0"]

    def test_nobody_overtakes(self, tmp_path: Path) -> None:
        """A free slot is for who is first in the queue, not for who looks first."""
        now = [0.0]

        def sleep(seconds: float) -> None:
            now[0] += seconds

        turns = Turns(tmp_path / "turns", 2, sleep)
        with turns._ticket(), pytest.raises(Busy, match=r"1 were waiting before it"):
            turns.take(Deadline(40, clock=lambda: now[0])).__enter__()

    def test_a_free_slot_is_taken_at_once(self, tmp_path: Path) -> None:
        """Nobody sleeps where nobody is."""

        def never(_: float) -> None:
            raise AssertionError

        with (
            Turns(tmp_path / "turns", 2, never).take(Deadline(40)),
            Turns(tmp_path / "turns", 2, never).take(Deadline(40)),
        ):
            assert len(list((tmp_path / "turns").iterdir())) == 2


class TestFolder:
    @pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
    def test_of_others_is_none_of_ours(self, tmp_path: Path, mode: int) -> None:
        """Whoever else can write there could hold every slot."""
        (tmp_path / "turns").mkdir()
        (tmp_path / "turns").chmod(mode)

        with pytest.raises(OSError, match="only our user can write to"):
            Turns(tmp_path / "turns", 1)

    def test_behind_a_link_is_none(self, tmp_path: Path) -> None:
        """A link could lead anywhere."""
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        (tmp_path / "turns").symlink_to("elsewhere")

        with pytest.raises(OSError, match="only our user"):
            Turns(tmp_path / "turns", 1)

    def test_is_beside_the_cache(self) -> None:
        """The cache's volume is ours."""
        assert turn.folder("/cache") == Path("/cache/turns")

    def test_is_the_images_volume_without_a_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A sidecar has it; a person's machine does not, and needs no turns."""
        monkeypatch.setattr(turn, "VOLUME", tmp_path / "none")
        assert turn.folder(None) is None
        monkeypatch.setattr(turn, "VOLUME", tmp_path)
        assert turn.folder(None) == tmp_path / "turns"


class TestHowMany:
    CORES = len(os.sched_getaffinity(0))

    @pytest.mark.parametrize(
        ("processor", "memory", "most"),
        [
            pytest.param(None, None, max(4, min(16, CORES)), id="no limits"),
            pytest.param("max 100000", "max", max(4, min(16, CORES)), id="none said"),
            pytest.param("50000 100000", "max", 4, id="half a core"),
            pytest.param(None, str(1 << 30), min(4, max(4, CORES)), id="a gigabyte"),
            pytest.param(None, str(512 << 20), 2, id="half a gigabyte"),
            pytest.param(None, str(64 << 20), 1, id="hardly any"),
        ],
    )
    def test_as_the_container_can_bear(
        self, tmp_path: Path, processor: str | None, memory: str | None, most: int
    ) -> None:
        """A few for each core it may use, as far as its memory goes, and always one."""
        for name, said in (("cpu.max", processor), ("memory.max", memory)):
            if said is not None:
                (tmp_path / name).write_text(said + "\n")

        assert at_a_time(tmp_path) == most


def test_a_lock_outlives_no_process_of_a_renderer(tmp_path: Path) -> None:
    """What we start inherits no lock: a slot is free when we are gone, whatever lives on for a moment."""
    with Turns(tmp_path / "turns", 1).take(Deadline(40)):
        flags = [fcntl.fcntl(int(fd.name), fcntl.F_GETFD) for fd in Path("/proc/self/fd").iterdir() if _is_slot(fd)]

    assert flags == [fcntl.FD_CLOEXEC]


def _is_slot(descriptor: Path) -> bool:
    with contextlib.suppress(OSError):
        return descriptor.readlink().name == "slot-0"
    return False
