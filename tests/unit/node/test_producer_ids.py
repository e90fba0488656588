"""A producer's control messages, one after the other without a gap, and the ids under which it writes."""

import asyncio

import pytest
from node_desk import Desk
from node_line import Fold, Line, controls, counted, soon

from footfall.core import control
from footfall.core.control import Barrier
from footfall.core.partition import PRODUCER_EPOCHS
from footfall.errors import LogFullError, LogUnavailableError
from footfall.node.producer import RENEWAL_EPOCHS


def tick(desk: Desk, to: int) -> None:
    """Write barriers until that epoch."""
    for epoch in range(desk.definitions.epoch + 1, to + 1):
        message = Barrier("pacer", epoch, epoch)
        stored = desk.storage.append("footfall.control", control.encode(message))
        desk.definitions.fold(stored.sequence, message)


async def test_control_messages_are_numbered_one_after_the_other(line: Line) -> None:
    desk = Desk(line)
    sequences = await asyncio.gather(*(desk.producer.control(Barrier) for _ in range(5)))
    assert list(sequences) == [2, 3, 4, 5, 6]
    assert [message.sequence for message in controls(desk.storage)[1:]] == [1, 2, 3, 4, 5]
    assert len({message.producer for message in controls(desk.storage)[1:]}) == 1
    assert not Fold(desk.storage).alarms


async def test_a_control_message_is_tried_until_it_is_acknowledged(line: Line) -> None:
    desk = Desk(line)
    line.lost, line.unanswered = 2, 2
    assert await desk.producer.control(Barrier) == 4
    assert len(set(line.attempts)) == 1
    assert not Fold(desk.storage).alarms


async def test_a_control_message_without_an_answer_is_given_up_after_ten_seconds_and_goes_first_next_time(
    line: Line,
) -> None:
    desk = Desk(line)
    line.break_off()
    failing = asyncio.create_task(desk.producer.control(lambda producer, sequence: Barrier(producer, sequence, 7)))
    await asyncio.sleep(9.9)
    assert not failing.done()
    with pytest.raises(LogUnavailableError):
        await failing
    line.mend()
    await desk.producer.control(lambda producer, sequence: Barrier(producer, sequence, 9))
    stored = controls(desk.storage)[1:]
    assert [(message.sequence, message.epoch) for message in stored if isinstance(message, Barrier)] == [(1, 7), (2, 9)]
    assert not Fold(desk.storage).alarms


async def test_a_control_message_that_was_cancelled_goes_first_next_time(line: Line) -> None:
    desk = Desk(line)
    line.hold()
    cancelled = asyncio.create_task(desk.producer.control(Barrier))
    await soon()
    cancelled.cancel()
    await soon()
    line.release()
    await desk.producer.control(Barrier)
    assert [message.sequence for message in controls(desk.storage)[1:]] == [1, 2]


async def test_an_error_that_remains_is_the_one_that_is_raised(line: Line) -> None:
    desk = Desk(line)
    line.storage.bytes_max = line.storage.bytes
    with pytest.raises(LogFullError):
        await desk.producer.control(Barrier)


async def test_visits_are_taken_again_once_a_control_message_was_given_up(line: Line) -> None:
    desk = Desk(line)
    line.break_off()
    with pytest.raises(LogUnavailableError):
        await desk.producer.control(Barrier)
    line.mend()
    assert len(await desk.add("a")) == 1


async def test_visits_are_taken_again_once_a_control_message_was_cancelled(line: Line) -> None:
    desk = Desk(line)
    line.lost = 1
    cancelled = asyncio.create_task(desk.producer.control(Barrier))
    await soon()
    cancelled.cancel()
    await asyncio.sleep(5)
    assert len(await desk.add("a")) == 1


async def test_a_producer_takes_a_new_id_daily(line: Line) -> None:
    desk = Desk(line)
    await desk.add("a")
    tick(desk, RENEWAL_EPOCHS - 1)
    await desk.add("a")
    tick(desk, RENEWAL_EPOCHS)
    await desk.add("a")
    await desk.add("a")
    first, second, third, fourth = desk.batches()
    assert first.producer == second.producer != third.producer == fourth.producer
    assert [batch.sequence for batch in (first, second, third, fourth)] == [1, 2, 1, 2]
    assert [batch.born for batch in (first, third)] == [0, RENEWAL_EPOCHS]
    assert counted(desk.storage, "a") == 4


async def test_the_visits_after_a_silence_of_a_week_count(line: Line) -> None:
    desk = Desk(line)
    await desk.add("a")
    tick(desk, PRODUCER_EPOCHS + 1)
    await desk.add("a")
    assert counted(desk.storage, "a") == 2


async def test_the_chunks_of_a_producer_that_stores_nothing_else_count_after_a_week(line: Line) -> None:
    desk = Desk(line)
    await desk.add_chunk("file", 0, 10, "a")
    tick(desk, PRODUCER_EPOCHS + 1)
    await desk.add_chunk("file", 10, 20, "a")
    assert counted(desk.storage, "a") == 2


async def test_what_is_in_flight_keeps_its_id(line: Line) -> None:
    desk = Desk(line)
    first = await desk.add_in_flight("a")
    second = desk.add("a")
    tick(desk, RENEWAL_EPOCHS)
    line.release()
    await asyncio.gather(first, second)
    old, new = desk.batches()
    assert old.producer != new.producer
    assert (old.sequence, new.sequence) == (1, 1)
    assert counted(desk.storage, "a") == 2


async def test_a_control_message_that_cannot_be_made_leaves_no_gap(line: Line) -> None:
    desk = Desk(line)

    def impossible(producer: str, sequence: int) -> Barrier:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await desk.producer.control(impossible)
    await desk.producer.control(Barrier)
    assert [message.sequence for message in controls(desk.storage)[1:]] == [1]
