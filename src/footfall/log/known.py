"""What one connection knows to be in the log: a log that does not hold it any more has lost its tail, or was replaced.

A reader's own position is not enough. The last message of its subjects may be far below the place where the log was cut
off: it is still there, while others, which were counted or acknowledged, are gone, and new ones have their sequences.
"""

import contextlib

from footfall.core.position import Position, Stored, at, check
from footfall.errors import LogRewoundError, LogTrimmedError
from footfall.log.protocol import Message


class Known:
    """The highest message that was acknowledged or delivered over a connection."""

    def __init__(self) -> None:
        self._highest: Message | Position | None = None  # its digest is only worked out when it is asked for
        self._disorder = ""

    @property
    def sequence(self) -> int:
        """Its sequence; 0 if nothing is known."""
        return 0 if self._highest is None else self._highest.sequence

    def position(self, created: str) -> Position:
        """Its position, in the log that was made then."""
        if self._highest is None:
            return Position(created)
        return self._highest if isinstance(self._highest, Position) else at(created, self._highest)

    def remember(self, message: Message | Position) -> None:
        """This was delivered, or is known from before."""
        if message.sequence > self.sequence:
            self._highest = message

    def acknowledged(self, message: Message, before: int) -> None:
        """This was stored; ``before``: ``sequence`` when it was sent. What is sent later is stored above."""
        if message.sequence <= before:
            self._disorder = (
                f"the log stored a new message at sequence {message.sequence}, though {before} had been reached: "
                "it lost its tail; restore it"
            )
        self.remember(message)

    def check(self, highest: Position, created: str, first: int, last: int, found: Stored | None) -> None:
        """See that a log holds the highest.

        Args:
            highest: What ``position`` said before ``found`` was asked for.
            created, first, last, found: As in ``footfall.core.position.check``.

        Raises:
            LogRewoundError: It does not, or has given a sequence twice.
        """
        with contextlib.suppress(LogTrimmedError):  # it was there, then: cuts cover it
            check(highest, created, first, last, found)
        if self._disorder:
            raise LogRewoundError(self._disorder)
