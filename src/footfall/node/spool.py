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
from footfall.core.outbox import Sealed
from footfall.core.partition import PRODUCER_EPOCHS
from footfall.errors import (
    DataVersionError,
    SpoolDamagedError,
    SpoolFullError,
    SpoolInUseError,
)
from footfall.log.protocol import Log
from footfall.node.spool_file import SUFFIX, Origin, Row, SpoolFile, set_aside
from footfall.node.spool_messages import born_of, keyed_in, tally

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

    def __init__(self, file: SpoolFile, since_s: float) -> None:
        self.file = file
        self.since_s = since_s  # when the oldest was written, or a little earlier
        self.messages = 0
        self.read = 0  # id of the last row that was read


class Spool:
    """The spool of a node.

    Attributes:
        messages, bytes: What it holds.
        visits: In how many visits; one that counts in both units is two.
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
        self.messages = self.bytes = self.visits = 0
        self.visits_kept = self.visits_drained = self.keyed_late = self.refused = 0
        self.bytes_max, self.age_max_s = bytes_max, age_max_s
        self.aside: list[str] = []
        self.filled = asyncio.Event()  # there may be something to drain
        self._directory = directory / DIRECTORY
        self._name = f"{node}-{run}"
        self._origin = Origin(node, log.created, log.partitions)
        self._known = {log.created, *log.ancestors}
        self._definitions = definitions
        self._pending: dict[int, int] = {}
        self._files: list[_Open] = []
        self._writing: _Open | None = None
        self._made = 0
        self._failed_s = -RETRY_S
        self._why = ""  # it failed
        self._turn = asyncio.Lock()  # whoever writes, or removes a file

    @property
    def age_s(self) -> float:
        """How long the oldest message has been waiting."""
        return max(0.0, time.time() - min((one.since_s for one in self._files), default=time.time()))

    @property
    def refusal(self) -> str:
        """Why nothing more is taken now; empty if it is."""
        if self.bytes >= self.bytes_max:
            return f"this node's spool holds {self.bytes} bytes of visits, and may hold {self.bytes_max}"
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
            found.append(f"{self.visits} visits that were kept in the spool are on their way to the log")
        if self.aside:
            found.append(f"visits in {', '.join(self.aside)} are not counted: run footfall doctor")
        return found

    def pending(self, number: int) -> int:
        """Visits to a counter that are here, and that the log may not have."""
        return self._pending.get(number, 0)

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
                await asyncio.to_thread(self._append, messages)
            except (OSError, sqlite3.Error, SpoolFullError) as error:
                self._writing = None  # whether it is written is not known: what comes next goes elsewhere
                self._failed_s, self.refused = time.monotonic(), self.refused + 1
                self._why = f"this node's spool cannot be written: {error}"
                logger.error("%s", self._why)
                await self._count_anew()
                raise SpoolFullError(self._why) from None
            assert self._writing is not None
            self.visits_kept += self._add(self._writing, [data for _, data in messages])
        self.filled.set()

    def _append(self, messages: Sequence[tuple[int, bytes]]) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        if (free := shutil.disk_usage(self._directory).free) < DISK_FREE_MIN:
            raise SpoolFullError(f"its disk has only {free} bytes left")
        if self._writing is None:
            if len(self._files) >= FILES_MAX:
                raise SpoolFullError(f"it has {len(self._files)} files that failed")
            self._made += 1
            path = self._directory / f"{self._name}-{self._made}{SUFFIX}"
            self._writing = _Open(SpoolFile.create(path, self._origin), time.time())
            self._files.append(self._writing)
        self._writing.file.append(messages)

    def _add(self, one: _Open, messages: Sequence[bytes], times: int = 1) -> int:
        """Count messages in, or out if ``times`` is -1; returns how many visits they hold."""
        one.messages += times * len(messages)
        self.messages += times * len(messages)
        self.bytes += times * sum(map(len, messages))
        visits, pending = tally(messages, self._definitions)
        for number, count in pending.items():
            left = self._pending.get(number, 0) + times * count
            if left:
                self._pending[number] = left
            else:
                self._pending.pop(number, None)
        self.visits += times * visits
        return visits

    async def window(self) -> Window | None:
        """The next messages to publish; None if there is nothing for now."""
        async with self._turn:
            for one in list(self._files):
                try:
                    rows = await asyncio.to_thread(one.file.after, one.read, WINDOW_MESSAGES, WINDOW_BYTES)
                except SpoolDamagedError as error:
                    logger.critical("%s", error)
                    await self._leave(one)
                    continue
                if not rows:
                    await self._end(one)
                    continue
                if (ready := self._ready(one, rows)) is not None:
                    one.read = rows[-1].id
                    return Window(one, ready)
        self.filled.clear()
        return None

    def _ready(self, one: _Open, rows: Sequence[Row]) -> list[Row] | None:
        """The rows that can be published; None if all of them must wait."""
        epoch = self._definitions.epoch
        ready = []
        for row in rows:
            born = born_of(row.data) if row.whole else None
            if born is None or born <= epoch - PRODUCER_EPOCHS or row.kept_s < time.time() - ROW_AGE_MAX_S:
                why = (
                    "was changed" if born is None else "has waited for a week: whether it counted is not known any more"
                )
                logger.critical("message %d of %s %s; it is not counted", row.id, one.file.path, why)
            elif born > epoch:
                return None  # the log was restored from before that: it takes the message when it is as old again
            else:
                ready.append(row)
        return ready

    async def drained(self, window: Window) -> None:
        """Forget messages that the log has."""
        one, rows = window
        async with self._turn:
            self.visits_drained += self._add(one, [row.data for row in rows], -1)
            late_s = time.time() - KEYS_REMEMBERED_S
            self.keyed_late += sum(keyed_in(row.data) for row in rows if row.kept_s < late_s)
            try:
                if one.messages:
                    await asyncio.to_thread(one.file.remove, [row.id for row in rows])
                    one.since_s = rows[-1].kept_s if rows else one.since_s
                else:
                    self._forget(one)
                    await asyncio.to_thread(one.file.unlink)
            except (OSError, sqlite3.Error) as error:  # published once more after a restart, and counted once
                logger.error("the spool %s cannot be emptied: %s", one.file.path, error)

    async def _end(self, one: _Open) -> None:
        """All of a file was read."""
        if one.messages:  # those that were passed over
            await self._leave(one)
        elif one is not self._writing:
            self._forget(one)
            await asyncio.to_thread(one.file.unlink)

    async def _leave(self, one: _Open) -> None:
        """Set a file aside that cannot be drained to its end."""
        self._forget(one)
        aside = await asyncio.to_thread(one.file.set_aside, ASIDE)
        self.aside.append(str(aside))
        logger.critical("%d messages are not counted, and stay in %s: run footfall doctor", one.messages, aside)
        await self._count_anew()

    def _forget(self, one: _Open) -> None:
        self._files.remove(one)
        if self._writing is one:
            self._writing = None

    async def _count_anew(self) -> None:
        """Work out what is held: of a file that was set aside it cannot be told."""
        self.messages = self.bytes = self.visits = 0
        self._pending.clear()
        for one in self._files:
            one.messages = 0
            with contextlib.suppress(SpoolDamagedError):  # whoever drains it will find it
                await self._read_all(one)

    async def _read_all(self, one: _Open) -> None:
        at = 0
        while rows := await asyncio.to_thread(one.file.after, at, WINDOW_MESSAGES, WINDOW_BYTES):
            at = rows[-1].id
            one.since_s = min(one.since_s, rows[0].kept_s)
            self._add(one, [row.data for row in rows])

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
        except DataVersionError as error:
            self.aside.append(str(path))
            logger.error("%s", error)
            return
        except SpoolDamagedError as error:
            logger.critical("%s", error)
            self.aside.append(str(await asyncio.to_thread(set_aside, path, ASIDE)))
            return
        if file.origin.log not in self._known or file.origin.partitions != self._origin.partitions:
            file.close()
            self.aside.append(str(path))
            logger.error("the spool %s is of the log made at %s: it is left alone", path, file.origin.log)
            return
        one = _Open(file, time.time())
        self._files.append(one)
        try:
            await self._read_all(one)
        except SpoolDamagedError as error:
            logger.critical("%s", error)
            await self._leave(one)
        if one.messages:
            logger.warning("%d messages that wait in %s go to the log now", one.messages, path)

    async def close(self) -> None:
        """Let all files go, as they are."""
        async with self._turn:
            for one in self._files:
                await asyncio.to_thread(one.file.close)
            self._files.clear()
            self._writing = None
