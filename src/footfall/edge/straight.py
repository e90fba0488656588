"""An edge's producer: stores visits to counters that are defined, once each, as the log's format asks."""

import asyncio
import secrets
from collections.abc import Sequence
from typing import cast

from footfall.client.buffer import Waiting
from footfall.core.definitions import Definition
from footfall.core.outbox import Outbox
from footfall.core.sealing import Sealer
from footfall.core.visit import Visit
from footfall.errors import LogRewoundError
from footfall.log.protocol import Log
from footfall.node.publisher import Publisher

RENEWAL_EPOCHS = 8_640  # an id is renewed daily: the log refuses one after 7 days


class Straight:
    """One flush is in flight at a time; its bytes are tried until the log has them.

    Args:
        log: The log.
        epoch: The present one.
    """

    def __init__(self, log: Log, epoch: int) -> None:
        self.epoch = epoch
        self._outbox = Outbox(secrets.token_hex(8), epoch, log.partitions, hashed=False)
        self._publisher = Publisher(log, self._outbox.sealer.producer)
        self._partition = secrets.randbelow(log.partitions)  # edges that start together do not all begin at one
        self._highest = 0

    async def store(self, pairs: Sequence[tuple[Definition, Waiting]]) -> None:
        """Store visits; returns when the log has acknowledged them, however long that takes.

        Raises:
            LogRewoundError: The log is not the one that it was: it has lost what it had acknowledged.
        """
        outbox = self._outbox
        if self.epoch - outbox.sealer.born >= RENEWAL_EPOCHS:
            outbox.sealer = Sealer(secrets.token_hex(8), self.epoch, outbox.partitions)
        # What waits has the fields of a visit: to make one of each costs a fifth of all that is done here.
        outbox.add(cast("Sequence[tuple[Definition, Visit]]", pairs), None)
        self._partition = (self._partition + 1) % outbox.partitions
        flush = outbox.seal(self._partition)
        if flush is None:
            return
        ends = await asyncio.gather(*(self._publisher.lane(lane) for lane in flush.lanes))
        if min(ends) <= self._highest:
            raise LogRewoundError(
                f"the log stored visits at {min(ends)}, though it had stored others at {self._highest} before: it was "
                "replaced, or has lost something"
            )
        self._highest = max(ends)
