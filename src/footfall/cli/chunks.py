"""Cuts a log's bytes into chunks at ends of lines, and tallies what was in them. Pure: no files, no HTTP."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from footfall.cli.client import encode_chunk
from footfall.cli.formats import BYTE_ORDER_MARK, Parse
from footfall.cli.logs.hit import Skip
from footfall.cli.selecting import Line
from footfall.core.visit import BATCH_BYTES_MAX, BATCH_VISITS_MAX

BAD_LINES_SHOWN = 5
BAD_TEXT_MAX = 80
BAD_REASON_MAX = 160  # a reason may show what was wrong: up to 256 bytes that cannot be shown as they are


class BadLine(msgspec.Struct, frozen=True):
    """A line that could not be read.

    Attributes:
        line: Its number in the file, from 1.
        reason: Why.
        text: How it begins.
    """

    line: int
    reason: str
    text: str


class Tally(msgspec.Struct, frozen=True):
    """What was in a stretch of a log.

    Attributes:
        lines: All lines, whatever became of them.
        visits: Visits counted.
        filtered: Lines that tell of a request that was not asked for.
        blank: Lines that tell of nothing: blank ones, comments, other messages.
        bad: Lines that could not be read.
        bad_lines: The first few of these.
    """

    lines: int = 0
    visits: int = 0
    filtered: int = 0
    blank: int = 0
    bad: int = 0
    bad_lines: tuple[BadLine, ...] = ()

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.lines + other.lines,
            self.visits + other.visits,
            self.filtered + other.filtered,
            self.blank + other.blank,
            self.bad + other.bad,
            (self.bad_lines + other.bad_lines)[:BAD_LINES_SHOWN],
        )


class Refused(NamedTuple):
    """A line of a cut that gave no visit: which, from 0, why, and, where something is wrong with it, how it begins."""

    line: int
    why: Skip | str
    text: bytes = b""


class Cut(NamedTuple):
    """Some whole lines, read.

    Attributes:
        end: The offset after the last of them.
        lines: How many there are.
        visits: Of the lines that could be read, in order.
        refused: The other lines, in order.
    """

    end: int
    lines: int
    visits: list[Line]
    refused: list[Refused]

    def tally(self, lines_before: int) -> Tally:
        """What is in it, if ``lines_before`` lines of the file come before it."""
        bad = [refused for refused in self.refused if isinstance(refused.why, str)]
        shown = tuple(
            BadLine(lines_before + refused.line + 1, shortened(str(refused.why)), refused.text.decode(errors="replace"))
            for refused in bad[:BAD_LINES_SHOWN]
        )
        visits = sum(visit.count for visit in self.visits)
        return Tally(self.lines, visits, self.filtered, len(self.refused) - len(bad) - self.filtered, len(bad), shown)

    @property
    def filtered(self) -> int:
        """How many lines tell of a request that was not asked for."""
        return sum(refused.why is Skip.FILTERED for refused in self.refused)

    @property
    def decides(self) -> bool:
        """Whether any of the lines was read: the source then stands behind them, also if there is no visit."""
        return bool(self.visits) or any(refused.why is Skip.FILTERED for refused in self.refused)

    @property
    def faulty(self) -> bool:
        """Whether any of the lines could not be read."""
        return any(isinstance(refused.why, str) for refused in self.refused)

    def without(self, indices: Sequence[int], reason: str) -> "Cut":
        """The same lines, if the visits at ``indices`` are not to be counted, because of ``reason``."""
        gone = set(indices)
        skipped = {refused.line for refused in self.refused}
        of_visits = [line for line in range(self.lines) if line not in skipped]
        refused = self.refused + [
            Refused(of_visits[index], reason, msgspec.json.encode(self.visits[index])) for index in gone
        ]
        visits = [visit for index, visit in enumerate(self.visits) if index not in gone]
        return Cut(self.end, self.lines, visits, sorted(refused, key=lambda one: one.line))


def shortened(reason: str) -> str:
    """As much of a reason as fits on a line or two."""
    return reason if len(reason) <= BAD_REASON_MAX else f"{reason[:BAD_REASON_MAX]}…"


def cut(data: bytes, offset: int, parse: Parse, lines_max: int = BATCH_VISITS_MAX) -> Cut:
    """Read the lines at the beginning of ``data``.

    Args:
        data: Lines; the last may lack its end.
        offset: Where in the file ``data`` begins, at the beginning of a line.
        parse: Reads one line.
        lines_max: Read no more than so many.
    """
    lines = data.split(b"\n", lines_max)
    rest = lines.pop() if len(lines) > lines_max or not lines[-1] else b""
    visits: list[Line] = []
    refused: list[Refused] = []
    if offset == 0 and lines:
        lines[0] = lines[0].removeprefix(BYTE_ORDER_MARK)
    if b"\r" in data:
        lines = [line.removesuffix(b"\r") for line in lines]
    for index, line in enumerate(lines):
        visit = parse(line)
        if type(visit) is Line:
            visits.append(visit)
        elif not line or line.isspace():  # in no format is such a line a visit: those that are need not be asked
            refused.append(Refused(index, Skip.NOTHING))
        elif type(visit) is Skip:
            refused.append(Refused(index, visit))
        else:
            refused.append(Refused(index, str(visit), line[:BAD_TEXT_MAX]))
    return Cut(offset + len(data) - len(rest), len(lines), visits, refused)


def cut_to_fit(data: bytes, offset: int, parse: Parse, source: str, start: int) -> tuple[Cut, bytes]:
    """As many of the lines as one request takes, and its body.

    Args:
        data: Lines; the last may lack its end.
        offset: Where in the file they begin.
        parse: Reads one line.
        source: The source's id.
        start: Where the chunk begins: at ``offset``, or before it if only lines without a visit lie between.
    """
    lines_max = BATCH_VISITS_MAX
    while True:
        piece = cut(data, offset, parse, lines_max)
        body = encode_chunk(source, start, piece.end, piece.visits)
        if len(body) <= BATCH_BYTES_MAX or piece.lines == 1:
            return piece, body
        lines_max = max(1, piece.lines * BATCH_BYTES_MAX * 9 // (len(body) * 10))
