"""A producer's group commit: one flush in flight, the same bytes until acknowledged, a receipt for each visit."""

import asyncio

import pytest
from node_desk import Desk, leaves, receipts_of
from node_line import Line, counted, soon

from footfall.core.routing import partition_of
from footfall.core.visit import Visit
from footfall.errors import LogUnavailableError
from footfall.log.protocol import CONTROL_SUBJECT, VISITS_SUBJECT


async def test_visits_that_come_while_a_flush_is_stored_go_together_in_the_next(line: Line) -> None:
    desk = Desk(line)
    requests = [await desk.add_in_flight("a")]
    requests += [desk.add("a"), desk.add("c", "a.b"), desk.add("c")]
    await asyncio.sleep(9)
    assert len(line.attempts) == 1, "one flush is in flight"
    line.release()
    await asyncio.gather(*requests)
    assert [leaves(batch) for batch in desk.batches()] == [[("a", 1)], [("a", 1), ("c", 2), ("a.b", 1)]]
    assert (desk.producer.flushes, desk.producer.visits) == (2, 5)


async def test_equal_visits_share_a_section(line: Line) -> None:
    desk = Desk(line)
    requests = [desk.add("a", "a"), desk.add("a"), desk.add("a")]
    requests += [desk.add(Visit("a", count=3)), desk.add(Visit("a", "x")), desk.add(Visit("a", "y"))]
    await asyncio.gather(*requests)
    (batch,) = desk.batches()
    sections = [(section.entries, section.times, section.visitors is not None) for section in batch.sections]
    assert sections == [(4, 1, False), (1, 3, False), (2, 1, True)]
    assert counted(desk.storage, "a") == 9


async def test_the_same_bytes_are_tried_until_they_are_acknowledged_and_count_once(line: Line) -> None:
    desk = Desk(line)
    line.unanswered, line.lost = 2, 3
    receipts = await desk.add("a", "a")
    assert len(line.attempts) == 6
    assert len(set(line.attempts)) == 1
    assert len(desk.batches()) == 3, "it was stored three times"
    assert counted(desk.storage, "a") == 2
    assert len(receipts) == 2
    assert desk.producer.publisher.retries == 5


async def test_the_pauses_between_attempts_grow_to_half_a_second(line: Line) -> None:
    desk = Desk(line)
    line.lost = 20
    request = desk.add("a")
    await asyncio.sleep(6)
    assert 12 <= len(line.attempts) <= 18
    line.mend()
    await request


async def test_what_may_not_wait_for_ever_tells_how_long_the_log_took_nothing(line: Line) -> None:
    desk = Desk(line)
    line.lost = 100
    with pytest.raises(LogUnavailableError, match="the log took nothing for 10 s: "):
        await desk.producer.publisher.publish(CONTROL_SUBJECT, b"x", 10.0)


async def test_a_request_gets_one_receipt_a_visit_in_the_order_of_its_visits(line: Line) -> None:
    desk = Desk(line, local=lambda: 3)
    receipts = await desk.add("a", "c", "a", "c", "c")
    (batch,) = desk.batches()
    assert leaves(batch) == [("a", 2), ("c", 3)]
    own = receipts_of(batch, 3)
    assert receipts == [own[0], own[2], own[1], own[3], own[4]]


async def test_receipts_all_differ_and_cannot_be_had_without_the_secret(line: Line) -> None:
    desk = Desk(line)
    requests = [desk.add("a", "a", Visit("people", "x")), desk.add("a")]
    singles = [desk.submit("a"), desk.submit("c", "x")]
    receipts = [receipt for request in await asyncio.gather(*requests) for receipt in request]
    receipts += [single.receipts[0] for single in singles]
    receipts += await desk.add("a")
    assert len(set(receipts)) == len(receipts) == 7
    others = {receipt for batch in desk.batches() for p in range(4) for receipt in receipts_of(batch, p, b"a guess")}
    assert not others & set(receipts)


async def test_whoever_waits_on_the_hot_path_is_told_the_receipt_of_his_visit_once(line: Line) -> None:
    desk = Desk(line, local=lambda: 1)
    singles = [desk.submit("a"), desk.submit("c"), desk.submit("a", "x"), desk.submit("a")]
    await soon()
    (batch,) = desk.batches()
    own = receipts_of(batch, 1)
    assert leaves(batch) == [("a", 2), ("c", 1), ("a", 1)]
    assert [single.receipts for single in singles] == [[own[0]], [own[2]], [own[3]], [own[1]]]
    assert not any(single.errors for single in singles)


