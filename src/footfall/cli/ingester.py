"""Reads a source from where the log has it to where it ends, one chunk on its way while the next is read."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import NamedTuple

from footfall.cli.chunks import BadLine, Cut, Tally, cut_to_fit
from footfall.cli.delivery import Chunk, Delivered, Messenger
from footfall.cli.formats import Parse
from footfall.cli.pipes import PipeReader
from footfall.cli.sources import BLOCK_BYTES, Reader
from footfall.errors import FootfallError

STALLS_MAX = 10  # answers in a row that the source stands elsewhere, without ever getting further


class Block(NamedTuple):
    """What a reader has from an offset on: whole lines, and the beginning of one that has no end yet.

    Attributes:
        lines: Whole lines.
        tail: What follows the last of them.
        overlong_end: Where a line ends that is longer than a block; 0 if there is none.
    """

    lines: bytes
    tail: bytes
    overlong_end: int = 0


class Ingester:
    """One source on its way into the log.

    Attributes:
        tally: What this run has counted.
        unterminated: Whether a last line without an end was left for the next time.
    """

    def __init__(
        self,
        reader: Reader,
        source: str,
        position: int,
        parse: Parse,
        messenger: Messenger,
        executor: Executor,
        progress: Callable[[int, Tally], None],
    ) -> None:
        """
        Args:
            reader: The source's bytes.
            source: Its id.
            position: Where it stands in the log.
            parse: Reads one line.
            messenger: Takes chunks to a node.
            executor: Runs it, one chunk at a time.
            progress: Told how far the source is counted, and what was counted.
        """
        self.tally = Tally()
        self.unterminated = False
        self._reader = reader
        self._source = source
        self._parse = parse
        self._messenger = messenger
        self._executor = executor
        self._progress = progress
        self._held = Tally()
        self._stalls = 0
        self._furthest = position
        self._go_to(position)

    @property
    def position(self) -> int:
        """Where the source stands in the log, as far as is known."""
        return self._position

    @property
    def result(self) -> Tally:
        """What was counted, and the lines after it that held no visit."""
        return self.tally + self._held

    def drain(self, stopped: Callable[[], bool], final: bool) -> None:
        """Deliver all whole lines that there are.

        Args:
            stopped: Whether to end after the chunk that is on its way.
            final: Nothing more will be written: deliver a last line without an end too, if it can be read.

        Raises:
            FootfallError: What ends the run; everything delivered before stays counted.
        """
        flight: tuple[Chunk, Tally, Future[Delivered]] | None = None
        while True:
            chunk = None
            try:
                chunk = None if stopped() else self._next(final)
            finally:  # also when the file cannot be read on: what is on its way is counted
                landed = flight is None or self._land(*flight)
            flight = None
            if landed and chunk is not None:
                flight = (chunk, self._held, self._executor.submit(self._messenger.deliver, chunk))
                self._start, self._held = chunk.piece.end, Tally()
            elif landed or stopped():
                return

    def _go_to(self, position: int) -> None:
        """Go on from where the log has the source; what was read beyond is read again."""
        self._position = self._start = self._offset = position
        self._held = Tally()  # lines after the last chunk that hold no visit
        # Inside a line: it was counted when it had no end yet, and what was added to it since belongs to it.
        self._inside = position > 0 and self._reader.read(position - 1, 1) not in (b"\n", b"")

    def _land(self, chunk: Chunk, before: Tally, flight: Future[Delivered]) -> bool:
        """Wait for a chunk; whether the next may follow on it, or has to be read again."""
        delivered = flight.result()
        if delivered.position is None:
            return False
        if not delivered.piece.decides:  # all refused: the next chunk takes these lines along
            self._go_to(chunk.start)
            self._offset, self._inside = delivered.piece.end, False
            self._held = before + self._tally_of(delivered.piece, chunk.offset)
            return False
        if delivered.counted:
            self.tally += before + self._tally_of(delivered.piece, chunk.offset)
        self._stalls = 0 if delivered.position > self._furthest else self._stalls + 1
        self._furthest = max(self._furthest, delivered.position)
        if self._stalls > STALLS_MAX:
            raise FootfallError(
                f"source {self._source} stays at byte {delivered.position}: the node refuses every chunk from there on"
            )
        self._progress(delivered.position, self.tally)
        if delivered.position != chunk.piece.end:
            self._go_to(delivered.position)
            return False
        self._position = delivered.position
        self._reader.release(delivered.position - 1)  # the byte before says whether it begins a line
        return True

    def _next(self, final: bool) -> Chunk | None:
        """The next lines of which some were read, and all that came before them; None if there are none now."""
        while True:
            block = self._block()
            if self._inside:
                end = block.lines.find(b"\n") + 1
                self._offset = block.overlong_end or self._offset + end
                self._inside = not end and not block.overlong_end
                if self._inside:
                    return None
                continue
            self.unterminated = False
            if block.overlong_end:
                self._hold_overlong(block)
            elif block.lines:
                if chunk := self._cut(block.lines):
                    return chunk
            else:
                return self._last_line(block.tail, final)

    def _block(self) -> Block:
        offset = self._offset
        data = self._reader.read(offset, BLOCK_BYTES)
        end = data.rfind(b"\n") + 1
        if end or len(data) < BLOCK_BYTES:
            return Block(data[:end], data[end:])
        while data:
            offset += len(data)
            self._reader.release(offset)
            data = self._reader.read(offset, BLOCK_BYTES)
            if b"\n" in data:
                return Block(b"", b"", offset + data.find(b"\n") + 1)
        return Block(b"", b"\0")  # has no end yet, and cannot be read

    def _cut(self, data: bytes) -> Chunk | None:
        piece, body = cut_to_fit(data, self._offset, self._parse, self._source, self._start)
        offset, self._offset = self._offset, piece.end
        if piece.decides:
            return Chunk(self._source, self._start, offset, piece, body)
        self._held += self._tally_of(piece, offset)
        return None

    def _last_line(self, tail: bytes, final: bool) -> Chunk | None:
        if not tail.strip():
            return None
        if final and not self._reader.damage:  # of a file that ends too early, the last line does too
            piece, body = cut_to_fit(tail, self._offset, self._parse, self._source, self._start)
            if piece.visits:
                offset, self._offset = self._offset, piece.end
                return Chunk(self._source, self._start, offset, piece, body)
            if isinstance(self._reader, PipeReader):  # nothing can be added to it any more
                self._held += self._tally_of(piece, self._offset)
                self._offset = piece.end
                return None
        self.unterminated = True
        return None

    def _hold_overlong(self, block: Block) -> None:
        line = self._reader.lines_before(self._offset) + 1
        bad = BadLine(line, f"is longer than {BLOCK_BYTES:,} bytes", "")
        self._held += Tally(lines=1, bad=1, bad_lines=(bad,))
        self._offset = block.overlong_end

    def _tally_of(self, piece: Cut, offset: int) -> Tally:
        return piece.tally(self._reader.lines_before(offset) if piece.faulty else 0)
