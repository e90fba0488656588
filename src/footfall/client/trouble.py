"""What a client writes to the program's log: a line when trouble begins and one when it is over, never one a visit."""

import logging

from footfall.client.settings import Settings
from footfall.errors import FootfallError
from footfall.ordinals import counted

logger = logging.getLogger("footfall.client")


class Trouble:
    """What was told, so that it is not told again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._since_s: float | None = None
        self._full = 0
        self._refused: set[type[FootfallError]] = set()

    def begin(self, error: FootfallError, now_s: float) -> None:
        """Nothing could be sent."""
        if self._since_s is None:
            self._since_s = now_s
            where = "on disk" if self._settings.spool else f"in memory, up to {self._settings.buffer_visits_max:,}"
            logger.warning("visits cannot be sent, and wait %s: %s", where, error)

    def over(self, now_s: float) -> None:
        """Something was sent."""
        if self._full:
            logger.warning("there is room for visits again; not counted: %s", counted(self._full, "visit"))
            self._full = 0
        if self._since_s is not None:
            logger.warning("visits are sent again, after %.1f s", now_s - self._since_s)
            self._since_s = None

    def full(self, count: int) -> None:
        """There was no room for visits."""
        if not self._full:
            logger.warning(
                "%s wait, and there is no room for more: those that come now are not counted",
                counted(self._settings.buffer_visits_max, "visit"),
            )
        self._full += count

    def refused(self, error: FootfallError) -> None:
        """A visit will be taken by no node."""
        if type(error) not in self._refused:
            self._refused.add(type(error))
            logger.warning("a visit was refused and is not counted; others like it will not be told: %s", error)

    def left(self, visits: int) -> None:
        """The end has come for these."""
        if visits:
            logger.warning("not sent before the end, and not counted: %s", counted(visits, "visit"))

    def given_up(self, count: int) -> None:
        """Visits are too old to be sent again."""
        logger.warning(
            "%s given up: the answer is missing for so long that to send again might count twice; they may be counted",
            counted(count, "visit was", "visits were"),
        )
