"""The cache on a volume of ours: one SQLite file in WAL mode, shared by the processes of a sidecar.

One law: nothing here is worth a failed run. A file that is corrupt is thrown away, a full disk or a lock that is held too
long is a warning. SQLite rather than files, by measurement (docs/performance.md): reads cost the same, and hundreds of
small files cost a cold run more to create than everything else that we do.
"""

import contextlib
import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from argocd_provenance.cache.store import ENTRY_LIMIT, FILE, StoreError

_PAGE = 4096
# Seconds that we wait for another process; asking the registry takes no longer.
_PATIENCE = 0.5
# Seconds between two notes of when an entry was used: reading must not cost writing.
_HOUR = 3600
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS entry (name BLOB PRIMARY KEY, used INTEGER NOT NULL, content BLOB NOT NULL) STRICT"
)
_GET = "SELECT used, content FROM entry WHERE name = ?"
# What a run with an honest file needs of SQLite's virtual machine is far below; a file made to keep us busy is not.
_STEPS, _MOST_STEPS = 100_000, 200


class Disk:
    """A store in the folder `folder` of at most `size` bytes."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder, self._size = folder, size
        self._lock = threading.Lock()
        self._now = int(time.time()) // _HOUR
        self._touched: set[bytes] = set()
        self._steps = 0
        self._connection = self._opened()

    def get(self, name: bytes) -> bytes | None:
        """What lies under `name`."""
        row = self._guarded(lambda connection: connection.execute(_GET, (name,)).fetchone())
        if row is None or not isinstance(row[1], bytes):
            return None
        if row[0] != self._now:
            self._touched.add(name)
        return row[1]

    def put(self, entries: Mapping[bytes, bytes]) -> None:
        """Keep `entries`, and throw away what was used longest ago where they do not fit."""
        rows = [(name, self._now, content) for name, content in entries.items()]
        self._guarded(lambda connection: self._write(connection, rows))
        self._touched.clear()

    def _write(self, connection: sqlite3.Connection, rows: Sequence[tuple[bytes, int, bytes]]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._make_room(connection, sum(len(content) for _, _, content in rows))
            connection.executemany("INSERT OR REPLACE INTO entry VALUES (?, ?, ?)", rows)
            touched = [(self._now, name) for name in self._touched]
            connection.executemany("UPDATE entry SET used = ? WHERE name = ?", touched)
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close the file."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            if self._touched:
                touched = [(self._now, name) for name in self._touched]
                self._connection.executemany("UPDATE entry SET used = ? WHERE name = ?", touched)
            self._connection.close()

    # -- the file ------------------------------------------------------------------------------------------------------

    def _opened(self) -> sqlite3.Connection:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return self._connect()
        except sqlite3.OperationalError as error:
            raise StoreError(f"{self._folder}: {error}") from None
        except sqlite3.DatabaseError as error:
            return self._anew(error)
        except OSError as error:
            raise StoreError(f"{self._folder}: {error.strerror}") from None

    def _anew(self, error: sqlite3.Error) -> sqlite3.Connection:
        """A new file in place of one that is none; one process at a time, for the next finds it mended."""
        try:
            with self._alone():
                with contextlib.suppress(sqlite3.DatabaseError):
                    return self._connect()
                self._discard()
                return self._connect()
        except (sqlite3.Error, OSError):
            raise StoreError(f"{self._folder / FILE}: {error}") from None

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _discard(self) -> None:
        # All three: a log that outlives its file would be played into the next one.
        for name in (FILE, f"{FILE}-wal", f"{FILE}-shm"):
            (self._folder / name).unlink(missing_ok=True)

    def _connect(self) -> sqlite3.Connection:
        path = self._folder / FILE
        # SQLite would follow a link, or wait for a pipe, that somebody put there.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        os.close(descriptor)
        connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, ENTRY_LIMIT + _PAGE)
            connection.set_progress_handler(self._step, _STEPS)
            # Not synchronous: what a power cut tears has no valid seal, or is no database, and is asked for again.
            for pragma in (
                "trusted_schema=OFF",
                "journal_mode=WAL",
                "synchronous=OFF",
                f"max_page_count={self._pages()}",
            ):
                connection.execute(f"PRAGMA {pragma}")
            if connection.execute("SELECT type, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall() != [
                ("table", _SCHEMA.replace("IF NOT EXISTS ", ""))
            ]:
                self._create(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _create(self, connection: sqlite3.Connection) -> None:
        """The table in an empty file; anything else in there is not ours."""
        connection.execute(_SCHEMA)
        found = connection.execute("SELECT type, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
        if found != [("table", _SCHEMA.replace("IF NOT EXISTS ", ""))]:
            raise sqlite3.DatabaseError("it holds other tables than ours")

    def _pages(self) -> int:
        return max(64, self._size // _PAGE)

    def _make_room(self, connection: sqlite3.Connection, coming: int) -> None:
        pages, free = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count"))
        # A row takes whole pages beyond a quarter of one, so that the sum of lengths is too low an estimate.
        if (pages - free) * _PAGE + 2 * coming < self._size * 9 // 10:
            return
        connection.execute(
            "DELETE FROM entry WHERE name IN (SELECT name FROM entry ORDER BY used, rowid LIMIT (SELECT 1 + count(*) / 3 FROM entry))"
        )

    def _step(self) -> int:
        self._steps += 1
        return self._steps > _MOST_STEPS

    def _guarded(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        """What `work` makes of the connection, for one thread at a time; faults of SQLite as `StoreError`."""
        with self._lock:
            self._steps = 0
            try:
                return work(self._connection)
            except sqlite3.DatabaseError as error:
                raise self._broken(error) from None

    def _broken(self, error: sqlite3.DatabaseError) -> StoreError:
        """What to say of a fault of SQLite; a file that is none is thrown away."""
        # What is wrong with how it is used, such as after it was closed, says nothing of the file.
        if isinstance(error, sqlite3.OperationalError | sqlite3.ProgrammingError):
            return StoreError(f"{self._folder / FILE}: {error}")
        self._connection.close()
        with contextlib.suppress(OSError), self._alone():
            self._discard()
        return StoreError(f"{self._folder / FILE}: {error}; it is thrown away")
