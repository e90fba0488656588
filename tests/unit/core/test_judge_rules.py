"""Each rule of the judge, at its boundary."""

from typing import Any

import pytest
from core_judges import CREATED, SECRET, Book, beginning, judged, place, winners
from core_laws import law
from core_logs import Message, StoredMessage, pack, stored, texts_of, visitors, visits
from core_raffle import Counted
from hypothesis import strategies as st

from footfall.core import control, judge, partition
from footfall.core import visitors as sets
from footfall.core.control import Reached
from footfall.core.judge import framed
from footfall.core.position import Position
from footfall.errors import FormatError

ENTRY_MAX = 2**63 - 1


def named(leaf: str, *texts: str, times: int = 1) -> list[Any]:
    """A section of visits with their visitors."""
    return [leaf, "visits", len(texts), pack(texts), None, times]


@pytest.fixture
def book() -> Book:
    """1: the definitions."""
    book = Book()
    book.define(("a.b", "visits"), ("v", "visitors"), ("v.w", "visitors"))
    return book


# --- which visit it is ---


def test_the_first_visitor_may_be_asked_for(book: Book) -> None:
    book.wish("a", 1)
    book.store(named("a.b", "ann", "bob"))
    (crossing,) = book.won("a")
    assert (crossing.n, place(crossing)) == (1, Counted(3, 0, "ann", None))
    assert (crossing.producer, crossing.partition, crossing.number) == ("p", 0, 1)


def test_one_message_may_reach_several_milestones_the_lowest_first(book: Book) -> None:
    book.wish("a", 5, 2, 9, 3)
    book.store(named("a", "ann", "bob"), visits("a.b", 2), named("a", "eve", "joe"))
    found = book.won("a")
    assert [crossing.n for crossing in found] == [2, 3, 5]
    assert [place(crossing)[1:3] for crossing in found] == [(1, "bob"), (2, None), (4, "eve")]


def test_an_entry_that_stands_for_several_visits_may_win_several_times(book: Book) -> None:
    book.wish("a", 1, 3, 4, 6, 7)
    book.store(named("a", "ann", "bob", times=3), named("a.b", "eve"))
    assert [(crossing.n, crossing.index) for crossing in book.won("a")] == [(1, 0), (3, 0), (4, 1), (6, 1), (7, 2)]


def test_keys_that_were_seen_do_not_win(book: Book) -> None:
    book.wish("a", 2, 3)
    book.store(visits("a", keys=["k"]))
    book.store(["a", "visits", 4, pack(["ann", "bob", "eve", "joe"]), pack(["k", "l", "l", "m"]), 1])
    assert winners(book.won("a")) == {2: Counted(5, 1, "bob", "l"), 3: Counted(5, 3, "joe", "m")}


def test_a_visitor_wins_by_his_first_visit_to_the_counter_in_the_order_in_which_they_came(book: Book) -> None:
    book.wish("v", 2, 3, 4)
    book.wish("v.w", 1, 2)
    book.store(visitors("v", "ann"))
    book.store(visitors("v.w", "ann", "zoe", "bob", "zoe", "eve", "ann"))
    assert {n: one[1:3] for n, one in winners(book.won("v")).items()} == {2: (1, "zoe"), 3: (2, "bob"), 4: (4, "eve")}
    assert {n: one[1:3] for n, one in winners(book.won("v.w")).items()} == {1: (0, "ann"), 2: (1, "zoe")}


def test_of_two_visitors_whose_hashes_collide_only_the_first_counts(book: Book) -> None:
    original = sets.hashes_of
    with pytest.MonkeyPatch.context() as patch:
        for module in (judge, partition):
            patch.setattr(module, "hashes_of", lambda texts: original([text[0] for text in texts]))
        book.wish("v", 2, 3)
        book.store(visitors("v", "ann", "adam", "bob", "bea", "cid"))
        assert book.value("v") == 3
        assert {n: one.visitor for n, one in winners(book.won("v")).items()} == {2: "bob", 3: "cid"}


def test_a_message_that_does_not_count_wins_nothing(book: Book) -> None:
    book.wish("a", 1, 2)
    book.store(visits("a"), producer="early", born=9, sequence=1)
    book.store(visits("a"), chunk=["log", 5, 9])
    book.take(Message(0, b"what is this"))
    book.store(visits("nowhere"), ["a", "visits", 0])
    book.store(visits("a"), sequence=3)
    book.store(visits("a", 5), sequence=3)
    assert winners(book.won("a")) == {1: Counted(8, 0, None, None)}


