"""The messages of the control subject, as bytes. The format is described in docs/log-format.md."""

import msgspec

from footfall.core.batch import UNREADABLE, explain
from footfall.core.names import Unit
from footfall.core.position import Position


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
        reader: Id of the node that wants to know what ``counters`` are at this point; empty if none does.
        counters: Their names. Whoever folds a partition tells the reader its entries, which changes no state.
    """

    producer: str
    sequence: int
    epoch: int = 0
    reader: str = ""
    counters: tuple[str, ...] = ()


class Milestone(msgspec.Struct, frozen=True, array_like=True, tag="milestone/1"):
    """A wish to know the N-th of a counter; itself a barrier. It stands if the count at this point is below N.

    Attributes:
        producer: Id of the producer.
        sequence: 1, 2, 3 ... for this producer on the control subject.
        counter: The counter's name; it must have been defined.
        n: N, from 1 to 2**63 - 1.
        reader: Id of the node that wants to know what the counter is at this point.
    """

    producer: str
    sequence: int
    counter: str
    n: int
    reader: str = ""


class Verdict(msgspec.Struct, frozen=True, array_like=True, tag="verdict/1"):
    """What the count was at a milestone's message: the milestone stands if that is below N, else it is void.

    Attributes:
        producer: Id of the producer.
        sequence: 1, 2, 3 ... for this producer on the control subject.
        counter: The milestone's counter.
        n: Its N.
        since: Sequence, in the log, of the milestone's message.
        value: The counter's exact count at that sequence; anyone can work it out again.
    """

    producer: str
    sequence: int
    counter: str
    n: int
    since: int
    value: int


class Winner(msgspec.Struct, frozen=True, array_like=True):
    """The N-th visit.

    Attributes:
        visitor: Who came; None if nobody said.
        receipt_sha256: SHA-256 of the receipt that the visit was answered with: a commitment, not the receipt.
        sequence: Sequence in the log of the message that holds the visit.
        index: Which entry of the message it is, from 0, over all its sections.
        time_ns: When the log stored the message, on the log's clock, in nanoseconds of Unix time.
    """

    visitor: str | None
    receipt_sha256: bytes
    sequence: int
    index: int
    time_ns: int


class Proof(msgspec.Struct, frozen=True, array_like=True):
    """From what a winner was derived.

    Attributes:
        cut: The position that the judge's fold began at.
        epoch: The epoch that names the cut there; 0 if the fold began with the log.
        value: The counter's count at the cut, below N.
        messages: How many messages of the log lie between: above the cut, up to and including the winner's.
        digest: SHA-256 over them, as ``judge.digest_of`` says.
    """

    cut: Position
    epoch: int
    value: int
    messages: int
    digest: bytes


class Reached(msgspec.Struct, frozen=True, array_like=True, tag="reached/1"):
    """A milestone's winner. The first of these in the log holds; all others say the same.

    Attributes:
        producer: Id of the producer.
        sequence: 1, 2, 3 ... for this producer on the control subject.
        counter: The milestone's counter.
        n: Its N.
        winner: The N-th visit.
        proof: From what it was derived.
    """

    producer: str
    sequence: int
    counter: str
    n: int
    winner: Winner
    proof: Proof


class Announced(msgspec.Struct, frozen=True, array_like=True, tag="announced/1"):
    """The webhook has taken the news of a winner, or was given up: it is not told again."""

    producer: str
    sequence: int
    counter: str
    n: int


class Claimed(msgspec.Struct, frozen=True, array_like=True, tag="claimed/1"):
    """Someone showed the winner's receipt. The first of these in the log holds.

    Attributes:
        producer: Id of the producer.
        sequence: 1, 2, 3 ... for this producer on the control subject.
        counter: The milestone's counter.
        n: Its N.
        claim: SHA-256 of the claim's own idempotency key, so that its retry is told the same; random without one.
    """

    producer: str
    sequence: int
    counter: str
    n: int
    claim: bytes


class Import(msgspec.Struct, frozen=True, array_like=True, tag="import/1"):
    """A count from before: it adds ``value`` to a counter and its ancestors of the same unit, once per source.

    It goes to partition hash(source). It adds nothing where its source was imported before, and where a milestone on
    the counter or above it was set after its writer looked, and is open.

    Attributes:
        producer: Id of the producer.
        sequence: 1, 2, 3 ... for this producer on the control subject.
        counter: The counter's name; it must have been defined.
        value: How much, from 1 to 2**63 - 1.
        source: Where it comes from: whatever else comes from there under the same name adds nothing.
        note: What a person wants to know of it, up to 1,000 bytes.
        after: Sequence in the log at which its writer saw that it crosses no milestone.
    """

    producer: str
    sequence: int
    counter: str
    value: int
    source: str
    note: str
    after: int


Control = Define | Barrier | Milestone | Verdict | Reached | Announced | Claimed | Import
TAGS = "define/1 barrier/1 milestone/1 verdict/1 reached/1 announced/1 claimed/1 import/1"

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


def asked(message: Control) -> tuple[str, tuple[str, ...]]:
    """Who wants to know which counters at this message's place in the log; nobody: an empty text."""
    if isinstance(message, Barrier):
        return message.reader, message.counters
    if isinstance(message, Milestone):
        return message.reader, (message.counter,)
    return "", ()
