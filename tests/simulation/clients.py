"""Clients that visit a simulated cluster: plainly, with keys and again, and with chunks of sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from footfall.core.batch import Chunk
from footfall.core.names import Unit
from footfall.core.visit import Visit

if TYPE_CHECKING:
    from .node import Node
    from .world import World

NAMES = ("a", "a.b", "a.b.c", "a.d", "w", "w.x", "w.x.y", "z")
SOURCES = ("s0", "s1")
SOURCE_VISITS = 12


class Clients:
    """All of them, and what they remember."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._random = world.random
        self.keyed: list[Visit] = []
        self.written = dict.fromkeys(SOURCES, 0)  # visits in each source's file

    def unit_wished(self, name: str) -> Unit:
        return Unit.VISITORS if name[0] == "w" and self._random.random() < 0.7 else Unit.VISITS

    def _visitor(self) -> str:
        return f"visitor {self._random.randrange(40)}"

    def traffic(self, node: Node) -> None:
        """One request."""
        if not node.ready:
            return
        kind = self._random.random()
        name = self._random.choice(NAMES)
        if kind < 0.3:
            node.visit([Visit(self._random.choice(NAMES), self._visitor()) for _ in range(self._random.randint(1, 4))])
        elif kind < 0.4:
            leaf = node.definitions.find(name)
            if leaf and not (leaf.visits and leaf.visitors):
                named = leaf.visitors or self._random.random() < 0.5
                node.producing.add_single(leaf, Visit(name, self._visitor() if named else None))
        elif kind < 0.5:
            leaf = node.definitions.find(name)
            if leaf and not leaf.visitors:
                node.visit([Visit(name, None, None, self._random.choice((1, 2, 1000)))])
        elif kind < 0.75:
            self._keyed(node, name)
        else:
            self._ingest(node)

    def _keyed(self, node: Node, name: str) -> None:
        """A visit with a key, or a client that sends one again, through whichever node."""
        if self.keyed and self._random.random() < 0.6:
            visit = self._random.choice(self.keyed)
            leaf = node.definitions.find(visit.counter)
            if leaf and not (leaf.visits and leaf.visitors) and visit.count == 1 and self._random.random() < 0.5:
                node.producing.add_single(leaf, visit)
            else:
                node.visit([visit])
            return
        key = f"key {len(self.keyed)}" + self._random.choice(("", " that is the receipt"))
        visit = Visit(name, self._visitor(), key, self._random.choice((1, 1, 3)))
        self.keyed.append(visit)
        node.visit([visit])

    def _ingest(self, node: Node) -> None:
        """Somebody sends a source's next chunk, through whichever node, as far as the file goes now."""
        source = self._random.choice(SOURCES)
        self.written[source] = max(self.written[source], self._random.randint(0, SOURCE_VISITS))
        owner = self._random.choice(self._world.nodes)
        start = owner.source_position(source, 0) if owner.counting else None
        if start is None or start >= self.written[source]:
            return
        self.send(node, source, start, self._random.randint(start + 1, self.written[source]))

    def send(self, node: Node, source: str, start: int, end: int) -> None:
        visits = [self.line(source, at) for at in range(start, end)]
        if node.ingest(Chunk(source, start, end), visits, lambda _: None):
            self._world.oracle.ingested(source, start, visits, whole=False)
        else:
            for visit in visits:
                if node.definitions.find(visit.counter) is None:
                    node.define(visit.counter, self.unit_wished(visit.counter))

    @staticmethod
    def line(source: str, at: int) -> Visit:
        """The visit at a place of a source: the same whoever reads it."""
        return Visit(NAMES[(at * 5 + len(source)) % len(NAMES)], f"visitor {at * 3 % 50}")
