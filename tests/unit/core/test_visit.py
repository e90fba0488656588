"""What a client may send as a visit."""

import pytest
from core_laws import law
from hypothesis import strategies as st

from footfall.core.visit import (
    BATCH_BYTES_MAX,
    BATCH_VISITS_MAX,
    COUNT_MAX,
    KEY_BYTES_MAX,
    VISITOR_BYTES_MAX,
    Visit,
    check_text,
    check_visit,
)
from footfall.errors import InvalidNameError, InvalidVisitError

SHOWN = st.characters(exclude_categories=["C", "Z"])


@law(
    visitor=st.none() | st.text(SHOWN, min_size=1, max_size=64),
    key=st.none() | st.text(SHOWN, min_size=1, max_size=64),
    count=st.integers(1, COUNT_MAX),
)
def test_printable_visitors_and_keys_and_counts_from_one_to_a_billion_are_taken(
    visitor: str | None, key: str | None, count: int
) -> None:
    check_visit(Visit("a.b", visitor, key, count))


@law(st.text(max_size=300))
def test_a_text_is_taken_if_it_is_short_printable_and_not_empty(text: str) -> None:
    fits = 1 <= len(text.encode()) <= 40 and text.isprintable()
    if fits:
        check_text("visitor", text, 40)
    else:
        with pytest.raises(InvalidVisitError):
            check_text("visitor", text, 40)


@pytest.mark.parametrize("count", [0, -1, COUNT_MAX + 1])
def test_a_count_outside_its_range_is_refused(count: int) -> None:
    with pytest.raises(InvalidVisitError, match=f"the count is {count}; it must be .* from 1 to 1000000000") as refusal:
        check_visit(Visit("a", count=count))
    assert refusal.value.index is None


@pytest.mark.parametrize("count", [1, COUNT_MAX])
def test_the_least_and_the_largest_count_are_taken(count: int) -> None:
    check_visit(Visit("a", count=count))


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidNameError):
        check_visit(Visit("a..b"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("x" * 257, "has 257 bytes; at most 256"),
        ("ü" * 129, "has 258 bytes; at most 256"),
        ("🎉" * 65, "has 260 bytes; at most 256"),
        ("\ud800", "not valid Unicode"),
        ("a\nb", "cannot be shown"),
        ("a\0b", "cannot be shown"),
    ],
)
@pytest.mark.parametrize("what", ["visitor", "key"])
def test_a_refusal_says_what_is_wrong_with_which_visit(what: str, text: str, reason: str) -> None:
    visit = Visit("a", visitor=text) if what == "visitor" else Visit("a", "someone", key=text)
    with pytest.raises(InvalidVisitError, match=f"visit 7: the {what} .*{reason}") as refusal:
        check_visit(visit, 7)
    assert refusal.value.index == 7


@pytest.mark.parametrize("text", ["x" * 256, "ü" * 128, "🎉" * 64])
def test_the_limit_is_in_bytes_of_utf8(text: str) -> None:
    assert len(text.encode()) == VISITOR_BYTES_MAX == KEY_BYTES_MAX
    check_visit(Visit("a", text, text))


def test_the_limits_of_a_batch_are_those_that_the_documents_promise() -> None:
    assert (BATCH_VISITS_MAX, BATCH_BYTES_MAX, COUNT_MAX) == (10_000, 1_000_000, 10**9)


def test_a_visit_is_a_value_and_cannot_be_changed() -> None:
    visit = Visit("a", "x")
    with pytest.raises(AttributeError):
        visit.count = 2  # type: ignore[misc]
    assert {visit, Visit("a", "x")} == {visit}


def test_one_visit_by_nobody_is_what_is_meant_when_nothing_is_said() -> None:
    assert Visit("a") == Visit("a", None, None, 1)
