"""Publishes visits and control messages: group commit, one flush in flight, the same bytes until acknowledged."""

import asyncio
import contextlib
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from footfall.core import control
from footfall.core.batch import Chunk
from footfall.core.control import Control
from footfall.core.definitions import Definition, Definitions
from footfall.core.outbox import Flush, Outbox, Sealed, pending_in
from footfall.core.position import Position, digest
from footfall.core.visit import Visit
from footfall.errors import FootfallError, LogUnavailableError, OverloadedError
from footfall.log.protocol import CONTROL_SUBJECT, VISITS_SUBJECT, Log
from footfall.node.readings import Stored

logger = logging.getLogger(__name__)

GATHERED_VISITS_MAX = 500_000  # while a flush is stored; more is refused
GATHERED_BYTES_MAX = 64 << 20
CHUNKS_MAX = 64  # of sources, waiting
ANSWER_TIMEOUT_S = 10.0  # after which whoever waits is told that the log is away
RENEWAL_EPOCHS = 8_640  # a producer's id is renewed daily: the log refuses one after 7 days
RETRY_FIRST_S, RETRY_MAX_S = 0.02, 0.5

Pairs = Sequence[tuple[Definition, Visit]]


class Waiter(Protocol):
    """Who waits for a single visit."""

    def stored(self, receipt: str, where: Stored) -> None:
        """It is durable, in the log or in the spool."""

    def failed(self, error: FootfallError) -> None:
        """It was not acknowledged."""


class _ChunkJob(NamedTuple):
    partition: int
    chunk: Chunk
    pairs: Pairs
    stored: asyncio.Future[int]  # the sequence of the message that makes it count


