"""docs/troubleshooting.md explains all that may be said."""

import re
from pathlib import Path

import pytest

from footfall.node.alarms import MEANING
from footfall.node.doctor_log import NEEDED

PAGE = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text()
CORE = Path(__file__).parents[2] / "src" / "footfall" / "core"


def kinds() -> set[str]:
    """All kinds of alarms that the core raises."""
    source = "\n".join(path.read_text() for path in CORE.glob("*.py"))
    return set(re.findall(r'(?:Alarm\(\s*|_alarm\(alarms, )"(\w+)"', source))


@pytest.mark.parametrize("kind", sorted(kinds() | MEANING.keys() | {"missing"}))
def test_every_kind_of_alarm_has_its_line(kind: str) -> None:
    assert re.search(rf"^\| .*`{kind}`", PAGE, re.MULTILINE)


def test_the_core_raises_the_kinds_that_have_a_meaning() -> None:
    assert kinds() >= MEANING.keys()
    assert "max_age" in NEEDED


@pytest.mark.parametrize(
    "said", ["it lost its tail", "the log was rewritten", "the log was replaced", "though Y had been reached"]
)
def test_what_a_node_says_of_a_log_that_changed_has_its_line(said: str) -> None:
    assert said in PAGE
