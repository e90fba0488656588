"""How a simulated node judges: from some cut below N, message by message, beside whoever else judges."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from footfall.core.control import Claimed, Control, Import, Milestone, Reached, Verdict
from footfall.core.definitions import Definitions
from footfall.core.judge import Crossing, Judge
from footfall.core.partition import Partition
from footfall.core.position import Position
from footfall.core.receipts import opens
from footfall.core.vector import Vector
from footfall.errors import CheckpointError, LogTrimmedError
from footfall.log.protocol import CONTROL_SUBJECT, Message

from . import keeping
from .log import Reader, subject_of
from .producing import SECRET

if TYPE_CHECKING:
    from .node import Node

READ_MAX = 12  # messages at a time


class Judging:
    """The judges of one run of a node, and what clients ask of milestones through it."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._world = node.world
        self._judges: dict[str, tuple[Judge, Reader]] = {}
        self._told: set[int] = set()  # since of the milestones whose verdict was told here

    # Milestones

    def add(self, counter: str, n: int) -> None:
        """Set a milestone, and tell its verdict if the answers come in time."""

        def done(sequence: int, vectors: list[Vector]) -> None:
            standing = self._node.definitions.milestones.find(counter, n)
            if standing is not None and standing.undecided and standing.since == sequence:
                self._decide(counter, n, sequence, vectors[0].value)

        self._node.asking.question(lambda name, at: Milestone(name, at, counter, n, self._node.name), done)

    def _decide(self, counter: str, n: int, since: int, value: int) -> None:
        self._told.add(since)
        self._write(lambda name, at: Verdict(name, at, counter, n, since, value))

    def take_over(self, counter: str, value: int, source: str) -> None:
        """Import a prior count; nobody looks whether it crosses a milestone, so that judges meet such ones."""
        after = self._node.definitions.sequence
        oracle = self._world.oracle
        oracle.imported(counter, value, source, done=False)

        def done(sequence: int) -> None:
            if oracle.truth.imports.get(source) == sequence:
                oracle.imported(counter, value, source, done=True)

        self._node.producing.control(lambda name, at: Import(name, at, counter, value, source, "", after), done)

    def claim(self, counter: str, n: int, receipt: str) -> None:
        """Show a receipt."""
        standing = self._node.definitions.milestones.find(counter, n)
        if standing is None or standing.winner is None or not opens(receipt, standing.winner.receipt_sha256):
            return
        claim = self._world.random.randbytes(4)

        def done(sequence: int) -> None:
            known = self._world.oracle.truth.winners.standings.get((counter, n))
            if not self._world.rewound and known is not None and known.claim == claim:
                self._world.oracle.claimed(counter, n, receipt, claim.hex())

        self._node.producing.control(lambda name, at: Claimed(name, at, counter, n, claim), done)

    def _write(self, build: Callable[[str, int], Control]) -> None:
        self._node.producing.control(build, lambda _: None)

    # Judges

    def look(self) -> None:
        """Begin a judge, or end one, or let one go on, at any time: it must not change who wins."""
        random = self._world.random
        idle = [counter for counter in self._node.definitions.milestones.open() if counter not in self._judges]
        if idle and random.random() < self._world.judged:
            self.begin(random.choice(idle))
        elif self._judges and random.random() < 0.04:
            del self._judges[random.choice(sorted(self._judges))]
        for counter in sorted(self._judges):
            self._follow(counter)

    def work(self) -> None:
        """What healing needs: a judge for each counter whose milestone waits, who goes on."""
        for counter in self._node.definitions.milestones.open():
            if counter not in self._judges and counter in {name for name, _ in self.waiting()}:
                self.begin(counter)
        for counter in sorted(self._judges):
            self._follow(counter)

    def waiting(self) -> list[tuple[str, int]]:
        """The milestones that the world waits for."""
        return self._world.oracle.truth.winners.pending()

    def begin(self, counter: str) -> None:
        """A judge at the newest cut that serves, or at an older one, or at the log's beginning."""
        world = self._world
        found: list[tuple[Judge, Position]] = []
        for one in keeping.find(world.log, world.store, world.partitions):
            try:
                definitions = keeping.definitions_of(world.store, one)
                states = [keeping.partition_of_cut(world.store, one, number) for number in range(world.partitions)]
            except CheckpointError:
                continue
            judge = Judge(counter, one.position, one.epoch, definitions, states)
            if one.position.sequence >= world.log.first - 1 and self._serves(judge):
                found.append((judge, one.position))
        if world.log.first == 1:
            empty = [Partition(number, world.partitions) for number in range(world.partitions)]
            origin = Position(world.log.created)
            found.append((Judge(counter, origin, 0, Definitions(), empty), origin))
        if found:
            judge, position = found[0] if world.random.random() < 0.6 else world.random.choice(found)
            subjects = (CONTROL_SUBJECT, *map(subject_of, range(world.partitions)))
            self._judges[counter] = judge, Reader(world.log, subjects, position)
        else:
            assert not world.healing or world.rewound, f"no cut is left to judge {counter} from"

    def _serves(self, judge: Judge) -> bool:
        """Whether a judge begins below every N, and before every milestone whose verdict is not known."""
        return all(
            judge.sequence < one.since if one.undecided else judge.value < one.n
            for one in self._node.definitions.milestones.open_of(judge.counter)
        )

    def _follow(self, counter: str) -> None:
        judge, reader = self._judges[counter]
        try:
            for _ in range(READ_MAX):
                message = reader.peek()
                if message is None:
                    break
                for crossing in judge.fold(message):
                    self._reached(counter, crossing, message)
                reader.advance(message)
        except LogTrimmedError:
            del self._judges[counter]
            return
        for one in self._node.definitions.milestones.open_of(counter):
            value = judge.sums.get(one.since)
            if one.undecided and value is not None and one.since not in self._told:
                self._decide(counter, one.n, one.since, value)

    def _reached(self, counter: str, crossing: Crossing, message: Message) -> None:
        standing = self._node.definitions.milestones.find(counter, crossing.n)
        if standing is None or standing.open:
            winner = crossing.winner(SECRET, message.time_ns)
            self._write(lambda name, at: Reached(name, at, counter, crossing.n, winner, crossing.proof))

    # Cuts

    def holds(self, newest: Position) -> bool:
        """Whether an open milestone may need what is older than the newest cut; see ``Judging.holds`` of the nodes."""
        definitions, table = self._node.definitions, self._node.table
        if min(definitions.sequence, table.sequence()) < newest.sequence:
            return True
        return any(
            one.undecided or table.value(definitions.number(counter) or 0) >= one.n
            for counter in definitions.milestones.open()
            for one in definitions.milestones.open_of(counter)
        )
