"""Turns SIGINT and SIGTERM into a wish to stop; knows nothing of what is stopped."""

import os
import signal
import sys
import threading
from types import FrameType
from typing import Any, Self

from footfall.cli import output


class Stop:
    """While in use, the first signal asks for a stop, and the second ends the process at once.

    Attributes:
        event: Set by the first signal.
        exit_code: 128 and the signal's number, as shells have it; 0 if there was none.
    """

    def __init__(self) -> None:
        self.event = threading.Event()
        self.exit_code = 0
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.event.is_set():
            os._exit(128 + number)  # safe: whatever was on its way is settled by the source's position next time
        self.exit_code = 128 + number
        if sys.stderr.isatty():
            output.note("stopping when what is on its way is stored; Ctrl-C once more ends at once")
        self.event.set()
