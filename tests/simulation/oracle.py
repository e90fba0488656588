"""What the count should be, found without the core: from the raw messages of the log, and from what clients did."""

from collections import defaultdict
from collections.abc import Iterable

import msgspec
from msgspec import structs

from footfall.core.definitions import Definition
from footfall.core.visit import Visit
from footfall.log.protocol import CONTROL_SUBJECT, Message


def path_of(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: n + 1]) for n in range(len(parts))]


class Truth:
    """The distinct visits in a log, by counter and partition."""

    def __init__(self, partitions: int, rewound: bool = False) -> None:
        self.rewound = rewound
        self.units: dict[str, str] = {}
        self.vectors: dict[str, list[int]] = defaultdict(lambda: [0] * partitions)
        self.sources: dict[str, int] = defaultdict(int)
        self._seen: set[tuple[object, ...]] = set()
        self._last: dict[tuple[str, str], int] = defaultdict(int)

    def take(self, message: Message) -> None:
        raw = msgspec.msgpack.decode(message.data)
        sequence = raw[2] if message.subject == CONTROL_SUBJECT else raw[3]
        if self._again(message.subject, raw[1], sequence):
            return
        if self.rewound:  # what a producer stored before the tail vanished may now come after what it stored later
            if self._last[message.subject, raw[1]] > sequence:
                return
            self._last[message.subject, raw[1]] = sequence
        if message.subject == CONTROL_SUBJECT:
            for name, unit in raw[3] if raw[0] == "define/1" else ():
                for ancestor in path_of(name)[:-1]:
                    self.units.setdefault(ancestor, "visits")
                self.units.setdefault(name, unit)
            return
        chunk = raw[5]
        if chunk is not None:
            source, start, end = chunk
            if self.sources[source] != start:
                return
            self.sources[source] = end
        partition = int(message.subject.rpartition(".")[2])
        for leaf, unit, entries, visitors, keys, times in raw[4]:
            self._count(partition, leaf, unit, entries, visitors, keys, times)

    def _again(self, *what: object) -> bool:
        again = what in self._seen
        self._seen.add(what)
        return again

    def _count(
        self, partition: int, leaf: str, unit: str, entries: int, visitors: bytes, keys: bytes | None, times: int
    ) -> None:
        if leaf not in self.units:
            return  # its definition vanished with the log's tail; otherwise nodes raise an alarm, which is checked
        for counter in path_of(leaf):
            if self.units[counter] != unit:
                continue
            if unit == "visitors":
                fresh = [visitor for visitor in _texts(visitors) if not self._again(counter, "visitor", visitor)]
            elif keys is not None:
                fresh = [key for key in _texts(keys) if not self._again(counter, leaf, "key", key)]
            else:
                fresh = [None] * entries
            self.vectors[counter][partition] += len(fresh) * (times if unit == "visits" else 1)

    def values(self) -> dict[str, int]:
        return {name: sum(self.vectors[name]) for name in self.units}


def _texts(packed: bytes) -> list[str]:
    texts: list[str] = msgspec.msgpack.decode(packed)
    return texts


class Requests:
    """Visits as clients sent them, each once however often it was sent."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = defaultdict(int)
        self.visitors: dict[str, set[str]] = defaultdict(set)
        self._keys: set[tuple[str, str]] = set()

    def take(self, visits: Iterable[Visit]) -> None:
        for visit in visits:
            if visit.key is not None:
                if (visit.counter, visit.key) in self._keys:
                    continue
                self._keys.add((visit.counter, visit.key))
            for counter in path_of(visit.counter):
                self.counts[counter] += visit.count
                if visit.visitor is not None:
                    self.visitors[counter].add(visit.visitor)

    def value(self, counter: str, unit: str) -> int:
        return self.counts[counter] if unit == "visits" else len(self.visitors[counter])


class Oracle:
    """The log's truth, and what clients know: all that was acknowledged is in it, and nothing that was not sent."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.truth = Truth(partitions)
        self._attempted = Requests()
        self._acknowledged = Requests()
        self._receipts: set[str] = set()

    def attempted(self, pairs: list[tuple[Definition, Visit]]) -> None:
        self._attempted.take(visit for _, visit in pairs)

    def ingested(self, source: str, start: int, visits: list[Visit], whole: bool) -> None:
        """Visits of a source were sent; at the end, ``whole``: all of it must have been counted."""
        placed = [structs.replace(visit, key=f"{source} {start + at}") for at, visit in enumerate(visits)]
        (self._acknowledged if whole else self._attempted).take(placed)

    def acknowledged(self, pairs: list[tuple[Definition, Visit]], receipts: list[str]) -> None:
        assert len(receipts) == len(pairs), "a receipt for each visit"
        assert len(set(receipts)) == len(receipts), "receipts differ"
        assert not self._receipts & set(receipts), "no receipt is given twice"
        self._receipts.update(receipts)
        self._acknowledged.take(visit for _, visit in pairs)

    def rewind(self, messages: list[Message]) -> None:
        """The log has lost its tail: the truth is what is left."""
        self.truth = Truth(self.partitions, rewound=True)
        for message in messages:
            self.truth.take(message)

    def check_bounds(self) -> None:
        """Invariant 1, from the clients' side."""
        for counter, value in self.truth.values().items():
            unit = self.truth.units[counter]
            least, most = self._acknowledged.value(counter, unit), self._attempted.value(counter, unit)
            assert least <= value <= most, f"{counter}: {value} in the log, {least} acknowledged, {most} sent"
