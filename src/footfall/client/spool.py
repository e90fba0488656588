"""A client's spool: a directory that processes share; each has a file of its own, and takes over those of dead ones."""

import ctypes
import logging
import os
import secrets
import threading
from collections.abc import Iterable
from pathlib import Path

from footfall.client.batches import Batch
from footfall.client.spool_file import DAMAGED, SpoolFile
from footfall.errors import ConfigError, DataVersionError, SpoolDamagedError, SpoolInUseError
from footfall.sqlite_file import ERRORS, set_aside

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
        self._directory = directory
        self._bytes_max = bytes_max
        self._lock = threading.RLock()
        self._own: SpoolFile | None = None
        self._adopted: list[SpoolFile] = []
        self._head: tuple[SpoolFile, Batch] | None = None
        self._failed = False
        self._in_trouble = False
        self._left_alone: set[Path] = set()
        self._closed = False
        self._check()

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

    @property
    def left(self) -> bool:
        """Whether there are files, which dead processes may have left. Opens none."""
        return any(self._directory.glob(f"*{SUFFIX}"))

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
                    self._tell(f"is full: {self._bytes_max} bytes")
                    return False
                self._own.append(batches)
            except (OSError, *ERRORS) as error:
                self._tell(f"cannot be written: {error}")
                return False
            self._in_trouble = False
            return True

    def head(self) -> Batch | None:
        """The one whose turn it is: what dead processes left comes first. None while the disk fails."""
        with self._lock:
            while self._head is None and not self._failed:
                file = next((file for file in self._files() if file.sums.visits), None)
                if file is None:
                    return None
                try:
                    if (found := file.first()) is not None:
                        self._head = file, found
                except SpoolDamagedError as error:
                    self._remove(file)
                    logger.error("%s; its visits are not counted, and it is now %s", error, file.set_aside())
                except OSError as error:
                    self._fail(error)
            return self._head[1] if self._head else None

    def mark(self, since_s: float) -> bool:
        """Write that the head may have been counted, since then; returns whether the disk took it.

        If not, there is no head before the next ``look``.
        """
        with self._lock:
            assert self._head is not None
            file, batch = self._head
            try:
                file.mark(since_s)
            except ERRORS as error:
                self._fail(error)
                return False
            self._head = file, Batch(batch.visits, since_s)
            return True

    def replace(self, batches: Iterable[Batch]) -> bool:
        """Put batches in the place of the head: none, if it is done with. Returns whether the disk took them."""
        batches = list(batches)
        with self._lock:
            assert self._head is not None
            file, _ = self._head
            self._head = None
            try:
                file.replace(batches)
            except ERRORS as error:
                self._tell(f"cannot be written: {error}")
                return False
            if len(batches) == 1:
                self._head = file, batches[0]
            elif not file.sums.visits and file is not self._own:
                self._adopted.remove(file)
                file.close()
            return True

    def look(self) -> None:
        """Take over what processes have left that died since the last look; try a disk again that failed."""
        with self._lock:
            if self._closed:
                return
            self._failed = False
            mine = {file.path for file in self._files()}
            for path in sorted(self._directory.glob(f"*{SUFFIX}")):
                if path not in mine and len(self._adopted) < FILES_MAX:
                    self._adopt(path)
            for empty in [file for file in self._adopted if not file.sums.visits]:
                self._adopted.remove(empty)
                empty.close()

    def _adopt(self, path: Path) -> None:
        try:
            self._adopted.append(SpoolFile.open(path))
        except (SpoolInUseError, FileNotFoundError):
            pass
        except SpoolDamagedError as error:
            logger.error("%s; its visits are not counted, and it is now %s", error, set_aside(path, DAMAGED))
        except (DataVersionError, OSError) as error:
            if path not in self._left_alone:
                self._left_alone.add(path)
                logger.error("%s", error)

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

    def _fail(self, error: Exception) -> None:
        self._head, self._failed = None, True
        self._tell(f"fails: {error}")

    def _check(self) -> None:
        """Tell now if nothing can be written. Raises ConfigError if the directory is something else."""
        place = self._directory
        while not os.path.lexists(place):
            place = place.parent
        if not place.is_dir():
            if place == self._directory:
                raise ConfigError(f"the spool is to be in {place}, which is no directory")
            self._tell(f"cannot be written: {place} is no directory")
        elif not os.access(place, os.W_OK | os.X_OK):
            self._tell(f"cannot be written: this process may not write in {place}")

    def _tell(self, what: str) -> None:
        if not self._in_trouble:
            self._in_trouble = True
            logger.error("the spool in %s %s; visits wait in memory", self._directory, what)
