"""The counters that exist, in the order in which the log defined them, and what else the control subject tells."""

from array import array
from collections.abc import Iterable
from typing import Self

import msgspec

from footfall.core.control import Announced, Barrier, Claimed, Control, Define, Import, Milestone, Reached, Verdict
from footfall.core.milestones import Milestones
from footfall.core.names import Unit, is_name, lineage
from footfall.core.partition import Alarm
from footfall.core.vector import ENTRY_MAX

COUNTERS_MAX = 4_000_000  # 1.2 GB of names and entries at 16 partitions; later definitions have no effect
PRODUCERS_MAX = 65_536  # a forgotten one can cause no more than a false alarm
CACHE_MAX = 32_768
IMPORTS_MAX = 10_000  # of prior counts; later ones add nothing


class Definition(msgspec.Struct, frozen=True):
    """A counter, and what a visit to it adds to.

    Attributes:
        name: The counter's name.
        unit: What it counts.
        number: Its ordinal in the log, from 0: the row of tables.
        since: Sequence of the message that defined it; visits stored before it do not count.
        visits: Numbers of the counters in ``visits`` among it and its ancestors, the root first.
        visitors: The same in ``visitors``.
    """

    name: str
    unit: Unit
    number: int
    since: int
    visits: tuple[int, ...]
    visitors: tuple[int, ...]


class Imported(msgspec.Struct, frozen=True, array_like=True):
    """A prior count that was taken over: see ``control.Import``. ``sequence`` is where it stands in the log."""

    counter: str
    value: int
    note: str
    sequence: int


class Definitions:
    """All counters, milestones and imports up to one sequence of the log.

    A partition may be folded with definitions that are ahead of it: it compares ``since``. Columns instead of
    objects keep a counter at about 165 bytes here; ``Definition`` is made when asked for.
    """

    def __init__(self) -> None:
        self.sequence = 0  # of the last control message folded
        self.messages_since = self.messages = 0  # how many of them were folded, and above which sequence
        self.epoch = 0
        self.names: list[str] = []
        self.units = bytearray()  # 0 visits, 1 visitors
        self.since = array("q")
        self.producers: dict[str, int] = {}  # producer → its last sequence on the control subject
        self.milestones = Milestones()
        self.imports: dict[str, Imported] = {}  # by source
        self._numbers: dict[str, int] = {}
        self._cache: dict[str, Definition] = {}

    def __len__(self) -> int:
        return len(self.names)

    def number(self, name: str) -> int | None:
        """The counter's number, or None if it is not defined."""
        return self._numbers.get(name)

    def unit(self, number: int) -> Unit:
        """The unit of the counter with that number."""
        return Unit.VISITORS if self.units[number] else Unit.VISITS

    def find(self, name: str) -> Definition | None:
        """The counter of that name, or None if it is not defined."""
        found = self._cache.get(name)
        if found is None:
            number = self._numbers.get(name)
            if number is None:
                return None
            if len(self._cache) >= CACHE_MAX:
                self._cache.clear()
            path = [self._numbers[ancestor] for ancestor in lineage(name)]
            found = self._cache[name] = Definition(
                name=self.names[number],
                unit=self.unit(number),
                number=number,
                since=self.since[number],
                visits=tuple(n for n in path if not self.units[n]),
                visitors=tuple(n for n in path if self.units[n]),
            )
        return found

    def fold(self, sequence: int, message: Control) -> list[Alarm]:
        """Take the next control message; what it says of counters and of the epoch holds from here on."""
        self.pass_over(sequence)
        if isinstance(message, Barrier) and message.epoch == self.epoch + 1:
            self.epoch += 1
        last = self.producers.get(message.producer, 0)
        if message.sequence <= last:
            return []
        alarms = []
        if message.sequence > last + 1:
            alarms.append(
                Alarm(
                    "gap", f"producer {message.producer}: control {last + 1} to {message.sequence - 1} lost", sequence
                )
            )
        self.producers[message.producer] = message.sequence
        if len(self.producers) > PRODUCERS_MAX:
            del self.producers[next(iter(self.producers))]
        if isinstance(message, Define):
            alarms += [alarm for name, unit in message.counters for alarm in self._define(sequence, name, unit)]
        elif isinstance(message, Import):
            alarms += self._import(sequence, message)
        elif isinstance(message, Milestone | Verdict | Reached | Announced | Claimed):
            alarms += self._milestone(sequence, message)
        return alarms

    def pass_over(self, sequence: int) -> None:
        """Take the next control message, which says nothing that can be read."""
        assert sequence > self.sequence
        self.sequence, self.messages = sequence, self.messages + 1

    def _milestone(
        self, sequence: int, message: Milestone | Verdict | Reached | Announced | Claimed
    ) -> Iterable[Alarm]:
        if message.counter not in self._numbers:
            yield Alarm("undefined", f"a milestone on {message.counter[:60]!r}, which is not defined", sequence)
        elif contradiction := self.milestones.fold(sequence, message):
            yield Alarm(contradiction.kind, contradiction.detail, sequence)

    def _import(self, sequence: int, message: Import) -> Iterable[Alarm]:
        """Take over a prior count: whether a partition adds it is decided here, where milestones are known."""
        if message.counter not in self._numbers:
            yield Alarm("undefined", f"an import into {message.counter[:60]!r}, which is not defined", sequence)
        elif not 1 <= message.value <= ENTRY_MAX:
            yield Alarm("malformed", f"{message.value} cannot be imported into {message.counter}", sequence)
        elif len(self.imports) >= IMPORTS_MAX:
            yield Alarm("imports", f"{message.counter} is not imported: there are {IMPORTS_MAX} already", sequence)
        elif message.source not in self.imports and not self.milestones.since(message.counter, message.after):
            self.imports[message.source] = Imported(message.counter, message.value, message.note, sequence)

    def _define(self, sequence: int, name: str, unit: Unit) -> Iterable[Alarm]:
        if not is_name(name):
            yield Alarm("malformed", f"{name[:60]!r} cannot name a counter", sequence)
            return
        path = lineage(name)
        if len(self.names) + sum(one not in self._numbers for one in path) > COUNTERS_MAX:
            yield Alarm("counters", f"{name} is not defined: the log holds {COUNTERS_MAX} counters", sequence)
            return
        for ancestor in path[:-1]:
            self._append(ancestor, Unit.VISITS, sequence)
        self._append(name, unit, sequence)

    def _append(self, name: str, unit: Unit, since: int) -> None:
        if name not in self._numbers:
            self._numbers[name] = len(self.names)
            self.names.append(name)
            self.units.append(unit is Unit.VISITORS)
            self.since.append(since)

    def catch_up(self, later: Self) -> None:
        """Become what these definitions will be at a later sequence of the same log."""
        assert later.sequence >= self.sequence
        self.restore(zip(later.names[len(self) :], later.units[len(self) :], later.since[len(self) :], strict=True))
        self.sequence, self.epoch, self.producers = later.sequence, later.epoch, later.producers
        self.messages_since, self.messages = later.messages_since, later.messages
        self.milestones, self.imports = later.milestones, later.imports

    def restore(self, rows: Iterable[tuple[str, int, int]]) -> None:
        """Append (name, unit as 0 or 1, since) rows, in order, as a cut holds them."""
        for name, unit, since in rows:
            self._append(name, Unit.VISITORS if unit else Unit.VISITS, since)
