"""Numbers in order read as people say them, wherever a person reads them."""

import re
from pathlib import Path

import pytest

from footfall.ordinals import ordinal

SOURCE = Path(__file__).parents[2] / "src" / "footfall"


@pytest.mark.parametrize(
    ("n", "said"),
    [
        (1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (10, "10th"), (11, "11th"), (12, "12th"), (13, "13th"),
        (20, "20th"), (21, "21st"), (22, "22nd"), (23, "23rd"), (101, "101st"), (111, "111th"), (112, "112th"),
        (113, "113th"), (1_000, "1,000th"), (1_011, "1,011th"), (1_000_003, "1,000,003rd"),
        (100_000_000_000, "100,000,000,000th"),
    ],
)  # fmt: skip
def test_the_end_of_a_number_in_order_is_the_one_that_people_say(n: int, said: str) -> None:
    assert ordinal(n) == said


def test_no_message_makes_its_own_ordinals() -> None:
    own = re.compile(r"\}-?th\b|%d-?th\b")
    assert not [str(file) for file in SOURCE.rglob("*.py") if own.search(file.read_text())]
