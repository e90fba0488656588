"""JetStream's servers killed, paused and tampered with under readers and publishers: nothing that was acknowledged is
lost, every message is read once and in order, and a log that is not what it was is refused."""

import asyncio
import json
import shutil
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
from log_kinds import CONTROL, ONE, TIMEOUT_S, TWO, publish, read, reading, start, until

from footfall.config import Config
from footfall.core.position import Position, at
from footfall.errors import LogRewoundError, LogTrimmedError, LogUnavailableError
from footfall.log import streams
from footfall.log.jetstream import JetStreamLog, connect
from footfall.log.protocol import Message
from processes import NatsCluster, NatsServer, free_ports

CONFIG = Config(log_bytes_max=100 << 20)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path / "nats", "single", *free_ports(2)) as server:
        yield server


@pytest.fixture
async def log(server: NatsServer) -> AsyncIterator[JetStreamLog]:
    log = await connect(CONFIG, [server.url], name="test")
    yield log
    await log.close()


async def stored(log: JetStreamLog, subject: str, data: bytes) -> int:
    """Publish as a producer does: the same bytes again until they are acknowledged."""
    async with asyncio.timeout(2 * TIMEOUT_S):
        while True:
            try:
                return await log.publish(subject, data, timeout_s=1.0)
            except LogUnavailableError:
                await asyncio.sleep(0.02)


class Traffic:
    """Publishers and readers, which go on whatever happens to the servers."""

    def __init__(self, logs: Sequence[JetStreamLog]) -> None:
        self.acknowledged: dict[int, bytes] = {}
        self.everything: list[Message] = []
        self.one: list[Message] = []
        self._log = logs[0]
        self._publishers = [
            asyncio.create_task(self._publish(log, f"{n}", subject))
            for n, log in enumerate(logs)
            for subject in (ONE, TWO, CONTROL)
        ]
        self._readers = [
            asyncio.create_task(self._read(logs[0], (ONE, TWO, CONTROL), self.everything)),
            asyncio.create_task(self._read(logs[-1], (ONE,), self.one)),
        ]

    async def _publish(self, log: JetStreamLog, label: str, subject: str) -> None:
        number = 0
        while True:
            data = f"{label} {number}".encode()
            self.acknowledged[await stored(log, subject, data)] = data
            number += 1

    @staticmethod
    async def _read(log: JetStreamLog, subjects: Sequence[str], into: list[Message]) -> None:
        async for delivery in log.read(subjects, start(log)):
            into.extend(delivery.messages)

    async def progress(self, messages: int = 60) -> None:
        """Return once so many more were acknowledged and read."""
        goal = max(self.acknowledged, default=0) + messages
        await until(lambda: max(self.acknowledged, default=0) >= goal and self._all_read(goal))

    def _all_read(self, last: int) -> bool:
        """Whether everything up to ``last`` was read; raises what has ended a task."""
        for task in (*self._publishers, *self._readers):
            if task.done() and not task.cancelled():
                task.result()
        return bool(self.everything) and self.everything[-1].sequence >= last

    async def finish(self) -> None:
        """End the publishers, read the rest, and compare everything."""
        await ended(self._publishers)
        last = await stored(self._log, ONE, b"the end")
        await until(lambda: self._all_read(last) and self.one[-1].sequence == last)
        await ended(self._readers)
        assert [message.sequence for message in self.everything] == list(range(1, last + 1))
        assert self.one == [message for message in self.everything if message.subject == ONE]
        found = {message.sequence: message.data for message in self.everything}
        assert {sequence: found[sequence] for sequence in self.acknowledged} == self.acknowledged


async def ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_nothing_is_lost_or_read_twice_while_the_server_is_killed_over_and_over(
    server: NatsServer, log: JetStreamLog
) -> None:
    traffic = Traffic([log])
    for _ in range(4):
        await traffic.progress()
        server.kill()
        await asyncio.to_thread(server.start)
    await traffic.progress()
    await traffic.finish()


