"""Every counter's vector as a node knows it: merged as vectors are, and sent where it differs."""

from typing import Any

import numpy as np
import pytest
from core_laws import law
from core_logs import Folds, visits
from core_patches import patched
from core_tables import COUNTERS, ENTRY_MAX, PARTITIONS, merge, numbers_of
from hypothesis import strategies as st

from footfall.core import table as module
from footfall.core.table import Table
from footfall.core.vector import Vector
from footfall.errors import LogRewoundError

ENTRY = st.integers(0, 3) | st.integers(0, ENTRY_MAX)
ROWS = st.dictionaries(st.integers(0, COUNTERS - 1), st.lists(ENTRY, min_size=PARTITIONS, max_size=PARTITIONS))
PARTITION = st.integers(0, PARTITIONS - 1)


def vectors(table: Table, counters: int = COUNTERS) -> list[Vector]:
    return [table.vector(number) for number in range(counters)]


# --- merge ---


@law(ROWS, ROWS)
def test_tables_merge_as_vectors_do(mine: dict[int, list[int]], theirs: dict[int, list[int]]) -> None:
    table = Table(PARTITIONS)
    merge(table, mine)
    merge(table, theirs)
    zero = [0] * PARTITIONS
    for number in range(COUNTERS):
        one, two = Vector(tuple(mine.get(number, zero))), Vector(tuple(theirs.get(number, zero)))
        assert table.vector(number) == one.merge(two)
        assert table.value(number) == one.merge(two).value


@law(st.lists(ROWS, max_size=4), st.randoms())
def test_rows_may_come_in_any_order_and_more_than_once(heard: list[dict[int, list[int]]], random: Any) -> None:
    one, two = Table(PARTITIONS), Table(PARTITIONS)
    for rows in heard:
        merge(one, rows)
    for rows in random.sample(heard * 2, 2 * len(heard)):
        merge(two, rows)
    assert vectors(one) == vectors(two)
    assert [one.value(number) for number in range(COUNTERS)] == [two.value(number) for number in range(COUNTERS)]
    assert one.bucket_digests() == two.bucket_digests()


def test_a_counter_that_nobody_told_of_is_0() -> None:
    table = Table(PARTITIONS)
    assert (table.value(7), table.vector(7)) == (0, Vector((0, 0, 0)))
    assert table.sequence() == 0
    assert table.take_changed().tolist() == []
    merge(table, {})
    assert table.bucket_digests() == []


def test_rows_that_go_no_further_than_what_is_here_leave_the_sequences_alone() -> None:
    table = Table(PARTITIONS)
    merge(table, {1: [1, 2, 3]}, [4, 5, 6])
    merge(table, {1: [1, 1, 1]})
    assert (table.beyond, table.reached) == ([4, 5, 6], [0, 0, 0])
    merge(table, {}, [3, 9, 3])
    assert table.beyond == [4, 9, 6]


# --- folds ---


@pytest.fixture
def folds() -> Folds:
    folds = Folds()
    folds.define(*((f"c{number}", "visits") for number in range(4)))
    return folds


def test_a_fold_that_counts_less_at_an_equal_or_later_sequence_is_refused(folds: Folds) -> None:
    folds.store(visits("c1", 5))
    fold = folds.partitions[0]
    for number, entry in ((1, 6), (3, 1)):
        for sequence in (fold.sequence, fold.sequence - 1):
            table = Table(1)
            table.merge_column(0, numbers_of([number]), np.array([entry]), sequence)
            with pytest.raises(LogRewoundError, match=f"partition 0 counts less at sequence 2 .* sequence {sequence}"):
                table.attach(fold)
            assert table.value(number) == entry
            assert table.folds == {}


def test_a_fold_that_has_not_come_as_far_waits_and_changes_nothing(folds: Folds) -> None:
    folds.store(visits("c1", 5))
    fold = folds.partitions[0]
    table = Table(1)
    table.merge_column(0, numbers_of([1]), np.array([9]), fold.sequence + 1)
    assert table.attach(fold) is False
    assert (table.value(1), table.folds, fold.touched) == (9, {}, {1: 5})
    folds.store(visits("c1", 5))
    assert table.attach(fold) is True
    assert table.value(1) == 10
    assert table.take_changed().tolist() == [1]


def test_the_column_is_the_folds_own(folds: Folds) -> None:
    table = Table(1)
    assert table.attach(folds.partitions[0])
    folds.store(visits("c2", 5))
    assert table.vector(2) == Vector((5,))
    assert table.value(2) == 0
    table.advance(0)
    assert table.value(2) == 5
    assert table.reached == table.beyond == [folds.sequence]


def test_a_fold_that_ends_leaves_all_that_it_counted(folds: Folds) -> None:
    table = Table(1)
    table.attach(folds.partitions[0])
    folds.store(visits("c2", 5))
    table.detach(0)
    assert (table.value(2), table.vector(2), table.folds) == (5, Vector((5,)), {})
    assert table.reached == table.beyond == [folds.sequence]
    table.merge_column(0, numbers_of([2]), np.array([7]), folds.sequence + 1)
    assert table.value(2) == 7


def test_the_counters_that_changed_are_told_in_order() -> None:
    table, folds = Table(1), Folds()
    folds.definitions.restore((f"c{number}", 0, 1) for number in range(70_000))
    folds.sequence = 1
    table.attach(folds.partitions[0])
    folds.store(*(visits(f"c{number}") for number in (69_999, 3, 40_000, 5)))
    table.advance(0)
    assert table.take_changed().tolist() == [3, 5, 40_000, 69_999]
    assert table.take_changed().tolist() == []


