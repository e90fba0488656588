"""Follows a log as it grows, and over its rotation: by renaming and making anew, or by copying and truncating."""

import threading
from collections.abc import Callable
from pathlib import Path

from footfall.cli.chunks import Tally
from footfall.cli.ingester import Ingester
from footfall.cli.sources import FileReader, TruncatedError, open_growing
from footfall.errors import InputError

POLL_S = 0.25  # how late a new line is noticed, at most
LINGER_S = 1.0  # a renamed log is finished when it was quiet for so long: servers write on until they reopen it
LINGERS_MAX = 60

Open = Callable[[FileReader], Ingester | None]


class Follower:
    """Reads the file at a path, whichever that is, until stopped.

    A renamed file is read to its end by its open descriptor. Of a truncated one, the lines between the last poll and
    the truncation are only in the copy that the rotation made: ingesting that copy counts them, and only them.

    Attributes:
        tally: What was counted of the files that are done with.
        current: The file at hand.
    """

    def __init__(
        self, path: Path, open_source: Open, stop: threading.Event, notice: Callable[[str], None], one_file: bool
    ) -> None:
        """
        Args:
            path: Where the log is.
            open_source: Finds out which source a file is; None if it cannot be told yet.
            stop: Ends it, after the chunk that is on its way.
            notice: Told of rotations.
            one_file: The source's name stands for this file alone: end with an error when it is rotated.
        """
        self.tally = Tally()
        self.current: Ingester | None = None
        self._path = path
        self._open_source = open_source
        self._stop = stop
        self._notice = notice
        self._one_file = one_file

    def run(self, reader: FileReader) -> None:
        """Follow, beginning with an open file. Raises FootfallError for what ends it before the stop."""
        following: FileReader | None = reader
        while following is not None:
            try:
                self._follow(following)
            except TruncatedError:
                self._notice(
                    f"{self._path} was truncated: going on from its new beginning; if lines were written just before, "
                    "they are in the rotated copy: `footfall ingest` on it counts what is missing, once"
                )
            finally:
                self._finish()
                following.close()
            if self._one_file and not self._stop.is_set():
                raise InputError(
                    f"{self._path} was rotated, and --source names only the file that it was: "
                    "leave --source out to follow over rotation, or name the new file"
                )
            following = self._reopen()

    def _follow(self, reader: FileReader) -> None:
        while not self._stop.is_set():
            if self.current is None:
                self.current = self._open_source(reader)
            if self.current is not None:
                self.current.drain(self._stop.is_set, final=False)
            if reader.is_at(self._path) is False:
                self._linger(reader)
                return
            self._stop.wait(POLL_S)

    def _linger(self, reader: FileReader) -> None:
        """Read a file to its end whose name is gone to another."""
        for _ in range(LINGERS_MAX):
            size = reader.size
            if self._stop.wait(LINGER_S):
                return
            if self.current is None:
                self.current = self._open_source(reader)
            if self.current is not None:
                self.current.drain(self._stop.is_set, final=reader.size == size)
            if reader.size == size:
                break
        self._notice(f"{self._path} was rotated: going on with the new file")

    def _finish(self) -> None:
        if self.current is not None and not self._stop.is_set():
            self.tally += self.current.result
            self.current = None

    def _reopen(self) -> FileReader | None:
        while not self._stop.is_set():
            try:
                return open_growing(self._path)
            except InputError:  # between renaming and making anew there is none, and it may not be readable at once
                self._stop.wait(POLL_S)
        return None
