"""The fold: what one partition of the log counts. The same messages give the same counts, anywhere, at any time."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from footfall.core.batch import Batch, Chunk, Section, decode, unpack
from footfall.core.control import Barrier, Control, Import
from footfall.core.keys import KeyWindow, key_digest
from footfall.core.names import Unit
from footfall.core.routing import partition_of
from footfall.core.vector import ENTRY_MAX, lengthened
from footfall.core.visitors import Hashes, HashSet, hashes_of
from footfall.errors import MalformedError

if TYPE_CHECKING:
    from footfall.core.definitions import Definition, Definitions

PRODUCER_EPOCHS = 60_480  # 7 days at one cut every 10 s: no copy of a batch is on its way for longer
SOURCES_MAX = 100_000  # of one partition, 20 MB: a file that is ingested is one, for ever
FORGET_EPOCHS = 360  # how often old producers are looked for: hourly


class Alarm(NamedTuple):
    """Something in the log that should not be there; it is not counted, and a person should look."""

    kind: str  # gap, malformed, undefined, misrouted, overflow, expired, counters, sources
    detail: str
    sequence: int


class Gain(NamedTuple):
    """What one section added to the counter that is watched.

    Attributes:
        section: The section, of ``Partition.batch``.
        added: Visits, or visitors, that counted: 1 at least.
        first: Of ``visits`` with keys: for each entry, whether it counted; else None, and all of them did.
        fresh: Of ``visitors``: the hashes that were new, sorted.
    """

    section: Section
    added: int
    first: Sequence[bool] | None = None
    fresh: Hashes | None = None


class Producer(NamedTuple):
    """What a partition remembers of a producer."""

    born: int
    sequence: int


class Partition:
    """The state of one partition after one sequence of the log."""

    def __init__(self, number: int, partitions: int) -> None:
        self.number = number
        self.partitions = partitions
        self.sequence = 0  # of the last message folded
        self.messages_since = self.messages = 0  # how many of its own messages were folded, and above which sequence
        self.epoch = 0
        self.counts = array("q")  # by the counter's number; grows as counters are first visited
        self.producers: dict[str, Producer] = {}
        self.keys = KeyWindow()
        self.sources: dict[str, int] = {}  # source → position, in bytes
        self.visitors: dict[int, HashSet] = {}  # counter's number → who was seen here
        self.tally: dict[str, int] = {}  # how often each kind of alarm, of repeat and of refusal came
        self.alarmed: dict[str, tuple[int, int]] = {}  # kind of alarm → sequences of the first and of the last
        self.touched: dict[int, int] = {}  # counter's number → visits added since someone last took this; not state
        # A judge sets ``watched`` to a counter's number, and then finds what the last batch added to it; not state.
        self.watched = -1
        self.batch: Batch | None = None
        self.gains: list[Gain] = []

    def fold(self, sequence: int, data: bytes, definitions: Definitions) -> Sequence[Alarm]:
        """Count the next batch of this partition.

        Args:
            sequence: The message's sequence in the log, above all folded before.
            data: Its bytes.
            definitions: All counters up to that sequence at least.

        Returns:
            What could not be counted.

        Raises:
            FormatError: If the batch is of a newer format; nothing was changed, and no more may be folded.
        """
        assert sequence > self.sequence
        alarms: list[Alarm] = []
        try:
            batch = decode(data)
        except MalformedError as error:
            self.sequence, self.messages = sequence, self.messages + 1
            self._alarm(alarms, "malformed", str(error))
            return alarms
        self.sequence, self.messages = sequence, self.messages + 1
        if self.watched >= 0:
            self.batch = batch
        if self._is_next(batch, alarms):
            for section in batch.sections:
                self._count(section, definitions, alarms)
        return alarms

    def fold_control(self, sequence: int, message: Control, definitions: Definitions) -> bool:
        """Take the next control message; returns whether an epoch began, which is where a cut is taken.

        Args:
            sequence: The message's sequence in the log, above all folded before.
            message: The message.
            definitions: What the control subject tells up to that sequence at least.
        """
        assert sequence > self.sequence
        self.sequence = sequence
        if isinstance(message, Import):
            self._import(message, definitions)
        if not isinstance(message, Barrier) or message.epoch != self.epoch + 1:
            return False
        self.epoch += 1
        self.keys.tick(self.epoch)
        if self.epoch % FORGET_EPOCHS == 0:
            oldest = self.epoch - PRODUCER_EPOCHS
            self.producers = {name: known for name, known in self.producers.items() if known.born > oldest}
        return True

    def entry(self, counter: str, definitions: Definitions) -> int:
        """What this partition has counted for a counter; 0 for one that is not defined at this point of the log."""
        number = definitions.number(counter)
        return self.counts[number] if number is not None and number < len(self.counts) else 0

    def _import(self, message: Import, definitions: Definitions) -> None:
        """Add a prior count, if it belongs here, and the definitions took this message for its source's first."""
        imported = definitions.imports.get(message.source)
        if (
            imported is None
            or imported.sequence != self.sequence
            or partition_of(message.source, self.partitions) != self.number
        ):
            return
        leaf = definitions.find(message.counter)
        assert leaf is not None, "definitions take no import into a counter that is not defined"
        path = leaf.visits if leaf.unit is Unit.VISITS else leaf.visitors
        counts = self._counts_for(path)
        if any(counts[number] > ENTRY_MAX - message.value for number in path):
            self._note("overflow")
            return
        for number in path:
            counts[number] += message.value
            self.touched[number] = self.touched.get(number, 0) + message.value

    def _is_next(self, batch: Batch, alarms: list[Alarm]) -> bool:
        """Whether the batch is to be counted: no repeat, no producer that ended long ago, no chunk out of place."""
        name, sequence = batch.producer, batch.sequence
        if not self.epoch - PRODUCER_EPOCHS < batch.born <= self.epoch:
            self._alarm(alarms, "expired", f"producer {name} was born in epoch {batch.born}; now it is {self.epoch}")
            return False
        known = self.producers.get(name)
        last = known.sequence if known else 0
        if sequence <= last:
            self._note("repeat")
            return False
        if sequence > last + 1:
            self._alarm(alarms, "gap", f"producer {name}: batches {last + 1} to {sequence - 1} lost")
        self.producers[name] = Producer(batch.born, sequence)
        return batch.chunk is None or self._advances(batch.chunk, alarms)

    def _advances(self, chunk: Chunk, alarms: list[Alarm]) -> bool:
        """Whether a chunk starts where its source stands; if so, the source moves to the chunk's end."""
        if partition_of(chunk.source, self.partitions) != self.number:
            self._alarm(alarms, "misrouted", f"source {chunk.source!r} is not of partition {self.number}")
            return False
        if chunk.start != self.sources.get(chunk.source, 0) or chunk.end <= chunk.start:
            self._note("chunk")
            return False
        if chunk.source not in self.sources and len(self.sources) >= SOURCES_MAX:
            self._alarm(alarms, "sources", f"source {chunk.source!r} is not taken: there are {SOURCES_MAX} already")
            return False
        self.sources[chunk.source] = chunk.end
        return True

    def _count(self, section: Section, definitions: Definitions, alarms: list[Alarm]) -> None:
        leaf = definitions.find(section.leaf)
        if leaf is None or leaf.since > self.sequence:
            self._alarm(alarms, "undefined", f"counter {section.leaf!r} is not defined at this point of the log")
            return
        try:
            if section.unit is Unit.VISITS:
                self._count_visits(section, leaf, alarms)
            else:
                self._count_visitors(section, leaf, alarms)
        except MalformedError as error:
            self._alarm(alarms, "malformed", f"{section.leaf}: {error}")

    def _count_visits(self, section: Section, leaf: Definition, alarms: list[Alarm]) -> None:
        entries, times = section.entries, section.times
        if entries < 1 or times < 1:
            raise MalformedError(f"{entries} entries, {times} times")
        first = None
        if section.keys is not None:
            first = self._first_keys(section, alarms)
            entries = sum(first)
        added = entries * times
        if added:
            counts = self._counts_for(leaf.visits)
            if any(counts[number] > ENTRY_MAX - added for number in leaf.visits):
                self._alarm(alarms, "overflow", f"{section.leaf} would pass 2**63 - 1")
                return
            touched = self.touched
            for number in leaf.visits:
                counts[number] += added
                touched[number] = touched.get(number, 0) + added
            if self.watched >= 0 and self.watched in leaf.visits:
                self.gains.append(Gain(section, added, first))

    def _first_keys(self, section: Section, alarms: list[Alarm]) -> list[bool]:
        """For each entry, whether its key was not seen in the window."""
        keys = unpack(section.keys or b"")
        if len(keys) != section.entries:
            raise MalformedError(f"{len(keys)} keys for {section.entries} entries")
        if any(partition_of(key, self.partitions) != self.number for key in keys):
            self._alarm(alarms, "misrouted", f"{section.leaf}: keys that are not of partition {self.number}")
            return []
        first = [self.keys.first(key_digest(section.leaf, key)) for key in keys]
        if not all(first):
            self._note("key", first.count(False))
        return first

    def _count_visitors(self, section: Section, leaf: Definition, alarms: list[Alarm]) -> None:
        if section.visitors is None:
            raise MalformedError("visitors are counted, and none is named")
        hashes = hashes_of(unpack(section.visitors))
        if not len(hashes) or len(hashes) != section.entries:
            raise MalformedError(f"{len(hashes)} visitors for {section.entries} entries")
        if (hashes % self.partitions != self.number).any():
            self._alarm(alarms, "misrouted", f"{section.leaf}: visitors that are not of partition {self.number}")
            return
        counts = self._counts_for(leaf.visitors)
        if any(counts[number] > ENTRY_MAX - len(hashes) for number in leaf.visitors):  # imports alone lead so far
            self._alarm(alarms, "overflow", f"{section.leaf} might pass 2**63 - 1")
            return
        for number in leaf.visitors:
            seen = self.visitors.get(number)
            if seen is None:
                seen = self.visitors[number] = HashSet()
            if fresh := seen.add(hashes):
                counts[number] += fresh
                self.touched[number] = self.touched.get(number, 0) + fresh
                if number == self.watched:
                    self.gains.append(Gain(section, fresh, fresh=seen.added[-1]))

    def _counts_for(self, path: tuple[int, ...]) -> array[int]:
        """The counts, long enough for a path: a child's number is above its ancestors', which are defined before it."""
        if path and path[-1] >= len(self.counts):
            self.counts = lengthened(self.counts, path[-1] + 1)
        return self.counts

    def _alarm(self, alarms: list[Alarm], kind: str, detail: str) -> None:
        self._note(kind)
        self.alarmed[kind] = (self.alarmed.get(kind, (self.sequence,))[0], self.sequence)
        alarms.append(Alarm(kind, f"partition {self.number}: {detail}", self.sequence))

    def _note(self, kind: str, times: int = 1) -> None:
        self.tally[kind] = self.tally.get(kind, 0) + times
