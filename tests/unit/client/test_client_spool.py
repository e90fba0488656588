"""The spool on disk: in order, bounded, each file of one process, taken over when that has died."""

import logging
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.client.backlog import Backlog
from footfall.client.batches import Batch
from footfall.client.buffer import Waiting
from footfall.client.spool import SUFFIX, Spool
from footfall.client.spool_file import SpoolFile
from footfall.errors import ConfigError, SpoolInUseError

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
    spool.close()


def test_what_may_have_been_counted_is_known_after_a_restart(tmp_path: Path) -> None:
    spool = Spool(tmp_path, BYTES_MAX)
    spool.append([batch("a")])
    spool.head()
    spool.mark(12.5)
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
    first.close()
    second.close()


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


def test_a_file_that_is_no_spool_is_set_aside_and_the_others_are_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / f"bad{SUFFIX}").write_bytes(b"no database at all" * 100)
    spool = Spool(tmp_path, BYTES_MAX)
    spool.append([batch("b")])
    spool.look()
    assert names(spool) == ["b"]
    spool.close()
    assert [path.name for path in tmp_path.iterdir()] == [f"bad{SUFFIX}.damaged"]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


@pytest.mark.parametrize(
    "change",
    [
        "data = x'00'",
        "data = replace(data, 'b', 'x')",
        "data = CAST(replace(data, 'b', 'x') AS BLOB)",
        "count = 1000",
        "visits = 'many'",
        "visits = 9e99",
        "unsure_since_s = 1.0",
        "digest = x'00'",
        "digest = 7",
    ],
)
@pytest.mark.parametrize("adopted", [True, False])
def test_a_batch_that_was_changed_is_told_passed_over_and_not_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, change: str, adopted: bool
) -> None:
    spool = Spool(tmp_path, BYTES_MAX)
    spool.append([batch("a"), batch("b", "b"), batch("c")])
    assert spool._own is not None
    spool._own.connection.execute(f"UPDATE batches SET {change} WHERE id = 2")
    if adopted:
        spool.close()
        spool = Spool(tmp_path, BYTES_MAX)
        spool.look()
        assert spool.count == 2
    assert names(spool) == ["a", "c"]
    assert (spool.own, spool.count) == (0, 0)
    spool.close()
    assert not list(tmp_path.iterdir())
    assert caplog.text.count("batch 2 of the spool") == 1


@pytest.mark.parametrize("before", [True, False], ids=["before it is opened", "meanwhile"])
def test_however_many_batches_were_changed_the_file_is_summed_up_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    file = SpoolFile.create(tmp_path / f"a{SUFFIX}")
    file.append([batch(str(number)) for number in range(20)])
    change = "UPDATE batches SET count = count + 1 WHERE id < 20"
    if before:
        file.connection.execute(change)
        file.close()
        file = SpoolFile.open(file.path)
    else:
        file.connection.execute(change)
    scans: list[None] = []
    summed = file._summed
    monkeypatch.setattr(file, "_summed", lambda: scans.append(None) or summed())  # type: ignore[func-returns-value]
    assert file.first() == batch("19")
    assert (len(scans), file.sums.visits) == (0 if before else 1, 1)
    file.close()


def test_a_file_in_which_nothing_is_whole_is_told_and_removed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = SpoolFile.create(tmp_path / f"a{SUFFIX}")
    file.append([batch("a")])
    file.connection.execute("UPDATE batches SET data = x'00'")
    file.close()
    spool = Spool(tmp_path, BYTES_MAX)
    spool.look()
    assert spool.head() is None
    assert "was changed" in caplog.text
    assert not list(tmp_path.iterdir())


def test_a_file_of_another_version_is_left_to_that_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / f"a{SUFFIX}"
    SpoolFile.create(path).connection.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 3")
    connection.close()
    spool = Spool(tmp_path, BYTES_MAX)
    spool.look()
    spool.look()
    assert spool.head() is None
    assert caplog.text.count("is of version 3, and this Footfall reads 2") == 1
    assert path.exists()


def test_a_file_that_is_being_made_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / f"a{SUFFIX}"
    path.touch()
    with pytest.raises(SpoolInUseError, match="being made"):
        SpoolFile.open(path)
    assert path.exists()


def test_a_directory_that_cannot_be_written_is_told_once_and_leaves_visits_in_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    spool = Spool(tmp_path / "file" / "spool", BYTES_MAX)
    assert "file is no directory; visits wait in memory" in caplog.text
    assert not spool.append([batch("a")])
    assert not spool.left
    assert len(caplog.records) == 1
    with pytest.raises(ConfigError, match="no directory"):
        Spool(tmp_path / "file", BYTES_MAX)
    monkeypatch.setattr("os.access", lambda *_: False)  # for root each may be written
    Spool(tmp_path / "a" / "b", BYTES_MAX)
    assert f"may not write in {tmp_path};" in caplog.text


