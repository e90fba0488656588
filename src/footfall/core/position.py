"""Where in which log something stands; decides whether a log still is the one that was counted."""

from typing import Protocol

import msgspec
import xxhash

from footfall.errors import LogRewoundError, LogTrimmedError


class Stored(Protocol):
    """A message as the log stored it."""

    @property
    def sequence(self) -> int: ...
    @property
    def subject(self) -> str: ...
    @property
    def data(self) -> bytes: ...


class Position(msgspec.Struct, frozen=True, array_like=True):
    """A place in one log: everything up to and including ``sequence``.

    Attributes:
        created: The stream's creation time as the log reports it, which names the log.
        sequence: Sequence of the last message included; 0 is before the first.
        digest: ``digest(message)`` of that message; empty at sequence 0.
    """

    created: str
    sequence: int = 0
    digest: bytes = b""


def digest(subject: str, data: bytes) -> bytes:
    """16 bytes that tell whether the message at a sequence is still the same one. XXH3-128: against accidents."""
    return xxhash.xxh3_128_digest(subject.encode() + b"\0" + data)


def at(created: str, message: Stored) -> Position:
    """The position just after ``message``."""
    return Position(created, message.sequence, digest(message.subject, message.data))


def check(position: Position, created: str, first: int, last: int, found: Stored | None) -> None:
    """Refuse a log that no longer holds what was counted up to ``position``.

    Args:
        position: What was counted, or acknowledged.
        created: The creation time of the log at hand.
        first: Its first sequence still stored.
        last: Its last sequence.
        found: Its message at ``position.sequence``; None if there is none.

    Raises:
        LogRewoundError: If the log was replaced, truncated or rewritten.
        LogTrimmedError: If it is the same log, and no longer holds the message at the position.
    """
    if created != position.created:
        raise LogRewoundError(
            f"this log was made at {created}, but what was counted came from the log made at {position.created}: "
            "the log was replaced; restore it, or start with an empty data directory"
        )
    if last < position.sequence:
        raise LogRewoundError(
            f"the log ends at sequence {last}, but {position.sequence} had been reached: it lost its tail; restore it"
        )
    if first > max(position.sequence, 1):
        raise LogTrimmedError(
            f"the log starts at sequence {first}, and {position.sequence} was reached: what came next was trimmed, "
            "and only a checkpoint covers it"
        )
    if position.sequence == 0:
        return
    if found is None:
        raise LogRewoundError(
            f"the log holds sequences {first} to {last}, but not {position.sequence}, from where counting goes on"
        )
    if digest(found.subject, found.data) != position.digest:
        raise LogRewoundError(
            f"the message at sequence {position.sequence} is not the one that was counted: the log was rewritten; "
            "restore it"
        )
