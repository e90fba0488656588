"""Takes visits and sees that they are stored: group commit, one flush in flight, the same bytes until acknowledged.

While the log does not answer, what is sealed goes to the spool instead, under the same producer's id and as the same
bytes, and drains from there when the log is back. Visits that come then do not queue behind it: they are sealed under
a new id.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from footfall import tracing
from footfall.core.batch import Chunk
from footfall.core.definitions import Definition, Definitions
from footfall.core.outbox import Flush, Outbox
from footfall.core.sealing import Sealer, add_pending, pending_in
from footfall.core.visit import Visit
from footfall.errors import (
    FootfallError,
    LogFullError,
    LogUnavailableError,
    OverloadedError,
    SpoolFullError,
    UnavailableError,
)
from footfall.log.protocol import Log
from footfall.node.histogram import Histogram
from footfall.node.publisher import Publisher
from footfall.node.readings import Stored
from footfall.node.spool import Spool
from footfall.node.storing import Lanes, Storing

logger = logging.getLogger(__name__)

GATHERED_VISITS_MAX = 500_000  # while a flush is stored; more is refused
GATHERED_BYTES_MAX = 64 << 20
CHUNKS_MAX = 64  # of sources, waiting
ANSWER_TIMEOUT_S = 10.0  # after which whoever waits is told that the log is away
SPOOL_GATHER_S = 0.005  # so that what drains later is not a message a visit
RENEWAL_EPOCHS = 8_640  # a producer's id is renewed daily: the log refuses one after 7 days

Pairs = Sequence[tuple[Definition, Visit]]


class Waiter(Protocol):
    """Who waits for a single visit."""

    def stored(self, receipt: str, where: Stored) -> None:
        """It is durable, in the log or in the spool."""

    def failed(self, error: FootfallError) -> None:
        """It was not acknowledged."""


class Taken(NamedTuple):
    """What visits of one request are answered with: a receipt each, and where they are."""

    receipts: list[str]
    where: Stored


class _ChunkJob(NamedTuple):
    partition: int
    chunk: Chunk
    pairs: Pairs
    stored: asyncio.Future[int]  # the sequence of the message that makes it count


class Producer:
    """A node's producer: what it has taken is in the log, in flight, in the spool, or gathered for the next flush.

    Attributes:
        flushes: Group commits so far.
        visits: That the log acknowledged, not counting those that went by the spool.
        durations: How long flushes took to become durable.
        publisher: The way into the log.
        storing: Whether the log or the spool takes what is sealed.
    """

    def __init__(
        self,
        log: Log,
        definitions: Definitions,
        secret: bytes,
        hashed: bool,
        local: Callable[[], int],
        spool: Spool | None = None,
    ) -> None:
        self.flushes = self.visits = 0
        self.durations = Histogram()
        self._definitions = definitions
        self._secret = secret
        self._hashed = hashed
        self._local = local
        self._spool = spool
        self._outbox = Outbox(secrets.token_hex(8), definitions.epoch, log.partitions, hashed)
        self.publisher = Publisher(log, self._outbox.sealer.producer)
        self.control = self.publisher.control
        self.storing = Storing(self.publisher, spool, lambda: definitions.epoch)
        self._flush: Flush | None = None  # in flight
        self._chunks: deque[_ChunkJob] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def full(self) -> bool:
        """Whether the gathering is at its bound."""
        return self._outbox.visits >= GATHERED_VISITS_MAX or self._outbox.size >= GATHERED_BYTES_MAX

    @property
    def gathered(self) -> int:
        """How many visits wait for the next flush."""
        return self._outbox.visits

    def pending(self, number: int) -> int:
        """Visits to a counter that are taken and not known to be in the log."""
        spooled = self._spool.pending(number) if self._spool is not None else 0
        in_flight = pending_in(self._flush.lots, number) if self._flush else 0
        return spooled + (self._outbox.pending(number) + in_flight if self._outbox.visits or in_flight else 0)

    def pending_of(self, numbers: Iterable[int]) -> dict[int, int]:
        """The same of many counters in one pass: there may be half a million lots, and 0.9 ms for 10,000 of them."""
        found = {number: self._spool.pending(number) if self._spool is not None else 0 for number in numbers}
        self._outbox.add_pending(found)
        if self._flush:
            add_pending(found, self._flush.lots)
        return found

    def submit(self, leaf: Definition, visitor: str | None, waiter: Waiter, key: str | None = None) -> bool:
        """Take a single visit on the hot path; False if it cannot be taken there."""
        if (
            self.full
            or (self.storing.away and self.storing.refusal)
            or (leaf.visitors and (leaf.visits or visitor is None))
        ):
            return False
        self._outbox.add_single(leaf, visitor, waiter, key)
        self._wake.set()
        return True

    async def add(self, pairs: Pairs, durable: bool) -> Taken:
        """Take visits; returns their receipts once they are durable, or none at once if not ``durable``.

        Raises:
            OverloadedError: The gathering is full: nothing was taken.
            LogUnavailableError: The log is away: nothing was taken; or, after 10 s in flight, the outcome is unknown.
            SpoolFullError: The log is away, and the spool takes no more.
        """
        self.check_room()
        answer: asyncio.Future[Taken] = asyncio.get_running_loop().create_future()
        self._outbox.add(pairs, answer)
        self._wake.set()
        if durable:
            return await answer
        answer.add_done_callback(_read)
        return Taken([], Stored.MEMORY)

    async def add_chunk(self, partition: int, chunk: Chunk, pairs: Pairs) -> int:
        """Store a source's chunk; returns the sequence of the message that makes it count.

        Raises:
            OverloadedError: Too many wait already: nothing was taken.
            LogUnavailableError: The log is away. The spool takes no chunks: a source keeps them itself.
        """
        if self.storing.away:
            raise LogUnavailableError(f"{self.storing.hold or 'the log cannot be reached'}; send the chunk again later")
        self.check_room()
        if len(self._chunks) >= CHUNKS_MAX:
            raise OverloadedError(f"{CHUNKS_MAX} chunks of sources are waiting; try again later")
        job = _ChunkJob(partition, chunk, pairs, asyncio.get_running_loop().create_future())
        self._chunks.append(job)
        self._wake.set()
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await job.stored
        except TimeoutError:
            raise _chunk_unknown() from None

    def check_room(self) -> None:
        """Raises as ``add``."""
        if refusal := self.storing.refusal:
            kind = SpoolFullError if self._spool else LogFullError if self.storing.hold else LogUnavailableError
            raise kind(f"{refusal}; nothing was counted: send it again later")
        if self.full:
            raise OverloadedError(f"{self._outbox.visits} visits wait to be stored already; try again later")

    async def run(self) -> None:
        """Flush for ever. If that ends, whoever waits is told."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                self._idle.clear()
                while self._outbox.visits or self._chunks:
                    await self._flush_gathered()
                    if self._chunks:
                        await self._store_chunk(self._chunks.popleft())
                self._idle.set()
        finally:
            self._drop_all()

    async def drain(self, timeout_s: float) -> bool:
        """Wait until nothing is gathered or in flight; returns whether that came in time."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._outbox.visits or self._chunks or not self._idle.is_set():
                    await self._idle.wait()
                    await asyncio.sleep(0)
        except TimeoutError:
            return False
        return True

    def _renew(self) -> None:
        """Take a new id where it is time, or where the messages of the old one wait in the spool; ahead of sealing."""
        outbox, epoch = self._outbox, self._definitions.epoch
        if self.storing.spent or epoch - outbox.sealer.born >= RENEWAL_EPOCHS:
            outbox.sealer = Sealer(secrets.token_hex(8), epoch, outbox.partitions)
            self.storing.spent = False

    async def _flush_gathered(self) -> None:
        if self.storing.begin():
            await asyncio.sleep(SPOOL_GATHER_S)
        self._renew()
        flush = self._flush = self._outbox.seal(self._local())
        if flush is None:
            return
        begun_s = time.monotonic()
        try:
            with self._patience(), tracing.span("flush", visits=flush.visits, messages=sum(map(len, flush.lanes))):
                where = await self.storing.settle(flush.lanes, lambda: self._store(flush.lanes))
        except UnavailableError as error:
            _fail(*flush.waiters(), error)
            self._flush = None
            return
        self._flush = None
        self.durations.note(time.monotonic() - begun_s)
        self.flushes += 1
        if where is Stored.LOG:
            self.visits += flush.visits
        for waiter, receipt in flush.singles(self._secret):
            waiter.stored(receipt, where)
        for answer, receipts in flush.requests(self._secret):
            if not answer.done():
                answer.set_result(Taken(receipts, where))

    async def _store_chunk(self, job: _ChunkJob) -> None:
        if self.storing.begin():
            _set_error(job.stored, _chunk_unknown())
            return
        self._renew()
        lanes, last = self._outbox.seal_chunk(job.partition, job.chunk, job.pairs)
        sequence = 0

        async def store() -> None:
            nonlocal sequence
            await self._store(lanes)
            sequence = await self.publisher.lane([last])

        with self._patience():
            where = await self.storing.settle([*lanes, [last]], store)
        if where is Stored.SPOOL:  # it may count, if the source does not send it again first: its position tells
            _set_error(job.stored, _chunk_unknown())
            return
        self.visits += len(job.pairs)
        if not job.stored.done():
            job.stored.set_result(sequence)

    async def _store(self, lanes: Lanes) -> None:
        if len(lanes) == 1:
            await self.publisher.lane(lanes[0])
        else:
            await asyncio.gather(*(self.publisher.lane(lane) for lane in lanes))

    @contextlib.contextmanager
    def _patience(self) -> Iterator[None]:
        """While something is stored: tell who waits for too long. Again and again, for more may come meanwhile."""
        self._timer = asyncio.get_running_loop().call_later(ANSWER_TIMEOUT_S, self._give_up)
        try:
            yield
        finally:
            self._timer.cancel()

    def _give_up(self) -> None:
        """Tell those who wait that the log is away. What is in flight goes on being tried; the rest is dropped."""
        self._timer = asyncio.get_running_loop().call_later(ANSWER_TIMEOUT_S, self._give_up)
        self._drop_all()

    def _drop_all(self) -> None:
        if flush := self._flush:
            error = LogUnavailableError("the log did not answer in time; the visit may still be counted")
            _fail(*flush.waiters(), error)
            flush.lots.clear()
            flush.tickets.clear()
        error = LogUnavailableError("the log cannot be reached; nothing was counted: send it again later")
        _fail(*self._outbox.drop().waiters(), error)


def _chunk_unknown() -> LogUnavailableError:
    return LogUnavailableError("the log did not acknowledge the chunk in time; ask for the position")


def _fail(singles: list[Waiter], requests: list[asyncio.Future[Taken]], error: FootfallError) -> None:
    for waiter in singles:
        waiter.failed(error)
    for answer in requests:
        _set_error(answer, error)


def _set_error(answer: asyncio.Future[Any], error: FootfallError) -> None:
    if not answer.done():
        answer.set_exception(error)


def _read(answer: asyncio.Future[Taken]) -> None:
    """Nobody waits for it: take its error, or asyncio complains."""
    if not answer.cancelled():
        answer.exception()
