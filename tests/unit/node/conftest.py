"""The tests of nodes run in virtual time: what is waited for comes at once, and in the same order every time."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random

import pytest
from node_cluster import Cluster, until
from node_line import Line

from footfall.log.memory import Storage
from footfall.node.node import Node
from simulation.virtual_time import BEGIN_S, VirtualLoop

SECONDS_MAX = 1_000.0  # of virtual time, for one test


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"virtual": VirtualLoop}


@pytest.fixture(autouse=True)
async def clock(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[asyncio.AbstractEventLoop]:
    """The standard library's clocks and random names, as the loop has them. At the end nothing runs on."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualLoop):  # a test without a loop
        yield loop
        return
    random = Random(1)
    monkeypatch.setattr(time, "monotonic", loop.time)
    monkeypatch.setattr(time, "time", lambda: BEGIN_S + loop.time())
    monkeypatch.setattr(time, "time_ns", lambda: int((BEGIN_S + loop.time()) * 1e9))
    monkeypatch.setattr(secrets, "token_hex", lambda count: random.randbytes(count).hex())
    too_long = loop.call_later(SECONDS_MAX, loop.stop)  # a test that waits in vain would wait for ever
    yield loop
    too_long.cancel()
    for owner in list(loop.tasks):
        await loop.end(owner)


@pytest.fixture
def storage() -> Storage:
    """What the log holds."""
    return Storage(partitions=4)


@pytest.fixture
def line(storage: Storage) -> Line:
    """A connection to it."""
    return Line(storage)


@pytest.fixture
async def cluster(tmp_path: Path) -> Cluster:
    """Nodes on one log of four partitions; none is started."""
    return Cluster(tmp_path)


@pytest.fixture
async def node(cluster: Cluster) -> Node:
    """One of two nodes."""
    for name in ("n1", "n4"):
        await cluster.start(name)
    await until(cluster.settled)
    return cluster.nodes["n1"]
