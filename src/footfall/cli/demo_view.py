"""How the demo looks: a live table on a terminal, a line a second elsewhere. Counts nothing itself."""

import sys
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from footfall.core.names import Unit

if TYPE_CHECKING:
    from rich.console import RenderableType

BARS = " ▁▂▃▄▅▆▇█"
RATES_SHOWN = 32
LINE_INTERVAL_S = 1.0


class Sample(NamedTuple):
    """What is known at one moment.

    Attributes:
        elapsed_s: Since visits began to be sent.
        state: What is going on, in a few words.
        acknowledged: For each counter, what must come out.
        nodes: For each node, its values; None if it does not answer.
        rate: Visits acknowledged a second, lately.
    """

    elapsed_s: float
    state: str
    acknowledged: Mapping[str, int]
    nodes: Sequence[Mapping[str, int] | None]
    rate: float


class View(Protocol):
    """Shows samples."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    def show(self, sample: Sample) -> None:
        """Show the present state."""


class LineView:
    """A line a second."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left open."""

    def show(self, sample: Sample) -> None:
        """Print a line if it is time."""
        if sample.elapsed_s < self._next_s:
            return
        self._next_s = sample.elapsed_s + LINE_INTERVAL_S
        sent = sample.acknowledged["google"]
        seen = "  ".join("     (away)" if node is None else f"{node.get('google', 0):>11,}" for node in sample.nodes)
        print(
            f"{sample.elapsed_s:5.1f} s  google: sent {sent:>11,}  nodes {seen}  {sample.rate:>8,.0f} visits/s  "
            f"shop: {sample.acknowledged['shop']:,} visitors",
            flush=True,
        )


class LiveView:
    """A table that moves."""

    def __init__(self, urls: Sequence[str], units: Mapping[str, Unit], seconds: float) -> None:
        from rich.live import Live

        self._urls = urls
        self._units = units
        self._seconds = seconds
        self._rates: deque[float] = deque(maxlen=RATES_SHOWN)
        self._live = Live(auto_refresh=False, redirect_stderr=False)  # stderr goes to a file

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, sample: Sample) -> None:
        """Draw the table anew."""
        self._rates.append(sample.rate)
        self._live.update(self._render(sample), refresh=True)

    def _render(self, sample: Sample) -> "RenderableType":
        from rich import box
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("counter")
        table.add_column("counts", style="dim")
        table.add_column("sent", justify="right", style="bold")
        for number, url in enumerate(self._urls, 1):
            table.add_column(f"node {number}\n[dim]{url.removeprefix('http://')}[/]", justify="right")
        for counter, unit in self._units.items():
            sent = sample.acknowledged[counter]
            label = "  " + counter if "." in counter else counter
            values = [_value(node, counter, sent) for node in sample.nodes]
            table.add_row(Text(label, style="" if "." in counter else "bold"), unit.value, f"{sent:,}", *values)
        highest = max(self._rates) or 1
        bars = "".join(BARS[round(rate / highest * (len(BARS) - 1))] for rate in self._rates)
        rate = Text.assemble((f"{sample.rate:>9,.0f} visits/s ", "bold"), (bars, "cyan"))
        progress = Table.grid(padding=(0, 1))
        progress.add_row(
            ProgressBar(total=self._seconds, completed=min(sample.elapsed_s, self._seconds), width=32),
            Text(f"{sample.elapsed_s:.0f} s  {sample.state}", style="dim"),
        )
        return Group(table, rate, Text(), progress)


def view(urls: Sequence[str], units: Mapping[str, Unit], seconds: float) -> View:
    """What fits the standard output."""
    return LiveView(urls, units, seconds) if sys.stdout.isatty() else LineView()


def _value(node: Mapping[str, int] | None, counter: str, sent: int) -> str:
    if node is None:
        return "[yellow]away[/]"
    value = node.get(counter, 0)
    return f"[green]{value:,}[/]" if value == sent else f"{value:,}"
