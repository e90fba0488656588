"""What the core runs on, in memory and without time: the ordered log, the store for cuts, the bus between nodes."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from footfall.core.position import Position, at
from footfall.log.memory import Storage
from footfall.log.protocol import VISITS_SUBJECT, Message


def subject_of(partition: int) -> str:
    return VISITS_SUBJECT.format(partition=partition)


class Log(Storage):
    """The log. ``archive`` holds also what was trimmed, for the oracle."""

    def __init__(self, partitions: int, created: str = "2026-01-01") -> None:
        super().__init__(partitions, created=created)
        self.archive: list[Message] = []

    def append(self, subject: str, data: bytes, time_ns: int = 0) -> Message:
        message = super().append(subject, data, time_ns)
        self.archive.append(message)
        return message

    def truncate(self, last_sequence: int) -> None:
        self.archive = [message for message in self.archive if message.sequence <= last_sequence]
        super().truncate(last_sequence)

    def replace(self, created: str) -> None:
        """Someone starts an empty log in this one's place; the blobs stay."""
        self.created, self.first = created, 1
        self.truncate(0)


class Reader:
    """Reads some subjects in order, and checks at the start and at every resumption that it is still the same log."""

    def __init__(self, log: Log, subjects: tuple[str, ...], position: Position) -> None:
        self._log, self._subjects = log, subjects
        self.position = position
        self.resume()

    def resume(self) -> None:
        self._log.check(self.position)
        self._restarts = self._log.restarts

    def peek(self) -> Message | None:
        """The next message, if there is one; it is read again until ``advance``."""
        log = self._log
        if self._restarts != log.restarts or self.position.sequence < log.first - 1:
            self.resume()
        for index in range(self.position.sequence + 1 - log.first, len(log.messages)):
            if log.messages[index].subject in self._subjects:
                return log.messages[index]
        return None

    def advance(self, message: Message) -> None:
        self.position = at(self._log.created, message)


class Store:
    """The log's blobs. ``sound`` is what was stored, to be restored from after the world has damaged ``blobs``."""

    def __init__(self, log: Log) -> None:
        self.blobs = log.blobs
        self.keys = log.keys
        self.sound: dict[str, bytes] = {}

    def put(self, key: str, data: bytes) -> None:
        self.blobs[key] = self.sound[key] = data

    def delete(self, key: str) -> None:
        self.blobs.pop(key, None)
        self.sound.pop(key, None)

    def repair(self) -> None:
        self.blobs.clear()
        self.blobs.update(self.sound)


@dataclass
class Bus:
    """Messages between nodes, each delivered in any order, once, twice or never."""

    random: Random
    loss: float = 0.0
    repeat: float = 0.0
    on_their_way: list[tuple[str, Any]] = field(default_factory=list)

    def send(self, to: str, said: Any) -> None:
        if self.random.random() >= self.loss:
            self.on_their_way.append((to, said))
        if self.random.random() < self.repeat:
            self.on_their_way.append((to, said))

    def take(self) -> tuple[str, Any]:
        return self.on_their_way.pop(self.random.randrange(len(self.on_their_way)))
