"""What this node has taken while the log was away, durable on its disk, until the log has it too.

A file is made when it is first needed, and removed when all of it is in the log. One that a process left behind, killed
or stopped, is taken over by the next that looks: a spool belongs to a data directory, not to a process.
"""

import asyncio
import contextlib
import logging
import shutil
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from footfall.core.definitions import Definitions
from footfall.core.partition import PRODUCER_EPOCHS
from footfall.core.sealing import Sealed
from footfall.errors import (
    DataVersionError,
    SpoolDamagedError,
    SpoolFullError,
    SpoolInUseError,
)
from footfall.log.protocol import Log
from footfall.node.spool_file import SUFFIX, Origin, Row, SpoolFile, set_aside
from footfall.node.spool_messages import Tally, born_of, keyed_in
from footfall.ordinals import counted

logger = logging.getLogger(__name__)

DIRECTORY = "spool"
ASIDE = "aside"  # ending of a file that is not drained: a person must look
FILES_MAX = 64  # open at once; a disk that fails again and again leaves one each time
WINDOW_MESSAGES, WINDOW_BYTES = 512, 16 << 20  # read from the disk at a time, on the way to the log
DISK_FREE_MIN = 64 << 20  # below it nothing more is written: a full disk would stop the engine too
RETRY_S = 1.0  # after a failure to write
ROW_AGE_MAX_S = 6 * 86_400.0  # with the day for which its id was used it is a week old: see PRODUCER_EPOCHS
KEYS_REMEMBERED_S = 600.0  # 60 epochs of 10 s


class Window(NamedTuple):
    """Messages to be published, in order for each partition; then ``Spool.drained``."""

    file: "_Open"
    rows: Sequence[Row]


class _Open:
    """A file of which this process drains what is left."""

    def __init__(self, file: SpoolFile) -> None:
        self.file = file
        self.tally = Tally()
        self.since_s = time.time()  # when the oldest was written, or a little earlier
        self.read = 0  # id of the last row that was read
        self.passed_over = 0  # rows that are not for the log: they stay for a person


