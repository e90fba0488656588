"""Nodes that only share counts: a table, fed by folds of a log, and one of the two ways to share it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from node_line import Line, define, soon

from footfall.core.batch import Batch, Section, encode
from footfall.core.definitions import Definitions
from footfall.core.names import Unit
from footfall.core.partition import Partition
from footfall.core.table import Table
from footfall.errors import MalformedError
from footfall.log.memory import Storage
from footfall.node import messages
from footfall.node.messages import NODE_SUBJECT, NODES_SUBJECT, Beat, Digests, Done, Gather, Rows, Said
from footfall.node.sharing import Replicated, Sharded, Sharing


def names(count: int) -> list[str]:
    return [f"c{number}" for number in range(count)]


class Sharer:
    """One node.

    Attributes:
        deaf_to: What it does not hear.
        heard: What it heard of others.
        refused: What of that it refused.
    """

    def __init__(self, room: "Room", node: str, kind: type[Sharing], owned: Sequence[int]) -> None:
        self.room = room
        self.node, self.run = node, f"{node}'s run"
        self.line = Line(room.storage)
        self.table = Table(room.storage.partitions)
        self.folds: dict[int, Partition] = {}
        self.sharing = kind(node, self.run, self.line, self.table, self.folded)
        self.deaf_to: Callable[[Said], bool] = lambda said: False
        self.heard: list[Said] = []
        self.refused: list[MalformedError] = []
        for number in owned:
            self.own(number)

    async def join(self) -> "Sharer":
        await self.line.subscribe(NODES_SUBJECT, self._hear)
        await self.line.subscribe(NODE_SUBJECT.format(node=self.node), self._hear)
        return self

    def own(self, number: int, fold: Partition | None = None) -> None:
        """Count a partition from now on."""
        self.folds[number] = fold or self.room.fold(number)
        assert self.table.attach(self.folds[number])
        self.sharing.changed_owner()

    def folded(self) -> dict[int, int]:
        return {number: self.table.reached[number] for number in self.folds}

    def count(self, partition: int, visits: Mapping[str, int]) -> None:
        """Store visits in a partition that is counted here, and fold them."""
        self.room.store(partition, visits)
        self.catch_up()

    def catch_up(self) -> None:
        """Fold what the log holds."""
        for number, fold in self.folds.items():
            self.room.go_on(fold)
            self.table.advance(number)

    def value(self, name: str) -> int:
        number = self.room.definitions.number(name)
        assert number is not None
        return self.table.value(number)

    async def beat(self) -> None:
        """As a node does it: what is counted, after the rows that tell it."""
        folded = self.folded()
        if isinstance(self.sharing, Replicated):
            await self.sharing.tick(True)
        await self.sharing.say(Beat(self.node, self.run, "", "", self.sharing.sent, folded, {}))
        await soon()

    async def _hear(self, data: bytes) -> None:
        said = messages.decode(data)
        if said.node == self.node or self.deaf_to(said):
            return
        self.heard.append(said)
        try:
            await self.take(said)
        except MalformedError as error:
            self.refused.append(error)

    async def take(self, said: Said) -> None:
        if isinstance(said, Beat):
            await self.sharing.beat(said)
        elif isinstance(said, Rows):
            await self.sharing.rows(said)
        elif isinstance(said, Done):
            await self.sharing.done(said)
        elif isinstance(said, Digests | Gather):
            await self.sharing.asked(said)

    def rows(self) -> list[Rows]:
        return [said for said in self.heard if isinstance(said, Rows)]


class Room:
    """The log, and those who share."""

    def __init__(self, storage: Storage, kind: type[Sharing], counters: int = 4) -> None:
        self.storage = storage
        self.kind = kind
        self.definitions: Definitions = define(storage, *names(counters))
        self._sequences = [0] * storage.partitions

    async def sharer(self, node: str, *owned: int) -> Sharer:
        return await Sharer(self, node, self.kind, owned).join()

    def store(self, partition: int, visits: Mapping[str, int]) -> None:
        self._sequences[partition] += 1
        sections = [Section(name, Unit.VISITS, count, None, None, 1) for name, count in visits.items()]
        batch = Batch("batch/1", f"producer {partition}", 0, self._sequences[partition], sections, None)
        self.storage.append(f"footfall.visits.{partition}", encode(batch))

    def fold(self, number: int) -> Partition:
        """A fold of all that a partition holds now."""
        fold = Partition(number, self.storage.partitions)
        self.go_on(fold)
        return fold

    def go_on(self, fold: Partition) -> None:
        for message in self.storage.above(fold.sequence):
            if message.subject.endswith(f".{fold.number}"):
                assert not fold.fold(message.sequence, message.data, self.definitions)
            else:
                fold.sequence = message.sequence

    async def gather(self, *sharers: Sharer) -> None:
        for sharer in sharers:
            assert isinstance(sharer.sharing, Sharded)
            await sharer.sharing.gather()
            await asyncio.sleep(0.1)


def lose_rows(said: Said) -> bool:
    """For ``Sharer.deaf_to``."""
    return isinstance(said, Rows)


def lose_all(said: Said) -> bool:
    """For ``Sharer.deaf_to``."""
    return True
