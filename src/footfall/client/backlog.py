"""Batches that were made and are not stored yet, in order: on disk if there is a spool, else in memory.

What is on disk was written before it was first sent, and is marked before it is sent: whoever finds it after a crash
knows what may have been counted.
"""

from collections import deque
from collections.abc import Iterable
from typing import Protocol

from footfall.client.batches import Batch


class Store(Protocol):
    """Batches on disk: what this process wrote, and what dead ones left."""

    def append(self, batches: Iterable[Batch]) -> bool:
        """Keep batches, all or none; returns whether there was room for them and the disk took them."""

    def head(self) -> Batch | None:
        """The one whose turn it is."""

    def mark(self, since_s: float) -> bool:
        """Write that the head may have been counted, since then; returns whether the disk took it.

        If not, there is no head before the next ``look``: who died after it was sent could not be told that it was.
        """

    def replace(self, batches: Iterable[Batch]) -> bool:
        """Put batches in the place of the head: none, if it is done with. Returns whether the disk took them."""

    @property
    def own(self) -> int:
        """How many visits of this process wait, those that were merged being one."""

    @property
    def count(self) -> int:
        """How many visits wait, of this process and of dead ones, with their counts."""

    @property
    def left(self) -> bool:
        """Whether dead processes may have left something. Opens nothing."""

    def look(self) -> None:
        """Take over what processes have left that died since the last look; try a disk again that failed."""

    def close(self) -> None:
        """Let go what is there, for whoever comes next."""

    def abandon(self) -> None:
        """Never touch it again: this process was forked from the one that has it."""


class Backlog:
    """The batches of one client.

    Attributes:
        held: How many visits are in memory, those that were merged being one.

    Args:
        store: Where they are kept; None for in memory alone.
    """

    def __init__(self, store: Store | None) -> None:
        self.store = store
        self.held = 0
        self._memory: deque[Batch] = deque()
        self._head_is_on_disk = False

    @property
    def own(self) -> int:
        """How many visits of this process wait, those that were merged being one."""
        return self.held + (self.store.own if self.store else 0)

    @property
    def count(self) -> int:
        """How many visits are in memory, with their counts."""
        return sum(batch.count for batch in self._memory)

    @property
    def spooled(self) -> int:
        """How many visits wait on disk, with their counts."""
        return self.store.count if self.store else 0

    def append(self, batches: list[Batch]) -> None:
        """Keep batches: in memory, if the disk does not take them."""
        if self._memory or self.store is None or not self.store.append(batches):
            self._memory.extend(batches)
            self.held += _entries(batches)

    def head(self) -> Batch | None:
        """The one whose turn it is."""
        found = self.store.head() if self.store else None
        self._head_is_on_disk = found is not None
        return found or (self._memory[0] if self._memory else None)

    def replace(self, *batches: Batch) -> None:
        """Put batches in the place of the head: none, if it is done with."""
        if not self._head_is_on_disk:
            self.held -= len(self._memory.popleft().visits)
        elif self.store is not None and self.store.replace(batches):
            return
        self._memory.extendleft(reversed(batches))
        self.held += _entries(batches)
        self._head_is_on_disk = False

    def mark(self, since_s: float) -> bool:
        """The head is about to be sent: from then on it may have been counted. Returns whether it may be sent."""
        return not self._head_is_on_disk or self.store is None or self.store.mark(since_s)


def _entries(batches: Iterable[Batch]) -> int:
    return sum(len(batch.visits) for batch in batches)
