"""What a node answers when it is asked for counts: from its own copy, or exactly."""

import asyncio
import time
from bisect import bisect_left
from collections.abc import MutableSequence, Sequence

import numpy as np

from footfall.core.milestones import Standing
from footfall.core.names import Unit, check_name
from footfall.errors import LogUnavailableError
from footfall.node.counting import Counting
from footfall.node.producer import Producer
from footfall.node.readings import MilestoneReading, MilestoneState, Phase, Reading, winner_reading

DEFINED_TIMEOUT_S = 10.0  # for the definitions to be read as far as an exact count
FRESHNESS_S = 0.005  # for how long a sequence and a staleness once worked out serve other reads


class Reads:
    """The reads of one node. Whether it may answer is its own business."""

    def __init__(self, counting: Counting, producer: Producer) -> None:
        self._counting = counting
        self._producer = producer
        self._table = counting.table
        self._sorted: list[str] = []
        self._fresh: tuple[float, int, int] = (0.0, 0, 0)

    def read(self, name: str) -> Reading:
        """A counter's value, from this node's own copy; 0 for one that nobody has visited.

        Raises:
            InvalidNameError: It is not a name.
        """
        number = self._counting.definitions.number(name)
        if number is None:
            check_name(name)
        sequence, staleness_ms = self._freshness()
        if number is None:
            return Reading(name, 0, 0, Unit.VISITS, Phase.AP, "eventual", sequence, staleness_ms)
        unit = self._counting.definitions.unit(number)
        value, phase, sequence, staleness_ms = self._counting.judging.showing.read(number, sequence, staleness_ms)
        return Reading(name, value, self._producer.pending(number), unit, phase, "eventual", sequence, staleness_ms)

    async def read_exact(self, name: str) -> Reading:
        """A counter's exact value: of all visits acknowledged before this call, and maybe some that came since.

        Raises:
            PartitionsUnownedError, LogUnavailableError, OverloadedError: As ``ExactReads.read``.
        """
        exact = await self._counting.exact.read(name)
        try:
            async with asyncio.timeout(DEFINED_TIMEOUT_S):
                await self._counting.aggregator.definitions_reached.wait(exact.sequence)
        except TimeoutError:
            raise LogUnavailableError("this node has not read the log as far as the exact count; try again") from None
        number = self._counting.definitions.number(name)
        unit, phase, pending = Unit.VISITS, Phase.AP, 0
        if number is not None:
            entries = np.array([exact.vector.entries], np.int64)
            self._table.merge(np.array([number], np.int32), entries, [exact.sequence] * self._table.partitions)
            unit, pending = self._counting.definitions.unit(number), self._producer.pending(number)
            showing = self._counting.judging.showing
            showing.exact(number, exact.sequence, exact.vector.value)
            if number in showing.closing:
                phase = Phase.CP
        return Reading(name, exact.vector.value, pending, unit, phase, "linearizable", exact.sequence, 0)

    def milestone(self, standing: Standing) -> MilestoneReading:
        """A milestone with its counter's value."""
        state = MilestoneState.OPEN if standing.open else MilestoneState.REACHED
        if self._counting.judging.nearness.is_closing(standing):
            state = MilestoneState.CLOSING
        number = self._counting.definitions.number(standing.counter)
        if number is not None and not standing.open:
            # So many have come, though not all is heard here.
            self._counting.judging.showing.at_least(number, standing.n)
        value = self.read(standing.counter).value
        return MilestoneReading(standing.counter, standing.n, state, value, winner_reading(standing))

    def list(self, prefix: str, after: str, limit: int) -> Sequence[Reading]:
        """A counter and its descendants (all, for an empty prefix) whose names come after ``after``, in order."""
        if prefix:
            check_name(prefix)
        names = self._names()
        found: MutableSequence[Reading] = []
        ranges = [(prefix, prefix + "\0"), (prefix + ".", prefix + "/")] if prefix else [("", "~")]
        for low, high in ranges:
            at = bisect_left(names, max(low, after + "\0" if after else ""))
            while at < len(names) and names[at] < high and len(found) < limit:
                found.append(self.read(names[at]))
                at += 1
        return found

    def _names(self) -> Sequence[str]:
        """All names, sorted; sorting a nearly sorted list costs little."""
        names = self._counting.definitions.names
        if len(self._sorted) < len(names):
            self._sorted += names[len(self._sorted) :]
            self._sorted.sort()
        return self._sorted

    def _freshness(self) -> tuple[int, int]:
        """(sequence, staleness_ms) of the table."""
        now_s = time.monotonic()
        at_s, sequence, staleness_ms = self._fresh
        if now_s - at_s > FRESHNESS_S:
            foldings = self._counting.aggregator.foldings
            oldest_s = now_s
            for number, confirmed_s in enumerate(self._counting.sharing.confirmed_s):
                folding = foldings.get(number)
                if folding is None or not folding.attached:
                    oldest_s = min(oldest_s, confirmed_s)
                elif folding.lag_s:
                    oldest_s = min(oldest_s, folding.caught_up_s)
            sequence, staleness_ms = self._table.sequence(), int((now_s - oldest_s) * 1000)
            self._fresh = (now_s, sequence, staleness_ms)
        return sequence, staleness_ms
