"""Durations are counted in buckets, each of which holds the shorter ones, too."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from footfall.node.histogram import BOUNDS_S, Histogram


@given(st.lists(st.floats(0, 100)))
def test_each_bucket_counts_what_was_as_short_as_its_bound(durations_s: list[float]) -> None:
    histogram = Histogram()
    for duration_s in durations_s:
        histogram.note(duration_s)
    buckets = histogram.buckets()
    assert [bound for bound, _ in buckets] == [*map(str, BOUNDS_S), "+Inf"]
    for (_, count), bound_s in zip(buckets, [*BOUNDS_S, float("inf")], strict=True):
        assert count == sum(duration_s <= bound_s for duration_s in durations_s)
    assert all(count <= following for (_, count), (_, following) in pairwise(buckets))
    assert histogram.sum_s == sum(durations_s)
