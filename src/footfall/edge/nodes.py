"""What an edge asks of nodes over HTTP: how the log is, and which counters are defined."""

from typing import NamedTuple, TypeVar

import httpx
import msgspec

from footfall.client.refusals import foreign, refusal
from footfall.client.requests import Asking, http_options, network_error
from footfall.client.settings import Settings
from footfall.core.names import Unit, lineage
from footfall.errors import FootfallError, UnavailableError

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
        self._http = httpx.AsyncClient(**http_options(settings) | {"timeout": httpx.Timeout(TIMEOUT_S)})

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
        await self._http.aclose()

    async def _ask(self, path: str, shape: type[_Shape]) -> _Shape:
        failure: FootfallError | None = None
        for url in self._urls:
            try:
                return await self._answer(url, Asking("GET", path), shape)
            except UnavailableError as error:
                failure = error
        assert failure is not None
        raise failure

    async def _answer(self, url: str, asked: Asking, shape: type[_Shape]) -> _Shape:
        try:
            response = await self._http.get(url + asked.path)
        except httpx.TransportError as error:
            raise network_error(url, asked, error) from None
        if not response.is_success:
            raise refusal(url, str(asked), response)
        try:
            return msgspec.json.decode(response.content, type=shape)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise foreign(url, str(asked), response, str(error)) from None
