"""An exact read asks every partition at one place of the log: it gets all answers, or says which did not come."""

import asyncio

import pytest
from node_asker import PRODUCER, Asker
from node_line import Line, soon

from footfall.core.control import Barrier, Milestone
from footfall.core.vector import ENTRY_MAX
from footfall.errors import LogUnavailableError, NotReadyError, OverloadedError, PartitionsUnownedError
from footfall.node import exact, messages
from footfall.node.messages import Counted


@pytest.fixture
async def asker(line: Line) -> Asker:
    return Asker(line)


async def test_concurrent_reads_share_a_barrier_that_names_each_counter_once(asker: Asker) -> None:
    reads = [asker.read(name) for name in ("a", "b", "a", "c", "b", "a")]
    await soon()
    assert asker.stored == [Barrier(PRODUCER, 1, 0, "n1", ("a", "b", "c"))]
    asker.say({partition: [1, 10, 100] for partition in range(4)})
    found = [await read for read in reads]
    assert [one.vector.value for one in found] == [4, 40, 4, 400, 40, 4]
    assert {one.sequence for one in found} == {1}
    assert (asker.exact.reads, asker.exact.barriers, asker.exact.failed) == (6, 1, 0)


async def test_a_read_that_comes_while_a_barrier_is_being_stored_gets_the_next(asker: Asker) -> None:
    asker.storing.clear()
    first = asker.read("a")
    await soon()
    later = [asker.read("a"), asker.read("b")]
    await soon()
    asker.storing.set()
    await soon()
    assert [message.counters for message in asker.stored if isinstance(message, Barrier)] == [("a",), ("a", "b")]
    await asker.answered(2, 7)
    assert [(await read).vector.value for read in later] == [28, 28]
    assert not first.done(), "answers to another barrier are not its own"
    await asker.answered(1, 5)
    assert (await first).vector.value == 20


async def test_a_read_that_comes_when_a_barrier_is_stored_and_not_answered_gets_the_next(asker: Asker) -> None:
    first = asker.read("a")
    await soon()
    second = asker.read("a")
    await soon()
    await asker.answered(1, 1)
    assert first.done()
    assert not second.done(), "what was acknowledged in between must be in it"
    await asker.answered(2, 2)
    assert (await second).sequence == 2


async def test_answers_may_be_quicker_than_the_log_and_come_in_any_order_and_often(asker: Asker) -> None:
    asker.storing.clear()
    read = asker.read("a")
    await soon()
    for partition in (3, 0, 3, 2, 0):
        asker.say({partition: [partition]}, asked=1)
    asker.storing.set()
    await soon()
    assert not read.done()
    asker.say({1: [1], 2: [2]})
    assert (await read).vector.entries == (0, 1, 2, 3)


async def test_answers_to_two_copies_of_one_barrier_do_not_mix(asker: Asker) -> None:
    read = asker.read("a")
    await soon()
    asker.say({0: [1], 1: [1]}, sequence=10)
    asker.say({2: [9], 3: [9], 0: [9]}, sequence=12)
    await soon()
    assert not read.done()
    asker.say({1: [9]}, sequence=12)
    assert await read == (12, (await read).vector)
    assert (await read).vector.entries == (9, 9, 9, 9)


async def test_more_copies_than_there_can_be_are_not_remembered(asker: Asker) -> None:
    read = asker.read("a")
    await soon()
    for sequence in range(1, exact.COPIES_MAX + 1):
        asker.say({0: [sequence]}, sequence=sequence)
    asker.say({partition: [1] for partition in range(4)}, sequence=99)
    await soon()
    assert not read.done()
    asker.say({partition: [5] for partition in range(1, 4)}, sequence=5)
    assert (await read).vector.value == 20


@pytest.mark.parametrize(
    "parts",
    [
        {3: []},
        {3: [1, 2]},
        {4: [1]},
        {-1: [1]},
        {3: [-1]},
        {3: [ENTRY_MAX + 1]},
        {},
    ],
)
async def test_answers_that_do_not_fit_the_question_change_nothing(asker: Asker, parts: dict[int, list[int]]) -> None:
    read = asker.read("a")
    await soon()
    asker.say({0: [1], 1: [1], 2: [1]})
    asker.say(parts)
    await soon()
    assert not read.done()
    asker.say({3: [1]})
    assert (await read).vector.entries == (1, 1, 1, 1)


async def test_answers_to_questions_of_others_and_late_ones_change_nothing(asker: Asker) -> None:
    whole = {partition: [7] for partition in range(4)}
    asker.say(whole, asked=1)
    read = asker.read("a")
    await soon()
    asker.say(whole, producer="another door")
    asker.say(whole, asked=2)
    await soon()
    assert not read.done()
    await asker.answered(1, 1)
    asker.say(whole)
    assert (await read).vector.value == 4
    assert (await asyncio.wait_for(read, 1)).vector.value == 4


async def test_after_five_seconds_the_partitions_that_did_not_answer_are_named(asker: Asker) -> None:
    reads = [asker.read("a"), asker.read("b")]
    await soon()
    asker.say({0: [1, 1]})
    asker.say({1: [1, 1], 3: [1, 1]}, sequence=9)
    await asyncio.sleep(exact.TIMEOUT_S - 0.1)
    assert not any(read.done() for read in reads)
    await asyncio.sleep(0.2)
    for read in reads:
        with pytest.raises(PartitionsUnownedError, match="partitions 0, 2 were counted by no node for 5 s") as refused:
            await read
        assert refused.value.partitions == [0, 2]
    assert asker.exact.failed == 1
    again = asker.read("a")
    await soon()
    await asker.answered(2, 1)
    assert (await again).vector.value == 4


