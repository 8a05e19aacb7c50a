"""The cache on disk: what processes share, and what must not hurt anybody."""

import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from argocd_provenance.cache.disk import FILE, Disk
from argocd_provenance.cache.store import ENTRY_LIMIT, StoreError
from support.memories import Keeper

SIZE = 4 * 2**20


def stored(folder: Path) -> dict[bytes, bytes]:
    """All that lies in the file."""
    connection = sqlite3.connect(folder / FILE)
    found = dict(connection.execute("SELECT name, content FROM entry").fetchall())
    connection.close()
    return found


class TestSharing:
    def test_what_one_process_keeps_another_finds(self, tmp_path: Path) -> None:
        """Two stores over one folder, both open."""
        one, other = Disk(tmp_path, SIZE), Disk(tmp_path, SIZE)

        one.put({b"a": b"1", b"b": b"2"})

        assert (other.get(b"a"), other.get(b"b"), other.get(b"c")) == (b"1", b"2", None)

    def test_the_file_is_ours_alone(self, tmp_path: Path) -> None:
        """0700 and 0600, whatever the umask."""
        Disk(tmp_path / "cache", SIZE).close()

        assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "cache" / FILE).stat().st_mode) == 0o600

    def test_a_lock_that_another_process_holds_is_a_warning(self, tmp_path: Path) -> None:
        """Nobody waits long for somebody else's write."""
        store = Disk(tmp_path, SIZE)
        holder = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")

        with pytest.raises(StoreError, match="locked"):
            store.put({b"a": b"1"})
        holder.execute("ROLLBACK")
        holder.close()


class TestAfterwards:
    def test_a_store_that_is_closed_leaves_the_file_to_others(self, tmp_path: Path) -> None:
        """A thread that outlives its run asks too late; nothing is wrong with what is there."""
        store = Disk(tmp_path, SIZE)
        store.put({b"a": b"1"})
        store.close()

        with pytest.raises(StoreError):
            store.get(b"a")
        assert stored(tmp_path) == {b"a": b"1"}

    def test_a_memory_that_is_closed_knows_nothing_and_asks_nobody(self, tmp_path: Path) -> None:
        """Nor has it anything to warn of."""
        keeper = Keeper(Disk(tmp_path, SIZE))
        with keeper.memory() as memory:
            memory.keep(("a",), b"1")
        memory.close()

        assert memory.recall(("a",)) is None
        assert memory.warnings == []


class TestSize:
    def test_the_file_stays_within_its_size(self, tmp_path: Path) -> None:
        """However much is kept, and what was kept last is there."""
        store = Disk(tmp_path, SIZE)
        for number in range(40):
            store.put({b"%d-%d" % (number, part): os.urandom(20_000) for part in range(16)})

        assert store.get(b"39-15") is not None
        assert store.get(b"0-0") is None
        assert (tmp_path / FILE).stat().st_size <= SIZE

    def test_what_is_used_outlives_what_is_not(self, tmp_path: Path) -> None:
        """Entries that nobody asked for go first."""
        store = Disk(tmp_path, SIZE)
        store.put({b"wanted": b"w"})
        for number in range(7):
            store.put({b"%d" % number: os.urandom(400_000)})
        connection = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        connection.execute("UPDATE entry SET used = 1")
        connection.close()
        assert store.get(b"wanted") == b"w"
        store.put({b"more": os.urandom(200_000)})
        store.put({b"and more": os.urandom(400_000)})

        kept = stored(tmp_path)
        assert b"0" not in kept
        assert b"wanted" in kept


def other_table(folder: Path) -> None:
    connection = sqlite3.connect(folder / FILE)
    connection.execute("CREATE TABLE mine (x)")
    connection.close()


def not_a_database(folder: Path) -> None:
    (folder / FILE).write_bytes(b"this is no database" * 1000)


