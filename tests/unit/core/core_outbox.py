"""What an outbox's messages say, read back without the core: each entry, and the receipt that belongs to it."""

from collections import Counter
from collections.abc import Iterable
from functools import cache
from hashlib import shake_128
from typing import Any, NamedTuple

import msgspec
from core_logs import Folds, Message
from hypothesis import strategies as st

from footfall.core.definitions import Definition, Definitions
from footfall.core.outbox import Flush, Outbox
from footfall.core.sealing import Sealed
from footfall.core.visit import Visit

SECRET = b"the cluster's secret"
UNITS = (
    ("plain", "visits"),
    ("plain.leaf", "visits"),
    ("people", "visitors"),
    ("people.leaf", "visitors"),
    ("mixed", "visitors"),
    ("mixed.leaf", "visits"),
)
PARTITIONS = 4
NAMED = st.sampled_from(["x", "y", "z", "ü" * 9, "v" * 60])
KEY = st.none() | st.sampled_from(["k", "l", "key" * 20])
COUNT = st.sampled_from([1, 1, 1, 2, 10**9])
VISIT = st.builds(Visit, st.sampled_from(["plain", "plain.leaf"]), st.none() | NAMED, KEY, COUNT) | st.builds(
    Visit, st.sampled_from(["people", "people.leaf", "mixed", "mixed.leaf"]), NAMED, KEY, COUNT
)
SINGLE = st.builds(Visit, st.sampled_from(["plain", "plain.leaf"]), st.none() | NAMED, KEY) | st.builds(
    Visit, st.sampled_from(["people", "people.leaf"]), NAMED, KEY
)
REQUESTS = st.lists(st.lists(VISIT, max_size=6) | SINGLE, min_size=1, max_size=12)
SMALL = {"MESSAGE_BYTES_GOAL": 60, "SECTION_BYTES_MAX": 120}
Pairs = list[tuple[Definition, Visit]]


class Entry(NamedTuple):
    """One entry of a section of visits or of visitors."""

    partition: int
    leaf: str
    unit: str
    visitor: str | None
    key: str | None
    times: int


@cache
def definitions() -> Definitions:
    folds = Folds()
    folds.define(*UNITS)
    return folds.definitions


def pairs_of(visits: Iterable[Visit]) -> Pairs:
    """Visits with their counters' definitions."""
    found = definitions()
    return [(definition, visit) for visit in visits if (definition := found.find(visit.counter))]


def entries_of(sealed: Sealed) -> list[Entry]:
    """The entries of a message, in order."""
    tag, producer, _born, sequence, sections, _chunk = msgspec.msgpack.decode(sealed.data)
    assert (tag, producer, sequence) == ("batch/1", sealed.producer, sealed.sequence)
    found = []
    for leaf, unit, entries, visitors, keys, times in sections:
        named = [None] * entries if visitors is None else msgspec.msgpack.decode(visitors)
        keyed = [None] * entries if keys is None else msgspec.msgpack.decode(keys)
        for visitor, key in zip(named, keyed, strict=True):
            found.append(Entry(sealed.partition, leaf, unit, visitor, key, times))
    assert len(found) == sealed.entries
    return found


def receipts_of(sealed: Sealed, secret: bytes = SECRET) -> list[str]:
    """One receipt an entry, as the design describes them: a keyed hash of producer, partition, sequence and index."""
    whole = shake_128(
        bytes([0, len(secret)]) + secret + f"{sealed.producer}\0{sealed.partition}\0{sealed.sequence}".encode()
    ).digest(16 * sealed.entries)
    return [whole[16 * index : 16 * index + 16].hex() for index in range(sealed.entries)]


def everything(lanes: Iterable[Iterable[Sealed]]) -> dict[str, Entry]:
    """All entries by the receipts of their places, which differ."""
    found = {}
    for lane in lanes:
        for sealed in lane:
            for receipt, entry in zip(receipts_of(sealed), entries_of(sealed), strict=True):
                assert receipt not in found
                found[receipt] = entry
    return found


def shown(key: str | None) -> str | None:
    """The key of a section of visitors: only one that is a receipt is there."""
    return key if key is not None and len(key) >= 22 else None


def expected(pairs: Pairs, unit: str) -> Counter[tuple[object, ...]]:
    """What must be in the sections of a unit: (leaf, visitor, key, times)."""
    units = dict(UNITS)
    found: Counter[tuple[object, ...]] = Counter()
    for definition, visit in pairs:
        parts = definition.name.split(".")
        path = {units[".".join(parts[: depth + 1])] for depth in range(len(parts))}
        if unit in path:
            rest = (visit.key, visit.count) if unit == "visits" else (shown(visit.key), 1)
            found[definition.name, visit.visitor, *rest] += 1
    return found


def folded(partitions: int, messages: Iterable[Sealed]) -> Folds:
    """The counts of a log that holds the definitions and these messages."""
    folds = Folds(partitions)
    folds.define(*UNITS)
    for sealed in messages:
        folds.take(Message(sealed.partition, sealed.data))
    return folds


def take(outbox: Outbox, requests: list[Any], first: int = 0) -> tuple[dict[int, Pairs], dict[int, Pairs]]:
    """Give requests and single visits to an outbox; returns both by their waiters, which are numbers."""
    lists: dict[int, Pairs] = {}
    singles: dict[int, Pairs] = {}
    for waiter, request in enumerate(requests, first):
        if isinstance(request, Visit):
            singles[waiter] = pairs_of([request])
            outbox.add_single(singles[waiter][0][0], request.visitor, waiter, request.key)
        else:
            lists[waiter] = pairs_of(request)
            outbox.add(lists[waiter], waiter)
    return lists, singles


def all_of(*requests: dict[int, Pairs]) -> Pairs:
    return [pair for some in requests for pairs in some.values() for pair in pairs]


def contents(entries: list[Entry], unit: str) -> Counter[tuple[object, ...]]:
    return Counter((entry.leaf, entry.visitor, entry.key, entry.times) for entry in entries if entry.unit == unit)


def messages(flush: Flush) -> list[Sealed]:
    """All messages of a flush."""
    return [sealed for lane in flush.lanes for sealed in lane]
