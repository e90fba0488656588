"""What ``footfall top`` shows: makes a picture of what a node said, and of what the person chose. Asks nobody."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, JustifyMethod, RenderableType, RenderResult
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from footfall.cli.top_text import duration, log_line, projected, ranges, rate, spool_line
from footfall.cli.top_wire import Overview, Row
from footfall.ordinals import counted

MILESTONES_SHOWN = 5
NODES_SHOWN = 8
COUNTERS_LEFT_MIN = 3  # of the screen's lines, however much else there is
NAME_WIDTH_MIN = 16
COLUMNS_APART = 2
NONE_CHOSEN = -1
KEYS = "q quit   ↑ ↓ choose   → what is below   ← back"


@dataclass
class Shown:
    """What is known and chosen now.

    Attributes:
        overview: What the node said last; None until it has.
        counters: The counters below ``parent``, as it said last.
        per_s: How fast they grow.
        parent: Below which counter one looks; empty: at the top of the tree.
        chosen: Which of them is chosen.
        trouble: Why the node does not answer; empty if it does.
        said_s: When it answered last, by the monotonic clock.
    """

    overview: Overview | None = None
    counters: Sequence[Row] = ()
    per_s: dict[str, float] = field(default_factory=dict)
    parent: str = ""
    chosen: int = 0
    trouble: str = ""
    said_s: float = 0.0

    def press(self, key: str) -> bool:
        """Do what a key asks for; returns whether other counters are wanted now."""
        if key in ("up", "down"):
            last = len(self.counters) - 1
            self.chosen = max(0, min(last, self.chosen + (1 if key == "down" else -1)))
        elif key == "right" and self.chosen < len(self.counters) and self.counters[self.chosen].children:
            return self._look_below(self.counters[self.chosen].counter)
        elif key == "left" and self.parent:
            return self._look_below(self.parent.rpartition(".")[0])
        return False

    def _look_below(self, parent: str) -> bool:
        self.parent, self.counters, self.per_s, self.chosen = parent, (), {}, 0
        return True


def draw(shown: Shown, url: str, height: int, now_s: float | None = None, keys: bool = True) -> RenderableType:
    """The whole screen, at most ``height`` lines high; the last tells the ``keys``."""
    now_s = time.monotonic() if now_s is None else now_s
    if shown.overview is None:
        return Group(Text(f"footfall top  {url}", style="bold"), _trouble(shown, now_s, url))
    overview, parts = shown.overview, [_head(shown.overview)]
    if shown.trouble:
        parts.append(_trouble(shown, now_s, url))
    parts += [Text(f"! {problem}", style="bold red", no_wrap=True) for problem in overview.problems]
    parts += [Text(f"! {warning}", style="yellow", no_wrap=True) for warning in overview.warnings]
    parts += [_line("log", log_line(overview.log), not overview.log.connected)]
    parts += [_line("spool", spool_line(overview.spool), overview.spool is not None and overview.spool.visits > 0)]
    lines = len(parts) + 2 + min(len(overview.nodes), NODES_SHOWN)
    milestones = overview.milestones[:MILESTONES_SHOWN]
    lines += 2 + len(milestones) if milestones else 0
    room = max(COUNTERS_LEFT_MIN, height - lines - 3)
    tables: list[RenderableType] = [_nodes(overview)]
    if milestones:
        tables.append(_milestones(overview))
    tables.append(_counters(shown, room))
    if keys:
        tables.append(Text(KEYS, style="dim", no_wrap=True))
    return Group(*parts, *tables)


def _head(overview: Overview) -> Text:
    text = Text("footfall top  ", style="bold", no_wrap=True)
    text.append(f"{overview.node}  ")
    text.append(f"{rate(overview.visits_per_s)}  ", style="bold green")
    up = duration(max(0.0, time.time() - overview.started))
    parts = (
        counted(overview.counters, "counter"),
        overview.topology,
        counted(overview.partitions, "partition"),
        f"up {up}",
        overview.version,
    )
    return text.append("  ".join(parts), style="dim")


def _trouble(shown: Shown, now_s: float, url: str) -> Text:
    if not shown.trouble:
        return Text(f"asking {url} ...", style="dim")
    since = f" for {duration(now_s - shown.said_s)}" if shown.said_s else ""
    return Text(f"DISCONNECTED{since}: {shown.trouble} (trying again)", style="bold white on red")


def _line(name: str, said: str, bad: bool) -> Text:
    return Text(f"{name:<7}", style="dim", no_wrap=True).append(said, style="bold red" if bad else "not dim")


class _Table:
    """A table without lines, with as many of its columns as there is room for; those that begin with ``>`` are numbers.

    The first is a name, and becomes shorter before another column is left out.
    """

    def __init__(self, title: str, *columns: str) -> None:
        self._title = title
        self._columns = columns
        self._rows: list[tuple[Sequence[str], str]] = []

    def add(self, row: Sequence[str], style: str) -> None:
        self._rows.append((row, style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = [[column.lstrip(">") for column in self._columns], *(row for row, _ in self._rows)]
        widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
        count = fitting(widths, options.max_width)
        widths[0] = min(widths[0], max(1, options.max_width - sum(widths[1:count]) - COLUMNS_APART * (count - 1)))
        table = Table(box=None, pad_edge=False, padding=(0, COLUMNS_APART, 0, 0), header_style="dim", expand=False)
        for column, width in zip(self._columns[:count], widths, strict=False):
            justify: JustifyMethod = "right" if column.startswith(">") else "left"
            table.add_column(column.lstrip(">"), justify=justify, no_wrap=True, width=width)
        for row, style in self._rows:
            table.add_row(*row[:count], style=style)
        yield Rule(self._title, style="dim", align="left")
        yield table


def fitting(widths: Sequence[int], room: int) -> int:
    """How many of a table's columns there is room for, two at least, if the first may be cut to ``NAME_WIDTH_MIN``."""
    taken = min(widths[0], NAME_WIDTH_MIN)
    for count, width in enumerate(widths[1:], 1):
        taken += COLUMNS_APART + width
        if taken > room and count > 1:
            return count
    return len(widths)


