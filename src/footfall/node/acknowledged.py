"""Remembers on disk how far this node knew the log, and refuses a log that has forgotten some of that."""

import logging
import os
import tempfile
from pathlib import Path

import msgspec

from footfall.core.batch import UNREADABLE
from footfall.core.position import Position, check
from footfall.errors import DataVersionError
from footfall.log.protocol import Log

logger = logging.getLogger(__name__)


class Acknowledged:
    """The highest position that was acknowledged to this node or read by it, in a file of the data directory."""

    def __init__(self, directory: Path, node: str) -> None:
        self._path = directory / f"acknowledged-{node}.json"
        self._written = 0

    async def check(self, log: Log) -> None:
        """Compare the log with what it had acknowledged.

        Raises:
            LogRewoundError: It was replaced, or has lost something that it had acknowledged to this node.
            DataVersionError: The file cannot be read.
        """
        try:
            position = msgspec.json.decode(self._path.read_bytes(), type=Position)
        except FileNotFoundError:
            return
        except UNREADABLE as error:
            raise DataVersionError(f"{self._path} is not of this version ({error}); move it away to go on") from None
        if position.created in log.ancestors:
            _say_lost(position, log.ancestors[position.created])
            return
        message = await log.message(position.sequence)
        state = await log.state()  # after it: another node may trim the log at any moment
        if state.first_sequence > position.sequence:
            position = Position(position.created)  # trimmed since: a cut covers it, and has its own position
            check(position, log.created, 1, state.last_sequence, None)
        else:
            check(position, log.created, state.first_sequence, state.last_sequence, message)
        log.remember(position)

    def write(self, position: Position) -> None:
        """Remember a position, if it is beyond the last; survives a crash at any moment."""
        if position.sequence <= self._written:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=self._path.name)
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(position))
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(self._path)
        self._written = position.sequence


def _say_lost(position: Position, restored: int) -> None:
    """The log was restored on purpose: what this node knows to be missing is said, and it goes on."""
    logger.warning(
        "the log was restored from a backup of the one made at %s, up to sequence %d: %s",
        position.created,
        restored,
        f"{lost} of the messages after it, which this node knew to be stored, are lost"
        if (lost := position.sequence - restored) > 0
        else "nothing that this node knew to be stored is lost",
    )
