"""What the Python client costs a program, and carries: increments a second, and visits that are counted in the end.

Beside it, in the same run, what one would write without it: a POST a visit with httpx, kept alive, from one thread and
from eight.
"""

import argparse
import asyncio
import threading
import time
from collections.abc import Callable

import httpx

import footfall
from benchmarks.cluster import cluster
from benchmarks.harness import show

VISITS = 400_000
PEER_VISITS = 2_000
WAIT_S = 120.0


def rate(work: Callable[[int], None], visits: int, threads: int) -> float:
    """Visits a second, of ``work`` in so many threads at once."""
    running = [threading.Thread(target=work, args=[visits // threads]) for _ in range(threads)]
    start_s = time.perf_counter()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return visits / (time.perf_counter() - start_s)


def increments(url: str, threads: int, named: bool) -> tuple[float, float]:
    """Increments a second, as the program sees them; and visits a second until all are durable."""
    with footfall.Client(url, buffer_visits_max=2 * VISITS) as client:
        names = [str(number) for number in range(1000)]

        def plain(visits: int) -> None:
            for _ in range(visits):
                client.increment("plain")

        def by_visitor(visits: int) -> None:
            for number in range(visits):
                client.increment("named", names[number % 1000])

        start_s = time.perf_counter()
        taken = rate(by_visitor if named else plain, VISITS, threads)
        assert client.flush(WAIT_S), client.statistics
        return taken, VISITS / (time.perf_counter() - start_s)


def posts(url: str, threads: int) -> float:
    """Visits a second, one a request."""
    with httpx.Client(trust_env=False) as http:

        def post(visits: int) -> None:
            for _ in range(visits):
                http.post(f"{url}/v1/counters/posted/visits", json={"visitor": "ann"}).raise_for_status()

        return rate(post, PEER_VISITS, threads)


def measure(url: str) -> list[tuple[str, str, str, str, str]]:
    """The table's rows."""
    peer = {threads: posts(url, threads) for threads in (1, 8)}
    rows = [("a POST a visit, httpx", str(threads), "", f"{peer[threads]:,.0f}", "1") for threads in (1, 8)]
    for named in (False, True):
        for threads in (1, 8):
            taken, stored = increments(url, threads, named)
            what = "increment(visitor=...)" if named else "increment()"
            rows.append((what, str(threads), f"{taken:,.0f}", f"{stored:,.0f}", f"{stored / peer[threads]:,.0f}"))
    return rows


async def run() -> None:
    """Print the table."""
    async with cluster() as running:
        rows = await asyncio.to_thread(measure, running.urls[0])
    show("The Python client, beside one node", ["", "threads", "taken/s", "durable/s", "/ POST"], rows)


def main() -> None:
    """Measure."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    asyncio.run(run())


if __name__ == "__main__":
    main()
