"""``footfall top``: looks at a node once a second and shows it; once, and plainly, where there is no terminal."""

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import msgspec

from footfall.cli import output
from footfall.cli.arguments import Where
from footfall.cli.client import Client
from footfall.cli.top_screen import NONE_CHOSEN, Shown, draw
from footfall.cli.top_text import growth
from footfall.cli.top_wire import Overview, Row
from footfall.errors import FootfallError, UnauthorizedError

LOOK_S = 1.0
TURN_S = 0.1  # how late a key, or a window of another size, is noticed
COUNTERS_MAX = 1_000  # below one counter, as a page holds; more are in `footfall counters`
PLAIN_HEIGHT = 10_000
PLAIN_WIDTH = 120
ARROWS = {b"\x1b[A": "up", b"\x1b[B": "down", b"\x1b[C": "right", b"\x1b[D": "left"}
ARROWS |= {keys.replace(b"[", b"O"): name for keys, name in ARROWS.items()}  # as some terminals send them
ENDS = (b"q", b"Q", b"\x03", b"\x04")


def run(where: Where, once: bool, json: bool) -> None:
    """Show a node until q is pressed, or once. Raises FootfallError if it cannot be reached at the beginning."""
    with Client(where) as client:
        if json:
            said = client.look("", COUNTERS_MAX)
            output.print_json(said.overview | {"roots": said.counters})
            return
        top = Top(client)
        top.look(patient=False)
        if once or not (output.moves() and sys.stdin.isatty()):
            print_once(top)
        else:
            with suppress(KeyboardInterrupt):  # one way to end it
                live(top)


class Top:
    """Looks at a node, again and again."""

    def __init__(self, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            client: The node.
            clock: In seconds.
        """
        self.shown = Shown()
        self.client = client
        self._clock = clock
        self._looked_s = 0.0

    def look(self, patient: bool = True) -> None:
        """Ask the node. If it does not answer, the screen says so; or, if not ``patient``, FootfallError is raised."""
        shown = self.shown
        try:
            said = self.client.look(shown.parent, COUNTERS_MAX)
            overview = msgspec.convert(said.overview, Overview)
            counters = msgspec.convert(said.counters, list[Row])
        except msgspec.ValidationError as error:
            raise FootfallError(f"{self.client.url} does not answer as a node does: {error}") from None
        except UnauthorizedError:
            raise
        except FootfallError as error:
            if not patient:
                raise
            shown.trouble = str(error)
            return
        now_s = self._clock()
        before = {one.counter: one.value for one in shown.counters}
        shown.per_s = growth(before, {one.counter: one.value for one in counters}, now_s - self._looked_s)
        shown.overview, shown.counters, shown.trouble = overview, counters, ""
        shown.chosen = min(shown.chosen, max(0, len(counters) - 1))
        shown.said_s = self._looked_s = now_s


def print_once(top: Top) -> None:
    """One picture, as long as it needs to be; without a terminal without colours, and a fixed width."""
    from rich.console import Console

    terminal = sys.stdout.isatty()
    console = Console(
        width=None if terminal else PLAIN_WIDTH, highlight=False, color_system="auto" if terminal else None
    )
    top.shown.chosen = NONE_CHOSEN
    with console.capture() as captured:
        console.print(draw(top.shown, top.client.url, PLAIN_HEIGHT, keys=False))
    for line in captured.get().splitlines():
        print(line.rstrip())


def live(top: Top) -> None:
    """A picture that moves, until q is pressed."""
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False)
    with keyboard() as keys, Live(console=console, screen=True, auto_refresh=False) as screen:
        due_s, size = 0.0, None
        while True:
            redraw = console.size != size
            if time.monotonic() >= due_s:
                top.look()
                due_s, redraw = time.monotonic() + LOOK_S, True
            for key in keys(TURN_S):
                if key == "end":
                    return
                redraw = True
                if top.shown.press(key):
                    due_s = 0.0
            if redraw:
                size = console.size
                screen.update(draw(top.shown, top.client.url, size.height), refresh=True)


@contextmanager
def keyboard() -> Iterator[Callable[[float], list[str]]]:
    """Keys as they are pressed, unseen; the terminal is as before afterwards."""
    descriptor = sys.stdin.fileno()
    before: list[Any] = termios.tcgetattr(descriptor)

    def pressed(wait_s: float) -> list[str]:
        if not select.select([descriptor], [], [], wait_s)[0]:
            return []
        return keys_in(os.read(descriptor, 1024))

    try:
        tty.setcbreak(descriptor)
        yield pressed
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def keys_in(typed: bytes) -> list[str]:
    """The keys in what a terminal sent; an end of the input ends, too."""
    if not typed:
        return ["end"]
    found = []
    while typed:
        known = next((keys for keys in (*ARROWS, *ENDS) if typed.startswith(keys)), None)
        if known is not None:
            found.append(ARROWS.get(known, "end"))
        typed = typed[len(known) if known else 1 :]
    return found
