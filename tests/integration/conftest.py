"""The kinds of log, for the contract tests: their servers are started once, each test gets an empty log of its own."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from log_kinds import JetStreamLogs, Logs, MemoryLogs

from footfall.log.engine import Engine
from processes import NatsCluster


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def embedded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The URL of an embedded engine."""
    async with Engine(tmp_path_factory.mktemp("engine"), 1 << 30) as engine:
        yield engine.url


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsCluster]:
    """Three servers that replicate."""
    with NatsCluster(tmp_path_factory.mktemp("cluster")) as servers:
        yield servers


@pytest.fixture(params=["memory", "jetstream", pytest.param("cluster", marks=pytest.mark.cluster)])
def kind(request: pytest.FixtureRequest) -> Logs:
    """A kind of log."""
    if request.param == "memory":
        return MemoryLogs()
    if request.param == "jetstream":
        return JetStreamLogs([request.getfixturevalue("embedded")])
    return JetStreamLogs([server.url for server in request.getfixturevalue("cluster").servers])


@pytest.fixture
async def logs(kind: Logs) -> AsyncIterator[Logs]:
    """A log that does not exist yet; it is made by the first connection, and all are closed after the test."""
    yield kind
    await kind.remove()
