"""Which counters are near a milestone, as one node sees it; being wrong costs work, and changes no winner."""

import logging
import math
from collections.abc import Sequence
from typing import NamedTuple

from footfall.core.closing import Rate, is_near
from footfall.core.definitions import Definitions
from footfall.core.milestones import Standing
from footfall.core.table import Table
from footfall.node.showing import Closing, Showing
from footfall.ordinals import ordinal

logger = logging.getLogger(__name__)

HOLD_S = 60.0  # a milestone that was near is judged for so long, though the rate that made it near has fallen
UNDECIDED_MAX_S = 1.0  # for the node that set a milestone to tell its verdict, before a judge does it


class Due(NamedTuple):
    """A counter that wants a judge.

    Attributes:
        since_s: Since when its winner, or a verdict, is due: the first of these goes first; infinite if none is yet.
        counter: Its name.
        passed_s: When its count was first seen to have passed N; infinite if it has not.
    """

    since_s: float
    counter: str
    passed_s: float


class Nearness:
    """What one node knows of how far its counters are from their milestones."""

    def __init__(self, table: Table, definitions: Definitions, showing: Showing, share: float, soon_s: float) -> None:
        self._table = table
        self._definitions = definitions
        self._showing = showing
        self._share = share
        self._soon_s = soon_s
        self._rates: dict[str, Rate] = {}
        self._undecided_s: dict[tuple[str, int], float] = {}  # (counter, since) → when it was first seen
        self._far: dict[str, tuple[int, int]] = {}  # (value, sequence of the milestones) at which all was far away
        self._forgotten = -1  # sequence of the milestones at which the rest was forgotten

    def look(self, now_s: float) -> list[Due]:
        """The counters that want a judge now; those near a milestone are opened in what reads show, others closed."""
        due: list[Due] = []
        milestones = self._definitions.milestones
        for counter in milestones.open():
            number = self._definitions.number(counter)
            assert number is not None, "a milestone is on a counter that is defined"
            seen = self._table.value(number), milestones.sequence
            if self._far.get(counter) == seen:  # nothing is new: of a thousand milestones most cost no more than this
                continue
            closing = self._closing(counter, number, now_s)
            undecided = [one for one in milestones.open_of(counter) if one.undecided]
            stuck = self._is_stuck(undecided, now_s)  # also of one that is near: its judge tells the verdict
            if closing is not None or undecided:
                self._far.pop(counter, None)
            else:
                self._far[counter] = seen
            passed_s = math.inf if closing is None else closing.passed_s
            if closing is not None or stuck:
                due.append(Due(-1 if stuck else passed_s, counter, passed_s))
        self._forget(now_s)
        return due

    def is_closing(self, standing: Standing) -> bool:
        """Whether a milestone is near."""
        number = self._definitions.number(standing.counter)
        if number is None or number not in self._showing.closing or not standing.open:
            return False
        return self.is_near(standing, self._table.value(number))

    def is_near(self, standing: Standing, value: int) -> bool:
        """Whether a milestone would be near at some value of its counter, which grows as it does now."""
        rate = self._rates.get(standing.counter)
        return is_near(standing.n, value, rate.per_s if rate is not None else 0.0, self._share, self._soon_s)

    def per_s(self, counter: str, now_s: float) -> float:
        """How fast a counter that has an open milestone grows; 0 for others."""
        rate, number = self._rates.get(counter), self._definitions.number(counter)
        if rate is None or number is None:
            return 0.0
        rate.see(now_s, self._table.value(number))  # nobody looks at one that does not grow
        return rate.per_s

    def was_noticed(self, standing: Standing) -> bool:
        """Whether a milestone was seen to wait for its verdict."""
        return (standing.counter, standing.since) in self._undecided_s

    def _closing(self, counter: str, number: int, now_s: float) -> Closing | None:
        """What is shown of a counter whose lowest milestone is near, or was not long ago; else None."""
        value = self._table.value(number)
        self._rates.setdefault(counter, Rate()).see(now_s, value)
        standing = self._definitions.milestones.open_of(counter)[0]
        closing = self._showing.closing.get(number)
        near = self.is_near(standing, value)
        if closing is not None and closing.n != standing.n:  # that one was reached
            if near:
                closing.n, closing.passed_s = standing.n, math.inf
            else:
                self._showing.close(number)
                closing = None
        if near:
            if closing is None:
                logger.info("%s is near its %s", counter, ordinal(standing.n))
                closing = self._showing.open(number, standing.n)
            closing.near_s = now_s
            if value >= standing.n:
                closing.passed_s = min(closing.passed_s, now_s)
        return closing if closing is not None and now_s - closing.near_s <= HOLD_S else None

    def _is_stuck(self, undecided: Sequence[Standing], now_s: float) -> bool:
        """Whether one of these waits for its verdict: whoever set it may be gone."""
        seen_s = [self._undecided_s.setdefault((one.counter, one.since), now_s) for one in undecided]
        return any(now_s - at_s > UNDECIDED_MAX_S for at_s in seen_s)

    def _forget(self, now_s: float) -> None:
        """Drop what is known of counters without open milestones, and of milestones that are decided."""
        milestones = self._definitions.milestones
        for number, closing in list(self._showing.closing.items()):
            if not milestones.open_of(self._definitions.names[number]) or now_s - closing.near_s > HOLD_S:
                self._showing.close(number)
        self._showing.tidy()
        if milestones.sequence == self._forgotten:
            return
        self._forgotten = milestones.sequence
        counters = set(milestones.open())
        self._far = {counter: seen for counter, seen in self._far.items() if counter in counters}
        self._rates = {counter: rate for counter, rate in self._rates.items() if counter in counters}
        self._undecided_s = {
            (counter, since): seen_s
            for (counter, since), seen_s in self._undecided_s.items()
            if any(one.undecided and one.since == since for one in milestones.open_of(counter))
        }
