"""What goes wrong around real nodes: they die, are cut off, the network is bad, a cut loses a part."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from footfall.core import cut

if TYPE_CHECKING:
    from .real_world import RealWorld


class Faults:
    """Draws one after the other from the history's own random numbers."""

    def __init__(self, world: RealWorld) -> None:
        self._world = world
        self._lost_cut = False

    async def run(self) -> None:
        """One after the other, for ever."""
        faults: list[Callable[[], Awaitable[None]]] = [self._kill, self._stop, self._cut_off, self._bad_network]
        faults.append(self._lose_cut)
        while True:
            await asyncio.sleep(self._world.random.expovariate(0.25))
            await self._world.random.choice(faults)()

    async def _kill(self) -> None:
        site = self._world.random.choice(self._world.sites)
        if site.node is not None:
            await site.kill()
            await asyncio.sleep(self._world.random.uniform(0, 6))
            await asyncio.create_task(site.start())

    async def _stop(self) -> None:
        site = self._world.random.choice(self._world.sites)
        if site.node is not None:
            await asyncio.create_task(site.stop())
            await asyncio.sleep(self._world.random.uniform(0, 6))
            await asyncio.create_task(site.start())

    async def _cut_off(self) -> None:
        """One node, or all, cannot reach the log for a while; some are killed with what they have kept."""
        some = self._world.random.choice(([self._world.random.choice(self._world.sites)], self._world.sites))
        sites = [site for site in some if site.node is not None]
        for site in sites:
            site.connection.disconnect()
        await asyncio.sleep(self._world.random.choice((0.1, 1, 3, 12)))
        killed = [site for site in sites if self._world.random.random() < 0.3]
        for site in killed:
            await site.kill()
        for site in sites:
            if site not in killed:
                site.connection.reconnect()
        for site in killed:
            await asyncio.create_task(site.start())

    async def _bad_network(self) -> None:
        network = self._world.network
        network.failing, network.losing, network.repeating = self._world.random.choice(
            ((0, 0, 0), (0.02, 0.2, 0.2), (0.2, 0, 0), (0, 1, 0), (0, 0.1, 1))
        )
        await asyncio.sleep(self._world.random.uniform(0, 5))
        network.failing = network.losing = network.repeating = 0.0

    async def _lose_cut(self) -> None:
        """The newest cut loses a part, once: of those that a milestone needs two are kept."""
        epochs = cut.complete(self._world.log.keys("cut"), self._world.log.partitions)
        if len(epochs) > 1 and not self._lost_cut:
            self._lost_cut = True
            part = self._world.random.choice([cut.DEFINITIONS, *map(str, range(self._world.log.partitions))])
            del self._world.log.blobs[cut.manifest_key(epochs[0], part)]
