"""What the core runs on, in memory and without time: the ordered log, the store for cuts, the bus between nodes."""

from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from footfall.core.position import Position, at, check

CONTROL = "footfall.control"


def subject_of(partition: int) -> str:
    return f"footfall.visits.{partition}"


class Message(NamedTuple):
    sequence: int
    subject: str
    data: bytes


class Log:
    """The log. ``messages`` are those it holds; ``archive`` also those that were trimmed, for the oracle."""

    def __init__(self) -> None:
        self.created = "2026-01-01"
        self.first = 1
        self.messages: list[Message] = []
        self.archive: list[Message] = []
        self.restarts = 0  # whoever read before must check his position again

    @property
    def last(self) -> int:
        return self.first + len(self.messages) - 1

    def append(self, subject: str, data: bytes) -> Message:
        message = Message(self.last + 1, subject, data)
        self.messages.append(message)
        self.archive.append(message)
        return message

    def message(self, sequence: int) -> Message | None:
        return self.messages[sequence - self.first] if self.first <= sequence <= self.last else None

    def trim(self, before: int) -> None:
        dropped = max(0, min(before, self.last + 1) - self.first)
        del self.messages[:dropped]
        self.first += dropped

    def truncate(self, after: int) -> list[Message]:
        """The tail vanishes, as if a disk had lied; returns it."""
        lost = [message for message in self.archive if message.sequence > after]
        self.messages = [message for message in self.messages if message.sequence <= after]
        self.archive = [message for message in self.archive if message.sequence <= after]
        self.restarts += 1
        return lost

    def check(self, position: Position) -> None:
        check(position, self.created, self.first, self.last, self.message(position.sequence))


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
    """Blobs by key. ``sound`` is what was stored, to be restored from after the world has damaged ``blobs``."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.sound: dict[str, bytes] = {}

    def put(self, key: str, data: bytes) -> None:
        self.blobs[key] = self.sound[key] = data

    def delete(self, key: str) -> None:
        self.blobs.pop(key, None)
        self.sound.pop(key, None)

    def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self.blobs if key.startswith(prefix + "."))

    @property
    def damaged(self) -> bool:
        return self.blobs != self.sound


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
