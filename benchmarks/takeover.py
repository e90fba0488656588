"""How long after ``kill -9`` of a node the others have counted what came to its partitions since, exactly."""

import argparse
import asyncio
import itertools
import os
import signal
import time

import uvloop

from benchmarks.cluster import cluster
from benchmarks.harness import show, until

NODES = 3
VICTIM = 1  # any but the first, which is asked
VISITS = 512  # enough that every partition gets some
SETTLE_S = 1.0
WAIT_S_MAX = 30.0


async def once(topology: str) -> tuple[float, int]:
    """Kill one node for good, send visits to all partitions; (seconds until all are counted, visits)."""
    keys, sent = itertools.count(), 0
    async with cluster(NODES, topology=topology) as running:
        await running.define("bench")

        async def send() -> int:
            # A key's hash chooses the partition, so these go everywhere, the victim's partitions included.
            visits = [{"counter": "bench", "key": str(next(keys))} for _ in range(VISITS)]
            answer = await running.http.post(f"{running.urls[0]}/v1/visits", json={"visits": visits})
            answer.raise_for_status()
            return len(visits)

        async def counted() -> bool:
            return await running.value("bench") == sent

        sent += await send()
        await until(counted, WAIT_S_MAX, "the visits before are counted")
        await asyncio.sleep(SETTLE_S)
        pid = running.supervisor.pids[VICTIM]
        assert pid is not None
        running.supervisor._keeping[VICTIM].cancel()  # as if its machine were gone: it is not started again
        os.kill(pid, signal.SIGKILL)
        killed_s = time.perf_counter()
        sent += await send()
        await until(counted, WAIT_S_MAX, "the visits after are counted")
        return time.perf_counter() - killed_s, sent


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3, choices=range(1, 11))
    given = parser.parse_args()
    rows = []
    for topology in ("replicated", "sharded"):
        results = [uvloop.run(once(topology)) for _ in range(given.turns)]
        times_s = sorted(seconds for seconds, _ in results)
        counted = sum(visits for _, visits in results)
        rows.append([topology, f"{times_s[0]:.2f} s", f"{times_s[-1]:.2f} s", f"{counted:,} of {counted:,}"])
    show(f"kill -9 of one of {NODES} nodes", ["", "fastest", "slowest", "visits counted"], rows)


if __name__ == "__main__":
    main()
