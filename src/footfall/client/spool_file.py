"""One file of a client's spool: batches that wait on disk, in order, in SQLite. One process at a time has it.

SQLite's own lock says which; it is gone with its process, however that ends. Every call here waits for the disk.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from footfall.client.batches import Batch, unpacked
from footfall.errors import SpoolDamagedError, SpoolInUseError

FORMAT = 1  # SQLite's user_version
APPLICATION = 0x46464356  # and its application_id: "FFCV"
_BEFORE_ALL = -(1 << 62)
LOCK_TIMEOUT_S = 5.0  # for a new file: another process may be looking what it is

_SCHEMA = f"""
BEGIN EXCLUSIVE;
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {FORMAT};
CREATE TABLE batches (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    unsure_since_s REAL,
    visits INTEGER NOT NULL,
    count INTEGER NOT NULL,
    data BLOB NOT NULL
);
COMMIT;
"""


class Sums(NamedTuple):
    """What a file holds.

    Attributes:
        visits: Visits, those that were merged being one.
        number: Visits with their counts.
        size_bytes: How much they are.
    """

    visits: int
    number: int
    size_bytes: int


class SpoolFile:
    """An open file, which no other process has.

    Attributes:
        path: Where it is.
        sums: What it holds.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        # The number of the last batch that is done with, though it may not be removed yet. None is given twice.
        self._passed = _BEFORE_ALL
        self.sums = self._summed()

    @classmethod
    def create(cls, path: Path) -> "SpoolFile":
        """A new file. Raises OSError, sqlite3.Error."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600, exist_ok=False)
        connection = _connect(path, LOCK_TIMEOUT_S)
        try:
            connection.executescript(_SCHEMA)
            return cls(path, connection)
        except BaseException:
            connection.close()
            raise

    @classmethod
    def open(cls, path: Path) -> "SpoolFile":
        """A file that is there.

        Raises:
            SpoolInUseError: Another process has it, or it is not made yet.
            SpoolDamagedError: It cannot be read, or is of another version.
        """
        try:
            connection = _connect(path, 0.0)
            try:
                (application,) = connection.execute("PRAGMA application_id").fetchone()
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                if (application, version) == (0, 0):
                    raise SpoolInUseError(f"the spool {path} is being made by another process")
                if (application, version) != (APPLICATION, FORMAT):
                    raise SpoolDamagedError(f"{path} is no spool of this version's clients")
                return cls(path, connection)
            except BaseException:
                connection.close()
                raise
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):  # it is locked, or cannot be had now
                raise SpoolInUseError(f"the spool {path} cannot be had: {error}") from None
            raise SpoolDamagedError(f"the spool {path} cannot be read: {error}") from None

    def append(self, batches: Iterable[Batch]) -> None:
        """Keep batches, all or none, durably. Raises sqlite3.Error."""
        with self._changing():
            self._connection.executemany(
                "INSERT INTO batches (unsure_since_s, visits, count, data) VALUES (?, ?, ?, ?)", map(_row, batches)
            )

    def first(self) -> tuple[int, Batch] | None:
        """The oldest batch, and its number. Raises SpoolDamagedError."""
        try:
            found = self._connection.execute(
                "SELECT id, unsure_since_s, data FROM batches WHERE id > ? ORDER BY id LIMIT 1", [self._passed]
            ).fetchone()
            return None if found is None else (found[0], unpacked(found[2], found[1]))
        except (sqlite3.DatabaseError, msgspec.MsgspecError, UnicodeDecodeError, TypeError) as error:
            raise SpoolDamagedError(f"the spool {self.path} cannot be read: {error}") from None

    def replace(self, number: int, batches: Iterable[Batch]) -> None:
        """Put batches in the place of the oldest one, which has this number.

        Raises:
            sqlite3.Error: They are not kept. The oldest one is done with all the same, until the file is opened again.
        """
        rows = [_row(batch) for batch in batches]
        self._passed = number
        with self._changing():
            self._connection.execute("DELETE FROM batches WHERE id <= ?", [number])
            self._connection.executemany(
                "INSERT INTO batches VALUES (?, ?, ?, ?, ?)",
                [(number - len(rows) + 1 + at, *row) for at, row in enumerate(rows)],
            )
        self._passed = number - len(rows)
        self.sums = self._summed()

    def close(self) -> None:
        """Let the file go; it is removed if nothing is in it."""
        if not self.sums.visits:
            _unlink(self.path)
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def set_aside(self) -> Path:
        """Rename the file, so that nobody takes it for a spool any more: a person must look. Returns its new name."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()
        return set_aside(self.path)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise
        finally:
            with contextlib.suppress(sqlite3.Error):
                self.sums = self._summed()

    def _summed(self) -> Sums:
        asked = "SELECT coalesce(sum(visits), 0), coalesce(sum(count), 0), coalesce(sum(length(data)), 0) FROM batches"
        return Sums(*self._connection.execute(f"{asked} WHERE id > ?", [self._passed]).fetchone())

    @property
    def connection(self) -> sqlite3.Connection:
        """What a forked process must keep, and never touch."""
        return self._connection


def set_aside(path: Path) -> Path:
    """Rename a file, with what belongs to it, so that nobody takes it for a spool any more."""
    aside = path.with_name(path.name + ".damaged")
    for ending in ("", "-wal"):  # the name of the second follows from that of the first
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + ending).rename(aside.with_name(aside.name + ending))
    return aside


def _row(batch: Batch) -> tuple[float | None, int, int, bytes]:
    return batch.unsure_since_s, len(batch.visits), batch.count, batch.packed


def _connect(path: Path, timeout_s: float) -> sqlite3.Connection:
    # mode=rw: a file that is removed meanwhile must not come back, empty.
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=timeout_s,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # until it is closed, or its process is gone
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # with a WAL: fsync at every commit
        connection.execute("BEGIN IMMEDIATE")  # takes the lock
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _unlink(path: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + ending).unlink()
