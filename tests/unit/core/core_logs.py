"""Logs as lists of messages, written from docs/log-format.md alone, and the core's fold of them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import xxhash

from footfall.core import control, cut_writer
from footfall.core.definitions import Definitions
from footfall.core.partition import Alarm, Partition
from footfall.core.visitors import merged

Raw = list[Any]

pack = msgspec.msgpack.encode


class Message(NamedTuple):
    """A message of a log: of one partition, or, where that is None, of the control subject."""

    partition: int | None
    data: bytes


class StoredMessage(NamedTuple):
    """A message with its place in the log, as readers of all subjects get it."""

    sequence: int
    subject: str
    data: bytes


def stored(log: Iterable[Message], first: int = 1) -> list[StoredMessage]:
    """The messages with their places; ``first`` is the first one's sequence."""
    return [
        StoredMessage(
            sequence,
            "footfall.control" if message.partition is None else f"footfall.visits.{message.partition}",
            message.data,
        )
        for sequence, message in enumerate(log, first)
    ]


def define(producer: str, sequence: int, units: Iterable[tuple[str, str]]) -> Message:
    return Message(None, pack(["define/1", producer, sequence, list(units)]))


def barrier(producer: str, sequence: int, epoch: int) -> Message:
    return Message(None, pack(["barrier/1", producer, sequence, epoch]))


def told(tag: str, producer: str, sequence: int, *rest: Any) -> Message:
    """Any message of the control subject."""
    return Message(None, pack([tag, producer, sequence, *rest]))


def batch(
    partition: int, producer: str, born: int, sequence: int, sections: Sequence[Raw], chunk: Raw | None = None
) -> Message:
    return Message(partition, pack(["batch/1", producer, born, sequence, sections, chunk]))


def visits(leaf: str, entries: int = 1, keys: Sequence[str] | None = None, times: int = 1) -> Raw:
    """A section of visits."""
    return [leaf, "visits", entries, None, None if keys is None else pack(keys), times]


def visitors(leaf: str, *texts: str) -> Raw:
    """A section of visitors."""
    return [leaf, "visitors", len(texts), pack(texts), None, 1]


def home(text: str, partitions: int) -> int:
    """The partition of a visitor, key or source."""
    return xxhash.xxh3_64_intdigest(text.encode()) % partitions


def texts_of(partition: int, partitions: int, count: int, stem: str = "t") -> list[str]:
    """So many texts that belong to a partition."""
    found: list[str] = []
    at = 0
    while len(found) < count:
        if home(f"{stem}{at}", partitions) == partition:
            found.append(f"{stem}{at}")
        at += 1
    return found


class Folds:
    """The definitions and all partitions of one log, folded in log order as a node does."""

    def __init__(self, partitions: int = 1) -> None:
        self.sequence = 0
        self.definitions = Definitions()
        self.partitions = [Partition(number, partitions) for number in range(partitions)]
        self.alarms: list[Alarm] = []
        self._sequences: dict[tuple[str, int | None], int] = defaultdict(int)

    def take(self, message: Message) -> list[str]:
        """Fold the next message; returns the kinds of the alarms."""
        self.sequence += 1
        alarms: list[Alarm] = []
        if message.partition is None:
            decoded = control.decode(message.data)
            alarms += self.definitions.fold(self.sequence, decoded)
            for partition in self.partitions:
                partition.fold_control(self.sequence, decoded, self.definitions)
        else:
            alarms += self.partitions[message.partition].fold(self.sequence, message.data, self.definitions)
        self.alarms += alarms
        return [alarm.kind for alarm in alarms]

    def take_all(self, log: Iterable[Message]) -> "Folds":
        for message in log:
            self.take(message)
        return self

    def define(self, *units: tuple[str, str]) -> list[str]:
        return self.take(define("control", self._next("control", None), units))

    def tick(self, epochs: int = 1) -> None:
        for _ in range(epochs):
            self.take(barrier("control", self._next("control", None), self.definitions.epoch + 1))

    def tell(self, tag: str, *rest: Any) -> list[str]:
        """Fold a control message; returns the kinds of the alarms."""
        return self.take(told(tag, "control", self._next("control", None), *rest))

    def store(
        self,
        *sections: Raw,
        partition: int = 0,
        producer: str = "p",
        born: int = 0,
        sequence: int | None = None,
        chunk: Raw | None = None,
    ) -> list[str]:
        """Fold a batch, of the producer's next sequence unless told otherwise; returns the kinds of the alarms."""
        if sequence is None:
            sequence = self._next(producer, partition)
        return self.take(batch(partition, producer, born, sequence, sections, chunk))

    def _next(self, producer: str, partition: int | None) -> int:
        self._sequences[producer, partition] += 1
        return self._sequences[producer, partition]

    def entries(self, name: str) -> list[int]:
        """The counter's vector; nothing but 0 if it is not defined."""
        number = self.definitions.number(name)
        return [
            0 if number is None or number >= len(partition.counts) else partition.counts[number]
            for partition in self.partitions
        ]

    def value(self, name: str) -> int:
        return sum(self.entries(name))

    def seen(self, name: str, partition: int) -> list[int]:
        """The hashes of a counter's visitors in a partition, sorted."""
        number = self.definitions.number(name)
        found = self.partitions[partition].visitors.get(-1 if number is None else number)
        return [] if found is None else [int(one) for one in merged(found.runs())]

    def state(self) -> list[bytes]:
        """Everything that the log made of it, as bytes."""
        taken = cut_writer.capture_definitions(self.definitions, len(self.partitions))
        return [
            *map(cut_writer.state_bytes, self.partitions),
            taken.meta,
            *taken.body(),
            bytes([self.definitions.epoch % 256]),
        ]


def hashes(*values: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
    return np.array(values, np.uint64)
