"""The file of a node's history: what counters were, sample by sample, in SQLite; knows no node, and asks no clock.

A sample holds the counters that have changed since the one before, and from time to time all of them, so that it can be
read from there. What the time was is only kept: samples are in the order in which they were taken, and the oldest go
when there are too many, so that a clock that was set wrong costs no history.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

FORMAT = 1
OTHERS_KEPT = 64  # files of nodes of other names in a directory: as many as may run on one machine
APPLICATION = 0x466F6F68  # "Fooh"

_SCHEMA = f"""
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {FORMAT};
CREATE TABLE counters (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, seen INTEGER NOT NULL);
CREATE TABLE samples (
    id INTEGER PRIMARY KEY AUTOINCREMENT, step INTEGER NOT NULL, time REAL NOT NULL, whole INTEGER NOT NULL
);
CREATE TABLE entries (
    sample INTEGER, counter INTEGER, value INTEGER NOT NULL, PRIMARY KEY (sample, counter)
) WITHOUT ROWID;
"""
_POINTS = """
SELECT time, whole, value FROM samples LEFT JOIN entries ON sample = samples.id AND counter = ?
WHERE step = ? AND samples.id >= ? ORDER BY samples.id
"""
_BEGIN = """
SELECT max(id) FROM samples WHERE step = ? AND whole
AND id <= (SELECT min(id) FROM samples WHERE step = ? AND time >= ?)
"""


class Series(NamedTuple):
    """How often samples are taken, and how many are kept; every ``whole``-th holds all counters."""

    step_s: int
    kept: int
    whole: int


FINE = Series(10, 8_640, 360)  # a day
COARSE = Series(3_600, 8_760, 24)  # a year


class HistoryDamagedError(Exception):
    """The file is no history, or was changed."""


class HistoryVersionError(Exception):
    """A newer version of Footfall wrote the file."""


class HistoryFile:
    """An open file. What SQLite raises otherwise may pass: the sample is not kept, and the next may be.

    Args:
        path: The file; made if there is none.
        names_max: How many counters it may hold; others are left out.

    Raises:
        HistoryDamagedError: It is no history, or was changed.
        HistoryVersionError: A newer version wrote it.
        sqlite3.Error, OSError: It cannot be had now.
    """

    def __init__(self, path: Path, names_max: int) -> None:
        self._names_max = names_max
        self._last: dict[int, dict[int, int]] = {}  # step → counter → value in the sample before
        self._since_whole: dict[int, int] = {}  # step → samples
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        self._connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            with _damage():
                self._open()
                self._ids: dict[str, int] = dict(self._connection.execute("SELECT name, id FROM counters"))
        except BaseException:
            self._connection.close()
            raise

    def _open(self) -> None:
        run = self._connection.execute
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = NORMAL")  # a power cut may cost the last samples, never the file
        run("PRAGMA journal_size_limit = 1048576")
        (application,), (version,) = run("PRAGMA application_id").fetchone(), run("PRAGMA user_version").fetchone()
        if (application, version) == (0, 0) and not run("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            self._connection.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
            return
        if application != APPLICATION:
            raise HistoryDamagedError("it is no history of footfall")
        if version > FORMAT:
            raise HistoryVersionError(f"it is of version {version}, and this Footfall reads {FORMAT}")
        (found,) = run("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise HistoryDamagedError(found)

    def append(self, series: Series, time_s: float, values: Mapping[str, int]) -> None:
        """Keep a sample, whole or not at all. Raises HistoryDamagedError, sqlite3.Error."""
        step = series.step_s
        since = self._since_whole.get(step, series.whole)
        whole = since >= series.whole
        last = {} if whole else self._last[step]
        self._last.pop(step, None)  # if it fails, the next is whole
        self._since_whole.pop(step, None)
        run = self._connection.execute
        with _damage(), self._transaction():
            sample = run("INSERT INTO samples (step, time, whole) VALUES (?, ?, ?)", (step, time_s, whole)).lastrowid
            assert sample is not None
            known = {one: value for name, value in values.items() if (one := self._id(name, sample)) is not None}
            rows = [(sample, one, value) for one, value in known.items() if last.get(one) != value]
            self._connection.executemany("INSERT INTO entries VALUES (?, ?, ?)", rows)
            if whole:
                self._connection.executemany(
                    "UPDATE counters SET seen = ? WHERE id = ?", ((sample, one) for one in known)
                )
            self._forget(series)
        self._last[step], self._since_whole[step] = known, 1 if whole else since + 1

    def _id(self, name: str, sample: int) -> int | None:
        found = self._ids.get(name)
        if found is None and len(self._ids) < self._names_max:
            made = self._connection.execute("INSERT INTO counters (name, seen) VALUES (?, ?)", (name, sample))
            found = self._ids[name] = made.lastrowid or 0
        return found

    def _forget(self, series: Series) -> None:
        """Drop the oldest samples that are too many, up to one that is whole; and counters that are in none."""
        run, step = self._connection.execute, series.step_s
        oldest = run("SELECT id FROM samples WHERE step = ? ORDER BY id DESC LIMIT 1 OFFSET ?", (step, series.kept - 1))
        if (row := oldest.fetchone()) is None:
            return
        (first,) = run("SELECT max(id) FROM samples WHERE step = ? AND whole AND id <= ?", (step, row[0])).fetchone()
        for (sample,) in run("SELECT id FROM samples WHERE step = ? AND id < ?", (step, first)).fetchall():
            run("DELETE FROM entries WHERE sample = ?", (sample,))
            run("DELETE FROM samples WHERE id = ?", (sample,))
        if series is COARSE:
            gone = run("DELETE FROM counters WHERE seen < ? RETURNING name", (first,)).fetchall()
            for (name,) in gone:
                del self._ids[name]

    def read(self, series: Series, name: str, since_s: float, until_s: float) -> list[tuple[float, int]]:
        """(Unix time, value) of the samples from one time to another, by time. Raises HistoryDamagedError."""
        found, run, step = self._ids.get(name), self._connection.execute, series.step_s
        if found is None:
            return []
        points: list[tuple[float, int]] = []
        value: int | None = None
        with _damage():
            (first,) = run(_BEGIN, (step, step, since_s)).fetchone()
            for time_s, whole, changed in run(_POINTS, (found, step, first or 0)):
                value = changed if whole or changed is not None else value
                if value is not None and since_s <= time_s <= until_s:
                    points.append((round(time_s, 1), value))
        points.sort()
        return points

    def last_s(self, series: Series) -> float:
        """When the last sample was taken, in Unix time; 0 if there is none. Raises HistoryDamagedError."""
        with _damage():
            run = self._connection.execute
            row = run("SELECT time FROM samples WHERE step = ? ORDER BY id DESC LIMIT 1", (series.step_s,)).fetchone()
        return 0.0 if row is None else float(row[0])

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        run, ids = self._connection.execute, dict(self._ids)
        run("BEGIN IMMEDIATE")
        try:
            yield
            run("COMMIT")
        except BaseException:
            self._ids = ids
            with contextlib.suppress(sqlite3.Error):
                run("ROLLBACK")
            raise


def set_aside(path: Path) -> Path:
    """Rename a file that is damaged, over one that was so before; returns its new name."""
    aside = path.with_name(f"{path.name}.damaged")
    for ending in ("-wal", "-shm", ""):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + ending).replace(aside.with_name(aside.name + ending))
    return aside


def remove_oldest(path: Path) -> None:
    """Remove histories of other names beside a file, those that were written last longest ago.

    A node without a name, at any port that is free, has another name after each start, and so has a container. What is
    in use was written within ten seconds, and is not among the oldest.
    """
    others: dict[str, list[Path]] = {}
    for file in path.parent.glob("history-*.sqlite*"):  # with what SQLite keeps beside it, and what was put aside
        others.setdefault(file.name.partition(".sqlite")[0], []).append(file)
    others.pop(path.stem, None)
    for files in sorted(others.values(), key=_written_s, reverse=True)[OTHERS_KEPT:]:
        for file in files:
            file.unlink(missing_ok=True)


def _written_s(files: Iterable[Path]) -> float:
    return max(file.stat().st_mtime for file in files)


@contextlib.contextmanager
def _damage() -> Iterator[None]:
    """Tells damage from what may pass: a full disk, or another process that has the file."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT):
            raise HistoryDamagedError(str(error)) from None
        raise
