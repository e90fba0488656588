"""One counter's vector of counts: a G-Counter, the CRDT that makes replicas agree by keeping the larger entry."""

from typing import Self

import msgspec

from footfall.errors import PartitionMismatchError

ENTRY_MAX = 2**63 - 1


class Vector(msgspec.Struct, frozen=True):
    """What one replica knows of one counter.

    Attributes:
        entries: Visits counted in each of the P partitions, from 0 to 2**63 - 1.
    """

    entries: tuple[int, ...]

    def merge(self, other: Self) -> "Vector":
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
