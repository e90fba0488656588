"""How often a request is made until it is answered: by which node, how long each may take, and when it is the end."""

import contextlib

import pytest

from footfall.client.policy import PAUSE_MAX_S, UNSURE_S_MAX
from footfall.client.retries import ATTEMPT_S_MIN, Attempt, Retries
from footfall.errors import ForbiddenError, NotReadyError, RateLimitedError, UnavailableError, UnreachableError


def test_a_request_asks_every_node_before_it_waits() -> None:
    retries = Retries(("a", "b", "c"), 1, 10.0, 0.0)
    error = NotReadyError("x")
    tried = [retries.begin(0.0, 15.0).url]
    for _ in range(2):
        assert retries.failed(error, 0.0, 1.0) == 0.0
        tried.append(retries.begin(0.0, 15.0).url)
    assert tried == ["b", "c", "a"]
    assert retries.failed(error, 0.0, 1.0) > 0


def test_a_request_ends_with_its_time_with_a_refusal_and_not_elsewhere_for_a_rate() -> None:
    retries = Retries(("a", "b"), 0, 10.0, 0.0)
    assert retries.failed(RateLimitedError("x", 4.0), 0.0, 1.0) == 4.0
    assert retries.begin(4.0, 15.0).url == "a"
    with pytest.raises(RateLimitedError):
        retries.failed(RateLimitedError("x", 4.0), 6.5, 1.0)
    with pytest.raises(ForbiddenError):
        retries.failed(ForbiddenError("x"), 0.0, 1.0)


@pytest.mark.parametrize(("counts", "ends_s"), [(True, UNSURE_S_MAX), (False, 3600.0)])
def test_a_request_with_visits_ends_before_their_keys_are_forgotten(counts: bool, ends_s: float) -> None:
    retries, now_s = Retries(("a",), 0, 3600.0, 0.0, counts=counts), 0.0
    with contextlib.suppress(UnavailableError):
        while True:
            retries.begin(now_s, 15.0)
            now_s += retries.failed(UnavailableError("the answer was lost"), now_s, 1.0)
    assert ends_s - PAUSE_MAX_S <= now_s <= ends_s


def test_a_request_with_visits_asks_no_other_node_when_the_first_was_silent_for_too_long() -> None:
    retries = Retries(("a", "b"), 0, 3600.0, 0.0, counts=True)
    retries.begin(0.0, 15.0)
    with pytest.raises(UnavailableError):
        retries.failed(UnavailableError("no answer"), UNSURE_S_MAX + 1, 1.0)


def test_every_node_gets_its_share_of_the_time() -> None:
    retries = Retries(("a", "b"), 0, 3.0, 0.0)
    assert retries.begin(0.0, 15.0) == Attempt("a", 1.5, 0.0)
    retries.failed(UnavailableError("no answer"), 1.5, 1.0)
    assert retries.begin(1.5, 15.0) == Attempt("b", 1.5, 0.0)
    retries.failed(UnavailableError("no answer"), 2.0, 1.0)
    assert retries.begin(2.1, 15.0).longest_s == ATTEMPT_S_MIN
    assert Retries(("a",), 0, 100.0, 0.0).begin(0.0, 15.0).longest_s == 15.0
    assert Retries(("a",), 0, 0.0, 0.0).begin(0.0, 15.0).longest_s == ATTEMPT_S_MIN


def test_visits_tell_how_long_ago_they_may_have_been_counted() -> None:
    retries = Retries(("a",), 0, 100.0, 0.0, counts=True)
    ages_s = []
    for now_s, error in ((0.0, UnreachableError("x")), (1.0, UnavailableError("x")), (3.0, UnreachableError("x"))):
        ages_s.append(retries.begin(now_s, 15.0).age_s)
        retries.failed(error, now_s + 0.5, 1.0)
    assert [*ages_s, retries.begin(9.0, 15.0).age_s] == [0.0, 0.0, 2.0, 8.0]


def test_a_read_has_no_age() -> None:
    retries = Retries(("a",), 0, 100.0, 0.0)
    retries.begin(0.0, 15.0)
    retries.failed(UnavailableError("x"), 1.0, 1.0)
    assert retries.begin(9.0, 15.0).age_s == 0.0
