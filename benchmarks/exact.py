"""What exactness costs: exact reads, a winner's way from the log to everyone, a judge's speed, and a dormant one.

The load is 60,000 visits a second through a node's own producer in another process, while cuts go on.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import NamedTuple

import msgspec
import uvloop

from benchmarks import load, run
from benchmarks.cluster import Running, cluster
from benchmarks.harness import percentile, show, until
from footfall.config import Config, Topology
from footfall.core import batch, control
from footfall.core.batch import Batch, Section, pack
from footfall.core.control import Define, Milestone
from footfall.core.definitions import Definitions
from footfall.core.judge import Judge
from footfall.core.names import Unit
from footfall.core.partition import Partition
from footfall.core.position import Position
from footfall.core.visit import Visit
from footfall.log import opening
from footfall.log.memory import MemoryLog, Storage
from footfall.log.protocol import CONTROL_SUBJECT, VISITS_SUBJECT
from footfall.node.node import Node
from footfall.node.producer import Producer, Taken

RATE = 60_000  # visits a second
REQUEST_VISITS = 50
LOAD_S_MAX = 120.0
READ_S = 6.0
WINNERS = 100
BEFORE = 20  # visits to each milestone
PAUSE_S = 0.3  # between two milestones: the proof of the one before is being kept meanwhile
PARTITIONS = 16
MESSAGES = 3_000  # of 1,000 visits
LOOKS = 500


class Row(NamedTuple):
    """One figure, and what it should be."""

    what: str
    figure: str
    goal: str


class _Winner(msgspec.Struct):
    time: str


class _Milestone(msgspec.Struct):
    counter: str
    n: int
    winner: _Winner


# Load


async def send(nats: str, counter: str, rate: float, seconds: float) -> None:
    """Visits at a steady rate, ``REQUEST_VISITS`` at a time; prints how many were stored."""
    config = Config(nats=(nats,))
    log = await opening.connect(config, config.nats, name="load")
    definitions = Definitions()
    definitions.fold(1, Define("load", 1, ((counter, Unit.VISITS),)))
    leaf = definitions.find(counter)
    assert leaf is not None
    turn = itertools.cycle(range(log.partitions))
    producer = Producer(log, definitions, secrets.token_bytes(16), False, lambda: next(turn))
    running = asyncio.create_task(producer.run())
    pairs = [(leaf, Visit(counter, f"203.0.113.{n}")) for n in range(REQUEST_VISITS)]
    started_s, sent, waiting = time.monotonic(), 0, set[asyncio.Task[Taken]]()
    while (elapsed_s := time.monotonic() - started_s) < seconds:
        while sent < elapsed_s * rate:
            task = asyncio.create_task(producer.add(pairs, durable=True))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
            sent += REQUEST_VISITS
        await asyncio.sleep(0.002)
    await producer.drain(10.0)
    running.cancel()
    print(json.dumps({"stored": producer.visits, "seconds": time.monotonic() - started_s}))
    await log.close()


@contextlib.asynccontextmanager
async def loaded(running: Running, rate: float) -> AsyncIterator[Callable[[], float]]:
    """Visits to a counter of their own meanwhile; the function tells afterwards how many a second were stored."""
    if not rate:
        yield lambda: 0.0
        return
    await running.define("load")
    command = [sys.executable, "-m", "benchmarks.exact", "--load", running.nats, "load", str(rate), str(LOAD_S_MAX)]
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    await asyncio.sleep(2.0)
    before, before_s = await running.value("load"), time.monotonic()
    stored = 0.0
    try:
        yield lambda: stored
    finally:
        stored = (await running.value("load") - before) / (time.monotonic() - before_s)
        child.kill()
        await child.wait()


# Figures


async def exact_reads(nodes: int, topology: Topology, rate: float, clients: int) -> Row:
    """Exact reads of one counter by so many clients, each with its next read as soon as the last is answered."""
    async with cluster(nodes, topology=topology) as running:
        await running.define("bench")
        async with loaded(running, rate) as stored:
            url = f"{running.urls[0]}/v1/counters/bench?consistency=linearizable"
            done = await asyncio.to_thread(load.http, url, clients, READ_S)
        nodes_, clients_ = _count(nodes, "node"), _count(clients, "client")
        what = f"exact reads, {nodes_}, {topology}, {clients_}, at {stored():,.0f} visits/s"
    if done.refused:
        return Row(what, f"{done.refused} were refused", "")
    return Row(what, f"p50 {done.p50_ms:.1f} ms, p99 {done.p99_ms:.1f} ms, {done.rate:,.0f}/s", "p50 < 3, p99 < 10 ms")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number > 1 else ''}"


async def announcements(nodes: int, rate: float) -> Row:
    """From the log's own time of the N-th visit until everyone on the bus has heard of its winner."""
    late_ms: list[float] = []
    async with cluster(nodes, closing_share=0.5) as running:
        await running.define("bench")
        config = Config(nats=(running.nats,))
        log = await opening.connect(config, config.nats, name="bench")
        heard: asyncio.Queue[float] = asyncio.Queue()

        async def hear(data: bytes) -> None:
            now_ns = time.time_ns()
            told = msgspec.json.decode(data, type=_Milestone)
            stored = msgspec.convert(told.winner.time, type=datetime)
            heard.put_nowait(now_ns / 1e6 - stored.timestamp() * 1e3)

        await log.subscribe("footfall.winners", hear)
        async with loaded(running, rate) as stored:
            for turn in range(WINNERS):
                n = (turn + 1) * BEFORE
                path = f"{running.urls[turn % nodes]}/v1/counters/bench"
                (await running.http.put(f"{path}/milestones/{n}")).raise_for_status()
                for at in range(BEFORE):
                    if at == BEFORE - 1:
                        await until(lambda path=path: _judged(running, path), 10.0, "a judge counts")  # type: ignore[misc]
                    (await running.http.post(f"{path}/visits")).raise_for_status()
                late_ms.append(await asyncio.wait_for(heard.get(), 10.0))
                await asyncio.sleep(PAUSE_S)
        what = f"N-th stored to winner announced, {nodes} nodes, at {stored():,.0f} visits/s"
        await log.close()
    p50, p99 = percentile(late_ms, 0.5), percentile(late_ms, 0.99)
    return Row(what, f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, {len(late_ms)} winners", "p99 < 100 ms")


async def _judged(running: Running, path: str) -> bool:
    answer = await running.http.get(path)
    return bool(answer.json()["phase"] == "cp")


def judging() -> list[Row]:
    """How fast a judge folds a log of batches of 1,000, beside the plain fold of the same messages."""
    names = [f"203.0.{n >> 8}.{n & 255}" for n in range(1_000)]
    section = Section("bench", Unit.VISITS, 1_000, pack(names))
    storage = Storage(PARTITIONS)
    storage.append(CONTROL_SUBJECT, control.encode(Define("c", 1, (("bench", Unit.VISITS),))))
    storage.append(CONTROL_SUBJECT, control.encode(Milestone("c", 2, "bench", 1_000 * MESSAGES)))
    for at in range(MESSAGES):
        data = batch.encode(Batch("batch/1", "p", 0, at // PARTITIONS + 1, [section]))
        storage.append(VISITS_SUBJECT.format(partition=at % PARTITIONS), data)
    plain = [Partition(number, PARTITIONS) for number in range(PARTITIONS)]
    definitions = Definitions()
    judge = Judge("bench", Position(storage.created), 0, Definitions(), [Partition(n, PARTITIONS) for n in range(16)])
    started_s = time.perf_counter()
    for message in storage.messages:
        if message.subject == CONTROL_SUBJECT:
            definitions.fold(message.sequence, control.decode(message.data))
        else:
            plain[int(message.subject.rpartition(".")[2])].fold(message.sequence, message.data, definitions)
    folded_s = time.perf_counter() - started_s
    started_s = time.perf_counter()
    crossings = [crossing for message in storage.messages for crossing in judge.fold(message)]
    judged_s = time.perf_counter() - started_s
    assert [crossing.index for crossing in crossings] == [999]
    visits = 1_000 * MESSAGES
    rate = f"{visits / judged_s:,.0f}/s, {folded_s / judged_s:.2f} x the plain fold"
    return [Row("visits judged, 1,000 a batch, one core, without the log", rate, "1,000,000/s")]


async def judged() -> list[Row]:
    """Visits straight to the log, as fast as they go, until a node shows them all: without and with a judge.

    In phase cp a node shows what the judge has counted, so that he must have come to the end as well.
    """
    rows = []
    for n, what in ((0, "no milestone"), (10**11, "a judge counts, too")):
        async with cluster(1, closing_share=0.0) as running:
            done = await run.published(running, "straight", 1_000, "", n)
            rows.append(Row(f"visits, 1,000 a batch, {what}", f"{done.rate:,.0f}/s, {done.note}", "1,000,000/s"))
    return rows


async def dormant() -> list[Row]:
    """What milestones that are far away cost a node: the time of one look, twenty times a second."""
    rows = []
    for milestones in (0, 1, 1_000):
        with tempfile.TemporaryDirectory() as directory:
            node = Node(Config(data=directory, secret="a", node="a"), MemoryLog(Storage(PARTITIONS)))
            await node.start()
            await until(lambda node=node: not node.problems(), 10.0, "the node is ready")  # type: ignore[misc]
            for number in range(milestones):
                await node.milestones.add(f"c{number}", 10**11)
            started_s = time.process_time()
            for _ in range(LOOKS):
                await node.counting.judging.look()
            look_us = (time.process_time() - started_s) / LOOKS * 1e6
            rows.append(
                Row(
                    f"{milestones:,} milestones far away",
                    f"{look_us:,.1f} us a look, {look_us * 20 / 1e4:.3f} % of a core",
                    "nothing" if milestones == 1 else "",
                )
            )
            await node.stop()
    return rows


async def figures(rate: float) -> list[Row]:
    """All of them."""
    rows = [*judging(), *await judged(), *await dormant()]
    for nodes, topology in ((1, Topology.REPLICATED), (3, Topology.REPLICATED), (3, Topology.SHARDED)):
        rows += [await exact_reads(nodes, topology, *each) for each in ((0.0, 1), (rate, 1), (rate, 16))]
    rows += [await announcements(3, each) for each in (0.0, rate)]
    return rows


def main() -> None:
    """Print the table; with ``--load``, be the load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=RATE, help="visits a second")
    parser.add_argument("--load", nargs=4, metavar=("NATS", "COUNTER", "RATE", "SECONDS"))
    given = parser.parse_args()
    if given.load:
        nats, counter, rate, seconds = given.load
        uvloop.run(send(nats, counter, float(rate), min(float(seconds), LOAD_S_MAX)))
        return
    show("Exactness", ["", "", "goal"], uvloop.run(figures(given.rate)))


if __name__ == "__main__":
    main()
