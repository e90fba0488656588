"""A log of keyed visits, read by a dumb model that shares nothing with the product but the format's page."""

from collections import defaultdict
from typing import Any, NamedTuple

import msgspec

from crowd import path_of
from footfall.log.protocol import CONTROL_SUBJECT, Message


class Place(NamedTuple):
    """Where a counted visit stands in the log: which entry of which message; who came, and its key."""

    sequence: int
    entry: int
    visitor: str
    key: str


class Account:
    """What a log of keyed visits holds, worked out anew: for each counter its visits, one after the other."""

    def __init__(self) -> None:
        self.sequence = 0
        self.order: dict[str, list[Place]] = defaultdict(list)
        self.reached: dict[str, list[Any]] = defaultdict(list)  # counter → what judges said, in the log's order
        self._units: dict[str, str] = {}
        self._seen: set[tuple[str, ...]] = set()

    def take(self, message: Message) -> None:
        assert message.sequence > self.sequence
        self.sequence = message.sequence
        raw = msgspec.msgpack.decode(message.data)
        number = raw[2] if message.subject == CONTROL_SUBJECT else raw[3]
        if not self._is_first("message", message.subject, raw[1], str(number)):
            return  # a producer's repeat
        if raw[0] == "define/1":
            self._units |= {name: unit for name, unit in raw[3] if name not in self._units}
        elif raw[0] == "reached/1":
            self.reached[raw[3]].append(raw[5])
        elif raw[0] == "batch/1":
            self._batch(message.sequence, raw[4])

    def _batch(self, sequence: int, sections: Any) -> None:
        entry = 0
        for section in sections:
            self._section(sequence, entry, section)
            entry += section[2]

    def _section(self, sequence: int, entry: int, section: Any) -> None:
        """Take a section, whose first entry is this one of its message."""
        leaf, unit, entries, visitors, keys, times = section
        assert times == 1
        names, own = msgspec.msgpack.decode(visitors), msgspec.msgpack.decode(keys)
        assert len(names) == len(own) == entries
        for index, (visitor, key) in enumerate(zip(names, own, strict=True), entry):
            if unit == "visits" and not self._is_first("key", leaf, key):
                continue
            for counter in path_of(leaf):
                if self._units.get(counter, "visits") != unit:
                    continue
                if unit == "visits" or self._is_first("visitor", counter, visitor):
                    self.order[counter].append(Place(sequence, index, visitor, key))

    def _is_first(self, *what: str) -> bool:
        first = what not in self._seen
        self._seen.add(what)
        return first
