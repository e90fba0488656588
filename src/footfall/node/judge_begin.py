"""Where a judge begins: at the newest cut that is below every milestone it has to decide."""

from __future__ import annotations

import asyncio

from footfall.core.definitions import Definitions
from footfall.core.judge import Judge
from footfall.core.milestones import Milestones
from footfall.core.partition import Partition
from footfall.core.position import Position
from footfall.errors import CheckpointError
from footfall.log.protocol import CONTROL_SUBJECT, VISITS_SUBJECT, Log
from footfall.node.cut_reader import Found
from footfall.node.cuts import Cuts
from footfall.ordinals import ordinal


def judge_subjects(partitions: int) -> list[str]:
    """All subjects of a log."""
    return [*(VISITS_SUBJECT.format(partition=number) for number in range(partitions)), CONTROL_SUBJECT]


def beginning(counter: str, created: str, partitions: int) -> Judge:
    """A judge who folds the log from its first message on."""
    empty = [Partition(number, partitions) for number in range(partitions)]
    return Judge(counter, Position(created), 0, Definitions(), empty)


async def at_cut(cuts: Cuts, found: Found, counter: str) -> Judge:
    """A judge who begins at a cut. Raises CheckpointError, LogUnavailableError."""
    definitions = await cuts.definitions(found)
    numbers = range(len(found.manifests) - 1)
    partitions = await asyncio.gather(*(cuts.partition(found, number) for number in numbers))
    return Judge(counter, found.position, found.epoch, definitions, partitions)


async def newest_below(cuts: Cuts, log: Log, counter: str, milestones: Milestones) -> tuple[Judge, Position]:
    """A judge for a counter's open milestones, and from where he reads the log.

    The cut counts less than each N, and lies before the message that set a milestone whose verdict is not known.

    Raises:
        CheckpointError: There is no such cut any more.
        LogRewoundError, LogUnavailableError: As ``Cuts.from_newest``.
    """
    standings = milestones.open_of(counter)
    lowest = min((one.n for one in standings if not one.undecided), default=None)
    before = min((one.since for one in standings if one.undecided), default=None)

    async def read(found: Found) -> Judge:
        if before is not None and found.position.sequence >= before:
            raise CheckpointError(f"cut {found.epoch} was taken after a milestone of {counter} that is not decided")
        judge = await at_cut(cuts, found, counter)
        if lowest is not None and judge.value >= lowest:
            raise CheckpointError(
                f"cut {found.epoch} counts {judge.value} of {counter}, and the {ordinal(lowest)} is sought"
            )
        return judge

    position, judge = await cuts.from_newest(read)
    return judge or beginning(counter, log.created, log.partitions), position
