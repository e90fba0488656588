"""The spool on disk: in order, bounded, each file of one process, taken over when that has died."""

import logging
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from footfall.client.backlog import Backlog
from footfall.client.batches import Batch
from footfall.client.buffer import Waiting
from footfall.client.spool import SUFFIX, Spool
from footfall.client.spool_file import SpoolFile
from footfall.errors import ConfigError, SpoolDamagedError, SpoolInUseError

BYTES_MAX = 1 << 20


def batch(*names: str, unsure_since_s: float | None = None) -> Batch:
    return Batch([Waiting(name, key="k") for name in names], unsure_since_s)


def names(spool: Spool) -> list[str]:
    """What is in it, which is taken out."""
    found = []
    while (head := spool.head()) is not None:
        found += [visit.counter for visit in head.visits]
        spool.replace([])
    return found


def test_batches_come_out_in_their_order_and_nothing_is_left(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "new" / "spool", BYTES_MAX)
    assert spool.append([batch("a", "b"), batch("c")])
    assert spool.append([batch("d")])
    assert (spool.own, spool.count) == (4, 4)
    assert names(spool) == ["a", "b", "c", "d"]
    spool.close()
    assert not list((tmp_path / "new" / "spool").iterdir())


def test_it_fills_again_after_it_was_empty(tmp_path: Path) -> None:
    spool = Spool(tmp_path, BYTES_MAX)
    for name in "abc":
        spool.append([batch(name)])
        assert names(spool) == [name]
    spool.close()


def test_parts_take_the_place_of_the_whole(tmp_path: Path) -> None:
    spool = Spool(tmp_path, BYTES_MAX)
    spool.append([batch("a", "b", "c"), batch("d")])
    assert spool.head() == batch("a", "b", "c")
    spool.replace([batch("a"), batch("b"), batch("c")])
    assert names(spool) == ["a", "b", "c", "d"]


def test_what_may_have_been_counted_is_known_after_a_restart(tmp_path: Path) -> None:
    spool = Spool(tmp_path, BYTES_MAX)
    spool.append([batch("a")])
    spool.head()
    spool.replace([batch("a", unsure_since_s=12.5)])
    spool.close()
    after = Spool(tmp_path, BYTES_MAX)
    after.look()
    assert after.head() == batch("a", unsure_since_s=12.5)
    assert (after.own, after.count) == (0, 1)
    after.close()


def test_at_the_bound_nothing_more_is_taken_and_it_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tmp_path, 200)
    assert spool.append([batch("a")])
    assert not spool.append([batch(*["b"] * 20)])
    assert not spool.append([batch(*["b"] * 20)])
    assert caplog.text.count("is full") == 1
    assert names(spool) == ["a"]
    spool.close()


def test_two_clients_share_a_directory_and_mix_nothing(tmp_path: Path) -> None:
    first, second = Spool(tmp_path, BYTES_MAX), Spool(tmp_path, BYTES_MAX)
    first.append([batch("a")])
    second.append([batch("b")])
    first.look()
    second.look()
    assert (names(first), names(second)) == (["a"], ["b"])


def test_only_what_a_dead_process_left_is_taken_over(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys; from footfall.client.spool import Spool; from footfall.client.batches import Batch;"
        "from footfall.client.buffer import Waiting; s = Spool(pathlib.Path(sys.argv[1]), 1 << 20);"
        "s.append([Batch([Waiting('theirs', key='k')])]); print('written', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin
    assert child.stdout
    try:
        assert child.stdout.readline() == b"written\n"
        spool = Spool(tmp_path, BYTES_MAX)
        spool.look()
        assert spool.head() is None
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()
    spool.append([batch("mine")])
    spool.look()
    assert names(spool) == ["theirs", "mine"]
    spool.close()
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_set_aside_and_the_others_are_sent(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / f"bad{SUFFIX}").write_bytes(b"no database at all" * 100)
    file = SpoolFile.create(tmp_path / f"half{SUFFIX}")
    file.append([batch("a")])
    file._connection.execute("UPDATE batches SET data = x'00'")
    file.close()
    spool = Spool(tmp_path, BYTES_MAX)
    spool.append([batch("b")])
    spool.look()
    assert names(spool) == ["b"]
    spool.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"bad{SUFFIX}.damaged", f"half{SUFFIX}.damaged"]
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2


def test_a_file_of_another_version_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / f"a{SUFFIX}"
    SpoolFile.create(path)._connection.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(SpoolDamagedError, match="this version"):
        SpoolFile.open(path)


def test_a_file_that_is_being_made_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / f"a{SUFFIX}"
    path.touch()
    with pytest.raises(SpoolInUseError, match="being made"):
        SpoolFile.open(path)
    assert path.exists()


def test_a_directory_that_cannot_be_written_leaves_visits_in_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    spool = Spool(tmp_path / "file" / "spool", BYTES_MAX)
    assert not spool.append([batch("a")])
    assert "cannot be written" in caplog.text
    with pytest.raises(ConfigError, match="no directory"):
        Spool(tmp_path / "file", BYTES_MAX)


def test_a_disk_that_fails_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool = Spool(tmp_path, BYTES_MAX)
    spool.append([batch("a")])
    assert spool.head() is not None
    assert spool._own is not None
    spool._own._connection.execute("PRAGMA query_only = ON")  # as if the disk were full
    assert not spool.replace([batch("a", unsure_since_s=1.0)])
    assert spool.head() is None
    assert "cannot be written" in caplog.text
    spool._own._connection.execute("PRAGMA query_only = OFF")
    assert spool.append([batch("b")])
    assert names(spool) == ["b"]
    spool.close()
    assert not list(tmp_path.iterdir())


def test_what_the_disk_does_not_take_is_sent_from_memory(tmp_path: Path) -> None:
    spool = Spool(tmp_path, BYTES_MAX)
    backlog = Backlog(spool)
    backlog.append([batch("a", "b"), batch("c")])
    head = backlog.head()
    assert head is not None
    assert spool._own is not None
    spool._own._connection.execute("PRAGMA query_only = ON")
    backlog.mark(head)
    assert (backlog.held, backlog.own) == (2, 3)
    backlog.replace(batch("a"), batch("b"))
    assert backlog.held == 2
    backlog.append([batch("d")])
    assert (backlog.held, backlog.own) == (3, 4)
