"""One node's table while it and others fold the same log, and hear of each other late, twice, or in part."""

from collections import defaultdict

import numpy as np
from core_tables import COUNTERS, ENTRY_MAX, PARTITIONS, merge, numbers_of
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from footfall.core.partition import Partition
from footfall.core.table import Table

PARTITION = st.integers(0, PARTITIONS - 1)
VISITS = st.lists(st.tuples(st.integers(0, COUNTERS - 1), st.sampled_from([1, 1, 2, 2**62])), max_size=4)


class Tables(RuleBasedStateMachine):
    """One node's table, while it and others fold the same log, and hear of each other, late or twice."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Table(PARTITIONS)
        self.sequence = 0
        self.truth: list[list[tuple[int, dict[int, int]]]] = [[(0, {})] for _ in range(PARTITIONS)]
        self.known: list[dict[int, int]] = [defaultdict(int) for _ in range(PARTITIONS)]
        self.folds: dict[int, Partition] = {}
        self.reached, self.beyond = [0] * PARTITIONS, [0] * PARTITIONS
        self.changed: set[int] = set()
        self.shown = [0] * COUNTERS

    def learn(self, partition: int, counts: dict[int, int], own: bool = False) -> None:
        for number, entry in counts.items():
            if entry > self.known[partition][number]:
                self.known[partition][number] = entry
                self.changed |= {number} if own else set()

    def fold_to(self, fold: Partition, place: int) -> None:
        """Bring a fold to where the truth was, as if it had folded the messages up to there."""
        sequence, counts = self.truth[fold.number][place]
        for number in sorted(counts):
            if number >= len(fold.counts):
                fold.counts.frombytes(bytes(8 * (number + 1 - len(fold.counts))))
            if rose := counts[number] - fold.counts[number]:
                fold.counts[number] += rose
                fold.touched[number] = fold.touched.get(number, 0) + rose
        fold.sequence = sequence

    def place(self, data: st.DataObject, partition: int, since: int = 0) -> int:
        """Somewhere in the truth; as often as not its end."""
        places = [at for at, (sequence, _) in enumerate(self.truth[partition]) if sequence >= since]
        return places[-1] if data.draw(st.booleans()) else data.draw(st.sampled_from(places))

    def store(self, partition: int, visits: list[tuple[int, int]]) -> None:
        for number, times in visits:
            self.sequence += 1
            counts = dict(self.truth[partition][-1][1])
            if counts.get(number, 0) + times <= ENTRY_MAX:
                counts[number] = counts.get(number, 0) + times
            self.truth[partition].append((self.sequence, counts))

    @rule(partition=PARTITION, visits=VISITS)
    def visit(self, partition: int, visits: list[tuple[int, int]]) -> None:
        self.store(partition, visits)

    @rule(partition=PARTITION, visits=VISITS, data=st.data())
    def attach(self, partition: int, visits: list[tuple[int, int]], data: st.DataObject) -> None:
        if partition in self.folds:
            return
        self.store(partition, visits)
        fold = Partition(partition, PARTITIONS)
        place = self.place(data, partition)
        self.fold_to(fold, place)
        sequence, counts = self.truth[partition][place]
        far_enough = sequence >= self.beyond[partition]
        assert self.table.attach(fold) is far_enough
        if far_enough:
            self.folds[partition] = fold
            self.learn(partition, counts, own=True)
            self.reached[partition] = self.beyond[partition] = sequence

    def fold_on(self, visits: list[tuple[int, int]], data: st.DataObject) -> int:
        """Let one of the folds come further, which the table is not told of; returns its partition."""
        partition = data.draw(st.sampled_from(sorted(self.folds)))
        self.store(partition, visits)
        fold = self.folds[partition]
        self.fold_to(fold, self.place(data, partition, fold.sequence))
        return partition

    def told(self, fold: Partition) -> None:
        """The table was told of a fold."""
        self.learn(fold.number, dict(enumerate(fold.counts)), own=True)
        self.reached[fold.number] = self.beyond[fold.number] = fold.sequence

    @precondition(lambda self: self.folds)
    @rule(visits=VISITS, data=st.data())
    def advance(self, visits: list[tuple[int, int]], data: st.DataObject) -> None:
        partition = self.fold_on(visits, data)
        self.table.advance(partition)
        self.told(self.folds[partition])

    @precondition(lambda self: self.folds)
    @rule(visits=VISITS, data=st.data())
    def detach(self, visits: list[tuple[int, int]], data: st.DataObject) -> None:
        partition = self.fold_on(visits, data)
        self.table.detach(partition)
        self.told(self.folds.pop(partition))

    @rule(numbers=st.lists(st.integers(0, COUNTERS - 1), unique=True), data=st.data())
    def hear_rows(self, numbers: list[int], data: st.DataObject) -> None:
        """Another node's vectors, from anywhere in the past."""
        truths = [self.truth[partition][self.place(data, partition)] for partition in range(PARTITIONS)]
        merge(
            self.table,
            {number: [counts.get(number, 0) for _, counts in truths] for number in numbers},
            [sequence for sequence, _ in truths],
        )
        for partition, (sequence, counts) in enumerate(truths):
            self.hear(partition, sequence, {number: counts.get(number, 0) for number in numbers})

    @rule(numbers=st.lists(st.integers(0, COUNTERS - 1), unique=True), partition=PARTITION, data=st.data())
    def hear_column(self, numbers: list[int], partition: int, data: st.DataObject) -> None:
        sequence, counts = self.truth[partition][self.place(data, partition)]
        entries = np.array([counts.get(number, 0) for number in numbers], np.int64)
        self.table.merge_column(partition, numbers_of(numbers), entries, sequence)
        self.hear(partition, sequence, {number: counts.get(number, 0) for number in numbers})

    def hear(self, partition: int, sequence: int, counts: dict[int, int]) -> None:
        if partition not in self.folds:
            self.beyond[partition] = max(self.beyond[partition], sequence)
            self.learn(partition, counts)

    @rule(partition=PARTITION, data=st.data())
    def hear_everything(self, partition: int, data: st.DataObject) -> None:
        """All entries of a partition, and the word that they are all."""
        sequence, counts = self.truth[partition][self.place(data, partition)]
        entries = np.array(list(counts.values()), np.int64)
        self.table.merge_column(partition, numbers_of(counts), entries, sequence)
        self.table.confirm(partition, sequence)
        self.hear(partition, sequence, counts)
        if partition not in self.folds:
            self.reached[partition] = max(self.reached[partition], sequence)

    @rule()
    def take_changed(self) -> None:
        taken = self.table.take_changed()
        assert taken.tolist() == sorted(self.changed)
        assert taken.dtype == np.int32
        self.changed = set()

    @invariant()
    def vectors_are_the_largest_entries_known(self) -> None:
        for number in range(COUNTERS):
            entries = [self.known[partition][number] for partition in range(PARTITIONS)]
            assert list(self.table.vector(number).entries) == entries
            assert self.table.value(number) == self.table.vector(number).value == min(sum(entries), ENTRY_MAX)
        everything = numbers_of(range(COUNTERS + 2))
        for partition in range(PARTITIONS):
            column = [self.known[partition][number] for number in range(COUNTERS + 2)]
            assert self.table.column(partition, everything).tolist() == column
            assert self.table.rows(everything)[:, partition].tolist() == column

    @invariant()
    def totals_never_fall(self) -> None:
        now = [self.table.value(number) for number in range(COUNTERS)]
        assert all(one >= before for one, before in zip(now, self.shown, strict=True))
        self.shown = now

    @invariant()
    def sequences_tell_how_far_the_table_is(self) -> None:
        assert self.table.reached == self.reached
        assert self.table.beyond == self.beyond
        assert self.table.sequence() == min(self.reached)
        for partition, reached in enumerate(self.reached):
            for sequence, counts in self.truth[partition]:
                if sequence <= reached:
                    assert all(self.known[partition][number] >= entry for number, entry in counts.items())


Tables.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
test_a_table_is_a_vector_for_each_counter_whoever_folds_and_whatever_is_heard = Tables.TestCase
