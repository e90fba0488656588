"""Whole nodes on one memory log, in virtual time: they come, go, die and are cut off as a test wants."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from node_line import Fold, Line

from footfall.config import Config, Topology
from footfall.core.names import Unit
from footfall.core.routing import ranking
from footfall.core.visit import Visit
from footfall.log.memory import Storage
from footfall.node.node import Node
from simulation.virtual_time import OWNER, VirtualLoop

READY_S_MAX = 30.0


async def until(reached: Callable[[], object], seconds: float = 60.0) -> float:
    """Wait until something is so; returns how long that took."""
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    while not reached():
        await asyncio.sleep(0.05)
        assert loop.time() - start_s < seconds, "it does not come"
    return loop.time() - start_s


class Cluster:
    """The nodes and their log. Of n1, n4 and n7 each ranks first for some of four partitions, any two of them for two.

    Attributes:
        lines: By node, its connection; one that was started again has a new one.
        settings: Of every node that is started, beside what is given then.
    """

    def __init__(self, directory: Path, partitions: int = 4) -> None:
        self.directory = directory
        self.storage = Storage(partitions)
        self.lines: dict[str, Line] = {}
        self.nodes: dict[str, Node] = {}
        self.settings: dict[str, object] = {"cut_interval_s": 1000.0, "secret": "the cluster's"}

    def node(self, name: str, **settings: object) -> Node:
        """A node that is not started."""
        self.lines[name] = Line(self.storage)
        known = {"data": str(self.directory / name), "node": name, "partitions": self.storage.partitions}
        config = Config(**{**known, **self.settings, **settings})  # type: ignore[arg-type]
        return Node(config, self.lines[name])

    async def start(self, name: str, **settings: object) -> Node:
        """A node that is ready."""
        node = self.nodes[name] = self.node(name, **settings)
        await self.begin(node)
        await until(lambda: not node.problems(), READY_S_MAX)
        return node

    async def begin(self, node: Node) -> None:
        """Start a node; all that it begins is its own."""

        async def start() -> None:
            OWNER.set(node.id)
            await node.start()

        await asyncio.create_task(start())

    async def kill(self, name: str) -> None:
        """kill -9."""
        self.lines[name].disconnect()
        node = self.nodes.pop(name)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        await loop.end(name)
        if node.spool is not None:
            await node.spool.close()  # as the system does when a process ends
        await node.history.stop()

    def cut_off(self, name: str) -> None:
        """Nothing that a node sends arrives, and it hears nothing."""
        self.lines[name].disconnect()

    def owned(self) -> dict[str, list[int]]:
        """Which node counts what."""
        return {name: sorted(node.counting.aggregator.owned()) for name, node in self.nodes.items()}

    def settled(self) -> bool:
        """Whether each partition is counted by the node that ranks first for it, and by no other."""
        first = {name: [] for name in self.nodes}
        for partition in range(self.storage.partitions):
            first[ranking(partition, self.nodes)[0]].append(partition)
        return self.owned() == first

    def counted(self, name: str) -> int:
        """What the whole log holds of a counter, if it was not trimmed."""
        assert self.storage.first == 1
        fold = Fold(self.storage)
        assert not fold.alarms
        return fold.value(name)

    def shown(self, name: str) -> list[int]:
        """What the nodes show."""
        return [node.read(name).value for node in self.nodes.values()]

    async def shows(self, name: str, value: int) -> None:
        """Wait until all nodes show a value."""
        await until(lambda: self.shown(name) == [value] * len(self.nodes))


def visits(name: str, count: int = 1) -> list[Visit]:
    return [Visit(name)] * count


TOPOLOGIES = list(Topology)
VISITORS = Unit.VISITORS
