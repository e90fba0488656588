"""JetStream's servers killed and paused under readers and publishers: nothing that was acknowledged is lost, and every
message is read once and in order."""

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from log_kinds import CONTROL, ONE, TIMEOUT_S, TWO, publish, read, reading, start, stored, until

from footfall.config import Config
from footfall.errors import LogUnavailableError
from footfall.log import pull, streams
from footfall.log.jetstream import JetStreamLog
from footfall.log.opening import connect
from footfall.log.protocol import Message
from processes import NatsCluster, NatsServer

CONFIG = Config(log_bytes_max=100 << 20)


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
        """End the publishers, read the rest, and compare everything up to the end that is written last.

        What a publisher was sending when it ended may be stored behind that end.
        """
        await ended(self._publishers)
        last = await stored(self._log, ONE, b"the end")
        await until(lambda: self._all_read(last) and bool(self.one) and self.one[-1].sequence >= last)
        await ended(self._readers)
        everything = [message for message in self.everything if message.sequence <= last]
        assert [message.sequence for message in everything] == list(range(1, last + 1))
        assert [message for message in self.one if message.sequence <= last] == [
            message for message in everything if message.subject == ONE
        ]
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


async def test_readers_begin_anew_when_the_connection_is_back_and_do_not_wait_for_a_silence(
    server: NatsServer, log: JetStreamLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull, "SILENCE_MAX_S", 1e6)
    traffic = Traffic([log])
    await traffic.progress()
    server.kill()
    await asyncio.to_thread(server.start)
    await traffic.progress()
    await traffic.finish()


async def change(log: JetStreamLog) -> None:
    """Go to another server; the next is chosen at random, so that may take several changes."""
    before = log._client.connected_url
    for _ in range(50):
        await log.change_server()
        await until(lambda: log.connected)
        if log._client.connected_url != before:
            return
    raise AssertionError(f"still at {before}")


async def test_a_log_of_one_server_stays_there(log: JetStreamLog) -> None:
    await log.change_server()
    assert log.connected
    assert await log.publish(ONE, b"at once") > 0


@pytest.mark.cluster
async def test_nothing_is_lost_or_read_twice_while_the_leader_of_three_is_killed(tmp_path: Path) -> None:
    with NatsCluster(tmp_path) as servers:
        logs = [await connect(CONFIG, servers.urls.split(","), name="test") for _ in range(2)]
        traffic = Traffic(logs)
        await traffic.progress()
        leader = (await logs[0].api.info(streams.STREAM))["cluster"]["leader"]
        server = next(server for server in servers.servers if server.name == leader)
        server.kill()
        await traffic.progress()  # two of three go on
        await asyncio.to_thread(server.start)
        await traffic.progress()
        await change(logs[0])
        await traffic.progress()
        await traffic.finish()
        for log in logs:
            await log.close()


async def pause(server: NatsServer, log: JetStreamLog) -> None:
    """Stop the server in its tracks; it may answer for a moment still."""
    server.pause()

    async def publish_on() -> None:
        while True:
            await log.publish(ONE, b"paused", timeout_s=0.2)

    with pytest.raises(LogUnavailableError, match=r"no answer within 0\.2 s"):
        await publish_on()


async def test_a_server_that_was_paused_goes_on_where_it_was(server: NatsServer, log: JetStreamLog) -> None:
    traffic = Traffic([log])
    await traffic.progress()
    await pause(server, log)
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
    await pause(server, log)
    publishing = asyncio.create_task(log.publish(ONE, b"x", timeout_s=TIMEOUT_S))
    await asyncio.sleep(0)
    server.kill()
    with pytest.raises(LogUnavailableError, match="connection was lost"):
        await publishing
    assert not log.connected


async def test_closing_while_the_server_is_gone_ends_though_the_client_loses_the_cancellation(
    server: NatsServer, log: JetStreamLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    trying = asyncio.Event()

    async def refused(_: object) -> None:
        """As Python 3.11's ``wait_for``, if the refusal and the cancellation come together."""
        if not trying.is_set():
            trying.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(TIMEOUT_S)
        raise ConnectionRefusedError

    monkeypatch.setattr(log._client, "_connect_to_server", refused)
    server.kill()
    await trying.wait()
    await log.close()
    await until(lambda: len(asyncio.all_tasks()) == 1)


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


async def test_a_message_that_is_lost_on_the_way_to_a_reader_is_sent_again(
    log: JetStreamLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the client loses one when it is too slow."""
    await asyncio.gather(*(log.publish(ONE, b"x") for _ in range(600)))
    taking = log._client._process_msg
    lost: list[bytes] = []

    async def lose(sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        if subject == ONE.encode() and b".300." in reply and len(lost) < 2:
            lost.append(reply)
        else:
            await taking(sid, subject, reply, data, headers)

    monkeypatch.setattr(log._client, "_process_msg", lose)
    assert [message.sequence for message in await read(log, [ONE], start(log), 600)] == list(range(1, 601))
    assert lost


async def test_a_reader_far_behind_reads_with_one_consumer(log: JetStreamLog) -> None:
    sizes = [*[1_000_000] * 12, *[10] * 1000]  # of requests that are served whole, by bytes or by messages
    await asyncio.gather(*(log.publish(ONE, bytes(size)) for size in sizes))
    async with reading(log, [ONE], start(log)) as deliveries:
        while (await anext(deliveries)).pending:
            assert [loop.restarts for loop in log._loops] == [0]


async def test_a_reader_that_ends_leaves_no_consumer(log: JetStreamLog) -> None:
    await publish(log, ONE, 10)
    await read(log, [ONE], start(log), 10)
    async with asyncio.timeout(TIMEOUT_S):
        while await consumers(log):
            pass


async def consumers(log: JetStreamLog) -> list[str]:
    return (await log.api.ask(f"CONSUMER.NAMES.{streams.STREAM}", {}))["consumers"] or []


async def delete_consumers(log: JetStreamLog) -> None:
    for name in await consumers(log):
        await log.api.ask(f"CONSUMER.DELETE.{streams.STREAM}.{name}", {})
