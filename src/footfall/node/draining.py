"""Empties the spool into the log, in order, for as long as the log takes it."""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Sequence

from footfall.log.protocol import VISITS_SUBJECT
from footfall.node.publisher import Publisher
from footfall.node.spool import Spool
from footfall.node.spool_file import Row

logger = logging.getLogger(__name__)

CHECK_S = 0.5
FINISH_CHECK_S = 0.02
ADOPT_S = 10.0  # between looks for what other processes have left


class Draining:
    """The way from the spool to the log.

    Args:
        spool: What is drained.
        publisher: The log.
        hold: Why nothing may be published now; empty if it may be.
        answered: Called whenever the log has taken a message, or nothing waits for it.
    """

    def __init__(
        self, spool: Spool, publisher: Publisher, hold: Callable[[], str], answered: Callable[[], None]
    ) -> None:
        self._spool = spool
        self._publisher = publisher
        self._hold = hold
        self._answered = answered

    async def run(self) -> None:
        """Drain for ever."""
        adopted_s = -math.inf
        while True:
            await self._until_open()
            if time.monotonic() - adopted_s >= ADOPT_S:
                adopted_s = time.monotonic()
                await self._spool.adopt()
            window = await self._spool.window()
            if window is not None:
                lanes: dict[int, list[Row]] = {}
                for row in window.rows:
                    lanes.setdefault(row.partition, []).append(row)
                await asyncio.gather(*map(self._publish, lanes.values()))
                await self._spool.drained(window)
                continue
            self._answered()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_S):
                    await self._spool.filled.wait()

    async def finish(self, timeout_s: float) -> None:
        """Wait until the spool is empty, for a while; what is left in it is safe."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._spool.messages:  # noqa: ASYNC110 - it falls a window at a time
                    await asyncio.sleep(FINISH_CHECK_S)

    async def _publish(self, rows: Sequence[Row]) -> None:
        """One after the other: a message that overtook another would make that one a repeat."""
        for row in rows:
            await self._until_open()
            await self._publisher.publish(VISITS_SUBJECT.format(partition=row.partition), row.data)
            self._answered()

    async def _until_open(self) -> None:
        while self._hold():  # noqa: ASYNC110 - it is looked at once a second anyway
            await asyncio.sleep(CHECK_S)
