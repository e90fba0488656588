"""What becomes of a batch that was not stored; and how it is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall import errors
from footfall.client import policy
from footfall.client.batches import Batch, batches, give_keys, unpacked
from footfall.client.buffer import Waiting
from footfall.client.policy import Action, decide
from footfall.core.keys import WINDOW_EPOCHS
from footfall.core.visit import BATCH_BYTES_MAX
from footfall.errors import FootfallError

SURE = [
    errors.UnreachableError("x"),
    errors.RateLimitedError("x"),
    errors.OverloadedError("x"),
    errors.NotReadyError("x"),
    errors.SpoolFullError("x"),
    errors.UnauthorizedError("x"),
    errors.ForbiddenError("the token may not write"),
]
UNSURE = [errors.UnavailableError("x"), errors.LogUnavailableError("x"), errors.LogFullError("x"), FootfallError("x")]


@pytest.mark.parametrize("error", SURE)
def test_what_was_refused_as_a_whole_was_not_counted_and_is_sent_again(error: FootfallError) -> None:
    assert decide(error, 3) == (Action.AGAIN, False, 0)


@pytest.mark.parametrize("error", UNSURE)
@pytest.mark.parametrize("visits", [1, 3])
def test_what_has_no_answer_may_have_been_counted_and_is_sent_again(error: FootfallError, visits: int) -> None:
    assert decide(error, visits) == (Action.AGAIN, True, 0)


def test_a_visit_that_is_named_is_dropped_alone() -> None:
    assert decide(errors.InvalidVisitError("x", 2), 3) == (Action.DROP, False, 2)
    assert decide(errors.ForbiddenError("x", 0), 3) == (Action.DROP, False, 0)
    assert decide(errors.InvalidVisitError("x"), 1) == (Action.DROP, False, 0)


@pytest.mark.parametrize(
    "error", [errors.TooLargeError("x"), errors.TooManyCountersError("x"), errors.CallerError("x")]
)
def test_where_it_is_not_known_which_visit_is_refused_halves_are_tried(error: FootfallError) -> None:
    assert decide(error, 2).action is Action.HALVE
    assert decide(error, 1).action is Action.DROP


def test_an_index_that_no_visit_has_is_not_believed() -> None:
    assert decide(errors.InvalidVisitError("x", 3), 3).action is Action.HALVE


def test_visits_that_are_refused_for_the_same_reason_go_together() -> None:
    visits = [Waiting("shop"), Waiting("blog"), Waiting("shop", "ann"), Waiting("shop", None, "k")]
    kept, refused = policy.parted(errors.ForbiddenError("x"), visits, 0)
    assert (kept, len(refused)) == ([visits[1]], 3)
    kept, refused = policy.parted(errors.VisitorRequiredError("x"), visits, 0)
    assert kept == [visits[1], visits[2]]
    kept, refused = policy.parted(errors.CountOverflowError("x"), visits, 3)
    assert refused == [visits[3]]
    kept, refused = policy.parted(errors.InvalidVisitError("x"), visits, 2)
    assert refused == [visits[2]]


def test_halves_keep_order_and_doubt() -> None:
    visits = [Waiting(name) for name in "abc"]
    first, second = policy.halves(Batch(visits, 5.0))
    assert [*first.visits, *second.visits] == visits
    assert (first.unsure_since_s, second.unsure_since_s) == (5.0, 5.0)


def test_a_batch_is_late_a_minute_before_keys_are_forgotten() -> None:
    assert policy.UNSURE_S_MAX + 60 <= WINDOW_EPOCHS * 10
    assert not policy.is_late(None, 1e9)
    assert not policy.is_late(100.0, 100.0 + policy.UNSURE_S_MAX)
    assert policy.is_late(100.0, 100.1 + policy.UNSURE_S_MAX)


def test_a_clock_that_was_set_back_is_not_trusted() -> None:
    assert not policy.is_late(100.0, 99.0)
    assert policy.is_late(100.0, 10.0)


@given(st.integers(1, 10_000), st.floats(0, 1e6), st.floats(0, 1))
def test_a_pause_is_bounded_and_as_long_as_the_node_asks(failures: int, retry_after_s: float, chance: float) -> None:
    pause_s = policy.backoff_s(failures, retry_after_s, chance)
    assert policy.PAUSE_MIN_S / 2 <= pause_s <= policy.RETRY_AFTER_S_MAX
    assert pause_s >= min(retry_after_s, policy.RETRY_AFTER_S_MAX)


def test_pauses_grow_and_differ() -> None:
    assert policy.backoff_s(1, 0, 1.0) < policy.backoff_s(2, 0, 1.0) < policy.backoff_s(5, 0, 1.0)
    assert policy.backoff_s(3, 0, 0.0) == policy.backoff_s(3, 0, 1.0) / 2


@given(st.lists(st.tuples(st.text('ab"\\ü', min_size=1, max_size=64), st.none() | st.just("k"))), st.integers(60, 400))
def test_batches_hold_all_visits_in_order_within_their_bytes(who: list[tuple[str, str | None]], bytes_max: int) -> None:
    visits = [Waiting("shop", visitor, key) for visitor, key in who]
    made = list(batches(visits, bytes_max))
    assert [visit for batch in made for visit in batch.visits] == visits
    assert all(len(batch.body) <= bytes_max or len(batch.visits) == 1 for batch in made)


def test_visits_that_fill_a_request_are_cut_into_two() -> None:
    made = list(batches([Waiting("shop", "x" * 256)] * 10_000))
    assert len(made) > 1
    assert all(len(batch.body) <= BATCH_BYTES_MAX for batch in made)


def test_every_visit_has_a_key_and_ones_own_is_kept() -> None:
    visits = [Waiting("shop"), Waiting("shop", key="mine"), Waiting("shop")]
    give_keys(visits, "client", 7)
    assert [visit.key for visit in visits] == ["client-7", "mine", "client-9"]


def test_a_batch_is_the_same_after_it_was_packed() -> None:
    batch = Batch([Waiting("shop", "ann", "k", 5), Waiting("blog")], 12.5)
    assert unpacked(batch.packed, 12.5) == batch
    assert batch.count == 6
