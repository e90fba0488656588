"""When a milestone is near."""

from core_laws import law
from hypothesis import strategies as st

from footfall.core.closing import RATE_OVER_S, Rate, is_near

ENTRY_MAX = 2**63 - 1
COUNT = st.integers(0, 1000) | st.integers(0, ENTRY_MAX)
PER_S = st.floats(0, 1e6)


def rate_of(*seen: tuple[float, int]) -> Rate:
    rate = Rate()
    for now_s, value in seen:
        rate.see(now_s, value)
    return rate


# --- nearness ---


def test_a_milestone_is_near_from_its_share_of_n_on() -> None:
    assert [value for value in (998, 999, 1000, 1001) if is_near(1000, value, 0.0, 0.999, 60.0)] == [999, 1000, 1001]


def test_a_milestone_is_near_that_the_present_rate_reaches_within_a_minute() -> None:
    assert not is_near(1_000_000, 400_000, 9_999.0, 0.999, 60.0)
    assert is_near(1_000_000, 400_000, 10_000.0, 0.999, 60.0)


def test_with_a_share_of_nothing_every_milestone_is_near() -> None:
    assert is_near(ENTRY_MAX, 0, 0.0, 0.0, 60.0)


@law(st.integers(1, ENTRY_MAX), COUNT, PER_S, st.floats(0, 1))
def test_a_milestone_that_was_passed_is_near(n: int, beyond: int, per_s: float, share: float) -> None:
    assert is_near(n, n + beyond, per_s, share, 60.0)


@law(st.integers(1, ENTRY_MAX), COUNT, COUNT, PER_S, PER_S, st.floats(0, 1))
def test_what_is_near_stays_near_when_the_count_or_the_rate_rises(
    n: int, value: int, more: int, per_s: float, faster: float, share: float
) -> None:
    if is_near(n, value, per_s, share, 60.0):
        assert is_near(n, value + more, per_s, share, 60.0)
        assert is_near(n, value, per_s + faster, share, 60.0)


# --- the rate ---


def test_a_counter_that_was_seen_at_one_time_only_has_no_rate() -> None:
    assert rate_of((5.0, 7)).per_s == 0
    assert rate_of((5.0, 7), (5.0, 9)).per_s == 0


def test_a_counter_that_was_never_seen_has_no_rate() -> None:
    assert Rate().per_s == 0


def test_the_rate_is_what_was_added_over_the_time_that_it_took() -> None:
    assert rate_of((5.0, 100), (6.0, 300), (9.0, 300)).per_s == 50


def test_only_the_last_seconds_tell_the_rate() -> None:
    assert RATE_OVER_S == 10
    assert rate_of((0.0, 0), (5.0, 5_000), (10.0, 5_000)).per_s == 500
    assert rate_of((0.0, 0), (5.0, 5_000), (10.5, 5_000)).per_s == 0
    assert rate_of((0.0, 0), (100.0, 5_000)).per_s == 0


@law(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 1000)), min_size=1, max_size=200))
def test_no_more_is_remembered_than_the_last_seconds(steps: list[tuple[float, int]]) -> None:
    rate, now_s, value = Rate(), 0.0, 0
    for later_s, added in steps:
        now_s, value = now_s + later_s, value + added
        rate.see(now_s, value)
        assert now_s - rate._seen[0][0] <= RATE_OVER_S
        assert rate.per_s >= 0
