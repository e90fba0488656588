"""A log that is not what it was under a reader is refused: removed, replaced, cut off, grown over, trimmed too far."""

import asyncio
import json
import shutil
import signal
from pathlib import Path

import pytest
from log_kinds import ONE, drain, publish, read, reading, start, stored, until

from footfall.config import Config
from footfall.core.position import Position, at
from footfall.errors import LogRewoundError, LogTrimmedError
from footfall.log import streams
from footfall.log.jetstream import JetStreamLog
from footfall.log.opening import connect
from processes import NatsServer

CONFIG = Config(log_bytes_max=100 << 20)


async def test_a_stream_removed_under_a_reader_is_refused(log: JetStreamLog) -> None:
    await publish(log, ONE, 10)
    async with reading(log, [ONE], start(log)) as deliveries:
        assert (await anext(deliveries)).messages
        await log.api.ask(f"STREAM.DELETE.{streams.STREAM}", {})
        with pytest.raises(LogRewoundError, match="stream FOOTFALL is gone"):
            await drain(deliveries)
    with pytest.raises(LogRewoundError, match="is gone"):
        await log.state()


async def test_a_stream_replaced_under_a_reader_is_refused(server: NatsServer, log: JetStreamLog) -> None:
    await publish(log, ONE, 10)
    async with reading(log, [ONE], start(log)) as deliveries:
        assert (await anext(deliveries)).messages
        await log.api.ask(f"STREAM.DELETE.{streams.STREAM}", {})
        other = await connect(CONFIG, [server.url], name="other")
        assert other.created != log.created
        await publish(other, ONE, 20)
        with pytest.raises(LogRewoundError, match="the log was replaced"):
            await drain(deliveries)
        await other.close()


async def streams_of(log: JetStreamLog) -> list[str]:
    """The streams that are there."""
    return (await log.api.ask("STREAM.NAMES", {}))["streams"] or []


async def test_a_log_that_was_known_and_is_gone_is_refused_and_none_is_made_in_its_place(
    server: NatsServer, log: JetStreamLog
) -> None:
    await publish(log, ONE, 10)
    for stream in (streams.STREAM, streams.CUTS):
        await log.api.ask(f"STREAM.DELETE.{stream}", {})
    with pytest.raises(LogRewoundError, match=f"sequence 10 of one made at {log.created} had been reached"):
        await connect(CONFIG, [server.url], name="again", known=[Position("2026-01-01T00:00:00Z", 3), log.known])
    assert await streams_of(log) == []


async def test_where_there_are_cuts_of_a_log_none_is_made_that_begins_at_nothing(
    server: NatsServer, log: JetStreamLog
) -> None:
    await log.put("cut.1.definitions", b"of the log that is gone")
    await log.api.ask(f"STREAM.DELETE.{streams.STREAM}", {})
    with pytest.raises(LogRewoundError, match="stream FOOTFALL_CUTS holds cuts of one"):
        await connect(CONFIG, [server.url], name="a new node")
    assert await streams_of(log) == [streams.CUTS]


async def test_cuts_that_were_removed_are_taken_again_as_long_as_the_log_holds_all(
    server: NatsServer, log: JetStreamLog
) -> None:
    await publish(log, ONE, 10)
    await log.api.ask(f"STREAM.DELETE.{streams.CUTS}", {})
    again = await connect(CONFIG, [server.url], name="again")
    assert await again.keys("cut") == []
    await again.trim(4)
    await again.api.ask(f"STREAM.DELETE.{streams.CUTS}", {})
    with pytest.raises(LogRewoundError, match="stream FOOTFALL_CUTS is gone, and the log begins at sequence 4"):
        await connect(CONFIG, [server.url], name="too late")
    assert await streams_of(log) == [streams.STREAM]
    await again.close()


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
    asking = log.api.call

    async def lost(what: str, body: dict[str, object], again_s: float | None = None) -> dict[str, object]:
        if what.startswith("STREAM.MSG.GET") and body == {"seq": 5}:
            return json.loads('{"error": {"code": 404, "err_code": 10037, "description": "no message found"}}')
        return await asking(what, body, again_s)

    monkeypatch.setattr(log.api, "call", lost)
    async with reading(log, [ONE], at(log.created, message)) as deliveries:
        with pytest.raises(LogRewoundError, match="holds sequences 1 to 10, but not 5"):
            await anext(deliveries)
