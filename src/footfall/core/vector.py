"""One counter's vector of counts: a G-Counter, the CRDT that makes replicas agree by keeping the larger entry."""

from __future__ import annotations

from array import array
from typing import Self

import msgspec

from footfall.errors import PartitionMismatchError

ENTRY_MAX = 2**63 - 1


def lengthened(entries: array[int], length: int) -> array[int]:
    """Entries with zeros after them, up to a length: the same array, if it can be made longer where it is.

    An array whose memory someone looks into cannot, though it may be no more than a profiler that keeps a frame.
    """
    zeros = bytes(8 * (length - len(entries)))
    try:
        entries.frombytes(zeros)
    except BufferError:
        return entries + array("q", zeros)
    return entries


class Vector(msgspec.Struct, frozen=True):
    """What one replica knows of one counter.

    Attributes:
        entries: Visits counted in each of the P partitions, from 0 to 2**63 - 1.
    """

    entries: tuple[int, ...]

    def merge(self, other: Self) -> Vector:
        """Join two views of one counter, entry by entry.

        Args:
            other: A vector over the same P partitions.

        Returns:
            A vector of P entries, each the larger of the two. Never smaller than either.

        Raises:
            PartitionMismatchError: If the vectors have different lengths.

        References:
            Shapiro et al. (2011), INRIA RR-7506, specification 6 (G-Counter).
        """
        if len(self.entries) != len(other.entries):
            raise PartitionMismatchError(f"cannot merge {len(other.entries)} entries into {len(self.entries)}")
        return Vector(tuple(map(max, self.entries, other.entries)))

    @property
    def value(self) -> int:
        """The count: the sum of the entries, at most 2**63 - 1."""
        return min(sum(self.entries), ENTRY_MAX)
