"""Counters' names and units."""

import string

import pytest
from core_laws import law
from hypothesis import strategies as st

from footfall.core.names import Unit, check_name, check_unit, is_name, lineage
from footfall.errors import InvalidNameError, UnknownUnitError

LETTERS = string.ascii_letters + string.digits + "_-"
PARTS = st.lists(st.text(LETTERS, min_size=1, max_size=20), min_size=1, max_size=8)


def may_name(text: str) -> bool:
    parts = text.split(".")
    return len(text) <= 200 and len(parts) <= 8 and all(part and set(part) <= set(LETTERS) for part in parts)


@law(PARTS.map(".".join))
def test_one_to_eight_parts_of_letters_digits_underscores_and_dashes_name_a_counter(name: str) -> None:
    assert is_name(name)
    assert check_name(name) == name


@law(st.text(LETTERS + ".. \né٣", max_size=12) | st.text(max_size=12))
def test_nothing_else_does(text: str) -> None:
    assert is_name(text) == may_name(text)
    if not may_name(text):
        with pytest.raises(InvalidNameError, match="cannot name a counter"):
            check_name(text)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a" * 200, True),
        ("a" * 201, False),
        (".".join("abcdefgh"), True),
        (".".join("abcdefghi"), False),
        (".".join(["a" * 24] * 8), True),
        (".".join(["a" * 25] * 8), False),
        ("a\n", False),
        ("\na", False),
        ("a.", False),
        (".a", False),
        ("a..b", False),
        ("", False),
        ("٣", False),  # a digit, and not an ASCII one
    ],
)
def test_the_limits_are_exact(text: str, named: bool) -> None:
    assert is_name(text) is named
    assert may_name(text) is named


def test_a_long_name_is_shown_shortened_and_a_short_one_whole() -> None:
    with pytest.raises(InvalidNameError) as long:
        check_name("ü" * 61)
    assert "ü" * 57 + "..." in str(long.value)
    assert "ü" * 58 not in str(long.value)
    with pytest.raises(InvalidNameError) as short:
        check_name("ü" * 60)
    assert "ü" * 60 in str(short.value)


def test_a_unit_is_visits_or_visitors() -> None:
    assert check_unit("visits") is Unit.VISITS
    assert check_unit("visitors") is Unit.VISITORS
    for text in ("", "Visits", "visit", "hits"):
        with pytest.raises(UnknownUnitError, match="write visits or visitors"):
            check_unit(text)


@law(PARTS)
def test_a_visit_adds_to_every_beginning_of_the_name_the_root_first(parts: list[str]) -> None:
    found = lineage(".".join(parts))
    assert [name.split(".") for name in found] == [parts[:depth] for depth in range(1, len(parts) + 1)]
