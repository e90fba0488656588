"""Where in the log milestones have changed, so that whoever watches can be told what was missed, by any node.

A position is a sequence of the log, so those of two nodes can be compared. Where a milestone was reached the log tells.
Any other change gets the position up to which the node had read when it saw it, which is never too low; and it is known
to be behind the position of the look before. So whoever goes from node to node may be told of a change again, and never
misses one.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from footfall.core.definitions import Definitions
from footfall.core.milestones import Standing
from footfall.core.vector import ENTRY_MAX


class Change(NamedTuple):
    """A milestone has changed: it was set, reached or claimed. Changes are in the order of their fields.

    Attributes:
        position: Where in the log, or behind it.
        counter: Its counter.
        n: Its N.
        above: A position that it is surely behind.
    """

    position: int
    counter: str = "~"  # above all names
    n: int = 0
    above: int = 0


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
        self._seen: dict[str, dict[int, tuple[int, Change]]] = {}  # counter → N → how far it is, and since when
        self._looked = -1
        self._last = 0  # position of the last change
        self.look()

    def look(self) -> list[Change]:
        """What has changed since the last look, in order. Costs little if nothing has."""
        milestones = self._definitions.milestones
        before, self.position = self.position, self._definitions.sequence
        if milestones.sequence == self._looked:
            return []
        self._looked, self._last = milestones.sequence, self.position
        self.open = frozenset(milestones.open())
        found = []
        for standing in milestones:
            far, known = _far(standing), self._seen.setdefault(standing.counter, {})
            if far and (standing.n not in known or known[standing.n][0] != far):
                position, above = self.position, before
                if far == _REACHED:
                    position, above = standing.reached, standing.reached - 1
                known[standing.n] = far, Change(position, standing.counter, standing.n, above)
                found.append(known[standing.n][1])
        return sorted(found)

    def after(self, cursor: Change, counter: str | None) -> list[Change]:
        """The changes after one, in order: of a counter, or of all if it is None."""
        if cursor >= Change(self._last):
            return []
        counters = self._seen.values() if counter is None else [self._seen.get(counter, {})]
        return sorted(change for known in counters for _, change in known.values() if change > cursor)


def told(changes: Sequence[Change]) -> list[tuple[Change, int]]:
    """Changes in order, each with the position up to which all are told once it is: what follows may not be behind it.

    Whoever got the first of two and asks another node for the rest, may find both at one place there.
    """
    found: list[tuple[Change, int]] = []
    bound = ENTRY_MAX
    for change in reversed(changes):
        found.append((change, min(change.position, bound)))
        bound = min(bound, change.above)
    return found[::-1]


_SET, _REACHED, _CLAIMED = 1, 2, 3


def _far(standing: Standing) -> int:
    """How far a milestone is; 0, if it may be void yet."""
    if standing.winner is None:
        return 0 if standing.undecided else _SET
    return _REACHED if standing.claim is None else _CLAIMED
