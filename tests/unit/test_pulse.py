"""When load is shed, in virtual time: a loop that works off what has come in, round after round."""

import asyncio
from collections import deque
from typing import NamedTuple

import pytest

from footfall.web.pulse import BEHIND_MAX_S, CALM_S, HICCUP_MAX_S, INTERVAL_S, Pulse

WORK_S, REFUSAL_S = 200e-6, 40e-6  # what a request costs in the application, and what refusing it does


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_loop_that_has_never_beaten_is_not_behind() -> None:
    assert not Pulse(Clock()).behind()


def test_a_round_that_is_late_after_a_time_of_calm_may_be_longer() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    pulse.beat()
    clock.now_s += INTERVAL_S + HICCUP_MAX_S - 0.001
    assert not pulse.behind()
    clock.now_s += 0.002
    assert pulse.behind()
    pulse.beat()
    clock.now_s += CALM_S + 0.001
    pulse.beat()  # late itself
    for _ in range(round(CALM_S / INTERVAL_S) + 1):
        clock.now_s += INTERVAL_S
        pulse.beat()
    clock.now_s += INTERVAL_S + HICCUP_MAX_S - 0.001
    assert not pulse.behind()


def test_behind_begins_when_a_second_beat_is_overdue_and_ends_with_the_next() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    pulse.beat()
    clock.now_s += INTERVAL_S + BEHIND_MAX_S + 0.001
    pulse.beat()
    clock.now_s += INTERVAL_S + BEHIND_MAX_S - 0.001
    assert not pulse.behind()
    clock.now_s += 0.002
    assert pulse.behind()
    pulse.beat()
    assert not pulse.behind()


async def test_a_loop_that_was_held_up_is_behind_until_it_comes_round_and_a_stopped_pulse_never_is() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    keeping = asyncio.create_task(pulse.keep())
    await asyncio.sleep(0)
    clock.now_s += 2.0
    assert pulse.behind()
    await asyncio.sleep(3 * INTERVAL_S)
    assert not pulse.behind()
    clock.now_s += 2.0
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping
    assert not pulse.behind()


class Run(NamedTuple):
    """How 10 s of load went, and the half load after it."""

    wait_s: float  # the longest, of what was accepted
    refused: float  # share
    recovery_s: float  # after the load halved: until the last that was refused, or waited for longer than a beat


def run(rate: float, *, shedding: bool) -> Run:
    """Requests at a rate for 10 s, none of which waits for another's answer; then at half of what can be sustained."""
    clock = Clock()
    pulse = Pulse(clock)
    due, came_s, began_s = deque[float](), clock.now_s, clock.now_s
    seen: list[tuple[float, float, bool]] = []
    while clock.now_s < began_s + 30:
        pulse.beat()
        while came_s < clock.now_s:
            due.append(came_s)
            came_s += 1 / rate if came_s < began_s + 10 else 2 * WORK_S
        for _ in range(len(due)):
            refused = shedding and pulse.behind()
            clock.now_s += REFUSAL_S if refused else WORK_S
            seen.append((due[0], clock.now_s - due.popleft(), refused))
        clock.now_s += 0.001
    accepted = [wait_s for _, wait_s, refused in seen if not refused]
    late_s = [at_s for at_s, wait_s, refused in seen if refused or wait_s > INTERVAL_S]
    return Run(max(accepted), 1 - len(accepted) / len(seen), max([0.0, *(at_s - began_s - 10 for at_s in late_s)]))


@pytest.mark.parametrize("times", [1.5, 2, 3, 4])
def test_the_longest_wait_is_bounded_by_what_refusing_costs_and_recovery_is_at_once(times: float) -> None:
    found = run(times / WORK_S, shedding=True)
    full_s = INTERVAL_S + BEHIND_MAX_S
    round_s = full_s / (1 - times * REFUSAL_S / WORK_S)  # full of work first, and then of refusing what came meanwhile
    assert found.wait_s < HICCUP_MAX_S + round_s + full_s + 0.01
    assert 0.1 < found.refused < 1
    assert found.recovery_s < round_s + 2 * full_s


def test_without_shedding_the_same_load_waits_for_seconds_and_takes_as_long_to_recover() -> None:
    found = run(2 / WORK_S, shedding=False)
    assert found.wait_s > 4
    assert found.recovery_s > 4


def test_nothing_is_refused_at_nine_tenths_of_what_can_be_sustained() -> None:
    assert run(0.9 / WORK_S, shedding=True).refused == 0
