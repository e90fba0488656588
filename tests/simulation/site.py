"""A place for a real node in virtual time: it is started, killed and stopped, and what it shows is checked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from footfall.config import Config
from footfall.errors import FootfallError
from footfall.node.node import Node
from footfall.node.readings import Phase

from .network import Connection
from .virtual_time import OWNER

if TYPE_CHECKING:
    from .real_world import RealWorld

SECRET = "the cluster's"


class Site:
    """A place for a node: its name and its disk stay, processes come and go."""

    def __init__(self, world: RealWorld, name: str) -> None:
        self.world = world
        self.name = name
        self.run = 0
        self.node: Node | None = None
        self.shown: dict[str, int] = {}

    @property
    def owner(self) -> str:
        return f"{self.name}.{self.run}"

    async def start(self) -> None:
        """A new process."""
        world = self.world
        self.run += 1
        self.shown = {}
        self.connection = Connection(world.log, world.network)
        config = Config(
            data=f"{world.directory}/{self.name}",
            node=self.name,
            secret=SECRET,
            topology=world.topology,
            partitions=world.log.partitions,
            cut_interval_s=2.0,
            closing_share=world.closing_share,
            closing_soon_s=world.soon_s,
            history_counters_max=0,  # a file that no count depends on
        )
        node = Node(config, self.connection)  # type: ignore[arg-type]
        OWNER.set(self.owner)
        try:
            await asyncio.create_task(node.start())
        except FootfallError:
            if not world.trouble:
                raise
            await world.loop.end(self.owner)
            if node.spool is not None:
                await node.spool.close()
        else:
            self.node = node

    async def kill(self) -> None:
        """kill -9, as far as the others can tell: nothing of it reaches anyone any more."""
        self.connection.disconnect()
        node, self.node = self.node, None
        await self.world.loop.end(self.owner)
        if node is not None and node.spool is not None:
            await node.spool.close()  # as the system does when a process ends

    async def stop(self) -> None:
        """SIGTERM."""
        node, self.node = self.node, None
        assert node is not None
        await node.stop()
        await self.connection.close()
        left = [task for task in self.world.loop.tasks.get(self.owner, ()) if not task.done()]
        assert not left, f"{self.name} has stopped, and {left} goes on"

    def check(self) -> None:
        """Invariants 1 and 2, of what it shows now."""
        node = self.node
        if node is None or node.health.target < 0:
            return
        assert node.counting.aggregator.failure is None, node.counting.aggregator.failure
        assert not node.counting.aggregator.alarms, node.counting.aggregator.alarms
        if node.problems() and not node.health.ready:
            return
        truth = self.world.oracle.truth
        assert not truth.winners.wrong, truth.winners.wrong
        for name in node.counting.definitions.names:
            reading = node.read(name)
            value = reading.value
            if reading.phase is Phase.CP:
                there = truth.value_at(name, reading.sequence)
                assert value == there, f"{self.name}: {name} is {value} at {reading.sequence}, not {there}"
            assert value >= self.shown.get(name, 0), f"{self.name}: {name} fell from {self.shown[name]} to {value}"
            most = sum(truth.vectors[name])
            assert value <= most, f"{self.name}: {name} is {value}, and the log holds {most}"
            self.shown[name] = value
