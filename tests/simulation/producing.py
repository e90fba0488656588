"""How a simulated node stores visits: the real outbox, one message in flight a lane, the same bytes until stored."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from footfall.core import control
from footfall.core.batch import Chunk
from footfall.core.control import Control
from footfall.core.definitions import Definition
from footfall.core.outbox import Flush, Outbox
from footfall.core.sealing import Sealed
from footfall.core.visit import Visit
from footfall.log.protocol import CONTROL_SUBJECT

from .log import subject_of

if TYPE_CHECKING:
    from .node import Node

Pairs = list[tuple[Definition, Visit]]
SECRET = b"the cluster's secret"


class Taken(NamedTuple):
    """Visits of one request, and when they were sent."""

    visits: list[Visit]
    sent: int


class Stage(NamedTuple):
    """Lanes that may be stored side by side; the next stage begins when all are."""

    lanes: list[deque[Sealed]]
    done: Callable[[int], None]


class Producing:
    """What one run of a node has taken and not yet stored."""

    def __init__(self, node: Node, hashed: bool) -> None:
        self._node = node
        self._world = node.world
        name = f"{node.name}.{node.run}"
        self.outbox = Outbox(name, node.definitions.epoch, node.world.partitions, hashed)
        self._stages: deque[Stage] = deque()
        self._chunks: deque[tuple[int, Chunk, Pairs, Callable[[int], None]]] = deque()
        self._controls: deque[tuple[bytes, Callable[[int], None]]] = deque()
        self._control_sequence = 0
        self._name = name
        self._acknowledged = 0

    @property
    def idle(self) -> bool:
        return not (self._stages or self._chunks or self._controls or self.outbox.visits)

    @property
    def busy_controls(self) -> int:
        return len(self._controls)

    def add(self, pairs: Pairs) -> None:
        visits = [visit for _, visit in pairs]
        self.outbox.add(pairs, Taken(visits, self._world.oracle.attempted(visits)))

    def add_single(self, leaf: Definition, visit: Visit) -> None:
        self.outbox.add_single(leaf, visit.visitor, Taken([visit], self._world.oracle.attempted([visit])), visit.key)

    def add_chunk(self, partition: int, chunk: Chunk, pairs: Pairs, done: Callable[[int], None]) -> None:
        self._chunks.append((partition, chunk, pairs, done))

    def control(self, build: Callable[[str, int], Control], done: Callable[[int], None]) -> None:
        self._control_sequence += 1
        self._controls.append((control.encode(build(self._name, self._control_sequence)), done))

    def store(self) -> None:
        """Publish one message of each kind that waits; whatever is not acknowledged is tried again, as it is."""
        if self._controls:
            data, done = self._controls[0]
            if (sequence := self._publish(CONTROL_SUBJECT, data)) is not None:
                self._controls.popleft()
                done(sequence)
        if not self._stages:
            self._begin()
        if self._stages:
            self._store_stage(self._stages[0])

    def _begin(self) -> None:
        flush = self.outbox.seal(self._node.local_partition())
        if flush is not None:
            self._stages.append(Stage([deque(lane) for lane in flush.lanes], lambda _: self._stored(flush)))
        elif self._chunks:
            partition, chunk, pairs, done = self._chunks.popleft()
            lanes, last = self.outbox.seal_chunk(partition, chunk, pairs)
            self._stages.append(Stage([deque(lane) for lane in lanes], lambda _: None))
            self._stages.append(Stage([deque([last])], done))

    def _store_stage(self, stage: Stage) -> None:
        waiting = [lane for lane in stage.lanes if lane]
        sequence = None
        if waiting:
            lane = self._world.random.choice(waiting)
            sequence = self._publish(subject_of(lane[0].partition), lane[0].data)
            if sequence is not None:
                lane.popleft()
        if not any(stage.lanes):
            self._stages.popleft()
            stage.done(sequence or 0)

    def _publish(self, subject: str, data: bytes) -> int | None:
        message = self._world.publish(subject, data)
        if message is None:
            return None
        if message.sequence > self._acknowledged:
            self._acknowledged = message.sequence
            self._node.remember(message)
        return message.sequence

    def _stored(self, flush: Flush) -> None:
        told = 0
        singles = [(taken, [receipt]) for taken, receipt in flush.singles(SECRET)]
        for taken, receipts in [*singles, *flush.requests(SECRET)]:
            told += len(receipts)
            self._world.oracle.acknowledged(taken.visits, receipts, taken.sent)
        assert told == flush.visits
