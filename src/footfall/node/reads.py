"""What a node answers when it is asked for counts: from its own copy, or exactly."""

import asyncio
import time
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from footfall import tracing
from footfall.core.milestones import Standing
from footfall.core.names import Unit, check_name
from footfall.core.vector import Vector
from footfall.errors import LogUnavailableError
from footfall.node.catalogue import Catalogue
from footfall.node.counting import Counting
from footfall.node.producer import Producer
from footfall.node.readings import (
    EntryReading,
    Listed,
    MilestoneReading,
    MilestoneState,
    NodeInfo,
    Page,
    Phase,
    Reading,
    VectorReading,
    winner_reading,
)

DEFINED_TIMEOUT_S = 10.0  # for the definitions to be read as far as an exact count
FRESHNESS_S = 0.005  # for how long a sequence and a staleness once worked out serve other reads


class Reads:
    """The reads of one node. Whether it may answer is its own business."""

    def __init__(self, counting: Counting, producer: Producer, catalogue: Catalogue) -> None:
        self._counting = counting
        self._producer = producer
        self._catalogue = catalogue
        self._table = counting.table
        self._fresh: tuple[float, int, int] = (0.0, 0, 0)

    def read(self, name: str) -> Reading:
        """A counter's value, from this node's own copy; 0 for one that nobody has visited.

        Raises:
            InvalidNameError: It is not a name.
        """
        number = self._counting.definitions.number(name)
        if number is None:
            check_name(name)
        return self._reading(name, number, 0 if number is None else self._producer.pending(number))

    def read_all(self, names: Sequence[str]) -> list[Reading]:
        """The values of many counters, as ``read`` tells them, for less. Raises InvalidNameError."""
        numbers = [self._counting.definitions.number(check_name(name)) for name in names]
        pending = self._producer.pending_of(number for number in numbers if number is not None)
        pairs = zip(names, numbers, strict=True)
        return [self._reading(name, number, 0 if number is None else pending[number]) for name, number in pairs]

    def _reading(self, name: str, number: int | None, pending: int) -> Reading:
        sequence, staleness_ms = self._freshness()
        if number is None:
            return Reading(name, 0, 0, Unit.VISITS, Phase.AP, "eventual", sequence, staleness_ms)
        unit = self._counting.definitions.unit(number)
        value, phase, sequence, staleness_ms = self._counting.judging.showing.read(number, sequence, staleness_ms)
        return Reading(name, value, pending, unit, phase, "eventual", sequence, staleness_ms)

    async def read_exact(self, name: str) -> Reading:
        """A counter's exact value: of all visits acknowledged before this call, and maybe some that came since.

        Raises:
            PartitionsUnownedError, LogUnavailableError, OverloadedError: As ``ExactReads.read``.
        """
        with tracing.span("exact read", counter=name):
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

    async def list(self, prefix: str, after: str, limit: int) -> Page:
        """A counter and its descendants (all, for an empty prefix) whose names come after ``after``, in order."""
        if prefix:
            check_name(prefix)
        await self._catalogue.catch_up()
        found: list[str] = []
        for low, high in [(prefix, prefix + "\0"), (prefix + ".", prefix + "/")] if prefix else [("", "~")]:
            low = max(low, f"{after}\0" if after else "")
            found += self._catalogue.between(low, high, limit + 1 - len(found))
        return self._page(found, limit)

    async def children(self, parent: str, after: str, limit: int) -> Page:
        """The counters directly below one, or at the top for an empty ``parent``, in order."""
        if parent:
            check_name(parent)
        await self._catalogue.catch_up()
        return self._page(self._catalogue.below(parent, after, limit + 1), limit)

    async def search(self, text: str, after: str, limit: int) -> Page:
        """Counters whose names contain a text, in order; a page may hold fewer than there are, and say how it goes on.

        See ``Catalogue.search``: a request looks at a million names at most.
        """
        await self._catalogue.catch_up()
        found = await self._catalogue.search(text, after, limit)
        return Page(self._listed(found.names), found.after or None)

    def _page(self, names: Sequence[str], limit: int) -> Page:
        """A page, of ``limit`` + 1 names if it goes on."""
        return Page(self._listed(names[:limit]), names[limit - 1] if len(names) > limit else None)

    def _listed(self, names: Sequence[str]) -> Sequence[Listed]:
        found = []
        for reading in self.read_all(names):
            number = self._counting.definitions.number(reading.counter)
            assert number is not None, "the catalogue holds what is defined"
            found.append(Listed(**msgspec.structs.asdict(reading), children=self._catalogue.children[number]))
        return found

    def vector(self, name: str) -> VectorReading:
        """A counter's entries, and who counts each partition, as this node hears it. Raises InvalidNameError."""
        check_name(name)
        number = self._counting.definitions.number(name)
        members, owned = self._counting.members, self._counting.aggregator.owned()
        owners: dict[int, str] = {}
        for peer in members.alive():
            owners.update(dict.fromkeys(peer.folded, peer.id))
        owners.update(dict.fromkeys(owned, members.node))
        vector = self._table.vector(number) if number is not None else Vector((0,) * self._table.partitions)
        entries = [
            EntryReading(partition, value, owners.get(partition), self._table.reached[partition])
            for partition, value in enumerate(vector.entries)
        ]
        return VectorReading(name, vector.value, entries)

    def nodes(self) -> Sequence[NodeInfo]:
        """The nodes that are there, this one first."""
        counting, members = self._counting, self._counting.members
        lags_s, url = counting.aggregator.lags_s(), counting.url
        me = _node_info(members.node, url, counting.topology, counting.aggregator.owned(), lags_s, None)
        others = [
            _node_info(beat.node, beat.url, beat.topology, beat.folded, beat.lag_s, members.heard_ago_s(beat.node))
            for beat in (members.beats[peer.id] for peer in members.alive())
        ]
        return [me, *sorted(others, key=lambda node: node.id)]

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


def _node_info(
    node: str, url: str, topology: str, folded: Mapping[int, int], lag_s: Mapping[int, float], heard_ago_s: float | None
) -> NodeInfo:
    """``heard_ago_s``: None for the node that answers."""
    lag_ms = int(max(lag_s.values(), default=0.0) * 1000)
    heard_ms = int((heard_ago_s or 0.0) * 1000)
    lowest = min(folded.values(), default=0)
    return NodeInfo(node, url, topology, sorted(folded), lowest, lag_ms, heard_ms, heard_ago_s is None)
