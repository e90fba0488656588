"""What reads show of counters near a milestone: the judge's count, and never less than was shown before."""

import math
import time
from typing import NamedTuple

from footfall.core.table import Table
from footfall.node.readings import Phase

HEARD_MAX_S = 1.0  # a judge unheard for longer is not asked any more


class Shown(NamedTuple):
    """What a read shows of a counter."""

    value: int
    phase: Phase
    sequence: int
    staleness_ms: int


class Closing:
    """What this node shows of a counter whose milestone is near.

    Before the judge, reads came from the table; its values may be ahead of the judge's, who reads the log in order. So
    the value shown stands still until he has come as far. Then it is his, and exact, until the milestone is reached.
    """

    def __init__(self, n: int, value: int) -> None:
        self.n = n
        self.near_s = time.monotonic()  # when it was last found near
        self.passed_s = math.inf  # when the count was first seen to have passed N
        self.shown = value
        self.sequence = 0
        self._value = -1
        self._heard_s = -HEARD_MAX_S

    def hear(self, sequence: int, value: int) -> None:
        """The judge has counted so much."""
        self._heard_s = time.monotonic()
        if sequence >= self.sequence:
            self.sequence, self._value = sequence, value

    def exact(self, sequence: int, value: int) -> None:
        """An exact read has counted so much: as good as the judge's count, so that reads need not wait for his."""
        self.shown = max(self.shown, value)
        if sequence > self.sequence:
            self.sequence, self._value = sequence, value

    def show(self, value: int, sequence: int, staleness_ms: int) -> Shown:
        """What to show, given what the table has."""
        silent_s = time.monotonic() - self._heard_s
        if silent_s > HEARD_MAX_S:
            self.shown = max(self.shown, value)
            return Shown(self.shown, Phase.AP, sequence, staleness_ms)
        if self._value < self.shown:
            return Shown(self.shown, Phase.AP, sequence, staleness_ms)
        self.shown = self._value
        return Shown(self._value, Phase.CP, self.sequence, int(silent_s * 1000))


class Showing:
    """All that reads show otherwise than the table has it.

    Attributes:
        closing: By the counter's number: those that are near a milestone.
    """

    def __init__(self, table: Table) -> None:
        self.closing: dict[int, Closing] = {}
        self._table = table
        self._floors: dict[int, int] = {}  # what was shown, where this node's own folds are not as far

    def read(self, number: int, sequence: int, staleness_ms: int) -> Shown:
        """What a read shows; ``sequence`` and ``staleness_ms`` are the table's."""
        value = self._table.value(number)
        if closing := self.closing.get(number):
            return closing.show(value, sequence, staleness_ms)
        return Shown(max(value, self._floors.get(number, 0)), Phase.AP, sequence, staleness_ms)

    def exact(self, number: int, sequence: int, value: int) -> None:
        """An exact count is shown: nothing smaller may be, though the folds here may have yet to come as far."""
        if closing := self.closing.get(number):
            closing.exact(sequence, value)
        else:
            self.at_least(number, value)

    def at_least(self, number: int, value: int) -> None:
        """So many have come, and nothing smaller may be shown."""
        if closing := self.closing.get(number):
            closing.shown = max(closing.shown, value)
        elif value > self._table.value(number):
            self._floors[number] = max(self._floors.get(number, 0), value)

    def open(self, number: int, n: int) -> Closing:
        """A counter comes near its N-th."""
        value = max(self._table.value(number), self._floors.get(number, 0))
        closing = self.closing[number] = Closing(n, value)
        return closing

    def close(self, number: int) -> None:
        """It is not near any more."""
        self.at_least(number, self.closing.pop(number).shown)

    def tidy(self) -> None:
        """Forget what the table has come up to."""
        if self._floors:
            table = self._table
            self._floors = {number: shown for number, shown in self._floors.items() if shown > table.value(number)}
