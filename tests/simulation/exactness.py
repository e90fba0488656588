"""Invariant 4: exact reads, recorded with their begins and ends, are linearizable."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .oracle import Oracle


class Begun(NamedTuple):
    """An exact read that was asked for."""

    counter: str
    at: int
    least: int  # visits acknowledged by then


class Ended(NamedTuple):
    """One that was answered."""

    begun: Begun
    at: int
    value: int


class ExactHistory:
    """All exact reads that were answered."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self._ended: list[Ended] = []

    def begin(self, counter: str) -> Begun:
        return Begun(counter, self._oracle.tick(), self._oracle.bounds(counter)[0])

    def end(self, begun: Begun, value: int, sequence: int) -> None:
        """An answer came: it is what the log held at its sequence, and lies between its bounds."""
        counter = begun.counter
        most = self._oracle.bounds(counter)[1]
        assert begun.least <= value <= most, (
            f"exactly {value} of {counter} at {sequence}: {begun.least} were acknowledged before, {most} sent by now"
        )
        there = self._oracle.truth.value_at(counter, sequence)
        assert value == there, f"exactly {value} of {counter} at {sequence}, where the log holds {there}"
        self._ended.append(Ended(begun, self._oracle.tick(), value))

    def check(self) -> None:
        """One that began after another had ended shows no less."""
        least: dict[str, int] = {}
        under_way: list[tuple[int, int, str]] = []  # (end, value, counter) of those that have begun
        for read in sorted(self._ended, key=lambda ended: ended.begun.at):
            while under_way and under_way[0][0] < read.begun.at:
                _, value, counter = heapq.heappop(under_way)
                least[counter] = max(least.get(counter, 0), value)
            name = read.begun.counter
            assert read.value >= least.get(name, 0), f"exactly {read.value} of {name} after {least[name]} was read"
            heapq.heappush(under_way, (read.at, read.value, name))