class Producer:
    """A node's producer: what it has taken is in the log, in flight, or gathered for the next flush."""

    def __init__(
        self, log: Log, definitions: Definitions, secret: bytes, hashed: bool, local: Callable[[], int]
    ) -> None:
        self.flushes = self.visits = self.retries = 0
        self.acknowledged: tuple[int, str, bytes] = (0, "", b"")  # the highest: sequence, subject, data
        self._log = log
        self._definitions = definitions
        self._secret = secret
        self._hashed = hashed
        self._local = local
        self._outbox = Outbox(secrets.token_hex(8), definitions.epoch, log.partitions, hashed)
        self._flush: Flush | None = None  # in flight
        self._chunks: deque[_ChunkJob] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._trying = 0  # messages
        self._away_since_s: float | None = None
        self._control_lock = asyncio.Lock()
        self._control_sequence = 0
        self._control_name = self._outbox.producer
        self._unsettled: bytes | None = None  # a control message without an answer

    @property
    def away(self) -> bool:
        """Whether the log has not answered for a while: nothing more is taken."""
        return not self._log.connected or (
            self._away_since_s is not None and time.monotonic() - self._away_since_s > 1.0
        )

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
        in_flight = pending_in(self._flush.lots, number) if self._flush else 0
        return self._outbox.pending(number) + in_flight if self._outbox.visits or in_flight else 0

    def submit(self, leaf: Definition, visitor: str | None, waiter: Waiter) -> bool:
        """Take a single plain visit on the hot path; False if it cannot be taken there."""
        if self.full or self.away or (leaf.visitors and (leaf.visits or visitor is None)):
            return False
        self._outbox.add_single(leaf, visitor, waiter)
        self._wake.set()
        return True

    async def add(self, pairs: Pairs, durable: bool) -> list[str]:
        """Take visits; returns their receipts once they are in the log, or none at once if not ``durable``.

        Raises:
            OverloadedError: The gathering is full: nothing was taken.
            LogUnavailableError: The log is away: nothing was taken; or, after 10 s in flight, the outcome is unknown.
        """
        self._check_room()
        answer: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self._outbox.add(pairs, answer)
        self._wake.set()
        if durable:
            return await answer
        answer.add_done_callback(_read)
        return []

    async def add_chunk(self, partition: int, chunk: Chunk, pairs: Pairs) -> int:
        """Store a source's chunk; returns the sequence of the message that makes it count. Raises as ``add`` does."""
        self._check_room()
        if len(self._chunks) >= CHUNKS_MAX:
            raise OverloadedError(f"{CHUNKS_MAX} chunks of sources are waiting; try again later")
        job = _ChunkJob(partition, chunk, pairs, asyncio.get_running_loop().create_future())
        self._chunks.append(job)
        self._wake.set()
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await job.stored
        except TimeoutError:
            raise LogUnavailableError("the log did not acknowledge the chunk in time; ask for the position") from None

    def _check_room(self) -> None:
        if self.away:
            raise LogUnavailableError("the log cannot be reached; nothing was counted: send it again later")
        if self.full:
            raise OverloadedError(f"{self._outbox.visits} visits wait to be stored already; try again later")

    async def control(self, build: Callable[[str, int], Control]) -> int:
        """Write a control message; returns its sequence in the log.

        Raises:
            LogUnavailableError: No acknowledgement in 10 s. The same bytes go first next time.
        """
        async with self._control_lock:
            if self._unsettled is not None:
                await self._publish(CONTROL_SUBJECT, self._unsettled, ANSWER_TIMEOUT_S)
            self._control_sequence += 1
            self._unsettled = control.encode(build(self._control_name, self._control_sequence))
            sequence = await self._publish(CONTROL_SUBJECT, self._unsettled, ANSWER_TIMEOUT_S)
            self._unsettled = None
            return sequence

    async def run(self) -> None:
        """Flush for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._idle.clear()
            while self._outbox.visits or self._chunks:
                self._renew()
                await self._flush_gathered()
                if self._chunks:
                    await self._store_chunk(self._chunks.popleft())
            self._idle.set()

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
        """Take a new id in time: before anything more is sealed under the old one, while nothing is in flight."""
        outbox, epoch = self._outbox, self._definitions.epoch
        if epoch - outbox.born >= RENEWAL_EPOCHS:
            outbox.producer, outbox.born, outbox.sequences = secrets.token_hex(8), epoch, [0] * outbox.partitions

    async def _flush_gathered(self) -> None:
        flush = self._flush = self._outbox.seal(self._local())
        if flush is None:
            return
        with self._patience():
            await self._store(flush.lanes)
        self._flush = None
        self.flushes += 1
        self.visits += flush.visits
        for waiter, receipt in flush.singles(self._secret):
            waiter.stored(receipt, Stored.LOG)
        for answer, receipts in flush.requests(self._secret):
            if not answer.done():
                answer.set_result(receipts)

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
        if flush := self._flush:
            error = LogUnavailableError("the log did not answer in time; the visit may still be counted")
            _fail(*flush.waiters(), error)
            flush.lots.clear()
            flush.tickets.clear()
        error = LogUnavailableError("the log cannot be reached; nothing was counted: send it again later")
        _fail(*self._outbox.drop().waiters(), error)

    async def _store_chunk(self, job: _ChunkJob) -> None:
        lanes, last = self._outbox.seal_chunk(job.partition, job.chunk, job.pairs)
        with self._patience():
            await self._store(lanes)
            sequence = await self._store_lane([last])
        self.visits += len(job.pairs)
        if not job.stored.done():
            job.stored.set_result(sequence)

    async def _store(self, lanes: Sequence[Sequence[Sealed]]) -> None:
        if len(lanes) == 1:
            await self._store_lane(lanes[0])
        else:
            await asyncio.gather(*(self._store_lane(lane) for lane in lanes))

    async def _store_lane(self, lane: Sequence[Sealed]) -> int:
        sequence = 0
        for sealed in lane:
            sequence = await self._publish(VISITS_SUBJECT.format(partition=sealed.partition), sealed.data)
        return sequence

    async def _publish(self, subject: str, data: bytes, timeout_s: float | None = None) -> int:
        """Publish the same bytes until they are acknowledged; for ever, without a time-out."""
        self._trying += 1
        try:
            return await self._try(subject, data, timeout_s)
        finally:
            self._trying -= 1
            if not self._trying:
                self._away_since_s = None  # nothing is left that could find out that the log is back

    async def _try(self, subject: str, data: bytes, timeout_s: float | None) -> int:
        started_s = time.monotonic()
        for pause_s in _pauses():
            try:
                sequence = await self._log.publish(subject, data)
                break
            except LogUnavailableError as error:
                now_s = time.monotonic()
                if self._away_since_s is None:
                    self._away_since_s = started_s
                    logger.warning("the log does not answer: %s", error)
                if timeout_s is not None and now_s - started_s > timeout_s:
                    raise
                self.retries += 1
                await asyncio.sleep(pause_s)
        if self._away_since_s is not None:
            logger.warning("the log answers again")
            self._away_since_s = None
        if sequence > self.acknowledged[0]:
            self.acknowledged = (sequence, subject, data)
        return sequence

    def acknowledged_position(self) -> Position:
        """The highest place in the log that was acknowledged to this producer."""
        sequence, subject, data = self.acknowledged
        return Position(self._log.created, sequence, digest(subject, data))


def _pauses() -> Iterator[float]:
    pause_s = RETRY_FIRST_S
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, RETRY_MAX_S)


def _fail(singles: list[Waiter], requests: list[asyncio.Future[list[str]]], error: FootfallError) -> None:
    for waiter in singles:
        waiter.failed(error)
    for answer in requests:
        if not answer.done():
            answer.set_exception(error)


def _read(answer: asyncio.Future[list[str]]) -> None:
    """Nobody waits for it: take its error, or asyncio complains."""
    if not answer.cancelled():
        answer.exception()
