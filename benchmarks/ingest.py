"""How fast logs are ingested, by one process into one node, each chunk durable.

In lines a second, and in how many times longer it takes than to do nothing but read the lines in Python.
"""

import argparse
import asyncio
import gzip
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from benchmarks.cluster import cluster
from benchmarks.harness import show

LINE = (
    '{address} - - [{day:02}/Nov/2026:{time} +0000] "GET /page/{page}?q={number} HTTP/1.1" {status} {size} '
    '"https://www.example.com/page/{referer}" "Mozilla/5.0 (X11; Linux x86_64; rv:{version}.0) Gecko/20100101 '
    'Firefox/{version}.0"\n'
)
LINES = 500_000
FILTERS = (
    "--counter-from",
    "path:2",
    "--status",
    "2xx,304",
    "--method",
    "GET",
    "--exclude-path",
    "/health",
    "--exclude-bots",
)


def write(path: Path, lines: int) -> None:
    """An access log such as a site's: some visitors come often, some pages are asked for often."""
    with path.open("w") as file:
        for number in range(lines):
            scattered = number * 2_654_435_761 % 2**32
            seconds = number // 50
            file.write(
                LINE.format(
                    address=f"203.0.{scattered % 199}.{scattered % 251}",
                    day=1 + seconds // 86_400 % 28,
                    time=f"{seconds // 3_600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}",
                    page=scattered % 997,
                    number=number,
                    status=(200, 200, 200, 304, 404)[scattered % 5],
                    size=scattered % 50_000,
                    referer=scattered % 499,
                    version=100 + scattered % 40,
                )
            )


def reading_s(path: Path) -> float:
    """How long it takes to go through the lines, and to do nothing with them."""
    began_s = time.perf_counter()
    count = 0
    with path.open("rb") as file:
        for _ in file:
            count += 1
    return time.perf_counter() - began_s


def ingested(url: str, path: Path, counter: str, *flags: str) -> dict[str, float]:
    """What a run of the command tells of itself."""
    command = [
        sys.executable,
        "-m",
        "footfall.cli",
        "ingest",
        str(path),
        "--counter",
        counter,
        "--url",
        url,
        "--json",
        *flags,
    ]
    done = subprocess.run(command, capture_output=True, check=True)
    told: dict[str, float] = json.loads(done.stdout)
    return told


async def measure(directory: Path, lines: int) -> list[list[str]]:
    """A row for each way."""
    log, packed = directory / "access.log", directory / "access.log.gz"
    write(log, lines)
    packed.write_bytes(gzip.compress(log.read_bytes(), 6))
    read_s = min(reading_s(log) for _ in range(3))
    rows = [["lines read in Python, and nothing more", f"{lines / read_s:,.0f}", "1.0"]]
    ways: list[tuple[str, Path, tuple[str, ...]]] = [
        ("combined", log, ()),
        ("combined, compressed by gzip", packed, ()),
        ("combined, counters by path, filters", log, FILTERS),
        ("the same, not sent (--dry-run)", log, (*FILTERS, "--dry-run")),
        ("not sent (--dry-run)", log, ("--dry-run",)),
    ]
    async with cluster(1) as running:
        for number, (what, path, flags) in enumerate(ways):
            told = await asyncio.to_thread(ingested, running.urls[0], path, f"bench-{number}", *flags)
            if told["lines"] != lines:
                raise RuntimeError(f"{what}: {told['lines']} of {lines} lines")
            rows.append([what, f"{lines / told['seconds']:,.0f}", f"{told['seconds'] / read_s:,.1f}"])
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=LINES)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="footfall-bench-") as directory:
        rows = uvloop.run(measure(Path(directory), given.lines))
    show("footfall ingest, one process, one node", ["", "lines/s", "x reading"], rows)


if __name__ == "__main__":
    main()
