"""A log that is folded and cut here, part by part, without a node."""

from collections.abc import Iterable

from node_line import Line, define, soon

from footfall.core import control, cut, cut_writer
from footfall.core.batch import Batch, Section, encode, pack
from footfall.core.control import Barrier, Define
from footfall.core.definitions import Definitions
from footfall.core.names import Unit
from footfall.core.partition import Partition
from footfall.core.position import Position, at
from footfall.core.routing import partition_of
from footfall.log.protocol import CONTROL_SUBJECT
from footfall.node.cuts import Cuts


def nothing(newest: Position) -> str:
    """Why cuts must be kept: for nothing."""
    return ""


class Cutter:
    """All partitions' folds, and the cuts of a node that owns them all. Counters: a of visits, people of visitors.

    Attributes:
        states: For each epoch, the bytes of each partition's state just after its barrier.
    """

    def __init__(self, line: Line) -> None:
        self.line = line
        self.storage = line.storage
        self.cuts = Cuts(line, young_s=0.0)
        define(self.storage, "a", "people", visitors=("people",))
        self.definitions = Definitions()
        self.partitions = [Partition(number, self.storage.partitions) for number in range(self.storage.partitions)]
        self.parts = [cut.DEFINITIONS, *(str(partition.number) for partition in self.partitions)]
        self.writers = {part: cut_writer.Writer() for part in self.parts}
        self.positions: dict[int, Position] = {}
        self.states: dict[int, list[bytes]] = {}
        self._sequences = [0] * self.storage.partitions
        self._reached = 0
        self._barriers = 0
        self.fold()

    @property
    def epoch(self) -> int:
        return self.definitions.epoch

    def visit(self, partition: int = 0, count: int = 1, visitors: Iterable[str] = ()) -> None:
        """Store visits to a, and visitors of people who belong to the partition, and count them."""
        sections = [Section("a", Unit.VISITS, count, None, None, 1)]
        if here := [name for name in visitors if partition_of(name, len(self.partitions)) == partition]:
            sections.append(Section("people", Unit.VISITORS, len(here), pack(here), None, 1))
        self._sequences[partition] += 1
        batch = Batch("batch/1", f"producer {partition}", self.epoch, self._sequences[partition], sections, None)
        self.storage.append(f"footfall.visits.{partition}", encode(batch))
        self.fold()

    def define(self, name: str) -> None:
        self._barriers += 1
        message = Define("pacer", self._barriers, ((name, Unit.VISITS),))
        self.storage.append(CONTROL_SUBJECT, control.encode(message))
        self.fold()

    def fold(self) -> None:
        """Count what the log holds."""
        for message in self.storage.above(self._reached):
            self._reached = message.sequence
            if message.subject == CONTROL_SUBJECT:
                said = control.decode(message.data)
                assert not self.definitions.fold(message.sequence, said)
                for partition in self.partitions:
                    partition.fold_control(message.sequence, said, self.definitions)
            else:
                partition = self.partitions[int(message.subject.rpartition(".")[2])]
                assert not partition.fold(message.sequence, message.data, self.definitions)

    def tick(self) -> dict[str, cut_writer.Capture]:
        """Begin an epoch; returns what its cut consists of."""
        self._barriers += 1
        message = Barrier("pacer", self._barriers, self.epoch + 1)
        stored = self.storage.append(CONTROL_SUBJECT, control.encode(message))
        self.fold()
        self.positions[self.epoch] = at(self.storage.created, stored)
        self.states[self.epoch] = [cut_writer.state_bytes(partition) for partition in self.partitions]
        captures = [cut_writer.capture_definitions(self.definitions, len(self.partitions))]
        captures += [cut_writer.capture(partition) for partition in self.partitions]
        return {captured.part: captured for captured in captures}

    async def cut(self, *without: str) -> int:
        """Take a cut, perhaps without some parts; returns its epoch."""
        for part, captured in self.tick().items():
            if part not in without:
                self.cuts.take(captured, self.positions[self.epoch], self.writers[part])
        await soon()
        return self.epoch

    async def take(self, cuts: int) -> None:
        """Take some cuts, with visits before each."""
        for number in range(cuts):
            for partition in range(len(self.partitions)):
                self.visit(partition, number + 1)
            await self.cut()

    async def found(self) -> list[int]:
        """The epochs of the complete cuts, newest first."""
        return [found.epoch for found in await self.cuts.find()]

    def keys(self, *prefixes: str) -> list[str]:
        """The keys in the store that begin so."""
        return [key for key in self.storage.blobs if key.startswith(prefixes)]

    def damage(self, key: str, how: str) -> None:
        """Spoil a blob."""
        blobs = self.storage.blobs
        data = blobs[key]
        spoilt = {"torn": data[:-1], "flipped": data[:-1] + bytes([data[-1] ^ 4]), "empty": b""}
        if how == "missing":
            del blobs[key]
        else:
            blobs[key] = spoilt[how]
