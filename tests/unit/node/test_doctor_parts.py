"""What an examination says of a data directory and of streams, in states that need no engine."""

from pathlib import Path

import pytest

from footfall.log.facts import StreamFacts
from footfall.node.doctor import Finding, Level
from footfall.node.doctor_data import examine_data
from footfall.node.doctor_log import examine_streams


def of_secret(data: Path) -> Finding:
    return next(one for one in examine_data(data) if one.name == "secret")


def test_a_secret_that_is_gone_where_nodes_have_run_is_told_before_a_start_makes_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FOOTFALL_SECRET", raising=False)
    assert of_secret(tmp_path).level is Level.OK, "nobody has run here"
    (tmp_path / "acknowledged-n1.json").write_text("{}")
    found = of_secret(tmp_path)
    assert (found.level, "before the next start makes another" in found.do) == (Level.WARN, True)
    monkeypatch.setenv("FOOTFALL_SECRET", "the cluster's")
    assert of_secret(tmp_path).level is Level.OK


def log(**facts: int) -> StreamFacts:
    return StreamFacts("FOOTFALL", {"num_replicas": 1, "max_bytes": 1000}, **facts)


@pytest.mark.parametrize(
    ("first", "level", "do"),
    [(1, Level.WARN, "start a node"), (0, Level.WARN, "start a node"), (7, Level.BAD, "if nodes run, let them")],
)
def test_a_store_that_is_gone_is_made_again_by_a_node_if_the_log_holds_all(first: int, level: Level, do: str) -> None:
    held = log(first=first, last=9, messages=9 - first + 1 if first else 0)
    [found] = [one for one in examine_streams(held, StreamFacts("FOOTFALL_CUTS", {}), 0) if one.name == "stream"]
    assert found.level is level
    assert do in found.do


def test_a_log_that_is_full_says_where_visits_are() -> None:
    cuts = StreamFacts("FOOTFALL_CUTS", {"num_replicas": 1})
    [found] = [one for one in examine_streams(log(bytes=950), cuts, 0) if one.name == "fill"]
    assert found.level is Level.BAD
    assert found.do.startswith("visits wait in the spools")
