"""Logs that were compressed by gzip or zstd: their bytes by offset in what was packed; knows nothing of what they say.

The offset of a source is the one in the log itself, and its id comes from the log's own first lines. So a log that was
compressed after it was rotated is still the same source, and stands where it stood.

What is unpacked is never more at once than was asked for, however much a few bytes unpack to.
"""

import os
import sys
import zlib
from pathlib import Path

from footfall.errors import FootfallError

if sys.version_info >= (3, 14):
    from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
else:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

MAGIC_BYTES = 4  # tell how something is packed
ENDS_EARLY = "ends in the middle of its compressed data"
GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
WINDOW_LOG_MAX = 27  # 128 MiB that zstd looks back over: what its own command line takes without being told
READ_BYTES = 1 << 16
_SKIPPABLE = b"\x2a\x4d\x18"  # bytes 2 to 4 of a zstd frame that holds no data; pzstd begins with one


class DamagedError(FootfallError):
    """Compressed data ends too early, or is not what it should be."""


class _Gzip:
    """zlib's way of unpacking one member, as ``ZstdDecompressor`` has it."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data

    def decompress(self, data: bytes, size: int) -> bytes:
        return self._inflate.decompress(self._inflate.unconsumed_tail + data, size)


def packing(data: bytes) -> str:
    """How something is packed that begins with these bytes: ``gzip``, ``zstd`` or not at all, which is empty."""
    if data.startswith(GZIP):
        return "gzip"
    if data.startswith(ZSTD) or (data[1:4] == _SKIPPABLE and data[:1] in b"PQRSTUVWXYZ[\\]^_"):
        return "zstd"
    return ""


class Unpacker:
    """Takes packed bytes as they come, one member or frame after the other, and gives what was packed."""

    def __init__(self, kind: str) -> None:
        """
        Args:
            kind: ``gzip`` or ``zstd``.
        """
        self._kind = kind
        self._input = b""  # not given to a member yet
        self._member: _Gzip | ZstdDecompressor | None = None

    @property
    def between(self) -> bool:
        """Whether what was fed ends where a member does."""
        return self._member is None and not self._input.strip(b"\0")

    def feed(self, data: bytes) -> None:
        """Take more of the packed bytes."""
        self._input += data

    def take(self, size: int) -> bytes:
        """Up to ``size`` bytes of what was packed; none if more has to be fed first. Raises DamagedError."""
        while self._member is not None or self._begin():
            assert self._member is not None
            data, self._input = self._input, b""
            try:
                out = self._member.decompress(data, size)
            except (zlib.error, ZstdError) as error:
                raise DamagedError(f"cannot be unpacked as {self._kind} any further ({error})") from None
            if self._member.eof:
                self._input, self._member = self._member.unused_data, None
            if out or (self._member is not None):
                return out
        return b""

    def _begin(self) -> bool:
        """Whether a further member begins. Zeros between members fill up blocks of tapes."""
        if self._kind == "gzip":
            self._input = self._input.lstrip(b"\0")
        kind = packing(self._input)
        if kind == self._kind:
            self._member = _Gzip() if kind == "gzip" else _zstd()
            return True
        if len(self._input) >= MAGIC_BYTES:
            raise DamagedError(f"goes on after its compressed data with what is no {self._kind}")
        return False


class Window:
    """Bytes of a stream from an offset on, and how many lines ended before it."""

    def __init__(self) -> None:
        self.start = 0
        self._kept = bytearray()
        self._lines = 0

    @property
    def end(self) -> int:
        """The offset behind the last byte."""
        return self.start + len(self._kept)

    def add(self, data: bytes) -> None:
        """Append what comes next."""
        self._kept += data

    def drop(self, offset: int) -> None:
        """Forget what is before ``offset``."""
        count = max(0, min(offset - self.start, len(self._kept)))
        self._lines += self._kept.count(b"\n", 0, count)
        del self._kept[:count]
        self.start += count

    def cut(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset`` on, which is not before the start."""
        begin = offset - self.start
        return bytes(self._kept[begin : begin + size])

    def lines_before(self, offset: int) -> int:
        """How many lines end before ``offset``."""
        return self._lines + self._kept.count(b"\n", 0, max(0, offset - self.start))


class PackedReader:
    """A compressed file. It is read onwards, and anew from its beginning where something before is asked for.

    Attributes:
        path: Where the file is.
        damage: Why nothing follows behind what was read, if the file ends too early; empty otherwise.
    """

    def __init__(self, path: Path, descriptor: int, kind: str) -> None:
        """
        Args:
            path: Where the file is.
            descriptor: The open file; closed by ``close``.
            kind: How it is packed.
        """
        self.path = path
        self.damage = ""
        self._descriptor = descriptor
        self._kind = kind
        self._rewind()

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of what was packed."""
        if offset < self._window.start:
            self._rewind()
        while self._window.end < offset + size and self._fill(size):
            if self._window.end <= offset:  # on the way to where it stands, nothing is kept
                self._window.drop(self._window.end)
        return self._window.cut(offset, size)

    def holds(self, position: int) -> bool:
        """Whether there are so many bytes."""
        return position == 0 or bool(self.read(position - 1, 1))

    def progress(self, _: int) -> tuple[int, int]:
        """How much of the file was read, and its size."""
        return os.lseek(self._descriptor, 0, os.SEEK_CUR), os.fstat(self._descriptor).st_size

    def lines_before(self, offset: int) -> int:
        """How many lines end before ``offset``."""
        if offset < self._window.start:
            self._rewind()
        self.read(offset, 0)
        return self._window.lines_before(offset)

    def release(self, offset: int) -> None:
        """What is before ``offset`` will not be asked for again."""
        self._window.drop(offset)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    def _rewind(self) -> None:
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._unpacker = Unpacker(self._kind)
        self._window = Window()
        self._ended = False
        self.damage = ""

    def _fill(self, size: int) -> bool:
        """Unpack some more; False at the end."""
        while not self._ended:
            try:
                if out := self._unpacker.take(max(size, READ_BYTES)):
                    self._window.add(out)
                    return True
            except DamagedError as error:
                self.damage, self._ended = str(error), True
                break
            data = os.read(self._descriptor, READ_BYTES)
            self._unpacker.feed(data)
            if not data:
                self._ended = True
                if not self._unpacker.between:
                    self.damage = ENDS_EARLY
        return False


def _zstd() -> ZstdDecompressor:
    return ZstdDecompressor(options={DecompressionParameter.window_log_max: WINDOW_LOG_MAX})
