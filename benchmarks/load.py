"""HTTP load on loopback: wrk where it is installed, else, or at a given rate, a generator of our own.

The generator keeps one request under way on each connection, in a process of its own. At a rate, a request's latency
counts from when it was due, so that a server that stalls cannot hide it.
"""

import argparse
import asyncio
import contextlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import uvloop

TICK_S = 0.001
SECONDS_MAX = 60.0
KEY = "benchmark-{:022d}"
VISITOR = "{visitor}"  # in a body: one of so many
VISITORS = 1_000
WRK = """
wrk.method = 'POST'
wrk.headers['content-type'] = 'application/json'
local keyed, number, bodies, requests = %(keyed)s, %(start)d, {%(bodies)s}, {}
init = function()
  for index, body in ipairs(bodies) do requests[index] = wrk.format(nil, nil, nil, body) end
end
request = function()
  number = number + 1
  local index = number %% #bodies + 1
  if not keyed then return requests[index] end
  wrk.headers['idempotency-key'] = string.format('benchmark-%%022d', number)
  return wrk.format(nil, nil, nil, bodies[index])
end
"""
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Load(NamedTuple):
    """What came back."""

    rate: float
    p50_ms: float
    p99_ms: float
    refused: int  # answers other than 2xx
    by: str


class _Connection(asyncio.Protocol):
    def __init__(self, run: "_Run") -> None:
        self.run = run
        self.due_s = 0.0
        self.buffer = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's does not derive from it

    def connection_lost(self, error: Exception | None) -> None:
        if not self.run.over:
            self.run.broken += 1

    def send(self, due_s: float) -> None:
        self.due_s = due_s
        self.transport.write(next(self.run.requests))

    def data_received(self, data: bytes) -> None:
        data = self.buffer + data if self.buffer else data
        end = data.find(b"\r\n\r\n") + 4
        length = _LENGTH.search(data, 0, end) if end >= 4 else None
        if length is None or len(data) < end + int(length[1]):
            self.buffer = data
            return
        self.buffer = b""
        self.run.answered(self, data[9:10] == b"2")


class _Run:
    """One run of the generator."""

    def __init__(self, requests: Iterator[bytes], rate: float) -> None:
        self.requests = requests
        self.rate = rate
        self.latencies_s: list[float] = []
        self.refused = self.broken = 0
        self.over = False
        self.idle: deque[_Connection] = deque()
        self.due: deque[float] = deque()

    def answered(self, connection: _Connection, accepted: bool) -> None:
        now_s = time.perf_counter()
        self.latencies_s.append(now_s - connection.due_s)
        if not accepted:
            self.refused += 1
        if self.over:
            return
        if not self.rate:
            connection.send(now_s)
        elif self.due:
            connection.send(self.due.popleft())
        else:
            self.idle.append(connection)

    async def paced(self, started_s: float, seconds: float) -> None:
        """Let requests fall due at the rate; they wait where no connection is idle."""
        sent = 0
        while (now_s := time.perf_counter()) < started_s + seconds:
            while sent < (now_s - started_s) * self.rate:
                due_s = started_s + sent / self.rate
                sent += 1
                if self.idle:
                    self.idle.popleft().send(due_s)
                else:
                    self.due.append(due_s)
            await asyncio.sleep(TICK_S)


