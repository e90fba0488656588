"""Where in the log milestones have changed, so that whoever watches can be told what was missed, by any node.

A position is a sequence of the log, so those of two nodes can be compared. Where a milestone was reached the log tells.
Any other change gets the position up to which the node had read when it saw it, which is never too low; after a start,
that is where it began. So whoever comes from another node may be told of a change again, and never misses one.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import zip_longest
from typing import NamedTuple

from footfall.core.definitions import Definitions
from footfall.core.milestones import Standing


class Change(NamedTuple):
    """A milestone has changed: it was set, reached or claimed. Changes are in the order of their fields.

    Attributes:
        position: Where in the log, or behind it.
        counter: Its counter.
        n: Its N.
    """

    position: int
    counter: str = "~"  # above all names
    n: int = 0


class Watching:
    """The changes of one node's milestones: the last one of each.

    Attributes:
        log: Names the log: positions of another one mean nothing here.
        position: All changes up to here were seen.
        open: The counters that have an open milestone.
    """

    def __init__(self, definitions: Definitions, created: str) -> None:
        self.log = sha256(created.encode()).hexdigest()[:8]
        self.position = 0
        self.open: frozenset[str] = frozenset()
        self._definitions = definitions
        self._seen: dict[str, dict[int, tuple[int, int]]] = {}  # counter → N → (how far it is, position)
        self._looked = -1
        self._last = 0  # position of the last change
        self.look()

    def look(self) -> list[Change]:
        """What has changed since the last look, in order. Costs little if nothing has."""
        milestones = self._definitions.milestones
        self.position = self._definitions.sequence
        if milestones.sequence == self._looked:
            return []
        self._looked, self._last = milestones.sequence, self.position
        self.open = frozenset(milestones.open())
        found = []
        for standing in milestones:
            far, known = _far(standing), self._seen.setdefault(standing.counter, {})
            if far and known.get(standing.n, (0, 0))[0] != far:
                position = standing.reached if far == 2 else self.position
                known[standing.n] = far, position
                found.append(Change(position, standing.counter, standing.n))
        return sorted(found)

    def after(self, cursor: Change, counter: str | None) -> list[Change]:
        """The changes after one, in order: of a counter, or of all if it is None."""
        if cursor >= Change(self._last):
            return []
        counters = self._seen if counter is None else {counter: self._seen.get(counter, {})}
        return sorted(change for change in _changes(counters) if change > cursor)


def _changes(counters: dict[str, dict[int, tuple[int, int]]]) -> Iterator[Change]:
    for counter, milestones in counters.items():
        for n, (_, position) in milestones.items():
            yield Change(position, counter, n)


def _far(standing: Standing) -> int:
    """How far a milestone is: 0, it may be void yet; 1, it is set; 2, it was reached; 3, it was claimed."""
    if standing.winner is None:
        return 0 if standing.undecided else 1
    return 2 if standing.claim is None else 3


def told(changes: Sequence[Change]) -> Iterator[tuple[Change, int]]:
    """Changes in order, each with the position up to which all are told with it: below its own, if more are there."""
    for change, following in zip_longest(changes, changes[1:]):
        more = following is not None and following.position == change.position
        yield change, change.position - more
