"""The receipt that a winner is committed to is the one that the visit was answered with."""

from collections import Counter
from typing import Any

from core_judges import SECRET, Book
from core_laws import law
from core_logs import Message
from core_outbox import PARTITIONS, UNITS, messages, pairs_of
from core_patches import patched
from hypothesis import strategies as st

from footfall.core import sealing as module
from footfall.core.judge import Crossing
from footfall.core.outbox import Outbox
from footfall.core.receipts import opens
from footfall.core.visit import Visit

NAMES = [name for name, _ in UNITS]
KINDS = st.tuples(st.sampled_from(NAMES), st.sampled_from(["none", "short", "long"]), st.sampled_from([1, 1, 2]))
REQUESTS = st.lists(
    st.lists(KINDS, min_size=1, max_size=5) | st.sampled_from(["none", "short", "long"]), min_size=1, max_size=6
)
SMALL = {"MESSAGE_BYTES_GOAL": 60, "SECTION_BYTES_MAX": 120}


def key_of(kind: str, visit: str) -> str | None:
    return {"none": None, "short": f"k{visit}", "long": f"a key of 22 characters: {visit}"}[kind]


def answered(outbox: Outbox, requests: list[Any], local: int) -> tuple[dict[str, str], list[Message]]:
    """By visitor, all of them different, the receipts that were handed out; and the log's messages."""
    asked: dict[int, list[str]] = {}
    for waiter, request in enumerate(requests):
        if isinstance(request, str):  # a single visit
            asked[waiter] = [f"single{waiter}"]
            ((leaf, visit),) = pairs_of([Visit("plain.leaf", f"single{waiter}", key_of(request, f"{waiter}"))])
            outbox.add_single(leaf, visit.visitor, waiter, visit.key)
            continue
        visits = [
            Visit(name, f"v{waiter}.{at}", key_of(key, f"{waiter}.{at}"), count)
            for at, (name, key, count) in enumerate(request)
        ]
        asked[waiter] = [visit.visitor or "" for visit in visits]
        outbox.add(pairs_of(visits), waiter)
    flush = outbox.seal(local)
    assert flush is not None
    told = [*flush.requests(SECRET), *((waiter, [receipt]) for waiter, receipt in flush.singles(SECRET))]
    handed = {visitor: receipt for waiter, some in told for visitor, receipt in zip(asked[waiter], some, strict=True)}
    return handed, [Message(sealed.partition, sealed.data) for sealed in messages(flush)]


def all_crossings(log: list[Message]) -> dict[str, list[Crossing]]:
    """Of every counter, who was the first, the second, and so on."""
    book = Book(PARTITIONS)
    book.define(*UNITS)
    for name in NAMES:
        book.wish(name, *range(1, 61))
    book.take_all(log)
    found = {name: book.won(name) for name in NAMES}
    assert {name: len(crossings) for name, crossings in found.items()} == {name: book.value(name) for name in NAMES}
    return found


@law(REQUESTS, st.booleans(), st.integers(0, PARTITIONS - 1), st.booleans(), examples=30)
def test_whoever_wins_holds_the_receipt_and_nobody_else_does(
    requests: list[Any], hashed: bool, local: int, small: bool
) -> None:
    with patched(module, **(SMALL if small else {})):
        handed, log = answered(Outbox("p", 0, PARTITIONS, hashed), requests, local)
    assert len(set(handed.values())) == len(handed)
    for crossings in all_crossings(log).values():
        for crossing in crossings:
            winner = crossing.winner(SECRET, 7)
            assert (winner.visitor, winner.time_ns) == (crossing.visitor, 7)
            holders = [visitor for visitor, receipt in handed.items() if opens(receipt, winner.receipt_sha256)]
            assert holders == [winner.visitor]


def test_visits_by_nobody_have_receipts_too() -> None:
    outbox = Outbox("p", 0, PARTITIONS, hashed=True)
    outbox.add(pairs_of([Visit("plain")] * 9), "all")
    flush = outbox.seal(0)
    assert flush is not None
    ((_, handed),) = flush.requests(SECRET)
    crossings = all_crossings([Message(sealed.partition, sealed.data) for sealed in messages(flush)])["plain"]
    opened = Counter(
        receipt for receipt in handed for one in crossings if opens(receipt, one.winner(SECRET, 0).receipt_sha256)
    )
    assert opened == Counter(handed)


def test_a_visit_that_counts_in_both_units_may_win_in_both_with_the_one_receipt() -> None:
    handed, log = answered(Outbox("p", 0, PARTITIONS, hashed=False), [[("mixed.leaf", "short", 1)]], 0)
    crossings = all_crossings(log)
    (people,), (visits,) = crossings["mixed"], crossings["mixed.leaf"]
    assert handed["v0.0"] == f"{visits.receipt(SECRET)}.{people.receipt(SECRET)}"


def test_a_long_key_is_the_receipt_wherever_its_visit_wins_and_under_any_secret() -> None:
    _, log = answered(Outbox("p", 0, PARTITIONS, hashed=False), [[("mixed.leaf", "long", 1)]], 0)
    crossings = all_crossings(log)
    for secret in (SECRET, b"another"):
        for name in ("mixed", "mixed.leaf"):
            assert crossings[name][0].receipt(secret) == "a key of 22 characters: 0.0"