class Spool:
    """The spool of a node.

    Attributes:
        visits_kept, visits_drained: So far.
        keyed_late: Of those drained, how many had a key and came when keys of their time were forgotten.
        refused: How often it could not keep what it was given.
        aside: Files that are there and are not drained.
    """

    def __init__(
        self,
        directory: Path,
        node: str,
        run: str,
        log: Log,
        definitions: Definitions,
        bytes_max: int,
        age_max_s: float,
    ) -> None:
        self.visits_kept = self.visits_drained = self.keyed_late = self.refused = 0
        self.bytes_max, self.age_max_s = bytes_max, age_max_s
        self.aside: list[str] = []
        self.filled = asyncio.Event()  # there may be something to drain
        self._directory = directory / DIRECTORY
        self._name = f"{node}-{run}"
        self._origin = Origin(node, log.created, log.partitions)
        self._known = {log.created, *log.ancestors}
        self._definitions = definitions
        self._files: list[_Open] = []
        self._writing: _Open | None = None
        self._made = 0
        self._failed_s = -RETRY_S
        self._why = ""  # it failed
        self._turn = asyncio.Lock()  # whoever writes, or removes a file

    @property
    def messages(self) -> int:
        """How many it holds."""
        return sum(one.tally.messages for one in self._files)

    @property
    def size(self) -> int:
        """Their size, in bytes."""
        return sum(one.tally.bytes for one in self._files)

    @property
    def visits(self) -> int:
        """The visits in them; one that counts in both units is two."""
        return sum(one.tally.visits for one in self._files)

    @property
    def age_s(self) -> float:
        """How long the oldest message has been waiting."""
        return max(0.0, time.time() - min((one.since_s for one in self._files), default=time.time()))

    @property
    def refusal(self) -> str:
        """Why nothing more is taken now; empty if it is."""
        if self.size >= self.bytes_max:
            return f"this node's spool holds {self.size} bytes of visits, and may hold {self.bytes_max}"
        if self.age_s > self.age_max_s:
            return (
                f"the oldest visit in this node's spool has waited for {self.age_s:.0f} s, and may {self.age_max_s:g} s"
            )
        if time.monotonic() - self._failed_s < RETRY_S:
            return self._why
        return ""

    def warnings(self, away: bool) -> list[str]:
        """What a person should know of it; ``away``: whether visits are kept here now."""
        found = []
        if away:
            found.append(f"the log takes no visits: they are kept in the spool, {self.visits} so far")
        elif self.messages:
            found.append(f"{counted(self.visits, 'visit')} kept in the spool: on the way to the log")
        if self.aside:
            files = "a file of the spool" if len(self.aside) == 1 else f"{len(self.aside)} files of the spool"
            found.append(f"visits in {files} are not counted: run footfall doctor, which names what was put aside")
        return found

    def pending(self, number: int) -> int:
        """Visits to a counter that are here, and that the log may not have."""
        return sum(one.tally.pending.get(number, 0) for one in self._files)

    async def keep(self, sealed: Sequence[Sealed]) -> None:
        """Keep messages durably, all of them, behind all that is here.

        Raises:
            SpoolFullError: It takes no more, or cannot write. Then seal no more under the same producer's id.
        """
        if why := self.refusal:
            self.refused += 1
            raise SpoolFullError(why)
        messages = [(one.partition, one.data) for one in sealed]
        async with self._turn:
            try:
                if self._writing is None:
                    self._writing = _Open(await asyncio.to_thread(self._make))
                    self._files.append(self._writing)
                await asyncio.to_thread(self._append, self._writing.file, messages)
            except (OSError, sqlite3.Error, SpoolFullError) as error:
                if not isinstance(error, SpoolFullError):
                    self._writing = None  # whether it is written is not known: what comes next goes elsewhere
                self._failed_s, self.refused = time.monotonic(), self.refused + 1
                cause = getattr(error, "strerror", None) or error  # without the path: anyone may see it
                if self._why != (why := f"this node's spool cannot be written: {cause}"):
                    logger.error("this node's spool cannot be written: %s", error)
                self._why = why
                raise SpoolFullError(self._why) from None
            self._why = ""
            self.visits_kept += self._writing.tally.add([data for _, data in messages], self._definitions)
        self.filled.set()

    def _make(self) -> SpoolFile:
        if len(self._files) >= FILES_MAX:
            raise SpoolFullError(f"it has {len(self._files)} files that failed")
        self._made += 1
        return SpoolFile.create(self._directory / f"{self._name}-{self._made}{SUFFIX}", self._origin)

    def _append(self, file: SpoolFile, messages: Sequence[tuple[int, bytes]]) -> None:
        if (free := shutil.disk_usage(self._directory).free) < DISK_FREE_MIN:
            raise SpoolFullError(f"its disk has only {free >> 20} MiB left")
        file.append(messages)

    async def window(self) -> Window | None:
        """The next messages to publish; None if there is nothing for now."""
        async with self._turn:
            for one in list(self._files):
                try:
                    rows = await asyncio.to_thread(one.file.after, one.read, WINDOW_MESSAGES, WINDOW_BYTES)
                except OSError as error:  # of the system, and not of the file: it is tried again
                    logger.error("%s", error)
                    continue
                except SpoolDamagedError as error:
                    logger.critical("%s", error)
                    one.passed_over += 1
                    rows = []
                if not rows:
                    await self._finish(one)
                elif (ready := self._ready(one, rows)) is not None:
                    one.read = rows[-1].id
                    return Window(one, ready)
        self.filled.clear()
        return None

    def _ready(self, one: _Open, rows: Sequence[Row]) -> list[Row] | None:
        """The rows that can be published; None if all of them must wait."""
        epoch, oldest_s = self._definitions.epoch, time.time() - ROW_AGE_MAX_S
        born = [born_of(row.data) if row.whole else None for row in rows]
        if any(one_born is not None and one_born > epoch for one_born in born):
            return None  # the log was restored from before that: it takes the messages when it is as old again
        ready = []
        for row, since in zip(rows, born, strict=True):
            if since is not None and since > epoch - PRODUCER_EPOCHS and row.kept_s >= oldest_s:
                ready.append(row)
                continue
            one.passed_over += 1
            why = "was changed" if since is None else "has waited for a week: whether it counted is not known any more"
            logger.critical("message %d of %s %s; it is not counted", row.id, one.file.path, why)
        return ready

    async def drained(self, window: Window) -> None:
        """Forget messages that the log has."""
        one, rows = window
        async with self._turn:
            self.visits_drained += one.tally.add([row.data for row in rows], self._definitions, -1)
            late_s = time.time() - KEYS_REMEMBERED_S
            self.keyed_late += sum(keyed_in(row.data) for row in rows if row.kept_s < late_s)
            try:
                await asyncio.to_thread(one.file.remove, [row.id for row in rows])
            except sqlite3.Error as error:  # after a restart they are published once more, and counted once
                logger.error("the spool %s cannot be emptied: %s", one.file.path, error)
            one.since_s = rows[-1].kept_s if rows else one.since_s

    async def _finish(self, one: _Open) -> None:
        """All of a file was read: remove it; or, if something in it was passed over, leave it for a person."""
        self._files.remove(one)
        if self._writing is one:
            self._writing = None
        try:
            if one.passed_over:
                aside = await asyncio.to_thread(one.file.set_aside, ASIDE)
                self.aside.append(str(aside))
                logger.critical("visits in %s are not counted: run footfall doctor", aside)
            else:
                await asyncio.to_thread(one.file.unlink)
        except OSError as error:  # it is taken over again, and tried once more
            logger.error("the spool %s can neither be removed nor renamed: %s", one.file.path, error)

    async def adopt(self) -> None:
        """Take over what other processes have left in the data directory."""
        async with self._turn:
            mine = {one.file.path for one in self._files}
            self.aside = sorted(map(str, self._directory.glob(f"*{SUFFIX}.{ASIDE}")))
            for path in sorted(self._directory.glob(f"*{SUFFIX}")):
                if path not in mine and len(self._files) < FILES_MAX:
                    await self._adopt(path)
        if self._files:
            self.filled.set()

    async def _adopt(self, path: Path) -> None:
        try:
            file = await asyncio.to_thread(SpoolFile.open, path)
        except (FileNotFoundError, SpoolInUseError):
            return
        except OSError as error:
            logger.error("%s", error)
            return
        except DataVersionError as error:
            self.aside.append(str(path))
            logger.error("%s", error)
            return
        except SpoolDamagedError as error:
            logger.critical("%s", error)
            with contextlib.suppress(OSError):  # then it is looked at again
                self.aside.append(str(await asyncio.to_thread(set_aside, path, ASIDE)))
            return
        if file.origin.log not in self._known or file.origin.partitions != self._origin.partitions:
            file.close()
            self.aside.append(str(path))
            logger.error("the spool %s is of the log made at %s: it is left alone", path, file.origin.log)
            return
        one = _Open(file)
        try:
            await self._count(one)
        except SpoolDamagedError as error:  # what comes before the damage is drained, and then whoever drains meets it
            logger.error("%s", error)
        except OSError as error:
            logger.error("%s", error)
            file.close()
            return
        self._files.append(one)
        if one.tally.messages:
            logger.warning("%d messages that wait in %s go to the log now", one.tally.messages, path)

    async def _count(self, one: _Open) -> None:
        at = 0
        while rows := await asyncio.to_thread(one.file.after, at, WINDOW_MESSAGES, WINDOW_BYTES):
            at = rows[-1].id
            one.since_s = min(one.since_s, rows[0].kept_s)
            one.tally.add([row.data for row in rows], self._definitions)

    async def close(self) -> None:
        """Let all files go, as they are."""
        async with self._turn:
            for one in self._files:
                await asyncio.to_thread(one.file.close)
            self._files.clear()
            self._writing = None
