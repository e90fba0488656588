"""Which source a log is, and its bytes by offset; knows nothing of what the lines say.

A source's id comes from the file's beginning, not from its name or inode: a log keeps its beginning when it grows, is
renamed, rotated or copied, while an inode is new in a copy and is used again for another file. The id digests the
first n complete lines, where n is the largest of ``MARKS`` that the file had when it was first seen. Later it may have
more lines, so every mark is looked up, the longest first: the source is the longest beginning that the log already
knows. So a file is taken for an earlier one only if it begins with all of what that one had at first (1,024 lines at
most). The counter is part of the id, because the same file may be counted in two counters. Where files
do begin alike (lists of visitors may), ``--source`` names them apart.
"""

import os
import select
import stat
import sys
import threading
from pathlib import Path
from typing import Protocol

import xxhash

from footfall.errors import FootfallError, InputError

MARKS = (*range(1, 17), 32, 64, 128, 256, 512, 1024)  # small files differ in any line: they begin alike more often
HEAD_BYTES = 1 << 20  # the marks' lines lie within
BLOCK_BYTES = 2 << 20  # about as much as a chunk takes; also the longest line
_GUARD_BYTES = 1024  # of the beginning, read again to notice that a file was truncated and written anew
_COMPRESSED = {b"\x1f\x8b": "gunzip -c", b"BZh": "bzip2 -dc", b"\xfd7zXZ": "xz -dc", b"\x28\xb5\x2f\xfd": "zstd -dc"}
_PIPE_WAIT_S = 0.2  # how long a stop may go unnoticed while a pipe is silent
_PIPE_GATHER_S = 0.02  # how long lines that came through a pipe wait for more of them


class TruncatedError(FootfallError):
    """A file was truncated, or written anew, since it was opened."""


class Reader(Protocol):
    """Bytes of a log by offset."""

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset`` on; fewer if there are no more now."""

    def lines_before(self, offset: int) -> int:
        """How many lines end before ``offset``."""

    def release(self, offset: int) -> None:
        """What is before ``offset`` will not be asked for again."""

    def close(self) -> None:
        """Let go of the file."""


class FileReader:
    """A regular file, by its open descriptor: it stays the same file when its name goes to another."""

    def __init__(self, path: Path) -> None:
        """Raises InputError if it is not a readable log."""
        self.path = path
        self._descriptor = _open(path)
        self._guard = b""
        self._counted = (0, 0)  # an offset, and the lines that end before it
        try:
            _check_content(path, self.read(0, 8192))
        except InputError:
            self.close()
            raise

    @property
    def size(self) -> int:
        """Bytes in the file now."""
        return os.fstat(self._descriptor).st_size

    def read(self, offset: int, size: int) -> bytes:
        """Raises TruncatedError if what was read before ``offset`` is no longer there, and InputError."""
        try:
            data = os.pread(self._descriptor, size, offset)
        except OSError as error:
            raise InputError(f"{self.path} cannot be read: {error.strerror}") from None
        # The order matters: a truncation before this check may have spoilt the data, one after it cannot have.
        guard = os.pread(self._descriptor, _GUARD_BYTES, 0)
        if not guard.startswith(self._guard) or self.size < offset:
            raise TruncatedError(f"{self.path} was truncated or written anew while it was read")
        self._guard = guard
        return data

    def lines_before(self, offset: int) -> int:
        done, lines = self._counted if self._counted[0] <= offset else (0, 0)
        while done < offset:
            block = os.pread(self._descriptor, min(BLOCK_BYTES, offset - done), done)
            if not block:
                break
            lines += block.count(b"\n")
            done += len(block)
        self._counted = (done, lines)
        return lines

    def is_at(self, path: Path) -> bool | None:
        """Whether this file is the one at ``path``; None if there is none."""
        try:
            there = path.stat()
        except OSError:
            return None
        here = os.fstat(self._descriptor)
        return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)

    def release(self, offset: int) -> None:
        """A file keeps everything."""

    def close(self) -> None:
        os.close(self._descriptor)


class PipeReader:
    """A stream that can only be read onwards; keeps what ``release`` has not let go of."""

    def __init__(self, descriptor: int, stop: threading.Event) -> None:
        self._descriptor = descriptor
        self._stop = stop
        self._start = 0  # offset of the first byte kept
        self._kept = bytearray()
        self._lines = 0  # that ended before it
        self._ended = False
        self._checked = False

    def release(self, offset: int) -> None:
        """Forget everything before ``offset``: it was counted."""
        count = max(0, min(offset - self._start, len(self._kept)))
        self._lines += self._kept.count(b"\n", 0, count)
        del self._kept[:count]
        self._start += count

    def read(self, offset: int, size: int) -> bytes:
        """Waits for a complete line, the end of the stream, or a stop. Raises InputError below what was released."""
        if offset < self._start:
            raise InputError(f"standard input cannot go back to byte {offset} of the source: run again from its start")
        while self._start + len(self._kept) < offset and not self._ended and not self._stop.is_set():
            self._fill(BLOCK_BYTES, _PIPE_WAIT_S)
            self.release(min(offset, self._start + len(self._kept)))
        begin = offset - self._start
        while len(self._kept) - begin < size and not self._ended and not self._stop.is_set():
            waits = b"\n" not in self._kept[begin:]
            if not self._fill(size, _PIPE_WAIT_S if waits else _PIPE_GATHER_S) and not waits:
                break
        return bytes(self._kept[begin : begin + size])

    def lines_before(self, offset: int) -> int:
        return self._lines + self._kept.count(b"\n", 0, max(0, offset - self._start))

    def close(self) -> None:
        """Standard input is not ours to close."""

    def _fill(self, size: int, wait_s: float) -> bool:
        if not select.select([self._descriptor], [], [], wait_s)[0]:
            return False
        data = os.read(self._descriptor, size)
        if not self._checked:
            _check_content(Path("-"), data[:8192])
            self._checked = True
        self._ended = not data
        self._kept += data
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
    return PipeReader(sys.stdin.fileno() if name == "-" else _open(Path(name)), stop)


def candidate_ids(head: bytes, counter: str | None) -> list[str]:
    """The ids that a file which begins with ``head`` may have, the longest beginning first; none without a whole line.

    Args:
        head: The file's first bytes, up to ``HEAD_BYTES``.
        counter: The counter its lines go to; None if each names its own.
    """
    digest = xxhash.xxh3_128((counter or "").encode() + b"\0")
    ids: list[str] = []
    lines = end = 0
    for mark in MARKS:
        start = end
        while lines < mark:
            found = head.find(b"\n", end)
            if found < 0:
                return ids[::-1]
            end = found + 1
            lines += 1
        digest.update(head[start:end])
        ids.append(f"log-{digest.hexdigest()}")
    return ids[::-1]


def _open(path: Path) -> int:
    try:
        if path.is_dir():
            raise InputError(f"{path} is a directory: name a log file in it")
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except PermissionError:
        raise InputError(f"{path} cannot be read: permission denied") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _check_content(path: Path, data: bytes) -> None:
    name = "standard input" if str(path) == "-" else str(path)
    for magic, unpack in _COMPRESSED.items():
        if data.startswith(magic):
            raise InputError(
                f"{name} is compressed: unpack it first, as in `{unpack} FILE | footfall ingest - --source NAME`"
            )
    if b"\0" in data:
        raise InputError(f"{name} holds NUL bytes: it is binary data or UTF-16, not a log")
