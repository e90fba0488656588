"""A log with cuts and a milestone that was reached, written here message by message, without a node."""

import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from node_cutting import Cutter, nothing
from node_line import Line, soon

from footfall.core import control
from footfall.core.batch import Batch, Section, encode, pack
from footfall.core.control import Barrier, Control, Milestone, Reached, Verdict
from footfall.core.judge import Crossing
from footfall.core.milestones import Standing
from footfall.core.names import Unit
from footfall.core.receipts import receipts
from footfall.log.memory import Storage
from footfall.log.protocol import CONTROL_SUBJECT
from footfall.node.bundles import Head, heads
from footfall.node.judge_begin import at_cut, beginning
from footfall.node.members import Members
from footfall.node.proofs import Proofs

SECRET = b"the cluster's"
N = 10
WINNER = "visitor 10"  # visits come one by one, to one partition after the other


class Raffle:
    """The log, whose counter is a, and whoever writes to it."""

    def __init__(self, partitions: int = 2) -> None:
        self.cutter = Cutter(Line(Storage(partitions)))
        self.line, self.storage, self.cuts = self.cutter.line, self.cutter.storage, self.cutter.cuts
        self.definitions = self.cutter.definitions
        self.receipts: dict[str, str] = {}
        self.members = Members("n1", "run", partitions, 2.0, 5.0)
        self._written = self._come = 0
        self._sequences = [0] * partitions

    @property
    def standing(self) -> Standing:
        standing = self.definitions.milestones.find("a", N)
        assert standing is not None
        return standing

    def proofs(self, keep: bool = True, bytes_max: int = 1 << 20, store_bytes_max: int = 1 << 20) -> Proofs:
        """What keeps proofs on a node."""
        return Proofs(self.line, self.cuts, self.members, self.definitions, keep, bytes_max, store_bytes_max)

    def write(self, build: Any) -> int:
        """Store a control message, and fold it; returns its sequence."""
        self._written += 1
        message: Control = build("raffle", self._written)
        stored = self.storage.append(CONTROL_SUBJECT, control.encode(message), time.time_ns())
        self.cutter.fold()
        return stored.sequence

    def visit(self, count: int) -> None:
        """So many visitors come, and get receipts."""
        for _ in range(count):
            self._come += 1
            partition = self._come % self.storage.partitions
            name = f"visitor {self._come}"
            self._sequences[partition] += 1
            at = self._sequences[partition]
            self.receipts[name] = receipts(SECRET, f"door {partition}", partition, at, 1)
            section = Section("a", Unit.VISITS, 1, pack([name]), None, 1)
            batch = Batch("batch/1", f"door {partition}", self.cutter.epoch, at, [section])
            self.storage.append(f"footfall.visits.{partition}", encode(batch), time.time_ns() + self._come)
        self.cutter.fold()

    def set(self) -> None:
        """Set the milestone."""
        value = self._come
        since = self.write(lambda name, at: Milestone(name, at, "a", N))
        self.write(lambda name, at: Verdict(name, at, "a", N, since, value))

    async def crossings(self, epoch: int) -> AsyncIterator[tuple[Crossing, int]]:
        """What a judge finds who begins at a cut, and when the log stored it."""
        if epoch:
            judge = await at_cut(self.cuts, await self.cuts.at(epoch), "a")
        else:
            judge = beginning("a", self.storage.created, self.storage.partitions)
        for message in self.storage.above(judge.sequence):
            for crossing in judge.fold(message):
                yield crossing, message.time_ns

    async def reach(self, judged: int, **lies: Any) -> None:
        """Tell the winner, judged from a cut; where there are lies, by their names in Winner and Proof, those."""
        ((crossing, time_ns),) = [found async for found in self.crossings(judged)]
        winner, proof = crossing.winner(SECRET, time_ns), crossing.proof
        of_winner = {name: lie for name, lie in lies.items() if hasattr(winner, name)}
        of_proof = {name: lie for name, lie in lies.items() if hasattr(proof, name)}
        winner = msgspec.structs.replace(winner, **of_winner)
        proof = msgspec.structs.replace(proof, **of_proof)
        self.write(lambda name, at: Reached(name, at, "a", N, winner, proof))

    async def whole(self, epoch: int = 1, **lies: Any) -> None:
        """4 visitors, a cut, the milestone, 4 more, a cut, and the rest; the winner is judged from a cut."""
        self.visit(4)
        await self.cutter.cut()
        self.set()
        self.visit(4)
        await self.cutter.cut()
        self.visit(4)
        await self.reach(epoch, **lies)

    async def keep(self, proofs: Proofs | None = None) -> Head:
        """Keep the proof; returns the head."""
        proofs = proofs or self.proofs()
        proofs.look()
        await soon()
        (head,) = await heads(self.line, self.standing.since)
        return head

    async def trim(self) -> None:
        """Two more cuts, and all that is older is dropped."""
        for _ in range(2):
            self.visit(1)
            await self.cutter.cut()
        await self.cuts.collect(nothing)
        assert self.storage.first > self.standing.reached

    def barrier(self) -> None:
        """A message that changes nothing."""
        self.write(lambda name, at: Barrier(name, at))
