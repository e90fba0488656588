"""Proof bundles in the store: the log between a cut and a winner, in chunks, and a head that says what there is.

A chunk is a part of one stream, compressed: each message of the log as the length of what follows, in four bytes, and
msgpack of (sequence, subject, data, time_ns). The head is stored last, so a bundle with a head is whole.
"""

import contextlib
import zlib
from collections.abc import AsyncGenerator
from typing import Protocol, cast

import msgspec

from footfall.core.batch import UNREADABLE
from footfall.core.position import Position
from footfall.errors import CheckpointError
from footfall.log.protocol import MESSAGE_BYTES_MAX, Delivery, Log, Message, Store
from footfall.node.cuts import PINS
from footfall.node.judge_begin import judge_subjects
from footfall.ordinals import ordinal

CHUNK_BYTES = 880_000  # of the stream: also one that does not compress is below the store's limit
LENGTH_BYTES = 4
FRAME_BYTES_MAX = MESSAGE_BYTES_MAX + 1_000


class LogAndStore(Log, Store, Protocol):
    """The log with the store beside it."""


class Head(msgspec.Struct, frozen=True, array_like=True, tag="proof/1"):
    """What is kept of one milestone.

    Attributes:
        counter: Its counter.
        n: Its N.
        since: Sequence of the message that set it, which names the bundle.
        epoch: Names the cut that the log is kept from; 0 for the log's beginning, or if nothing is kept.
        cut: The position there.
        messages: How many messages are kept: those above the cut, up to and including the winner's.
        chunks: In how many chunks.
        bytes: Their size.
        why: Why nothing is kept; empty if the log is.
    """

    counter: str
    n: int
    since: int
    epoch: int
    cut: Position
    messages: int = 0
    chunks: int = 0
    bytes: int = 0
    why: str = ""


def head_key(head: Head) -> str:
    """Where a head is stored; its end pins the cut."""
    return f"{PINS}.{head.since}.{head.epoch}"


def since_of(key: str) -> int:
    """Whose head a key is."""
    return int(key.split(".")[2])


def chunk_key(since: int, epoch: int, number: int) -> str:
    """Where a chunk is stored."""
    return f"proof.log.{since}.{epoch}.{number}"


async def heads(store: Store, since: int) -> list[Head]:
    """The heads of a milestone: one, or two if two nodes kept its log from different cuts. Raises CheckpointError."""
    found = []
    for key in await store.keys(f"{PINS}.{since}"):
        data = await store.get(key)
        try:
            found.append(msgspec.msgpack.decode(data or b"", type=Head))
        except UNREADABLE:
            raise CheckpointError(f"{key} cannot be read: it was changed") from None
    return found


async def log_between(log: Log, after: Position, last: int) -> AsyncGenerator[Message, None]:
    """All messages after a position, up to and including sequence ``last``; raises as ``Log.read``."""
    if after.sequence >= last:
        return
    reading = cast("AsyncGenerator[Delivery, None]", log.read(judge_subjects(log.partitions), after))
    async with contextlib.aclosing(reading) as deliveries:
        async for delivery in deliveries:
            for message in delivery.messages:
                if message.sequence > last:
                    return
                yield message
                if message.sequence == last:
                    return


def framed(message: Message) -> bytes:
    """A message in the stream."""
    data = msgspec.msgpack.encode(message)
    return len(data).to_bytes(LENGTH_BYTES) + data


async def bundle(store: Store, head: Head) -> AsyncGenerator[Message, None]:
    """The messages that a head tells of.

    Raises:
        CheckpointError: A chunk is missing, or was changed.
        LogUnavailableError: The store cannot be read now.
    """
    buffer = bytearray()
    for number in range(head.chunks):
        key = chunk_key(head.since, head.epoch, number)
        buffer += _inflated(key, await store.get(key))
        start = 0
        while len(buffer) - start >= LENGTH_BYTES:
            begin = start + LENGTH_BYTES
            length = int.from_bytes(buffer[start:begin])
            if length > FRAME_BYTES_MAX:
                raise CheckpointError(f"{key} cannot be read: it was changed")
            if len(buffer) - begin < length:
                break
            start = begin + length
            yield _message(key, bytes(buffer[begin:start]))
        del buffer[:start]
    if buffer:
        raise CheckpointError(f"the log kept for the {ordinal(head.n)} of {head.counter} ends amid a message")


def _message(key: str, data: bytes) -> Message:
    try:
        return msgspec.msgpack.decode(data, type=Message)
    except UNREADABLE:
        raise CheckpointError(f"{key} cannot be read: it was changed") from None


def _inflated(key: str, data: bytes | None) -> bytes:
    """A chunk's part of the stream; never more than a chunk may have."""
    if data is None:
        raise CheckpointError(f"{key} is missing")
    inflating = zlib.decompressobj()
    try:
        part = inflating.decompress(data, CHUNK_BYTES + 1)
    except zlib.error:
        part = b""
    if not inflating.eof or len(part) > CHUNK_BYTES:
        raise CheckpointError(f"{key} cannot be read: it was changed")
    return part
