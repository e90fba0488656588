"""The page on limits says what the code does: each figure in its tables is the constant's, or the setting's default."""

import importlib
import re
from pathlib import Path

import pytest

from footfall.config import Config

PAGE = Path(__file__).parents[2] / "docs" / "limits.md"
UNITS = {"": 1, "s": 1, "bytes": 1, "epochs": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]*) ?\|$", re.MULTILINE)


def rows() -> list[tuple[str, str, str]]:
    found = [(what, bound, where) for what, bound, where, _ in ROW.findall(PAGE.read_text())]
    return [row for row in found if row[0] not in ("what", "---")]


def figure(text: str) -> float:
    """A bound as a number: ``no limit`` is what settings call 0."""
    if text == "no limit":
        return 0
    number, _, unit = text.partition(" ")
    return float(number.replace(",", "")) * UNITS[unit]


@pytest.mark.parametrize(("what", "bound", "where"), [row for row in rows() if "footfall." in row[2]])
def test_a_constant_has_the_value_that_the_page_tells(what: str, bound: str, where: str) -> None:
    module, _, name = where.strip("`").rpartition(".")
    assert getattr(importlib.import_module(module), name) == figure(bound), what


@pytest.mark.parametrize(("what", "bound", "where"), [row for row in rows() if row[2].startswith("setting")])
def test_a_setting_has_the_default_that_the_page_tells(what: str, bound: str, where: str) -> None:
    assert getattr(Config(), where.removeprefix("setting ").strip("`")) == figure(bound), what


def test_the_tables_are_read_at_all() -> None:
    constants = [where for _, _, where in rows() if "footfall." in where]
    settings = [where for _, _, where in rows() if where.startswith("setting")]
    assert len(constants) > 50
    assert len(settings) > 8


def test_every_setting_that_is_a_bound_is_on_the_page() -> None:
    page = PAGE.read_text()
    bounds = [name for name in Config.__struct_fields__ if re.search(r"_bytes_max$|_max$|^rate_per", name)]
    assert not [name for name in bounds if f"`{name}`" not in page]