def _nodes(overview: Overview) -> _Table:
    table = _Table("nodes", "node", "partitions", ">sequence", ">lag", ">heard", "url")
    for node in overview.nodes[:NODES_SHOWN]:
        late = "yellow" if node.lag_ms > 1_000 or node.heard_ms_ago > 1_000 else ""
        heard = "asked" if node.self else f"{node.heard_ms_ago} ms"
        row = (node.id, ranges(node.partitions), f"{node.sequence:,}", f"{node.lag_ms} ms", heard, node.url)
        table.add(row, late)
    return table


def _milestones(overview: Overview) -> _Table:
    more = len(overview.milestones) - MILESTONES_SHOWN
    title = f"milestones, {more} more" if more > 0 else "milestones"
    table = _Table(title, "counter", ">n", ">value", ">to go", ">rate", "state", "reached")
    for one in overview.milestones[:MILESTONES_SHOWN]:
        left = max(0, one.n - one.value)
        row = (
            one.counter,
            f"{one.n:,}",
            f"{one.value:,}",
            f"{left:,}",
            rate(one.rate_per_s),
            one.state,
            projected(one),
        )
        table.add(row, {"closing": "bold magenta", "reached": "green"}.get(one.state, ""))
    return table


def _counters(shown: Shown, room: int) -> _Table:
    title = f"counters below {shown.parent}" if shown.parent else "counters"
    table = _Table(title, "counter", ">value", ">rate", "unit", "phase", ">below")
    first = max(0, min(shown.chosen - room + 1, len(shown.counters) - room))
    for number, one in enumerate(shown.counters[first : first + room], first):
        below = f"{one.children:,} →" if one.children else ""
        phase = "exact (cp)" if one.phase == "cp" else ""  # what is usual needs no word
        row = (one.counter, f"{one.value:,}", rate(shown.per_s.get(one.counter)), one.unit, phase, below)
        table.add(row, "reverse" if number == shown.chosen else "")
    return table
