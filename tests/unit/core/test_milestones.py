"""Milestones: of each kind of message the first in log order holds, so that there is one winner and one claim."""

from typing import Any

import msgspec
import pytest
from core_laws import law
from core_model import Wishes
from core_patches import patched
from hypothesis import strategies as st

from footfall.core import milestones as module
from footfall.core.control import Announced, Claimed, Milestone, Proof, Reached, Verdict, Winner
from footfall.core.milestones import Contradiction, Milestones, Standing, Told
from footfall.core.position import Position
from footfall.ordinals import ordinal

ENTRY_MAX = 2**63 - 1
PROOF = Proof(Position("monday"), 0, 0, 1, b"digest")
NAMES = ("a", "a.b", "a.b.c", "d")
COUNTERS = st.sampled_from(NAMES[:3])
N = st.sampled_from([1, 2, 2, 3])
WINNERS = st.builds(Winner, st.none() | st.just("ann"), st.just(b"sha"), st.integers(1, 2), st.just(0), st.just(7))
MILESTONES = st.builds(Milestone, st.just("p"), st.just(1), COUNTERS, N | st.sampled_from([0, -1, ENTRY_MAX + 1]))
MESSAGES = st.one_of(
    MILESTONES,
    MILESTONES,
    st.builds(Verdict, st.just("p"), st.just(1), COUNTERS, N, st.integers(1, 4), st.integers(-1, 3)),
    st.builds(Reached, st.just("p"), st.just(1), COUNTERS, N, WINNERS, st.just(PROOF)),
    st.builds(Announced, st.just("p"), st.just(1), COUNTERS, N),
    st.builds(Claimed, st.just("p"), st.just(1), COUNTERS, N, st.sampled_from([b"one", b"two"])),
)
LOGS = st.lists(MESSAGES, max_size=30)


def milestone(counter: str, n: int) -> Milestone:
    return Milestone("p", 1, counter, n)


def verdict(since: int, value: int, n: int = 10) -> Verdict:
    return Verdict("p", 1, "a", n, since, value)


def reached(visitor: str, index: int = 0, proof: Proof = PROOF) -> Reached:
    return Reached("p", 1, "a", 10, Winner(visitor, b"sha", 5, index, 7), proof)


def claimed(claim: bytes) -> Claimed:
    return Claimed("p", 1, "a", 10, claim)


def folded(*messages: Told) -> tuple[Milestones, list[Contradiction | None]]:
    milestones = Milestones()
    return milestones, [milestones.fold(sequence, message) for sequence, message in enumerate(messages, 1)]


def standing(*messages: Told) -> Standing:
    """What becomes of the tenth of a, where nothing contradicts."""
    milestones, contradictions = folded(*messages)
    assert contradictions == [None] * len(messages)
    found = milestones.find("a", 10)
    assert found is not None
    return found


def plainly(found: Standing) -> dict[str, Any]:
    return {name: getattr(found, name) for name in Standing.__struct_fields__ if name not in ("counter", "n")}


# --- laws ---


@law(LOGS, examples=120)
def test_milestones_are_what_a_dict_of_first_messages_says(log: list[Told]) -> None:
    milestones, contradictions = folded(*log)
    wishes = Wishes()
    kinds = []
    for sequence, message in enumerate(log, 1):
        tag = f"{type(message).__name__.lower()}/1"
        _, _, counter, n, *rest = msgspec.structs.astuple(message)
        kinds.append(wishes.take(sequence, tag, counter, n, *rest))
    assert [found and found.kind for found in contradictions] == kinds
    assert {(one.counter, one.n): plainly(one) for one in milestones} == wishes.found
    assert [(one.counter, one.n) for one in milestones] == list(wishes.found)


