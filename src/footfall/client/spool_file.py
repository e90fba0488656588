"""One file of a client's spool: batches that wait on disk, in order. One process at a time has it.

A batch that is not what was written is told of once, and passed over. Every call here waits for the disk.
"""

import contextlib
import logging
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import xxhash

from footfall.client.batches import Batch, unpacked
from footfall.errors import DataVersionError, SpoolDamagedError, SpoolInUseError
from footfall.sqlite_file import ERRORS, connect, refused, set_aside, transaction, unlink

logger = logging.getLogger("footfall.client")

FORMAT = 2  # SQLite's user_version
APPLICATION = 0x46464356  # and its application_id: "FFCV"
DAMAGED = "damaged"  # ending of a file that cannot be read
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
    digest BLOB NOT NULL,
    data BLOB NOT NULL
);
COMMIT;
"""
_SELECT = "SELECT id, unsure_since_s, visits, count, digest, data FROM batches"


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


class _Row(NamedTuple):
    """A batch, as it is stored: a bit that flips may change a value's type, too."""

    unsure_since_s: Any
    visits: Any
    count: Any
    digest: Any
    data: Any

    @property
    def whole(self) -> bool:
        """Whether it is what was written."""
        return isinstance(self.data, bytes) and self.digest == _digest(*self[:3], self.data)


class SpoolFile:
    """An open file, which no other process has.

    Attributes:
        path: Where it is.
        connection: To it. A forked process must keep it, and never touch it.
        sums: What it holds.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection
        self.connection.text_factory = bytes  # what is no text any more must not be an error
        # The number of the last batch that is done with, though it may not be removed yet. None is given twice.
        self._passed = _BEFORE_ALL
        self._told: set[int] = set()
        self._first: tuple[int, _Row]
        self.sums = self._summed()

    @classmethod
    def create(cls, path: Path) -> "SpoolFile":
        """A new file. Raises OSError, ERRORS."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600, exist_ok=False)
        connection = connect(path, LOCK_TIMEOUT_S)
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
            OSError: It is not there any more, or cannot be had now.
            SpoolDamagedError: It cannot be read, or is no spool.
            DataVersionError: Another version wrote it.
        """
        try:
            connection = connect(path)
            try:
                (application,) = connection.execute("PRAGMA application_id").fetchone()
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                if (application, version) == (0, 0):
                    raise SpoolInUseError(f"the spool {path} is being made by another process")
                if application != APPLICATION:
                    raise SpoolDamagedError(f"{path} is no spool of a client")
                if version != FORMAT:
                    raise DataVersionError(
                        f"the spool {path} is of version {version}, and this Footfall reads {FORMAT}: the version "
                        "that wrote it sends what is in it"
                    )
                return cls(path, connection)
            except BaseException:
                connection.close()
                raise
        except ERRORS as error:
            raise refused(path, error) from None

    def append(self, batches: Iterable[Batch]) -> None:
        """Keep batches, all or none, durably. Raises ERRORS."""
        rows = [_row(batch) for batch in batches]
        with transaction(self.connection):
            self.connection.executemany(
                "INSERT INTO batches (unsure_since_s, visits, count, digest, data) VALUES (?, ?, ?, ?, ?)", rows
            )
        self._add(rows)

    def first(self) -> Batch | None:
        """The oldest batch. Raises SpoolDamagedError, OSError."""
        try:
            for number, *columns in self.connection.execute(
                f"{_SELECT} WHERE id > ? ORDER BY id",
                [self._passed],
            ):
                if number <= self._passed:  # or it would be sent again and again
                    raise SpoolDamagedError(f"the spool {self.path} cannot be read: what is in it is out of order")
                row, known = _Row(*columns), number in self._told
                if self._is_whole(number, row):
                    self._first = number, row
                    return unpacked(row.data, row.unsure_since_s)
                if not known:  # it was changed since they were summed up
                    self.sums = self._summed()
        except (*ERRORS, msgspec.MsgspecError) as error:
            raise refused(self.path, error) from None
        if self.sums.visits:
            raise SpoolDamagedError(f"the spool {self.path} cannot be read: not all that is in it is found")
        return None

    def mark(self, since_s: float) -> None:
        """Write that the oldest batch may have been counted, since then. Raises ERRORS."""
        number, row = self._first
        row = row._replace(unsure_since_s=since_s, digest=_digest(since_s, row.visits, row.count, row.data))
        with transaction(self.connection):
            self.connection.execute(
                "UPDATE batches SET unsure_since_s = ?, digest = ? WHERE id = ?", [since_s, row.digest, number]
            )
        self._first = number, row

    def replace(self, batches: Iterable[Batch]) -> None:
        """Put batches in the place of the oldest one.

        Raises:
            ERRORS: They are not kept. The oldest one is done with all the same, until the file is opened again.
        """
        rows = [_row(batch) for batch in batches]
        number, old = self._first
        self._passed = number
        self._add([old], -1)
        with transaction(self.connection):
            self.connection.execute("DELETE FROM batches WHERE id <= ?", [number])
            self.connection.executemany(
                "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?)",
                [(number - len(rows) + 1 + at, *row) for at, row in enumerate(rows)],
            )
        self._passed = number - len(rows)
        self._add(rows)
        if len(rows) == 1:
            self._first = number, rows[0]

    def close(self) -> None:
        """Let the file go; it is removed if nothing is in it."""
        if not self.sums.visits:
            unlink(self.path)
        with contextlib.suppress(*ERRORS):
            self.connection.close()

    def set_aside(self) -> Path:
        """Rename the file, so that nobody takes it for a spool any more: a person must look. Returns its new name."""
        with contextlib.suppress(*ERRORS):
            self.connection.close()
        return set_aside(self.path, DAMAGED)

    def _is_whole(self, number: int, row: _Row) -> bool:
        if not row.whole and number not in self._told:
            self._told.add(number)
            logger.error("batch %d of the spool %s was changed: it is passed over, and not counted", number, self.path)
        return row.whole

    def _summed(self) -> Sums:
        self.sums = Sums(0, 0, 0)
        for number, *columns in self.connection.execute(f"{_SELECT} WHERE id > ?", [self._passed]):
            row = _Row(*columns)
            if self._is_whole(number, row):
                self._add([row])
        return self.sums

    def _add(self, rows: Iterable[_Row], sign: int = 1) -> None:
        for row in rows:
            visits, number, size_bytes = self.sums
            self.sums = Sums(visits + sign * row.visits, number + sign * row.count, size_bytes + sign * len(row.data))


def _row(batch: Batch) -> _Row:
    visits, count, data = len(batch.visits), batch.count, batch.packed
    since_s = None if batch.unsure_since_s is None else float(batch.unsure_since_s)  # as SQLite will tell it
    return _Row(since_s, visits, count, _digest(since_s, visits, count, data), data)


def _digest(since_s: object, visits: object, count: object, data: bytes) -> bytes:
    return xxhash.xxh3_128_digest(repr((since_s, visits, count)).encode() + data)
