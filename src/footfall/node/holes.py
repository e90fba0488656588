"""What the log lacks, or holds in the wrong place: a server passes over a record that is damaged on its disk, silently.

A cut tells how many messages of the log are in no part of it. It costs nothing to know, and cannot be wrong: whoever
counted a partition counted its messages. Only where some are missing the log is read, to find out which.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import NamedTuple

from footfall.core.cut_tally import Tally, nothing, tally
from footfall.core.partition import Alarm
from footfall.core.position import Position
from footfall.errors import CheckpointError, IntegrityError, LogUnavailableError
from footfall.log.protocol import Log
from footfall.node.bundles import log_between
from footfall.node.cut_reader import CutReader, Found
from footfall.node.judge_begin import judge_subjects
from footfall.ordinals import counted

logger = logging.getLogger(__name__)

SECONDS_MAX = 30.0  # to find out which messages were not counted: no cut is taken meanwhile
LOOKED_AT_MAX = 100  # of the sequences that a reader was not sent; the rest is taken for missing


class _Looked(NamedTuple):
    """What there was to know of a cut."""

    epoch: int
    position: Position
    tally: Tally


class Holes:
    """Looks at each cut that is whole.

    Args:
        log: Where the messages should be.
        cuts: Read the cuts.
        alarm: Is told what is found.
    """

    def __init__(self, log: Log, cuts: CutReader, alarm: Callable[[Iterable[Alarm]], None]) -> None:
        self._log = log
        self._cuts = cuts
        self._alarm = alarm
        self._looked: _Looked | None = None

    async def look(self, kept: Sequence[Found]) -> None:
        """Say what the newest cut lacks that the one looked at last did not. Raises LogUnavailableError.

        Args:
            kept: The newest cuts that are whole, newest first; one at least.
        """
        if self._looked is not None and kept[0].epoch <= self._looked.epoch:
            return
        try:
            before = self._looked or await self._told_before(kept)
            newest = await self._read(kept[0])
        except CheckpointError as error:  # lost since it was verified: the next look at the cuts says so
            logger.debug("%s", error)
            return
        self._looked = newest
        if (lacks := newest.tally.lacks_above(before.tally) or 0) > 0:
            self._alarm(await self._found(before.position, newest.position.sequence, lacks))

    async def _told_before(self, kept: Sequence[Found]) -> _Looked:
        """Above what this process is to say what is missing. Raises CheckpointError."""
        if len(kept) == 1 and (await self._log.state()).first_sequence == 1:
            return _Looked(0, Position(self._log.created), nothing(self._log.partitions))
        older = await self._read(kept[-1])
        if lacks := older.tally.lacks():
            logger.warning("%s", lacking(lacks, older.position.sequence))
        return older

    async def _read(self, found: Found) -> _Looked:
        return _Looked(found.epoch, found.position, tally(found.manifests.values(), await self._cuts.metas(found)))

    async def _found(self, begin: Position, end: int, lacks: int) -> list[Alarm]:
        alarms: list[Alarm] = []
        try:
            async with asyncio.timeout(SECONDS_MAX):
                async for first, last in holes(self._log, begin, end):
                    lacks -= last - first + 1
                    alarms += await explained(self._log, first, last)
        except (LogUnavailableError, IntegrityError, TimeoutError) as error:
            logger.warning("which messages were not counted cannot be told: %s", error or "it takes too long")
        if lacks > 0:
            which = counted(lacks, "message was", "messages were")
            detail = f"{which} not counted above sequence {begin.sequence}: it is not known which"
            alarms.append(Alarm("missing", detail, end))
        return alarms


def lacking(messages: int, sequence: int) -> str:
    """What a cut up to a sequence tells, in words."""
    which = f"{counted(messages, 'message is', 'messages are')} not counted of those up to sequence {sequence}"
    return f"{which}: not to be read, or of no partition; an alarm said so when that was found"


async def holes(log: Log, begin: Position, end: int) -> AsyncGenerator[tuple[int, int], None]:
    """The sequences above a position, up to ``end``, that no reader is sent: first and last of each hole.

    Only who reads all subjects can see it. A producer's own numbers do not tell of the last message that it wrote.

    Args:
        log: Whose.
        begin: Where to begin.
        end: A sequence that the log holds.

    Raises:
        LogUnavailableError, LogRewoundError, LogTrimmedError: As ``Log.read``.
    """
    read = begin.sequence
    async for message in log_between(log, begin, end):
        if message.sequence > read + 1:
            yield read + 1, message.sequence - 1
        read = message.sequence


async def explained(log: Log, first: int, last: int) -> list[Alarm]:
    """Why readers are not sent these: they are missing, or are of no partition. Raises LogUnavailableError."""
    alarms: list[Alarm] = []
    missing: list[int] = []
    subjects = judge_subjects(log.partitions)
    for sequence in range(first, last + 1):
        message = await log.message(sequence) if sequence - first < LOOKED_AT_MAX else None
        if message is None or message.subject in subjects:
            missing.append(sequence)
        else:
            detail = f"the message is on subject {message.subject}, and there is no such partition"
            alarms.append(Alarm("foreign", detail, sequence))
    if missing:
        begin, end = missing[0], missing[-1]
        which = f"sequence {begin} is" if begin == end else f"sequences {begin} to {end} are"
        alarms.append(Alarm("missing", f"{which} not in the log, or cannot be read", end))
    return alarms
