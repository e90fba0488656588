"""What an edge does with visits that wait: straight into the log, or through a node that must see to them first."""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NoReturn, TypeVar

from footfall.client.buffer import Buffer, Waiting
from footfall.client.settings import Settings
from footfall.client.sync import Client
from footfall.core.definitions import Definition, Definitions
from footfall.edge.nodes import Nodes, Site
from footfall.edge.straight import Straight
from footfall.errors import FootfallError
from footfall.log.access import Access
from footfall.log.opening import connect_to_publish

logger = logging.getLogger("footfall.client")

FLUSH_VISITS_MAX = 50_000  # of one flush: the next gathers meanwhile
COUNTERS_MAX = 100_000  # whose definitions are known; visits to others go through a node
ASKED_MAX = 10_000  # names that nobody had defined when they were asked for
LEARN_MAX = 100  # names that are asked for ahead of one flush
AGAIN_S = 1.0  # between two attempts to reach servers or nodes, and to hear of a counter
SITE_S = 5.0  # between two looks at how the log is
SITE_AGE_S_MAX = 3_600.0  # after which the epoch that is known here may be days old

_Answer = TypeVar("_Answer")


class Driver:
    """Runs in a loop of its own; ``wake`` and ``hurry`` are for other threads.

    Attributes:
        resolved: How many of the visits that entered the buffer are stored, or were given to the node's client.
        stored: Visits that the log has acknowledged here, with their counts.

    Args:
        servers: Of the log.
        access: What is needed beside their URLs.
        settings: How nodes are reached, and how long a visit waits for others.
        buffer: What waits.
        client: Takes what has to go through a node.
        moved: Called when ``resolved`` has changed.
    """

    def __init__(
        self,
        servers: Sequence[str],
        access: Access,
        settings: Settings,
        buffer: Buffer,
        client: Client,
        moved: Callable[[], None],
    ) -> None:
        self.resolved = self.stored = 0
        self._servers, self._access, self._settings = servers, access, settings
        self._buffer, self._client, self._moved = buffer, client, moved
        self._definitions = Definitions()
        self._asked: dict[str, float] = {}
        self._nodes_at_s = 0.0  # not asked for definitions before
        self._site: Site
        self._site_s = -math.inf
        self._straight: Straight
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._hurried = asyncio.Event()

    def wake(self) -> None:
        """A visit came."""
        self._soon(self._woken.set)

    def hurry(self) -> None:
        """So many came that they need not wait for others, or someone waits for them."""
        self._soon(self._hurried.set)
        self._soon(self._woken.set)

    def end(self) -> None:
        """Do no more."""
        if self._task is not None:
            self._soon(self._task.cancel)

    def _soon(self, act: Callable[[], object]) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(act)

    async def run(self) -> NoReturn:
        """Store what comes, until ``end``. Raises LogRewoundError."""
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        nodes = Nodes(self._settings)
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(nodes.close)
            self._seen(await _until(nodes.site))
            partitions = self._site.partitions
            log = await _until(lambda: connect_to_publish(self._servers, partitions, name="edge", access=self._access))
            stack.push_async_callback(log.close)
            self._straight = Straight(log, self._site.epoch)
            looking = asyncio.create_task(self._look(nodes))
            stack.callback(looking.cancel)
            while True:
                await self._flush(nodes)  # what came before the loop ran, too
                await self._gathered()

    async def _gathered(self) -> None:
        await self._woken.wait()
        self._woken.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.flush_interval_s):
                await self._hurried.wait()
        self._hurried.clear()

    async def _flush(self, nodes: Nodes) -> None:
        while taken := self._buffer.take(FLUSH_VISITS_MAX):
            await self._learn(nodes, {visit.counter for visit in taken})
            straight, others = self._parted(taken)
            for visit in others:
                self._client.increment(visit.counter, visit.visitor, visit.count, visit.key)
            if straight:
                await self._room()
                await self._straight.store(straight)
                self.stored += sum(visit.count for _, visit in straight)
            self._buffer.held = 0
            self.resolved += len(taken)
            self._moved()

    def _parted(self, visits: Iterable[Waiting]) -> tuple[list[tuple[Definition, Waiting]], list[Waiting]]:
        """Those that the log can be given, and those that a node has to look at: it defines counters, and refuses."""
        straight, others = [], []
        find = self._definitions.find
        for visit in visits:
            leaf = find(visit.counter)
            if leaf is None or (leaf.visitors and visit.visitor is None):
                others.append(visit)
            else:
                straight.append((leaf, visit))
        return straight, others

    async def _learn(self, nodes: Nodes, counters: set[str]) -> None:
        """Ask for the definitions of counters that are not known; what is defined never changes."""
        now_s = time.monotonic()
        unknown = [name for name in counters if self._definitions.number(name) is None]
        if not unknown or now_s < self._nodes_at_s or len(self._definitions) >= COUNTERS_MAX:
            return
        due = [name for name in unknown if now_s - self._asked.get(name, -math.inf) >= AGAIN_S]
        for name in due[:LEARN_MAX]:
            if len(self._asked) >= ASKED_MAX:
                self._asked.clear()
            self._asked[name] = now_s
            try:
                self._definitions.restore(await nodes.path(name))
            except FootfallError as error:
                logger.warning("no node tells of the counter %s; visits to it go through one: %s", name, error)
                self._nodes_at_s = now_s + SITE_S
                return

    async def _room(self) -> None:
        """Return once the log may be given visits."""
        told = False
        while why := self._refusal():
            if not told:
                logger.warning("visits wait: %s", why)
                told = True
            await asyncio.sleep(AGAIN_S)

    def _refusal(self) -> str:
        if self._site.full:
            return "the log is 90 % full; it takes visits when it was trimmed or made larger"
        if time.monotonic() - self._site_s > SITE_AGE_S_MAX:
            return "no node has told the epoch for an hour"
        return ""

    async def _look(self, nodes: Nodes) -> None:
        while True:
            await asyncio.sleep(SITE_S)
            with contextlib.suppress(FootfallError):
                self._seen(await nodes.site())
                self._straight.epoch = self._site.epoch

    def _seen(self, site: Site) -> None:
        self._site, self._site_s = site, time.monotonic()


async def _until(ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
    """What it returns, once it raises no error of ours."""
    told = False
    while True:
        try:
            return await ask()
        except FootfallError as error:
            if not told:
                logger.warning("visits wait in memory, as they cannot be published yet: %s", error)
                told = True
            await asyncio.sleep(AGAIN_S)
