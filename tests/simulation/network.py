"""A connection to the memory log over a network that delays, loses and repeats."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Sequence
from contextvars import Context
from random import Random

from footfall.core.position import Position
from footfall.errors import LogUnavailableError
from footfall.log.memory import MemoryLog, Storage
from footfall.log.protocol import PUBLISH_TIMEOUT_S, Delivery

DELAY_S_MAX = 0.01
STALL_S_MAX = 10.0  # of a reader
LATE_S_MAX = 5.0  # of a message whose sender had given it up


class Network:
    """How bad it is now; ``random`` is the history's own."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.stalling = 0.001  # share of what is read
        self.failing = 0.0  # share of requests, and of answers, that are lost
        self.losing = 0.0  # share of messages between nodes
        self.repeating = 0.0
        self.late: dict[asyncio.Task[None], None] = {}  # a set's order would change from run to run

    def happens(self, probability: float) -> bool:
        return self.random.random() < probability

    async def delay(self) -> None:
        await asyncio.sleep(self.random.uniform(0, DELAY_S_MAX))


class Connection(MemoryLog):
    """One node's."""

    def __init__(self, storage: Storage, network: Network) -> None:
        super().__init__(storage, lambda: time.time_ns())  # looked up when it is called: it is virtual then
        self._network = network

    async def _reach(self) -> Storage:
        await self._network.delay()
        if self._network.happens(self._network.failing):
            raise LogUnavailableError("lost on the way")
        return await super()._reach()

    async def publish(self, subject: str, data: bytes, timeout_s: float = PUBLISH_TIMEOUT_S) -> int:
        try:
            return await super().publish(subject, data, timeout_s)
        except LogUnavailableError:
            if self.connected and self._network.happens(0.3):  # it may be stored once more, much later
                # Nobody's: it goes on when its sender is killed.
                task = Context().run(asyncio.create_task, self._arrive_late(subject, data))
                self._network.late[task] = None
                task.add_done_callback(lambda task: self._network.late.pop(task, None))
            raise

    async def read(self, subjects: Sequence[str], after: Position) -> AsyncGenerator[Delivery, None]:
        async with contextlib.aclosing(super().read(subjects, after)) as deliveries:
            async for delivery in deliveries:
                await self._network.delay()
                if self._network.happens(self._network.stalling):
                    await asyncio.sleep(self._network.random.uniform(0, STALL_S_MAX))
                yield delivery

    async def _arrive_late(self, subject: str, data: bytes) -> None:
        await asyncio.sleep(self._network.random.uniform(0, LATE_S_MAX))
        self.storage.append(subject, data, time.time_ns())

    async def send(self, subject: str, data: bytes) -> None:
        if not self._network.happens(self._network.losing):
            await super().send(subject, data)
        if self._network.happens(self._network.repeating):
            await super().send(subject, data)