async def test_nobody_is_told_before_all_of_a_flush_is_stored(line: Line) -> None:
    desk = Desk(line, hashed=True)
    visitors = [f"visitor {number}" for number in range(20)]
    line.lost = 1
    request = desk.add(*(Visit("a", visitor) for visitor in visitors))
    await asyncio.sleep(0.01)
    assert counted(desk.storage, "a") > 0, "the other lanes are stored"
    assert not request.done()
    assert len(await request) == 20
    assert counted(desk.storage, "a") == 20


async def test_the_messages_of_a_partition_go_one_after_the_other_and_partitions_side_by_side(line: Line) -> None:
    desk = Desk(line, hashed=True)
    visitors = [f"{number:05}".ljust(250, "x") for number in range(8_000)]
    line.hold()
    request = desk.add(*(Visit("a", visitor) for visitor in visitors))
    await soon()
    partitions = {partition_of(visitor, 4) for visitor in visitors}
    subjects = [VISITS_SUBJECT.format(partition=partition) for partition in range(4)]
    assert sorted(subject for subject, _ in line.attempts) == subjects
    assert len(partitions) == 4
    line.lost = 3
    line.release()
    await request
    for subject in subjects:
        tried = list(dict.fromkeys(data for one, data in line.attempts if one == subject))
        stored = [message.data for message in desk.storage.messages if message.subject == subject]
        assert stored == tried
        assert len(stored) > 1
    assert counted(desk.storage, "a") == 8_000


async def test_a_visit_to_visitors_goes_to_the_visitors_partition(line: Line) -> None:
    desk = Desk(line, local=lambda: 0)
    await desk.add(*(Visit("people", f"visitor {number % 10}") for number in range(30)))
    assert counted(desk.storage, "people") == 10


@pytest.mark.parametrize("name", ["a", "a.b"])
async def test_pending_is_what_is_gathered_or_in_flight_on_the_counters_path(line: Line, name: str) -> None:
    desk = Desk(line)
    number = desk.counter(name).number
    assert desk.producer.pending(number) == 0
    first = await desk.add_in_flight(Visit("a.b", count=5))
    assert desk.producer.pending(number) == 5
    second = desk.add("a.b", "c")
    desk.submit("a.b")
    await soon()
    assert desk.producer.pending(number) == 7
    assert desk.producer.pending_of([number, 99]) == {number: 7, 99: 0}
    assert desk.producer.gathered == 3
    line.release()
    await asyncio.gather(first, second)
    assert desk.producer.pending(number) == desk.producer.gathered == 0


async def test_who_does_not_wait_gets_no_receipt_and_his_visit_counts(line: Line) -> None:
    desk = Desk(line)
    line.hold()
    assert await desk.add("a", durable=False) == []
    line.release()
    await soon()
    assert counted(desk.storage, "a") == 1


async def test_a_request_that_was_cancelled_does_not_hold_up_the_others(line: Line) -> None:
    desk = Desk(line)
    first = await desk.add_in_flight("a")
    second = desk.add("a")
    await soon()
    first.cancel()
    line.release()
    assert len(await second) == 1
    assert counted(desk.storage, "a") == 2


async def test_draining_waits_for_all_that_is_gathered_or_in_flight(line: Line) -> None:
    desk = Desk(line)
    await desk.add_in_flight("a")
    desk.add("a")
    desk.add_chunk("file", 0, 10, "a")
    draining = asyncio.create_task(desk.producer.drain(5.0))
    await asyncio.sleep(3)
    assert not draining.done()
    line.release()
    assert await draining
    assert counted(desk.storage, "a") == 3


async def test_draining_ends_in_time_if_the_log_is_away(line: Line) -> None:
    desk = Desk(line)
    await desk.add_in_flight("a")
    assert not await desk.producer.drain(5.0)
    assert await Desk(Line(type(line.storage)(4))).producer.drain(5.0), "there is nothing to wait for"


async def test_the_highest_acknowledged_message_is_remembered(line: Line) -> None:
    desk = Desk(line)
    await desk.add("a")
    await desk.add("a")
    message = desk.storage.messages[-1]
    assert desk.producer.publisher.acknowledged == (3, message.subject, message.data)
    desk.storage.check(desk.producer.publisher.acknowledged_position())


async def test_the_highest_acknowledged_message_is_remembered_in_whatever_order_answers_come(line: Line) -> None:
    desk = Desk(line, hashed=True)
    answered: list[int] = []

    async def late(subject: str, data: bytes, timeout_s: float = 5.0) -> int:
        sequence = desk.storage.append(subject, data).sequence
        await asyncio.sleep(1 / sequence)
        answered.append(sequence)
        return sequence

    line.publish = late  # type: ignore[method-assign]
    await desk.add(*(Visit("a", f"visitor {number}") for number in range(20)))
    assert answered == [5, 4, 3, 2]
    assert desk.producer.publisher.acknowledged[0] == 5
