"""Whether a log still is the one that was counted."""

from typing import NamedTuple

import pytest
from core_laws import law
from hypothesis import strategies as st

from footfall.core.position import Position, at, check, digest
from footfall.errors import LogRewoundError, LogTrimmedError


class Message(NamedTuple):
    sequence: int
    subject: str
    data: bytes


MESSAGES = st.lists(
    st.tuples(st.sampled_from(["footfall.visits.0", "footfall.control"]), st.binary(max_size=4)), min_size=1, max_size=6
).map(lambda drawn: [Message(sequence, *what) for sequence, what in enumerate(drawn, 1)])
MESSAGE = Message(5, "footfall.control", b"data")


def stands(position: Position, log: list[Message], created: str = "monday") -> None:
    """Check a position against a log of these messages, as it is stored."""
    found = next((message for message in log if message.sequence == position.sequence), None)
    check(position, created, log[0].sequence if log else 1, log[-1].sequence if log else 0, found)


@law(MESSAGES, st.data())
def test_a_position_stands_in_its_own_log_however_much_is_added_or_trimmed_below_it(
    log: list[Message], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(log) - 1))
    position = at("monday", log[place])
    assert position.sequence == place + 1
    stands(position, log[: place + 1])
    stands(position, log[data.draw(st.integers(0, place)) :])


@law(MESSAGES, st.data())
def test_a_log_that_lost_its_tail_is_refused(log: list[Message], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(log) - 1))
    with pytest.raises(LogRewoundError, match=f"ends at sequence {place}, but {place + 1} .* it lost its tail"):
        stands(at("monday", log[place]), log[:place])


@law(MESSAGES, st.data(), st.binary(max_size=4), st.booleans())
def test_a_log_with_another_message_at_the_position_is_refused(
    log: list[Message], data: st.DataObject, other: bytes, elsewhere: bool
) -> None:
    place = data.draw(st.integers(0, len(log) - 1))
    position = at("monday", log[place])
    changed = log[place]._replace(data=other)
    if elsewhere:
        changed = changed._replace(subject="footfall.visits.1")
    if (changed.subject, changed.data) == (log[place].subject, log[place].data):
        stands(position, log)
    else:
        with pytest.raises(LogRewoundError, match=f"the message at sequence {place + 1} is not the one .* rewritten"):
            stands(position, [*log[:place], changed, *log[place + 1 :]])


def test_another_log_is_refused_even_if_it_holds_the_same() -> None:
    with pytest.raises(LogRewoundError, match=r"made at tuesday, but .* made at monday: the log was replaced"):
        check(at("monday", MESSAGE), "tuesday", 1, 9, MESSAGE)
    with pytest.raises(LogRewoundError, match="was replaced"):
        check(Position("monday"), "tuesday", 1, 0, None)


@pytest.mark.parametrize("created", ["", "friday", "monday ", "tuesday"])
def test_a_log_that_was_made_at_another_time_is_refused_whether_before_or_after(created: str) -> None:
    with pytest.raises(LogRewoundError, match="was replaced"):
        stands(at("monday", MESSAGE), [MESSAGE], created)


@law(MESSAGES, st.data())
def test_a_log_that_was_trimmed_past_the_position_is_told_from_one_that_was_rewound(
    log: list[Message], data: st.DataObject
) -> None:
    """The message at the position must be there still, or nobody can tell whether it is the same log."""
    place = data.draw(st.integers(0, len(log) - 1))
    rest = log[data.draw(st.integers(place + 1, len(log))) :]
    first = len(log) - len(rest) + 1
    with pytest.raises(LogTrimmedError, match=f"starts at sequence {first}, and {place + 1} was reached: .* trimmed"):
        check(at("monday", log[place]), "monday", first, len(log), None)


def test_a_hole_at_the_position_is_refused() -> None:
    with pytest.raises(LogRewoundError, match="holds sequences 5 to 9, but not 5"):
        check(at("monday", MESSAGE), "monday", 5, 9, None)


@pytest.mark.parametrize(("first", "last"), [(1, 0), (0, 0), (1, 7)])
def test_before_the_first_message_a_log_must_hold_all_that_it_ever_held(first: int, last: int) -> None:
    check(Position("monday"), "monday", first, last, None)


@pytest.mark.parametrize(("first", "last"), [(2, 7), (8, 7), (2, 1)])
def test_before_the_first_message_a_trimmed_log_is_refused(first: int, last: int) -> None:
    with pytest.raises(LogTrimmedError, match=f"starts at sequence {first}, and 0 was reached"):
        check(Position("monday"), "monday", first, last, None)


def test_a_log_that_is_another_one_or_too_short_is_never_taken_for_a_trimmed_one() -> None:
    with pytest.raises(LogRewoundError, match="was replaced"):
        check(at("monday", MESSAGE), "tuesday", 7, 9, None)
    with pytest.raises(LogRewoundError, match="lost its tail"):
        check(at("monday", MESSAGE), "monday", 6, 4, None)


def test_the_digest_of_a_message_stays_what_it_is_and_tells_subject_from_data() -> None:
    assert digest("footfall.control", b"data").hex() == "b27346246dabef5b6e57c92900d43365"
    assert len({digest("a", b"b\0c"), digest("a", b"bc"), digest("ab", b"c"), digest("ab", b"\0c")}) == 4
    assert at("monday", MESSAGE) == Position("monday", 5, digest("footfall.control", b"data"))
