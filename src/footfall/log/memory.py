"""A log, a store and a bus in memory: for simulation, and for tests without a server. It keeps the promises of the
protocol (the same contract tests run on it and on JetStream), but for durability: everything ends with the process.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

from footfall.core.position import Position, at, check
from footfall.errors import LogFullError, LogUnavailableError
from footfall.log.known import Known
from footfall.log.protocol import MESSAGE_BYTES_MAX, PUBLISH_TIMEOUT_S, Delivery, Handler, LogState, Message

logger = logging.getLogger(__name__)

IDLE_S = 1.0  # after which a reader is told that there is nothing new
READ_MAX = 256  # messages of one delivery
MESSAGE_OVERHEAD_BYTES = 32  # beside subject and data, about what a file store takes
BUS_MESSAGES_MAX = 8_192  # waiting for a handler; the newest are dropped


class Storage:
    """What a server holds, for any number of connections. Plain calls, without time or tasks: a simulation drives it.

    Attributes:
        partitions: P.
        created: Names this log; another one must have another.
        ancestors: The logs that it goes on from: see ``Log.ancestors``.
        first: Sequence of the first message still held.
        messages: All that are held, their sequences consecutive.
        blobs: The store.
        restarts: Whoever has read before a restart must compare his position again.
    """

    def __init__(
        self,
        partitions: int = 16,
        bytes_max: int = -1,
        created: str = "2026-01-01T00:00:00Z",
        ancestors: Mapping[str, int] | None = None,
        first: int = 1,
    ) -> None:
        self.partitions = partitions
        self.created = created
        self.ancestors = dict(ancestors or {})
        self.bytes = 0
        self.bytes_max = bytes_max
        self.first = first
        self.messages: list[Message] = []
        self.blobs: dict[str, bytes] = {}
        self.restarts = 0
        self.waiting: set[asyncio.Event] = set()  # readers, to be told of what is new
        self.subscriptions: dict[str, list[_Subscription]] = {}

    @property
    def last(self) -> int:
        """Sequence of the last message; one below ``first`` if none is held."""
        return self.first + len(self.messages) - 1

    def append(self, subject: str, data: bytes, time_ns: int = 0) -> Message:
        """Store a message. Raises LogFullError."""
        assert len(data) <= MESSAGE_BYTES_MAX
        message = Message(self.last + 1, subject, data, time_ns)
        if 0 <= self.bytes_max < self.bytes + _size(message):
            raise LogFullError(f"the log refused: it may hold {self.bytes_max} bytes, and holds {self.bytes}")
        self.messages.append(message)
        self.bytes += _size(message)
        self.wake()
        return message

    def above(self, sequence: int) -> list[Message]:
        """The messages held above a sequence."""
        return self.messages[max(0, sequence + 1 - self.first) :]

    def message(self, sequence: int) -> Message | None:
        """The message at a sequence, if it is held."""
        return self.messages[sequence - self.first] if self.first <= sequence <= self.last else None

    def trim(self, before_sequence: int) -> None:
        """Drop what is below a sequence."""
        kept = self.above(before_sequence - 1)
        self.first += len(self.messages) - len(kept)
        self._hold(kept)

    def truncate(self, last_sequence: int) -> None:
        """Lose every message above a sequence, as a server may whose disk lied, and restart."""
        self._hold(self.messages[: max(0, last_sequence + 1 - self.first)])
        self.restart()

    def _hold(self, messages: list[Message]) -> None:
        self.messages = messages
        self.bytes = sum(map(_size, messages))

    def restart(self) -> None:
        """Make every reader begin anew."""
        self.restarts += 1
        self.wake()

    def wake(self) -> None:
        """Tell the readers to look."""
        for event in self.waiting:
            event.set()

    def check(self, position: Position) -> None:
        """Raises as ``footfall.core.position.check`` does."""
        check(position, self.created, self.first, self.last, self.message(position.sequence))

    def keys(self, prefix: str) -> list[str]:
        """The keys of the blobs below a prefix, sorted."""
        return sorted(key for key in self.blobs if key.startswith(prefix + "."))


class MemoryLog:
    """Log, Store and Bus (see ``footfall.log.protocol``): one node's connection to a ``Storage``."""

    def __init__(self, storage: Storage, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self.storage = storage
        self.connected = True
        self._clock_ns = clock_ns
        self._known = Known()
        self._ends: set[Callable[[], Awaitable[None]]] = set()  # of this connection's subscriptions

    @property
    def partitions(self) -> int:
        """See ``Log.partitions``."""
        return self.storage.partitions

    @property
    def created(self) -> str:
        """See ``Log.created``."""
        return self.storage.created

    @property
    def ancestors(self) -> Mapping[str, int]:
        """See ``Log.ancestors``."""
        return self.storage.ancestors

    async def close(self) -> None:
        """End the connection."""
        self.disconnect()
        for end in tuple(self._ends):
            await end()

    def disconnect(self) -> None:
        """Cut this connection off, until ``reconnect``."""
        self._known.doubt()
        self.connected = False

    def reconnect(self) -> None:
        """The connection is back: readers begin anew."""
        self.connected = True
        self.storage.restart()

    async def _reach(self) -> Storage:
        """What every request does first: it takes a turn of the loop, and a connection."""
        await asyncio.sleep(0)
        if not self.connected:
            raise LogUnavailableError("the log cannot be reached")
        return self.storage

    # The log

    async def publish(self, subject: str, data: bytes, timeout_s: float = PUBLISH_TIMEOUT_S) -> int:
        """See ``Log.publish``."""
        before = self._known.sequence
        message = (await self._reach()).append(subject, data, self._clock_ns())
        await self._reach()
        self._known.acknowledged(message, before)
        return message.sequence

    async def read(self, subjects: Sequence[str], after: Position) -> AsyncGenerator[Delivery, None]:
        """See ``Log.read``."""
        storage, position, reached, restarts = self.storage, after, after.sequence, -1
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()
        storage.waiting.add(woken)
        try:
            idle_at_s = loop.time() + IDLE_S
            while True:
                woken.clear()
                if self.connected:
                    if restarts != storage.restarts or reached < storage.first - 1:
                        self._check()
                        storage.check(position)
                        self._known.remember(position)
                        restarts, reached = storage.restarts, position.sequence
                    waiting = [message for message in storage.above(reached) if message.subject in subjects]
                    messages, reached = waiting[:READ_MAX], storage.last
                    if messages:
                        self._known.remember(messages[-1])
                        position = at(position.created, messages[-1])
                        reached = reached if len(messages) == len(waiting) else position.sequence
                        yield Delivery(messages, len(waiting) - len(messages))
                        idle_at_s = loop.time() + IDLE_S
                        continue
                if not await _set_until(woken, idle_at_s):
                    if self.connected:
                        yield Delivery((), 0)
                    idle_at_s = loop.time() + IDLE_S
        finally:
            storage.waiting.discard(woken)

    @property
    def known(self) -> Position:
        """See ``Log.known``."""
        return self._known.position(self.created)

    def remember(self, position: Position) -> None:
        """See ``Log.remember``."""
        self._known.remember(position)

    async def check(self, position: Position) -> None:
        """See ``Log.check``."""
        (await self._reach()).check(position)
        self._check()

    async def verify(self) -> None:
        """See ``Log.verify``."""
        await self._reach()
        self._check()

    def _check(self) -> None:
        storage, known = self.storage, self._known.to_check(self.created)
        found = [storage.message(one.sequence) for one in known]
        self._known.check(known, storage.created, storage.first, storage.last, found)

    async def message(self, sequence: int) -> Message | None:
        """See ``Log.message``."""
        return (await self._reach()).message(sequence)

    async def state(self) -> LogState:
        """See ``Log.state``."""
        storage = await self._reach()
        return LogState(storage.first, storage.last, storage.bytes, storage.bytes_max)

    async def change_server(self) -> None:
        """See ``Log.change_server``. It has one."""

    async def trim(self, before_sequence: int) -> None:
        """See ``Log.trim``."""
        (await self._reach()).trim(before_sequence)

    # The store

    async def put(self, key: str, data: bytes) -> None:
        """See ``Store.put``."""
        assert len(data) <= MESSAGE_BYTES_MAX
        (await self._reach()).blobs[key] = data

    async def get(self, key: str) -> bytes | None:
        """See ``Store.get``."""
        return (await self._reach()).blobs.get(key)

    async def delete(self, key: str) -> None:
        """See ``Store.delete``."""
        (await self._reach()).blobs.pop(key, None)

    async def keys(self, prefix: str) -> list[str]:
        """See ``Store.keys``."""
        return (await self._reach()).keys(prefix)

    async def size(self) -> int:
        """See ``Store.size``."""
        return sum(len(key) + len(data) for key, data in (await self._reach()).blobs.items())

    # The bus

    async def send(self, subject: str, data: bytes) -> None:
        """See ``Bus.send``."""
        if self.connected:
            for subscription in self.storage.subscriptions.get(subject, ()):
                subscription.take(data, None)

    async def subscribe(self, subject: str, handler: Handler) -> Callable[[], Awaitable[None]]:
        """See ``Bus.subscribe``."""
        subscription = _Subscription(self, subject, handler)
        self.storage.subscriptions.setdefault(subject, []).append(subscription)

        async def end() -> None:
            self._ends.discard(end)
            with contextlib.suppress(ValueError):
                self.storage.subscriptions[subject].remove(subscription)
            subscription.task.cancel()
            await asyncio.gather(subscription.task, return_exceptions=True)

        self._ends.add(end)
        return end

    async def ask(self, subject: str, data: bytes, timeout_s: float) -> bytes:
        """See ``Bus.ask``."""
        await self._reach()
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        asked = [one for one in self.storage.subscriptions.get(subject, ()) if one.take(data, answer)]
        if not asked:
            raise LogUnavailableError(f"{subject} does not answer: nobody listens")
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            raise LogUnavailableError(f"{subject} does not answer in {timeout_s:g} s") from None


class _Subscription:
    """Calls a handler for one message after the other."""

    def __init__(self, log: MemoryLog, subject: str, handler: Handler) -> None:
        self._log = log
        self._subject = subject
        self._handler = handler
        self._queue: asyncio.Queue[tuple[bytes, asyncio.Future[bytes] | None]] = asyncio.Queue(BUS_MESSAGES_MAX)
        self.task = asyncio.create_task(self._run())

    def take(self, data: bytes, answer: asyncio.Future[bytes] | None) -> bool:
        """Queue a message; whether there was room and a connection."""
        if not self._log.connected or self._queue.full():
            return False
        self._queue.put_nowait((data, answer))
        return True

    async def _run(self) -> None:
        while True:
            data, answer = await self._queue.get()
            try:
                said = await self._handler(data)
            except Exception:
                logger.exception("a handler of %s failed", self._subject)
                continue
            if said is not None and answer is not None and not answer.done():
                answer.set_result(said)


async def _set_until(event: asyncio.Event, deadline_s: float) -> bool:
    try:
        async with asyncio.timeout_at(deadline_s):
            return await event.wait()
    except TimeoutError:
        return False


def _size(message: Message) -> int:
    return len(message.subject) + len(message.data) + MESSAGE_OVERHEAD_BYTES
