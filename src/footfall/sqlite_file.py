"""Files of SQLite that one process at a time has, durable at every commit: the spools of nodes and of clients.

SQLite's own lock says who has a file; it is gone with its process, however that ends. Every call waits for the disk.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from footfall.errors import SpoolDamagedError, SpoolInUseError

ERRORS = (sqlite3.Error, UnicodeDecodeError)  # the latter where a message quotes a damaged file's bytes


def connect(path: Path, timeout_s: float = 0.0) -> sqlite3.Connection:
    """Open a file that is there, and take its lock. Raises ERRORS; see ``refused``.

    Args:
        path: The file.
        timeout_s: How long to wait for another process, which may be looking what it is.
    """
    # mode=rw: a file that its owner removes meanwhile must not come back, empty.
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


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is done within is kept, or nothing. Raises sqlite3.Error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def refused(path: Path, error: Exception) -> Exception:
    """What an error of SQLite means: another process has the file, the system refuses for now, or it is damaged."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF  # a text that is not UTF-8 has none
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return SpoolInUseError(f"the spool {path} is in use by another process")
    if isinstance(error, sqlite3.OperationalError) and code not in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT):
        if not path.exists():
            return FileNotFoundError(path)
        return OSError(f"the spool {path} cannot be had now: {error}")
    return SpoolDamagedError(f"the spool {path} cannot be read: {error}")


def set_aside(path: Path, why: str) -> Path:
    """Rename a file, with what belongs to it, so that nobody takes it for a spool; ``why`` becomes its ending."""
    aside = path.with_name(f"{path.name}.{why}")
    for ending in ("", "-wal"):  # the name of the second follows from that of the first
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + ending).rename(aside.with_name(aside.name + ending))
    return aside


def unlink(path: Path) -> None:
    """Remove a file, with what belongs to it."""
    for ending in ("", "-wal", "-shm", "-journal"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + ending).unlink()
