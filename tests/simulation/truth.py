"""What a log holds, found without the core: every counted visit in its order, from the raw messages."""

from bisect import bisect_right
from collections import defaultdict
from hashlib import shake_128
from typing import Any, NamedTuple

import msgspec

from footfall.core.routing import partition_of
from footfall.log.protocol import CONTROL_SUBJECT, Message

from .winners import Winners

RECEIPT_KEY_LENGTH_MIN = 22  # a client's own key of this length is the visit's receipt


def path_of(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: n + 1]) for n in range(len(parts))]


class Place(NamedTuple):
    """Where a visit stands, and who came; an imported one has nobody, and no index."""

    sequence: int
    index: int = -1
    visitor: str | None = None
    receipt: str = ""
    time_ns: int = 0


class Truth:
    """The distinct visits in a log, by counter and partition."""

    def __init__(self, partitions: int, secret: bytes, rewound: bool = False) -> None:
        self.partitions = partitions
        self.rewound = rewound
        self.units: dict[str, str] = {}
        self.vectors: dict[str, list[int]] = defaultdict(lambda: [0] * partitions)
        self.order: dict[str, list[Place]] = defaultdict(list)  # counter → its visits, one after the other
        self.places: dict[str, Place] = {}  # receipt → where its visit stands
        self.sources: dict[str, int] = defaultdict(int)
        self.imports: dict[str, int] = {}  # source → where its import stands
        self.winners = Winners(self.order)
        self.last = 0
        self._secret = secret
        self._seen: set[tuple[object, ...]] = set()
        self._last: dict[tuple[str, str], int] = defaultdict(int)

    def take(self, message: Message) -> None:
        self.last = message.sequence
        raw = msgspec.msgpack.decode(message.data)
        number = raw[2] if message.subject == CONTROL_SUBJECT else raw[3]
        if self._again(message.subject, raw[1], number):
            return
        if self.rewound:  # what a producer stored before the tail vanished may now come after what it stored later
            if self._last[message.subject, raw[1]] > number:
                return
            self._last[message.subject, raw[1]] = number
        if message.subject == CONTROL_SUBJECT:
            self._control(message.sequence, raw)
        else:
            self._batch(message, raw)

    def _control(self, sequence: int, raw: Any) -> None:
        kind = raw[0]
        if kind == "define/1":
            for name, unit in raw[3]:
                for ancestor in path_of(name)[:-1]:
                    self.units.setdefault(ancestor, "visits")
                self.units.setdefault(name, unit)
        elif kind == "barrier/1" or raw[3] not in self.units:
            pass
        elif kind == "import/1":
            self._import(sequence, *raw[3:])
        else:
            self.winners.take(sequence, kind, raw[3], raw[4], raw[5:])

    def _import(self, sequence: int, counter: str, value: int, source: str, note: str, after: int) -> None:
        if source in self.imports or any(self.winners.open_since(name, after) for name in path_of(counter)):
            return
        self.imports[source] = sequence
        for name in path_of(counter):
            if self.units[name] == self.units[counter]:
                self.order[name] += [Place(sequence)] * value
                self.vectors[name][partition_of(source, self.partitions)] += value

    def _batch(self, message: Message, raw: Any) -> None:
        _, producer, _, number, sections, chunk = raw
        partition = int(message.subject.rpartition(".")[2])
        if chunk is not None:
            source, start, end = chunk
            if self.sources[source] != start:
                return
            self.sources[source] = end
        name = f"{producer}\0{partition}\0{number}".encode()
        secret = len(self._secret).to_bytes(2, "big") + self._secret
        receipts = shake_128(secret + name).hexdigest(16 * sum(section[2] for section in sections))
        offset = 0
        for leaf, unit, entries, visitors, keys, times in sections:
            names = [None] * entries if visitors is None else msgspec.msgpack.decode(visitors)
            own = [None] * entries if keys is None else msgspec.msgpack.decode(keys)
            places = []
            for index, visitor, key in zip(range(offset, offset + entries), names, own, strict=True):
                receipt = receipts[32 * index : 32 * index + 32]
                if key is not None and len(key) >= RECEIPT_KEY_LENGTH_MIN:
                    receipt = key
                places.append(Place(message.sequence, index, visitor, receipt, message.time_ns))
                self.places.setdefault(receipt, places[-1])
            self._count(partition, leaf, unit, places, own, times)
            offset += entries

    def _again(self, *what: object) -> bool:
        again = what in self._seen
        self._seen.add(what)
        return again

    def _count(self, partition: int, leaf: str, unit: str, places: list[Place], keys: list[Any], times: int) -> None:
        if leaf not in self.units:
            return  # its definition vanished with the log's tail; otherwise nodes raise an alarm, which is checked
        for counter in path_of(leaf):
            if self.units[counter] != unit:
                continue
            before = len(self.order[counter])
            for place, key in zip(places, keys, strict=True):
                if unit == "visitors":
                    if not self._again(counter, "visitor", place.visitor):
                        self.order[counter].append(place)
                elif key is None or not self._again(counter, leaf, "key", key):
                    self.order[counter] += [place] * times
            self.vectors[counter][partition] += len(self.order[counter]) - before

    def values(self) -> dict[str, int]:
        return {name: sum(self.vectors[name]) for name in self.units}

    def value_at(self, counter: str, sequence: int) -> int:
        """How many visits of a counter the log holds up to a sequence."""
        return bisect_right(self.order[counter], sequence, key=lambda place: place.sequence)
