"""The client for programs with an event loop: drives the engine from a task, and asks what is asked at once."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Self, TypeVar, Unpack

import httpx

from footfall.client import policy, requests
from footfall.client.engine import Engine, Send, Statistics
from footfall.client.events import Event, EventParser
from footfall.client.milestones import AsyncMilestone
from footfall.client.nodes import AsyncNodes
from footfall.client.requests import Asking, Receipt
from footfall.client.settings import (
    FLUSH_TIMEOUT_S,
    HIT_TIMEOUT_S,
    KEEP_S_MIN,
    VALUE_TIMEOUT_S,
    Options,
    Settings,
    settings,
)
from footfall.errors import ConfigError, UnavailableError

logger = logging.getLogger("footfall.client")

SILENCE_S_MAX = 45.0  # of a stream of events: nodes say every 15 s that they are there

NOT_OPEN = "the client is closed, or was not opened yet: use it inside `async with`"

_Answer = TypeVar("_Answer")


def connect(
    url: str | Sequence[str] | None = None,
    *,
    token: str | None = None,
    ca: str | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    **options: Unpack[Options],
) -> "AsyncClient":
    """A client for one event loop: ``async with footfall.connect(url) as client``.

    Args:
        url: As for ``Client``.
        token: As for ``Client``.
        ca: As for ``Client``.
        transport: Replaces the network, for tests.
        options: See ``Settings``. ``on_full`` cannot be "block", as that would stop the loop.

    Raises:
        ConfigError: A value is none that it can have.
    """
    return AsyncClient(settings(url, token, ca, **options), transport)


class AsyncClient:
    """Counts visits at one of some nodes, inside one event loop; made by ``connect``, and used with ``async with``."""

    def __init__(self, chosen: Settings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        if chosen.on_full == "block":
            raise ConfigError('on_full is "block", which would stop the event loop; it must be drop or raise here')
        self.settings = chosen
        self._nodes = AsyncNodes(chosen, transport)
        self._engine = Engine(chosen, time.time)
        self._on_disk = chosen.spool is not None
        self._wake = asyncio.Event()
        self._changed = asyncio.Condition()
        self._urgent = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        if self._tasks:
            raise RuntimeError("the client was opened before: make another one with footfall.connect")
        self._loop = asyncio.get_running_loop()
        self._tasks = [self._loop.create_task(self._run())]
        if self._on_disk:
            self._tasks.append(self._loop.create_task(self._keep()))
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.flush(self.settings.exit_timeout_s)
        finally:
            self._loop = None
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._engine.close()
            self._engine.tell_left()
            await self._nodes.close()

    def increment(self, name: str, visitor: str | None = None, count: int = 1, key: str | None = None) -> None:
        """Count a visit, soon. Returns at once, whether nodes answer or not. See ``Client.increment``."""
        if self._loop is None:
            raise RuntimeError(NOT_OPEN)
        waiting = self._engine.buffer.put(name, visitor, count, key)
        if waiting == 1 or waiting == self._engine.enough:
            self._loop.call_soon_threadsafe(self._wake.set)
        elif waiting < 0:
            if self.settings.on_full == "raise":
                raise self._engine.buffer.full_error()
            self._engine.refuse(count)

    async def hit(
        self,
        name: str,
        visitor: str | None = None,
        count: int = 1,
        key: str | None = None,
        *,
        timeout_s: float = HIT_TIMEOUT_S,
    ) -> Receipt:
        """Count a visit, and wait until it is durable; tried again until then, it counts once. See ``Client.hit``."""
        asked = requests.asking_to_count(name, visitor, count, key)
        return requests.receipt_of(name, await self._nodes.ask(asked, timeout_s, requests.HitStored))

    async def value(self, name: str, exact: bool = False, *, timeout_s: float = VALUE_TIMEOUT_S) -> int:
        """A counter's value; 0 if nobody has visited it. See ``Client.value``."""
        return (await self._nodes.ask(requests.asking_for(name, exact), timeout_s, requests.Reading)).value

    def milestone(self, name: str, n: int) -> AsyncMilestone:
        """A counter's N-th visit, to set, read, wait for and claim. Asks nothing yet. See ``Client.milestone``."""
        return AsyncMilestone(self._nodes.ask, name, n)

    async def events(self, name: str) -> AsyncIterator[Event]:
        """What happens to a counter, from now on: its value, phases and winners.

        A stream that breaks off is taken up where it was, at the next node if there are several; so it ends only when
        the caller leaves it, or the nodes refuse.

        Args:
            name: The counter.

        Raises:
            CallerError: It is no name, or the nodes refuse to tell.
        """
        asked = requests.asking_for_events(name)
        parser, urls = EventParser(), self.settings.urls
        at, failures, retry_after_s = self._nodes.answered, 0, 0.0
        while True:
            try:
                async for event in self._stream(urls[at], asked, parser):
                    failures = 0
                    yield event
                retry_after_s = 0.0  # it was ended in order: the node stops
            except UnavailableError as error:
                retry_after_s = error.retry_after_s
            failures, at = failures + 1, (at + 1) % len(urls)
            await asyncio.sleep(policy.backoff_s(failures, retry_after_s, random.random()))  # noqa: S311

    async def flush(self, timeout_s: float = FLUSH_TIMEOUT_S) -> bool:
        """Send all that was put in before, and wait until it is stored; whether it is. See ``Client.flush``."""
        lost, target = self._engine.lost, self._engine.buffer.entered
        self._urgent += 1
        self._engine.hurry()
        self._wake.set()
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: self._engine.resolved >= target)
        except TimeoutError:
            return False
        finally:
            self._urgent -= 1
        return self._engine.lost == lost

    @property
    def statistics(self) -> Statistics:
        """What became of the visits so far."""
        return self._engine.statistics

    async def _stream(self, url: str, asked: Asking, parser: EventParser) -> AsyncIterator[Event]:
        headers = {"accept": "text/event-stream", **parser.headers}
        async with self._nodes.network.stream(url, asked, SILENCE_S_MAX, headers) as response:
            if not response.is_success:
                await response.aread()
                requests.raise_refusal(url, asked, response)
            parser.begin()
            async for line in response.aiter_lines():
                if (event := parser.line(line)) is not None:
                    yield event

    async def _run(self) -> None:
        while True:
            try:
                await self._drive()
            except Exception:  # a bug: visits must not wait for ever because of it
                logger.exception("visits cannot be sent for a reason that nobody foresaw")
                await asyncio.sleep(policy.PAUSE_MAX_S)

    async def _drive(self) -> None:
        while True:
            self._wake.clear()
            step = await self._in_its_place(self._engine.step, time.monotonic(), self._urgent > 0)
            async with self._changed:
                self._changed.notify_all()
            if isinstance(step, Send):
                error = await self._nodes.deliver(step)
                await self._in_its_place(self._engine.finish, time.monotonic(), error)
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(step):
                        await self._wake.wait()

    async def _in_its_place(self, function: Callable[..., _Answer], *arguments: object) -> _Answer:
        """Call it: in a thread, where it waits for the disk."""
        return await asyncio.to_thread(function, *arguments) if self._on_disk else function(*arguments)

    async def _keep(self) -> None:
        """Write visits to the disk in time, though the other task waits for an answer."""
        while True:
            await asyncio.sleep(max(KEEP_S_MIN, self.settings.flush_interval_s))
            await asyncio.to_thread(self._engine.keep, time.monotonic())
