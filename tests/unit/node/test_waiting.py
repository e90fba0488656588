"""Who waits for a sequence goes on once it is reached; tasks that are ended have ended."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from node_line import soon

from footfall.node.members import every
from footfall.node.waiting import Reached, ended


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 20), max_size=8), st.lists(st.integers(0, 20), max_size=8).map(sorted))
async def test_all_who_wait_go_on_at_their_sequence_and_not_before(waited: list[int], reached: list[int]) -> None:
    sequence = Reached()
    waiting = [asyncio.create_task(sequence.wait(one)) for one in waited]
    for now in (0, *reached):
        sequence.set(now)
        await soon()
        assert [task.done() for task in waiting] == [one <= now for one in waited]
    await ended(waiting)


async def test_who_waits_for_what_was_reached_does_not_wait() -> None:
    sequence = Reached(7)
    await sequence.wait(7)
    assert sequence.sequence == 7


async def test_who_no_longer_waits_does_not_hold_up_the_others() -> None:
    sequence = Reached()
    gone, there = asyncio.create_task(sequence.wait(1)), asyncio.create_task(sequence.wait(2))
    await soon()
    gone.cancel()
    await soon()
    sequence.set(2)
    await there


async def test_a_task_that_swallows_its_cancellation_is_cancelled_again() -> None:
    async def stubborn() -> None:
        for _ in range(3):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue
        await asyncio.Event().wait()

    tasks = [asyncio.create_task(stubborn()), None, asyncio.create_task(asyncio.sleep(0))]
    await soon()
    await ended(tasks)
    assert all(task is None or task.done() for task in tasks)


async def test_a_task_that_failed_counts_as_ended() -> None:
    async def failing() -> None:
        raise ValueError("on purpose")

    task = asyncio.create_task(failing())
    await soon()
    await ended([task])
    with pytest.raises(ValueError, match="on purpose"):
        task.result()


async def test_recurring_work_is_done_at_its_interval_and_awaited() -> None:
    loop = asyncio.get_running_loop()
    began_s: list[float] = []

    async def work() -> None:
        began_s.append(loop.time())
        await asyncio.sleep(1.0)

    recurring = asyncio.create_task(every(2.0, work))
    plain: list[int] = []
    other = asyncio.create_task(every(2.0, lambda: plain.append(1)))
    start_s = loop.time()
    await asyncio.sleep(8.5)
    await ended([recurring, other])
    assert [round(at_s - start_s, 3) for at_s in began_s] == [2.0, 5.0, 8.0]
    assert len(plain) == 4
