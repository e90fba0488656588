"""What ``Log`` promises (``footfall.log.protocol``), on every kind of log: publishing, and reading in order."""

import asyncio
import itertools
from collections.abc import Sequence

import pytest
from log_kinds import CONTROL, ONE, THREE, TWO, Connection, Logs, publish, read, reading, start

from footfall.core.position import Position, at
from footfall.errors import LogFullError, LogRewoundError, LogUnavailableError
from footfall.log import memory, pull
from footfall.log.protocol import MESSAGE_BYTES_MAX, Delivery, Message

ALL = (ONE, TWO, THREE, CONTROL)


@pytest.fixture
def _lively(monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle log says so once a second; a test need not wait for so long."""
    monkeypatch.setattr(pull, "EXPIRES_S", 0.2)
    monkeypatch.setattr(memory, "IDLE_S", 0.2)


async def mixed(log: Connection, count: int) -> list[Message]:
    """As many messages, over all subjects in turn, as they are stored."""
    sequences = [await log.publish(ALL[n % 4], f"message {n}".encode()) for n in range(count)]
    messages = [await log.message(sequence) for sequence in sequences]
    return [message for message in messages if message is not None]


def is_idle(delivery: Delivery) -> bool:
    """Whether the log says that it is alive and has nothing new."""
    return not delivery.messages and delivery.pending == 0


async def test_sequences_are_consecutive_and_shared_by_all_subjects(logs: Logs) -> None:
    log, other = await logs.connect(), await logs.connect()
    assert [await log.publish(subject, b"x") for subject in ALL] == [1, 2, 3, 4]
    assert await other.publish(ONE, b"x") == 5
    assert await log.publish(ONE, b"x") == 6  # the same bytes again are another message


async def test_what_is_published_at_the_same_time_is_stored_each_once_where_it_was_said(logs: Logs) -> None:
    log, other = await logs.connect(), await logs.connect()
    payloads = [b"%d" % number for number in range(200)]
    told = await asyncio.gather(*((log, other)[n % 2].publish(ALL[n % 4], data) for n, data in enumerate(payloads)))
    assert sorted(told) == list(range(1, 201))
    found = await asyncio.gather(*map(other.message, told))
    assert [(message.sequence, message.subject, message.data) for message in found if message is not None] == [
        (sequence, ALL[n % 4], payloads[n]) for n, sequence in enumerate(told)
    ]


async def test_a_message_is_what_was_stored_at_its_sequence_and_none_where_there_is_none(logs: Logs) -> None:
    log = await logs.connect()
    assert await log.message(1) is None
    await log.publish(ONE, b"\x00\xff\r\n")
    await log.publish(CONTROL, b"")
    first, second = await log.message(1), await log.message(2)
    assert first is not None
    assert second is not None
    assert (first[:3], second[:3]) == ((1, ONE, b"\x00\xff\r\n"), (2, CONTROL, b""))
    assert 0 < first.time_ns <= second.time_ns
    assert [await log.message(sequence) for sequence in (0, 3, 1 << 40)] == [None, None, None]


async def test_a_log_says_how_much_it_holds_and_how_much_it_may(logs: Logs) -> None:
    log = await logs.connect(1 << 20)
    assert (await log.state())[:4] == (1, 0, 0, 1 << 20)
    await log.publish(ONE, bytes(1000))
    one = await log.state()
    assert (one.first_sequence, one.last_sequence, one.bytes_max) == (1, 1, 1 << 20)
    assert 1000 <= one.bytes <= 1100
    await log.publish(ONE, bytes(1000))
    assert (await log.state())[:3] == (1, 2, 2 * one.bytes)


async def test_all_connections_see_the_same_log(logs: Logs) -> None:
    log = await logs.connect()
    await log.publish(ONE, b"x")
    for _ in range(3):
        other = await logs.connect()
        assert other.created == log.created != ""
        assert other.partitions == log.partitions == 16
        assert other.connected
        assert await other.message(1) == await log.message(1)


@pytest.mark.parametrize("subjects", [(ONE,), (TWO, CONTROL), ALL, (THREE,)], ids=" ".join)
async def test_a_reader_gets_every_message_of_its_subjects_in_order(logs: Logs, subjects: Sequence[str]) -> None:
    log = await logs.connect()
    stored = await mixed(log, 40)
    expected = [message for message in stored if message.subject in subjects]
    assert await read(log, subjects, start(log), expected[-1].sequence) == expected


async def test_a_reader_from_any_position_gets_what_follows_it(logs: Logs) -> None:
    log, other = await logs.connect(), await logs.connect()
    stored = await mixed(log, 12)
    for place in range(10):
        expected = [message for message in stored[place + 1 :] if message.subject in (ONE, THREE)]
        assert await read(other, (ONE, THREE), at(log.created, stored[place]), 11) == expected


async def test_a_reader_far_behind_gets_all_and_is_told_how_much_is_left(logs: Logs) -> None:
    log = await logs.connect()
    payloads = [bytes([number % 256]) * (MESSAGE_BYTES_MAX if number < 12 else 10) for number in range(1000)]
    for data in payloads[:12]:  # more than one request for messages may bring
        await log.publish(ONE, data)
    await asyncio.gather(*(log.publish(ONE, data) for data in payloads[12:]), publish(log, TWO, 100))
    got: list[Message] = []
    async with reading(log, [ONE], start(log)) as deliveries:
        async for delivery in deliveries:
            got += delivery.messages
            assert delivery.pending == 1000 - len(got)
            if len(got) == 1000:
                break
    assert [message.sequence for message in got] == sorted({message.sequence for message in got})
    assert sorted(message.data for message in got) == sorted(payloads)


async def test_readers_follow_while_others_publish(logs: Logs) -> None:
    log, other = await logs.connect(), await logs.connect()
    await mixed(log, 20)

    async def publishing() -> None:
        ways = itertools.product((log, other), (ONE, TWO, CONTROL))
        await asyncio.gather(*(publish(to, subject, 120, f"{number}") for number, (to, subject) in enumerate(ways)))

    async def following(reader: Connection, subjects: Sequence[str]) -> list[Message]:
        return await read(reader, [*subjects, THREE], start(reader), 20 + 720 + 1)

    subjects = [(ONE,), (TWO, CONTROL), (ONE, TWO, CONTROL), ()]
    readers = [asyncio.create_task(following((log, other)[n % 2], which)) for n, which in enumerate(subjects)]
    await publishing()
    assert await log.publish(THREE, b"the end") == 741
    stored = [await log.message(sequence) for sequence in range(1, 742)]
    for reader, which in zip(readers, subjects, strict=True):
        assert await reader == [message for message in stored if message and message.subject in (*which, THREE)]
    for number in range(6):
        label = f"{number} ".encode()
        one = [message.data for message in stored if message is not None and message.data.startswith(label)]
        assert one == [label + b"%d" % n for n in range(120)]  # of one sender, in the order in which it sent them


@pytest.mark.usefixtures("_lively")
async def test_an_idle_log_says_that_it_is_alive_and_then_goes_on(logs: Logs) -> None:
    log = await logs.connect()
    async with reading(log, ALL, start(log)) as deliveries:
        for _ in range(2):
            assert is_idle(await anext(deliveries))
        await log.publish(ONE, b"x")
        delivery = await anext(deliveries)
        while is_idle(delivery):
            delivery = await anext(deliveries)
        assert (list(delivery.messages), delivery.pending) == ([await log.message(1)], 0)
        assert is_idle(await anext(deliveries))


@pytest.mark.usefixtures("_lively")
async def test_a_reader_whose_subjects_are_idle_is_told_so_though_others_are_busy(logs: Logs) -> None:
    log = await logs.connect()

    async def busy() -> None:
        for _ in range(500):
            await log.publish(TWO, b"x")
            await asyncio.sleep(0.01)

    publishing = asyncio.create_task(busy())
    async with reading(log, [ONE, CONTROL], start(log)) as deliveries:
        for _ in range(2):
            assert is_idle(await anext(deliveries))
    assert not publishing.done()
    publishing.cancel()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"created": "2020-01-01T00:00:00Z"}, "the log was replaced"),
        ({"digest": bytes(16)}, "not the one that was counted"),
        ({"sequence": 4}, "not the one that was counted"),
        ({"sequence": 7}, "ends at sequence 6, but 7"),
        ({"sequence": 0, "created": "2020-01-01T00:00:00Z"}, "the log was replaced"),
    ],
)
async def test_a_position_that_is_not_of_this_log_is_refused(logs: Logs, change: dict[str, object], says: str) -> None:
    log = await logs.connect()
    good = at(log.created, (await mixed(log, 6))[4])
    fields = {"created": good.created, "sequence": good.sequence, "digest": good.digest, **change}
    async with reading(log, [ONE], Position(**fields)) as deliveries:  # type: ignore[arg-type]
        with pytest.raises(LogRewoundError, match=says):
            await anext(deliveries)


async def test_a_full_log_refuses_and_stores_nothing_and_takes_again_after_a_trim(logs: Logs) -> None:
    log = await logs.connect(1 << 20)
    assert [await log.publish(ONE, bytes(100_000)) for _ in range(10)] == list(range(1, 11))
    before = await log.state()
    for subject in (ONE, CONTROL):
        with pytest.raises(LogFullError):
            await log.publish(subject, bytes(100_000))
    assert await log.state() == before
    assert await log.message(11) is None
    await log.trim(6)
    assert await log.publish(ONE, bytes(100_000)) == 11
    assert (await log.state())[:2] == (6, 11)


async def test_a_closed_connection_is_unavailable_and_others_are_not(logs: Logs) -> None:
    log, other = await logs.connect(), await logs.connect()
    await log.publish(ONE, b"x")
    await log.close()
    assert not log.connected
    for asking in (log.publish(ONE, b"x"), log.message(1), log.state(), log.trim(1)):
        with pytest.raises(LogUnavailableError):
            await asking
    assert other.connected
    assert (await other.state()).last_sequence == 1
    await log.close()  # again is no error
