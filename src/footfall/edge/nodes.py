"""What an edge asks of nodes over HTTP: how the log is, and which counters are defined."""

from typing import NamedTuple

import msgspec

from footfall.client.nodes import AsyncNodes
from footfall.client.requests import Asking
from footfall.core.names import Unit, lineage

TIMEOUT_S = 2.0
FILL_MAX = 0.9  # of the log, for visits: the rest is for control messages, or a full log could never be trimmed


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


async def site_of(nodes: AsyncNodes) -> Site:
    """How the log is. Raises FootfallError."""
    return await nodes.ask(Asking("GET", "/v1/overview"), TIMEOUT_S, Site)


async def path_of(nodes: AsyncNodes, counter: str) -> list[Row]:
    """The counters that a visit to this one adds to, the root first; none if it is not defined.

    Raises:
        FootfallError: No node tells.
    """
    rows = []
    for name in lineage(counter):
        asked = Asking("GET", f"/v1/counters?prefix={name}&limit=1")
        found = (await nodes.ask(asked, TIMEOUT_S, _Page)).counters
        if not found or found[0].counter != name:
            return []
        rows.append(Row(name, found[0].unit is Unit.VISITORS, 0))
    return rows
