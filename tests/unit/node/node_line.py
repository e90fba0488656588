"""A connection to the memory log whose requests a test delays, loses and looks at."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from footfall.core import control
from footfall.core.batch import Batch
from footfall.core.batch import decode as decode_batch
from footfall.core.control import Control, Define
from footfall.core.definitions import Definitions
from footfall.core.names import Unit
from footfall.core.partition import Alarm, Partition
from footfall.core.position import Position
from footfall.errors import LogUnavailableError
from footfall.log.memory import MemoryLog, Storage
from footfall.log.protocol import CONTROL_SUBJECT, PUBLISH_TIMEOUT_S, VISITS_SUBJECT, Delivery

SOON_S = 0.001  # all that is ready happens within it


async def soon() -> None:
    """Let everything happen that waits for nothing."""
    await asyncio.sleep(SOON_S)


async def ready(key: str) -> None:
    """For ``Line.before_get``: nothing happens."""


class Line(MemoryLog):
    """The connection.

    Attributes:
        attempts: What was asked to be published, every time.
        lost: How many of the next attempts do not get to the log.
        unanswered: How many of the next attempts are stored, and the answer is lost.
        puts: Keys of the blobs that were put, every time.
        damaged: Blobs whose keys begin so are stored without their last byte.
        before_get: What happens before a blob is read.
    """

    def __init__(self, storage: Storage) -> None:
        super().__init__(storage)
        self.attempts: list[tuple[str, bytes]] = []
        self.lost = self.unanswered = 0
        self.puts: list[str] = []
        self.damaged: tuple[str, ...] = ()
        self.before_get: Callable[[str], Awaitable[None]] = ready
        self._publishing, self._putting = asyncio.Event(), asyncio.Event()
        self._reading, self._defining = asyncio.Event(), asyncio.Event()
        self.release()

    def hold(self) -> None:
        """What is published from now on waits."""
        self._publishing.clear()

    def hold_blobs(self) -> None:
        """What is put from now on waits."""
        self._putting.clear()

    def hold_reads(self) -> None:
        """What is read from now on waits."""
        self._reading.clear()
        self._defining.clear()

    def hold_definitions(self) -> None:
        """What is read from now on of the control subject alone waits."""
        self._defining.clear()

    def release(self) -> None:
        """What waits goes on."""
        self._reading.set()
        self._defining.set()
        self._publishing.set()
        self._putting.set()

    def break_off(self) -> None:
        """From now on no attempt to publish gets to the log."""
        self.lost = 1_000_000

    def mend(self) -> None:
        """From now on every attempt does."""
        self.lost = 0

    async def publish(self, subject: str, data: bytes, timeout_s: float = PUBLISH_TIMEOUT_S) -> int:
        self.attempts.append((subject, data))
        await self._publishing.wait()
        if self.lost:
            self.lost -= 1
            raise LogUnavailableError("lost on the way there")
        sequence = await super().publish(subject, data, timeout_s)
        if self.unanswered:
            self.unanswered -= 1
            raise LogUnavailableError("lost on the way back")
        return sequence

    async def read(self, subjects: Sequence[str], after: Position) -> AsyncGenerator[Delivery, None]:
        reading = self._defining if list(subjects) == [CONTROL_SUBJECT] else self._reading
        async with contextlib.aclosing(super().read(subjects, after)) as deliveries:
            async for delivery in deliveries:
                await reading.wait()
                yield delivery

    async def put(self, key: str, data: bytes) -> None:
        self.puts.append(key)
        await self._putting.wait()
        if self.damaged and key.startswith(self.damaged):
            data = data[:-1]
        await super().put(key, data)

    async def get(self, key: str) -> bytes | None:
        await self.before_get(key)
        return await super().get(key)


def batches(storage: Storage) -> list[Batch]:
    """The batches that the log holds, in order."""
    return [decode_batch(message.data) for message in storage.messages if message.subject != CONTROL_SUBJECT]


def controls(storage: Storage) -> list[Control]:
    """The control messages that the log holds, in order."""
    return [control.decode(message.data) for message in storage.messages if message.subject == CONTROL_SUBJECT]


class Fold:
    """The whole log, counted by the core: what nodes must come to."""

    def __init__(self, storage: Storage) -> None:
        self.definitions = Definitions()
        self.partitions = [Partition(number, storage.partitions) for number in range(storage.partitions)]
        self.alarms: list[Alarm] = []
        subjects = {VISITS_SUBJECT.format(partition=partition.number): partition for partition in self.partitions}
        for message in storage.messages:
            if message.subject == CONTROL_SUBJECT:
                said = control.decode(message.data)
                self.alarms += self.definitions.fold(message.sequence, said)
                for partition in self.partitions:
                    partition.fold_control(message.sequence, said, self.definitions)
            else:
                partition = subjects[message.subject]
                self.alarms += partition.fold(message.sequence, message.data, self.definitions)

    def value(self, name: str) -> int:
        """The counter's value."""
        number = self.definitions.number(name)
        assert number is not None
        return sum(partition.counts[number] for partition in self.partitions if number < len(partition.counts))


def counted(storage: Storage, name: str) -> int:
    """What the log holds of a counter; it must hold nothing that should not be there."""
    fold = Fold(storage)
    assert not fold.alarms
    return fold.value(name)


def define(storage: Storage, *names: str, visitors: tuple[str, ...] = ()) -> Definitions:
    """Write definitions of counters into an empty log; returns them."""
    assert not storage.messages
    units = tuple((name, Unit.VISITORS if name in visitors else Unit.VISITS) for name in names)
    message = Define("someone", 1, units)
    definitions = Definitions()
    definitions.fold(storage.append(CONTROL_SUBJECT, control.encode(message)).sequence, message)
    return definitions
