"""A log that goes on from a backup: its sequences go on, and nobody takes it for whole before it is."""

import asyncio
import signal

import pytest
from log_kinds import CONTROL, ONE, read

from footfall.config import Config
from footfall.core.position import at
from footfall.errors import ConnectError, LogExistsError, RestoreUnfinishedError
from footfall.log import streams
from footfall.log.jetstream import JetStreamLog
from footfall.log.opening import connect, connect_existing, connect_restored, finish_restoring
from footfall.log.restoring import Restored
from processes import NatsCluster, NatsServer

CONFIG = Config(log_bytes_max=100 << 20, partitions=4)
WAS = "2026-01-01T00:00:00.5Z"
RESTORED = Restored("B", 1_000, {WAS: 1_000})


async def removed(log: JetStreamLog, *names: str) -> None:
    for name in names:
        await log.api.ask(f"STREAM.DELETE.{name}", {})


async def test_a_restored_log_goes_on_at_the_sequence_of_the_backup(server: NatsServer) -> None:
    log = await connect_restored(CONFIG, [server.url], RESTORED, name="restore")
    state = await log.state()
    assert (state.first_sequence, state.last_sequence) == (1_000, 999)
    assert await log.publish(CONTROL, b"the barrier") == 1_000
    await finish_restoring(log)
    barrier = await log.message(1_000)
    assert barrier is not None
    position = at(log.created, barrier)
    assert [await log.publish(ONE, b"%d" % number) for number in range(3)] == [1_001, 1_002, 1_003]
    await log.close()
    server.kill(signal.SIGKILL)
    await asyncio.to_thread(server.start)
    for other in (await connect(CONFIG, [server.url], name="a"), await connect_existing([server.url], name="b")):
        assert (other.created, other.ancestors, other.partitions) == (position.created, {WAS: 1_000}, 4)
        assert (await other.state()).first_sequence == 1_000
        assert [one.sequence for one in await read(other, [ONE], position, 1_003)] == [1_001, 1_002, 1_003]
        await other.close()


async def test_a_log_that_began_anew_has_no_ancestors(log: JetStreamLog) -> None:
    assert log.ancestors == {}


async def test_nobody_starts_on_a_log_that_is_being_restored(server: NatsServer) -> None:
    log = await connect_restored(CONFIG, [server.url], RESTORED, name="restore")
    with pytest.raises(RestoreUnfinishedError, match="backup B is being restored into this log"):
        await connect(CONFIG, [server.url], name="node")
    with pytest.raises(RestoreUnfinishedError, match="run footfall restore again"):
        await connect_existing([server.url], name="audit")
    await log.close()


async def test_a_restore_that_was_broken_off_is_begun_anew(server: NatsServer) -> None:
    first = await connect_restored(CONFIG, [server.url], RESTORED, name="restore")
    await first.publish(CONTROL, b"the barrier")
    await first.put("cut.1.definitions", b"x")
    await first.close()
    second = await connect_restored(CONFIG, [server.url], Restored("C", 7, {}), name="restore")
    assert (await second.state()).last_sequence == 6
    assert await second.keys("cut") == []
    await second.close()


async def test_a_log_that_is_there_is_not_restored_over(server: NatsServer, log: JetStreamLog) -> None:
    await log.publish(ONE, b"x")
    before = await log.state()
    with pytest.raises(LogExistsError, match=r"a log already, made at .*ends at sequence 1: nothing was changed"):
        await connect_restored(CONFIG, [server.url], RESTORED, name="restore")
    assert (await log.state(), await log.message(1)) == (before, await log.message(1))


async def test_cuts_of_a_log_that_is_gone_are_not_restored_over(server: NatsServer, log: JetStreamLog) -> None:
    await log.put("cut.1.definitions", b"x")
    await removed(log, streams.STREAM)
    with pytest.raises(LogExistsError, match="cuts of one in stream FOOTFALL_CUTS"):
        await connect_restored(CONFIG, [server.url], RESTORED, name="restore")
    assert await log.get("cut.1.definitions") == b"x"


async def test_where_there_is_no_log_there_is_none_to_open(server: NatsServer, log: JetStreamLog) -> None:
    await removed(log, streams.STREAM, streams.CUTS)
    with pytest.raises(ConnectError, match="no log yet"):
        await connect_existing([server.url], name="audit")


@pytest.mark.cluster
async def test_a_log_is_restored_on_three_servers(cluster: NatsCluster) -> None:
    urls = [one.url for one in cluster.servers]
    log = await connect_restored(CONFIG, urls, RESTORED, name="restore")
    assert await log.publish(CONTROL, b"the barrier") == 1_000
    await log.put("cut.1.definitions", b"x")
    await finish_restoring(log)
    for url in urls:
        other = await connect(CONFIG, [url], name="node")
        assert (other.created, other.ancestors, await other.get("cut.1.definitions")) == (
            log.created,
            {WAS: 1_000},
            b"x",
        )
        assert (await other.api.info(streams.STREAM))["config"]["num_replicas"] == 3
        await other.close()
    await removed(log, streams.STREAM, streams.CUTS)
    await log.close()
