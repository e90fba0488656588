"""What the messages of a spool say of themselves: pure functions of their bytes."""

from collections.abc import Sequence
from typing import NamedTuple

from footfall.core.batch import Batch, Section, decode
from footfall.core.definitions import Definitions
from footfall.core.names import Unit
from footfall.errors import FormatError


class Tally(NamedTuple):
    """What messages hold.

    Attributes:
        visits: How many; one that counts in both units is two.
        pending: What they are about to add to each counter, by its number, repeats included.
    """

    visits: int
    pending: dict[int, int]


def born_of(data: bytes) -> int | None:
    """The epoch in which a message's producer was born; None if it is no message."""
    batch = _batch(data)
    return None if batch is None else batch.born


def keyed_in(data: bytes) -> int:
    """How many entries of a message have a key."""
    return sum(section.entries for section in _sections(data) if section.keys is not None)


def tally(messages: Sequence[bytes], definitions: Definitions) -> Tally:
    """What messages hold; of counters that are not defined here only the visits are known."""
    visits, pending = 0, dict[int, int]()
    for data in messages:
        for section in _sections(data):
            leaf = definitions.find(section.leaf)
            count = section.entries * (section.times if section.unit is Unit.VISITS else 1)
            visits += count
            if leaf is not None:
                for number in leaf.visits if section.unit is Unit.VISITS else leaf.visitors:
                    pending[number] = pending.get(number, 0) + count
    return Tally(visits, pending)


def _sections(data: bytes) -> Sequence[Section]:
    batch = _batch(data)
    return () if batch is None else batch.sections


def _batch(data: bytes) -> Batch | None:
    try:
        return decode(data)
    except FormatError:
        return None
