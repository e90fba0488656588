"""One file of a spool: messages of the log that the log has not acknowledged yet, in order, in SQLite.

Their bytes are final: the same are published, whoever does it and however often, so that each counts once. Every call
here waits for the disk, and belongs into a thread. Only one process at a time has a file.
"""

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import xxhash

from footfall import durable
from footfall.errors import DataVersionError, SpoolDamagedError
from footfall.sqlite_file import connect, refused, transaction, unlink
from footfall.sqlite_file import set_aside as set_aside

logger = logging.getLogger(__name__)

FORMAT = 1  # SQLite's user_version
APPLICATION = 0x46464C53  # and its application_id: "FFLS"
SUFFIX = ".sqlite"

_SCHEMA = f"""
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {FORMAT};
CREATE TABLE origin (said BLOB NOT NULL);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    partition INTEGER NOT NULL,
    kept_s REAL NOT NULL,
    digest BLOB NOT NULL,
    data BLOB NOT NULL
);
"""


class Origin(msgspec.Struct, frozen=True):
    """Who wrote a file, and for which log.

    Attributes:
        node: The node.
        log: Creation time of the log, which names it.
        partitions: P.
    """

    node: str
    log: str
    partitions: int


class Row(NamedTuple):
    """A message that waits.

    Attributes:
        id: Its place in the file.
        partition: Where it is to be published.
        data: A batch, as the log will hold it.
        kept_s: When it was written, in Unix time.
        whole: Whether it is what was written.
    """

    id: int
    partition: int
    data: bytes
    kept_s: float
    whole: bool


class SpoolFile:
    """An open file."""

    def __init__(self, path: Path, connection: sqlite3.Connection, origin: Origin) -> None:
        self.path = path
        self.origin = origin
        self._connection = connection
        self._lock = threading.Lock()

    @classmethod
    def create(cls, path: Path, origin: Origin) -> "SpoolFile":
        """A new file. Raises OSError, sqlite3.Error."""
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(path.name + ".new")  # nobody takes that for a spool
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            with contextlib.closing(sqlite3.connect(unfinished, isolation_level=None)) as connection:
                connection.executescript(_SCHEMA)
                connection.execute("INSERT INTO origin VALUES (?)", [msgspec.json.encode(origin)])
            os.link(unfinished, path)  # unlike a rename it replaces nothing
        finally:
            unlink(unfinished)
        try:
            connection = connect(path)
            durable.sync_directory(path.parent)
            durable.sync_directory(path.parent.parent)
        except BaseException:
            unlink(path)
            raise
        return cls(path, connection, origin)

    @classmethod
    def open(cls, path: Path) -> "SpoolFile":
        """A file that is there.

        Raises:
            SpoolInUseError: Another process has it.
            OSError: It is not there any more, or cannot be had now.
            SpoolDamagedError: It is no spool, or was changed.
            DataVersionError: A newer version wrote it.
        """
        try:
            connection = connect(path)
            try:
                return cls(path, connection, _origin_of(path, connection))
            except BaseException:
                connection.close()
                raise
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise refused(path, error) from None

    def append(self, messages: Iterable[tuple[int, bytes]]) -> None:
        """Keep messages, all or none, durably.

        Args:
            messages: (partition, data) of each, in order.

        Raises:
            sqlite3.Error: Whether they are kept is not known; write no more to this file.
        """
        now_s = time.time()
        rows = [(partition, now_s, _digest(partition, data), data) for partition, data in messages]
        with self._lock, transaction(self._connection):
            self._connection.executemany(
                "INSERT INTO messages (partition, kept_s, digest, data) VALUES (?, ?, ?, ?)", rows
            )

    def after(self, row: int, messages_max: int, bytes_max: int) -> Sequence[Row]:
        """The next messages behind a row, in order: one at least, if there is one.

        Raises:
            SpoolDamagedError: They cannot be read.
            OSError: Not now.
        """
        rows: list[Row] = []
        size = 0
        with self._lock, self._reading():
            asked = self._connection.execute(
                "SELECT id, partition, data, kept_s, digest FROM messages WHERE id > ? ORDER BY id LIMIT ?",
                [row, messages_max],
            )
            for number, partition, data, kept_s, digest in asked:
                if number <= row:  # or it would be published again and again
                    raise SpoolDamagedError(f"the spool {self.path} cannot be read: what is in it is out of order")
                row = number
                if _kinds(partition, data, kept_s) != (int, bytes, float) or not 0 <= partition < 1 << 16:
                    rows.append(Row(number, 0, b"", 0.0, whole=False))  # a flipped bit can change a value's type
                    continue
                if rows and size + len(data) > bytes_max:
                    break
                size += len(data)
                rows.append(Row(number, partition, data, kept_s, _digest(partition, data) == digest))
        return rows

    def remove(self, rows: Iterable[int]) -> None:
        """Forget messages. Raises sqlite3.Error: then they may come again, and count once."""
        with self._lock, transaction(self._connection):
            self._connection.executemany("DELETE FROM messages WHERE id = ?", [[row] for row in rows])

    def close(self) -> None:
        """Let the file go, as it is."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def unlink(self) -> None:
        """Remove the file: nothing is left in it."""
        self.close()
        unlink(self.path)

    def set_aside(self, why: str) -> Path:
        """Rename the file, so that nobody takes it for a spool any more: a person must look. Returns its new name."""
        self.close()
        return set_aside(self.path, why)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise refused(self.path, error) from None


def _origin_of(path: Path, connection: sqlite3.Connection) -> Origin:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION:
        raise SpoolDamagedError(f"{path} is no spool of footfall")
    if version != FORMAT:
        raise DataVersionError(
            f"the spool {path} is of version {version}, and this Footfall reads {FORMAT}: start the version that "
            "wrote it once more, so that it empties it"
        )
    try:
        (said,) = connection.execute("SELECT said FROM origin").fetchone()
        return msgspec.json.decode(said, type=Origin)
    except (TypeError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SpoolDamagedError(f"the spool {path} cannot be read: {error}") from None


def _kinds(*values: object) -> tuple[type, ...]:
    return tuple(type(value) for value in values)


def _digest(partition: int, data: bytes) -> bytes:
    return xxhash.xxh3_128_digest(partition.to_bytes(2) + data)
