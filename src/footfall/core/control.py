"""The messages of the control subject, as bytes. The format is described in docs/log-format.md."""

import msgspec

from footfall.core.batch import UNREADABLE, explain
from footfall.core.names import Unit


class Define(msgspec.Struct, frozen=True, array_like=True, tag="define/1"):
    """Counters that exist from here on; where a name is known already, its first definition holds.

    Attributes:
        producer: Id of the producer.
        sequence: 1, 2, 3 ... for this producer on the control subject.
        counters: Names and units. An ancestor that no one has defined becomes a counter of ``visits``.
    """

    producer: str
    sequence: int
    counters: tuple[tuple[str, Unit], ...]


class Barrier(msgspec.Struct, frozen=True, array_like=True, tag="barrier/1"):
    """A mark that cuts all partitions at one point of the log.

    Attributes:
        producer: Id of the producer.
        sequence: 1, 2, 3 ... for this producer on the control subject.
        epoch: For a cut, the epoch that it begins: it ticks only if it follows the present one, so that two
            writers make one tick. 0 for a barrier that asks for no cut.
    """

    producer: str
    sequence: int
    epoch: int = 0


Control = Define | Barrier
TAGS = "define/1 barrier/1"

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Control).decode


def encode(message: Control) -> bytes:
    """The bytes of a control message; equal messages give equal bytes."""
    return _encode(message)


def decode(data: bytes) -> Control:
    """The control message of these bytes. Raises MalformedError or FormatError, as ``batch.decode`` does."""
    try:
        decoded: Control = _decode(data)
    except UNREADABLE as error:
        raise explain(data, TAGS, error) from None
    return decoded
