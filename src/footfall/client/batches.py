"""Batches of visits, as they are sent: in the order in which they came, each under a key that no other has. Pure."""

from collections.abc import Iterator, Sequence

import msgspec

from footfall.client.buffer import Waiting
from footfall.core.visit import BATCH_BYTES_MAX

_OPEN, _CLOSE = b'{"visits":[', b"]}"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Waiting]).decode


class Batch(msgspec.Struct, frozen=True):
    """Visits of one request, each with its key.

    Attributes:
        visits: They, in order.
        unsure_since_s: When the first attempt began whose outcome is not known, in Unix time: it may be counted.
            None if there was none.
    """

    visits: Sequence[Waiting]
    unsure_since_s: float | None = None

    @property
    def count(self) -> int:
        """How many visits they are, with their counts."""
        return sum(visit.count for visit in self.visits)

    @property
    def body(self) -> bytes:
        """What a node reads."""
        return b'{"visits":' + self.packed + b"}"

    @property
    def packed(self) -> bytes:
        """The visits as one text, from which ``unpacked`` makes them again."""
        return _encode(self.visits)


def unpacked(packed: bytes, unsure_since_s: float | None) -> Batch:
    """The batch whose visits were packed. Raises msgspec.MsgspecError, UnicodeDecodeError."""
    return Batch(_decode(packed), unsure_since_s)


def give_keys(visits: Sequence[Waiting], prefix: str, first: int) -> None:
    """Give each visit that has no key one that begins with ``prefix``, which is this client's alone.

    Args:
        visits: They.
        prefix: What no other client's keys begin with.
        first: A number from which on none was used.
    """
    for number, visit in enumerate(visits, first):
        if visit.key is None:
            visit.key = f"{prefix}-{number}"


def batches(visits: Sequence[Waiting], bytes_max: int = BATCH_BYTES_MAX) -> Iterator[Batch]:
    """The visits as batches that a node takes: none has more than ``bytes_max`` bytes, unless a single visit has."""
    start, size = 0, len(_OPEN) + len(_CLOSE)
    for at, visit in enumerate(visits):
        more = len(_encode(visit)) + 1
        if size + more > bytes_max and at > start:
            yield Batch(visits[start:at])
            start, size = at, len(_OPEN) + len(_CLOSE)
        size += more
    if start < len(visits):
        yield Batch(visits[start:])
