"""The checker finds what must not be: in small histories, one rule each."""

import pytest
from batches import VISITS, check_batches
from checker import Outcome, check
from history import Attempt, History, Read, Winner, longest_gap_s, stalls_s

from accounts import Place


def key(number: int) -> str:
    """One that is its own receipt."""
    return f"key {number} of the history"


def visit(number: int, begin_s: float, stored: str = "log", node: str = "a", **changes: object) -> Attempt:
    """One that took a tenth of a second."""
    told = key(number) if stored else ""
    made = Attempt(begin_s, begin_s + 0.1, node, "site", f"visitor {number}", key(number), stored, told)
    return made._replace(**changes)


def history(*attempts: Attempt, reads: tuple[Read, ...] = (), winners: tuple[Winner, ...] = ()) -> History:
    """A history of these."""
    made = History()
    made.attempts, made.reads, made.winners = [*attempts], [*reads], [*winners]
    return made


def outcome(*numbers: int, shown: int | None = None, folded: int | None = None) -> Outcome:
    """A log of these visits, at sequences 1, 2, 3 …"""
    places = [Place(at, 0, f"visitor {number}", key(number)) for at, number in enumerate(numbers, 1)]
    value = len(places)
    return Outcome(
        {"site": places},
        {"site": value if folded is None else folded},
        {"a": {"site": value if shown is None else shown}},
    )


def read(value: int, begin_s: float, end_s: float, *, exact: bool = False, sequence: int = 0) -> Read:
    """What node a told."""
    return Read(begin_s, end_s, "a", "site", value, exact, sequence)


THREE = (visit(1, 1.0), visit(2, 2.0), visit(3, 3.0))


def test_nothing_is_wrong_with_visits_that_count_once_in_their_order() -> None:
    reads = (read(0, 0.0, 0.1), read(2, 2.2, 2.3, exact=True, sequence=2), read(3, 4.0, 4.1))
    winners = (Winner(4.0, "a", "site", 2, 2, 0, "visitor 2"),)
    assert check(history(*THREE, reads=reads, winners=winners), outcome(1, 2, 3)) == []


def test_a_visit_without_an_answer_may_count_or_not() -> None:
    unanswered = visit(3, 3.0, "")
    for found in (outcome(1, 2), outcome(1, 2, 3)):
        assert check(history(visit(1, 1.0), visit(2, 2.0), unanswered), found) == []


def test_a_visit_that_was_sent_again_counts_once() -> None:
    again = history(visit(1, 1.0, ""), visit(1, 2.0, "spool", "b"), visit(1, 3.0))
    assert check(again, outcome(1)) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (outcome(1, 3), "lost: 'key 2 of the history'"),
        (outcome(1, 2, 2, 3), "doubled: 'key 2 of the history' is counted 2 times"),
        (outcome(1, 2, 3, 4), "invented: 'key 4 of the history'"),
        (outcome(2, 1, 3), "reordered: 'key 2 of the history' of site was sent after 'key 1 of the history'"),
        (outcome(1, 2, 3, shown=2), "a shows 2 for site, and the log holds 3"),
        (outcome(1, 2, 3, folded=4), "the fold of the log gives 4 for site, which holds 3"),
    ],
)
def test_a_log_that_does_not_hold_what_was_acknowledged_is_found(found: Outcome, said: str) -> None:
    assert any(problem.startswith(said) for problem in check(history(*THREE), found))


@pytest.mark.parametrize(
    ("reads", "said"),
    [
        ((read(2, 2.2, 2.3), read(1, 2.4, 2.5)), "fell: a showed 2 for site, and then 1"),
        ((read(3, 2.2, 2.3),), "invented: a showed 3 for site, of which 2 were sent by then"),
        ((read(1, 2.2, 2.3, exact=True, sequence=1),), "inexact: a read 1 for site, which was from 2 to 2 then"),
        ((read(2, 2.2, 2.3, exact=True, sequence=3),), "inexact: a read 2 for site at 3, where it is 3"),
    ],
)
def test_a_read_that_cannot_be_is_found(reads: tuple[Read, ...], said: str) -> None:
    assert any(problem.startswith(said) for problem in check(history(*THREE, reads=reads), outcome(1, 2, 3)))


