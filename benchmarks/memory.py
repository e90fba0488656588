"""What a counter and a distinct visitor take, in resident memory of a process that folds all partitions.

Every message goes through the fold, as in a node; what a node does besides (broadcasts, cuts) takes its share of
what came, as there.
"""

import argparse
import gc
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.harness import show
from footfall.core import batch, control
from footfall.core.batch import Batch, Section, pack
from footfall.core.control import Define
from footfall.core.definitions import Definitions
from footfall.core.names import Unit
from footfall.core.partition import Partition
from footfall.core.routing import partition_of
from footfall.core.table import Table
from footfall.web.allocator import keep_columns_apart

PARTITIONS = 16
DEFINES_PER_MESSAGE = 5_000
SECTIONS_PER_MESSAGE = 5_000
VISITORS_PER_MESSAGE = 1_000
CUT_EVERY = 1_000  # messages; a cut takes what was added since the one before

Sizes = tuple[int, int, float]  # settled bytes, peak bytes, seconds


def resident_bytes() -> int:
    """This process's memory now."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def _name(number: int) -> str:
    return f"shop-{number % 1000}.item-{number:07d}"


def counters(count: int) -> Sizes:
    """Define counters of two levels below 1,000 roots, and visit each in every partition."""
    keep_columns_apart()  # as a node does
    before, started_s = resident_bytes(), time.perf_counter()
    definitions, table = Definitions(), Table(PARTITIONS)
    partitions = [Partition(number, PARTITIONS) for number in range(PARTITIONS)]
    for partition in partitions:
        table.attach(partition)
    sequence = 0
    for at in range(0, count, DEFINES_PER_MESSAGE):
        sequence += 1
        defined = tuple((_name(number), Unit.VISITS) for number in range(at, min(at + DEFINES_PER_MESSAGE, count)))
        message = control.encode(Define("bench", sequence, defined))
        definitions.fold(sequence, control.decode(message))
    for at in range(0, count, SECTIONS_PER_MESSAGE):
        numbers = range(at, min(at + SECTIONS_PER_MESSAGE, count))
        sections = [Section(_name(number), Unit.VISITS, 3) for number in numbers]
        for partition in partitions:
            sequence += 1
            turn = at // SECTIONS_PER_MESSAGE + 1
            alarms = partition.fold(sequence, batch.encode(Batch("batch/1", "bench", 0, turn, sections)), definitions)
            assert not alarms, alarms
            table.advance(partition.number)
        table.take_changed()
    del sections
    number = definitions.number(_name(0))
    assert number is not None
    assert table.value(number) == 3 * PARTITIONS
    return (
        resident_bytes() - before,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before,
        (time.perf_counter() - started_s),
    )


def _routed(count: int) -> Iterator[tuple[int, list[str]]]:
    """Distinct visitors by partition, a message's worth at a time."""
    waiting: list[list[str]] = [[] for _ in range(PARTITIONS)]
    for number in range(count):
        visitor = f"{number & 255}.{number >> 8 & 255}.{number >> 16 & 255}.{number >> 24}"
        here = waiting[partition_of(visitor, PARTITIONS)]
        here.append(visitor)
        if len(here) == VISITORS_PER_MESSAGE:
            yield partition_of(visitor, PARTITIONS), here.copy()
            here.clear()
    yield from ((partition, rest) for partition, rest in enumerate(waiting) if rest)


def visitors(count: int) -> Sizes:
    """Let distinct visitors come to one counter in ``visitors``."""
    definitions = Definitions()
    definitions.fold(1, Define("bench", 1, (("people", Unit.VISITORS),)))
    partitions = [Partition(number, PARTITIONS) for number in range(PARTITIONS)]
    turns = [0] * PARTITIONS
    np.unique(np.arange(10))  # what numpy loads at first use is no visitor's
    before, started_s = resident_bytes(), time.perf_counter()
    for sequence, (number, names) in enumerate(_routed(count), start=2):
        turns[number] += 1
        section = Section("people", Unit.VISITORS, len(names), pack(names))
        data = batch.encode(Batch("batch/1", "bench", 0, turns[number], [section]))
        assert not partitions[number].fold(sequence, data, definitions)
        if sequence % CUT_EVERY == 0:
            for partition in partitions:
                for seen in partition.visitors.values():
                    seen.take_added()
    for partition in partitions:
        for seen in partition.visitors.values():
            seen.take_added()
    settled = resident_bytes() - before
    assert sum(partition.counts[0] for partition in partitions) == count
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    return settled, peak, time.perf_counter() - started_s


def _in_fresh_process(measure: Callable[[int], Sizes], count: int) -> Sizes:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, (count,))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counters", type=int, default=1_000_000)
    parser.add_argument("--visitors", type=int, default=10_000_000)
    given = parser.parse_args()
    if not sys.platform.startswith("linux"):
        parser.error("resident memory is read from /proc, which only Linux has")
    rows = []
    for what, measure, count in (
        (f"{given.counters:,} counters, {PARTITIONS} partitions", counters, given.counters),
        (f"{given.visitors:,} distinct visitors of one counter", visitors, given.visitors),
    ):
        settled, peak, seconds = _in_fresh_process(measure, count)
        rows.append(
            [what, f"{settled / count:.1f}", f"{peak / count:.1f}", f"{settled / 1e6:,.0f} MB", f"{seconds:.0f} s"]
        )
    show("Memory", ["", "bytes each", "at the peak", "in all", "took"], rows)


if __name__ == "__main__":
    main()
