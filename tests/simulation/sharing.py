"""How counts travel between simulated nodes: pushed or pulled, and repaired."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from footfall.core.routing import Peer

from .said import Answer, Beat, Counted, Digests, Gather, Rows

if TYPE_CHECKING:
    from .node import Node


class Sharing:
    """What one node says, and what it makes of what it hears."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def share(self) -> None:
        """Push what changed (`replicated`), or pull what others hold (`sharded`)."""
        changed = self._node.table.take_changed()
        if self._node.world.sharded:
            self._node.world.say(self._node, Gather(self._node.name))
        elif len(changed):
            self._node.world.say(self._node, self._rows(changed, list(range(self._node.world.partitions))))

    def repair(self) -> None:
        """Anti-entropy."""
        if not self._node.world.sharded:
            self._node.world.say(self._node, Digests(self._node.name, self._node.table.bucket_digests()))

    def _rows(self, numbers: Any, columns: list[int]) -> Rows:
        return Rows(
            columns, [self._node.table.beyond[c] for c in columns], numbers, self._node.table.rows(numbers)[:, columns]
        )

    def hear(self, said: Any) -> None:
        if isinstance(said, Beat):
            self._node.peers[said.node] = Peer(said.node, self._node.clock_s, said.folded, said.lag_s)
        elif isinstance(said, Rows):
            self._merge(said)
        elif isinstance(said, Digests):
            columns = list(range(self._node.world.partitions))
            rows = [self._rows(numbers, columns) for numbers in self._node.table.differing(said.buckets)]
            self._node.world.say(self._node, Answer(rows, self._node.owned()), said.node)
        elif isinstance(said, Gather):
            numbers = np.arange(len(self._node.table.totals), dtype=np.int32)
            self._node.world.say(
                self._node, Answer([self._rows(numbers, sorted(self._node.owned()))], self._node.owned()), said.node
            )
        elif isinstance(said, Answer):
            for rows in said.rows:
                self._merge(rows)
            for partition, sequence in said.folded.items():
                self._node.table.confirm(partition, sequence)
        elif isinstance(said, Counted):
            self._node.asking.take(said)

    def _merge(self, rows: Rows) -> None:
        if len(rows.columns) == self._node.world.partitions:
            self._node.table.merge(rows.numbers, rows.entries, rows.beyond)
            return
        for index, (column, beyond) in enumerate(zip(rows.columns, rows.beyond, strict=True)):
            self._node.table.merge_column(column, rows.numbers, rows.entries[:, index], beyond)
