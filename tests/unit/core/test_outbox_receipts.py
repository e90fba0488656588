"""Each visit is answered with its own receipt, and each chunk of a source counts as a whole."""

from collections import defaultdict
from typing import Any

from core_laws import law
from core_logs import home
from core_outbox import (
    PARTITIONS,
    REQUESTS,
    SECRET,
    SMALL,
    VISIT,
    all_of,
    contents,
    entries_of,
    everything,
    expected,
    folded,
    pairs_of,
    shown,
    take,
)
from core_patches import patched
from hypothesis import strategies as st

from footfall.core import sealing as module
from footfall.core.batch import Chunk, decode
from footfall.core.outbox import Outbox
from footfall.core.sealing import Sealed
from footfall.core.visit import Visit

# --- receipts ---


@law(REQUESTS, st.booleans(), st.booleans())
def test_each_visit_has_its_own_receipt_which_names_its_place_in_the_log(
    requests: list[Any], hashed: bool, small: bool
) -> None:
    with patched(module, **(SMALL if small else {})):
        outbox = Outbox("p", 0, PARTITIONS, hashed)
        lists, singles = take(outbox, requests)
        flush = outbox.seal(1)
    if flush is None:
        return
    entries = everything(flush.lanes)
    told = [*flush.requests(SECRET), *((waiter, [receipt]) for waiter, receipt in flush.singles(SECRET))]
    assert sorted(waiter for waiter, _ in told) == sorted([*lists, *singles])
    places = []
    for waiter, receipts in told:
        pairs = (lists | singles)[waiter]
        assert len(receipts) == len(pairs)
        for (definition, visit), receipt in zip(pairs, receipts, strict=True):
            if shown(visit.key):
                assert receipt == visit.key
                continue
            parts = receipt.split(".")
            assert len(parts) == bool(definition.visits) + bool(definition.visitors)
            places += parts
            if definition.visits:
                entry = entries[parts.pop(0)]
                assert (entry.unit, entry.leaf, entry.visitor) == ("visits", visit.counter, visit.visitor)
                assert (entry.key, entry.times) == (visit.key, visit.count)
            if definition.visitors:
                entry = entries[parts.pop(0)]
                assert (entry.unit, entry.leaf, entry.visitor) == ("visitors", visit.counter, visit.visitor)
                assert (entry.key, entry.times) == (None, 1)
    assert len(set(places)) == len(places) == sum(not shown(entry.key) for entry in entries.values())


@law(REQUESTS, st.booleans())
def test_a_key_that_is_a_receipt_stands_in_the_log_wherever_its_visit_does(requests: list[Any], hashed: bool) -> None:
    outbox = Outbox("p", 0, PARTITIONS, hashed)
    pairs = all_of(*take(outbox, requests))
    flush = outbox.seal(1)
    entries = everything(flush.lanes).values() if flush else []
    keyed = [definition for definition, visit in pairs if shown(visit.key)]
    assert sum(bool(shown(entry.key)) for entry in entries) == sum(
        bool(definition.visits) + bool(definition.visitors) for definition in keyed
    )
    assert all(entry.unit == "visits" or entry.key == shown(entry.key) for entry in entries)


def test_receipts_depend_on_the_secret_producer_partition_and_sequence() -> None:
    sealed = Sealed(1, 2, 3, b"", "p")
    others = [
        sealed,
        sealed._replace(partition=2),
        sealed._replace(sequence=3),
        sealed._replace(producer="q"),
        sealed._replace(partition=12, sequence=0),
        sealed._replace(producer="p\0001", partition=2),
    ]
    texts = [other.receipts(SECRET) for other in others] + [sealed.receipts(SECRET + b"!"), sealed.receipts(b"")]
    assert {len(text) for text in texts} == {3 * 32}
    assert len({text[at : at + 32] for text in texts for at in (0, 32, 64)}) == 3 * len(texts)


def test_a_secret_that_ends_as_a_name_begins_gives_other_receipts() -> None:
    assert Sealed(1, 2, 1, b"", "xp").receipts(b"s") != Sealed(1, 2, 1, b"", "p").receipts(b"sx")


def test_the_receipts_of_a_place_stay_what_they_are() -> None:
    assert Sealed(1, 2, 2, b"", "a1").receipts(b"secret") == (
        "6a15dc9d74c3d73fb70f1ce0bc196d3a1f82371e5a01e8f4fbd1e44ee2f8905b"
    )


# --- chunks of sources ---


@law(st.lists(VISIT, max_size=12), st.integers(0, PARTITIONS - 1), st.booleans())
def test_a_chunks_visits_are_one_message_and_its_visitors_come_before_it(
    visits: list[Visit], partition: int, hashed: bool
) -> None:
    visits = [visit for visit in visits if visit.key is None]
    pairs = pairs_of(visits)
    outbox = Outbox("p", 5, PARTITIONS, hashed)
    take(outbox, [Visit("plain", "gathered")])
    with patched(module, **SMALL):
        lanes, last = outbox.seal_chunk(partition, Chunk("s", 10, 20), pairs)
    before = [sealed for lane in lanes for sealed in lane]
    assert contents([entry for sealed in before for entry in entries_of(sealed)], "visitors") == expected(
        pairs, "visitors"
    )
    assert contents(entries_of(last), "visits") == expected(pairs, "visits")
    assert {entry.unit for entry in entries_of(last)} <= {"visits"}
    assert all(entry.unit == "visitors" for sealed in before for entry in entries_of(sealed))
    assert all(decode(sealed.data).chunk is None for sealed in before)
    assert last.partition == partition
    assert decode(last.data).chunk == Chunk("s", 10, 20)
    assert len({lane[0].partition for lane in lanes}) == len(lanes)
    sequences: dict[int, list[int]] = defaultdict(list)
    for sealed in [*before, last]:
        sequences[sealed.partition].append(sealed.sequence)
    assert all(found == list(range(1, len(found) + 1)) for found in sequences.values())
    assert outbox.visits == 1  # what is gathered is not touched


def test_a_chunk_counts_as_a_whole_whatever_its_visitors() -> None:
    source = next(f"s{at}" for at in range(99) if home(f"s{at}", PARTITIONS) == 2)
    visits = [Visit(name, f"v{at}", count=1 + at % 2) for at in range(40) for name in ("plain.leaf", "mixed.leaf")]
    outbox = Outbox("p", 0, PARTITIONS, hashed=True)
    lanes, last = outbox.seal_chunk(2, Chunk(source, 0, 9), pairs_of([*visits, Visit("plain")]))
    folds = folded(PARTITIONS, [*(sealed for lane in lanes for sealed in lane), last])
    assert folds.alarms == []
    assert {name: folds.value(name) for name in ("plain", "plain.leaf", "mixed", "mixed.leaf")} == {
        "plain": 61,
        "plain.leaf": 60,
        "mixed": 40,
        "mixed.leaf": 60,
    }
    assert folds.entries("plain") == [0, 0, 61, 0]
    assert len(decode(last.data).sections) == 5  # of each leaf and count one, wherever the visitors belong


def test_an_empty_chunk_moves_its_source_on() -> None:
    lanes, last = Outbox("p", 0, 1, hashed=False).seal_chunk(0, Chunk("s", 0, 9), [])
    assert lanes == []
    assert last.entries == 0
    assert folded(1, [last]).partitions[0].sources == {"s": 9}
