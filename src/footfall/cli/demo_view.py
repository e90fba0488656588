"""How the demo looks: a live table on a terminal, a line a second elsewhere. Counts nothing itself."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from footfall.cli import output
from footfall.cli.demo_raffle import Milestone
from footfall.cli.demo_traffic import COUNTERS, SUM
from footfall.ordinals import ordinal

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

BARS = " ▁▂▃▄▅▆▇█"
RATES_SHOWN = 32
BAR_WIDTH = 40
LINE_INTERVAL_S = 1.0


class Sample(NamedTuple):
    """What is known at one moment.

    Attributes:
        elapsed_s: Since visits began to be sent.
        state: What is going on, in a few words.
        acknowledged: For each counter, what must come out.
        nodes: For each node, its values; None if it does not answer.
        phase: Of the sum: ``ap``, or ``cp`` while a judge counts it.
        rate: Visits acknowledged a second, lately.
        milestones: As a node tells them.
    """

    elapsed_s: float
    state: str
    acknowledged: Mapping[str, int]
    nodes: Sequence[Mapping[str, int] | None]
    phase: str
    rate: float
    milestones: Sequence[Milestone]


class View(Protocol):
    """Shows samples."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    def show(self, sample: Sample) -> None:
        """Show the present state."""


class LineView:
    """A line a second, and one for each turn of events; the first names the columns."""

    def __init__(self) -> None:
        self._next_s = 0.0
        self._headed = False
        self._phase = "ap"
        self._states: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left open."""

    def show(self, sample: Sample) -> None:
        """Print a line if it is time, or if something has turned."""
        turned = [text for one in sample.milestones if (text := self._turned(one))]
        if sample.phase != self._phase:
            self._phase = sample.phase
            turned.append(f"{SUM} is in phase {sample.phase}")
        if sample.elapsed_s >= self._next_s or turned:
            self._next_s = sample.elapsed_s + LINE_INTERVAL_S
            self._head(len(sample.nodes))
            seen = "  ".join("     (away)" if node is None else f"{node.get(SUM, 0):>11,}" for node in sample.nodes)
            print(
                f"{sample.elapsed_s:5.1f} s  {sample.phase:<5}  {sample.acknowledged[SUM]:>11,}  {seen}"
                f"  {sample.rate:>8,.0f}",
                flush=True,
            )
        for text in turned:
            print(f"{sample.elapsed_s:5.1f} s  {text}", flush=True)

    def _head(self, nodes: int) -> None:
        if self._headed:
            return
        self._headed = True
        names = "  ".join(f"{f'node {number}':>11}" for number in range(1, nodes + 1))
        print(f"{SUM}: visits sent, and what each node shows. Phase ap: available; cp: one judge counts exactly.")
        print(f"{'time':>7}  phase  {'sent':>11}  {names}  visits/s")

    def _turned(self, milestone: Milestone) -> str:
        if self._states.get(milestone.counter, "open") == milestone.state:
            return ""
        self._states[milestone.counter] = milestone.state
        name = f"the {ordinal(milestone.n)} visitor of {milestone.counter}"
        return f"{name} is {milestone.winner.visitor}" if milestone.winner else f"{name} is near: a judge counts"


class LiveView:
    """A table that moves."""

    def __init__(self, urls: Sequence[str], start: int) -> None:
        from rich.live import Live

        self._urls = urls
        self._start = start
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
        from rich.console import Group
        from rich.text import Text

        highest = max(self._rates) or 1
        bars = "".join(BARS[round(rate / highest * (len(BARS) - 1))] for rate in self._rates)
        rate = Text.assemble((f"{sample.rate:>9,.0f} visits/s ", "bold"), (bars, "cyan"))
        phase = Text(f"{sample.elapsed_s:.0f} s  {sample.state}", style="dim")
        return Group(self._counts(sample), rate, Text(), *map(self._milestone, sample.milestones), Text(), phase)

    def _counts(self, sample: Sample) -> "Table":
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("counter")
        table.add_column("sent", justify="right", style="bold")
        for number, url in enumerate(self._urls, 1):
            table.add_column(f"node {number}\n[dim]{url.removeprefix('http://')}[/]", justify="right")
        for counter in COUNTERS:
            sent = sample.acknowledged[counter]
            label = Text("  " + counter) if counter != SUM else Text.assemble((counter, "bold"), "  ", _phase(sample))
            values = [_value(node, counter, sent) for node in sample.nodes]
            table.add_row(label, f"{sent:,}", *values)
        return table

    def _milestone(self, milestone: Milestone) -> "RenderableType":
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        start = self._start if milestone.counter == SUM else 0
        line = Table.grid(padding=(0, 1))
        line.add_column(width=34)
        line.add_column(width=BAR_WIDTH)
        line.add_column()
        name = f"{ordinal(milestone.n)} of {milestone.counter}"
        if milestone.winner is not None:
            won = Text.assemble(("★ ", "yellow"), (f"visitor {milestone.winner.visitor}", "bold yellow"))
            line.add_row(Text(name, style="bold"), won, "")
        else:
            done = min(max(milestone.value - start, 0), milestone.n - start)
            left = Text(f"{max(milestone.n - milestone.value, 0):,} to go, {milestone.state}", style="dim")
            line.add_row(name, ProgressBar(total=milestone.n - start, completed=done, width=BAR_WIDTH), left)
        return line


def view(urls: Sequence[str], start: int) -> View:
    """What fits the standard output."""
    return LiveView(urls, start) if output.moves() else LineView()


def _phase(sample: Sample) -> tuple[str, str]:
    """The sum's phase, and its colour."""
    return ("exact (cp)", "bold magenta") if sample.phase == "cp" else ("ap", "dim")


def _value(node: Mapping[str, int] | None, counter: str, sent: int) -> str:
    if node is None:
        return "[yellow]away[/]"
    value = node.get(counter, 0)
    return f"[green]{value:,}[/]" if value == sent else f"{value:,}"
