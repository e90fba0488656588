"""One table in under three minutes: what Footfall takes and answers, beside Redis and NATS in the same run.

Every visit counts when it can be read: the clock stops when the node's value is the number of visits acknowledged.
"""

import argparse
import asyncio
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Sequence

import uvloop

from benchmarks import load, peers
from benchmarks.cluster import Running, cluster
from benchmarks.harness import Figure, show, until
from footfall.config import Topology

SECONDS = 4.0
COUNTED_S_MAX = 30.0
VISIT = '{"visitor": "{visitor}"}'
_names = itertools.count()


async def published(running: Running, mode: str, size: int, what: str, n: int = 0) -> Figure:
    """Visits from a producer in another process, until the node has counted them all; ``n``: a milestone on them."""
    counter = f"bench-{next(_names)}"
    await running.define(counter)
    if n:
        (await running.http.put(f"{running.urls[0]}/v1/counters/{counter}/milestones/{n}")).raise_for_status()
    command = [sys.executable, "-m", "benchmarks.straight", running.nats, counter, mode, "--size", str(size)]
    done = await _elsewhere([*command, "--seconds", str(SECONDS)])
    ended_s = time.perf_counter()
    told: dict[str, float] = json.loads(done)

    async def counted() -> bool:
        return await running.value(counter) == told["sent"]

    await until(counted, COUNTED_S_MAX, f"{told['sent']} visits are counted, exactly")
    behind_s = time.perf_counter() - ended_s
    return Figure(what, told["sent"] / (told["seconds"] + behind_s), f"all counted {behind_s * 1000:.0f} ms later")


async def _elsewhere(command: Sequence[str]) -> bytes:
    child = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, errors = await asyncio.wait_for(child.communicate(), SECONDS + COUNTED_S_MAX)
    finally:
        if child.returncode is None:
            child.kill()
    if child.returncode:
        raise RuntimeError(errors.decode()[-2000:])
    return out


async def over_http(
    running: Running, connections: int, body: str, what: str, each: int = 1, keyed: bool = False
) -> Figure:
    """Requests to one node; of visits, all that were answered must have been counted."""
    counter = f"bench-{next(_names)}"
    await running.define(counter)
    url = f"{running.urls[0]}/v1/counters/{counter}" + ("/visits" if body else "")
    done = await asyncio.to_thread(load.http, url, connections, SECONDS, body, 0, keyed)
    if done.refused:
        return Figure(what, None, f"{done.refused} requests were refused")
    if body:

        async def counted() -> bool:  # wrk leaves some requests unanswered when it ends; they may count too
            return await running.value(counter) >= int(done.rate * SECONDS) * each

        await until(counted, COUNTED_S_MAX, "the visits are counted")
    return Figure(what, done.rate * each, f"p50 {done.p50_ms:.1f} ms, p99 {done.p99_ms:.1f} ms, {done.by}")


async def footfall() -> list[Figure]:
    """All figures of one node, topology by topology."""
    list_of_1000 = json.dumps({"visitors": [f"198.51.{n >> 8}.{n & 255}" for n in range(1000)]})
    async with cluster(1) as running:
        figures = [
            await published(running, "producer", 1, "visits, 1 a batch, a receipt each"),
            await published(running, "producer", 100, "visits, 100 a batch, a receipt each"),
            await published(running, "producer", 1000, "visits, 1,000 a batch, a receipt each"),
            await published(running, "straight", 100, "visits, 100 a batch, straight to the log"),
            await published(running, "straight", 1000, "visits, 1,000 a batch, straight to the log"),
            await published(running, "hashed", 1000, "visits, 1,000 a batch, straight, routed by visitor"),
            await over_http(running, 64, VISIT, "visits, one a request, 64 connections"),
            await over_http(running, 256, VISIT, "visits, one a request, 256 connections"),
            await over_http(running, 256, VISIT, "visits with a key, one a request, 256 connections", keyed=True),
            await over_http(running, 1000, VISIT, "visits with a key, one a request, 1,000 connections", keyed=True),
            await over_http(running, 16, list_of_1000, "visits, 1,000 a request, 16 connections", 1000),
            await over_http(running, 64, "", "reads, 64 connections"),
        ]
        rate = (figures[-1].rate or 0) / 2
        url = f"{running.urls[0]}/v1/counters/bench-0"
        half = await asyncio.to_thread(load.http, url, 64, SECONDS, "", rate)
        figures.append(
            Figure("reads, at half that rate", half.rate, f"p50 {half.p50_ms:.1f} ms, p99 {half.p99_ms:.1f} ms")
        )
    async with cluster(1, topology=Topology.SHARDED) as running:
        for connections in (256, 1000):
            what = f"visits, one a request, {connections:,} connections, sharded"
            figures.append(await over_http(running, connections, VISIT, what))
    return figures


def _ratio(rate: float | None, peer: Figure) -> str:
    if not rate or not peer.rate:
        return "-"
    ratio = rate / peer.rate
    return f"{ratio:,.0f} x" if ratio >= 10 else f"{ratio:.2f} x"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--without-peers", action="store_true", help="Footfall alone")
    given = parser.parse_args()
    started_s = time.perf_counter()
    others = {} if given.without_peers else peers.measure()
    compared = [others[name] for name in ("redis", "redis pipelined", "nats") if name in others]
    rows = []
    for figure in (*uvloop.run(footfall()), *others.values()):
        rate = "-" if figure.rate is None else f"{figure.rate:,.0f}"
        compares = not figure.what.startswith("reads")  # peers' figures are of increments
        rows.append(
            [figure.what, rate, *(_ratio(figure.rate if compares else None, peer) for peer in compared), figure.note]
        )
    columns = ["", "a second", *(["/ INCR", "/ INCR -P 64", "/ NATS"] if compared else []), ""]
    show("Footfall: every visit on disk (fsync) before it is acknowledged, and counted exactly once", columns, rows)
    print(f"took {time.perf_counter() - started_s:.0f} s")


if __name__ == "__main__":
    main()
