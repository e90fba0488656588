"""One cluster of each topology, that lives through all the faults that are done to it."""

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
import pytest_asyncio
from observer import LogCopy, copying
from site_under_test import Site, running_site


class Watched(NamedTuple):
    """A site, and a copy of its log."""

    site: Site
    copy: LogCopy


async def _watched(factory: pytest.TempPathFactory, topology: str) -> AsyncIterator[Watched]:
    with running_site(factory.mktemp(topology), topology) as site:
        async with copying(site.observed()) as copy:
            yield Watched(site, copy)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def replicated(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watched]:
    """A cluster whose nodes push what they count."""
    async for watched in _watched(tmp_path_factory, "replicated"):
        yield watched


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sharded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watched]:
    """A cluster whose nodes pull what the others count."""
    async for watched in _watched(tmp_path_factory, "sharded"):
        yield watched
