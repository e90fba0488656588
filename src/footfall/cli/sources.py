"""Which source a log is, and its bytes by offset; knows nothing of what the lines say.

A source's id comes from the file's beginning, not from its name or inode: a log keeps its beginning when it grows, is
renamed, rotated or copied, while an inode is new in a copy and is used again for another file. The id digests the
first n complete lines, where n is the largest of ``MARKS`` that the file had when it was first seen. Later it may have
more lines, so every mark is looked up, the longest first: the source is the longest beginning that the log already
knows. So a file is taken for an earlier one only if it begins with all of what that one had at first (1,024 lines at
most). Of a compressed file it is the log in it that counts: its first lines, and offsets in it. The counter is part of
the id, because the same file may be counted in two counters. Where files do begin alike (lists of visitors may),
``--source`` names them apart.
"""

import os
from pathlib import Path
from typing import Protocol

import xxhash

from footfall.cli.formats import BYTE_ORDER_MARK
from footfall.cli.packed import MAGIC_BYTES, PackedReader, packing
from footfall.errors import FootfallError, InputError

MARKS = (*range(1, 17), 32, 64, 128, 256, 512, 1024)  # small files differ in any line: they begin alike more often
MARKS_MAX = MARKS[-1]
HEAD_BYTES = 1 << 20  # the marks' lines lie within
BLOCK_BYTES = 2 << 20  # about as much as a chunk takes; also the longest line
NUL_SHARE = 10  # more than one byte in so many: a log may hold what a client sent, byte for byte
_GUARD_BYTES = 1024  # of the beginning, read again to notice that a file was truncated and written anew
_COMPRESSED = {b"BZh": "bzip2 -dc", b"\xfd7zXZ": "xz -dc"}  # otherwise than by gzip or zstd


class TruncatedError(FootfallError):
    """A file was truncated, or written anew, since it was opened."""


class Reader(Protocol):
    """Bytes of a log by offset.

    Attributes:
        damage: Why nothing follows behind what was read, if the log ends too early; empty otherwise.
    """

    damage: str

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset`` on; fewer if there are no more now."""

    def lines_before(self, offset: int) -> int:
        """How many lines end before ``offset``."""

    def release(self, offset: int) -> None:
        """What is before ``offset`` will not be asked for again."""

    def progress(self, position: int) -> tuple[int, int | None]:
        """How far it has come when ``position`` is counted, and how far it goes; None if that is not known."""

    def close(self) -> None:
        """Let go of the file."""


class FileReader:
    """A regular file, by its open descriptor: it stays the same file when its name goes to another."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """
        Args:
            path: Where the file is.
            descriptor: The open file; closed by ``close``.
        """
        self.path = path
        self.damage = ""
        self._descriptor = descriptor
        self._guard = b""
        self._counted = (0, 0)  # an offset, and the lines that end before it

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

    def holds(self, position: int) -> bool:
        """Whether there are so many bytes."""
        return position <= self.size

    def progress(self, position: int) -> tuple[int, int | None]:
        """How far it has come, of its size."""
        return position, self.size

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


def open_file(path: Path) -> FileReader | PackedReader:
    """A regular file; its first bytes tell how it is packed, not its name. Raises InputError if it is no log."""
    descriptor = open_descriptor(path)
    try:
        kind = packing(os.pread(descriptor, MAGIC_BYTES, 0))
        reader = PackedReader(path, descriptor, kind) if kind else FileReader(path, descriptor)
        check_content(str(path), reader.read(0, 8192))
    except OSError as error:
        os.close(descriptor)
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except InputError:
        os.close(descriptor)
        raise
    return reader


def open_growing(path: Path) -> FileReader:
    """A regular file that is written to. Raises InputError if it is no log, or was compressed."""
    reader = open_file(path)
    if isinstance(reader, FileReader):
        return reader
    reader.close()
    raise InputError(f"{path} is compressed, so nothing is written to it any more: leave --follow out")


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


def names_itself(head: bytes) -> bool:
    """Whether there is a whole line that is no comment: logs of one server may all begin with the same comments."""
    whole = head[: head.rfind(b"\n") + 1].removeprefix(BYTE_ORDER_MARK)
    return any(line.strip() and not line.startswith(b"#") for line in whole.split(b"\n"))


def open_descriptor(path: Path) -> int:
    """Open a file for reading. Raises InputError."""
    try:
        if path.is_dir():
            raise InputError(f"{path} is a directory: name the logs in it, as in '{path}/access.log*'")
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except PermissionError:
        raise InputError(f"{path} cannot be read: permission denied") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def check_content(name: str, data: bytes) -> None:
    """Raises InputError if these first bytes are not those of a log."""
    for magic, unpack in _COMPRESSED.items():
        if data.startswith(magic):
            raise InputError(
                f"{name} is compressed in a way that is not known here: unpack it first, as in "
                f"`{unpack} FILE | footfall ingest - --source NAME`"
            )
    if data.count(0) * NUL_SHARE > len(data):
        raise InputError(f"{name} holds NUL bytes: it is binary data or UTF-16, not a log")
