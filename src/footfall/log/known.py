"""What one connection knows to be in the log: a log that does not hold it any more has lost its tail, or was replaced.

A reader's own position is not enough. The last message of its subjects may be far below the place where the log was cut
off: it is still there, while others, which were counted or acknowledged, are gone, and new ones have their sequences.
"""

import contextlib
from collections.abc import Sequence

from footfall.core.position import Position, Stored, at, check
from footfall.errors import LogRewoundError, LogTrimmedError
from footfall.log.protocol import Message


class Known:
    """The highest message that was acknowledged or delivered over a connection.

    A log that lost its tail may have grown over the loss when the connection is back. What is stored or read then must
    not stand for what was known before: that stays the ``anchor`` until it was seen to be there.
    """

    def __init__(self) -> None:
        self._highest: Message | Position | None = None  # its digest is only worked out when it is asked for
        self._anchor: Message | Position | None = None
        self._doubted = False
        self._disorder = ""

    @property
    def sequence(self) -> int:
        """The highest sequence; 0 if nothing is known."""
        return 0 if self._highest is None else self._highest.sequence

    def position(self, created: str) -> Position:
        """The highest position, in the log that was made then; while that is in doubt, the highest from before."""
        return _position(self._anchor if self._doubted else self._highest, created)

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

    def doubt(self) -> None:
        """The connection is lost, and who knows what happens meanwhile."""
        if not self._doubted:
            self._doubted, self._anchor = True, self._highest

    def to_check(self, created: str) -> list[Position]:
        """The positions that a log must hold."""
        return [_position(one, created) for one in dict.fromkeys((self._anchor, self._highest)) if one is not None]

    def check(
        self, checked: list[Position], created: str, first: int, last: int, found: Sequence[Stored | None]
    ) -> None:
        """See that a log holds what is known.

        Args:
            checked: What ``to_check`` said, before the messages there were asked for.
            created, first, last: As in ``footfall.core.position.check``.
            found: The messages there.

        Raises:
            LogRewoundError: It does not, or has given a sequence twice.
        """
        for position, message in zip(checked, found, strict=True):
            with contextlib.suppress(LogTrimmedError):  # it was there, then: cuts cover it
                check(position, created, first, last, message)
        if self._disorder:
            raise LogRewoundError(self._disorder)
        anchored = self._anchor is None or self._anchor.sequence in [position.sequence for position in checked]
        if anchored and checked:
            self._doubted, self._anchor = False, checked[-1]


def _position(known: Message | Position | None, created: str) -> Position:
    if known is None:
        return Position(created)
    return known if isinstance(known, Position) else at(created, known)
