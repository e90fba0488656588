"""The messages of a partition: batches of visits, as bytes. The format is described in docs/log-format.md."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from footfall.core.names import Unit
from footfall.errors import FormatError, MalformedError

TAG = "batch/1"


class Section(msgspec.Struct, frozen=True, array_like=True):
    """Visits to one leaf counter; the sections' order, and the order within them, is the order of the visits.

    Attributes:
        leaf: The counter's name; it must have been defined earlier in the log.
        unit: ``visits`` adds to the leaf and its ancestors in ``visits``; ``visitors`` adds each distinct
            visitor to those in ``visitors``.
        entries: How many entries follow, 1 at least.
        visitors: ``pack`` of one visitor an entry, or None if unknown. Bytes, so that the fold of ``visits``,
            which needs no visitors, skips them at once.
        keys: ``pack`` of one idempotency key an entry, or None.
        times: How many visits each entry stands for, 1 at least; of no meaning for ``visitors``.
    """

    leaf: str
    unit: Unit
    entries: int
    visitors: bytes | None = None
    keys: bytes | None = None
    times: int = 1


class Chunk(msgspec.Struct, frozen=True, array_like=True):
    """The part of a source that a batch holds: bytes ``start`` (included) to ``end`` (excluded)."""

    source: str
    start: int
    end: int


class Batch(msgspec.Struct, frozen=True, array_like=True):
    """Visits that one producer stores in one partition, all or none.

    Attributes:
        tag: Kind and version of the message.
        producer: Id of the producer: of one run of one process, never used again.
        born: Epoch in which the producer began.
        sequence: 1, 2, 3 ... for this producer in this partition.
        sections: The visits.
        chunk: The part of a source that these visits are; None for visits that come from no source.
    """

    tag: Literal["batch/1"]
    producer: str
    born: int
    sequence: int
    sections: Sequence[Section]
    chunk: Chunk | None = None


# RecursionError: arrays nested a thousand deep. One such message must not end the counting of all the others.
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Batch).decode
_decode_texts = msgspec.msgpack.Decoder(list[str]).decode
_decode_any = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_decode_tag = msgspec.msgpack.Decoder(str).decode


def pack(texts: Sequence[str]) -> bytes:
    """A list of visitors or keys, as a section holds it."""
    return _encode(texts)


def unpack(data: bytes) -> list[str]:
    """The list that ``pack`` was given. Raises MalformedError."""
    try:
        return _decode_texts(data)
    except UNREADABLE as error:
        raise MalformedError(f"visitors or keys are not a list of texts: {error}") from None


def encode(batch: Batch) -> bytes:
    """The bytes of a batch; equal batches give equal bytes."""
    return _encode(batch)


def decode(data: bytes) -> Batch:
    """The batch of these bytes.

    Raises:
        MalformedError: They are no batch.
        FormatError: They are a message of a version that this one does not know: only a newer Footfall may count it.
    """
    try:
        return _decode(data)
    except UNREADABLE as error:
        raise explain(data, TAG, error) from None


def explain(data: bytes, known: str, error: Exception) -> FormatError:
    """Whether bytes that did not decode are of a newer version (FormatError) or of none (MalformedError)."""
    try:
        kind, _, version = _decode_tag(_decode_any(data)[0]).partition("/")
    except (*UNREADABLE, IndexError):
        return MalformedError(f"{data[:24]!r} ({len(data)} bytes) is not a message of the log: {error}")
    if (
        kind in {text.partition("/")[0] for text in known.split()}
        and version.isdigit()
        and f"{kind}/{version}" not in known.split()
    ):
        return FormatError(
            f"the log holds a message of format {kind}/{version}, and this version reads {known}: upgrade Footfall"
        )
    return MalformedError(f"a message {kind}/{version} has the wrong shape: {error}")