@law(LOGS)
def test_the_lists_of_milestones_are_the_milestones_themselves(log: list[Told]) -> None:
    milestones, _ = folded(*log)
    everyone = list(milestones)
    assert len(milestones) == len(everyone)
    assert set(milestones.open()) == {one.counter for one in everyone if one.winner is None}
    assert len(milestones.open()) == len(set(milestones.open()))
    for name in NAMES:
        mine = sorted((one for one in everyone if one.counter == name), key=lambda one: one.n)
        assert milestones.of(name) == mine
        assert milestones.open_of(name) == [one for one in mine if one.open]
        for sequence in range(len(log) + 1):
            assert milestones.since(name, sequence) == any(
                one.open and one.since > sequence and (name == one.counter or name.startswith(one.counter + "."))
                for one in everyone
            )


@law(LOGS, LOGS)
def test_a_winner_a_claim_and_a_value_once_told_stay_for_ever(before: list[Told], after: list[Told]) -> None:
    milestones, _ = folded(*before)
    known = list(milestones)
    for sequence, message in enumerate(after, len(before) + 1):
        milestones.fold(sequence, message)
    for one in known:
        found = milestones.find(one.counter, one.n)
        if one.winner is not None:
            assert found is not None
            assert (found.since, found.winner, found.proof, found.reached) == (
                one.since,
                one.winner,
                one.proof,
                one.reached,
            )
            assert one.claim in (None, found.claim)
        if one.value >= 0:
            assert found is not None
            assert found.value == one.value


@law(LOGS, LOGS)
def test_milestones_made_of_their_standings_go_on_in_the_same_way(before: list[Told], after: list[Told]) -> None:
    milestones, _ = folded(*before)
    again = Milestones(list(milestones))
    for sequence, message in enumerate(after, len(before) + 1):
        assert milestones.fold(sequence, message) == again.fold(sequence, message)
    assert list(again) == list(milestones)
    assert set(again.open()) == set(milestones.open())


# --- the life of one ---


def test_a_milestone_is_undecided_until_its_verdict_and_open_until_its_winner() -> None:
    wish = standing(milestone("a", 10))
    assert (wish.since, wish.value, wish.undecided, wish.open) == (1, -1, True, True)
    decided = standing(milestone("a", 10), verdict(1, 9))
    assert (decided.value, decided.undecided, decided.open) == (9, False, True)
    won = standing(milestone("a", 10), verdict(1, 9), reached("ann"))
    assert (won.undecided, won.open, won.reached, won.proof) == (False, False, 3, PROOF)
    assert won.winner == Winner("ann", b"sha", 5, 0, 7)


def test_a_winner_may_be_told_before_the_verdict() -> None:
    won = standing(milestone("a", 10), reached("ann"))
    assert (won.undecided, won.open, won.value) == (False, False, -1)
    assert standing(milestone("a", 10), reached("ann"), verdict(1, 9)).value == 9


def test_a_milestone_that_was_passed_when_it_was_set_is_void_and_may_be_wished_for_again() -> None:
    milestones, contradictions = folded(milestone("a", 10), verdict(1, 10))
    assert contradictions == [None, None]
    assert milestones.find("a", 10) is None
    assert (len(milestones), milestones.open()) == (0, [])
    milestones.fold(3, milestone("a", 10))
    assert milestones.fold(4, verdict(1, 3)) is None  # of the first wish
    again = milestones.find("a", 10)
    assert again is not None
    assert (again.since, again.undecided) == (3, True)


def test_a_second_wish_for_the_same_milestone_changes_nothing() -> None:
    assert standing(milestone("a", 10), milestone("a", 10), verdict(1, 0), milestone("a", 10)).since == 1


def test_the_first_claim_holds_and_only_a_winner_can_be_claimed_and_announced() -> None:
    early = standing(milestone("a", 10), claimed(b"one"), Announced("p", 1, "a", 10))
    assert (early.claim, early.announced) == (None, False)
    late = standing(milestone("a", 10), reached("ann"), claimed(b"one"), claimed(b"two"), Announced("p", 1, "a", 10))
    assert (late.claim, late.announced) == (b"one", True)


