"""A producer's decisions: each visit in one place, in order, under the next sequence, with one receipt."""

from collections import defaultdict
from typing import Any

import pytest
from core_laws import law
from core_logs import home
from core_outbox import (
    PARTITIONS,
    REQUESTS,
    SMALL,
    Pairs,
    all_of,
    contents,
    entries_of,
    expected,
    folded,
    messages,
    pairs_of,
    take,
)
from core_patches import patched
from hypothesis import strategies as st

from footfall.core import sealing as module
from footfall.core.batch import decode
from footfall.core.outbox import Outbox
from footfall.core.sealing import Sealed, pending_in
from footfall.core.visit import Visit

# --- every visit in one place ---


@law(REQUESTS, st.booleans(), st.integers(0, PARTITIONS - 1), st.booleans())
def test_each_visit_lands_in_one_section_of_each_unit_on_its_path_where_it_belongs(
    requests: list[Any], hashed: bool, local: int, small: bool
) -> None:
    with patched(module, **(SMALL if small else {})):
        outbox = Outbox("p", 3, PARTITIONS, hashed)
        pairs = all_of(*take(outbox, requests))
        assert outbox.visits == len(pairs)
        flush = outbox.seal(local)
    if flush is None:
        assert pairs == []
        return
    assert flush.visits == len(pairs)
    entries = [entry for sealed in messages(flush) for entry in entries_of(sealed)]
    for unit in ("visits", "visitors"):
        assert contents(entries, unit) == expected(pairs, unit)
    for entry in entries:
        if entry.unit == "visitors":
            assert entry.partition == home(entry.visitor or "", PARTITIONS)
        elif entry.key is not None:
            assert entry.partition == home(entry.key, PARTITIONS)
        elif not hashed:
            assert entry.partition == local
        elif entry.visitor is not None:
            assert entry.partition == home(entry.visitor, PARTITIONS)


@law(REQUESTS, REQUESTS, st.booleans())
def test_the_fold_counts_what_was_taken_and_has_nothing_to_object_to(
    one: list[Any], two: list[Any], hashed: bool
) -> None:
    outbox = Outbox("p", 0, PARTITIONS, hashed)
    sent: list[Sealed] = []
    pairs: Pairs = []
    with patched(module, **SMALL):
        for requests in (one, two):
            pairs += all_of(*take(outbox, requests))
            flush = outbox.seal(1)
            sent += messages(flush) if flush else []
    folds = folded(PARTITIONS, sent)
    assert folds.alarms == []
    keys: set[tuple[str, str]] = set()
    values: dict[str, int] = defaultdict(int)
    seen: dict[str, set[str]] = defaultdict(set)
    for definition, visit in pairs:
        again = visit.key is not None and (visit.counter, visit.key) in keys
        keys |= {(visit.counter, visit.key)} if visit.key is not None else set()
        for number in definition.visits:
            values[folds.definitions.names[number]] += 0 if again else visit.count
        for number in definition.visitors:
            seen[folds.definitions.names[number]].add(visit.visitor or "")
    # Under one key, visits of several counts: which one comes first in the log, and counts, is free.
    if len({(v.counter, v.key) for _, v in pairs if v.key}) == len(
        {(v.counter, v.key, v.count) for _, v in pairs if v.key}
    ):
        assert {name: folds.value(name) for name in values} == values
    assert {name: folds.value(name) for name in seen} == {name: len(found) for name, found in seen.items()}


@law(st.lists(REQUESTS, min_size=1, max_size=4), st.booleans(), st.lists(st.integers(0, PARTITIONS - 1), min_size=4))
def test_each_partition_has_one_lane_of_sequences_without_a_gap_from_flush_to_flush(
    flushes: list[list[Any]], hashed: bool, locals_: list[int]
) -> None:
    outbox = Outbox("p", 7, PARTITIONS, hashed)
    last = [0] * PARTITIONS
    with patched(module, **SMALL):
        for requests, local in zip(flushes, locals_, strict=False):
            take(outbox, requests)
            flush = outbox.seal(local)
            lanes = flush.lanes if flush else []
            assert len({lane[0].partition for lane in lanes}) == len(lanes)
            for lane in lanes:
                assert lane
                for sealed in lane:
                    batch = decode(sealed.data)
                    assert (batch.producer, batch.born, batch.sequence) == ("p", 7, sealed.sequence)
                    assert batch.chunk is None
                    assert batch.sections
                    assert sealed.partition == lane[0].partition
                    assert sealed.sequence == last[sealed.partition] + 1
                    last[sealed.partition] = sealed.sequence
    assert outbox.sealer.sequences == last