async def test_a_barrier_that_cannot_be_stored_fails_its_readers_and_no_others(asker: Asker) -> None:
    asker.away = LogUnavailableError("the log is away")
    for _ in range(exact.QUESTIONS_MAX + 1):
        with pytest.raises(LogUnavailableError, match="the log is away"):
            await asker.read("a")
    assert not asker.exact._questions
    asker.away = None
    read = asker.read("a")
    await soon()
    await asker.answered(1, 1)
    assert (await read).vector.value == 4


async def test_more_than_ten_thousand_reads_do_not_wait(asker: Asker) -> None:
    asker.storing.clear()
    first = asker.read("a")
    await soon()
    reads = [asker.read(f"c{number % 10}") for number in range(exact.WAITING_MAX)]
    await soon()
    with pytest.raises(OverloadedError, match="10000 exact reads are waiting"):
        await asker.exact.read("a")
    asker.storing.set()
    await soon()
    await asker.answered(1, 1)
    await asker.answered(2, 2)
    assert {(await read).vector.value for read in reads} == {8}
    assert (await first).vector.value == 4
    assert (asker.exact.barriers, asker.exact.reads) == (2, exact.WAITING_MAX + 1)


async def test_a_barrier_asks_for_a_thousand_counters_at_most(asker: Asker) -> None:
    reads = [asker.read(f"c{number % 1500}") for number in range(3000)]
    await soon()
    assert all(isinstance(message, Barrier) for message in asker.stored)
    asked = [message.counters for message in asker.stored if isinstance(message, Barrier)]
    assert all(len(counters) <= exact.COUNTERS_MAX for counters in asked)
    for number in range(len(asked)):
        await asker.answered(number + 1, 1)
    assert {(await read).vector.value for read in reads} == {4}


async def test_at_the_bound_of_unanswered_questions_a_read_waits_for_its_barrier(asker: Asker) -> None:
    reads = []
    for number in range(exact.QUESTIONS_MAX):
        reads.append(asker.read(f"c{number}"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await soon()
    assert len(asker.stored) == exact.QUESTIONS_MAX
    waits = asker.read("late")
    await soon()
    assert len(asker.stored) == exact.QUESTIONS_MAX
    await asker.answered(3, 1)
    assert len(asker.stored) == exact.QUESTIONS_MAX + 1
    await asker.answered(exact.QUESTIONS_MAX + 1, 1)
    assert (await waits).vector.value == 4
    await asyncio.sleep(exact.TIMEOUT_S)
    outcomes = await asyncio.gather(*reads, return_exceptions=True)
    assert sum(isinstance(outcome, PartitionsUnownedError) for outcome in outcomes) == exact.QUESTIONS_MAX - 1


async def test_a_reader_who_goes_away_leaves_the_others(asker: Asker) -> None:
    asker.storing.clear()
    early = [asker.read("a"), asker.read("b"), asker.read("b")]
    await soon()
    late = [asker.read("c"), asker.read("d")]
    await soon()
    for gone in (early[0], early[1], late[0]):
        gone.cancel()
    asker.storing.set()
    await soon()
    await asker.answered(1, 1)
    await asker.answered(2, 2)
    assert [(await read).vector.value for read in (early[2], late[1])] == [4, 8]


async def test_a_question_of_its_own_message_is_answered_and_forgotten(asker: Asker) -> None:
    asked = asyncio.create_task(asker.exact.ask("a", lambda name, at: Milestone(name, at, "a", 9, "n1")))
    await soon()
    assert asker.stored == [Milestone(PRODUCER, 1, "a", 9, "n1")]
    asker.say({partition: [2] for partition in range(4)}, sequence=77)
    assert ((await asked).sequence, (await asked).vector.value) == (77, 8)
    asked = asyncio.create_task(asker.exact.ask("a", lambda name, at: Milestone(name, at, "a", 9, "n1")))
    await soon()
    asked.cancel()
    await soon()
    assert not asker.exact._questions


async def test_when_a_node_stops_everyone_who_waits_is_told(asker: Asker) -> None:
    unanswered = asker.read("a")
    await soon()
    asker.storing.clear()
    being_stored = asker.read("a")
    await soon()
    waiting = asker.read("a")
    await soon()
    for task in asker.running:
        task.cancel()
    await soon()
    await asker.exact.stop()
    for read in (unanswered, being_stored, waiting, asker.read("a")):
        with pytest.raises(NotReadyError, match="this node is stopping"):
            await asyncio.wait_for(read, 1)


async def test_what_one_node_wants_to_know_goes_to_it_in_one_message(asker: Asker) -> None:
    heard: list[Counted] = []

    async def hear(data: bytes) -> None:
        said = messages.decode(data)
        assert isinstance(said, Counted)
        heard.append(said)

    await asker.line.subscribe("footfall.node.n4", hear)
    for partition in (0, 2):
        asker.exact.answer("n4", Counted("n1", "door 4", 5, 90, {partition: [partition]}))
    asker.exact.answer("n4", Counted("n1", "door 4", 5, 91, {1: [9]}))
    asker.exact.answer("n7", Counted("n1", "door 4", 5, 90, {1: [9]}))
    await soon()
    assert [(said.sequence, said.parts) for said in heard] == [(90, {0: [0], 2: [2]}), (91, {1: [9]})]
