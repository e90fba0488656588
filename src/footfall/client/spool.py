"""A client's spool: a directory that processes share; each has a file of its own, and takes over those of dead ones."""

import ctypes
import logging
import secrets
import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path

from footfall.client.batches import Batch
from footfall.client.spool_file import SpoolFile, set_aside
from footfall.errors import ConfigError, SpoolDamagedError, SpoolInUseError

logger = logging.getLogger("footfall.client")

SUFFIX = ".visits"
FILES_MAX = 16  # of dead processes, open at once; the others are taken over later


class Spool:
    """The files of one client. Any thread may call it.

    Args:
        directory: Where they are. It is made by the first visit.
        bytes_max: Bound of this client's own file; those of dead processes are taken over whatever their size.

    Raises:
        ConfigError: There is something else at the directory's path.
    """

    def __init__(self, directory: Path, bytes_max: int) -> None:
        if directory.exists() and not directory.is_dir():
            raise ConfigError(f"the spool is to be in {directory}, which is no directory")
        self._directory = directory
        self._bytes_max = bytes_max
        self._lock = threading.RLock()
        self._own: SpoolFile | None = None
        self._adopted: list[SpoolFile] = []
        self._head: tuple[SpoolFile, int, Batch] | None = None
        self._told: str | None = None
        self._closed = False

    @property
    def own(self) -> int:
        """How many visits of this process wait, those that were merged being one."""
        file = self._own
        return file.sums.visits if file else 0

    @property
    def count(self) -> int:
        """How many visits wait, of this process and of dead ones, with their counts."""
        with self._lock:
            return sum(file.sums.number for file in self._files())

    def append(self, batches: Iterable[Batch]) -> bool:
        """Keep batches, all or none; returns whether there was room for them and the disk took them."""
        batches = list(batches)
        with self._lock:
            if self._closed:
                return False
            try:
                if self._own is None:
                    self._own = SpoolFile.create(self._directory / f"{secrets.token_hex(8)}{SUFFIX}")
                if self._own.sums.size_bytes + sum(len(batch.packed) for batch in batches) > self._bytes_max:
                    self._tell(f"the spool in {self._directory} is full: {self._bytes_max} bytes")
                    return False
                self._own.append(batches)
            except (OSError, sqlite3.Error) as error:
                self._tell(f"the spool in {self._directory} cannot be written: {error}")
                return False
            self._told = None
            return True

    def head(self) -> Batch | None:
        """The one whose turn it is: what dead processes left comes first."""
        with self._lock:
            while self._head is None:
                file = next((file for file in self._files() if file.sums.visits), None)
                if file is None:
                    return None
                try:
                    found = file.first()
                    assert found is not None
                    self._head = (file, *found)
                except SpoolDamagedError as error:
                    self._remove(file)
                    logger.error("%s; its visits are not counted, and it is now %s", error, file.set_aside())
            return self._head[2]

    def replace(self, batches: Iterable[Batch]) -> bool:
        """Put batches in the place of the head: none, if it is done with. Returns whether the disk took them."""
        batches = list(batches)
        with self._lock:
            assert self._head is not None
            file, number, _ = self._head
            self._head = None
            try:
                file.replace(number, batches)
            except sqlite3.Error as error:
                self._tell(f"the spool in {self._directory} cannot be written: {error}")
                return False
            if len(batches) == 1:
                self._head = (file, number, batches[0])
            elif not file.sums.visits and file is not self._own:
                self._adopted.remove(file)
                file.close()
            return True

    def look(self) -> None:
        """Take over what processes have left that died since the last look."""
        with self._lock:
            if self._closed:
                return
            mine = {file.path for file in self._files()}
            for path in sorted(self._directory.glob(f"*{SUFFIX}")):
                if path in mine or len(self._adopted) >= FILES_MAX:
                    continue
                try:
                    self._adopted.append(SpoolFile.open(path))
                except SpoolInUseError:
                    continue
                except SpoolDamagedError as error:
                    logger.error("%s; its visits are not counted, and it is now %s", error, set_aside(path))
            for empty in [file for file in self._adopted if not file.sums.visits]:
                self._adopted.remove(empty)
                empty.close()

    def close(self) -> None:
        """Let go what is there, for whoever comes next."""
        with self._lock:
            self._closed = True
            for file in self._files():
                file.close()
            self._own, self._adopted, self._head = None, [], None

    def abandon(self) -> None:
        """Never touch it again: this process was forked from the one that has it.

        To close a connection, as Python does with what nobody refers to, would write into files that the parent uses.
        """
        for file in self._files():
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(file.connection))

    def _files(self) -> list[SpoolFile]:
        return [*self._adopted, *([self._own] if self._own else [])]

    def _remove(self, file: SpoolFile) -> None:
        if file is self._own:
            self._own = None
        else:
            self._adopted.remove(file)

    def _tell(self, what: str) -> None:
        if self._told != what:
            self._told = what
            logger.warning("%s; visits wait in memory", what)
