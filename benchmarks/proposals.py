"""Proposal 1 against proposal 2, at 3, 7 and 15 nodes under one load: how chatty, how fast to read, how stale.

Proposal 1 is topology ``replicated`` (push to all, read the own copy), proposal 2 ``sharded`` (pull at intervals into
a cache). Messages and bytes between nodes are what the nodes' own metrics say, the log not included: it is the same in
both. Staleness is from a visit's acknowledgement on one node until the last of the others shows it.
"""

import argparse
import asyncio
import time
from typing import NamedTuple

import msgspec
import uvloop

from benchmarks import load
from benchmarks.cluster import Running, cluster
from benchmarks.harness import percentile, show

COUNTERS = 100
BATCH_VISITS = 20
BATCHES_PER_S = 100  # over all nodes: 2,000 visits a second
READS_PER_S = 200  # of one node, for their latency
PROBES = 5  # visits under way whose way to all nodes is timed
POLL_S = 0.01
PROBE_S_MAX = 10.0
WARM_UP_S = 1.5
SENT, RECEIVED = "footfall_bus_messages_sent_total", "footfall_bus_messages_received_total"
RECEIVED_BYTES = "footfall_bus_bytes_received_total"


class Outcome(NamedTuple):
    """What one run gave."""

    topology: str
    nodes: int
    sent: float
    delivered: float
    delivered_bytes: float
    read: load.Load
    staleness_ms: list[float]


class _Value(msgspec.Struct):
    counter: str
    value: int


class _List(msgspec.Struct):
    counters: list[_Value]


class Watch:
    """When each node first showed each value of the probes."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.values: list[dict[str, int]] = [{} for _ in running.urls]
        self.enough = False  # no more probes are sent
        self.over = False  # and none is under way

    async def poll(self, node: int) -> None:
        """Read the probes of one node, again and again, over one connection."""
        host, _, port = self.running.urls[node].removeprefix("http://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        request = f"GET /v1/counters?prefix=probe&limit=100 HTTP/1.1\r\nhost: {host}:{port}\r\n\r\n".encode()
        decode = msgspec.json.Decoder(_List).decode
        while not self.over:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            for shown in decode(await reader.readexactly(length)).counters:
                self.values[node][shown.counter] = shown.value
            await asyncio.sleep(POLL_S)
        writer.close()

    async def probe(self, number: int, staleness_ms: list[float]) -> None:
        """Send single visits from changing nodes, and wait for each until all others show it."""
        counter, sent, nodes = f"probe.{number}", 0, len(self.running.urls)
        while not self.enough:
            node = (number + sent) % nodes
            answer = await self.running.http.post(f"{self.running.urls[node]}/v1/counters/{counter}/visits")
            answer.raise_for_status()
            acknowledged_s, sent = time.perf_counter(), sent + 1
            others = [values for other, values in enumerate(self.values) if other != node]
            while not all(values.get(counter, 0) >= sent for values in others):
                if time.perf_counter() > acknowledged_s + PROBE_S_MAX:
                    raise RuntimeError(f"a visit is not shown by all nodes after {PROBE_S_MAX:.0f} s")
                await asyncio.sleep(0.002)
            staleness_ms.append(1000 * (time.perf_counter() - acknowledged_s))
            await asyncio.sleep(0.05)


async def _send(running: Running, seconds: float) -> None:
    """The load: batches over all counters, to the nodes in turn."""
    visits = [[{"counter": f"site.{(20 * turn + n) % COUNTERS}"} for n in range(BATCH_VISITS)] for turn in range(5)]
    started_s = time.perf_counter()
    under_way: set[asyncio.Task[None]] = set()

    async def one(turn: int) -> None:
        url = running.urls[turn % len(running.urls)]
        answer = await running.http.post(f"{url}/v1/visits", json={"visits": visits[turn % 5]})
        answer.raise_for_status()

    for turn in range(int(seconds * BATCHES_PER_S)):
        await asyncio.sleep(max(0.0, started_s + turn / BATCHES_PER_S - time.perf_counter()))
        if len(under_way) >= BATCHES_PER_S:
            raise RuntimeError("the nodes do not keep up with the load; use fewer nodes or more cores")
        task = asyncio.create_task(one(turn))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    await asyncio.gather(*under_way)


async def _totals(running: Running) -> list[float]:
    nodes = range(len(running.urls))
    return [sum([await running.metric(name, node) for node in nodes]) for name in (SENT, RECEIVED, RECEIVED_BYTES)]


async def run(topology: str, nodes: int, seconds: float) -> Outcome:
    """One topology at one size."""
    async with cluster(nodes, topology=topology) as running:
        await _send(running, WARM_UP_S)
        watch, staleness_ms = Watch(running), list[float]()
        before, started_s = await _totals(running), time.perf_counter()
        read_url = f"{running.urls[-1]}/v1/counters/site"
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(asyncio.to_thread(load.http, read_url, 4, seconds, "", READS_PER_S))
            for node in range(nodes):
                group.create_task(watch.poll(node))
            probing = [group.create_task(watch.probe(number, staleness_ms)) for number in range(PROBES)]
            await _send(running, seconds)
            after, taken_s = await _totals(running), time.perf_counter() - started_s
            watch.enough = True
            await asyncio.gather(*probing)
            watch.over = True
        sent, delivered, delivered_bytes = ((b - a) / taken_s for a, b in zip(before, after, strict=True))
        return Outcome(topology, nodes, sent, delivered, delivered_bytes, reading.result(), staleness_ms)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[3, 7, 15])
    parser.add_argument("--seconds", type=float, default=8.0)
    given = parser.parse_args()
    if not all(2 <= nodes <= 31 for nodes in given.nodes) or not 1 <= given.seconds <= 60:
        parser.error("from 2 to 31 nodes, from 1 to 60 seconds")
    rows = []
    for nodes in given.nodes:
        for topology in ("replicated", "sharded"):
            done = uvloop.run(run(topology, nodes, given.seconds))
            stale = [percentile(done.staleness_ms, share) for share in (0.5, 0.99)]
            numbers = [f"{done.sent:,.0f}", f"{done.delivered:,.0f}", f"{done.delivered_bytes / 1000:,.0f}"]
            reads = [f"{done.read.p50_ms:.1f} / {done.read.p99_ms:.1f}", f"{stale[0]:.0f} / {stale[1]:.0f}"]
            rows.append([topology, str(nodes), *numbers, *reads, str(len(done.staleness_ms))])
    visits = BATCHES_PER_S * BATCH_VISITS
    title = f"Proposal 1 (replicated) and 2 (sharded) at {visits:,} visits/s on {COUNTERS} counters; p50 / p99 in ms"
    columns = ["", "nodes", "sent/s", "delivered/s", "KB/s delivered", "read", "staleness", "probes"]
    show(title, columns, rows)


if __name__ == "__main__":
    main()
