"""Logs that come through a pipe, as bytes by offset; knows nothing of what the lines say."""

import os
import select
import stat
import sys
import threading
from pathlib import Path

from footfall.cli.packed import ENDS_EARLY, MAGIC_BYTES, READ_BYTES, DamagedError, Unpacker, Window, packing
from footfall.cli.sources import BLOCK_BYTES, check_content, open_descriptor
from footfall.errors import InputError

_WAIT_S = 0.2  # how long a stop may go unnoticed while a pipe is silent
_GATHER_S = 0.02  # how long lines that came through a pipe wait for more of them


class PipeReader:
    """A stream that can only be read onwards; keeps what ``release`` has not let go of. It may be compressed."""

    def __init__(self, descriptor: int, stop: threading.Event) -> None:
        self.damage = ""
        self._descriptor = descriptor
        self._stop = stop
        self._window = Window()
        self._head: bytes | None = b""  # the first bytes, until there are enough to tell how they are packed
        self._unpacker: Unpacker | None = None
        self._closed = False  # nothing more comes
        self._ended = False  # and nothing more is to be unpacked

    def release(self, offset: int) -> None:
        """Forget everything before ``offset``: it was counted."""
        self._window.drop(offset)

    def read(self, offset: int, size: int) -> bytes:
        """Waits for a complete line, the end of the stream, or a stop. Raises InputError below what was released."""
        window = self._window
        if offset < window.start:
            raise InputError(f"standard input cannot go back to byte {offset} of the source: run again from its start")
        while window.end < offset and not self._ended and not self._stop.is_set():
            self._fill(BLOCK_BYTES, _WAIT_S)
            window.drop(min(offset, window.end))
        while window.end < offset + size and not self._ended and not self._stop.is_set():
            waits = b"\n" not in window.cut(offset, size)
            if not self._fill(size, _WAIT_S if waits else _GATHER_S) and not waits:
                break
        return window.cut(offset, size)

    @property
    def ended(self) -> bool:
        """Whether nothing more comes, as far as was seen."""
        return self._ended

    def lines_before(self, offset: int) -> int:
        return self._window.lines_before(offset)

    def progress(self, position: int) -> tuple[int, int | None]:
        """How far it has come; nobody knows where it ends."""
        return position, None

    def close(self) -> None:
        """Standard input is not ours to close."""

    def _fill(self, size: int, wait_s: float) -> bool:
        """Add some of what has come; False if nothing has."""
        if self._unpack(size):
            return True
        if self._closed:
            self._ended = True
            if self._unpacker is not None and not self._unpacker.between:
                self.damage = self.damage or ENDS_EARLY
        elif select.select([self._descriptor], [], [], wait_s)[0]:
            data = os.read(self._descriptor, READ_BYTES if self._unpacker else size)
            self._closed = not data
            if self._head is not None:
                return self._take_head(self._head + data)
            self._take(data)
            return bool(data)
        return False

    def _take_head(self, head: bytes) -> bool:
        if len(head) < MAGIC_BYTES and not self._closed:
            self._head = head
            return False
        self._head = None
        if kind := packing(head):
            self._unpacker = Unpacker(kind)
        else:
            check_content("standard input", head[:8192])
        self._take(head)
        return bool(head)

    def _take(self, data: bytes) -> None:
        if self._unpacker is None:
            self._window.add(data)
            self._ended = self._closed
        else:
            self._unpacker.feed(data)

    def _unpack(self, size: int) -> bool:
        if self._unpacker is None:
            return False
        try:
            data = self._unpacker.take(size)
        except DamagedError as error:
            self.damage, self._closed, data = str(error), True, b""
        if data and not self._window.end:
            check_content("standard input", data[:8192])
        self._window.add(data)
        return bool(data)


def is_stream(name: str) -> bool:
    """Whether ``name`` is standard input, or a pipe such as a shell's ``<(...)``."""
    if name == "-":
        return True
    try:
        mode = Path(name).stat().st_mode
    except (OSError, ValueError):  # what is wrong with it is said when it is opened
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)


def open_stream(name: str, stop: threading.Event) -> PipeReader:
    """Standard input for ``-``, else the pipe of that name. Raises InputError."""
    return PipeReader(sys.stdin.fileno() if name == "-" else open_descriptor(Path(name)), stop)
