"""Keeps what the audit of a reached milestone needs, before the log is trimmed: see ``bundles``. One node does it."""

import asyncio
import contextlib
import logging
import time
import zlib

import msgspec

from footfall.core.definitions import Definitions
from footfall.core.milestones import Standing
from footfall.core.position import Position
from footfall.errors import CheckpointError, LogFullError, LogTrimmedError, LogUnavailableError
from footfall.node.bundles import CHUNK_BYTES, Head, LogAndStore, chunk_key, framed, head_key, log_between, since_of
from footfall.node.cuts import PINS, Cuts
from footfall.node.members import Members
from footfall.node.waiting import ended
from footfall.ordinals import ordinal

logger = logging.getLogger(__name__)

LOOK_AGAIN_S = 1.0  # for the head that another node stores; also after a failure
FAILURES_MAX = 5  # that nobody foresaw, of one bundle: then it is given up, or the log would never be trimmed again
LEVEL = 1  # of compression: the log is mostly names, and the node has other work


class _TooLargeError(Exception):
    """The bundle is larger than it may be."""


class Proofs:
    """The proof bundles, as one node sees them.

    Attributes:
        kept: Bundles stored by this node.
        given_up: Heads stored by this node that say why there is no bundle, though one was wanted.
    """

    def __init__(
        self,
        cluster: LogAndStore,
        cuts: Cuts,
        members: Members,
        definitions: Definitions,
        keep: bool,
        bytes_max: int,
        store_bytes_max: int,
    ) -> None:
        self.kept = self.given_up = 0
        self._cluster = cluster
        self._cuts = cuts
        self._members = members
        self._definitions = definitions
        self._keep = keep
        self._bytes_max = bytes_max
        self._store_bytes_max = store_bytes_max
        self._done: set[int] = set()  # milestones with a head, by the sequence that set them
        self._failures: dict[int, int] = {}
        self._again_s = 0.0
        self._task: asyncio.Task[None] | None = None

    def _waiting(self) -> list[Standing]:
        """The milestones that were reached, and have no head that this node knows of."""
        return [one for one in self._definitions.milestones if not one.open and one.since not in self._done]

    def holds(self) -> str:
        """Why neither cuts nor the log may be dropped now; or nothing."""
        for standing in self._waiting():
            return f"the proof of the {ordinal(standing.n)} of {standing.counter} is not kept yet"
        return ""

    def look(self) -> None:
        """Begin to keep what is to be kept. Called at short intervals."""
        busy = self._task is not None and not self._task.done()
        if busy or time.monotonic() < self._again_s or not (waiting := self._waiting()):
            return
        self._again_s = time.monotonic() + LOOK_AGAIN_S
        self._task = asyncio.create_task(self._work(waiting), name="proofs")

    async def _work(self, waiting: list[Standing]) -> None:
        try:
            self._done |= {since_of(key) for key in await self._cluster.keys(PINS)}
            for standing in waiting:
                if standing.since not in self._done and self._members.is_first(f"proof {standing.counter}"):
                    await self._keep_one(standing)
        except LogUnavailableError as error:
            logger.warning("no proof can be kept now: %s", error)

    async def _keep_one(self, standing: Standing) -> None:
        name = f"the {ordinal(standing.n)} of {standing.counter}"
        try:
            head = await self._made(standing)
        except LogUnavailableError:
            raise
        except Exception as error:  # nobody foresaw it: it must neither end the node nor fill its log for ever
            failures = self._failures[standing.since] = self._failures.get(standing.since, 0) + 1
            logger.exception("the proof of %s cannot be kept", name)
            if failures < FAILURES_MAX:
                return
            head = _nothing(standing, f"failed: {error!r}"[:200])
        await self._cluster.put(head_key(head), msgspec.msgpack.encode(head))
        self._done.add(standing.since)
        self._failures.pop(standing.since, None)
        if not head.why:
            self.kept += 1
            logger.info("the proof of %s is kept: %d messages, %d bytes", name, head.messages, head.bytes)
        elif self._keep:
            self.given_up += 1
            logger.error("no proof of %s is kept: %s", name, head.why)

    async def _made(self, standing: Standing) -> Head:
        """Store the chunks of a milestone; returns its head."""
        if not self._keep:
            return _nothing(standing, "not kept")
        if (size := await self._cluster.size()) >= self._store_bytes_max:
            return _nothing(
                standing, f"no room: cuts and proofs take {size} bytes, and store_bytes_max is {self._store_bytes_max}"
            )
        why = "gone: the cut, or the log above it, was dropped before"
        for find in (self._own_cut, self._newest_below):
            begin = await find(standing)
            if begin is None:
                continue
            try:
                return await self._export(standing, *begin)
            except LogTrimmedError as error:
                logger.warning("the log above cut %d is gone: %s", begin[0], error)
            except _TooLargeError:
                why = f"too large: more than {self._bytes_max} bytes"
                break
            except LogFullError as error:  # to wait for room would keep the log from being trimmed
                why = f"no room: {error}"
                break
        for key in await self._cluster.keys(f"proof.log.{standing.since}"):
            await self._cluster.delete(key)
        return _nothing(standing, why)

    async def _own_cut(self, standing: Standing) -> tuple[int, Position] | None:
        """The cut, by its epoch, that the winner's proof begins at."""
        assert standing.proof is not None
        epoch, begin = standing.proof.epoch, standing.proof.cut
        try:
            if epoch and (await self._cuts.at(epoch)).position != begin:
                raise CheckpointError(f"cut {epoch} is another one than the winner's proof begins at")
        except CheckpointError as error:
            logger.warning("another cut must do: %s", error)
            return None
        return epoch, begin

    async def _newest_below(self, standing: Standing) -> tuple[int, Position] | None:
        """The newest cut before the winner: from there too the winner can be derived, though not the proof."""
        assert standing.winner is not None
        async with contextlib.aclosing(self._cuts.each()) as each:
            async for found in each:
                if found.position.sequence < standing.winner.sequence:
                    return found.epoch, found.position
        return None

    async def _export(self, standing: Standing, epoch: int, begin: Position) -> Head:
        assert standing.winner is not None
        buffer = bytearray()
        messages = chunks = size = 0

        async def store(part: bytes) -> None:
            nonlocal chunks, size
            data = await asyncio.to_thread(zlib.compress, part, LEVEL)
            size += len(data)
            if size > self._bytes_max:
                raise _TooLargeError
            await self._cluster.put(chunk_key(standing.since, epoch, chunks), data)
            chunks += 1

        async with contextlib.aclosing(log_between(self._cluster, begin, standing.winner.sequence)) as reading:
            async for message in reading:
                messages += 1
                buffer += framed(message)
                while len(buffer) >= CHUNK_BYTES:
                    await store(bytes(buffer[:CHUNK_BYTES]))
                    del buffer[:CHUNK_BYTES]
        if buffer:
            await store(bytes(buffer))
        return Head(standing.counter, standing.n, standing.since, epoch, begin, messages, chunks, size)

    async def stop(self) -> None:
        """Keep no more; another node does."""
        await ended([self._task])


def _nothing(standing: Standing, why: str) -> Head:
    assert standing.proof is not None
    return Head(standing.counter, standing.n, standing.since, 0, Position(standing.proof.cut.created), why=why)
