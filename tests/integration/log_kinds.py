"""Every kind of log under one roof, so that the same tests run on all of them; and readers for those tests."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

import nats

from footfall.config import Config
from footfall.core.position import Position
from footfall.errors import LogUnavailableError
from footfall.log import api, jetstream, opening, streams
from footfall.log.memory import MemoryLog, Storage
from footfall.log.protocol import CONTROL_SUBJECT, VISITS_SUBJECT, Bus, Delivery, Log, Message, Store

CONTROL = CONTROL_SUBJECT
ONE, TWO, THREE = (VISITS_SUBJECT.format(partition=number) for number in (1, 2, 3))
TIMEOUT_S = 30.0  # of anything that must come: a test that hangs has failed


class Connection(Log, Store, Bus, Protocol):
    """One connection to a log, with the store and the bus beside it."""

    async def close(self) -> None: ...


class Logs(Protocol):
    """Connections to one log of some kind."""

    async def connect(self, log_bytes_max: int = 100 << 20) -> Connection:
        """One more connection; the first makes the log."""

    async def remove(self) -> None:
        """Close all connections and drop the log."""


class MemoryLogs:
    """Connections to one log in memory."""

    def __init__(self) -> None:
        self._storage: Storage | None = None
        self._open: list[MemoryLog] = []

    async def connect(self, log_bytes_max: int = 100 << 20) -> MemoryLog:
        if self._storage is None:
            self._storage = Storage(bytes_max=log_bytes_max)
        self._open.append(MemoryLog(self._storage))
        return self._open[-1]

    async def remove(self) -> None:
        for log in self._open:
            await log.close()


class JetStreamLogs:
    """Connections to one log on a server or a cluster, each to another of its servers."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = urls
        self._open: list[jetstream.JetStreamLog] = []

    async def connect(self, log_bytes_max: int = 100 << 20) -> jetstream.JetStreamLog:
        url = self._urls[len(self._open) % len(self._urls)]
        self._open.append(await opening.connect(Config(log_bytes_max=log_bytes_max), [url], name="test"))
        return self._open[-1]

    async def remove(self) -> None:
        for log in self._open:
            await log.close()
        client = await nats.connect(self._urls[0])
        async with asyncio.timeout(TIMEOUT_S):
            for stream in (streams.STREAM, streams.CUTS):
                while not await _deleted(client, stream):
                    pass  # a cluster may have no leader just now
        await client.close()


async def _deleted(client: nats.NATS, stream: str) -> bool:
    answer = json.loads((await client.request(f"$JS.API.STREAM.DELETE.{stream}", timeout=TIMEOUT_S)).data)
    return "error" not in answer or answer["error"]["err_code"] == api.STREAM_NOT_FOUND


@contextlib.asynccontextmanager
async def reading(log: Log, subjects: Sequence[str], after: Position) -> AsyncIterator[AsyncIterator[Delivery]]:
    """A reader that is closed at the end; nothing in the block may take longer than a minute."""
    async with asyncio.timeout(2 * TIMEOUT_S):
        deliveries = log.read(subjects, after)
        async with contextlib.aclosing(deliveries):  # type: ignore[type-var]
            yield deliveries


async def read(log: Log, subjects: Sequence[str], after: Position, last: int) -> list[Message]:
    """What a reader gets, up to the message with the sequence ``last``, which must be one of its subjects."""
    messages: list[Message] = []
    async with reading(log, subjects, after) as deliveries:
        async for delivery in deliveries:
            messages += delivery.messages
            if messages and messages[-1].sequence >= last:
                break
    return messages


async def publish(log: Log, subject: str, count: int, label: str = "") -> list[int]:
    """Store ``count`` messages, one after the other; returns their sequences."""
    return [await log.publish(subject, f"{label or subject} {number}".encode()) for number in range(count)]


def start(log: Log) -> Position:
    """The position before the first message."""
    return Position(log.created)


async def until(true: Callable[[], bool]) -> None:
    """Return once it is true."""
    async with asyncio.timeout(2 * TIMEOUT_S):
        while True:
            if true():
                return
            await asyncio.sleep(0.005)


async def stored(log: Log, subject: str, data: bytes) -> int:
    """Publish as a producer does: the same bytes again until they are acknowledged."""
    async with asyncio.timeout(2 * TIMEOUT_S):
        while True:
            try:
                return await log.publish(subject, data, timeout_s=1.0)
            except LogUnavailableError:
                await asyncio.sleep(0.02)


async def drain(deliveries: AsyncIterator[Delivery]) -> None:
    """Read until that fails."""
    async for _ in deliveries:
        pass