def torn(folder: Path) -> None:
    content = bytearray((folder / FILE).read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    (folder / FILE).write_bytes(content)


def cut_short(folder: Path) -> None:
    os.truncate(folder / FILE, 5000)


def emptied(folder: Path) -> None:
    os.truncate(folder / FILE, 0)


def foreign_table(folder: Path) -> None:
    (folder / FILE).unlink()
    connection = sqlite3.connect(folder / FILE)
    connection.execute("CREATE TABLE entry (name TEXT, other TEXT)")
    connection.close()


def endless_view(folder: Path) -> None:
    (folder / FILE).unlink()
    connection = sqlite3.connect(folder / FILE)
    connection.execute(
        "CREATE VIEW entry AS WITH RECURSIVE n(name) AS (SELECT 1 UNION ALL SELECT name + 1 FROM n) "
        "SELECT name, 0 AS used, x'00' AS content FROM n"
    )
    connection.close()


def with_trigger(folder: Path) -> None:
    connection = sqlite3.connect(folder / FILE)
    connection.execute("CREATE TRIGGER lie AFTER INSERT ON entry BEGIN UPDATE entry SET content = x'00'; END")
    connection.commit()
    connection.close()


class TestBadDays:
    @pytest.mark.parametrize(
        "spoil",
        [other_table, not_a_database, torn, cut_short, emptied, foreign_table, endless_view, with_trigger],
        ids=lambda spoil: str(spoil.__name__),
    )
    def test_a_spoiled_file_is_thrown_away_and_the_next_run_keeps_again(
        self, tmp_path: Path, spoil: Callable[[Path], None]
    ) -> None:
        """Whatever the file holds: at most one run goes without, and none fails."""
        first = Disk(tmp_path, SIZE)
        first.put({b"%d" % number: os.urandom(3000) for number in range(50)})
        first.close()
        spoil(tmp_path)

        for _ in range(2):
            try:
                store = Disk(tmp_path, SIZE)
                store.get(b"7")
                store.put({b"new": b"content"})
                store.close()
            except StoreError:
                continue

        assert Disk(tmp_path, SIZE).get(b"new") == b"content"

    def test_a_full_disk_is_a_warning_and_loses_nothing(self, tmp_path: Path) -> None:
        """What was kept before is there; the write that did not fit is not, nor half of it."""
        store = Disk(tmp_path, SIZE)
        store.put({b"before": b"1"})
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        try:
            with pytest.raises(StoreError):
                store.put({b"%d" % number: os.urandom(50_000) for number in range(20)})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, before)

        assert stored(tmp_path) == {b"before": b"1"}
        store.put({b"after": b"2"})
        assert store.get(b"after") == b"2"

    def test_a_folder_that_cannot_be_made_is_a_warning(self, tmp_path: Path) -> None:
        """A file in its place."""
        (tmp_path / "cache").write_text("")

        with pytest.raises(StoreError, match="cache"):
            Disk(tmp_path / "cache", SIZE)

    @pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/etc/hostname"), os.mkdir])
    def test_what_is_no_file_is_not_opened(self, tmp_path: Path, make: Callable[[Path], None]) -> None:
        """A pipe would hold us up, a link lead us elsewhere."""
        make(tmp_path / FILE)

        with pytest.raises(StoreError):
            Disk(tmp_path, SIZE)

    def test_an_entry_larger_than_any_of_ours_is_not_read(self, tmp_path: Path) -> None:
        """Who writes gigabytes into the file does not fill our memory."""
        store = Disk(tmp_path, 64 * 2**20)
        store.put({b"a": b"1"})
        connection = sqlite3.connect(tmp_path / FILE)
        connection.execute("UPDATE entry SET content = zeroblob(?)", (ENTRY_LIMIT * 3,))
        connection.commit()
        connection.close()

        with pytest.raises(StoreError):
            store.get(b"a")

    def test_after_kill_9_at_any_moment_entries_are_whole_or_absent(self, tmp_path: Path) -> None:
        """A writer that is killed leaves a file that the next run reads."""
        writer = (
            "import sys; from pathlib import Path; from argocd_provenance.cache.disk import Disk\n"
            "store = Disk(Path(sys.argv[1]), 4 << 20); n = 0\n"
            "while True:\n"
            "    store.put({b'%d' % (n + i): bytes([n % 251]) * 9000 for i in range(8)}); n += 8; print(n, flush=True)"
        )
        for writes in (1, 2, 5):
            process = subprocess.Popen([sys.executable, "-c", writer, str(tmp_path)], stdout=subprocess.PIPE, text=True)
            assert process.stdout is not None
            for _ in range(writes):
                process.stdout.readline()
            process.kill()
            process.communicate()

            found = stored(tmp_path)
            assert found
            assert all(len(content) == 9000 and len(set(content)) == 1 for content in found.values())
            Disk(tmp_path, SIZE).put({b"next": b"run" * 3000})
            assert Disk(tmp_path, SIZE).get(b"next") == b"run" * 3000
            connection = sqlite3.connect(tmp_path / FILE, isolation_level=None)
            connection.execute("DELETE FROM entry WHERE name = x'6e657874'")
            connection.close()
