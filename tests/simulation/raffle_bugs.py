"""Bugs for exact reads and milestones in the nodes: the simulation of real nodes must notice every one of them."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from footfall.core.milestones import Milestones as Standings
from footfall.core.vector import Vector
from footfall.node import judging, milestones
from footfall.node.exact import Exact, ExactReads, _Question
from footfall.node.judge_begin import at_cut, beginning
from footfall.node.judging import Judging
from footfall.node.milestones import Milestones
from footfall.node.nearness import Nearness
from footfall.node.showing import Closing, Showing


def mixes_copies(patch: pytest.MonkeyPatch) -> None:
    """Answers to two copies of one barrier are added up together."""
    take = _Question.take

    def mixed(self: _Question, said: Any, partitions: int) -> None:
        first = next(iter(self.answers), said.sequence)
        take(self, msgspec.structs.replace(said, sequence=first), partitions)

    patch.setattr(_Question, "take", mixed)


def answers_with_entries_of_now(patch: pytest.MonkeyPatch) -> None:
    """An exact read answers what the table holds when the answers are there."""
    read = ExactReads.read

    async def read_now(self: ExactReads, counter: str) -> Exact:
        exact = await read(self, counter)
        await asyncio.sleep(0.05)
        later = await read(self, counter)
        return Exact(exact.sequence, later.vector)

    patch.setattr(ExactReads, "read", read_now)


def joins_a_barrier_on_its_way(patch: pytest.MonkeyPatch) -> None:
    """An exact read takes the answer of one that began before it."""
    read = ExactReads.read
    under_way: dict[tuple[int, str], asyncio.Task[Exact]] = {}

    async def joined(self: ExactReads, counter: str) -> Exact:
        key = id(self), counter
        task = under_way.get(key)
        if task is None:
            task = under_way[key] = asyncio.create_task(_held(self, counter))
            task.add_done_callback(lambda _: under_way.pop(key, None))
        return await asyncio.shield(task)

    async def _held(self: ExactReads, counter: str) -> Exact:
        exact = await read(self, counter)
        await asyncio.sleep(0.5)  # to others who have asked meanwhile
        return exact

    patch.setattr(ExactReads, "read", joined)


def guesses_the_silent(patch: pytest.MonkeyPatch) -> None:
    """Where a partition does not answer in time, an exact read takes 0 for it."""
    answered = ExactReads._answered

    async def guessed(self: ExactReads, question: _Question) -> list[Exact]:
        try:
            return await answered(self, question)
        except Exception:
            found = max(question.answers.items(), key=lambda item: len(item[1]), default=(0, {}))
            return [
                Exact(found[0], Vector(tuple(found[1].get(p, [0] * (at + 1))[at] for p in range(self._partitions))))
                for at in range(len(question.counters))
            ]

    patch.setattr(ExactReads, "_answered", guessed)


def forgets_what_was_read(patch: pytest.MonkeyPatch) -> None:
    """After an exact read, an eventual one may show less."""
    patch.setattr("footfall.core.table.Table.merge", _owned_only)
    patch.setattr(Showing, "at_least", lambda self, number, value: None)
    patch.setattr(Showing, "exact", lambda self, number, sequence, value: None)


def _owned_only(self: Any, numbers: Any, entries: Any, sequences: Any = ()) -> None:
    """Merge rows of several counters only: those of one are of exact reads and judges, mostly."""
    if len(numbers) > 1:
        for partition in range(self.partitions):
            if partition not in self.folds:
                self._merge_column(partition, numbers, entries[:, partition])


def falls_back_to_the_judge(patch: pytest.MonkeyPatch) -> None:
    """In phase cp reads show the judge's value, though more was shown before."""

    def show(self: Closing, value: int, sequence: int, staleness_ms: int) -> Any:
        if self._value < 0:
            return value, "ap", sequence, staleness_ms
        return self._value, "cp", self.sequence, 0

    patch.setattr(Closing, "show", show)


def shows_the_table_as_exact(patch: pytest.MonkeyPatch) -> None:
    """In phase cp reads show the table's value at the judge's sequence."""
    show = Closing.show

    def shown(self: Closing, value: int, sequence: int, staleness_ms: int) -> Any:
        _, phase, sequence, staleness_ms = show(self, value, sequence, staleness_ms)
        self.shown = max(self.shown, value)
        return self.shown, phase, sequence, staleness_ms

    patch.setattr(Closing, "show", shown)


def judges_from_any_cut(patch: pytest.MonkeyPatch) -> None:
    """A judge begins at the newest cut, though it may be past N."""

    async def newest(cuts: Any, log: Any, counter: str, standings: Standings) -> Any:
        position, judge = await cuts.from_newest(lambda found: at_cut(cuts, found, counter))
        return judge or beginning(counter, log.created, log.partitions), position

    patch.setattr(judging, "newest_below", newest)


def leaves_verdicts_to_others(patch: pytest.MonkeyPatch) -> None:
    """A milestone whose node died before its verdict waits for ever."""
    patch.setattr(Nearness, "_is_stuck", lambda self, counter, now_s: False)
    patch.setattr(Judging, "_decide", lambda self, judge: asyncio.sleep(0))


def claims_by_any_receipt(patch: pytest.MonkeyPatch) -> None:
    """A claim needs some receipt, not the winner's."""
    patch.setattr(milestones, "opens", lambda receipt, committed: True)


def grants_every_claim(patch: pytest.MonkeyPatch) -> None:
    """Whoever shows the receipt is told that the claim is his, also if someone was before."""
    claim = Milestones.claim

    async def granted(self: Milestones, counter: str, n: int, receipt: str, key: str | None) -> Any:
        from footfall.errors import AlreadyClaimedError

        try:
            return await claim(self, counter, n, receipt, key)
        except AlreadyClaimedError:
            return self.find(counter, n)

    patch.setattr(Milestones, "claim", granted)


RAFFLE_BUGS = {
    bug.__name__: bug
    for bug in (
        mixes_copies,
        answers_with_entries_of_now,
        joins_a_barrier_on_its_way,
        guesses_the_silent,
        forgets_what_was_read,
        falls_back_to_the_judge,
        shows_the_table_as_exact,
        judges_from_any_cut,
        leaves_verdicts_to_others,
        claims_by_any_receipt,
        grants_every_claim,
    )
}