@pytest.mark.cluster
async def test_nothing_is_lost_or_read_twice_while_the_leader_of_three_is_killed(tmp_path: Path) -> None:
    with NatsCluster(tmp_path) as servers:
        logs = [await connect(CONFIG, servers.urls.split(","), name="test") for _ in range(2)]
        traffic = Traffic(logs)
        await traffic.progress()
        leader = (await logs[0]._api.info(streams.STREAM))["cluster"]["leader"]
        server = servers.servers[int(leader.removeprefix("s"))]
        server.kill()
        await traffic.progress()  # two of three go on
        await asyncio.to_thread(server.start)
        await traffic.progress()
        await traffic.finish()
        for log in logs:
            await log.close()


async def test_a_server_that_was_paused_goes_on_where_it_was(server: NatsServer, log: JetStreamLog) -> None:
    traffic = Traffic([log])
    await traffic.progress()
    server.pause()
    with pytest.raises(LogUnavailableError, match=r"no answer within 0\.2 s"):
        await log.publish(ONE, b"paused", timeout_s=0.2)
    server.resume()
    await traffic.progress()
    log._client.options["ping_interval"] = 0.1  # else it takes 6 s to give up a server that says nothing
    server.pause()
    await until(lambda: not log.connected)
    with pytest.raises(LogUnavailableError, match="cannot be reached"):
        await log.publish(ONE, b"away")
    server.resume()
    await traffic.progress()
    await traffic.finish()


async def test_a_publish_under_way_fails_when_the_connection_does(server: NatsServer, log: JetStreamLog) -> None:
    server.pause()
    publishing = asyncio.create_task(log.publish(ONE, b"x", timeout_s=TIMEOUT_S))
    await asyncio.sleep(0)
    server.kill()
    with pytest.raises(LogUnavailableError, match="connection was lost"):
        await publishing
    assert not log.connected


async def test_a_reader_whose_consumer_is_deleted_makes_another(log: JetStreamLog) -> None:
    got: list[int] = []
    async with reading(log, [ONE], start(log)) as deliveries:
        for _ in range(3):
            await publish(log, ONE, 10)
            goal = len(got) + 10
            while len(got) < goal:
                got += [message.sequence for message in (await anext(deliveries)).messages]
            await delete_consumers(log)
            assert await consumers(log) == []
        await publish(log, ONE, 10)
        while len(got) < 40:
            got += [message.sequence for message in (await anext(deliveries)).messages]
        assert len(await consumers(log)) == 1
    assert got == list(range(1, 41))


async def test_a_reader_that_ends_leaves_no_consumer(log: JetStreamLog) -> None:
    await publish(log, ONE, 10)
    await read(log, [ONE], start(log), 10)
    async with asyncio.timeout(TIMEOUT_S):
        while await consumers(log):
            pass


async def consumers(log: JetStreamLog) -> list[str]:
    return (await log._api.ask(f"CONSUMER.NAMES.{streams.STREAM}", {}))["consumers"] or []


async def delete_consumers(log: JetStreamLog) -> None:
    for name in await consumers(log):
        await log._api.ask(f"CONSUMER.DELETE.{streams.STREAM}.{name}", {})


async def test_a_stream_removed_under_a_reader_is_refused(log: JetStreamLog) -> None:
    await publish(log, ONE, 10)
    async with reading(log, [ONE], start(log)) as deliveries:
        assert (await anext(deliveries)).messages
        await log._api.ask(f"STREAM.DELETE.{streams.STREAM}", {})
        with pytest.raises(LogRewoundError, match="stream FOOTFALL is gone"):
            await drain(deliveries)
    with pytest.raises(LogRewoundError, match="is gone"):
        await log.state()


async def test_a_stream_replaced_under_a_reader_is_refused(server: NatsServer, log: JetStreamLog) -> None:
    await publish(log, ONE, 10)
    async with reading(log, [ONE], start(log)) as deliveries:
        assert (await anext(deliveries)).messages
        await log._api.ask(f"STREAM.DELETE.{streams.STREAM}", {})
        other = await connect(CONFIG, [server.url], name="other")
        assert other.created != log.created
        await publish(other, ONE, 20)
        with pytest.raises(LogRewoundError, match="the log was replaced"):
            await drain(deliveries)
        await other.close()


async def drain(deliveries: AsyncIterator[object]) -> None:
    async for _ in deliveries:
        pass


async def put_back(server: NatsServer, older: Path) -> None:
    """Start the server on an older copy of its data."""
    server.kill(signal.SIGTERM)
    shutil.rmtree(server.store)
    shutil.copytree(older, server.store)
    await asyncio.to_thread(server.start)


