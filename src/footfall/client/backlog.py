"""Batches that were made and are not stored yet, in order: on disk if there is a spool, else in memory.

What is on disk was written before it was first sent, and is marked before it is sent: whoever finds it after a crash
knows what may have been counted.
"""

from collections import deque
from collections.abc import Iterable

from footfall.client.batches import Batch
from footfall.client.spool import Spool


class Backlog:
    """The batches of one client.

    Attributes:
        held: How many visits are in memory, those that were merged being one.

    Args:
        spool: Where they are kept; None for in memory alone.
    """

    def __init__(self, spool: Spool | None) -> None:
        self.spool = spool
        self.held = 0
        self._memory: deque[Batch] = deque()
        self._head_is_on_disk = False

    @property
    def own(self) -> int:
        """How many visits of this process wait, those that were merged being one."""
        return self.held + (self.spool.own if self.spool else 0)

    @property
    def count(self) -> int:
        """How many visits are in memory, with their counts."""
        return sum(batch.count for batch in self._memory)

    @property
    def spooled(self) -> int:
        """How many visits wait on disk, with their counts."""
        return self.spool.count if self.spool else 0

    def append(self, batches: list[Batch]) -> None:
        """Keep batches: in memory, if the disk does not take them."""
        if self._memory or self.spool is None or not self.spool.append(batches):
            self._memory.extend(batches)
            self.held += _entries(batches)

    def head(self) -> Batch | None:
        """The one whose turn it is."""
        found = self.spool.head() if self.spool else None
        self._head_is_on_disk = found is not None
        return found or (self._memory[0] if self._memory else None)

    def replace(self, *batches: Batch) -> None:
        """Put batches in the place of the head: none, if it is done with."""
        if not self._head_is_on_disk:
            self.held -= len(self._memory.popleft().visits)
        elif self.spool is not None and self.spool.replace(batches):
            return
        self._memory.extendleft(reversed(batches))
        self.held += _entries(batches)
        self._head_is_on_disk = False

    def mark(self, since_s: float) -> bool:
        """The head is about to be sent: from then on it may have been counted. Returns whether it may be sent."""
        return not self._head_is_on_disk or self.spool is None or self.spool.mark(since_s)


def _entries(batches: Iterable[Batch]) -> int:
    return sum(len(batch.visits) for batch in batches)
