"""Waiting: until a sequence has been reached, until the log answers, and until tasks have ended."""

import asyncio
import contextlib
import heapq
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

from footfall.errors import LogUnavailableError

PATIENCE_S = 20.0  # an election takes half of it
PAUSE_S = 0.5
Answer = TypeVar("Answer")


class Reached:
    """A sequence that only grows, and those who wait for it."""

    def __init__(self, sequence: int = 0) -> None:
        self.sequence = sequence
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = 0

    def set(self, sequence: int) -> None:
        """The sequence is reached; whoever waits for it or less goes on."""
        self.sequence = sequence
        while self._waiting and self._waiting[0][0] <= sequence:
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                future.set_result(None)

    async def wait(self, sequence: int) -> None:
        """Return once ``sequence`` is reached."""
        if sequence > self.sequence:
            future = asyncio.get_running_loop().create_future()
            self._count += 1
            heapq.heappush(self._waiting, (sequence, self._count, future))
            await future


async def patiently(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """What ``ask`` returns; while the log does not answer it is asked again, for 20 s. Raises as ``ask``."""
    give_up_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await ask()
        except LogUnavailableError:
            if time.monotonic() > give_up_s:
                raise
        await asyncio.sleep(PAUSE_S)


@contextlib.asynccontextmanager
async def turn(lock: asyncio.Lock, timeout_s: float, what: str) -> AsyncIterator[None]:
    """Have a lock, for which others wait that the log does not answer either.

    Raises:
        LogUnavailableError: One's turn did not come in time: ``what`` is ahead.
    """
    try:
        async with asyncio.timeout(timeout_s):
            await lock.acquire()
    except TimeoutError:
        raise LogUnavailableError(f"the log does not answer: other {what} wait for it, too") from None
    try:
        yield
    finally:
        lock.release()


CANCEL_AGAIN_S = 0.2


async def ended(tasks: Iterable[asyncio.Task[None] | None]) -> None:
    """Cancel tasks, and return once they have ended.

    Again and again, if need be: before Python 3.12 ``asyncio.wait_for``, which the client of NATS uses, swallows a
    cancellation that comes in the same turn of the loop as what it waits for.
    """
    left = {task for task in tasks if task is not None and not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_S)
