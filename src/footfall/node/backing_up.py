"""Makes backups every so often, on the node whose turn it is. Two that do it at once make two backups, no more."""

import asyncio
import logging
import time
from collections.abc import Callable

from footfall import tracing
from footfall.core.definitions import Definitions
from footfall.errors import FootfallError
from footfall.node import backup
from footfall.node.backup_catalogue import complete_names, tidy
from footfall.node.backup_format import log_label, parse_name
from footfall.node.backup_places import Place
from footfall.node.bundles import LogAndStore
from footfall.node.waiting import ended

logger = logging.getLogger(__name__)

LOOK_S_MAX = 60.0  # between two looks at what is there: another node may have become the first
WINNER_S = 10.0  # between two backups because of winners


class BackingUp:
    """The backups that one node makes.

    Attributes:
        made: How many.
        failures: How often it could not.
        newest_s: When the newest that is known here was made, in Unix time; 0.0 if none is.
    """

    def __init__(
        self,
        cluster: LogAndStore,
        place: Place,
        is_first: Callable[[], bool],
        definitions: Definitions,
        interval_s: float,
        keep: int,
    ) -> None:
        """
        Args:
            cluster: The log and the store.
            place: Where backups are kept.
            is_first: Whether it is this node's turn.
            definitions: All milestones.
            interval_s: Between two backups.
            keep: How many are kept.
        """
        self.made = self.failures = 0
        self.newest_s = 0.0
        self._cluster = cluster
        self._place = place
        self._is_first = is_first
        self._definitions = definitions
        self._interval_s = interval_s
        self._keep = keep
        self._sequence = 0  # where that stands, if it is of this log
        self._last, self._in_vain = -1, 0  # where the last of this node stood, and how often it stood there before
        self._again_s = 0.0
        self._task: asyncio.Task[None] | None = None

    def look(self) -> None:
        """Begin what is due. Called at short intervals."""
        busy = self._task is not None and not self._task.done()
        if busy or time.monotonic() < self._again_s:
            return
        self._again_s = time.monotonic() + min(LOOK_S_MAX, self._interval_s / 4, WINNER_S)
        self._task = asyncio.create_task(self._work(), name="backup")

    async def _work(self) -> None:
        try:
            await self._find_newest()
            if not self._is_first() or not self._is_due():
                return
            with tracing.span("backup"):
                done = await backup.back_up(self._cluster, self._place)
            self._in_vain = self._in_vain + 1 if done.sequence == self._last else 0
            self._last = done.sequence
            self.made += 1
            self.newest_s = time.time()
            logger.info(
                "backup %s was made and verified: %d visits, %d visitors", done.name, done.visits, done.visitors
            )
            for name in await asyncio.to_thread(tidy, self._place, done, self._keep):
                logger.info("backup %s was removed", name)
        except FootfallError as error:
            self._failed(error)
        except Exception as error:  # nobody foresaw it: it must not end the node, and must be seen
            logger.exception("a backup failed")
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        self._again_s = time.monotonic() + min(LOOK_S_MAX, self._interval_s)
        logger.error("no backup in %s now, it is tried again: %s", self._place, error)

    async def _find_newest(self) -> None:
        """When the newest backup of this log, or of one that it goes on from, was made: perhaps by another node."""
        created = {self._cluster.created, *self._cluster.ancestors}
        labels = {log_label(one) for one in created}
        names = complete_names(await asyncio.to_thread(self._place.contents))
        found = [parsed for name in names if (parsed := parse_name(name)) and parsed.log in labels]
        made_s = (parsed.made.timestamp() for parsed in found)
        latest_s = time.time() + self._interval_s  # a clock that was far ahead must not keep backups away
        self.newest_s = max((one for one in made_s if one < latest_s), default=0.0)
        own = log_label(self._cluster.created)
        self._sequence = max((parsed.sequence for parsed in found if parsed.log == own), default=0)

    def _is_due(self) -> bool:
        """Whether a backup is old enough, or does not know of a winner yet: who has won must not be lost."""
        age_s = time.time() - self.newest_s
        reached = max((standing.reached for standing in self._definitions.milestones), default=0)
        # The cut that knows of a winner may take long to come: another copy of the one before helps nobody.
        soon_s = min(WINNER_S * 2.0**self._in_vain, self._interval_s)
        return age_s >= (soon_s if self._sequence < reached else self._interval_s)

    async def stop(self) -> None:
        """Make no more; what was begun has no manifest, and is no backup."""
        await ended([self._task])
