"""What the messages of a spool say of themselves: pure functions of their bytes."""

from collections.abc import Sequence

from footfall.core.batch import Batch, Section, decode
from footfall.core.definitions import Definitions
from footfall.core.names import Unit
from footfall.errors import FormatError


def born_of(data: bytes) -> int | None:
    """The epoch in which a message's producer was born; None if it is no message."""
    batch = _batch(data)
    return None if batch is None else batch.born


def keyed_in(data: bytes) -> int:
    """How many entries of a message have a key."""
    return sum(section.entries for section in _sections(data) if section.keys is not None)


class Tally:
    """What some messages hold.

    Attributes:
        messages, bytes: How many, and their size.
        visits: How many; one that counts in both units is two.
        pending: What they are about to add to each counter, by its number, repeats included.
    """

    def __init__(self) -> None:
        self.messages = self.bytes = self.visits = 0
        self.pending: dict[int, int] = {}

    def add(self, messages: Sequence[bytes], definitions: Definitions, times: int = 1) -> int:
        """Count messages in, or out if ``times`` is -1; returns the visits in them.

        Of counters that are not defined here only the visits are known.
        """
        visits = 0
        for data in messages:
            for section in _sections(data):
                leaf = definitions.find(section.leaf)
                count = section.entries * (section.times if section.unit is Unit.VISITS else 1)
                visits += count
                if leaf is not None:
                    for number in leaf.visits if section.unit is Unit.VISITS else leaf.visitors:
                        self.pending[number] = self.pending.get(number, 0) + times * count
        self.messages += times * len(messages)
        self.bytes += times * sum(map(len, messages))
        self.visits += times * visits
        return visits


def _sections(data: bytes) -> Sequence[Section]:
    batch = _batch(data)
    return () if batch is None else batch.sections


def _batch(data: bytes) -> Batch | None:
    try:
        return decode(data)
    except FormatError:
        return None
