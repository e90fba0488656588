"""All that one node knows of the whole, for a page that shows it; measures how fast everything grows together."""

from __future__ import annotations

import asyncio
import logging
import time
from array import array
from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
import numpy as np

from footfall.core.closing import Rate
from footfall.core.milestones import Standing
from footfall.node.catalogue import Catalogue
from footfall.node.readings import LogReading, OverviewReading, PacedMilestone, SpoolReading

if TYPE_CHECKING:
    from footfall.node.node import Node

logger = logging.getLogger(__name__)

LOOK_S = 1.0  # between two looks at the sum of all
SUMMED_AT_ONCE = 50_000  # counters, before others get a turn: 0.2 ms
MILESTONES_SHOWN_MAX = 100


class Overview:
    """The overview of one node."""

    def __init__(self, node: Node, catalogue: Catalogue) -> None:
        self._node = node
        self._catalogue = catalogue
        self._rate = Rate()
        self._total = 0
        self._visitors = 0
        self._failing = False
        self._version = version("footfall")  # it is read from a file: not each second
        self._servers = [_place(url) for url in node.config.nats]

    async def look(self) -> None:
        """Note what all counters at the top of the tree have together. Called at intervals of ``LOOK_S``."""
        try:
            await self._look()
            self._failing = False
        except Exception:  # nobody foresaw it: it must not end the node, and must be seen, but not every second
            if not self._failing:
                logger.exception("what all counters have together cannot be worked out")
            self._failing = True

    async def _look(self) -> None:
        await self._catalogue.catch_up()
        units, roots = self._node.counting.definitions.units, self._catalogue.roots
        total, visitors = 0, 0
        for begin in range(0, len(roots), SUMMED_AT_ONCE):
            some = roots[begin : begin + SUMMED_AT_ONCE]
            of_visitors = array("i", [number for number in some if units[number]])
            of_both = summed(self._node.table.totals, some)
            visitors_here = summed(self._node.table.totals, of_visitors)
            total += of_both - visitors_here
            visitors += visitors_here
            await asyncio.sleep(0)
        self._total, self._visitors = total, visitors
        self._rate.see(time.monotonic(), self._total)

    def read(self) -> OverviewReading:
        """The overview as of now. Raises NotReadyError."""
        node = self._node
        node.check_answering()
        return OverviewReading(
            node=node.id,
            version=self._version,
            started=node.started,
            topology=node.topology,
            partitions=node.table.partitions,
            counters=len(node.counting.definitions),
            total=self._total,
            visitors=self._visitors,
            visits_per_s=round(self._rate.per_s, 3),
            sequence=node.table.sequence(),
            epoch=node.counting.definitions.epoch,
            log=self._log(),
            spool=self._spool(),
            nodes=node.nodes(),
            milestones=self._milestones(),
            problems=node.problems(),
            warnings=node.warnings(),
        )

    def _log(self) -> LogReading:
        node, state = self._node, self._node.log_watch.state
        messages, size, size_max, replicas = 0, 0, node.config.log_bytes_max, 1
        if state is not None:
            messages, size = state.last_sequence - state.first_sequence + 1, state.bytes
            size_max, replicas = state.bytes_max, state.replicas
        return LogReading(
            node.connected, not node.config.nats, messages, size, size_max, replicas, servers=self._servers
        )

    def _spool(self) -> SpoolReading | None:
        spool = self._node.spool
        if spool is None:
            return None
        spooling = self._node.producer.storing.spooling
        return SpoolReading(spool.visits, spool.size, spool.bytes_max, round(spool.age_s, 3), spooling)

    def _milestones(self) -> list[PacedMilestone]:
        standings = shown(self._node.milestones.list(), self._value, MILESTONES_SHOWN_MAX)
        return [self._paced(standing, time.monotonic()) for standing in standings]

    def _value(self, counter: str) -> int:
        number = self._node.counting.definitions.number(counter)
        return 0 if number is None else self._node.table.value(number)

    def _paced(self, standing: Standing, now_s: float) -> PacedMilestone:
        reading = self._node.milestone(standing)
        per_s = self._node.counting.judging.nearness.per_s(standing.counter, now_s)
        left = max(standing.n - reading.value, 0)
        projected_s = round(left / per_s, 3) if standing.open and per_s > 0 else None
        return PacedMilestone(**msgspec.structs.asdict(reading), rate_per_s=round(per_s, 3), projected_s=projected_s)


def summed(totals: array[int], numbers: array[int]) -> int:
    """What some counters have together. Those that are too new to have a total have nothing."""
    if not totals or not numbers:
        return 0  # numpy takes no buffer of nothing
    known, picked = np.frombuffer(totals, np.int64), np.frombuffer(numbers, np.int32)
    values = known[picked[picked < len(known)]]
    if values.sum(dtype=np.float64) < 1 << 62:
        return int(values.sum())
    return sum(values.tolist())  # each may have 2**63 - 1


def shown(standings: list[Standing], value: Callable[[str], int], shown_max: int) -> list[Standing]:
    """The milestones that are shown: open ones, the nearest first, and then the others, the last reached first."""
    open_ = [one for one in standings if one.open]
    reached = [one for one in standings if not one.open]
    open_.sort(key=lambda one: 1 - value(one.counter) / one.n)
    reached.sort(key=lambda one: one.reached, reverse=True)
    return [*open_, *reached][:shown_max]


def _place(url: str) -> str:
    """Where a server is, without the password that its URL may hold."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or 4222}"
