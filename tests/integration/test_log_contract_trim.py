"""What ``Log.trim`` promises (``footfall.log.protocol``) on every kind of log, also to whoever reads meanwhile."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from log_kinds import CONTROL, ONE, TWO, Logs, publish, read, reading, start

from footfall.core.position import Position, at
from footfall.errors import LogTrimmedError
from footfall.log import pull
from footfall.log.protocol import Delivery, Log


@pytest.fixture
def _never_taken_for_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader is trusted to have read everything for some seconds after it had; tests are faster than that."""
    monkeypatch.setattr(pull, "BEHIND_MAX_S", -1.0)


@pytest.fixture
def _always_taken_for_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pull, "BEHIND_MAX_S", 1e9)


async def position(log: Log, sequence: int) -> Position:
    message = await log.message(sequence)
    assert message is not None
    return at(log.created, message)


async def until_trimmed(deliveries: AsyncIterator[Delivery]) -> list[int]:
    """The sequences that a reader gets until it is told that what comes next was trimmed."""
    sequences: list[int] = []

    async def read_on() -> None:
        async for delivery in deliveries:
            sequences.extend(message.sequence for message in delivery.messages)

    with pytest.raises(LogTrimmedError, match="trimmed"):
        await read_on()
    return sequences


async def test_a_trim_keeps_the_message_that_it_names_and_drops_all_below(logs: Logs) -> None:
    log, other = await logs.connect(), await logs.connect()
    for number in range(20):
        await log.publish((ONE, TWO, CONTROL)[number % 3], b"x")
    before = await log.state()
    await log.trim(8)
    after = await other.state()
    assert (after.first_sequence, after.last_sequence) == (8, 20)
    assert after.bytes < before.bytes
    assert [await other.message(sequence) is None for sequence in (1, 7, 8, 20)] == [True, True, False, False]
    assert await log.publish(ONE, b"x") == 21


@pytest.mark.parametrize("before", [-5, 0, 1, 7, 8])
async def test_a_trim_below_what_is_held_drops_nothing(logs: Logs, before: int) -> None:
    log = await logs.connect()
    await publish(log, ONE, 10)
    await log.trim(8)
    state = await log.state()
    await log.trim(before)
    assert await log.state() == state
    assert state[:2] == (8, 10)


@pytest.mark.parametrize("before", [11, 12, 1000])
async def test_a_trim_beyond_the_end_drops_all_and_leaves_no_sequence_out(logs: Logs, before: int) -> None:
    log = await logs.connect()
    await publish(log, ONE, 10)
    await log.trim(before)
    assert (await log.state())[:3] == (11, 10, 0)
    assert await log.message(10) is None
    assert await log.publish(TWO, b"x") == 11
    assert (await log.state())[:2] == (11, 11)


async def test_an_empty_log_can_be_trimmed(logs: Logs) -> None:
    log = await logs.connect()
    await log.trim(5)
    assert await log.publish(ONE, b"x") == 1
    assert [message.sequence for message in await read(log, [ONE], start(log), 1)] == [1]


async def test_reading_goes_on_from_a_position_that_a_trim_kept(logs: Logs) -> None:
    log = await logs.connect()
    await publish(log, ONE, 10)
    kept, later = await position(log, 5), await position(log, 8)
    await log.trim(5)
    assert [message.sequence for message in await read(log, [ONE], kept, 10)] == [6, 7, 8, 9, 10]
    assert [message.sequence for message in await read(log, [ONE], later, 10)] == [9, 10]


@pytest.mark.parametrize("sequence", [0, 3, 4])
async def test_a_reader_from_below_a_trim_is_told_that_it_is_trimmed(logs: Logs, sequence: int) -> None:
    log = await logs.connect()
    await publish(log, ONE, 10)
    after = await position(log, sequence) if sequence else start(log)
    await log.trim(5)
    async with reading(log, [ONE], after) as deliveries:
        assert await until_trimmed(deliveries) == []


@pytest.mark.parametrize("before", [900, 2000])
async def test_a_reader_that_a_trim_overtakes_is_told_instead_of_skipping(logs: Logs, before: int) -> None:
    """It was never up to date: whoever reads from an old checkpoint is not for a while."""
    log, other = await logs.connect(), await logs.connect()
    await asyncio.gather(*(log.publish(ONE, b"x") for _ in range(1000)))
    async with reading(log, [ONE], start(log)) as deliveries:
        got = [message.sequence for message in (await anext(deliveries)).messages]
        await other.trim(before)
        got += await until_trimmed(deliveries)
    assert got == list(range(1, len(got) + 1))


@pytest.mark.usefixtures("_never_taken_for_up_to_date")
async def test_a_reader_that_was_up_to_date_and_is_overtaken_is_told_too(logs: Logs) -> None:
    log, other = await logs.connect(), await logs.connect()
    await publish(log, ONE, 10)
    async with reading(log, [ONE, CONTROL], start(log)) as deliveries:
        got: list[int] = []
        while len(got) < 10:
            got += [message.sequence for message in (await anext(deliveries)).messages]
        await asyncio.gather(*(other.publish(ONE, b"x") for _ in range(600)))
        await other.trim(560)
        await publish(other, ONE, 10)
        got += await until_trimmed(deliveries)
    assert got == list(range(1, len(got) + 1))
    assert len(got) < 560


@pytest.mark.usefixtures("_always_taken_for_up_to_date")
async def test_a_reader_that_has_read_all_is_not_disturbed_by_a_trim(logs: Logs) -> None:
    """Though the trim takes the message that it read last, and others after it that are not for it."""
    log, other = await logs.connect(), await logs.connect()
    await publish(log, ONE, 10)
    async with reading(log, [ONE], start(log)) as deliveries:
        got: list[int] = []
        while len(got) < 10:
            got += [message.sequence for message in (await anext(deliveries)).messages]
        await publish(other, TWO, 20)
        assert not (await anext(deliveries)).messages
        await other.trim(25)
        await publish(other, ONE, 10)
        while len(got) < 20:
            got += [message.sequence for message in (await anext(deliveries)).messages]
    assert got == [*range(1, 11), *range(31, 41)]


async def test_a_reader_goes_on_while_what_it_has_read_is_trimmed(logs: Logs) -> None:
    log, other = await logs.connect(), await logs.connect()
    got: list[int] = []
    async with reading(log, [ONE, CONTROL], start(log)) as deliveries:
        for _ in range(20):
            until = len(got) + 30
            await publish(other, ONE, 30)
            while len(got) < until:
                got += [message.sequence for message in (await anext(deliveries)).messages]
            await other.trim(got[-1])
    assert got == list(range(1, 601))
