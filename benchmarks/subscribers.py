"""Streams of events: what 5,000 subscribers of one counter cost a node, and how late they learn of a visit.

All subscribers are in this process, so that on few cores the figures tell of both ends. ``--count`` sets their number.
"""

import argparse
import asyncio
import re
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import httpx
import uvloop

from benchmarks import load
from benchmarks.harness import free_ports, percentile, process, scratch, show, until, wait_for_port

COUNT = 5_000
CONNECTING_MAX = 256  # at once
CHANGES_PER_S = 10.0
SECONDS = 10.0
RATE = 5_000.0  # visits a second beside, where there are any
CONNECTIONS = 64
_VALUES = re.compile(rb'"value":(\d+)')


class _Subscriber(asyncio.Protocol):
    """One stream, of which only the newest value is kept, and when each value was seen first."""

    def __init__(self, site: "_Site") -> None:
        self._site = site
        self.value = -1
        self.taken: asyncio.Future[bool] = asyncio.get_running_loop().create_future()  # or refused

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        transport.write(self._site.request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        found = _VALUES.findall(data)
        if not found:
            if data.startswith(b"HTTP/1.1 503") and not self.taken.done():
                self.taken.set_result(False)
                self._transport.close()
            return
        site, value, now_s = self._site, int(found[-1]), time.perf_counter()
        assert value >= self.value, "a value fell"
        site.events += data.count(b"event: value")
        if self.value < 0:
            site.greeted += 1
            site.transports.append(self._transport)
            self.taken.set_result(True)
        elif site.due_value is not None and self.value < site.due_value <= value:
            site.late_s.append(now_s - site.due_s)
        self.value = value

    def connection_lost(self, error: Exception | None) -> None:
        self._site.lost += self.value >= 0
        if not self.taken.done():
            self.taken.set_result(False)


class _Site:
    """All subscribers, and what they have seen."""

    def __init__(self, port: int, counter: str) -> None:
        self.request = f"GET /v1/counters/{counter}/events HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        self.transports: list[asyncio.BaseTransport] = []
        self.greeted = self.events = self.lost = self.refused = 0
        self.late_s: list[float] = []
        self.due_value: int | None = None  # the value that is waited for, acknowledged at due_s
        self.due_s = 0.0
        self._port = port

    async def connect(self, count: int) -> None:
        room = asyncio.Semaphore(CONNECTING_MAX)

        async def one() -> None:
            loop, taken = asyncio.get_running_loop(), False
            async with room:
                while not taken:
                    _, listening = await loop.create_connection(lambda: _Subscriber(self), "127.0.0.1", self._port)
                    taken = await listening.taken
                    if not taken:  # the node is behind: it says when to come again
                        self.refused += 1
                        await asyncio.sleep(1)

        async with asyncio.timeout(120):
            await asyncio.gather(*(one() for _ in range(count)))

    def close(self) -> None:
        for transport in self.transports:
            transport.close()


class Row(NamedTuple):
    """What was measured in one way."""

    what: str
    subscribers: int
    events_per_s: float
    late_p50_ms: float
    late_p99_ms: float
    node_cores: float
    visits_per_s: float
    visit_p99_ms: float

    def shown(self) -> list[str]:
        return [
            self.what,
            f"{self.subscribers:,}",
            f"{self.events_per_s:,.0f}",
            f"{self.late_p50_ms:.0f}",
            f"{self.late_p99_ms:.0f}",
            f"{self.node_cores:.2f}",
            f"{self.visits_per_s:,.0f}" if self.visits_per_s else "",
            f"{self.visit_p99_ms:.1f}" if self.visit_p99_ms else "",
        ]


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def _change(site: _Site, http: httpx.AsyncClient, counter: str, seconds: float) -> None:
    """Visit the counter so often, one at a time, and note when each visit was acknowledged."""
    end_s = time.perf_counter() + seconds
    value = (await http.get(f"/v1/counters/{counter}")).json()["value"]
    while time.perf_counter() < end_s:
        next_s = time.perf_counter() + 1 / CHANGES_PER_S
        answer = await http.post(f"/v1/counters/{counter}/visits")
        if answer.status_code == 202:
            value += 1
            site.due_value, site.due_s = value, time.perf_counter()
        await asyncio.sleep(max(0.0, next_s - time.perf_counter()))


async def _measured(
    what: str, site: _Site, pid: int, work: Callable[[], Awaitable[load.Load | None]], seconds: float
) -> Row:
    site.late_s.clear()
    events, cpu_s, begun_s = site.events, _cpu_s(pid), time.perf_counter()
    found = await work()
    lasted_s = time.perf_counter() - begun_s
    late_s = site.late_s or [0.0]
    return Row(
        what,
        site.greeted,
        (site.events - events) / lasted_s,
        percentile(late_s, 0.5) * 1000,
        percentile(late_s, 0.99) * 1000,
        (_cpu_s(pid) - cpu_s) / lasted_s,
        found.rate if found else 0.0,
        found.p99_ms if found else 0.0,
    )


async def measure(count: int, seconds: float) -> list[Row]:
    """The rows: without and with subscribers; with a few changes, and with visits beside."""
    port, rows = free_ports(), []
    with scratch() as directory:
        command = [sys.executable, "-m", "footfall.cli", "serve", "--data", directory, "--http", f"127.0.0.1:{port}"]
        with process(command) as child:
            wait_for_port(port, child)
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:

                async def ready() -> bool:
                    return (await http.get("/readyz")).status_code == 200

                await until(ready, 30, "the node is ready", 0.05)
                await http.post("/v1/counters/shop/visits")
                await http.post("/v1/counters/other/visits")
                for many in (0, count):
                    site = _Site(port, "shop")
                    begun_s = time.perf_counter()
                    await site.connect(many)
                    if many:
                        took_s = time.perf_counter() - begun_s
                        print(f"{many:,} subscribed in {took_s:.1f} s; {site.refused} had to come again")

                    async def changes(site: _Site = site) -> None:
                        await _change(site, http, "shop", seconds)

                    async def beside(counter: str, rate: float, site: _Site = site) -> load.Load:
                        url = f"http://127.0.0.1:{port}/v1/counters/{counter}/visits"
                        body = '{"visitor":"203.0.113.7"}'
                        loading = asyncio.to_thread(load.http, url, CONNECTIONS, seconds, body, rate)
                        if counter == "shop":
                            return await loading
                        found, _ = await asyncio.gather(loading, _change(site, http, "shop", seconds))
                        return found

                    pid = child.pid
                    rows.append(await _measured("10 visits a second", site, pid, changes, seconds))
                    rows.append(
                        await _measured(
                            f"the same, and {RATE:,.0f} to another", site, pid, lambda: beside("other", RATE), seconds
                        )
                    )
                    rows.append(
                        await _measured("as many visits as it takes", site, pid, lambda: beside("shop", 0), seconds)
                    )
                    assert not site.lost, f"{site.lost} streams ended"
                    site.close()
    return rows


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    arguments = parser.parse_args()
    rows = uvloop.run(measure(arguments.count, arguments.seconds))
    columns = ["", "subscribers", "events/s", "p50 ms", "p99 ms", "cores of the node", "visits/s", "visit p99 ms"]
    show("Streams of one counter: from a visit's 202 to its value", columns, [row.shown() for row in rows])


if __name__ == "__main__":
    main()
