"""How counts travel between nodes: pushed as they change (`replicated`), or pulled at intervals (`sharded`)."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Container, Iterable, Sequence

import numpy as np

from footfall.core.definitions import COUNTERS_MAX
from footfall.core.table import Numbers, Table
from footfall.errors import MalformedError
from footfall.log.protocol import Bus
from footfall.node import messages
from footfall.node.messages import NODE_SUBJECT, NODES_SUBJECT, ROWS_MAX, Beat, Digests, Done, Gather, Rows, Said

logger = logging.getLogger(__name__)

REPAIR_INTERVAL_S = 0.3  # between two requests to the same node for what was lost
EXCHANGES_MAX = 64  # with one node, whose end has not come; at the bound they are asked for again
CHANGES_ROWS_MAX = 262_144  # remembered, for those who pull; whoever is further behind gets everything


class Link:
    """What this node has of another node's rows."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.last = 0  # serial of the newest rows
        self.gap_before: int | None = None  # some with a lower serial are missing
        self.version = 0  # topology `sharded`: what was pulled last
        self.asked_s = 0.0
        self.parts: dict[int, int] = {}  # exchange → rows received

    def doubt(self) -> None:
        """Some of what came may not have been merged."""
        self.gap_before = self.last + 1
        self.version = -1

    def receive(self, serial: int) -> None:
        """Note that rows came."""
        if serial > self.last + 1:
            self.gap_before = serial
        self.last = max(self.last, serial)

    def complete_to(self, sent: int) -> bool:
        """Whether all rows up to this serial came."""
        if sent > self.last:
            self.gap_before, self.last = sent + 1, sent
        return self.gap_before is None

    def repaired(self, sent: int) -> None:
        """Everything that the other had when it had sent so many rows is here."""
        self.last = max(self.last, sent)
        if self.gap_before is not None and self.gap_before - 1 <= sent:
            self.gap_before = None


class Sharing:
    """What both topologies have in common: rows in, and rows to one node that asked."""

    def __init__(self, node: str, run: str, bus: Bus, table: Table, folded: Callable[[], dict[int, int]]) -> None:
        self.sent = 0  # rows to all
        self.sent_messages = self.sent_bytes = self.received_messages = self.received_bytes = 0
        self.confirmed_s = [time.monotonic()] * table.partitions  # when each partition was last known to be up to date
        self._node = node
        self._run = run
        self._bus = bus
        self._table = table
        self._folded = folded
        self._links: dict[str, Link] = {}
        self._exchange = 0

    async def say(self, said: Said, to: str | None = None) -> None:
        """Send a message to one node, or to all."""
        data = messages.encode(said)
        self.sent_messages += 1
        self.sent_bytes += len(data)
        await self._bus.send(NODES_SUBJECT if to is None else NODE_SUBJECT.format(node=to), data)

    def count_received(self, data: bytes) -> None:
        """Note a message from another node."""
        self.received_messages += 1
        self.received_bytes += len(data)

    def link(self, node: str, run: str) -> Link:
        """What this node has of another one's rows; anew if that was started anew."""
        link = self._links.get(node)
        if link is None or link.run != run:
            link = self._links[node] = Link(run)
        return link

    def dropped_partition(self) -> None:
        """A partition is folded here no more. What others said of it meanwhile was not merged: ask again."""
        for link in self._links.values():
            link.doubt()

    def keep(self, nodes: Container[str]) -> None:
        """All others are gone."""
        self._links = {node: link for node, link in self._links.items() if node in nodes}

    async def rows(self, said: Rows) -> None:
        """Merge another node's rows."""
        numbers, entries = messages.arrays(said)
        if not all(0 <= column < self._table.partitions for column in said.columns):
            raise MalformedError(f"node {said.node} sent entries of partitions {said.columns}")
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < COUNTERS_MAX:
            raise MalformedError(f"node {said.node} sent counters {numbers.min()} to {numbers.max()}")
        for at, (column, beyond) in enumerate(zip(said.columns, said.beyond, strict=True)):
            self._table.merge_column(column, numbers, entries[:, at], beyond)
        link = self.link(said.node, said.run)
        if said.exchange:
            if said.exchange not in link.parts and len(link.parts) >= EXCHANGES_MAX:
                link.parts.clear()
            link.parts[said.exchange] = link.parts.get(said.exchange, 0) + 1
        else:
            link.receive(said.serial)

    async def done(self, said: Done) -> None:
        """An exchange has ended: if nothing of it was lost, this node has all that the other had."""
        link = self.link(said.node, said.run)
        parts = link.parts.pop(said.exchange, 0)
        link.parts = {exchange: count for exchange, count in link.parts.items() if exchange > said.exchange}
        if parts == said.messages:
            link.repaired(said.sent)
            link.version = said.version
            self.confirm(said.folded)

    async def beat(self, said: Beat) -> None:
        """A beat tells how far the other is, and whether rows of it were lost on the way."""

    def confirm(self, folded: dict[int, int]) -> None:
        """This node's table holds these partitions up to these sequences."""
        now_s = time.monotonic()
        for partition, sequence in folded.items():
            if 0 <= partition < self._table.partitions:
                self._table.confirm(partition, sequence)
                self.confirmed_s[partition] = now_s

    async def answer(
        self, to: str, exchange: int, groups: Iterable[Numbers], columns: list[int] | None, version: int
    ) -> None:
        """Send rows to one node, in messages of bounded size, and say that it is done."""
        serial = 0
        folded, sent = self._folded(), self.sent
        for numbers in groups:
            for rows in self._cut_up(numbers, columns):
                serial += 1
                await self.say(self._rows(rows, columns, serial, exchange), to)
                await asyncio.sleep(0)
        await self.say(Done(self._node, self._run, exchange, serial, sent, version, folded), to)

    @staticmethod
    def _cut_up(numbers: Numbers, columns: list[int] | None) -> Iterable[Numbers]:
        return (numbers[at : at + ROWS_MAX] for at in range(0, len(numbers), ROWS_MAX))

    def _rows(self, numbers: Numbers, columns: list[int] | None, serial: int, exchange: int = 0) -> Rows:
        entries = self._table.rows(numbers)
        if columns is None:
            columns = list(range(self._table.partitions))
        else:
            entries = np.ascontiguousarray(entries[:, columns])
        beyond = [self._table.beyond[column] for column in columns]
        return Rows(self._node, self._run, serial, columns, beyond, numbers.tobytes(), entries.tobytes(), exchange)

    async def tick(self, heard: bool) -> None:
        """Called at short intervals; ``heard``: whether any other node is there."""

    def changed_owner(self) -> None:
        """This node counts other partitions than before: what others have of it does not tell what they lack."""

    async def repair(self, others: Sequence[str]) -> None:
        """Called at long intervals, and at the start."""

    async def asked(self, said: Digests | Gather) -> None:
        """Another node asks for rows."""
        raise MalformedError(f"node {said.node} asks as in the other topology; all nodes must run the same")


