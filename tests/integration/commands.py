"""Runs the commands as a user does, for the tests of them."""

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from footfall.cli.client import Client

COMMAND = [sys.executable, "-m", "footfall.cli"]
PATIENCE_S = 60.0


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def footfall(*arguments: str, stdin: str | bytes = "", code: int | None = 0) -> subprocess.CompletedProcess[str]:
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run([*COMMAND, *arguments], input=data, capture_output=True, timeout=PATIENCE_S, check=False)
    result = subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in result.stderr
    if code is not None:
        assert result.returncode == code, result.stderr
    return result


def serve(directory: Path, *arguments: str) -> tuple[subprocess.Popen[bytes], str]:
    """A server that is ready, and its URL."""
    process, found = _started(directory, r"ready at (http://\S+)", *arguments)
    return process, found


def serve_three(directory: Path, *arguments: str) -> tuple[subprocess.Popen[bytes], list[str]]:
    """Three nodes that are ready, in processes of their own, and their URLs."""
    process, found = _started(directory, r"3 nodes are ready: (.*)", "--nodes", "3", *arguments)
    return process, found.split()


def _started(directory: Path, says: str, *arguments: str) -> tuple[subprocess.Popen[bytes], str]:
    log = directory.with_suffix(".log")
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [*COMMAND, "serve", "--data", str(directory), "--http", "127.0.0.1:0", *arguments], stderr=stderr
        )
    ready = re.compile(says)
    until(lambda: process.poll() is not None or ready.search(log.read_text()), "the server does not start")
    found = ready.search(log.read_text())
    assert found, log.read_text()
    return process, found[1]


def value(url: str, counter: str) -> int:
    with Client(url) as client:
        return client.read(counter).value


def settles(url: str, counter: str, expected: int) -> None:
    until(lambda: value(url, counter) >= expected, f"{counter} does not reach {expected}")
    assert value(url, counter) == expected