@pytest.fixture
async def older(server: NatsServer, log: JetStreamLog, tmp_path: Path) -> Path:
    """A copy of the data with 10 messages; the log has 40 since."""
    await publish(log, ONE, 10, "kept")
    server.kill(signal.SIGTERM)
    copy = tmp_path / "older"
    shutil.copytree(server.store, copy)
    await asyncio.to_thread(server.start)
    for number in range(30):
        await stored(log, ONE, b"lost %d" % number)
    return copy


async def test_a_tail_lost_and_grown_over_under_a_waiting_reader_is_refused(
    server: NatsServer, log: JetStreamLog, older: Path
) -> None:
    """As seen after a flipped bit: a running reader would go on at the next sequence, and miss what came instead."""
    async with reading(log, [ONE], start(log)) as deliveries:
        got: list[int] = []
        while len(got) < 40:
            got += [message.sequence for message in (await anext(deliveries)).messages]
        await put_back(server, older)
        other = await connect(CONFIG, [server.url], name="other")
        assert other.created == log.created
        assert await publish(other, ONE, 60, "new") == list(range(11, 71))
        with pytest.raises(LogRewoundError, match="not the one that was counted: the log was rewritten"):
            await drain(deliveries)
        await other.close()


async def test_a_tail_lost_under_a_running_reader_is_refused(
    server: NatsServer, log: JetStreamLog, older: Path
) -> None:
    got: list[int] = []

    async def run() -> None:
        async for delivery in log.read([ONE], start(log)):
            got.extend(message.sequence for message in delivery.messages)

    running = asyncio.create_task(run())
    await until(lambda: len(got) == 40)
    await put_back(server, older)
    await stored(log, ONE, b"new")
    await until(running.done)
    with pytest.raises(LogRewoundError, match=r"lost its tail|rewritten"):
        await running
    assert got == list(range(1, 41))


async def test_a_position_beyond_a_lost_tail_is_refused_at_the_start(
    server: NatsServer, log: JetStreamLog, older: Path
) -> None:
    kept, lost = [await log.message(sequence) for sequence in (5, 35)]
    assert kept is not None
    assert lost is not None
    await put_back(server, older)
    other = await connect(CONFIG, [server.url], name="other")
    with pytest.raises(LogRewoundError, match="ends at sequence 10, but 35 had been reached: it lost its tail"):
        await read(other, [ONE], at(log.created, lost), 40)
    assert [message.sequence for message in await read(other, [ONE], at(log.created, kept), 10)] == [6, 7, 8, 9, 10]
    await other.close()


async def test_a_trim_between_the_check_and_the_consumer_is_noticed(
    log: JetStreamLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(log, ONE, 20)
    checking = log._check

    async def check_and_trim(position: Position) -> None:
        await checking(position)
        await log.trim(15)

    monkeypatch.setattr(log, "_check", check_and_trim)
    async with reading(log, [ONE], start(log)) as deliveries:
        with pytest.raises(LogTrimmedError, match="starts at sequence 15, and 0 was reached"):
            await anext(deliveries)


async def test_a_trim_of_all_that_a_waiting_reader_was_to_get_is_noticed_though_nothing_comes(
    log: JetStreamLog,
) -> None:
    """Its consumer says for ever that there is nothing new."""
    await publish(log, ONE, 600)
    async with reading(log, [ONE], start(log)) as deliveries:
        assert (await anext(deliveries)).pending > 0
        await log.trim(601)
        with pytest.raises(LogTrimmedError):
            await drain(deliveries)


async def test_a_message_that_the_stream_lost_in_the_middle_is_not_taken_for_trimmed(
    log: JetStreamLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(log, ONE, 10)
    message = await log.message(5)
    assert message is not None
    asking = log._api.call

    async def lost(what: str, body: dict[str, object]) -> dict[str, object]:
        if what.startswith("STREAM.MSG.GET") and body == {"seq": 5}:
            return json.loads('{"error": {"code": 404, "err_code": 10037, "description": "no message found"}}')
        return await asking(what, body)

    monkeypatch.setattr(log._api, "call", lost)
    async with reading(log, [ONE], at(log.created, message)) as deliveries:
        with pytest.raises(LogRewoundError, match="holds sequences 1 to 10, but not 5"):
            await anext(deliveries)
