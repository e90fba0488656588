"""Looks at the log now and then: whether it answers, how full it is, and how far it is known; acts on each."""

import asyncio
import contextlib
import logging
import time

from footfall.errors import LogUnavailableError
from footfall.log.protocol import Log, LogState
from footfall.node.acknowledged import Acknowledged
from footfall.node.aggregator import Aggregator
from footfall.node.storing import Storing

logger = logging.getLogger(__name__)

LOOK_S = 1.0
FILL_MAX = 0.9  # of the log, for visits; the rest is for control messages, or a full log could never be trimmed
FULL = "the log is 90 % full: it takes visits when it was trimmed or made larger"
SILENT_S = 10.0  # an election takes less
CHANGE_S_MAX = 300.0  # between two changes of the log's server, while none answers
UNWRITTEN = (
    "the data directory cannot be written: after a restart this node would not notice that the log lost its tail"
)


class LogWatch:
    """Of one node.

    Args:
        log: The log.
        acknowledged: Where is kept how far it is known.
        aggregator: If it has failed, the log is given no more visits.
        storing: What is told not to give it any.

    Attributes:
        state: As it was last heard; None before.
    """

    def __init__(self, log: Log, acknowledged: Acknowledged, aggregator: Aggregator, storing: Storing) -> None:
        self.state: LogState | None = None
        self._log = log
        self._acknowledged = acknowledged
        self._aggregator = aggregator
        self._storing = storing
        self._unwritten = ""
        self._answered_s = time.monotonic()
        self._change_s = SILENT_S  # the silence after which another server is tried

    async def watch(self) -> None:
        """Write down how far the log is known, and look at it."""
        await asyncio.to_thread(self.remember)
        await self.look()

    async def look(self) -> None:
        """Ask the log. One that does not answer for long is asked at another server."""
        state = None
        with contextlib.suppress(LogUnavailableError):
            state = self.state = await self._log.state()
        if state is None or not state.quorum:  # from the past, if anything
            if self._silent_s >= self._change_s and self._log.connected:
                self._change_s += min(self._change_s, CHANGE_S_MAX)
                await self._log.change_server()
            return
        self._answered_s, self._change_s = time.monotonic(), SILENT_S
        full = 0 <= state.bytes_max * FILL_MAX < state.bytes
        failure = self._aggregator.failure
        self._storing.hold = str(failure) if failure else FULL if full else ""

    def remember(self) -> None:
        """Write down how far the log is known."""
        if (known := self._log.known).sequence:
            try:
                self._acknowledged.write(known)
                self._unwritten = ""
            except OSError as error:
                if not self._unwritten:
                    logger.warning("the acknowledged position cannot be written: %s", error)
                self._unwritten = UNWRITTEN

    def warnings(self) -> list[str]:
        """What a person should know; not of a silence that the spool tells of."""
        told = self._storing.spool is not None and self._storing.away
        silent = "" if told or self._silent_s < SILENT_S else f"the log has not answered for {self._silent_s:.0f} s"
        return [warning for warning in (self._unwritten, silent) if warning]

    @property
    def _silent_s(self) -> float:
        return time.monotonic() - self._answered_s
