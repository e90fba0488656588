"""When cuts are taken: one node paces them and drops what they made superfluous; the others watch that it does."""

import logging
import time
from collections.abc import Callable

from footfall.core.control import Barrier
from footfall.core.position import Position
from footfall.errors import IntegrityError, LogUnavailableError
from footfall.node.aggregator import Aggregator
from footfall.node.cuts import Cuts, Examine
from footfall.node.exact import Write
from footfall.node.members import Members

logger = logging.getLogger(__name__)


class Pacing:
    """One node's part in it.

    Args:
        interval_s: Between two cuts; if one takes longer, the next waits for as long.
        cuts: Tidied before the next is begun.
        members: Who knows whose turn it is.
        aggregator: Knows the present epoch, and since when.
        holds: Why neither cuts nor the log may be dropped, given the position of the newest cut; empty if they may be.
        examine: Looks at the cuts that are whole.
        write: Stores a control message.
    """

    def __init__(
        self,
        interval_s: float,
        cuts: Cuts,
        members: Members,
        aggregator: Aggregator,
        holds: Callable[[Position], str],
        examine: Examine,
        write: Write,
    ) -> None:
        self._interval_s = interval_s
        self._cuts = cuts
        self._members = members
        self._aggregator = aggregator
        self._holds = holds
        self._examine = examine
        self._write = write
        self._paced_s = time.monotonic()

    async def look(self) -> None:
        """Begin a new epoch when it is time and this node's turn, and tidy up after the one before."""
        interval_s = max(self._interval_s, self._cuts.duration_s)
        if not self._members.is_first():
            interval_s *= 2  # the first may be gone without anyone knowing
        if time.monotonic() - max(self._aggregator.epoch_since_s, self._paced_s) < interval_s:
            return
        self._paced_s = time.monotonic()
        untidy = ""
        try:
            await self._cuts.collect(self._holds, self._examine)
        except LogUnavailableError as error:  # perhaps of the store alone: it may be for the next cut to make it again
            untidy = str(error)
        except IntegrityError as error:
            self._aggregator.fail(error)
            return
        epoch = self._aggregator.definitions.epoch + 1
        try:
            await self._write(lambda producer, sequence: Barrier(producer, sequence, epoch))
        except LogUnavailableError as error:
            logger.warning("no cut now: %s", error)
            return
        if untidy:
            logger.warning("old cuts and the log before them are kept for now: %s", untidy)
