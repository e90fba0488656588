"""A simulated node: the real core, put together as a node does it, without threads, sockets or clocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from footfall.core import control, cut_writer
from footfall.core.batch import Chunk
from footfall.core.control import Barrier, Define
from footfall.core.definitions import Definitions
from footfall.core.names import Unit
from footfall.core.partition import Alarm, Partition
from footfall.core.position import Position, at
from footfall.core.routing import Peer, alive, partition_of, released, wanted, weight
from footfall.core.table import Table
from footfall.core.visit import Visit
from footfall.errors import CheckpointError, IntegrityError
from footfall.log.protocol import CONTROL_SUBJECT, Message

from . import keeping
from .asking import Asking
from .folding import Folding
from .judging import Judging
from .log import Reader
from .producing import Producing
from .said import Beat, Counted
from .sharing import Sharing

if TYPE_CHECKING:
    from .world import World

SILENCE_MAX_S = 2.0
LAG_MAX_S = 5.0
READ_MAX = 8  # messages at a time


class Node:
    """A node; ``start`` and ``crash`` end everything but its name and what it keeps on its disk."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.run = 0
        self.up = False
        self.failure: IntegrityError | None = None
        self.kept: Position | None = None  # on its disk: the highest position that was acknowledged to it
        self.clock_offset_s = 0.0
        self.alarms: list[Alarm] = []
        self.sharing = Sharing(self)

    @property
    def clock_s(self) -> float:
        return self.world.now_s + self.clock_offset_s

    def remember(self, message: Message) -> None:
        self.kept = at(self.world.log.created, message)

    # Life

    def crash(self) -> None:
        """Lose all memory."""
        self.up = False

    def start(self) -> None:
        """Load the newest cut; ready once everything that the log holds now has come."""
        self.run += 1
        self.up = True
        self.failure = None
        self.target: int | None = None
        self.table = Table(self.world.partitions)
        self.foldings: dict[int, Folding] = {}
        self.peers: dict[str, Peer] = {}
        self.parts: dict[str, keeping.Part] = {}
        self.local = 0
        self.guarded(self._load)
        if self.failure is None:
            self.producing = Producing(self, hashed=self.world.sharded)
            self.asking = Asking(self)
            self.judging = Judging(self)
            self.producing.control(Barrier, self._set_target)

    def _set_target(self, sequence: int) -> None:
        self.target = sequence

    def guarded(self, work: Any, *arguments: Any) -> Any:
        """A failure that would make a count wrong ends the counting, not the simulation."""
        try:
            return work(*arguments)
        except IntegrityError as error:
            self.failure = error

    def _load(self) -> None:
        world = self.world
        if self.kept is not None and (self.kept.sequence >= world.log.first or world.log.created != self.kept.created):
            world.log.check(self.kept)  # what was trimmed since is in a cut, which has its own position
        for found in keeping.find(world.log, world.store, world.partitions):
            try:
                definitions = keeping.definitions_of(world.store, found)
                states = [keeping.partition_of_cut(world.store, found, n) for n in range(world.partitions)]
            except CheckpointError:
                continue
            position = found.position
            break
        else:
            position = keeping.beginning(world.log)
            definitions = Definitions()
            states = [Partition(number, world.partitions) for number in range(world.partitions)]
        for state in states:
            numbers = np.arange(len(state.counts), dtype=np.int32)
            self.table.merge_column(state.number, numbers, np.array(state.counts, np.int64), state.sequence)
            self.table.confirm(state.number, state.sequence)
        self.definitions = definitions
        self.control = Reader(world.log, (CONTROL_SUBJECT,), position)
        self.definitions_writer = cut_writer.Writer()

    @property
    def counting(self) -> bool:
        return self.up and self.failure is None

    @property
    def ready(self) -> bool:
        """Whether it answers reads."""
        return (
            self.counting
            and self.target is not None
            and min(self.table.sequence(), self.definitions.sequence) >= self.target
        )

    # Folding

    def read_control(self) -> None:
        for _ in range(READ_MAX):
            message = self.control.peek()
            if message is None:
                return
            epoch = self.definitions.epoch
            self.alarms += self.definitions.fold(message.sequence, control.decode(message.data))
            self.control.advance(message)
            if self.definitions.epoch != epoch:
                taken = cut_writer.capture_definitions(self.definitions, self.world.partitions)
                self._take(taken, self.control.position, self.definitions_writer)

    def read_partition(self, number: int) -> None:
        folding = self.foldings[number]
        partition, reader = folding.partition, folding.reader
        if self.definitions.sequence < folding.begins:
            return  # the cut is ahead of the definitions here
        for _ in range(READ_MAX):
            message = reader.peek()
            if message is None:
                folding.caught_up_s = self.clock_s
                break
            if message.subject != CONTROL_SUBJECT:
                self.alarms += partition.fold(message.sequence, message.data, self.definitions)
                reader.advance(message)
            elif self.definitions.sequence < message.sequence:
                break
            else:
                decoded = control.decode(message.data)
                ticked = partition.fold_control(message.sequence, decoded, self.definitions)
                reader.advance(message)
                self._tell(folding, message.sequence, decoded)
                if ticked:
                    self._take(cut_writer.capture(partition), reader.position, folding.writer)
        self._publish(folding)

    def _publish(self, folding: Folding) -> None:
        if folding.attached:
            self.table.advance(folding.partition.number)
        else:
            folding.attached = self.table.attach(folding.partition)

    def _tell(self, folding: Folding, sequence: int, message: control.Control) -> None:
        """Answer whoever asks here what the partition has counted."""
        reader, counters = control.asked(message)
        if reader:
            self._publish(folding)
            entries = [folding.partition.entry(counter, self.definitions) for counter in counters]
            said = Counted((message.producer, message.sequence), sequence, folding.partition.number, entries)
            if reader == self.name:
                self.asking.take(said)
            else:
                self.world.say(self, said, reader)

    @property
    def behind(self) -> bool:
        """Whether the log holds more than was read here."""
        return any(reader.peek() is not None for reader in (self.control, *(f.reader for f in self.foldings.values())))

    def _take(self, taken: cut_writer.Capture, position: Position, writer: cut_writer.Writer) -> None:
        self.parts.setdefault(taken.part, keeping.Part(taken, position, writer))  # while one is written, none is taken

    def owned(self) -> dict[int, int]:
        return {number: self.table.reached[number] for number, folding in self.foldings.items() if folding.attached}

    def lags_s(self) -> dict[int, float]:
        lags_s = {number: self.clock_s - folding.caught_up_s for number, folding in self.foldings.items()}
        return {number: lag_s for number, lag_s in lags_s.items() if lag_s > 0}

    # Cuts

    def write_part(self) -> None:
        if self.parts:
            part = self.parts.pop(self.world.random.choice(sorted(self.parts)))
            keeping.write(self.world.store, part, blobs_only=self.world.fails(0.1))

    def tick(self) -> None:
        """Begin an epoch, which cuts all partitions at one place."""
        epoch = self.definitions.epoch + 1
        if not self.producing.busy_controls:
            self.producing.control(lambda name, at: Barrier(name, at, epoch), lambda _: None)

    def collect(self) -> None:
        keeping.collect(self.world.log, self.world.store, self.world.partitions, self.judging.holds)

    # Members

    def beat(self) -> None:
        self.world.say(self, Beat(self.name, self.owned(), self.lags_s()))

    def look(self) -> None:
        """Decide which partitions to count: take over, let go."""
        others = alive(self.peers.values(), self.clock_s, SILENCE_MAX_S)
        owned = self.owned()
        me = Peer(self.name, self.clock_s, owned, self.lags_s())
        mine = wanted(me, others, self.world.partitions, LAG_MAX_S)
        folded = {number: folding.partition.sequence for number, folding in self.foldings.items()}
        for number in released(folded | owned, mine, others):
            self.drop(number)
        for number in sorted(mine - self.foldings.keys()):
            self.take_over(number)

    def take_over(self, number: int) -> None:
        world = self.world
        self.foldings[number] = Folding(
            self, *keeping.newest_partition(world.log, world.store, world.partitions, number)
        )

    def drop(self, number: int) -> None:
        if self.foldings.pop(number).attached:
            self.table.detach(number)

    # Clients

    def local_partition(self) -> int:
        self.local += 1
        mine = sorted(self.owned())
        if mine:
            return mine[self.local % len(mine)]
        return max(range(self.world.partitions), key=lambda partition: weight(self.name, partition))

    def define(self, name: str, unit: Unit) -> None:
        if not self.producing.busy_controls:
            self.producing.control(lambda producer, at: Define(producer, at, ((name, unit),)), lambda _: None)

    def visit(self, visits: list[Visit]) -> bool:
        """Take visits to counters that are defined here; whether they were taken."""
        pairs = [(self.definitions.find(visit.counter), visit) for visit in visits]
        if any(leaf is None for leaf, _ in pairs):
            for visit in visits:
                if self.definitions.find(visit.counter) is None:
                    self.define(visit.counter, self.world.clients.unit_wished(visit.counter))
            return False
        self.producing.add(pairs)  # type: ignore[arg-type]
        return True

    def source_position(self, source: str, sequence: int) -> int | None:
        """Where a source stands once its partition is folded up to ``sequence``; None if that is not known here."""
        folding = self.foldings.get(partition_of(source, self.world.partitions))
        if folding is None or not folding.attached or folding.partition.sequence < sequence:
            return None
        return folding.partition.sources.get(source, 0)

    def ingest(self, chunk: Chunk, visits: list[Visit], done: Any) -> bool:
        pairs = [(self.definitions.find(visit.counter), visit) for visit in visits]
        if any(leaf is None for leaf, _ in pairs):
            return False
        number = partition_of(chunk.source, self.world.partitions)
        self.producing.add_chunk(number, chunk, pairs, done)  # type: ignore[arg-type]
        return True
