"""Derives a milestone's winner again, from cuts and the log alone, and compares it with what the log tells.

It asks no node, and writes nothing. Where the log still allows it, the winner is derived from a second cut too.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from typing import NamedTuple, cast

from footfall.core import control
from footfall.core.control import Proof, Winner
from footfall.core.definitions import Definitions
from footfall.core.judge import Crossing, Judge
from footfall.core.milestones import Standing
from footfall.core.position import Position
from footfall.errors import (
    CheckpointError,
    IntegrityError,
    LogTrimmedError,
    MalformedError,
    NotReachedError,
    UnknownMilestoneError,
)
from footfall.log.protocol import CONTROL_SUBJECT, Delivery, Message
from footfall.node.audit_report import Comparison, Report, StartReading, compare_proof, compare_winner, compared
from footfall.node.bundles import Head, LogAndStore, bundle, heads, log_between
from footfall.node.cuts import Cuts
from footfall.node.judge_begin import at_cut, beginning, judge_subjects
from footfall.node.readings import WinnerReading, winner_reading
from footfall.ordinals import ordinal

SLICE_S = 0.05  # of folding, before the connection gets its turn
CONTRADICTIONS = ("winner", "verdict")  # kinds of alarms


class _Start(NamedTuple):
    """Where a fold begins, and the bundle that it takes the log from; None: the log itself."""

    epoch: int
    position: Position
    head: Head | None

    def __str__(self) -> str:
        return f"cut {self.epoch}" if self.epoch else "the log's beginning"


class _Derived(NamedTuple):
    """What a fold has come to. ``crossing``: None if there is no N-th visit in what it had."""

    crossing: Crossing | None
    time_ns: int
    judge: Judge
    value: int  # at the start
    messages: int


async def audit(cluster: LogAndStore, counter: str, n: int, secret: bytes | None) -> Report:
    """Derive a winner again.

    Args:
        cluster: The log and the store, connected.
        counter: The milestone's counter.
        n: Its N.
        secret: The cluster's, to check the receipt; None if it is not at hand.

    Raises:
        UnknownMilestoneError: The log knows of no such milestone.
        NotReachedError: It has no winner yet.
        IntegrityError: There is nothing that anything could be derived from.
        LogUnavailableError: The log cannot be read now.
    """
    started_s = time.monotonic()
    cuts = Cuts(cluster)
    last = (await cluster.state()).last_sequence
    definitions, problems = await _definitions(cuts, cluster, last, f"{n} of {counter}:")
    standing = definitions.milestones.find(counter, n)
    if standing is None or standing.undecided:
        ask = "is it the right one (--data or --nats)?"
        raise UnknownMilestoneError(f"{counter} has no milestone {n} in this log; {ask}")
    told = winner_reading(standing)
    if standing.winner is None or standing.proof is None or told is None:
        raise NotReachedError(f"the {ordinal(n)} of {counter} has not come yet, so there is nothing to audit")
    one = _Audit(cluster, cuts, standing, standing.winner, standing.proof, secret, last)
    one.problems += problems
    await one.run()
    return one.report(told, time.monotonic() - started_s)


async def _definitions(cuts: Cuts, cluster: LogAndStore, last: int, name: str) -> tuple[Definitions, list[str]]:
    """All that the control subject tells up to ``last``, and what it tells twice and differently of a milestone."""
    definitions, position = await cuts.newest_definitions()
    problems: list[str] = []
    if position.sequence >= last:
        return definitions, problems
    reading = cast("AsyncGenerator[Delivery, None]", cluster.read([CONTROL_SUBJECT], position))
    async with contextlib.aclosing(reading) as deliveries:
        async for delivery in deliveries:
            for message in delivery.messages:
                with contextlib.suppress(MalformedError):  # nodes pass over it too
                    alarms = definitions.fold(message.sequence, control.decode(message.data))
                    mine = [one for one in alarms if one.kind in CONTRADICTIONS and one.detail.startswith(name)]
                    problems += [f"{one.detail} (sequence {one.sequence})" for one in mine]
            if not delivery.pending:
                break
    return definitions, problems


class _Audit:
    """One audit under way."""

    def __init__(
        self,
        cluster: LogAndStore,
        cuts: Cuts,
        standing: Standing,
        winner: Winner,
        proof: Proof,
        secret: bytes | None,
        last: int,
    ) -> None:
        self.problems: list[str] = []
        self._cluster = cluster
        self._cuts = cuts
        self._standing = standing
        self._winner = winner
        self._proof = proof
        self._secret = secret
        self._last = last
        self._first = 1
        self._heads: list[Head] = []
        self._starts: list[StartReading] = []
        self._comparisons: list[Comparison] = []
        self._unchecked: list[str] = []

    async def run(self) -> None:
        """Fold, and compare. Raises CheckpointError if there is nothing to fold from."""
        self._first = (await self._cluster.state()).first_sequence
        try:
            self._heads = await heads(self._cluster, self._standing.since)
        except CheckpointError as error:
            self.problems.append(str(error))
        if not await self._fold_one(await self._own()):
            why = next((head.why for head in self._heads if head.why), "the cut that the judge began at was not kept")
            self._unchecked.append(f"sum at the cut, messages, digest: {why}")
        await self._fold_one(await self._other())
        if self._secret is None:
            self._unchecked.append("receipt: the cluster's secret is not at hand")
        if not self._starts and not self.problems:
            raise CheckpointError(
                f"the winner cannot be derived again: the log before sequence {self._first} was trimmed, "
                f"and no proof is there ({self._unchecked[0]})"
            )

    async def _own(self) -> list[_Start]:
        """Where the winner's own proof begins: with the log itself, and with the bundle in case that is trimmed."""
        proof = self._proof
        kept = [head for head in self._heads if head.chunks and (head.epoch, head.cut) == (proof.epoch, proof.cut)]
        pinned = bool(kept) or bool(await self._cluster.keys(f"cut.{proof.epoch}"))
        if proof.epoch and not pinned:
            return []
        try:
            if proof.epoch and (found := await self._cuts.at(proof.epoch)).position != proof.cut:
                raise CheckpointError(f"it stands at {found.position.sequence}, not at {proof.cut.sequence}")
        except CheckpointError as error:
            self.problems.append(f"cut {proof.epoch}: {error}")
            return []
        live = [None] if self._first <= max(proof.cut.sequence, 1) else []
        return [_Start(proof.epoch, proof.cut, head) for head in [*live, *kept]]

    async def _other(self) -> list[_Start]:
        """Another cut below the winner, and the log itself or a bundle that begins there."""
        for head in self._heads:
            if head.chunks and head.epoch != self._proof.epoch:
                return [_Start(head.epoch, head.cut, head)]
        async with contextlib.aclosing(self._cuts.each()) as each:
            async for found in each:
                sequence = found.position.sequence
                if self._first <= sequence < self._winner.sequence and found.epoch != self._proof.epoch:
                    return [_Start(found.epoch, found.position, None)]
        if self._first == 1 and self._proof.epoch:
            return [_Start(0, Position(self._cluster.created), None)]
        return []

    async def _fold_one(self, starts: list[_Start]) -> bool:
        """Fold from the first of these starts that does; whether one did."""
        for start in starts:
            try:
                derived = await self._derive(start)
            except LogTrimmedError as error:
                if start is starts[-1]:
                    self._unchecked.append(f"from {start}: {error}")
            except IntegrityError as error:
                self.problems.append(f"from {start}: {error}")
                return True
            else:
                self._compare(start, derived)
                return True
        return False

    async def _derive(self, start: _Start) -> _Derived:
        """Fold from a start on until the counter has its N-th visit. Raises IntegrityError."""
        judge = await self._judge(start)
        value, n = judge.value, self._standing.n
        if value >= n:
            raise CheckpointError(f"{judge.counter} counts {value} there already, so the {ordinal(n)} came before")
        slice_end_s = time.monotonic() + SLICE_S
        messages = 0
        async with contextlib.aclosing(self._log(start)) as log:
            async for message in log:
                messages += 1
                for crossing in judge.fold(message):
                    if crossing.n == n:
                        return _Derived(crossing, message.time_ns, judge, value, messages)
                if time.monotonic() > slice_end_s:
                    await asyncio.sleep(0)
                    slice_end_s = time.monotonic() + SLICE_S
        return _Derived(None, 0, judge, value, messages)

    async def _judge(self, start: _Start) -> Judge:
        counter = self._standing.counter
        if not start.epoch:
            return beginning(counter, self._cluster.created, self._cluster.partitions)
        return await at_cut(self._cuts, await self._cuts.at(start.epoch), counter)

    async def _log(self, start: _Start) -> AsyncGenerator[Message, None]:
        """The log from a start on, without a gap."""
        subjects = set(judge_subjects(self._cluster.partitions))
        next_ = start.position.sequence + 1
        async with contextlib.aclosing(self._messages(start)) as messages:
            async for message in messages:
                if message.sequence != next_ or message.subject not in subjects:
                    raise CheckpointError(
                        f"after sequence {next_ - 1} comes {message.sequence} ({message.subject[:60]})"
                    )
                next_ += 1
                yield message

    def _messages(self, start: _Start) -> AsyncGenerator[Message, None]:
        if start.head is not None:
            return bundle(self._cluster, start.head)
        return log_between(self._cluster, start.position, self._last)

    def _compare(self, start: _Start, derived: _Derived) -> None:
        epoch, crossing, judge = start.epoch, derived.crossing, derived.judge
        source = "log" if start.head is None else "bundle"
        self._starts.append(StartReading(epoch, start.position.sequence, derived.value, source, derived.messages))
        if (value := judge.sums.get(self._standing.since)) is not None and self._standing.value >= 0:
            self._comparisons.append(compared("sum where it was set", epoch, self._standing.value, value))
        if crossing is None:
            told = f"at sequence {self._winner.sequence}"
            found = f"not up to sequence {judge.sequence}, where {judge.counter} counts {judge.value}"
            self._comparisons.append(compared("winner", epoch, told, found))
            return
        self._comparisons += compare_winner(epoch, self._winner, crossing, derived.time_ns, self._secret)
        if (epoch, start.position) == (self._proof.epoch, self._proof.cut):
            self._comparisons += compare_proof(self._proof, crossing.proof)

    def report(self, told: WinnerReading, seconds: float) -> Report:
        """What was found."""
        agrees = not self.problems and all(one.agrees for one in self._comparisons)
        return Report(
            self._standing.counter,
            self._standing.n,
            agrees,
            told,
            self._starts,
            self._comparisons,
            self._unchecked,
            self.problems,
            seconds,
        )