def test_what_the_message_before_added_is_not_added_again(book: Book) -> None:
    book.wish("a", 3)
    book.store(visits("a", 2))
    for _ in range(3):
        book.take(Message(0, b"\xc1"))
        book.take(book.log[2])
    assert book.won("a") == []
    book.store(visits("a"))
    assert [crossing.sequence for crossing in book.won("a")] == [10]


def test_a_counter_may_be_defined_after_the_judge_has_begun(book: Book) -> None:
    book.store(visits("late"))
    book.wish("late", 1)
    book.define(("late", "visits"))
    assert book.won("late") == []
    book.wish("late", 1)
    book.store(named("late", "ann"))
    assert winners(book.won("late")) == {1: Counted(6, 0, "ann", None)}


def test_a_milestone_counts_from_where_it_was_set_whatever_came_before(book: Book) -> None:
    book.store(visits("a", 4))
    book.wish("a", 4, 5)
    book.store(named("a", "ann"))
    assert winners(book.won("a")) == {5: Counted(5, 0, "ann", None)}


def test_the_last_visit_of_a_message_and_the_first_of_the_next_are_told_apart(book: Book) -> None:
    book.wish("a", 3, 4)
    book.store(named("a", "ann", "bob", "eve"))
    book.store(named("a", "joe", "kim"))
    assert winners(book.won("a")) == {3: Counted(4, 2, "eve", None), 4: Counted(5, 0, "joe", None)}


def test_a_milestone_that_was_reached_or_is_void_is_not_looked_for(book: Book) -> None:
    book.wish("a", 2, 3)
    book.tell("reached/1", "a", 2, [None, b"", 9, 0, 0], [["monday", 0, b""], 0, 0, 1, b""])
    book.tell("verdict/1", "a", 3, 3, 7)
    book.store(visits("a", 5))
    assert book.won("a") == []


def test_visits_of_all_partitions_count_in_the_order_of_the_log() -> None:
    book = Book(3)
    book.define(("v", "visitors"), ("a", "visits"))
    book.wish("v", 3)
    book.wish("a", 3)
    for number in (2, 0, 1):
        book.store(visitors("v", texts_of(number, 3, 1)[0]), visits("a"), partition=number)
    (visitor,), (visit,) = book.won("v"), book.won("a")
    assert (visitor.sequence, visitor.partition, visitor.visitor) == (6, 1, texts_of(1, 3, 1)[0])
    assert (visit.sequence, visit.index) == (6, 1)


# --- imports ---


def test_where_an_import_goes_past_n_the_next_visit_wins(book: Book) -> None:
    book.wish("a", 3, 6, 20)
    book.store(visits("a", 2))
    book.tell("import/1", "a.b", 5, "old", "", 99)
    assert book.won("a") == []
    book.tick()
    book.store(visits("v"))
    book.store(named("a", "ann", "bob"))
    book.store(named("a", "eve"))
    assert winners(book.won("a")) == {3: Counted(9, 0, "ann", None), 6: Counted(9, 0, "ann", None)}


def test_an_import_that_ends_just_below_n_leaves_the_next_visit_the_winner(book: Book) -> None:
    book.wish("a", 10)
    book.tell("import/1", "a", 9, "old", "", 99)
    book.store(named("a", "ann", "bob"))
    assert winners(book.won("a")) == {10: Counted(4, 0, "ann", None)}


def test_where_an_import_ends_at_n_exactly_the_next_visit_wins(book: Book) -> None:
    book.wish("a", 9)
    book.tell("import/1", "a", 9, "old", "", 99)
    book.store(named("a", "ann", "bob"))
    assert winners(book.won("a")) == {9: Counted(4, 0, "ann", None)}


def test_an_import_makes_no_winner_where_n_was_reached_or_passed_before_it(book: Book) -> None:
    book.wish("a", 3)
    book.store(named("a.b", "ann", "bob", "eve"))
    book.wish("a.b", 3)  # passed already, and nobody has told the verdict yet
    book.tell("import/1", "a.b", 5, "old", "", 99)
    book.store(named("a.b", "joe"))
    assert winners(book.won("a")) == {3: Counted(3, 2, "eve", None)}
    assert book.won("a.b") == []


def test_while_a_winner_is_overdue_no_proof_may_begin_at_a_cut(book: Book) -> None:
    book.wish("a", 3)
    book.tick()
    book.tell("import/1", "a", 5, "old", "", 99)
    book.tick()
    judge = beginning("a")
    assert judged(judge, stored(book.log)) == []
    assert judge.epochs == [0, 1]


# --- what cannot be read ---


