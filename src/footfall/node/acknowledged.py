"""Remembers on disk how far this node knew the log, and refuses a log that has forgotten some of that."""

import asyncio
import logging
import threading
import time
from pathlib import Path

import msgspec

from footfall import durable
from footfall.core.batch import UNREADABLE
from footfall.core.position import Position
from footfall.errors import DataVersionError, LogRewoundError, LogTrimmedError, LogUnavailableError
from footfall.log.protocol import Log

logger = logging.getLogger(__name__)

OTHERS_KEPT = 64  # files of other names in a directory: as many nodes as may run on one machine
PATIENCE_S = 20.0
RETRY_S = 0.5


class Acknowledged:
    """The highest position that was acknowledged to this node or read by it, in a file of the data directory."""

    def __init__(self, directory: Path, node: str) -> None:
        self._path = directory / f"acknowledged-{node}.json"
        self._written = 0
        self._compared = False
        self._lock = threading.Lock()

    async def check(self, log: Log) -> None:
        """Compare the log with what it had acknowledged, to this node or to any other that had this directory.

        A name that changed, as that of a container does at every start, must not make a node forget.

        Raises:
            LogRewoundError: It was replaced, or has lost something of that.
            DataVersionError: A file cannot be read.
        """
        for position in remembered(self._path.parent):
            try:
                await self._check(position, log)
            except LogRewoundError as error:
                raise LogRewoundError(f"{error} (so it is remembered in {self._path.parent})") from None
        self._compared = True

    async def _check(self, position: Position, log: Log) -> None:
        if position.created in log.ancestors:
            _say_lost(position, log.ancestors[position.created])
            return
        try:
            await _checked(log, position)
            log.remember(position)
        except LogTrimmedError:
            pass  # since then: a cut covers it, and has its own position

    def write(self, position: Position) -> None:
        """Remember a position, if it is beyond the last; survives a crash at any moment."""
        with self._lock:  # a node that stops writes it itself, and may still be doing so in a thread
            if position.sequence <= self._written:
                return
            self._path.parent.mkdir(parents=True, exist_ok=True)
            durable.replace(self._path, msgspec.json.encode(position))
            if self._compared:
                self._remove_oldest()
                self._compared = False
            self._written = position.sequence

    def _remove_oldest(self) -> None:
        """Remove files of other names that were written longest ago: a container has another name at every start.

        The log was compared with them, so this one's file, which was just written, knows no less.
        """
        others = [path for path in self._path.parent.glob("acknowledged-*.json") if path != self._path]
        for path in sorted(others, key=lambda path: path.stat().st_mtime, reverse=True)[OTHERS_KEPT:]:
            path.unlink(missing_ok=True)


def remembered(directory: Path) -> list[Position]:
    """What the nodes that had a directory knew of the log. Raises DataVersionError."""
    return [_read(path) for path in sorted(directory.glob("acknowledged-*.json"))]


def _read(path: Path) -> Position:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Position)
    except UNREADABLE as error:
        raise DataVersionError(f"{path} is not of this version ({error}); move it away to go on") from None


async def _checked(log: Log, position: Position) -> None:
    """A server of a cluster may answer from the past for a while: it is asked again, before a start fails for it."""
    give_up_s, told = time.monotonic() + PATIENCE_S, False
    while True:
        try:
            await log.check(position)
            return
        except LogUnavailableError as error:
            if time.monotonic() > give_up_s:
                raise
            if not told:
                logger.warning("the log is asked again what it holds, for up to %.0f s: %s", PATIENCE_S, error)
            told = True
            await asyncio.sleep(RETRY_S)


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