async def _generate(url: str, connections: int, seconds: float, body: str, rate: float, keyed: bool) -> Load:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    method = "POST" if body else "GET"
    head = f"{method} {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\n"
    bodies = _bodies(body)

    def requests() -> Iterator[bytes]:
        for number in count(time.time_ns()):
            sent = bodies[number % len(bodies)]
            kind = f"content-type: application/json\r\ncontent-length: {len(sent.encode())}\r\n" if sent else ""
            key = f"idempotency-key: {KEY.format(number)}\r\n" if keyed else ""
            yield f"{head}{kind}{key}\r\n{sent}".encode()

    run = _Run(requests(), rate)
    loop = asyncio.get_running_loop()
    made = [
        (await loop.create_connection(lambda: _Connection(run), parts.hostname, parts.port))[1]
        for _ in range(connections)
    ]
    started_s = time.perf_counter()
    if rate:
        run.idle.extend(made)
        await run.paced(started_s, seconds)
    else:
        for connection in made:
            connection.send(started_s)
        await asyncio.sleep(seconds)
    run.over = True
    taken_s = time.perf_counter() - started_s
    for connection in made:
        connection.transport.close()
    latencies_ms = sorted(1000 * latency_s for latency_s in run.latencies_s)
    if not latencies_ms or run.broken:
        raise SystemExit(f"{url}: {len(latencies_ms)} answers, {run.broken} of {connections} connections broke")
    middle, high = latencies_ms[len(latencies_ms) // 2], latencies_ms[int(0.99 * len(latencies_ms))]
    return Load(len(latencies_ms) / taken_s, middle, high, run.refused, "own generator")


def _bodies(body: str) -> list[str]:
    if VISITOR not in body:
        return [body]
    return [body.replace(VISITOR, f"198.51.{number >> 8}.{number & 255}") for number in range(VISITORS)]


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def _wrk(wrk: str, url: str, connections: int, seconds: float, body: str, keyed: bool) -> Load:
    with contextlib.ExitStack() as stack:
        command = [wrk, "-t", "1", "-c", str(connections), "-d", f"{seconds:.0f}s", "--latency"]
        if body:
            script = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "post.lua"
            bodies = ", ".join(f"[==[{one}]==]" for one in _bodies(body))
            start = time.time_ns() // 1_000  # a number of Lua holds 53 bits
            script.write_text(WRK % {"keyed": str(keyed).lower(), "start": start, "bodies": bodies})
            command += ["-s", str(script)]
        out = subprocess.run([*command, url], capture_output=True, text=True, timeout=seconds + 30, check=True).stdout
    rate = re.search(r"Requests/sec: +([\d.]+)", out)
    shares = dict(re.findall(r"(50|99)% +([\d.]+[mu]?s)", out))
    if rate is None or len(shares) < 2 or "Socket errors" in out:
        raise RuntimeError(f"wrk: {out}")
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    return Load(
        float(rate[1]),
        _milliseconds(shares["50"]),
        _milliseconds(shares["99"]),
        int(refused[1]) if refused else 0,
        "wrk",
    )


def http(url: str, connections: int, seconds: float, body: str = "", rate: float = 0, keyed: bool = False) -> Load:
    """Send requests; POST if it has a body. Blocks; the load comes from another process.

    Args:
        url: Of a node on loopback.
        connections: Each has one request under way.
        seconds: How long.
        body: ``{visitor}`` in it is another one of 1,000 each time.
        rate: Requests a second; 0 for as many as are answered.
        keyed: Each request has an idempotency key of its own.
    """
    wrk = shutil.which("wrk")
    if wrk is not None and not rate:
        return _wrk(wrk, url, connections, seconds, body, keyed)
    flags = ["--connections", str(connections), "--seconds", str(seconds), "--body", body, "--rate", str(rate)]
    flags += ["--keyed"] if keyed else []
    command = [sys.executable, "-m", "benchmarks.load", url, *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return Load(*json.loads(done.stdout))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--body", default="")
    parser.add_argument("--rate", type=float, default=0.0, help="requests a second; 0: as fast as they are answered")
    parser.add_argument("--keyed", action="store_true", help="each with an idempotency key of its own")
    given = parser.parse_args()
    if urlsplit(given.url).hostname not in ("127.0.0.1", "localhost") or not 0 < given.seconds <= SECONDS_MAX:
        parser.error(f"load goes to loopback only, for at most {SECONDS_MAX:.0f} seconds")
    done = _generate(given.url, given.connections, given.seconds, given.body, given.rate, given.keyed)
    print(json.dumps(uvloop.run(done)))
