"""The judge of a counter: folds everything after a cut in log order, and so knows which visit was the N-th.

It is the one counter that every visit passes, one after the other. What it finds is a function of the cut and of the
log: whoever judges, whenever, from whichever cut below N, finds the same visit.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import msgspec
import numpy as np

from footfall.core import control
from footfall.core.batch import Batch, unpack
from footfall.core.control import Barrier, Control, Milestone, Proof, Winner
from footfall.core.definitions import Definitions
from footfall.core.partition import Gain, Partition
from footfall.core.position import Position, Stored, at
from footfall.core.receipts import ENTRIES_MAX, RECEIPT_LENGTH, commitment, is_receipt, receipts
from footfall.core.vector import ENTRY_MAX
from footfall.core.visitors import hashes_of
from footfall.errors import MalformedError

VISITS = "footfall.visits."
SPANS_MAX = 3  # beside the one that proofs begin with: cuts that are not complete after so many never will be


class Crossing(msgspec.Struct, frozen=True):
    """The visit that took the counter to N.

    Attributes:
        n: N.
        sequence: Of the message that holds it.
        index: Which entry of the message it is, from 0, over all sections.
        visitor: Who came.
        key: Its idempotency key.
        producer, partition, number: The message's: its producer, its partition, its number for that producer there.
        proof: From what it was derived.
    """

    n: int
    sequence: int
    index: int
    visitor: str | None
    key: str | None
    producer: str
    partition: int
    number: int
    proof: Proof

    def receipt(self, secret: bytes) -> str:
        """What the visit was answered with."""
        if self.key is not None and is_receipt(self.key):
            return self.key
        text = receipts(secret, self.producer, self.partition, self.number, min(self.index + 1, ENTRIES_MAX))
        return text[-RECEIPT_LENGTH:]

    def winner(self, secret: bytes, time_ns: int) -> Winner:
        """The visit as the log names it; ``time_ns``: when the log stored the message."""
        return Winner(self.visitor, commitment(self.receipt(secret)), self.sequence, self.index, time_ns)


class _Span:
    """The log from one cut on, as a proof tells it."""

    def __init__(self, begin: Position, epoch: int, value: int) -> None:
        self.begin = begin
        self.epoch = epoch
        self._value = value
        self._messages = 0
        self._digest = sha256()

    def add(self, framed: bytes) -> None:
        self._messages += 1
        self._digest.update(framed)

    def proof(self) -> Proof:
        return Proof(self.begin, self.epoch, self._value, self._messages, self._digest.digest())


class Judge:
    """One counter, counted in log order.

    Attributes:
        counter: Its name.
        sequence: Of the last message folded.
        value: The exact count at that sequence.
        sums: For the messages that set milestones on the counter, by their sequence: the exact count there.
    """

    def __init__(
        self, counter: str, begin: Position, epoch: int, definitions: Definitions, partitions: Sequence[Partition]
    ) -> None:
        """Take the state at a cut; the judge owns it from now on.

        Args:
            counter: The counter's name; it may be defined later in the log.
            begin: Where the cut stands.
            epoch: The epoch that names the cut; 0 for the log's beginning.
            definitions: All that the control subject told up to there.
            partitions: All P, in their order.
        """
        self.counter = counter
        self.sequence = begin.sequence
        self.value = 0
        self.sums: dict[int, int] = {}
        self._definitions = definitions
        self._partitions = partitions
        self._open: list[int] = []  # N of the milestones that are open at this point of the log
        self._overdue: set[int] = set()  # those that an import went past
        self._look()
        self._spans = [_Span(begin, epoch, self.value)]  # of the proof, and of those that may take its place

    @property
    def entries(self) -> list[int]:
        """The counter's vector: P entries."""
        return [partition.entry(self.counter, self._definitions) for partition in self._partitions]

    @property
    def reached(self) -> list[int]:
        """For each partition, the sequence of its last message folded: its entry goes no further."""
        return [partition.sequence for partition in self._partitions]

    @property
    def epochs(self) -> list[int]:
        """The cuts that a proof may begin at, by their epochs; it does begin at the first."""
        return [span.epoch for span in self._spans]

    def rebase(self, epoch: int) -> None:
        """Begin proofs at a cut that was passed, and is complete: it is kept for longer than the ones before it."""
        if epoch in self.epochs:
            del self._spans[: self.epochs.index(epoch)]

    def fold(self, message: Stored) -> list[Crossing]:
        """Take the next message of the log, of all subjects; returns the milestones that are reached in it.

        Raises:
            FormatError: If the message is of a newer format.
        """
        assert message.sequence > self.sequence
        self.sequence = message.sequence
        whole = framed(message)
        for span in self._spans:
            span.add(whole)
        if message.subject.startswith(VISITS):
            return self._fold_batch(int(message.subject.removeprefix(VISITS)), message)
        try:
            decoded = control.decode(message.data)
        except MalformedError:
            self._definitions.pass_over(message.sequence)
            for partition in self._partitions:
                partition.sequence = message.sequence
            return []
        epoch = self._definitions.epoch
        self._fold_control(message.sequence, decoded)
        if self._definitions.epoch != epoch and not self._overdue:  # a proof begins below N
            self._spans.append(_Span(at(self._spans[0].begin.created, message), self._definitions.epoch, self.value))
            del self._spans[1:-SPANS_MAX]
        return []

    def _fold_control(self, sequence: int, message: Control) -> None:
        self._definitions.fold(sequence, message)
        for partition in self._partitions:
            if partition.fold_control(sequence, message, self._definitions):
                for seen in partition.visitors.values():
                    seen.added.clear()  # meant for a cut's next segment, and a judge writes no cuts
        if isinstance(message, Barrier):
            return
        before = self.value
        self._look()
        if isinstance(message, Milestone) and message.counter == self.counter:
            self.sums[sequence] = min(self.value, ENTRY_MAX)
        if self.value > before:  # an import: it has no visitor, so the next visit is the one
            self._overdue.update(n for n in self._open if before < n <= self.value)

    def _look(self) -> None:
        """Find the counter, its count and its open milestones in what was folded."""
        number = self._definitions.number(self.counter)
        if number is not None:
            for partition in self._partitions:
                partition.watched = number
        self.value = sum(self.entries)
        self._open = [one.n for one in self._definitions.milestones.open_of(self.counter)]

    def _fold_batch(self, number: int, message: Stored) -> list[Crossing]:
        partition = self._partitions[number]
        partition.gains = []
        partition.fold(message.sequence, message.data, self._definitions)
        before = self.value
        self.value += sum(gain.added for gain in partition.gains)
        if self.value == before:
            return []
        reached = {n: n - before for n in self._open if before < n <= self.value} | dict.fromkeys(self._overdue, 1)
        self._overdue.clear()
        assert partition.batch is not None
        return [self._crossing(n, reached[n], partition, partition.batch) for n in sorted(reached)]

    def _crossing(self, n: int, ordinal: int, partition: Partition, batch: Batch) -> Crossing:
        """The ``ordinal``-th visit, from 1, that the batch added to the counter."""
        gains = iter(partition.gains)
        while ordinal > (gain := next(gains)).added:
            ordinal -= gain.added
        entry = _entry(gain, ordinal)
        offset = 0
        sections = iter(batch.sections)
        while (section := next(sections)) is not gain.section:
            offset += max(section.entries, 0)  # of a malformed section too, whatever it says
        visitors, keys = gain.section.visitors, gain.section.keys
        return Crossing(
            n,
            self.sequence,
            min(offset + entry, ENTRY_MAX),
            _text(visitors, entry),
            _text(keys, entry),
            batch.producer,
            partition.number,
            batch.sequence,
            self._spans[0].proof(),
        )


def framed(message: Stored) -> bytes:
    """A message without doubt about where its parts end, for the digest of many."""
    subject, data = message.subject.encode(), message.data
    return b"".join((message.sequence.to_bytes(8), len(subject).to_bytes(2), subject, len(data).to_bytes(4), data))


def _entry(gain: Gain, ordinal: int) -> int:
    """Which entry of a section the ``ordinal``-th visit, from 1, that it added belongs to."""
    section = gain.section
    if gain.fresh is not None:
        distinct, first = np.unique(hashes_of(unpack(section.visitors or b"")), return_index=True)
        counted: list[int] = np.sort(first[np.isin(distinct, gain.fresh)]).tolist()
        return counted[ordinal - 1]
    place = (ordinal - 1) // section.times
    if gain.first is None:
        return place
    return [entry for entry, first in enumerate(gain.first) if first][place]


def _text(packed: bytes | None, entry: int) -> str | None:
    """One of the texts of a section. Counting visits needs none, so what cannot be read must not stop the judge."""
    try:
        return None if packed is None else unpack(packed)[entry]
    except (MalformedError, IndexError):
        return None