def test_values_of_reads_that_overlap_may_come_in_any_order() -> None:
    assert check(history(*THREE, reads=(read(3, 3.1, 3.4), read(2, 3.0, 3.5))), outcome(1, 2, 3)) == []


def test_a_spooled_visit_may_come_after_one_that_was_sent_later() -> None:
    assert check(history(visit(1, 1.0, "spool"), visit(2, 2.0)), outcome(2, 1)) == []


@pytest.mark.parametrize("who", [1, 3])
def test_another_winner_is_found(who: int) -> None:
    told = tuple(Winner(4.0, node, "site", 2, at, 0, f"visitor {at}") for node, at in (("a", 2), ("b", who)))
    assert [problem[:12] for problem in check(history(*THREE, winners=told), outcome(1, 2, 3))] == ["wrong winner"]


def test_a_winner_before_his_time_is_found() -> None:
    told = (Winner(4.0, "a", "site", 5, 3, 0, "visitor 3"),)
    assert check(history(*THREE, winners=told), outcome(1, 2, 3)) == [
        "a told a winner of the 5-th of site, which has 3"
    ]


def test_a_foreign_receipt_is_found() -> None:
    wrong = visit(1, 1.0)._replace(receipt="another")
    assert check(history(wrong), outcome(1)) == ["a answered 'another' as the receipt of 'key 1 of the history'"]


def test_visitors_are_counted_once_however_often_they_come() -> None:
    twice = history(visit(1, 1.0), visit(2, 2.0)._replace(visitor="visitor 1"))
    assert check(twice, outcome(1)._replace(people=frozenset({"site"}))) == []
    lost = check(history(*THREE), outcome(1, 2)._replace(people=frozenset({"site"})))
    assert lost == ["lost: 'visitor 3' was acknowledged, and is not counted in site"]


def test_many_violations_of_a_kind_are_told_in_few_lines() -> None:
    found = check(history(*(visit(number, number) for number in range(20))), outcome())
    assert len(found) == 6
    assert found[-1] == "… and 15 more like it"


def test_a_gap_is_measured_from_its_begin_to_its_end() -> None:
    assert longest_gap_s([1.0, 2.0, 6.0, 7.0], 1.5, 6.5) == 4.0
    assert longest_gap_s([], 1.0, 3.0) == 2.0
    made = history(visit(1, 1.0), visit(2, 4.0, "spool"), visit(3, 8.0, node="b"))
    found = stalls_s(made, 1.1, 5.1, without="b")
    assert found == pytest.approx({"visits": 3.0, "visits in the log": 4.0, "exact reads": 4.0})


def test_batches_of_which_visits_are_missing_or_too_many_are_found() -> None:
    whole, part = bytearray(b"\1" * VISITS), bytearray(b"\1" * (VISITS - 3) + bytes(3))
    assert check_batches({0, 1}, 2, {0: whole, 1: whole}, {"a": 2 * VISITS}) == []
    assert check_batches({0}, 2, {0: whole, 1: part}, {"a": 2 * VISITS - 3}) == [], "1 was not acknowledged"
    assert check_batches({0, 1}, 2, {0: whole, 1: part}, {"a": 2 * VISITS - 3}) == ["lost: 3 visits of batch 1"]
    assert check_batches({0}, 1, {0: whole, 1: whole}, {"a": 2 * VISITS}) == ["invented: batch 1"]
    assert check_batches({0}, 1, {0: whole}, {"a": VISITS + 1}) == [
        f"a shows {VISITS + 1} visits in batches, and the log holds {VISITS}"
    ]
