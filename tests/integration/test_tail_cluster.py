"""On a cluster servers come, go, are paused and lose what they stored: that is no loss of the log."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from damaging import flip_header
from log_kinds import ONE, stored

from footfall.config import Config
from footfall.errors import LogRewoundError, LogUnavailableError
from footfall.log import jetstream
from footfall.log.jetstream import JetStreamLog
from footfall.log.opening import connect
from footfall.log.streams import STREAM
from processes import NatsCluster, NatsServer

pytestmark = pytest.mark.cluster

CONFIG = Config(log_bytes_max=100 << 20, replicas=3)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[NatsCluster]:
    """Three servers of this test alone."""
    with NatsCluster(tmp_path / "cluster") as servers:
        yield servers


class Watched:
    """A connection that stores and verifies all the time."""

    def __init__(self, log: JetStreamLog) -> None:
        self.log = log
        self.stored = self.verified = 0
        self.tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self.tasks = [asyncio.create_task(self._store()), asyncio.create_task(self._verify())]
        return self

    async def __aexit__(self, *error: object) -> None:
        for task in self.tasks:
            task.cancel()
        for result in await asyncio.gather(*self.tasks, return_exceptions=True):
            assert isinstance(result, asyncio.CancelledError), result
        await self.log.close()

    async def _store(self) -> None:
        while True:
            await stored(self.log, ONE, b"message %d" % self.stored)
            self.stored += 1

    async def _verify(self) -> None:
        while True:
            try:
                await self.log.verify()
                self.verified += 1
            except LogUnavailableError:
                pass
            await asyncio.sleep(0.02)

    async def goes_on(self) -> None:
        """Wait until both do their work."""
        before = self.stored, self.verified
        async with asyncio.timeout(40):
            while self.stored < before[0] + 20 or self.verified < before[1] + 5:
                for task in self.tasks:
                    assert not task.done(), task
                await asyncio.sleep(0.05)


async def leader(log: JetStreamLog, servers: NatsCluster) -> NatsServer:
    name = (await log.api.ask(f"STREAM.INFO.{STREAM}", {}))["cluster"]["leader"]
    return next(server for server in servers.servers if server.name == name)


# The client forgets to close a connection that a paused server took and did not answer: the system does it.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <function StreamWriter.__del__")
@pytest.mark.parametrize("how", ["killed", "paused"])
async def test_a_leader_that_goes_and_comes_back_is_no_loss(servers: NatsCluster, how: str) -> None:
    log = await connect(CONFIG, [server.url for server in servers.servers], name="test")
    async with Watched(log) as watched:
        for _ in range(2):
            await watched.goes_on()
            server = await leader(log, servers)
            if how == "killed":
                server.kill()
                await watched.goes_on()
                await asyncio.to_thread(server.start)
            else:
                server.pause()
                await watched.goes_on()
                server.resume()
            await watched.goes_on()


async def test_what_one_server_lost_is_repaired_by_the_others(servers: NatsCluster) -> None:
    log = await connect(CONFIG, [server.url for server in servers.servers], name="test")
    async with Watched(log) as watched:
        for _ in range(5):
            await watched.goes_on()
        first = await leader(log, servers)
        damaged = next(server for server in servers.servers if server is not first)
        damaged.kill(signal.SIGTERM)
        await watched.goes_on()
        flip_header(damaged.store, STREAM)
        await asyncio.to_thread(damaged.start)
        await watched.goes_on()


async def test_an_end_that_one_server_tells_from_the_past_is_no_loss(
    servers: NatsCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As was seen: the message was there, and the next answer was that of a server that was paused before."""
    log = await connect(CONFIG, [server.url for server in servers.servers], name="test")
    await stored(log, ONE, b"message")
    past = await log.api.info(STREAM)
    for _ in range(5):
        await stored(log, ONE, b"message")
    asking = log.api.info

    async def info(stream: str) -> dict[str, Any]:
        return past

    monkeypatch.setattr(log.api, "info", info)
    for _ in range(3):
        with pytest.raises(LogUnavailableError, match="may answer from the past"):
            await log.verify()
    monkeypatch.setattr(log.api, "info", asking)
    await log.verify()
    await log.close()


async def test_a_message_that_is_missing_is_believed_to_be_lost_only_after_a_stale_leader_would_have_stepped_down(
    servers: NatsCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await connect(CONFIG, [server.url for server in servers.servers], name="test")
    sequence = await stored(log, ONE, b"message")
    asking = log.message

    async def lacks(at: int) -> object:
        return None if at == sequence else await asking(at)

    monkeypatch.setattr(jetstream, "STALE_MAX_S", 1.0)
    monkeypatch.setattr(log, "message", lacks)
    for _ in range(3):
        with pytest.raises(LogUnavailableError, match="may answer from the past"):
            await log.verify()
    monkeypatch.undo()
    await log.verify()
    monkeypatch.setattr(jetstream, "STALE_MAX_S", 1.0)
    monkeypatch.setattr(log, "message", lacks)
    with pytest.raises(LogUnavailableError):
        await log.verify()
    await asyncio.sleep(1.1)
    with pytest.raises(LogRewoundError, match=f"but not {sequence}"):
        await log.verify()
    await log.close()
