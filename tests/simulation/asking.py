"""How a simulated node reads exactly: a barrier, the answers of all partitions at one copy of it, and their sum."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from footfall.core.control import Barrier, Control
from footfall.core.vector import Vector

from .exactness import Begun
from .said import Counted

if TYPE_CHECKING:
    from .node import Node

Done = Callable[[int, list[Vector]], None]
QUESTIONS_MAX = 8  # an older one has timed out


class Asking:
    """The questions of one run of a node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._waiting: list[Begun] = []
        self._answers: dict[tuple[str, int], dict[int, dict[int, list[int]]]] = {}  # question → sequence → partition
        self._done: dict[tuple[str, int], Done] = {}
        self._answered: list[tuple[int, list[Vector], Done]] = []  # until the definitions have come as far

    def read(self, counter: str) -> None:
        """Somebody wants to know a counter exactly."""
        self._waiting.append(self._node.world.oracle.exact.begin(counter))

    def ask(self) -> None:
        """One barrier for all who wait."""
        readers, self._waiting = self._waiting, []
        names = tuple(dict.fromkeys(begun.counter for begun in readers))
        if names:
            self.question(
                lambda name, at: Barrier(name, at, 0, self._node.name, names),
                lambda sequence, vectors: self._tell(readers, names, sequence, vectors),
            )

    def question(self, build: Callable[[str, int], Control], done: Done) -> None:
        """Write a message that asks; ``done`` is called with its sequence, and the counters there."""

        def built(name: str, at: int) -> Control:
            self._answers[name, at], self._done[name, at] = defaultdict(dict), done
            if len(self._done) > QUESTIONS_MAX:
                oldest = next(iter(self._done))
                del self._answers[oldest], self._done[oldest]
            return build(name, at)

        self._node.producing.control(built, lambda _: None)

    def take(self, said: Counted) -> None:
        """A partition answers."""
        if said.asked not in self._answers:
            return
        found = self._answers[said.asked][said.sequence]
        found[said.partition] = said.entries
        if len(found) == self._node.world.partitions:
            entries = [found[partition] for partition in range(len(found))]
            vectors = [Vector(tuple(column)) for column in zip(*entries, strict=True)]
            del self._answers[said.asked]
            self._answered.append((said.sequence, vectors, self._done.pop(said.asked)))

    def settle(self) -> None:
        """Tell those whose answers are complete, and as far as the definitions have come."""
        for one in [one for one in self._answered if one[0] <= self._node.definitions.sequence]:
            self._answered.remove(one)
            sequence, vectors, done = one
            done(sequence, vectors)

    def _tell(self, readers: Sequence[Begun], names: Sequence[str], sequence: int, vectors: list[Vector]) -> None:
        node = self._node
        for name, vector in zip(names, vectors, strict=True):
            if not node.world.rewound:
                for begun in readers:
                    if begun.counter == name:
                        node.world.oracle.exact.end(begun, vector.value, sequence)
            number = node.definitions.number(name)
            if number is not None:
                entries = np.array([vector.entries], np.int64)
                node.table.merge(np.array([number], np.int32), entries, [sequence] * node.world.partitions)
