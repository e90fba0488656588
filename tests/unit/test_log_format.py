"""docs/log-format.md tells the truth: a producer can be written from it."""

import re
from pathlib import Path

from footfall.core.batch import Batch, Section, decode, encode, pack
from footfall.core.names import Unit

PAGE = (Path(__file__).parents[2] / "docs" / "log-format.md").read_text()


def test_the_example_of_the_page_is_what_is_written_and_read() -> None:
    hexadecimal = re.search(r"<!-- example: batch -->\n```\n(.*?)```", PAGE, re.DOTALL)
    assert hexadecimal is not None
    example = bytes.fromhex(hexadecimal[1])
    section = Section("google.gmail", Unit.VISITS, 1, pack(["203.0.113.7"]))
    batch = Batch("batch/1", "a1", 0, 1, [section])
    assert encode(batch) == example
    assert decode(example) == batch
    assert f"these {len(example)} bytes" in PAGE


def test_optional_elements_may_be_left_out() -> None:
    whole = decode(encode(Batch("batch/1", "a", 0, 1, [])))
    assert decode(b"\x95\xa7batch/1\xa1a\x00\x01\x90") == whole
