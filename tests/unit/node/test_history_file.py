"""The file of a node's history tells what was put into it, keeps so many samples, and says when it is damaged."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from footfall.node import history_file
from footfall.node.history_file import (
    HistoryDamagedError,
    HistoryFile,
    HistoryVersionError,
    Series,
    remove_oldest,
    set_aside,
)

SERIES = Series(10, kept=6, whole=3)
ALL = (0.0, 1e12)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "history.sqlite"


@pytest.fixture
def file(path: Path) -> Iterator[HistoryFile]:
    file = HistoryFile(path, 100)
    yield file
    file.close()


def test_samples_are_read_by_time_and_none_is_made_up(file: HistoryFile) -> None:
    for time_s, values in [(10, {"a": 1}), (20, {"a": 1, "b": 5}), (30, {"a": 2, "b": 5}), (90, {"b": 6})]:
        file.append(SERIES, time_s, values)
    assert file.read(SERIES, "a", *ALL) == [(10, 1), (20, 1), (30, 2)], "the fourth is whole, and a is not in it"
    assert file.read(SERIES, "b", *ALL) == [(20, 5), (30, 5), (90, 6)]
    assert file.read(SERIES, "b", 25, 85) == [(30, 5)]
    assert file.read(SERIES, "nobody", *ALL) == []
    assert file.last_s(SERIES) == 90


SAMPLES = st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 2)), min_size=1, max_size=30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(SAMPLES, st.sets(st.integers(0, 30), max_size=3))
def test_what_is_kept_is_the_newest_however_often_it_was_started_anew(
    tmp_path_factory: pytest.TempPathFactory, samples: list[dict[str, int]], restarts: set[int]
) -> None:
    """A counter that is left out of a sample for a moment is shown as it was until the next that is whole."""
    path = tmp_path_factory.mktemp("history") / "history.sqlite"
    file = HistoryFile(path, 100)
    present: dict[str, int] = {}
    grown: list[dict[str, int]] = []
    for number, sample in enumerate(samples):
        if number in restarts:
            file.close()
            file = HistoryFile(path, 100)
        for name, more in sample.items():
            present[name] = present.get(name, 0) + more
        grown.append(dict(present))
        file.append(SERIES, float(number), present)
    for name in "abc":
        points = [(float(number), values[name]) for number, values in enumerate(grown) if name in values]
        found = file.read(SERIES, name, *ALL)
        assert found == points[len(points) - len(found) :]
        newest = [point for point in points if point[0] >= len(samples) - SERIES.kept]
        assert len(newest) <= len(found) <= SERIES.kept + SERIES.whole
        for since_s in range(len(samples)):
            assert file.read(SERIES, name, since_s, 1e12) == [point for point in found if point[0] >= since_s]
    file.close()
    with sqlite3.connect(path) as connection:
        kept = {sample for (sample,) in connection.execute("SELECT id FROM samples")}
        told = {sample for (sample,) in connection.execute("SELECT sample FROM entries")}
    connection.close()
    assert len(kept) <= SERIES.kept + SERIES.whole
    assert told <= kept


def test_what_does_not_change_takes_no_room(file: HistoryFile) -> None:
    for time_s in range(6):
        file.append(SERIES, time_s, {"still": 7, "moving": time_s})
    (rows,) = file._connection.execute("SELECT count(*) FROM entries WHERE value = 7").fetchone()
    assert rows == 2
    assert len(file.read(SERIES, "still", *ALL)) == 6


def test_a_clock_that_was_set_wrong_costs_no_history(file: HistoryFile) -> None:
    for time_s in (10, 20, 2_000_000_000, 30, 40, 50):
        file.append(SERIES, time_s, {"a": int(time_s)})
    assert [time_s for time_s, _ in file.read(SERIES, "a", 0, 100)] == [10, 20, 30, 40, 50]


def test_there_are_so_many_counters_and_those_that_are_long_gone_make_room(tmp_path: Path) -> None:
    file = HistoryFile(tmp_path / "history.sqlite", names_max=2)
    coarse = history_file.COARSE
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history_file, "COARSE", SERIES)
        file.append(SERIES, 0, {"a": 1, "b": 1, "c": 1})
        assert file.read(SERIES, "c", *ALL) == []
        for time_s in range(1, 20):
            file.append(SERIES, time_s, {"a": time_s, "c": time_s})
    assert coarse.kept == 8_760
    assert file.read(SERIES, "b", *ALL) == []
    assert file.read(SERIES, "c", *ALL)[-1] == (19, 19)
    file.close()


def test_a_sample_that_fails_leaves_nothing_and_the_next_is_whole(
    file: HistoryFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.append(SERIES, 10, {"a": 1})
    with monkeypatch.context() as patch:
        patch.setattr(file, "_forget", lambda series: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            file.append(SERIES, 20, {"a": 1, "b": 1})
    file.append(SERIES, 30, {"a": 1, "b": 2})
    assert file.read(SERIES, "a", *ALL) == [(10, 1), (30, 1)]
    assert file.read(SERIES, "b", *ALL) == [(30, 2)]


def test_what_was_kept_outlives_a_process_that_closes_nothing(path: Path) -> None:
    first = HistoryFile(path, 100)
    first.append(SERIES, 10, {"a": 1})
    copy = path.with_name("copy.sqlite")
    for ending in ("", "-wal"):  # as a process leaves it that was killed
        copy.with_name(copy.name + ending).write_bytes(path.with_name(path.name + ending).read_bytes())
    again = HistoryFile(copy, 100)
    assert again.read(SERIES, "a", *ALL) == [(10, 1)]
    again.close()
    first.close()


def test_two_processes_do_not_share_it(file: HistoryFile, path: Path) -> None:
    file.append(SERIES, 10, {"a": 1})
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        HistoryFile(path, 100)


@pytest.mark.parametrize("content", [b"no database" * 500, b"SQLite format 3\0" + b"\xff" * 5000])
def test_what_is_no_database_is_damaged(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(HistoryDamagedError):
        HistoryFile(path, 100)


def test_another_database_is_no_history(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE counters (id INTEGER)")
    connection.close()
    with pytest.raises(HistoryDamagedError, match="no history"):
        HistoryFile(path, 100)


def test_one_of_a_newer_version_is_left_alone(file: HistoryFile, path: Path) -> None:
    file._connection.execute("PRAGMA user_version = 2")
    file.close()
    before = path.read_bytes()
    with pytest.raises(HistoryVersionError, match="version 2"):
        HistoryFile(path, 100)
    assert path.read_bytes() == before


def test_pages_that_were_overwritten_are_noticed(file: HistoryFile, path: Path) -> None:
    for time_s in range(5):
        file.append(SERIES, time_s, {f"counter{number}": time_s for number in range(90)})
    file.close()
    content = bytearray(path.read_bytes())
    content[8192:12288] = b"\xa5" * 4096
    path.write_bytes(content)
    with pytest.raises(HistoryDamagedError):
        HistoryFile(path, 100)
    aside = set_aside(path)
    assert aside.name == "history.sqlite.damaged"
    assert not path.exists()
    fresh = HistoryFile(path, 100)
    assert fresh.read(SERIES, "counter1", *ALL) == []
    fresh.close()


def test_of_the_files_of_other_names_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_file, "OTHERS_KEPT", 2)
    for age_s, name in enumerate(("mine", "new", "used", "old", "older")):
        for ending in ("", "-wal", ".damaged"):
            file = tmp_path / f"history-{name}.sqlite{ending}"
            file.touch()
            written_s = 0 if name == "used" and ending == "" else 1_000 - age_s
            os.utime(file, (written_s, written_s))
    (tmp_path / "acknowledged-old.json").touch()
    remove_oldest(tmp_path / "history-mine.sqlite")
    left = {path.name for path in tmp_path.iterdir()}
    kept = {f"history-{name}.sqlite{ending}" for name in ("mine", "new", "used") for ending in ("", "-wal", ".damaged")}
    assert left == kept | {"acknowledged-old.json"}
