"""A producer's decisions: what it has taken, which partition each visit goes to, and which receipt answers it. No I/O.

Visits are gathered into lots; ``sealing`` makes messages of these.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

from footfall.core.batch import Chunk
from footfall.core.definitions import Definition
from footfall.core.names import Unit
from footfall.core.receipts import JOINT, RECEIPT_LENGTH, is_receipt
from footfall.core.routing import partition_of
from footfall.core.sealing import ENTRY_BYTES, Lot, Sealed, Sealer, add_pending, pending_in
from footfall.core.visit import Visit

LOCAL = -1  # "whichever partition this flush goes to"


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
                keys = lot.keys
                for entry, waiter in enumerate(lot.waiters[place.first : place.stop], place.first):
                    own = None if keys is None else keys[entry]
                    yield waiter, own if own is not None and is_receipt(own) else text[start : start + width]
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

    Attributes:
        sealer: The producer's id, and its messages' numbers. Another one may take its place between two flushes.
        visits: How many are gathered.
        size: Their bytes, about.
    """

    def __init__(self, producer: str, born: int, partitions: int, hashed: bool) -> None:
        self.sealer = Sealer(producer, born, partitions)
        self.partitions = partitions
        self.hashed = hashed  # topology `sharded`: plain visits go to hash(visitor), not to the flush's own partition
        self.visits = self.size = 0
        self._lots: dict[tuple[int, str, Unit, bool, bool, int], Lot] = {}
        self._singles: dict[tuple[str, bool, bool, int], Lot] = {}  # the hot path's: each visit with its own waiter
        self._tickets: list[Ticket] = []
        self._spread = 0

    def add_single(self, leaf: Definition, visitor: str | None, waiter: Any, key: str | None = None) -> None:
        """Take one visit to a counter whose path has one unit only; in ``visitors`` it names one."""
        self.visits += 1
        self.size += ENTRY_BYTES + len(visitor or "") + len(key or "")
        if leaf.visitors:
            assert visitor is not None
            assert not leaf.visits
            partition = partition_of(visitor, self.partitions)
            key = _shown(key)
        else:
            partition = self._route(visitor, key) if self.hashed or key is not None else LOCAL
        kind = (leaf.name, visitor is not None, key is not None, partition)
        lot = self._singles.get(kind)
        if lot is None:
            unit = Unit.VISITORS if leaf.visitors else Unit.VISITS
            lot = self._singles[kind] = Lot(leaf, unit, visitor is not None, key is not None, 1)
        lot.add(visitor, key)
        lot.waiters.append(waiter)

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
            place = self._put(partition_of(visitor, self.partitions), leaf, Unit.VISITORS, visitor, _shown(key), 1)
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

    def add_pending(self, found: dict[int, int]) -> None:
        """Add how many visits are gathered here to those counters that are in ``found``."""
        add_pending(found, self._singles.values())
        add_pending(found, self._lots.values())

    def seal(self, local: int) -> Flush | None:
        """End the gathering; what comes now gathers anew. None if there was nothing.

        Args:
            local: The partition for visits that may go to any.
        """
        if not self.visits:
            return None
        by_partition: dict[int, list[Lot]] = {}
        placed = [(kind[-1], lot) for kind, lot in self._singles.items()]
        for partition, lot in placed + [(kind[0], lot) for kind, lot in self._lots.items()]:
            by_partition.setdefault(local if partition == LOCAL else partition, []).append(lot)
        lanes = [self.sealer.lane(partition, lots) for partition, lots in by_partition.items()]
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
        gathered = Outbox(self.sealer.producer, self.sealer.born, self.partitions, hashed=False)
        gathered.add(visits, None)
        before: dict[int, list[Lot]] = {}
        sections = []
        for (target, *_), lot in gathered._lots.items():
            if lot.unit is Unit.VISITORS:
                before.setdefault(target, []).append(lot)
            else:
                sections += [section for _, section in lot.sections()]
        lanes = [self.sealer.lane(target, lots) for target, lots in before.items()]
        return lanes, self.sealer.message(partition, sections, chunk)


def _shown(key: str | None) -> str | None:
    """What is kept of the key of a distinct visitor: a set needs no keys, so only a receipt is worth its bytes."""
    return key if is_receipt(key) else None


def _kind(pair: tuple[Definition, Visit]) -> tuple[Definition, bool, bool, int]:
    """In what plain visits must not differ, to be placed together."""
    leaf, visit = pair
    return leaf, visit.visitor is not None, visit.key is not None, visit.count
