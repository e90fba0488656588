"""Visits that wait in memory: bounded, in order, and merged only where nobody can tell."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.client.buffer import Buffer, Waiting
from footfall.core.visit import COUNT_MAX
from footfall.errors import InvalidNameError, InvalidVisitError

NAMES = st.sampled_from(["shop", "shop.a", "shop.b", "blog", "blog.x"])
VISITS = st.lists(st.tuples(NAMES, st.sampled_from([None, None, "ann", "bob"]), st.integers(1, 5)))


def put(buffer: Buffer, counter: str, visitor: str | None = None, count: int = 1, key: str | None = None) -> int:
    return buffer.put(counter, visitor, count, key)


def test_plain_visits_of_a_counter_become_one_with_a_count() -> None:
    buffer = Buffer(10)
    assert [put(buffer, name) for name in ("shop", "shop", "blog", "shop")] == [1, 0, 2, 0]
    assert buffer.take(10) == [Waiting("shop", count=3), Waiting("blog")]
    assert len(buffer) == 0


@pytest.mark.parametrize(("visitor", "key"), [("ann", None), (None, "k")])
def test_a_visit_does_not_overtake_one_that_is_somebodys_in_the_same_tree(visitor: str | None, key: str | None) -> None:
    buffer = Buffer(10)
    put(buffer, "shop.a")
    put(buffer, "shop.b", visitor, key=key)
    put(buffer, "shop.a")
    assert [visit.count for visit in buffer.take(10)] == [1, 1, 1]


def test_a_visit_to_another_tree_is_no_obstacle() -> None:
    buffer = Buffer(10)
    put(buffer, "shop")
    put(buffer, "blog", "ann")
    put(buffer, "shop")
    assert buffer.take(10) == [Waiting("shop", count=2), Waiting("blog", "ann")]


def test_what_was_taken_changes_no_more() -> None:
    buffer = Buffer(10)
    put(buffer, "shop")
    (taken,) = buffer.take(10)
    put(buffer, "shop")
    assert taken.count == 1
    assert buffer.take(10) == [Waiting("shop")]


def test_a_merged_count_stays_within_what_a_visit_may_have() -> None:
    buffer = Buffer(10)
    put(buffer, "shop", count=COUNT_MAX)
    put(buffer, "shop")
    assert [visit.count for visit in buffer.take(10)] == [COUNT_MAX, 1]


@given(VISITS)
def test_the_nth_visitor_of_every_counter_is_the_same_as_without_merging(
    visits: list[tuple[str, str | None, int]],
) -> None:
    buffer = Buffer(1000)
    for visit in visits:
        put(buffer, *visit)
    merged = buffer.take(1000)
    for top in ("shop", "blog", "shop.a", "blog.x"):
        one_by_one = [who for name, who, count in visits if f"{name}.".startswith(f"{top}.") for _ in range(count)]
        got = [one.visitor for one in merged if f"{one.counter}.".startswith(f"{top}.") for _ in range(one.count)]
        assert got == one_by_one


def test_there_is_no_room_beyond_the_bound_but_for_what_merges() -> None:
    buffer = Buffer(2)
    assert [put(buffer, "shop"), put(buffer, "blog"), put(buffer, "other"), put(buffer, "blog")] == [1, 2, -1, 0]
    assert put(buffer, "shop", "ann") == -1
    assert len(buffer.take(10)) == 2


def test_what_was_taken_and_is_not_sent_counts_for_the_bound() -> None:
    buffer = Buffer(2)
    put(buffer, "shop")
    buffer.take(10)
    assert [put(buffer, "shop"), put(buffer, "blog")] == [1, -1]
    buffer.held = 0
    assert put(buffer, "blog") == 2


def test_a_visit_that_comes_while_the_same_thread_takes_one_in_waits_aside_and_is_not_lost() -> None:
    buffer = Buffer(3)
    put(buffer, "shop")
    buffer._inside = True  # as a signal's handler finds it
    assert [put(buffer, "shop"), put(buffer, "shop", "ann"), put(buffer, "shop")] == [2, 3, -1]
    assert buffer.take(10) == [Waiting("shop"), Waiting("shop"), Waiting("shop", "ann")]
    assert put(buffer, "shop") == -1
    buffer.held = 0
    assert put(buffer, "shop") == 1


def test_threads_lose_nothing() -> None:
    buffer = Buffer(1_000_000)
    stop, taken = threading.Event(), 0

    def visit() -> None:
        for _ in range(5_000):
            put(buffer, "shop")
            put(buffer, "shop.a", "ann")

    threads = [threading.Thread(target=visit) for _ in range(4)]
    for thread in threads:
        thread.start()
    while not stop.is_set():
        if not any(thread.is_alive() for thread in threads):
            stop.set()
        taken += sum(visit.count for visit in buffer.take(1_000))
    while rest := buffer.take(1_000):
        taken += sum(visit.count for visit in rest)
    assert taken == 40_000


@pytest.mark.parametrize("name", ["", "a..b", "ünlike", "a" * 201, "a b"])
def test_what_is_no_name_is_refused_at_once(name: str) -> None:
    with pytest.raises(InvalidNameError):
        put(Buffer(1), name)


@pytest.mark.parametrize("count", [0, -1, COUNT_MAX + 1, True, 1.5, "1", None])
def test_what_is_no_count_is_refused_at_once(count: int) -> None:
    with pytest.raises(InvalidVisitError, match="the count is"):
        put(Buffer(1), "shop", count=count)


@pytest.mark.parametrize("text", ["", "x" * 257, "line\nfeed", "\ud800"])
def test_what_is_no_visitor_and_no_key_is_refused_at_once(text: str) -> None:
    with pytest.raises(InvalidVisitError, match="the visitor"):
        put(Buffer(1), "shop", text)
    with pytest.raises(InvalidVisitError, match="the key"):
        put(Buffer(1), "shop", key=text)


def test_what_is_no_text_is_refused_at_once() -> None:
    for arguments in ((5,), ("shop", 5), ("shop", b"ann")):
        with pytest.raises(TypeError, match="text"):
            put(Buffer(1), *arguments)  # type: ignore[arg-type]
