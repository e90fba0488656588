"""What nodes say to each other over the bus. Losing any of it loses no count."""

import msgspec
import numpy as np

from footfall.core.batch import UNREADABLE
from footfall.core.table import Entries, Numbers
from footfall.errors import MalformedError

NODES_SUBJECT = "footfall.nodes"  # to all
NODE_SUBJECT = "footfall.node.{node}"  # to one
SOURCE_SUBJECT = "footfall.source.{partition}"  # to a partition's owners, who answer
ROWS_MAX = 2_000  # of one message: 264 KB at 16 partitions


class Beat(msgspec.Struct, frozen=True, array_like=True, tag="beat"):
    """I am here.

    Attributes:
        node: Id of the sender.
        run: Which run of it: another process with the same id is another run.
        url: Where its HTTP interface is.
        topology: The topology that it runs.
        sent: How many ``Rows`` it has sent to all; whoever has merged them all is up to date with ``folded``.
        folded: For each partition it owns, the sequence up to which it is counted.
        lag_s: For each partition it owns and is behind in, since how long.
        asks: It has just come, and wants to hear the others at once.
        leaves: It goes; its partitions are free.
        secret: A fingerprint of its secret: all nodes of a log must have the same, or no winner could claim.
        settings: Those that should be the same on all nodes, or fingerprints of them.
    """

    node: str
    run: str
    url: str
    topology: str
    sent: int
    folded: dict[int, int]
    lag_s: dict[int, float]
    asks: bool = False
    leaves: bool = False
    secret: str = ""
    settings: dict[str, str] = {}


class Rows(msgspec.Struct, frozen=True, array_like=True, tag="rows"):
    """Entries of some counters.

    Attributes:
        node: Id of the sender.
        run: Which run of it.
        serial: 1, 2, 3 ... of those that this run sent to all; or of those of one exchange.
        columns: The partitions whose entries these are.
        beyond: For each column, the sequence that its entries do not go beyond.
        numbers: int32, shape (k,): distinct counters.
        entries: int64, shape (k, len(columns)).
        exchange: 0 if sent to all, else which exchange with the receiver.
    """

    node: str
    run: str
    serial: int
    columns: list[int]
    beyond: list[int]
    numbers: bytes
    entries: bytes
    exchange: int = 0


class Done(msgspec.Struct, frozen=True, array_like=True, tag="done"):
    """The end of an exchange; whoever has merged all its ``Rows`` has all that the sender had.

    Attributes:
        node: Id of the sender.
        run: Which run of it.
        exchange: Which exchange.
        messages: How many ``Rows`` it had.
        sent: How many ``Rows`` to all the sender had sent before.
        version: What to ask for next time, in topology ``sharded``.
        folded: For each partition that the sender owns, the sequence up to which it is counted.
    """

    node: str
    run: str
    exchange: int
    messages: int
    sent: int
    version: int
    folded: dict[int, int]


class Digests(msgspec.Struct, frozen=True, array_like=True, tag="digests"):
    """Anti-entropy: send me what differs from this."""

    node: str
    exchange: int
    buckets: list[int]


class Gather(msgspec.Struct, frozen=True, array_like=True, tag="gather"):
    """Scatter-gather: send me what has changed in your partitions.

    Attributes:
        node: Who asks.
        exchange: Which exchange.
        versions: For each node asked, its run and the version that the asker has; without one, everything is sent.
    """

    node: str
    exchange: int
    versions: dict[str, tuple[str, int]]


class Counted(msgspec.Struct, frozen=True, array_like=True, tag="counted"):
    """What partitions had counted at a message of the log that asked for it: exact, whoever folded them.

    Attributes:
        node: Id of the sender.
        producer: Of the message that asked.
        asked: That message's number for this producer.
        sequence: Its sequence in the log. One that was published twice has two: answers to both do not mix.
        parts: For each partition, its entries of the counters asked for, in their order.
    """

    node: str
    producer: str
    asked: int
    sequence: int
    parts: dict[int, list[int]]


class Judged(msgspec.Struct, frozen=True, array_like=True, tag="judged"):
    """What the judge of a counter has counted.

    Attributes:
        node: Id of the sender.
        counter: The counter's name.
        sequence: The sequence in the log at which ``entries`` are exact.
        entries: The counter's vector.
        beyond: For each partition, the sequence of its last message there; its entry goes no further.
    """

    node: str
    counter: str
    sequence: int
    entries: list[int]
    beyond: list[int]


class SourceQuery(msgspec.Struct, frozen=True, array_like=True, tag="source"):
    """Where does a source stand, once the partition is folded up to ``sequence``?"""

    source: str
    sequence: int


Said = Beat | Rows | Done | Digests | Gather | Counted | Judged

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Said).decode
_decode_query = msgspec.msgpack.Decoder(SourceQuery).decode
_decode_position = msgspec.msgpack.Decoder(int).decode


def encode(message: Said | SourceQuery | int) -> bytes:
    """The bytes of a message."""
    return _encode(message)


def decode(data: bytes) -> Said:
    """The message of these bytes. Raises MalformedError."""
    try:
        said: Said = _decode(data)
    except UNREADABLE as error:
        raise MalformedError(f"a node said {data[:40]!r}: {error}") from None
    return said


def decode_query(data: bytes) -> SourceQuery:
    """The question of these bytes. Raises MalformedError."""
    try:
        return _decode_query(data)
    except UNREADABLE as error:
        raise MalformedError(f"a node asked {data[:40]!r}: {error}") from None


def decode_position(data: bytes) -> int:
    """The answer to a SourceQuery. Raises MalformedError."""
    try:
        return _decode_position(data)
    except UNREADABLE as error:
        raise MalformedError(f"an owner answered {data[:40]!r}: {error}") from None


def arrays(rows: Rows) -> tuple[Numbers, Entries]:
    """The counters and their entries. Raises MalformedError if the shapes do not fit."""
    count = len(rows.numbers) // 4
    shapes = (len(rows.numbers), len(rows.entries), len(rows.beyond))
    if shapes != (4 * count, 8 * count * len(rows.columns), len(rows.columns)):
        raise MalformedError(
            f"node {rows.node} sent {len(rows.numbers)} bytes of counters, {len(rows.entries)} of entries"
        )
    numbers = np.frombuffer(rows.numbers, np.int32)
    return numbers, np.frombuffer(rows.entries, np.int64).reshape(count, len(rows.columns))
