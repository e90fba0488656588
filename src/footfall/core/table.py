"""Every counter's vector as one node knows it, in columns: entry [n][p] is what partition p counted for counter n."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import xxhash

from footfall.core.partition import Partition
from footfall.core.vector import ENTRY_MAX, Vector, lengthened
from footfall.errors import LogRewoundError

BUCKET_ROWS = 1024  # anti-entropy compares and sends tables in buckets: 128 KB at 16 partitions

Numbers = npt.NDArray[np.int32]  # [k] counters, distinct
Entries = npt.NDArray[np.int64]  # [k, P]


class Table:
    """A G-Counter for each counter, merged by the larger entry (``Vector.merge``, a column at a time).

    The column of a partition that this node folds is the fold's own array, not a copy: at a million counters
    that saves 8 bytes a counter and partition. What others say of such a column is not merged: the fold gives
    the same entries by itself. Totals are kept beside, so that a read is one look-up.
    """

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.totals = array("q")
        self.folds: dict[int, Partition] = {}
        self.reached = [0] * partitions  # every message of p up to here is in column p
        self.beyond = [0] * partitions  # column p may hold entries of messages up to here
        self.changed: set[int] = set()  # counters whose entries this node's folds raised since someone took this
        self._columns = [array("q") for _ in range(partitions)]

    def value(self, number: int) -> int:
        """The counter's total, at most 2**63 - 1; never less than it was."""
        return self.totals[number] if number < len(self.totals) else 0

    def vector(self, number: int) -> Vector:
        """The counter's vector."""
        return Vector(tuple(column[number] if number < len(column) else 0 for column in self._columns))

    def sequence(self) -> int:
        """Every message of the log up to this one is in the table."""
        return min(self.reached)

    def attach(self, fold: Partition) -> bool:
        """Read a partition from this fold from now on, if it has come as far as the column; returns whether it has.

        Raises:
            LogRewoundError: It has come as far, and counts less: others counted visits that the log no longer holds.
        """
        number = fold.number
        if fold.sequence < self.beyond[number]:
            return False
        length = max(len(self._columns[number]), len(fold.counts))
        raised = _padded(fold.counts, length) - _padded(self._columns[number], length)
        if (raised < 0).any():
            raise LogRewoundError(
                f"partition {number} counts less at sequence {fold.sequence} than another node had counted by sequence "
                f"{self.beyond[number]}: the log lost its tail, or a record in it is damaged; restore it"
            )
        fold.touched.clear()
        self._columns[number] = fold.counts
        self.folds[number] = fold
        numbers = np.flatnonzero(raised > 0)
        self._raise(numbers, raised[numbers])
        self.changed.update(numbers.tolist())
        self.advance(number)
        return True

    def detach(self, number: int) -> None:
        """The fold ends here; its entries stay."""
        self.advance(number)
        del self.folds[number]

    def advance(self, number: int) -> None:
        """Take in what the fold of a partition has counted since the last call."""
        fold = self.folds[number]
        if touched := fold.touched:
            self._grow(max(touched) + 1)
            totals = self.totals
            for counter, added in touched.items():
                totals[counter] = min(totals[counter] + added, ENTRY_MAX)
            self.changed.update(touched)
            fold.touched = {}
        self._columns[number] = fold.counts  # it may have had to take another array to grow
        self.reached[number] = self.beyond[number] = fold.sequence

    def merge(self, numbers: Numbers, entries: Entries, sequences: Sequence[int] = ()) -> None:
        """Keep the larger of each entry here and there.

        Args:
            numbers: Shape (k,): distinct counters.
            entries: Shape (k, P): their vectors elsewhere.
            sequences: For each partition, how far these entries may go; empty if they go no further than what is here.
        """
        if len(numbers):
            self._grow(int(numbers.max()) + 1)
        for partition in range(self.partitions):
            if partition in self.folds:
                continue
            if sequences:
                self.beyond[partition] = max(self.beyond[partition], sequences[partition])
            self._merge_column(partition, numbers, entries[:, partition])

    def merge_column(self, partition: int, numbers: Numbers, entries: npt.NDArray[np.int64], sequence: int) -> None:
        """``merge`` of one partition's entries, shape (k,), that go as far as ``sequence``."""
        if partition in self.folds:
            return
        if len(numbers):
            self._grow(int(numbers.max()) + 1)
        self.beyond[partition] = max(self.beyond[partition], sequence)
        self._merge_column(partition, numbers, entries)

    def confirm(self, partition: int, sequence: int) -> None:
        """Everything of a partition up to ``sequence`` was merged: no message of its owner is missing."""
        if partition not in self.folds:
            self.reached[partition] = max(self.reached[partition], sequence)
            self.beyond[partition] = max(self.beyond[partition], sequence)

    def rows(self, numbers: Numbers) -> Entries:
        """The vectors of some counters, shape (k, P)."""
        found = np.zeros((len(numbers), self.partitions), np.int64)
        for partition, column in enumerate(self._columns):
            found[:, partition] = _picked(column, numbers)
        return found

    def column(self, partition: int, numbers: Numbers) -> npt.NDArray[np.int64]:
        """The entries of some counters in one partition, shape (k,)."""
        return _picked(self._columns[partition], numbers)

    def bucket_digests(self) -> list[int]:
        """One 64-bit digest for every 1,024 counters; two tables differ where these differ."""
        length = -(-len(self.totals) // BUCKET_ROWS) * BUCKET_ROWS
        padded = [_padded(column, length) for column in self._columns]
        digests = []
        for start in range(0, length, BUCKET_ROWS):
            state = xxhash.xxh3_64()
            for column in padded:
                state.update(column[start : start + BUCKET_ROWS].data)
            digests.append(state.intdigest())
        return digests

    def differing(self, theirs: Sequence[int]) -> Iterable[Numbers]:
        """The counters of each bucket whose digest is not theirs, without those that are 0 here."""
        for bucket, digest in enumerate(self.bucket_digests()):
            if bucket >= len(theirs) or theirs[bucket] != digest:
                start = bucket * BUCKET_ROWS
                stop = min(start + BUCKET_ROWS, len(self.totals))
                yield (np.flatnonzero(self.totals[start:stop]) + start).astype(np.int32)  # a copy: totals may grow

    def take_changed(self) -> Numbers:
        """The counters that this node's folds have raised since the last call, in order."""
        taken = np.fromiter(self.changed, np.int32, len(self.changed))
        self.changed.clear()
        taken.sort()
        return taken

    def _merge_column(self, partition: int, numbers: Numbers, entries: npt.NDArray[np.int64]) -> None:
        column = self._columns[partition]
        if len(column) < len(self.totals):
            column = self._columns[partition] = lengthened(column, len(self.totals))
        here = np.frombuffer(column, np.int64)
        before = here[numbers]
        raised = np.maximum(entries, before) - before  # in this order: a difference could pass 2**63
        here[numbers] += raised
        self._raise(numbers, raised)

    def _raise(self, numbers: npt.NDArray[np.integer], raised: npt.NDArray[np.int64]) -> None:
        if len(numbers):
            self._grow(int(numbers.max()) + 1)
            totals = np.frombuffer(self.totals, np.int64)
            totals[numbers] += np.minimum(raised, ENTRY_MAX - totals[numbers])

    def _grow(self, length: int) -> None:
        if len(self.totals) < length:
            self.totals = lengthened(self.totals, length)


def _padded(column: array[int], length: int) -> npt.NDArray[np.int64]:
    padded = np.zeros(length, np.int64)
    padded[: len(column)] = np.frombuffer(column, np.int64)[:length] if len(column) else 0
    return padded


def _picked(column: array[int], numbers: Numbers) -> npt.NDArray[np.int64]:
    picked = np.zeros(len(numbers), np.int64)
    if len(column):
        there = numbers < len(column)
        picked[there] = np.frombuffer(column, np.int64)[numbers[there]]
    return picked
