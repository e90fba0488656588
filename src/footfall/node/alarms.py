"""What is wrong in the log itself, in words: the alarms that partitions remember, also across restarts, as cuts do."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from footfall.core.partition import Alarm, Partition

MEANING = {
    "gap": "messages of a producer are missing: visits that were acknowledged may be lost",
    "malformed": "messages cannot be read: someone else writes into the log, or it is damaged",
    "undefined": "visits name counters that are not defined, and are not counted",
    "misrouted": "visits are in the wrong partition, and are not counted",
    "overflow": "a counter would pass 2**63 - 1: visits are not counted",
    "sources": "there are as many sources as a partition may know: chunks of new ones are not counted",
    "expired": "visits came from a producer that began more than 7 days ago or in the future, and are not counted",
}
MEANING_OF_CONTROL = {
    "missing": "the log lacks messages that it had acknowledged: a file is damaged, and the count is too low",
    "foreign": "messages are on subjects of no partition, and are not counted: someone else writes into the log",
    "counters": "there are as many counters as the log may hold: more are not defined",
    "imports": "there are as many imports as the log may hold: more are not counted",
    "winner": "two judges named different winners of one milestone: the first in the log holds",
    "verdict": "two judges said different things of one milestone: the first in the log holds",
}


class Alarmed(NamedTuple):
    """Alarms of one kind; ``first`` and ``last`` are 0 in a cut of before they were remembered."""

    kind: str
    times: int
    first: int
    last: int

    def seen(self, sequence: int) -> bool:
        """Whether all of them are where a person has looked into them, up to that sequence of the log."""
        return 0 < self.last <= sequence

    def __str__(self) -> str:
        where = f"sequence {self.first}" if self.first == self.last else f"sequences {self.first} to {self.last}"
        at = f", {where}" if self.first else ""
        often = "once" if self.times == 1 else f"{self.times} times"
        meaning = (MEANING | MEANING_OF_CONTROL).get(self.kind, "the log holds what should not be there")
        return f"alarm {self.kind} ({often}{at}): {meaning}"


class ControlAlarms:
    """The alarms that are of no partition, since this process began: no cut keeps them."""

    def __init__(self) -> None:
        self.found: dict[str, Alarmed] = {}

    def add(self, alarms: Iterable[Alarm]) -> None:
        """Remember these."""
        for alarm in alarms:
            known = self.found.get(alarm.kind, Alarmed(alarm.kind, 0, alarm.sequence, alarm.sequence))
            self.found[alarm.kind] = Alarmed(alarm.kind, known.times + 1, known.first, alarm.sequence)


def alarmed(partitions: Iterable[Partition], control: Mapping[str, Alarmed] | None = None) -> list[Alarmed]:
    """All alarms that partitions and the control subject had, by kind."""
    found = dict(control or {})
    for partition in partitions:
        for kind in MEANING.keys() & partition.tally.keys():
            first, last = partition.alarmed.get(kind, (0, 0))
            one = Alarmed(kind, partition.tally[kind], first, last)
            found[kind] = _joined(found[kind], one) if kind in found else one
    return sorted(found.values())


def _joined(one: Alarmed, other: Alarmed) -> Alarmed:
    firsts = [first for first in (one.first, other.first) if first]
    return Alarmed(one.kind, one.times + other.times, min(firsts, default=0), max(one.last, other.last))
