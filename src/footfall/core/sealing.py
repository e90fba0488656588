"""From lots of alike visits to a producer's messages: what goes into which, in which order, under which sequence."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from footfall.core.batch import Batch, Chunk, Section, encode, pack
from footfall.core.definitions import Definition
from footfall.core.names import Unit
from footfall.core.receipts import receipts

MESSAGE_BYTES_GOAL = 256_000  # a larger message waits longer for its fsync than it saves
SECTION_BYTES_MAX = 2 * MESSAGE_BYTES_GOAL  # so that a message, a section over its goal, stays below the log's limit
ENTRY_BYTES = 6  # of an entry beside its visitor and key, at most


class Sealed(NamedTuple):
    """A message, final: the same bytes are published until they are acknowledged."""

    partition: int
    sequence: int
    entries: int
    data: bytes
    producer: str

    def receipts(self, secret: bytes) -> str:
        """One receipt an entry, in one text."""
        return receipts(secret, self.producer, self.partition, self.sequence, self.entries)


class Place(NamedTuple):
    """Where entries of a lot went: ``first`` to ``stop`` (excluded) stand from ``offset`` on in the message."""

    first: int
    stop: int
    offset: int
    sealed: Sealed


class Lot:
    """Visits of one flush that differ in nothing but visitor and key: one section, or a few if they are many."""

    __slots__ = ("entries", "keys", "leaf", "places", "size", "times", "unit", "visitors", "waiters")

    def __init__(self, leaf: Definition, unit: Unit, named: bool, keyed: bool, times: int) -> None:
        self.leaf = leaf
        self.unit = unit
        self.times = times
        self.entries = 0
        self.size = 0  # bytes of visitors and keys
        self.visitors: list[str] | None = [] if named else None
        self.keys: list[str] | None = [] if keyed else None
        self.waiters: list[Any] = []  # of single visits: one an entry
        self.places: list[Place] = []  # once it is sealed

    def add(self, visitor: str | None, key: str | None) -> int:
        """Append an entry; returns its index."""
        if self.visitors is not None:
            self.visitors.append(visitor or "")
            self.size += len(visitor or "")
        if self.keys is not None:
            self.keys.append(key or "")
            self.size += len(key or "")
        self.entries += 1
        return self.entries - 1

    def extend(self, visitors: list[str]) -> None:
        """Append entries without keys; of visitors' texts only their number counts where the lot names none."""
        if self.visitors is not None:
            self.visitors += visitors
            self.size += sum(map(len, visitors))
        self.entries += len(visitors)

    def sections(self) -> Iterator[tuple[int, Section]]:
        """(first entry, section) for all entries, in order, each of about the size that is aimed at."""
        each = ENTRY_BYTES + self.size // self.entries if self.visitors or self.keys else 0
        step = max(MESSAGE_BYTES_GOAL // each, 1) if each else self.entries
        todo = [(start, min(start + step, self.entries)) for start in range(0, self.entries, step)][::-1]
        while todo:
            start, stop = todo.pop()
            section = self._section(start, stop)
            if _size(section) > SECTION_BYTES_MAX and stop - start > 1:  # longer visitors than the average promised
                middle = (start + stop) // 2
                todo += [(middle, stop), (start, middle)]
            else:
                yield start, section

    def _section(self, start: int, stop: int) -> Section:
        whole = stop - start == self.entries
        return Section(
            self.leaf.name,
            self.unit,
            stop - start,
            None if self.visitors is None else pack(self.visitors if whole else self.visitors[start:stop]),
            None if self.keys is None else pack(self.keys if whole else self.keys[start:stop]),
            self.times,
        )


class Sealer:
    """Numbers the messages of one producer's id: 1, 2, 3 ... in each partition. What it returns must be published.

    Attributes:
        producer: The id.
        born: The epoch in which it began.
        sequences: The last of each partition.
    """

    def __init__(self, producer: str, born: int, partitions: int) -> None:
        self.producer = producer
        self.born = born
        self.sequences = [0] * partitions

    def lane(self, partition: int, lots: Iterable[Lot]) -> list[Sealed]:
        """Messages of about the size that is aimed at, in order; of one lot at least."""
        lane: list[Sealed] = []
        sections: list[Section] = []
        places: list[tuple[Lot, int, int]] = []
        size = entries = 0
        for lot in lots:
            for first, section in lot.sections():
                section_bytes = _size(section) + len(lot.leaf.name) + ENTRY_BYTES
                if sections and size + section_bytes > MESSAGE_BYTES_GOAL:
                    lane.append(self._placed(partition, sections, places))
                    sections, places, size, entries = [], [], 0, 0
                places.append((lot, first, entries))
                sections.append(section)
                entries += section.entries
                size += section_bytes
        lane.append(self._placed(partition, sections, places))
        return lane

    def message(self, partition: int, sections: Sequence[Section], chunk: Chunk | None = None) -> Sealed:
        """The next message of a partition."""
        self.sequences[partition] += 1
        sequence = self.sequences[partition]
        batch = Batch("batch/1", self.producer, self.born, sequence, sections, chunk)
        return Sealed(partition, sequence, sum(section.entries for section in sections), encode(batch), self.producer)

    def _placed(self, partition: int, sections: list[Section], places: list[tuple[Lot, int, int]]) -> Sealed:
        sealed = self.message(partition, sections)
        for (lot, first, index), section in zip(places, sections, strict=True):
            lot.places.append(Place(first, first + section.entries, index, sealed))
        return sealed


def add_pending(found: dict[int, int], lots: Iterable[Lot]) -> None:
    """Add what is in some lots to those counters that are in ``found``: one pass for many counters."""
    for lot in lots:
        for number in lot.leaf.visits if lot.unit is Unit.VISITS else lot.leaf.visitors:
            if number in found:
                found[number] += lot.entries * lot.times


def pending_in(lots: Iterable[Lot], number: int) -> int:
    """How many visits to a counter are in some lots."""
    return sum(
        lot.entries * lot.times
        for lot in lots
        if number in (lot.leaf.visits if lot.unit is Unit.VISITS else lot.leaf.visitors)
    )


def _size(section: Section) -> int:
    return len(section.visitors or b"") + len(section.keys or b"")
