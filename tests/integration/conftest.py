"""The kinds of log, for the contract tests: their servers are started once, each test gets an empty log of its own.
And a server for one test alone, to be killed."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from log_kinds import JetStreamLogs, Logs, MemoryLogs

from footfall.config import Config
from footfall.log.engine import Engine
from footfall.log.jetstream import JetStreamLog
from footfall.log.opening import connect
from processes import NatsCluster, NatsServer, free_ports


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


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    """A server that a test may do anything to."""
    with NatsServer(tmp_path / "nats", "single", *free_ports(2)) as server:
        yield server


@pytest.fixture
async def log(server: NatsServer) -> AsyncIterator[JetStreamLog]:
    """A connection to an empty log on ``server``."""
    log = await connect(Config(log_bytes_max=100 << 20), [server.url], name="test")
    yield log
    await log.close()
