"""What clients know: all that was acknowledged is in the log's truth, and nothing that was not sent."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from msgspec import structs

from footfall.core.visit import Visit
from footfall.log.protocol import Message

from .exactness import ExactHistory
from .truth import RECEIPT_KEY_LENGTH_MIN, Truth, path_of

LATER = 1 << 60


class Requests:
    """Visits as clients sent them, each once however often it was sent."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = defaultdict(int)
        self.visitors: dict[str, set[str]] = defaultdict(set)
        self.imported: dict[str, int] = defaultdict(int)
        self._keys: set[tuple[str, str]] = set()
        self._most: dict[tuple[str, str], int] = defaultdict(int)  # of one source it is one attempt that counts

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

    def take_import(self, counters: Iterable[str], value: int, source: str) -> None:
        for counter in counters:
            self.imported[counter] += max(value - self._most[counter, source], 0)
            self._most[counter, source] = max(value, self._most[counter, source])

    def value(self, counter: str, unit: str | None) -> int:
        if unit is None:
            return 0
        return self.imported[counter] + (self.counts[counter] if unit == "visits" else len(self.visitors[counter]))


class Acknowledged(NamedTuple):
    """A visit that a client knows to be stored; times are ``Oracle.now``."""

    visit: Visit
    sent: int
    told: int


class Oracle:
    """The log's truth, and what clients know."""

    def __init__(self, partitions: int, secret: bytes) -> None:
        self.partitions = partitions
        self.now = 0  # the order of what clients see
        self.truth = Truth(partitions, secret)
        self.exact = ExactHistory(self)
        self.receipts: dict[str, Acknowledged] = {}  # each that was given, as the client got it
        self._secret = secret
        self._attempted = Requests()
        self._acknowledged = Requests()  # by the log
        self._safe = Requests()  # by the log, or kept by a node until it has them
        self._first_sent: dict[str, int] = {}  # keys that are receipts
        self._claimed: dict[tuple[str, int], str] = {}

    def tick(self) -> int:
        self.now += 1
        return self.now

    def bounds(self, counter: str) -> tuple[int, int]:
        """(acknowledged, attempted) visits of a counter by now."""
        unit = self.truth.units.get(counter)
        return self._acknowledged.value(counter, unit), self._attempted.value(counter, unit)

    def attempted(self, visits: list[Visit]) -> int:
        """Visits are sent; returns when."""
        self._attempted.take(visits)
        for visit in visits:
            if visit.key is not None and len(visit.key) >= RECEIPT_KEY_LENGTH_MIN:
                self._first_sent.setdefault(visit.key, self.now + 1)
        return self.tick()

    def ingested(self, source: str, start: int, visits: list[Visit], whole: bool) -> None:
        """Visits of a source were sent; at the end, ``whole``: all of it must have been counted."""
        placed = [structs.replace(visit, key=f"{source} {start + at}") for at, visit in enumerate(visits)]
        for requests in (self._acknowledged, self._safe) if whole else (self._attempted,):
            requests.take(placed)

    def imported(self, counter: str, value: int, source: str, done: bool) -> None:
        """A prior count is sent, or, ``done``, was taken over."""
        units = self.truth.units
        same = [name for name in path_of(counter) if units.get(name) == units.get(counter)]
        for requests in (self._acknowledged, self._safe) if done else (self._attempted,):
            requests.take_import(same, value, source)

    def acknowledged(self, visits: list[Visit], receipts: list[str], sent: int, kept: bool = False) -> None:
        """Visits were stored in the log; or, ``kept``, by a node: their place in the order comes at any time later."""
        assert len(receipts) == len(visits), "a receipt for each visit"
        for visit, receipt in zip(visits, receipts, strict=True):
            if receipt in self._first_sent:
                sent = self._first_sent[receipt]
                self.receipts.setdefault(receipt, Acknowledged(visit, sent, LATER if kept else self.now + 1))
                assert self.receipts[receipt].visit == visit, "a key is a receipt for the one who sent it"
                continue
            assert receipt not in self.receipts, "no receipt is given twice"
            self.receipts[receipt] = Acknowledged(visit, sent, LATER if kept else self.now + 1)
        self._safe.take(visits)
        if not kept:
            self._acknowledged.take(visits)
        self.tick()

    def rewind(self, messages: list[Message]) -> None:
        """The log has lost its tail: the truth is what is left."""
        self.truth = Truth(self.partitions, self._secret, rewound=True)
        for message in messages:
            self.truth.take(message)

    def claimed(self, counter: str, n: int, receipt: str, claim: str) -> None:
        """A claim was granted: it showed the winner's receipt, and none was before, but for the same claim."""
        place = self.truth.winners.expected(counter, n)
        assert place is not None, f"{n} of {counter} was claimed before it was reached"
        assert place.receipt in (receipt, *receipt.split(".")), f"{n} of {counter} was claimed by another's receipt"
        assert self._claimed.setdefault((counter, n), claim) == claim, f"{n} of {counter} was claimed twice"

    def winning_receipt(self, counter: str, n: int) -> str | None:
        """The winner's receipt, as its client got it; None if the client has got none."""
        place = self.truth.winners.expected(counter, n)
        if place is None:
            return None
        return next((text for text in self.receipts if place.receipt in (text, *text.split("."))), None)

    def check_bounds(self) -> None:
        """Invariant 1, from the clients' side."""
        for counter, value in self.truth.values().items():
            least, most = self._safe.value(counter, self.truth.units.get(counter)), self.bounds(counter)[1]
            assert least <= value <= most, f"{counter}: {value} in the log, {least} acknowledged, {most} sent"

    def check_winners(self) -> None:
        """Invariant 6: what the log tells of milestones is what its visits give, and receipts are their senders'."""
        assert not self.truth.winners.wrong, self.truth.winners.wrong
        for receipt, known in self.receipts.items():
            for part in (receipt,) if receipt in self.truth.places else receipt.split("."):
                assert part in self.truth.places, (
                    f"{known.visit} was acknowledged with {receipt}, and is not in the log"
                )
                place = self.truth.places[part]
                assert place.visitor == known.visit.visitor, f"the receipt of {known.visit} is another's: {place}"

    def check_order(self) -> None:
        """Invariant 6: a visit that was acknowledged before another was sent does not come after it."""
        standing = []
        for receipt, known in self.receipts.items():
            parts = (receipt,) if receipt in self.truth.places else receipt.split(".")
            standing += [(self.truth.places[part], known) for part in parts]
        latest = 0  # of the visits up to here, when the last was sent
        for place, known in sorted(standing, key=lambda one: one[0][:2]):
            assert known.told >= latest, f"{known} at {place} comes after a visit sent at {latest}"
            latest = max(latest, known.sent)
