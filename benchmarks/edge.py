"""Visits a second that one process counts through the public interface: over HTTP, and straight to the log.

Each visit is one call of ``increment`` with a visitor, in one thread that waits where there is no room. The clock stops
when ``flush`` says that all are stored. A nats-server that syncs before it acknowledges, and a node, run beside.
"""

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import footfall
from benchmarks import harness

VISITS_MAX = 20_000_000
VISITORS = [f"{n * 7 & 255}.{n >> 8 & 255}.{n * 13 & 255}.{n & 255}" for n in range(65_536)]


@contextlib.contextmanager
def site() -> Iterator[tuple[str, str]]:
    """A server and a node; yields their URLs."""
    with harness.scratch() as directory, harness.quiet_children(), harness.nats_server(directory) as server:
        port = harness.free_ports()
        command = [
            sys.executable, "-m", "footfall.cli", "serve", "--http", f"127.0.0.1:{port}", "--data", f"{directory}/node",
            "--nats", server,
        ]  # fmt: skip
        with harness.process(command) as node:
            harness.wait_for_port(port, node)
            url = f"http://127.0.0.1:{port}"
            footfall.Counter("shop", url=url).hit()
            yield server, url


def rate(client: Any, visits: int) -> tuple[float, float]:
    """Visits stored a second, and how many a second ``increment`` takes while there is room."""
    client.increment("shop", "first")
    assert client.flush(), "the definition is known"
    increment: Callable[[str, str], None] = client.increment
    started_s = time.perf_counter()
    for number in range(visits):
        increment("shop", VISITORS[number & 65_535])
    taken_s = time.perf_counter() - started_s
    assert client.flush(120.0), client.statistics
    return visits / (time.perf_counter() - started_s), visits / taken_s


def main(visits: int) -> None:
    """Measure and print."""
    rows = []
    with site() as (server, url):
        ways: list[tuple[str, Callable[[], Any], int]] = [
            ("over HTTP, footfall.Client", lambda: footfall.Client(url, on_full="block"), visits // 4),
            ("straight to the log, footfall.Edge", lambda: footfall.Edge(server, url, on_full="block"), visits),
        ]
        total = 1
        for way, make, count in ways:
            with make() as client:
                stored, taken = rate(client, count)
                total += count + 1
                assert client.value("shop", exact=True) == total, "each visit is counted once"
            rows.append([way, f"{stored:,.0f}", f"{taken:,.0f}"])
    harness.show(f"Visits of one process, {visits:,} of them", ["", "stored/s", "taken/s"], rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visits", type=int, default=4_000_000)
    main(min(parser.parse_args().visits, VISITS_MAX))
