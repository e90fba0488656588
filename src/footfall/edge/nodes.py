"""What an edge asks of nodes over HTTP: how the log is, and which counters are defined."""

from typing import NamedTuple, TypeVar

import msgspec

from footfall.client.network import AsyncNetwork
from footfall.client.requests import Asking, decoded
from footfall.client.settings import Settings
from footfall.core.names import Unit, lineage
from footfall.errors import UnavailableError

TIMEOUT_S = 2.0
FILL_MAX = 0.9  # of the log, for visits: the rest is for control messages, or a full log could never be trimmed

_Shape = TypeVar("_Shape")


class _Log(msgspec.Struct, frozen=True):
    bytes: int
    bytes_max: int


class Site(msgspec.Struct, frozen=True):
    """The log, as a node tells of it: its partitions, the present epoch, and how full it is."""

    partitions: int
    epoch: int
    log: _Log

    @property
    def full(self) -> bool:
        """Whether it has no more room for visits."""
        return 0 <= self.log.bytes_max * FILL_MAX < self.log.bytes


class Row(NamedTuple):
    """A counter that is defined, as ``Definitions.restore`` takes it."""

    name: str
    is_visitors: int
    since: int


class _Listed(msgspec.Struct, frozen=True):
    counter: str
    unit: Unit


class _Page(msgspec.Struct, frozen=True):
    counters: list[_Listed]


class Nodes:
    """Asks the nodes, each in turn until one answers."""

    def __init__(self, settings: Settings) -> None:
        self._urls = settings.urls
        self._network = AsyncNetwork(settings)

    async def site(self) -> Site:
        """How the log is. Raises FootfallError."""
        return await self._ask("/v1/overview", Site)

    async def path(self, counter: str) -> list[Row]:
        """The counters that a visit to this one adds to, the root first; none if it is not defined.

        Raises:
            FootfallError: No node tells.
        """
        rows = []
        for name in lineage(counter):
            found = (await self._ask(f"/v1/counters?prefix={name}&limit=1", _Page)).counters
            if not found or found[0].counter != name:
                return []
            rows.append(Row(name, found[0].unit is Unit.VISITORS, 0))
        return rows

    async def close(self) -> None:
        """End the connections."""
        await self._network.close()

    async def _ask(self, path: str, shape: type[_Shape]) -> _Shape:
        asked, failure = Asking("GET", path), None
        for url in self._urls:
            try:
                return decoded(url, asked, await self._network.ask(url, asked, TIMEOUT_S), shape)
            except UnavailableError as error:
                failure = error
        assert failure is not None
        raise failure