def test_what_others_say_of_a_column_that_is_folded_here_is_not_merged(folds: Folds) -> None:
    table = Table(1)
    table.attach(folds.partitions[0])
    merge_sequence = folds.sequence + 9
    table.merge(numbers_of([1]), np.array([[7]]), [merge_sequence])
    table.merge_column(0, numbers_of([1]), np.array([7]), merge_sequence)
    table.confirm(0, merge_sequence)
    assert (table.value(1), table.reached, table.beyond) == (0, [folds.sequence], [folds.sequence])


def test_a_total_stops_at_the_largest_number() -> None:
    table = Table(2)
    table.merge(numbers_of([0]), np.array([[ENTRY_MAX, 5]]), [1, 1])
    assert table.value(0) == ENTRY_MAX
    folds = Folds(2)
    folds.define(("c0", "visits"))
    fold = folds.partitions[1]
    folds.store(visits("c0", 7), partition=1)
    assert table.attach(fold)
    folds.store(visits("c0", 9), partition=1)
    table.advance(1)
    assert (table.value(0), table.vector(0)) == (ENTRY_MAX, Vector((ENTRY_MAX, 16)))


def test_confirming_tells_how_far_a_partition_is_known_and_never_less() -> None:
    table = Table(2)
    table.confirm(0, 7)
    table.confirm(0, 5)
    assert (table.reached, table.beyond, table.sequence()) == ([7, 0], [7, 0], 0)
    table.confirm(1, 6)
    assert table.sequence() == 6
    assert table.attach(Folds(2).partitions[1]) is False


# --- anti-entropy ---

MANY = st.dictionaries(st.integers(0, 20), st.lists(ENTRY, min_size=PARTITIONS, max_size=PARTITIONS), max_size=8)


@law(MANY, MANY)
def test_tables_that_send_each_other_what_differs_become_equal(
    mine: dict[int, list[int]], theirs: dict[int, list[int]]
) -> None:
    with patched(module, BUCKET_ROWS=4):
        one, two = Table(PARTITIONS), Table(PARTITIONS)
        merge(one, mine)
        merge(two, theirs)
        here, there = one.bucket_digests(), two.bucket_digests()
        for to, sent in ((two, list(one.differing(there))), (one, list(two.differing(here)))):
            source = one if to is two else two
            for numbers in sent:
                assert numbers.dtype == np.int32
                assert len({int(number) // 4 for number in numbers}) <= 1
                assert all(source.value(int(number)) for number in numbers)
                to.merge(numbers, source.rows(numbers))
        assert vectors(one, 24) == vectors(two, 24)
        assert not any(map(len, one.differing(two.bucket_digests())))
        assert not any(map(len, two.differing(one.bucket_digests())))


@law(MANY)
def test_who_shows_nothing_is_sent_every_counter_that_is_not_0_once(mine: dict[int, list[int]]) -> None:
    with patched(module, BUCKET_ROWS=4):
        table = Table(PARTITIONS)
        merge(table, mine)
        sent = [int(number) for numbers in table.differing([]) for number in numbers]
        assert sent == sorted(number for number, entries in mine.items() if any(entries))


@law(MANY, st.integers(0, 20), PARTITION)
def test_the_digests_differ_in_the_bucket_of_the_counter_that_differs(
    mine: dict[int, list[int]], number: int, partition: int
) -> None:
    with patched(module, BUCKET_ROWS=4):
        one, two = Table(PARTITIONS), Table(PARTITIONS)
        for table in (one, two):
            merge(table, {20: [0] * PARTITIONS, **mine})
        assert one.bucket_digests() == two.bucket_digests()
        before = two.vector(number).entries[partition]
        if before < ENTRY_MAX:
            two.merge_column(partition, numbers_of([number]), np.array([before + 1]), 0)
            differ = [a != b for a, b in zip(one.bucket_digests(), two.bucket_digests(), strict=True)]
            assert differ == [bucket == number // 4 for bucket in range(6)]


def test_a_fold_that_is_ahead_of_the_totals_does_not_disturb_the_digests(folds: Folds) -> None:
    table, other = Table(1), Table(1)
    for one in (table, other):
        one.merge(numbers_of([0]), np.array([[0]]), [0])
    with patched(module, BUCKET_ROWS=2):
        table.attach(folds.partitions[0])
        folds.store(visits("c3", 5))
        assert table.bucket_digests() == other.bucket_digests()
        table.advance(0)
        other.merge(numbers_of([3]), np.array([[5]]), [9])
        assert table.bucket_digests() == other.bucket_digests()


def test_a_bucket_is_a_thousand_counters_and_more() -> None:
    table = Table(1)
    table.merge(numbers_of([1023, 1024]), np.array([[1], [1]]), [1])
    assert [numbers.tolist() for numbers in table.differing([])] == [[1023], [1024]]


# --- who looks into the memory ---


def test_a_table_grows_while_someone_holds_a_view_of_its_memory() -> None:
    """As a profiler does that keeps frames: an array whose memory is exported cannot be made longer."""
    folds = Folds(PARTITIONS)
    folds.define(*((f"c{number}", "visits") for number in range(COUNTERS)))
    table = Table(PARTITIONS)
    assert table.attach(folds.partitions[0])
    for number in range(COUNTERS):
        folds.store(visits(f"c{number}"))
        merge(table, {number: [0, *[5] * (PARTITIONS - 1)]})
        table.advance(0)
        held = [np.frombuffer(one, np.int64) for one in (table.totals, *table._columns)]
        assert len(held) == 1 + PARTITIONS
    assert vectors(table) == [Vector((1, *[5] * (PARTITIONS - 1)))] * COUNTERS
    assert [table.value(number) for number in range(COUNTERS)] == [5 * PARTITIONS - 4] * COUNTERS