@pytest.mark.parametrize("packed", [b"", b"\xc1", pack([]), pack(["ann", 7]), pack(["ann", "bob"])])
def test_visitors_that_cannot_be_read_do_not_stop_the_judge(book: Book, packed: bytes) -> None:
    book.wish("a", 3)
    book.store(["a", "visits", 3, packed, None, 1])
    assert winners(book.won("a")) == {3: Counted(3, 2, None, None)}


@pytest.mark.parametrize("malformed", [["a", "visits", -5], ["v", "visitors", -5, b""], ["nowhere", "visits", -5]])
def test_malformed_sections_before_the_winners_take_no_place_where_they_claim_to_hold_less_than_nothing(
    book: Book, malformed: list[Any]
) -> None:
    book.wish("a", 2)
    book.store(malformed, named("a", "ann", "bob"))
    (crossing,) = book.won("a")
    assert crossing.index == 1
    assert len(crossing.receipt(SECRET)) == 32


@pytest.mark.parametrize("first", [["a", "visits", 2**64 - 1, None, b""], ["v", "visits", 2**62]])
def test_a_winner_can_be_told_however_many_entries_a_message_claims_to_hold(book: Book, first: list[Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge, "ENTRIES_MAX", 100)
        book.wish("a", 2)
        book.store(first, first, named("a", "ann", "bob"))
        (crossing,) = book.won("a")
        assert crossing.visitor == "bob"
        winner = crossing.winner(SECRET, 7)
    message = Reached("n", 1, "a", 2, winner, crossing.proof)
    assert control.decode(control.encode(message)) == message


def test_the_count_at_a_milestone_can_be_told_though_all_partitions_are_full() -> None:
    book = Book(3)
    book.define(("a", "visits"))
    for number in range(3):
        book.store(visits("a", times=ENTRY_MAX), partition=number)
    book.wish("a", 7)
    judge = beginning("a", 3)
    judged(judge, stored(book.log))
    assert judge.sums == {5: ENTRY_MAX}
    assert judge.value == 3 * ENTRY_MAX


@law(st.binary(max_size=40))
def test_control_bytes_that_are_no_message_are_passed_over(data: bytes) -> None:
    judge = beginning("a")
    assert judge.fold(StoredMessage(1, "footfall.control", data)) == []
    book = Book()
    book.define(("a", "visits"))
    book.wish("a", 2)
    book.store(visits("a", 2))
    (crossing,) = judged(judge, stored(book.log, 2))
    assert (crossing.sequence, crossing.proof.messages) == (4, 4)


@pytest.mark.parametrize(("subject", "tag"), [("footfall.control", "define/2"), ("footfall.visits.0", "batch/2")])
def test_a_message_of_a_newer_version_stops_the_judge(subject: str, tag: str) -> None:
    with pytest.raises(FormatError):
        beginning("a").fold(StoredMessage(1, subject, pack([tag, "c", 1])))


def test_a_judge_takes_messages_in_log_order_only(book: Book) -> None:
    judge = beginning("a")
    (message,) = stored(book.log)
    judge.fold(message)
    with pytest.raises(AssertionError):
        judge.fold(message)


# --- proofs ---


def test_a_message_is_framed_so_that_no_two_logs_read_alike() -> None:
    assert framed(StoredMessage(258, "ab", b"cde")) == b"\0\0\0\0\0\0\1\2" + b"\0\2ab" + b"\0\0\0\3cde"


def test_a_proof_of_the_whole_log_begins_before_its_first_message(book: Book) -> None:
    book.wish("a", 1)
    book.store(visits("a"))
    (crossing,) = book.won("a")
    assert (crossing.proof.cut, crossing.proof.epoch, crossing.proof.value) == (Position(CREATED), 0, 0)
    assert crossing.proof.messages == 3


def test_a_judge_remembers_the_cut_that_proofs_begin_at_and_the_last_three(book: Book) -> None:
    judge = beginning("a")
    book.tick(6)
    judged(judge, stored(book.log))
    assert judge.epochs == [0, 4, 5, 6]
    judge.rebase(2)
    assert judge.epochs == [0, 4, 5, 6]
    judge.rebase(5)
    assert judge.epochs == [5, 6]
    judge.rebase(5)
    assert judge.epochs == [5, 6]


def test_a_judge_keeps_no_segments_for_cuts_that_it_never_writes(book: Book) -> None:
    judge = beginning("v")
    book.store(visitors("v", "ann"))
    book.store(visitors("v.w", "bob"))
    book.tick()
    judged(judge, stored(book.log))
    assert [seen.added for seen in judge._partitions[0].visitors.values()] == [[], []]
    assert judge.value == 2
