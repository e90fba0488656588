"""A producer in a process of its own that writes visits to the log as fast as they are acknowledged. Prints JSON.

``singles`` and ``requests`` go through a node's own producer: group commit, a receipt for each visit.
``straight`` and ``hashed`` write the log's format as any other program may: client batches become sections of messages
of about 256 KB, one message under way in each partition.
"""

import argparse
import asyncio
import itertools
import json
import secrets
import time
from collections.abc import Callable, Iterator

import uvloop

from footfall.config import Config
from footfall.core import batch
from footfall.core.batch import Batch, Section, pack
from footfall.core.control import Define
from footfall.core.definitions import Definition, Definitions
from footfall.core.names import Unit
from footfall.core.routing import partition_of
from footfall.core.sealing import MESSAGE_BYTES_GOAL
from footfall.core.visit import Visit
from footfall.errors import FootfallError
from footfall.log import opening
from footfall.log.jetstream import JetStreamLog
from footfall.log.protocol import VISITS_SUBJECT
from footfall.node.producer import Producer

SECONDS_MAX = 60.0
VISITORS = 64_000  # distinct ones, sent in turn: those that a cache holds would flatter
SINGLES_WAITING = 20_000
VISITS_WAITING = 100_000
LANES = 8  # partitions that are written side by side


class _Singles:
    """Senders of single visits, each sending its next when the last is stored."""

    def __init__(self, producer: Producer, leaf: Definition, ends_s: float) -> None:
        self.producer, self.leaf, self.ends_s = producer, leaf, ends_s
        self.sent = self.stored_count = 0
        self.visitors = itertools.cycle(_visitors(VISITORS))

    def send(self) -> None:
        if self.producer.submit(self.leaf, next(self.visitors), self):
            self.sent += 1

    def stored(self, receipt: str, where: str) -> None:
        self.stored_count += 1
        if time.perf_counter() < self.ends_s:
            self.send()

    def failed(self, error: FootfallError) -> None:
        raise SystemExit(f"a visit failed: {error}")


def _visitors(count: int) -> list[str]:
    return [f"{n * 7 & 255}.{n >> 8 & 255}.{n * 13 & 255}.{n & 255}" for n in range(count)]


def _lists(size: int) -> list[list[str]]:
    names = _visitors(VISITORS)
    return [names[at : at + size] for at in range(0, VISITORS, size)]


def _leaf(counter: str) -> tuple[Definitions, Definition]:
    definitions = Definitions()
    definitions.fold(1, Define("bench", 1, ((counter, Unit.VISITS),)))
    leaf = definitions.find(counter)
    assert leaf is not None
    return definitions, leaf


async def through_producer(log: JetStreamLog, counter: str, size: int, seconds: float) -> int:
    """Batches of ``size`` visits through a node's producer; returns how many visits were acknowledged."""
    definitions, leaf = _leaf(counter)
    turn = itertools.cycle(range(log.partitions))
    producer = Producer(log, definitions, secrets.token_bytes(16), False, lambda: next(turn))
    running = asyncio.create_task(producer.run())
    ends_s = time.perf_counter() + seconds
    if size == 1:
        singles = _Singles(producer, leaf, ends_s)
        for _ in range(SINGLES_WAITING):
            singles.send()
        await asyncio.sleep(seconds)
    else:
        lists = [[(leaf, Visit(counter, name)) for name in names] for names in _lists(size)]

        async def send(pairs: list[tuple[Definition, Visit]]) -> None:
            while time.perf_counter() < ends_s:
                await producer.add(pairs, durable=True)

        await asyncio.gather(*(send(lists[n % len(lists)]) for n in range(VISITS_WAITING // size)))
    await producer.drain(10.0)
    running.cancel()
    return producer.visits


def _merged(lists: list[list[str]], counter: str) -> Iterator[list[Section]]:
    """Client batches, each encoded when it is sent, as many to a message as fit; for ever."""
    turn = itertools.cycle(lists)
    while True:
        sections, size = [], 0
        while size < MESSAGE_BYTES_GOAL:
            visitors = next(turn)
            section = Section(counter, Unit.VISITS, len(visitors), pack(visitors))
            sections.append(section)
            size += len(section.visitors or b"") + 20
        yield sections


def _hashed(lists: list[list[str]], counter: str, partitions: int) -> Callable[[int], list[Section]]:
    """Every visitor's batch is split by hash(visitor) when it is sent; returns what has gathered for a partition."""
    turn = itertools.cycle(lists)
    waiting: list[list[str]] = [[] for _ in range(partitions)]

    def take(partition: int) -> list[Section]:
        while len(waiting[partition]) < MESSAGE_BYTES_GOAL // 16:
            for visitor in next(turn):
                waiting[partition_of(visitor, partitions)].append(visitor)
        visitors, waiting[partition] = waiting[partition], []
        return [Section(counter, Unit.VISITS, len(visitors), pack(visitors))]

    return take


async def straight(log: JetStreamLog, counter: str, size: int, seconds: float, hashed: bool) -> int:
    """Batches of ``size`` visits straight to the log; returns how many visits were acknowledged."""
    lists = _lists(size)
    merged, take = _merged(lists, counter), _hashed(lists, counter, log.partitions)
    name, ends_s, stored = secrets.token_hex(8), time.perf_counter() + seconds, 0

    async def lane(partition: int) -> None:
        nonlocal stored
        for sequence in itertools.count(1):
            sections = take(partition) if hashed else next(merged)
            data = batch.encode(Batch("batch/1", name, 0, sequence, sections))
            await log.publish(VISITS_SUBJECT.format(partition=partition), data)
            stored += sum(section.entries for section in sections)
            if time.perf_counter() > ends_s:
                return

    await asyncio.gather(*(lane(partition) for partition in range(log.partitions if hashed else LANES)))
    return stored


async def _main(given: argparse.Namespace) -> None:
    config = Config(nats=(given.nats,))
    log = await opening.connect(config, config.nats, name="bench")
    started_s = time.perf_counter()
    if given.mode == "producer":
        sent = await through_producer(log, given.counter, given.size, given.seconds)
    else:
        sent = await straight(log, given.counter, given.size, given.seconds, given.mode == "hashed")
    print(json.dumps({"sent": sent, "seconds": time.perf_counter() - started_s}))
    await log.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nats")
    parser.add_argument("counter", help="defined already, without parents")
    parser.add_argument("mode", choices=["producer", "straight", "hashed"])
    parser.add_argument("--size", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=3.0)
    arguments = parser.parse_args()
    if not 0 < arguments.seconds <= SECONDS_MAX:
        parser.error(f"at most {SECONDS_MAX:.0f} seconds")
    uvloop.run(_main(arguments))
