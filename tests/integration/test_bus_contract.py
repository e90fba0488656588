"""What ``Bus`` promises (``footfall.log.protocol``), on every kind of log."""

import asyncio

import pytest
from log_kinds import TIMEOUT_S, Logs, until

from footfall.errors import LogUnavailableError
from footfall.log import jetstream, memory
from footfall.log.protocol import Bus

SUBJECT = "footfall.test.subject"
PING = b"ping"


class Listener:
    """Notes what comes, but for the pings that look for a subscription."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.pinged = asyncio.Event()

    async def __call__(self, data: bytes) -> bytes | None:
        if data == PING:
            self.pinged.set()
        else:
            self.heard.append(data)
        return None


async def ping(bus: Bus, listener: Listener) -> None:
    """Return once ``bus`` reaches the listener: servers tell each other of a subscription in their own time."""
    listener.pinged.clear()
    async with asyncio.timeout(TIMEOUT_S):
        while not listener.pinged.is_set():
            await bus.send(SUBJECT, PING)
            await asyncio.sleep(0.005)


async def answering(bus: Bus, data: bytes) -> bytes:
    """Ask until someone answers."""
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            try:
                return await bus.ask(SUBJECT, data, 1.0)
            except LogUnavailableError:
                await asyncio.sleep(0.005)


async def test_every_subscriber_hears_a_message_and_the_sending_node_too(logs: Logs) -> None:
    bus, other = await logs.connect(), await logs.connect()
    listeners = [Listener(), Listener(), Listener()]
    for at, listener in zip((bus, other, other), listeners, strict=True):
        await at.subscribe(SUBJECT, listener)
        await ping(bus, listener)
    await bus.send(SUBJECT, b"\x00 one")
    await bus.send("footfall.test.other", b"two")
    await bus.send(SUBJECT, b"")
    await until(lambda: all(len(listener.heard) == 2 for listener in listeners))
    assert [listener.heard for listener in listeners] == [[b"\x00 one", b""]] * 3


async def test_messages_of_one_sender_come_in_order_one_at_a_time(logs: Logs) -> None:
    bus, other = await logs.connect(), await logs.connect()
    listener, busy, most = Listener(), 0, 0

    async def handler(data: bytes) -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0)
        await listener(data)
        busy -= 1

    await other.subscribe(SUBJECT, handler)
    await ping(bus, listener)
    sent = [b"%d" % number for number in range(500)]
    for data in sent:
        await bus.send(SUBJECT, data)
    await until(lambda: len(listener.heard) == 500)
    assert listener.heard == sent
    assert most == 1


async def test_after_its_end_a_subscription_hears_nothing_and_others_do(logs: Logs) -> None:
    bus, other = await logs.connect(), await logs.connect()
    ended, listener = Listener(), Listener()
    end = await other.subscribe(SUBJECT, ended)
    await ping(bus, ended)
    await other.subscribe(SUBJECT, listener)
    await ping(bus, listener)
    await end()
    await bus.send(SUBJECT, b"x")
    await until(lambda: listener.heard == [b"x"])
    await end()  # again is no error
    await ping(bus, listener)
    assert ended.heard == []


async def test_a_question_is_answered_by_whoever_has_an_answer(logs: Logs) -> None:
    bus, other = await logs.connect(), await logs.connect()
    silent = Listener()

    async def answer(data: bytes) -> bytes:
        return data[::-1]

    await bus.subscribe(SUBJECT, silent)
    await other.subscribe(SUBJECT, answer)
    assert await answering(bus, b"abc") == b"cba"
    assert await asyncio.gather(*(bus.ask(SUBJECT, b"%d!" % n, TIMEOUT_S) for n in range(20))) == [
        b"!%d" % n if n < 10 else b"!" + (b"%d" % n)[::-1] for n in range(20)
    ]
    assert await other.ask(SUBJECT, b"", TIMEOUT_S) == b""
    assert b"abc" in silent.heard


async def test_a_question_that_nobody_answers_fails(logs: Logs) -> None:
    bus, other = await logs.connect(), await logs.connect()
    with pytest.raises(LogUnavailableError, match=SUBJECT):
        await bus.ask(SUBJECT, b"x", TIMEOUT_S)  # nobody listens: no need to wait
    listener = Listener()
    await other.subscribe(SUBJECT, listener)
    await ping(bus, listener)
    with pytest.raises(LogUnavailableError, match=SUBJECT):
        await bus.ask(SUBJECT, b"x", 0.05)
    await until(lambda: listener.heard == [b"x"])


async def test_a_handler_that_fails_is_reported_and_handles_the_next(
    logs: Logs, caplog: pytest.LogCaptureFixture
) -> None:
    bus, other = await logs.connect(), await logs.connect()

    async def handler(data: bytes) -> bytes:
        return b"%d" % int(data)

    await other.subscribe(SUBJECT, handler)
    assert await answering(bus, b"1") == b"1"
    with pytest.raises(LogUnavailableError):
        await bus.ask(SUBJECT, b"x", 0.05)
    assert await answering(bus, b"2") == b"2"
    assert [(record.levelname, SUBJECT in record.message) for record in caplog.records] == [("ERROR", True)]


async def test_what_a_slow_handler_has_no_room_for_is_dropped_and_no_sender_waits(
    logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus, other = await logs.connect(), await logs.connect()
    slow, arrived, gate = Listener(), Listener(), asyncio.Event()

    async def handler(data: bytes) -> None:
        await slow(data)
        if data != PING:
            await gate.wait()

    for module in (jetstream, memory):
        monkeypatch.setattr(module, "BUS_MESSAGES_MAX", 4)
    await other.subscribe(SUBJECT, handler)
    await ping(bus, slow)
    monkeypatch.undo()
    await other.subscribe(SUBJECT, arrived)
    await ping(bus, arrived)
    await bus.send(SUBJECT, b"first")
    await until(lambda: slow.heard == [b"first"])
    for number in range(100):
        await bus.send(SUBJECT, b"%d" % number)
    await until(lambda: b"99" in arrived.heard)
    assert slow.heard == [b"first"]
    gate.set()
    await ping(bus, slow)
    assert slow.heard[:5] == [b"first", b"0", b"1", b"2", b"3"]
    assert len(slow.heard) <= 6  # the very last may have come when there was room again


async def test_over_a_closed_connection_messages_are_dropped_and_questions_fail(logs: Logs) -> None:
    bus, other = await logs.connect(), await logs.connect()
    listener, away = Listener(), Listener()
    end = await bus.subscribe(SUBJECT, away)
    await other.subscribe(SUBJECT, listener)
    await ping(bus, listener)
    await ping(other, away)
    await bus.close()
    await bus.send(SUBJECT, b"x")
    with pytest.raises(LogUnavailableError):
        await bus.ask(SUBJECT, b"x", TIMEOUT_S)
    await other.send(SUBJECT, b"y")
    await until(lambda: listener.heard == [b"y"])
    assert away.heard == []
    await end()  # no error


async def test_a_closed_connection_leaves_no_task_behind(logs: Logs) -> None:
    bus = await logs.connect()
    listener = Listener()
    await bus.subscribe(SUBJECT, listener)
    await ping(bus, listener)
    assert len(asyncio.all_tasks()) > 1
    await bus.close()
    await until(lambda: len(asyncio.all_tasks()) == 1)
