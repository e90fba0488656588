"""A producer by itself, on a log that holds the definitions of some counters."""

import asyncio
from collections.abc import Callable, Sequence
from hashlib import shake_128

from node_line import Line, batches, define, soon

from footfall.core.batch import Batch, Chunk
from footfall.core.definitions import Definition
from footfall.core.routing import partition_of
from footfall.core.visit import Visit
from footfall.errors import FootfallError
from footfall.node.producer import Producer
from footfall.node.readings import Stored

SECRET = b"the cluster's secret"


class Single:
    """Who waits for a single visit, and what he was told."""

    def __init__(self) -> None:
        self.receipts: list[str] = []
        self.where: list[Stored] = []
        self.errors: list[FootfallError] = []

    def stored(self, receipt: str, where: Stored) -> None:
        self.receipts.append(receipt)
        self.where.append(where)

    def failed(self, error: FootfallError) -> None:
        self.errors.append(error)


class Desk:
    """The producer, running. Its counters: a, a.b and c of visits, people of visitors."""

    def __init__(self, line: Line, hashed: bool = False, local: Callable[[], int] = lambda: 0) -> None:
        self.line = line
        self.storage = line.storage
        self.definitions = define(self.storage, "a", "a.b", "c", "people", visitors=("people",))
        self.producer = Producer(line, self.definitions, SECRET, hashed, local)
        self.running = asyncio.create_task(self.producer.run())

    def counter(self, name: str) -> Definition:
        found = self.definitions.find(name)
        assert found is not None
        return found

    def pairs(self, *visits: Visit | str) -> list[tuple[Definition, Visit]]:
        whole = [Visit(visit) if isinstance(visit, str) else visit for visit in visits]
        return [(self.counter(visit.counter), visit) for visit in whole]

    def add(self, *visits: Visit | str, durable: bool = True) -> asyncio.Task[list[str]]:
        """A request; it has begun."""

        async def add() -> list[str]:
            return (await self.producer.add(self.pairs(*visits), durable)).receipts

        return asyncio.create_task(add())

    def submit(self, name: str, visitor: str | None = None) -> Single:
        """A visit of the hot path; it is taken."""
        single = Single()
        assert self.producer.submit(self.counter(name), visitor, single)
        return single

    def add_chunk(self, source: str, start: int, end: int, *visits: Visit | str) -> asyncio.Task[int]:
        """A source's chunk; it has begun."""
        partition = partition_of(source, self.storage.partitions)
        chunk = Chunk(source, start, end)
        return asyncio.create_task(self.producer.add_chunk(partition, chunk, self.pairs(*visits)))

    async def add_in_flight(self, *visits: Visit | str) -> asyncio.Task[list[str]]:
        """A request whose flush the log is held from storing."""
        self.line.hold()
        request = self.add(*visits)
        await soon()
        return request

    def batches(self) -> list[Batch]:
        return batches(self.storage)


def receipts_of(batch: Batch, partition: int, secret: bytes = SECRET) -> list[str]:
    """One receipt an entry, as the design describes them."""
    name = f"{batch.producer}\0{partition}\0{batch.sequence}".encode()
    entries = sum(section.entries for section in batch.sections)
    whole = shake_128(bytes([0, len(secret)]) + secret + name).digest(16 * entries)
    return [whole[16 * index : 16 * index + 16].hex() for index in range(entries)]


def leaves(batch: Batch) -> list[tuple[str, int]]:
    """The sections of a batch: which counter, how many entries."""
    return [(section.leaf, section.entries) for section in batch.sections]


async def outcomes(requests: Sequence[asyncio.Task[list[str]]]) -> list[list[str] | BaseException]:
    """What became of requests."""
    return await asyncio.gather(*requests, return_exceptions=True)
