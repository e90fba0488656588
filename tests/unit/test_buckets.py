"""Token buckets, against a model that is filled drop by drop, and their bound."""

from fractions import Fraction
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.web.buckets import Buckets, Limit


class Model:
    """A bucket in exact numbers."""

    def __init__(self, limit: Limit) -> None:
        self.size = Fraction(limit.at_once)
        self.per_s = Fraction(limit.per_s)
        self.left, self.at_s = self.size, Fraction(0)

    def at(self, now_s: Fraction) -> Fraction:
        return min(self.size, self.left + (now_s - self.at_s) * self.per_s)


quarters = st.integers(0, 40).map(lambda n: Fraction(n, 4))


@given(
    per_s=st.sampled_from([0.25, 0.5, 1, 2, 4]),
    burst_s=st.sampled_from([0.25, 1, 2, 8]),
    steps=st.lists(st.tuples(quarters, st.integers(1, 12)), max_size=30),
)
def test_a_bucket_gives_what_an_exact_one_gives(
    per_s: float, burst_s: float, steps: list[tuple[Fraction, int]]
) -> None:
    limit = Limit(per_s, burst_s)
    model, buckets, now_s = Model(limit), Buckets(10), Fraction(1000)
    for pause_s, cost in steps:
        now_s += pause_s
        left = model.at(now_s)
        wait_s = buckets.wait_s("a", cost, limit, float(now_s))
        if cost > model.size:
            assert wait_s == inf
        elif cost <= left:
            assert wait_s == 0
            buckets.take("a", cost, limit, float(now_s))
            model.left, model.at_s = left - cost, now_s
        else:
            assert wait_s == pytest.approx(float((cost - left) / model.per_s))


def test_sums_of_fractions_do_not_refuse_the_last_of_a_burst() -> None:
    limit, buckets, now_s = Limit(10, 1), Buckets(10), 86_400.123
    for _ in range(10):
        assert buckets.wait_s("a", 1, limit, now_s) == 0
        buckets.take("a", 1, limit, now_s)
    assert buckets.wait_s("a", 1, limit, now_s) == pytest.approx(0.1)
    assert buckets.wait_s("a", 1, limit, now_s + 0.1) == 0


def test_what_is_given_back_was_never_taken() -> None:
    limit, buckets = Limit(1, 2), Buckets(10)
    buckets.take("a", 2, limit, 5.0)
    assert buckets.wait_s("a", 1, limit, 5.0) == 1
    buckets.give_back("a", 2, limit)
    assert buckets.wait_s("a", 2, limit, 5.0) == 0
    buckets.give_back("b", 2, limit)
    assert len(buckets) == 1


def test_keys_have_buckets_of_their_own() -> None:
    limit, buckets = Limit(1, 1), Buckets(10)
    buckets.take("a", 1, limit, 0.0)
    assert buckets.wait_s("a", 1, limit, 0.0) == 1
    assert buckets.wait_s("b", 1, limit, 0.0) == 0


@pytest.mark.parametrize("keys", [3, 4, 50])
def test_a_flood_of_keys_gets_no_more_than_the_buckets_give_that_there_are(keys: int) -> None:
    limit, buckets, now_s, taken = Limit(1, 10), Buckets(3), 0.0, 0
    for number in range(3000):
        now_s += 0.01
        key = number % keys
        if buckets.wait_s(key, 1, limit, now_s) == 0:
            buckets.take(key, 1, limit, now_s)
            taken += 1
        assert len(buckets) <= 3
    assert taken <= 3 * (10 + 30)


def test_at_the_bound_the_least_recently_seen_makes_room_and_who_comes_finds_a_full_bucket_if_it_was_full() -> None:
    limit, buckets = Limit(1, 1), Buckets(2)
    buckets.take("a", 1, limit, 0.0)
    buckets.take("b", 1, limit, 9.0)
    assert buckets.wait_s("c", 1, limit, 10.0) == 0
    buckets.take("c", 1, limit, 10.0)
    assert buckets.wait_s("d", 1, limit, 9.5) == pytest.approx(0.5)  # b's, as it was left
    assert len(buckets) == 2