class Replicated(Sharing):
    """Proposal 1: every node holds every counter's vector, and broadcasts those that it changed, in full."""

    def changed_owner(self) -> None:
        """Others may lack rows that the owner before broadcast: a serial that never comes makes them ask."""
        self.sent += 1

    async def tick(self, heard: bool) -> None:
        """Broadcast the vectors that changed here since the last tick."""
        numbers = self._table.take_changed()
        if not heard:
            self.sent += 1 if len(numbers) else 0  # whoever comes later sees that something is missing
            return
        for rows in self._cut_up(numbers, None):
            self.sent += 1
            await self.say(self._rows(rows, None, self.sent))

    async def rows(self, said: Rows) -> None:
        """Merge; and if some before these were lost, ask for what is missing."""
        await super().rows(said)
        await self._mend(said.node)

    async def beat(self, said: Beat) -> None:
        """Up to date with the other, if all its rows came; if not, ask for what is missing."""
        if self.link(said.node, said.run).complete_to(said.sent):
            self.confirm(said.folded)
        else:
            await self._mend(said.node)

    async def _mend(self, node: str) -> None:
        link = self._links[node]
        now_s = time.monotonic()
        if link.gap_before is not None and now_s - link.asked_s > REPAIR_INTERVAL_S:
            link.asked_s = now_s
            await self._ask(node)

    async def repair(self, others: Sequence[str]) -> None:
        """Anti-entropy: show all what is here, so that each sends what differs."""
        if others:
            await self._ask(None)

    async def _ask(self, node: str | None) -> None:
        self._exchange += 1
        await self.say(Digests(self._node, self._exchange, self._table.bucket_digests()), node)

    async def asked(self, said: Digests | Gather) -> None:
        """Send what differs."""
        if isinstance(said, Digests):
            await self.answer(said.node, said.exchange, list(self._table.differing(said.buckets)), None, 0)
        else:
            await super().asked(said)


class Sharded(Sharing):
    """Proposal 2: every node has its own partitions' entries, and pulls what changed in the others' into a cache."""

    def __init__(self, node: str, run: str, bus: Bus, table: Table, folded: Callable[[], dict[int, int]]) -> None:
        super().__init__(node, run, bus, table, folded)
        self._version = 0
        self._oldest = 0  # the oldest version from which changes are remembered
        self._changes: deque[tuple[int, Numbers]] = deque()
        self._remembered = 0

    async def gather(self) -> None:
        """Ask all for what changed since the last time. A node that does not answer keeps its last known entries."""
        self._exchange += 1
        versions = {node: (link.run, link.version) for node, link in self._links.items()}
        await self.say(Gather(self._node, self._exchange, versions))

    async def beat(self, said: Beat) -> None:
        """A new node is asked for everything at the next gathering."""
        self.link(said.node, said.run)

    async def asked(self, said: Digests | Gather) -> None:
        """Send the entries of this node's partitions that changed."""
        if not isinstance(said, Gather):
            await super().asked(said)
            return
        self._remember()
        run, version = said.versions.get(self._node, ("", 0))
        columns = sorted(self._folded())
        if not columns:
            return
        await self.answer(said.node, said.exchange, self._since(run, version), columns, self._version)

    def changed_owner(self) -> None:
        """Whoever asks next gets everything."""
        self._changes.clear()
        self._remembered = 0
        self._version += 1
        self._oldest = self._version

    def _remember(self) -> None:
        numbers = self._table.take_changed()
        if len(numbers):
            self._version += 1
            self._changes.append((self._version, numbers))
            self._remembered += len(numbers)
        while self._remembered > CHANGES_ROWS_MAX:
            self._oldest, dropped = self._changes.popleft()
            self._remembered -= len(dropped)

    def _since(self, run: str, version: int) -> list[Numbers]:
        if run != self._run or version < self._oldest:
            return list(self._table.differing([]))
        newer = [numbers for at, numbers in self._changes if at > version]
        return [np.unique(np.concatenate(newer))] if newer else []
