"""Who is the N-th, found naively: every visit that counts is written down, one after the other, and counted off."""

from typing import Any, NamedTuple

import msgspec
from core_logs import Message
from core_model import Model, path_of

FOR_EVER = 10**9  # epochs that producers live


class Counted(NamedTuple):
    """A visit that counted: entry ``index``, over all sections, of the message at ``sequence``."""

    sequence: int
    index: int
    visitor: str | None
    key: str | None


class Raffle(Model):
    """The model, with the winners: of each milestone the first visit that counted and left N or more."""

    def __init__(self, partitions: int) -> None:
        super().__init__(partitions, FOR_EVER)
        self.winners: dict[tuple[str, int], Counted] = {}
        self.values: dict[int, dict[str, int]] = {0: {}}  # by sequence, the counters' values
        self._first = 0  # index of the section's first entry
        self._fresh: list[bool] = []

    def value(self, counter: str) -> int:
        return sum(self.counts[counter, partition] for partition in range(self.partitions))

    def take(self, message: Message) -> None:
        super().take(message)
        self.values[self.sequence] = {counter: self.value(counter) for counter in self.units}

    def _batch(self, partition: int, data: bytes) -> None:
        self._first = 0
        super()._batch(partition, data)

    def _fresh_keys(self, partition: int, leaf: str, keys: list[str]) -> int:
        self._fresh = [super(Raffle, self)._fresh_keys(partition, leaf, [key]) == 1 for key in keys]
        return sum(self._fresh)

    def _section(
        self, p: int, leaf: str, unit: str, entries: int, visitors: bytes | None, keys: bytes | None, times: int
    ) -> None:
        first, self._first = self._first, self._first + max(entries, 0)
        path = [counter for counter in path_of(leaf) if self.units.get(counter) == unit]
        values = {counter: self.value(counter) for counter in path}
        seen = {counter: set(self.seen[counter, p]) for counter in path}
        super()._section(p, leaf, unit, entries, visitors, keys, times)
        named, keyed = texts_or_none(visitors, entries), texts_or_none(keys, entries)
        for at in range(entries):
            for counter in path:
                if unit == "visitors":
                    adds = named[at] not in seen[counter]
                    seen[counter].add(named[at] or "")
                else:
                    adds = times if keys is None or self._fresh[at] else 0
                values[counter] += adds
                if adds:
                    self._wins(counter, values[counter], Counted(self.sequence, first + at, named[at], keyed[at]))

    def _wins(self, counter: str, value: int, visit: Counted) -> None:
        """Take down the milestones that a visit reaches which leaves a counter at a value."""
        for (name, n), wish in self.wishes.found.items():
            if name == counter and self.values[wish["since"]][name] < n <= value:
                self.winners.setdefault((name, n), visit)


def texts_or_none(packed: bytes | None, entries: int) -> list[Any]:
    """One text an entry; who cannot be read is nobody."""
    try:
        texts = [] if packed is None else msgspec.msgpack.decode(packed, type=list[str])
    except msgspec.DecodeError:
        texts = []
    return [*texts[:entries], *[None] * (entries - len(texts))]
