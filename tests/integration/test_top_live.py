"""``top`` in a terminal: it moves, follows the window, shows a node that is gone, and restores the terminal."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from processes import HTTP, NodeProcess


class Terminal:
    """A terminal in which a command runs."""

    def __init__(self, *command: str) -> None:
        self._ours, theirs = pty.openpty()
        self.resize(24, 100)
        self.settings = termios.tcgetattr(theirs)
        self._theirs = theirs
        # What runs tests in parallel says how wide its own screen is, and that would stand over the terminal's size.
        inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        environment = {**inherited, "TERM": "xterm-256color"}
        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)

    def resize(self, lines: int, columns: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def shows(self, text: str, timeout_s: float = 60.0) -> str:
        """Read until a text comes; what came, without colours and moves of the cursor."""
        came, deadline_s = b"", time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            if select.select([self._ours], [], [], 0.1)[0]:
                came += os.read(self._ours, 65536)
                plain = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", came).decode(errors="replace")
                if text in plain:
                    return plain
        raise AssertionError(f"{text!r} was not shown; last: {came[-2000:]!r}")

    def restored(self) -> bool:
        """Whether lines are edited and echoed as they were before."""
        return termios.tcgetattr(self._theirs) == self.settings

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[NodeProcess]:
    with NodeProcess(tmp_path / "data") as one:
        assert HTTP.post(f"{one.url}/v1/counters/shop.books/visits", json={"count": 1234}).status_code == 202
        yield one


def test_a_person_watches_a_node_that_dies_and_comes_back(node: NodeProcess) -> None:
    terminal = Terminal(sys.executable, "-m", "footfall.cli", "top", "--url", node.url)
    try:
        terminal.shows("1,234")
        assert not terminal.restored(), "keys must not be echoed"
        terminal.type(b"\x1b[C")
        terminal.shows("shop.books")
        terminal.type(b"\x1b[D")
        terminal.shows("counters")
        terminal.resize(30, 140)
        assert any(len(line) == 140 for line in re.split(r"[\r\n]+", terminal.shows("─" * 110)))
        node.kill()
        terminal.shows("DISCONNECTED")
        node.start()
        assert HTTP.post(f"{node.url}/v1/counters/shop.books/visits", json={"count": 4321}).status_code == 202
        terminal.shows("5,555")
        terminal.type(b"q")
        assert terminal.process.wait(timeout=10) == 0
        assert terminal.restored()
    finally:
        terminal.close()


def test_without_a_terminal_it_is_one_plain_picture(node: NodeProcess) -> None:
    command = [sys.executable, "-m", "footfall.cli", "top", "--url", node.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert "shop" in done.stdout
    assert "\x1b" not in done.stdout
    assert "q quit" not in done.stdout
    assert not [line for line in done.stdout.splitlines() if line != line.rstrip() or len(line) > 120]
