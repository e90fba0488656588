"""What an audit compares, and what it says in the end; as data."""

from datetime import UTC, datetime

import msgspec

from footfall.core.control import Proof, Winner
from footfall.core.judge import Crossing
from footfall.core.receipts import commitment
from footfall.node.readings import WinnerReading

Value = str | int | None


class Comparison(msgspec.Struct, frozen=True):
    """One thing that the log tells, and what was derived.

    Attributes:
        what: Which.
        epoch: The cut that it was derived from.
        told: What the log tells.
        found: What was derived.
        agrees: Whether they are the same.
    """

    what: str
    epoch: int
    told: Value
    found: Value
    agrees: bool


class StartReading(msgspec.Struct, frozen=True):
    """One fold.

    Attributes:
        epoch: Names the cut that it began at; 0 for the log's beginning.
        sequence: Where the cut stands.
        value: What the counter was there.
        source: ``log``, or ``bundle`` where the log was trimmed.
        messages: How many were folded.
    """

    epoch: int
    sequence: int
    value: int
    source: str
    messages: int


class Report(msgspec.Struct, frozen=True):
    """What an audit found.

    Attributes:
        counter: The milestone's counter.
        n: Its N.
        agrees: Whether all that was checked agrees, and nothing that should be there is missing or damaged.
        winner: What the log tells.
        starts: The folds.
        comparisons: All that was checked, fold by fold.
        unchecked: What could not be checked, and why; it is not against the winner.
        problems: What is against what the log tells, beside comparisons that do not agree.
        seconds: How long it took.
    """

    counter: str
    n: int
    agrees: bool
    winner: WinnerReading
    starts: list[StartReading]
    comparisons: list[Comparison]
    unchecked: list[str]
    problems: list[str]
    seconds: float


def compare_winner(
    epoch: int, told: Winner, crossing: Crossing, time_ns: int, secret: bytes | None
) -> list[Comparison]:
    """Who the log tells has won, beside the N-th visit; ``time_ns``: when the log stored that."""
    pairs: list[tuple[str, Value, Value]] = [
        ("visitor", told.visitor, crossing.visitor),
        ("sequence", told.sequence, crossing.sequence),
        ("index", told.index, crossing.index),
        ("time", _utc(told.time_ns), _utc(time_ns)),
    ]
    if secret is not None:
        pairs.append(("receipt", told.receipt_sha256.hex(), commitment(crossing.receipt(secret)).hex()))
    return [compared(what, epoch, one, other) for what, one, other in pairs]


def compare_proof(told: Proof, found: Proof) -> list[Comparison]:
    """From what the log tells the winner was derived, beside what he was derived from now."""
    return [
        compared("sum at the cut", told.epoch, told.value, found.value),
        compared("messages", told.epoch, told.messages, found.messages),
        compared("digest", told.epoch, told.digest.hex(), found.digest.hex()),
    ]


def compared(what: str, epoch: int, told: Value, found: Value) -> Comparison:
    """Two values, and whether they are one."""
    return Comparison(what, epoch, told, found, told == found)


def _utc(time_ns: int) -> str:
    """RFC 3339, with all nine digits."""
    return f"{datetime.fromtimestamp(time_ns // 10**9, UTC):%Y-%m-%dT%H:%M:%S}.{time_ns % 10**9:09d}Z"
