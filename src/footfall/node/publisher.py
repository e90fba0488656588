"""Publishes messages until the log acknowledges them, and knows whether it answers; knows nothing of what they hold."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence

from footfall.core import control
from footfall.core.control import Control
from footfall.core.position import Position, digest
from footfall.core.sealing import Sealed
from footfall.errors import LogUnavailableError, OverloadedError
from footfall.log.protocol import CONTROL_SUBJECT, VISITS_SUBJECT, Log
from footfall.node.waiting import turn

logger = logging.getLogger(__name__)

CONTROL_TIMEOUT_S = 10.0  # after which whoever writes a control message is told that the log is away
CONTROLS_MAX = 1_000  # waiting; a log that is silent must not gather more
RETRY_FIRST_S, RETRY_MAX_S = 0.02, 0.5
AWAY_S = 1.0  # without an answer
ATTEMPT_S = 2.0  # then the same bytes are sent again, for the log may have another leader by now


class Publisher:
    """A node's way into the log."""

    def __init__(self, log: Log, name: str) -> None:
        self.retries = 0
        self.answered_s = 0.0  # when the log acknowledged something last
        self.acknowledged: tuple[int, str, bytes] = (0, "", b"")  # the highest: sequence, subject, data
        self._log = log
        self._trying = 0  # messages
        self._away_since_s: float | None = None
        self._told = False  # that the log takes nothing
        self._control_lock = asyncio.Lock()
        self._control_sequence = self._controls = 0
        self._control_name = name
        self._unsettled: bytes | None = None  # a control message without an answer

    @property
    def away(self) -> bool:
        """Whether the log has not answered for a while."""
        return not self._log.connected or (
            self._away_since_s is not None and time.monotonic() - self._away_since_s > AWAY_S
        )

    async def lane(self, lane: Sequence[Sealed]) -> int:
        """Store messages of one partition, one after the other; returns the sequence of the last."""
        sequence = 0
        for sealed in lane:
            sequence = await self.publish(VISITS_SUBJECT.format(partition=sealed.partition), sealed.data)
        return sequence

    async def control(self, build: Callable[[str, int], Control]) -> int:
        """Write a control message; returns its sequence in the log.

        Raises:
            LogUnavailableError: No acknowledgement in 10 s. The same bytes go first next time.
            OverloadedError: Too many wait already.
        """
        if self._controls >= CONTROLS_MAX:
            raise OverloadedError(f"{CONTROLS_MAX} control messages wait to be stored already; try again later")
        self._controls += 1
        try:
            async with turn(self._control_lock, CONTROL_TIMEOUT_S, "control messages"):
                if self._unsettled is not None:
                    await self.publish(CONTROL_SUBJECT, self._unsettled, CONTROL_TIMEOUT_S)
                data = control.encode(build(self._control_name, self._control_sequence + 1))
                self._control_sequence, self._unsettled = self._control_sequence + 1, data  # or neither
                sequence = await self.publish(CONTROL_SUBJECT, data, CONTROL_TIMEOUT_S)
                self._unsettled = None
                return sequence
        finally:
            self._controls -= 1

    async def publish(self, subject: str, data: bytes, timeout_s: float | None = None) -> int:
        """Publish the same bytes until they are acknowledged; for ever, without a time-out."""
        self._trying += 1
        try:
            return await self._try(subject, data, timeout_s)
        finally:
            self._trying -= 1
            if not self._trying:
                self._away_since_s = None  # nothing is left that could find out that the log is back

    async def _try(self, subject: str, data: bytes, timeout_s: float | None) -> int:
        started_s = time.monotonic()
        for pause_s in _pauses():
            try:
                sequence = await self._log.publish(subject, data, ATTEMPT_S)
                break
            except LogUnavailableError as error:
                now_s = time.monotonic()
                if self._away_since_s is None:
                    self._away_since_s = started_s
                if not self._told:
                    self._told = True
                    logger.warning("the log takes nothing now, and is tried on: %s", error)
                if timeout_s is not None and now_s - started_s > timeout_s:
                    raise type(error)(f"the log took nothing for {timeout_s:g} s: {error}") from None
                self.retries += 1
                await asyncio.sleep(pause_s)
        if self._told:
            logger.warning("the log takes messages again")
        self._away_since_s, self._told = None, False
        self.answered_s = time.monotonic()
        if sequence > self.acknowledged[0]:
            self.acknowledged = (sequence, subject, data)
        return sequence

    def acknowledged_position(self) -> Position:
        """The highest place in the log that was acknowledged here."""
        sequence, subject, data = self.acknowledged
        return Position(self._log.created, sequence, digest(subject, data))


def _pauses() -> Iterator[float]:
    pause_s = RETRY_FIRST_S
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, RETRY_MAX_S)