def test_a_disk_that_fails_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool = Spool(tmp_path, BYTES_MAX)
    spool.append([batch("a")])
    assert spool.head() is not None
    assert spool._own is not None
    spool._own.connection.execute("PRAGMA query_only = ON")  # as if the disk were full
    assert not spool.replace([batch("a", unsure_since_s=1.0)])
    assert spool.head() is None
    assert "cannot be written" in caplog.text
    spool._own.connection.execute("PRAGMA query_only = OFF")
    assert spool.append([batch("b")])
    assert names(spool) == ["b"]
    spool.close()
    assert not list(tmp_path.iterdir())


def test_while_a_disk_does_not_take_that_a_batch_is_sent_there_is_none_to_send(tmp_path: Path) -> None:
    spool = Spool(tmp_path, BYTES_MAX)
    spool.append([batch("a")])
    assert spool.head() == batch("a")
    assert spool._own is not None
    spool._own.connection.execute("PRAGMA query_only = ON")
    assert not spool.mark(1.0)
    assert spool.head() is None
    assert (spool.own, spool.count) == (1, 1)
    spool._own.connection.execute("PRAGMA query_only = OFF")
    assert spool.head() is None
    spool.look()
    assert spool.head() == batch("a")
    assert spool.mark(1.0)
    assert spool.head() == batch("a", unsure_since_s=1.0)
    spool.close()


def test_what_the_disk_does_not_take_is_sent_from_memory(tmp_path: Path) -> None:
    spool = Spool(tmp_path, BYTES_MAX)
    backlog = Backlog(spool)
    backlog.append([batch("a", "b"), batch("c")])
    head = backlog.head()
    assert head is not None
    assert spool._own is not None
    assert backlog.mark(1.0)
    spool._own.connection.execute("PRAGMA query_only = ON")
    backlog.replace(batch("a"), batch("b"))
    assert (backlog.held, backlog.own) == (2, 3)
    backlog.append([batch("d")])
    assert (backlog.held, backlog.own) == (3, 4)
    spool.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file with five batches."""
    path = tmp_path_factory.mktemp("written") / f"a{SUFFIX}"
    file = SpoolFile.create(path)
    file.append([batch("a"), batch(*["b"] * 300), batch("c", unsure_since_s=5.0), batch("d"), batch("e")])
    file.close()
    return path.read_bytes()


def test_a_file_whose_order_is_broken_does_not_give_a_batch_again(
    written: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLite's search for what follows a batch finds the batch itself, if a number before it became larger."""
    flipped = bytearray(written)
    flipped[4105] ^= 1  # where the table's page says that its first row begins
    (tmp_path / f"a{SUFFIX}").write_bytes(flipped)
    spool = Spool(tmp_path, BYTES_MAX)
    spool.look()
    head = spool.head()
    assert head is not None
    assert head.visits[0].counter == "b"
    spool.replace([])
    assert spool.head() is None
    spool.close()
    assert "out of order" in caplog.text
    assert [path.suffix for path in tmp_path.iterdir()] == [".damaged"]


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_bits_of_a_file_flip_nothing_is_sent_that_was_not_written(
    written: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("flipped")
    flipped = bytearray(written)
    used = [at for at in range(len(written)) if written[at]]  # most of the rest is free
    for at in data.draw(st.lists(st.sampled_from(used), min_size=1, max_size=3)):
        flipped[at] ^= 1 << data.draw(st.integers(0, 7))
    (directory / f"a{SUFFIX}").write_bytes(flipped)
    spool = Spool(directory, BYTES_MAX)
    spool.look()
    found = []
    while (head := spool.head()) is not None and len(found) < 10:
        found.append(head)
        spool.replace([])
    spool.close()
    known = [batch("a"), batch(*["b"] * 300), batch("c", unsure_since_s=5.0), batch("d"), batch("e")]
    assert [one for one in known if one in found] == sorted(found, key=known.index)


def test_a_file_that_holds_less_than_it_did_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool = Spool(tmp_path, BYTES_MAX)
    spool.append([batch("a")])
    assert spool._own is not None
    spool._own.connection.execute("DELETE FROM batches")  # as a page that was lost does
    assert spool.head() is None
    assert "not all that is in it is found" in caplog.text
    assert spool.append([batch("b")])
    assert names(spool) == ["b"]
    spool.close()
    assert [path.suffix for path in tmp_path.iterdir()] == [".damaged"]
