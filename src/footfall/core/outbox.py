"""A producer's decisions: which visits go into which message, in which order, under which sequence. No I/O."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

from footfall.core.batch import Batch, Chunk, Section, encode, pack
from footfall.core.definitions import Definition
from footfall.core.names import Unit
from footfall.core.receipts import JOINT, RECEIPT_LENGTH, is_receipt, receipts
from footfall.core.routing import partition_of
from footfall.core.visit import Visit

MESSAGE_BYTES_GOAL = 256_000  # a larger message waits longer for its fsync than it saves
SECTION_BYTES_MAX = 2 * MESSAGE_BYTES_GOAL  # so that a message, a section over its goal, stays below the log's limit
ENTRY_BYTES = 6  # of an entry beside its visitor and key, at most
LOCAL = -1  # "whichever partition this flush goes to"


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
        self.places: list[Place] = []

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
            size = len(section.visitors or b"") + len(section.keys or b"")
            if size > SECTION_BYTES_MAX and stop - start > 1:  # longer visitors than the average promised
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


class Run(NamedTuple):
    """Visits of one request that follow each other in a lot: entries ``first`` to ``stop`` (excluded).

    ``twin``: where one visit that counts in both units stands in the other.
    """

    lot: Lot
    first: int
    stop: int
    twin: "Run | None" = None


class Ticket(NamedTuple):
    """Where the visits of one request went, in their order, and whom to tell."""

    runs: list[Run]
    waiter: Any


class Flush(NamedTuple):
    """Visits that are stored together: per partition a lane of messages to be published one after the other.

    Lanes may be published side by side. When all are acknowledged, and not before, the waiters are told.
    """

    lanes: list[list[Sealed]]
    lots: list[Lot]
    tickets: list[Ticket]
    visits: int

    def singles(self, secret: bytes) -> Iterator[tuple[Any, str]]:
        """Each waiter of ``add_single`` with its receipt."""
        width = RECEIPT_LENGTH
        texts: dict[int, str] = {}
        for lot in self.lots:
            for place in lot.places if lot.waiters else ():
                text = texts.get(id(place.sealed))
                if text is None:
                    text = texts[id(place.sealed)] = place.sealed.receipts(secret)
                start = width * place.offset
                for waiter in lot.waiters[place.first : place.stop]:
                    yield waiter, text[start : start + width]
                    start += width

    def requests(self, secret: bytes) -> Iterator[tuple[Any, list[str]]]:
        """Each waiter of ``add`` with its receipts, one a visit."""
        if self.tickets:
            texts = {id(sealed): sealed.receipts(secret) for lane in self.lanes for sealed in lane}
            for ticket in self.tickets:
                yield ticket.waiter, [receipt for run in ticket.runs for receipt in self._receipts(run, texts)]

    def waiters(self) -> tuple[list[Any], list[Any]]:
        """Those of ``add_single`` and those of ``add``, to be told that it failed."""
        return [waiter for lot in self.lots for waiter in lot.waiters], [ticket.waiter for ticket in self.tickets]

    def _receipts(self, run: Run, texts: dict[int, str]) -> Iterator[str]:
        keys = run.lot.keys
        for place in run.lot.places:
            if place.stop > run.first and place.first < run.stop:
                text, shift = texts[id(place.sealed)], place.offset - place.first
                for entry in range(max(run.first, place.first), min(run.stop, place.stop)):
                    if keys is not None and is_receipt(keys[entry]):
                        yield keys[entry]
                        continue
                    at = RECEIPT_LENGTH * (entry + shift)
                    receipt = text[at : at + RECEIPT_LENGTH]
                    yield receipt if run.twin is None else JOINT.join((receipt, *self._receipts(run.twin, texts)))


class Outbox:
    """What a producer has taken and not yet stored.

    Visits gather here while the flush before them is being stored: group commit. Their order within a flush is
    free (none was acknowledged before another was sent), so equal ones share a section.
    """

    def __init__(self, producer: str, born: int, partitions: int, hashed: bool) -> None:
        self.producer = producer
        self.born = born
        self.partitions = partitions
        self.hashed = hashed  # topology `sharded`: plain visits go to hash(visitor), not to the flush's own partition
        self.sequences = [0] * partitions
        self.visits = 0  # gathered
        self.size = 0  # their bytes, about
        self._lots: dict[tuple[int, str, Unit, bool, bool, int], Lot] = {}
        self._singles: dict[tuple[str, bool, int], Lot] = {}  # the hot path's: each visit with its own waiter
        self._tickets: list[Ticket] = []
        self._spread = 0

    def add_single(self, leaf: Definition, visitor: str | None, waiter: Any) -> None:
        """Take one visit without a key to a counter whose path has one unit only; in ``visitors`` it names one."""
        if leaf.visitors:
            assert visitor is not None
            assert not leaf.visits
            partition = partition_of(visitor, self.partitions)
        else:
            partition = self._route(visitor, None) if self.hashed else LOCAL
        kind = (leaf.name, visitor is not None, partition)
        lot = self._singles.get(kind)
        if lot is None:
            unit = Unit.VISITORS if leaf.visitors else Unit.VISITS
            lot = self._singles[kind] = Lot(leaf, unit, visitor is not None, False, 1)
        lot.add(visitor, None)
        lot.waiters.append(waiter)
        self.visits += 1
        self.size += len(visitor or "") + ENTRY_BYTES

    def add(self, visits: Iterable[tuple[Definition, Visit]], waiter: Any) -> None:
        """Take the visits of one request; each counter's path decides which sections a visit goes to.

        A visit without a visitor must not have a counter in ``visitors`` on its path.
        """
        runs: list[Run] = []
        for (leaf, named, keyed, count), alike in groupby(visits, _kind):
            if keyed or leaf.visitors or self.hashed:  # each goes where its own key or visitor belongs
                runs += [self._place(leaf, visit) for _, visit in alike]
            else:
                runs.append(self._place_all(leaf, named, count, [visit.visitor or "" for _, visit in alike]))
        self._tickets.append(Ticket(runs, waiter))

    def _place_all(self, leaf: Definition, named: bool, count: int, visitors: list[str]) -> Run:
        """``_place`` of plain visits that differ in nothing but their visitors, at a tenth of the cost."""
        lot = self._lot(LOCAL, leaf, Unit.VISITS, named, False, count)
        first, size = lot.entries, lot.size
        lot.extend(visitors)
        self.visits += len(visitors)
        self.size += ENTRY_BYTES * len(visitors) + lot.size - size
        return Run(lot, first, lot.entries)

    def _place(self, leaf: Definition, visit: Visit) -> Run:
        place = None
        visitor, key = visit.visitor, visit.key
        self.visits += 1
        self.size += ENTRY_BYTES + len(visitor or "") + len(key or "")
        if leaf.visitors:
            assert visitor is not None
            shown = key if is_receipt(key) else None  # a set needs no keys: only a receipt is worth its bytes
            place = self._put(partition_of(visitor, self.partitions), leaf, Unit.VISITORS, visitor, shown, 1)
        if leaf.visits:
            place = self._put(self._route(visitor, key), leaf, Unit.VISITS, visitor, key, visit.count, place)
        assert place is not None
        return place

    def _route(self, visitor: str | None, key: str | None) -> int:
        if key is not None:
            return partition_of(key, self.partitions)
        if not self.hashed:
            return LOCAL
        if visitor is not None:
            return partition_of(visitor, self.partitions)
        self._spread = (self._spread + 1) % self.partitions
        return self._spread

    def _put(
        self,
        partition: int,
        leaf: Definition,
        unit: Unit,
        visitor: str | None,
        key: str | None,
        times: int,
        twin: Run | None = None,
    ) -> Run:
        lot = self._lot(partition, leaf, unit, visitor is not None, key is not None, times)
        entry = lot.add(visitor, key)
        return Run(lot, entry, entry + 1, twin)

    def _lot(self, partition: int, leaf: Definition, unit: Unit, named: bool, keyed: bool, times: int) -> Lot:
        kind = (partition, leaf.name, unit, named, keyed, times)
        lot = self._lots.get(kind)
        if lot is None:
            lot = self._lots[kind] = Lot(leaf, unit, named, keyed, times)
        return lot

    def pending(self, number: int) -> int:
        """How many visits to a counter are gathered here."""
        return pending_in(self._singles.values(), number) + pending_in(self._lots.values(), number)

    def seal(self, local: int) -> Flush | None:
        """End the gathering; what comes now gathers anew. None if there was nothing.

        Args:
            local: The partition for visits that may go to any.
        """
        if not self.visits:
            return None
        by_partition: dict[int, list[Lot]] = {}
        placed = [(kind[2], lot) for kind, lot in self._singles.items()]
        for partition, lot in placed + [(kind[0], lot) for kind, lot in self._lots.items()]:
            by_partition.setdefault(local if partition == LOCAL else partition, []).append(lot)
        lanes = [self._lane(partition, lots) for partition, lots in by_partition.items()]
        flush = Flush(lanes, [lot for lots in by_partition.values() for lot in lots], self._tickets, self.visits)
        self._clear()
        return flush

    def drop(self) -> Flush:
        """Give up what is gathered; nothing of it was or will be stored. Returns it, without messages."""
        dropped = Flush([], [*self._singles.values(), *self._lots.values()], self._tickets, self.visits)
        self._clear()
        return dropped

    def _clear(self) -> None:
        self._lots, self._singles, self._tickets, self.visits, self.size = {}, {}, [], 0, 0

    def seal_chunk(
        self, partition: int, chunk: Chunk, visits: Iterable[tuple[Definition, Visit]]
    ) -> tuple[list[list[Sealed]], Sealed]:
        """Messages for a source's chunk: lanes to be stored first, and the message that then makes it count.

        The visitors come first: a set takes them twice without harm. Then one message holds the chunk's position
        and all its ``visits``, whatever partition a visitor or key would choose, so that it counts as a whole.
        """
        gathered = Outbox(self.producer, self.born, self.partitions, hashed=False)
        gathered.add(visits, None)
        before: dict[int, list[Lot]] = {}
        sections = []
        for (target, *_), lot in gathered._lots.items():
            if lot.unit is Unit.VISITORS:
                before.setdefault(target, []).append(lot)
            else:
                sections += [section for _, section in lot.sections()]
        lanes = [self._lane(target, lots) for target, lots in before.items()]
        return lanes, self._sealed(partition, sections, chunk)

    def _lane(self, partition: int, lots: list[Lot]) -> list[Sealed]:
        """Messages of about the size that is aimed at, in order."""
        lane: list[Sealed] = []
        sections: list[Section] = []
        places: list[tuple[Lot, int, int]] = []
        size = entries = 0
        for lot in lots:
            for first, section in lot.sections():
                bytes_here = len(section.visitors or b"") + len(section.keys or b"") + len(lot.leaf.name) + ENTRY_BYTES
                if sections and size + bytes_here > MESSAGE_BYTES_GOAL:
                    lane.append(self._placed(partition, sections, places))
                    sections, places, size, entries = [], [], 0, 0
                places.append((lot, first, entries))
                sections.append(section)
                entries += section.entries
                size += bytes_here
        lane.append(self._placed(partition, sections, places))
        return lane

    def _placed(self, partition: int, sections: list[Section], places: list[tuple[Lot, int, int]]) -> Sealed:
        sealed = self._sealed(partition, sections, None)
        for (lot, first, index), section in zip(places, sections, strict=True):
            lot.places.append(Place(first, first + section.entries, index, sealed))
        return sealed

    def _sealed(self, partition: int, sections: list[Section], chunk: Chunk | None) -> Sealed:
        self.sequences[partition] += 1
        sequence = self.sequences[partition]
        batch = Batch("batch/1", self.producer, self.born, sequence, sections, chunk)
        return Sealed(partition, sequence, sum(section.entries for section in sections), encode(batch), self.producer)


def _kind(pair: tuple[Definition, Visit]) -> tuple[Definition, bool, bool, int]:
    """In what plain visits must not differ, to be placed together."""
    leaf, visit = pair
    return leaf, visit.visitor is not None, visit.key is not None, visit.count


def pending_in(lots: Iterable[Lot], number: int) -> int:
    """How many visits to a counter are in some lots."""
    return sum(
        lot.entries * lot.times
        for lot in lots
        if number in (lot.leaf.visits if lot.unit is Unit.VISITS else lot.leaf.visitors)
    )
