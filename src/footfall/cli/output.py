"""How the command line looks: errors, notes, tables, progress. Rich is imported only where something moves."""

import json
import os
import sys
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self, TextIO

import msgspec

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

REFRESH_PER_S = 8


def error(message: object) -> None:
    """One clear line on stderr."""
    text = " ".join(str(message).split())
    print(f"{painted('footfall:', '1;31', sys.stderr)} {text}", file=sys.stderr)


def note(message: str) -> None:
    """Something worth knowing, on stderr, out of the way of what is printed for machines."""
    print(f"{painted('footfall:', '2', sys.stderr)} {message}", file=sys.stderr)


def print_json(value: Any) -> None:
    """One value, for machines, on a line of its own."""
    try:
        text = msgspec.json.encode(value).decode()
    except UnicodeEncodeError:  # a file's name may be any bytes
        text = json.dumps(msgspec.to_builtins(value), separators=(",", ":"))
    print(text, flush=True)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str | int]]) -> None:
    """A table: its columns' names, and a line for each row. Numbers stand at the right, with their thousands apart.

    Without a terminal, tabs stand between the columns, and numbers are digits alone.
    """
    terminal = sys.stdout.isatty()
    lines = [list(header), *([_cell(value, terminal) for value in row] for row in rows)]
    if not terminal:
        for line in lines:
            print("\t".join(line))
        return
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    numbers = [any(isinstance(row[column], int) for row in rows) for column in range(len(header))]
    for number, line in enumerate(lines):
        cells = []
        for text, width, right in zip(line, widths, numbers, strict=True):
            blanks = " " * (width - _width(text))
            cells.append(blanks + text if right else text + blanks)
        shown = "  ".join(cells).rstrip()
        print(shown if number else painted(shown, "2"))


def _cell(value: str | int, terminal: bool) -> str:
    return value if isinstance(value, str) else f"{value:{',' if terminal else ''}}"


def _width(text: str) -> int:
    """How many columns of a terminal it takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def moves() -> bool:
    """Whether the standard output is a terminal on which a picture can be drawn over the last one."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def painted(text: str, style: str, stream: TextIO | None = None) -> str:
    """The text in bold, dim or a colour, if the stream (the standard output) is a terminal that may have these."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    terminal = (stream or sys.stdout).isatty()
    return f"\x1b[{style}m{text}\x1b[0m" if terminal and not plain else text


class Rate:
    """How fast something grew lately."""

    def __init__(self, over_s: float = 3.0) -> None:
        """
        Args:
            over_s: What lately means.
        """
        self._over_s = over_s
        self._samples: deque[tuple[float, int]] = deque()

    def add(self, value: int) -> None:
        """It is ``value`` now."""
        self._samples.append((time.monotonic(), value))
        self._forget()

    def per_s(self) -> float:
        """By how much it grows in a second."""
        self._forget()
        if not self._samples:
            return 0.0
        begin, first = self._samples[0]
        return (self._samples[-1][1] - first) / max(time.monotonic() - begin, 0.5)

    def _forget(self) -> None:
        # One sample from before the time is kept: what was added since then counts from there.
        while len(self._samples) > 1 and time.monotonic() - self._samples[1][0] > self._over_s:
            self._samples.popleft()


class ProgressView:
    """A moving line on stderr while visits are sent; nothing at all where stderr is no terminal."""

    def __init__(self, label: str, shown: bool) -> None:
        """
        Args:
            label: What is read.
            shown: False to show nothing.
        """
        self._label = label
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._troubled = False
        self._shown = shown and sys.stderr.isatty()
        self._rate = Rate()

    def __enter__(self) -> Self:
        if self._shown:
            self._progress, self._task = self._start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def update(self, position: int, size: int | None, visits: int) -> None:
        """How far it has come; ``size`` is None where there is no end."""
        self._rate.add(visits)
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=position, total=size, visits=visits)

    def trouble(self, message: str) -> None:
        """Say once that something is wrong, and, with an empty message, that it is over."""
        if message and not self._troubled:
            note(f"{message} (trying again)")
        elif not message and self._troubled:
            note("going on")
        self._troubled = bool(message)

    def _start(self) -> "tuple[Progress, TaskID]":
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            ProgressColumn,
            SpinnerColumn,
            Task,
            TextColumn,
            TimeElapsedColumn,
        )
        from rich.text import Text

        rate = self._rate

        class RateColumn(ProgressColumn):
            def render(self, task: Task) -> Text:
                """Also while nothing comes in: then it falls to 0."""
                return Text(f"{rate.per_s():,.0f}/s", style="dim")

        progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("[bold]{task.fields[visits]:,}[/] visits"),
            RateColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            refresh_per_second=REFRESH_PER_S,
            transient=True,
        )
        progress.start()
        return progress, progress.add_task(self._label, total=None, visits=0)
