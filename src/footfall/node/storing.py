"""Where sealed messages go: to the log, or, while that does not take them, to the spool."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from footfall.core.sealing import Sealed
from footfall.errors import SpoolFullError
from footfall.node.draining import Draining
from footfall.node.publisher import Publisher
from footfall.node.readings import Stored
from footfall.node.spool import Spool

logger = logging.getLogger(__name__)

SPOOL_AFTER_S = 0.5  # without an acknowledgement: an fsync takes less, an election more
LONG_AWAY_S = 3_600.0  # after which the epoch that is known here may be days old

Lanes = Sequence[Sequence[Sealed]]


class Storing:
    """Decides between the two, and knows when it changes.

    Args:
        publisher: The log.
        spool: The spool, if there is one.
        epoch: The present epoch, as far as it is known here.

    Attributes:
        hold: Why the log must not be given visits though it answers, such as that it is nearly full; or nothing.
        spooling: Whether what is sealed now goes to the spool.
        spent: Whether nothing more may be sealed under the present producer's id.
    """

    def __init__(self, publisher: Publisher, spool: Spool | None, epoch: Callable[[], int]) -> None:
        self.hold = ""
        self.spooling = self.spent = False
        self.spool = spool
        self.draining = None if spool is None else Draining(spool, publisher, lambda: self.hold, self._resume)
        self._publisher = publisher
        self._epoch = epoch
        self._since: tuple[float, int] = (0.0, 0)  # when it began, in Unix time and in epochs

    @property
    def away(self) -> bool:
        """Whether the log takes no visits now."""
        return self.spooling or bool(self.hold) or self._publisher.away

    @property
    def silent(self) -> bool:
        """Whether the log does not answer at all."""
        return self._publisher.away or (self.spooling and not self.hold)

    @property
    def refusal(self) -> str:
        """Why no visits are taken, as neither the log nor the spool takes them; empty if they are."""
        if not self.away:
            return ""
        why = self.hold or "the log cannot be reached"
        if self.spool is None:
            return why
        return f"{why}, and {refusal}" if (refusal := self.spool.refusal) else ""

    def begin(self) -> bool:
        """Whether what is sealed next goes to the spool."""
        if self.hold and self.spool is not None:
            self._begin_spooling()
        return self.spooling

    async def settle(self, lanes: Lanes, store: Callable[[], Coroutine[Any, Any, None]]) -> Stored:
        """See that messages are stored; returns where.

        Args:
            lanes: The messages, in order for each partition.
            store: Stores them in the log, trying again for as long as it takes.

        Raises:
            SpoolFullError: They are not stored, and were not sent to the log either.
        """
        if self.spooling:
            try:
                await self._keep(lanes)
            except SpoolFullError:
                self.spent = True  # these sequences will never come: nothing may follow them
                raise
            return Stored.SPOOL
        storing = asyncio.create_task(store(), name="flush")
        silent_s = time.monotonic()  # since when, at the least
        try:
            while True:
                await asyncio.wait({storing}, timeout=None if self.spool is None else SPOOL_AFTER_S)
                if storing.done():
                    storing.result()
                    return Stored.LOG
                silent_s = max(silent_s, self._publisher.answered_s)
                if time.monotonic() - silent_s < SPOOL_AFTER_S:
                    continue  # many messages take long, one after the other
                with contextlib.suppress(SpoolFullError):  # then it goes on being tried
                    await self._keep(lanes)
                    return Stored.SPOOL
        finally:
            storing.cancel()  # an attempt that arrives all the same is a repeat: the spool sends the same bytes

    async def _keep(self, lanes: Lanes) -> None:
        assert self.spool is not None
        await self.spool.keep([sealed for lane in lanes for sealed in lane])
        self._begin_spooling()

    def _begin_spooling(self) -> None:
        if not self.spooling:
            self.spooling = True
            self._since = (time.time(), self._epoch())
            logger.warning("visits are kept in the spool: %s", self.hold or "the log does not answer")

    def _resume(self) -> None:
        """The log takes messages again: so does it take visits."""
        since_s, epoch = self._since
        if not self.spooling or self.hold:
            return
        if time.time() - since_s > LONG_AWAY_S and self._epoch() == epoch:
            return  # an id that is born in an epoch of last week would be refused: the next barrier is on its way
        self.spooling = False
        self.spent = True  # its messages wait in the spool: what is sealed from now on must not be behind them
        logger.warning("visits go to the log again")