def test_equal_visits_share_a_section() -> None:
    outbox = Outbox("p", 0, PARTITIONS, hashed=False)
    for waiter in range(3):
        outbox.add(pairs_of([Visit("plain", "x"), Visit("plain"), Visit("plain", "y", count=2)] * 2), waiter)
    flush = outbox.seal(2)
    assert flush is not None
    (sealed,) = messages(flush)
    assert [(section.entries, section.times) for section in decode(sealed.data).sections] == [(6, 1), (6, 1), (6, 2)]


def test_plain_visits_by_nobody_are_spread_over_the_partitions_when_hashed() -> None:
    outbox = Outbox("p", 0, PARTITIONS, hashed=True)
    for _ in range(2):
        outbox.add(pairs_of([Visit("plain")] * 6), None)
        flush = outbox.seal(0)
        assert flush is not None
    assert folded(PARTITIONS, messages(flush)).entries("plain") == [2, 1, 1, 2]  # on from where the first ended


def test_a_visit_to_a_counter_of_visitors_must_name_one() -> None:
    outbox = Outbox("p", 0, PARTITIONS, hashed=False)
    ((leaf, visit),) = pairs_of([Visit("people.leaf")])
    with pytest.raises(AssertionError):
        outbox.add([(leaf, visit)], None)
    with pytest.raises(AssertionError):
        outbox.add_single(leaf, None, None)


def test_a_visit_in_both_units_is_two_entries_and_cannot_be_taken_as_a_single_one() -> None:
    ((leaf, _),) = pairs_of([Visit("mixed.leaf")])
    with pytest.raises(AssertionError):
        Outbox("p", 0, PARTITIONS, hashed=False).add_single(leaf, "x", None)


# --- giving up ---


@law(REQUESTS, st.booleans())
def test_what_is_dropped_is_told_of_and_leaves_no_gap(requests: list[Any], hashed: bool) -> None:
    outbox = Outbox("p", 0, PARTITIONS, hashed)
    lists, singles = take(outbox, requests)
    dropped = outbox.drop()
    assert dropped.lanes == []
    assert dropped.visits == len(all_of(lists, singles))
    alone, together = dropped.waiters()
    assert sorted(alone) == sorted(singles)
    assert sorted(together) == sorted(lists)
    assert outbox.seal(0) is None
    assert (outbox.visits, outbox.size, outbox.sealer.sequences) == (0, 0, [0] * PARTITIONS)
    outbox.add(pairs_of([Visit("plain")]), "next")
    flush = outbox.seal(0)
    assert flush is not None
    assert flush.waiters() == ([], ["next"])
    assert all(sealed.sequence == 1 for sealed in messages(flush))


def test_nothing_gathered_makes_no_message() -> None:
    outbox = Outbox("p", 0, PARTITIONS, hashed=False)
    assert outbox.seal(0) is None
    assert outbox.sealer.sequences == [0] * PARTITIONS


# --- what is pending ---


@law(REQUESTS, st.booleans())
def test_pending_tells_how_many_visits_to_a_counter_are_gathered(requests: list[Any], hashed: bool) -> None:
    outbox = Outbox("p", 0, PARTITIONS, hashed)
    pairs = all_of(*take(outbox, requests))
    numbers = {number for definition, _ in pairs for number in (*definition.visits, *definition.visitors)}
    expected_by_number = {
        number: sum(
            visit.count if number in definition.visits else 1
            for definition, visit in pairs
            if number in (*definition.visits, *definition.visitors)
        )
        for number in numbers
    }
    assert {number: outbox.pending(number) for number in numbers} == expected_by_number
    assert outbox.pending(99) == 0
    together = dict.fromkeys(numbers, 0)
    outbox.add_pending(together)
    assert together == expected_by_number
    alone = dict.fromkeys(list(numbers)[:1], 0)
    outbox.add_pending(alone)
    assert alone == {number: expected_by_number[number] for number in alone}
    flush = outbox.seal(0)
    if flush is not None:
        assert {number: pending_in(flush.lots, number) for number in numbers} == expected_by_number
    assert all(outbox.pending(number) == 0 for number in numbers)


@law(REQUESTS, st.booleans())
def test_the_size_gathered_is_about_that_of_the_messages(requests: list[Any], hashed: bool) -> None:
    outbox = Outbox("p", 0, PARTITIONS, hashed)
    pairs = all_of(*take(outbox, requests))
    assert outbox.size == sum(6 + len(visit.visitor or "") + len(visit.key or "") for _, visit in pairs)
    take(outbox, requests)
    assert outbox.size == 2 * sum(6 + len(visit.visitor or "") + len(visit.key or "") for _, visit in pairs)
