"""What happens at twice the rate that can be sustained: share refused, latency of the rest, memory, and recovery.

Load is offered in an open loop: requests fall due at the rate, whatever became of those before them, on a connection
that is idle, or on a new one. A request for which there is none left is not sent, as by someone who went away.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from itertools import repeat
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import uvloop

from benchmarks import harness
from benchmarks.load import TICK_S, _Connection, _Run

SECONDS_MAX = 120.0
CALM_MS = 100.0  # recovered: answered, and within this time
VISITORS = ",".join(f'"198.51.100.{number % 250}"' for number in range(1000))


class Way(NamedTuple):
    """A way through the node: what is asked, and how."""

    name: str
    path: str
    body: str
    headers: str = ""


WAYS = (
    Way("one visit a request, hot path", "/v1/counters/shop/visits", '{"visitor":"203.0.113.7"}'),
    Way("one visit with a key", "/v1/counters/shop/visits", '{"visitor":"203.0.113.7","count":2}'),
    Way("1,000 visits a request", "/v1/counters/shop/visits", f'{{"visitors":[{VISITORS}]}}'),
    Way("exact reads", "/v1/counters/shop?consistency=linearizable", ""),
)


class Answer(NamedTuple):
    """One request."""

    due_s: float
    latency_s: float
    accepted: bool


class _OpenRun(_Run):
    """Requests that fall due at a rate."""

    def __init__(self, request: bytes, rate: float, connections_max: int) -> None:
        super().__init__(repeat(request), rate)
        self.answers: list[Answer] = []
        self.unsent = self.opened = 0
        self.connections_max = connections_max

    def answered(self, connection: _Connection, accepted: bool) -> None:
        now_s = time.perf_counter()
        self.answers.append(Answer(connection.due_s, now_s - connection.due_s, accepted))
        if not self.rate and not self.over:
            connection.send(now_s)
        else:
            self.idle.append(connection)

    async def offer(self, host: str, port: int, seconds: float, rate: float) -> None:
        """Let requests fall due."""
        loop = asyncio.get_running_loop()
        opening: set[asyncio.Task[None]] = set()

        async def fresh(due_s: float) -> None:
            try:
                _, connection = await loop.create_connection(lambda: _Connection(self), host, port)
                connection.send(due_s)
            except OSError:
                self.unsent += 1
                self.opened -= 1

        started_s, sent = time.perf_counter(), 0
        while (now_s := time.perf_counter()) < started_s + seconds:
            while sent < (now_s - started_s) * rate:
                due_s = started_s + sent / rate
                sent += 1
                while self.idle and self.idle[-1].transport.is_closing():
                    self.idle.pop()
                if self.idle:
                    self.idle.pop().send(due_s)
                elif self.opened < self.connections_max:
                    self.opened += 1
                    opening.add(task := asyncio.create_task(fresh(due_s)))
                    task.add_done_callback(opening.discard)
                else:
                    self.unsent += 1
            await asyncio.sleep(TICK_S)


def _request(url: str, way: Way) -> bytes:
    method = "POST" if way.body else "GET"
    head = f"{method} {way.path} HTTP/1.1\r\nhost: {urlsplit(url).netloc}\r\n{way.headers}"
    if way.body:
        head += f"content-type: application/json\r\ncontent-length: {len(way.body)}\r\n"
    return f"{head}\r\n{way.body}".encode()


async def _generate(url: str, way: Way, rate: float, seconds: float, connections_max: int) -> dict[str, object]:
    """Closed loop on 64 connections for ``rate`` 0; else overload for ``seconds``, and then a quarter of the rate."""
    parts = urlsplit(url)
    host, port = str(parts.hostname), int(parts.port or 80)
    run = _OpenRun(_request(url, way), rate, connections_max)
    began_s = time.perf_counter()
    if not rate:
        loop = asyncio.get_running_loop()
        for _ in range(64):
            _, connection = await loop.create_connection(lambda: _Connection(run), host, port)
            connection.send(time.perf_counter())
        await asyncio.sleep(seconds)
        run.over = True
        return {"rate": len(run.answers) / seconds}
    await run.offer(host, port, seconds, rate)
    ended_s, unsent = time.perf_counter(), run.unsent
    await run.offer(host, port, 5.0, rate / 4)
    await asyncio.sleep(1.0)
    run.over = True
    during = [one for one in run.answers if one.due_s < ended_s]
    accepted = [1000 * one.latency_s for one in during if one.accepted] or [0.0]
    late_s = [
        one.due_s - ended_s
        for one in run.answers
        if one.due_s >= ended_s and (not one.accepted or 1000 * one.latency_s > CALM_MS)
    ]
    return {
        "offered": (len(during) + unsent) / (ended_s - began_s),
        "accepted": (len(accepted)) / (ended_s - began_s),
        "refused": 1 - len(accepted) / max(1, len(during)),
        "unsent": unsent / max(1, len(during) + unsent),
        "p50_ms": harness.percentile(accepted, 0.5),
        "p99_ms": harness.percentile(accepted, 0.99),
        "max_ms": max(accepted),
        "connections": run.opened,
        "broken": run.broken,
        "recovery_s": max(late_s, default=0.0),
    }


def _load(url: str, way: int, rate: float, seconds: float, connections_max: int) -> subprocess.Popen[str]:
    flags = ["--rate", str(rate), "--seconds", str(seconds), "--way", str(way), "--connections", str(connections_max)]
    command = [sys.executable, "-m", "benchmarks.overload", "--generate", url, *flags]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _said(child: subprocess.Popen[str]) -> dict[str, float]:
    out, _ = child.communicate(timeout=SECONDS_MAX + 30)
    return json.loads(out)  # type: ignore[no-any-return]


def _resident_mb(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def measure(ways: list[int], times: float, seconds: float, connections_max: int) -> None:
    """Run each way against a node of its own, and print a table."""
    rows = []
    for number in ways:
        port = harness.free_ports()
        with harness.scratch() as data:
            command = [sys.executable, "-m", "footfall.cli", "serve", "--data", data, "--http", f"127.0.0.1:{port}"]
            url = f"http://127.0.0.1:{port}"
            with harness.process(command) as child:
                harness.wait_for_port(port, child)
                for _ in range(200):
                    try:
                        urllib.request.urlopen(f"{url}/readyz", timeout=2).close()
                        break
                    except OSError:
                        time.sleep(0.05)
                put = urllib.request.Request(f"{url}/v1/counters/shop", b'{"unit":"visits"}', method="PUT")
                urllib.request.urlopen(put, timeout=10).close()
                sustainable = _said(_load(url, number, 0, 4, 64))["rate"]
                load = _load(url, number, times * sustainable, seconds, connections_max)
                memory: list[float] = []
                while load.poll() is None and len(memory) < 2 * SECONDS_MAX:
                    memory.append(_resident_mb(child.pid))
                    time.sleep(0.5)
                found = _said(load)
        steady = memory[min(len(memory) - 1, 6) :]
        rows.append(
            [
                WAYS[number].name,
                f"{sustainable:,.0f}",
                *(f"{found[name]:,.0f}" for name in ("offered", "accepted")),
                *(f"{100 * found[name]:.0f} %" for name in ("refused", "unsent")),
                *(f"{found[name]:,.0f}" for name in ("p50_ms", "p99_ms", "max_ms", "connections")),
                f"{min(steady):.0f} to {max(steady):.0f}",
                f"{found['recovery_s']:.2f}",
            ]
        )
    columns = ["requests a second", "sustained", "offered", "accepted", "503", "unsent", "p50 ms", "p99 ms", "max ms"]
    harness.show(f"{times:g} times the load for {seconds:g} s", [*columns, "connections", "MB", "recovery s"], rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generate", metavar="URL", help="be the generator of the load")
    parser.add_argument("--way", type=int, action="append", choices=range(len(WAYS)))
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--times", type=float, default=2.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=4000)
    given = parser.parse_args()
    if not 0 < given.seconds <= SECONDS_MAX:
        parser.error(f"at most {SECONDS_MAX:.0f} seconds")
    if given.generate:
        work = _generate(given.generate, WAYS[given.way[0]], given.rate, given.seconds, given.connections)
        print(json.dumps(uvloop.run(work)))
    else:
        measure(given.way or list(range(len(WAYS))), given.times, given.seconds, given.connections)