def test_what_is_told_of_a_milestone_that_there_is_not_changes_nothing() -> None:
    milestones, contradictions = folded(verdict(1, 0), reached("ann"), Announced("p", 1, "a", 10), claimed(b"one"))
    assert contradictions == [None] * 4
    assert list(milestones) == []


def test_one_counter_may_have_several_and_they_do_not_know_of_each_other() -> None:
    milestones, _ = folded(milestone("a", 100), milestone("a", 10), milestone("a.b", 10), reached("ann"))
    assert [one.n for one in milestones.of("a")] == [10, 100]
    assert [one.n for one in milestones.open_of("a")] == [100]
    assert milestones.open() == ["a", "a.b"]


# --- contradictions ---


def test_two_judges_who_agree_are_no_contradiction_though_they_began_at_different_cuts() -> None:
    other = Proof(Position("monday", 3, b"digest"), 1, 4, 2, b"other")
    won = standing(milestone("a", 10), reached("ann"), reached("ann", proof=other))
    assert (won.proof, won.reached) == (PROOF, 2)


def test_a_second_winner_is_a_contradiction_and_never_replaces_the_first() -> None:
    milestones, (*_, contradiction) = folded(milestone("a", 10), reached("ann"), reached("bob", index=1))
    assert contradiction == Contradiction(
        "winner",
        "10 of a: the winner is entry 0 of sequence 5 (visitor ann), "
        "and another judge found entry 1 of sequence 5 (visitor bob)",
    )
    (found,) = milestones
    assert found.winner is not None
    assert found.winner.visitor == "ann"


def test_a_second_verdict_that_tells_another_count_is_a_contradiction() -> None:
    milestones, contradictions = folded(milestone("a", 10), verdict(1, 4), verdict(1, 4), verdict(1, 5))
    assert contradictions == [None, None, None, Contradiction("verdict", "10 of a: 4 was counted, and now 5")]
    assert [one.value for one in milestones] == [4]


def test_a_milestone_that_was_reached_cannot_be_void() -> None:
    milestones, (*_, contradiction) = folded(milestone("a", 10), reached("ann"), verdict(1, 10))
    assert contradiction is not None
    assert contradiction.kind == "verdict"
    assert "was reached, and is said to have been passed" in contradiction.detail
    assert len(milestones) == 1


def test_a_count_below_nothing_is_no_verdict() -> None:
    milestones, (*_, contradiction) = folded(milestone("a", 10), verdict(1, -1))
    assert contradiction == Contradiction("malformed", "10 of a: -1 cannot have been counted")
    assert [one.undecided for one in milestones] == [True]


# --- bounds ---


@pytest.mark.parametrize("n", [0, -1, ENTRY_MAX + 1])
def test_there_is_no_such_visitor(n: int) -> None:
    milestones, (contradiction,) = folded(milestone("a", n))
    assert contradiction == Contradiction("malformed", f"a cannot have a {ordinal(n)}")
    assert len(milestones) == 0


@pytest.mark.parametrize("n", [1, ENTRY_MAX])
def test_the_first_and_the_last_that_can_be_counted_may_be_wished_for(n: int) -> None:
    milestones, contradictions = folded(milestone("a", n), verdict(1, n - 1, n))
    assert contradictions == [None, None]
    assert [(one.n, one.value) for one in milestones] == [(n, n - 1)]


def test_there_are_no_more_milestones_than_a_log_may_have_and_the_reached_ones_count() -> None:
    with patched(module, MILESTONES_MAX=2):
        milestones, contradictions = folded(milestone("a", 10), milestone("b", 1), reached("ann"), milestone("c", 3))
        assert contradictions[3] == Contradiction("milestones", "3 of c is not set: there are 2 milestones already")
        assert milestones.find("c", 3) is None
        assert milestones.fold(5, milestone("b", 1)) is None
        milestones.fold(6, Verdict("p", 1, "b", 1, 2, 1))
        assert milestones.fold(7, milestone("c", 3)) is None  # the void one has made room
    assert [one.counter for one in milestones] == ["a", "c"]
