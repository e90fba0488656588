"""A file of a spool is what was written, or is refused: torn, flipped, foreign, newer, or in other hands."""

import contextlib
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from footfall.errors import DataVersionError, SpoolDamagedError
from footfall.node.spool_file import Origin, SpoolFile, set_aside

ORIGIN = Origin("n1", "2026-01-01T00:00:00Z", 4)
MESSAGES = [(number % 4, f"message {number} ".encode() * 50) for number in range(100)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of a file with a hundred messages, which is closed."""
    path = tmp_path / "spool" / "n1-1.sqlite"
    file = SpoolFile.create(path, ORIGIN)
    file.append(MESSAGES[:60])
    file.append(MESSAGES[60:])
    file.close()
    return path


def rows(file: SpoolFile) -> list[tuple[int, bytes]]:
    """All that is left, in order; it must be whole."""
    found = file.after(0, 1_000, 1 << 30)
    assert all(row.whole for row in found)
    return [(row.partition, row.data) for row in found]


def test_what_was_written_is_read_in_order(path: Path) -> None:
    file = SpoolFile.open(path)
    assert file.origin == ORIGIN
    assert rows(file) == MESSAGES
    first = file.after(0, 10, 1 << 30)
    assert [row.id for row in first] == list(range(1, 11))
    assert len(file.after(first[-1].id, 10, 2_000)) == 3
    assert len(file.after(0, 10, 1)) == 1, "one at least"
    file.close()


def test_what_was_removed_is_gone_and_the_rest_stays(path: Path) -> None:
    file = SpoolFile.open(path)
    file.remove(range(1, 41))
    file.close()
    again = SpoolFile.open(path)
    assert rows(again) == MESSAGES[40:]
    again.unlink()
    assert list(path.parent.iterdir()) == []


def test_messages_are_kept_all_or_none(path: Path) -> None:
    file = SpoolFile.open(path)
    file._connection.execute(
        "CREATE TRIGGER fails BEFORE INSERT ON messages WHEN NEW.partition = 9 BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    with pytest.raises(sqlite3.Error):
        file.append([(0, b"first"), (9, b"second")])
    assert rows(file) == MESSAGES
    file.close()


def test_a_process_that_is_gone_leaves_all_that_it_had_committed(tmp_path: Path) -> None:
    """The file and its log as they are amid the work of another process, without its last words."""
    path = tmp_path / "n1-1.sqlite"
    file = SpoolFile.create(path, ORIGIN)
    file.append(MESSAGES)
    copy = tmp_path / "copy" / path.name
    copy.parent.mkdir()
    for one in (path, path.with_name(path.name + "-wal")):
        shutil.copy(one, copy.parent)
    file.close()
    again = SpoolFile.open(copy)
    assert rows(again) == MESSAGES
    again.close()


def test_only_one_has_a_file(path: Path) -> None:
    file = SpoolFile.open(path)
    opens = "import pathlib, sys, footfall.node.spool_file as s; s.SpoolFile.open(pathlib.Path(sys.argv[1]))"
    other = subprocess.run([sys.executable, "-c", opens, str(path)], capture_output=True, text=True, check=False)
    assert "SpoolInUseError" in other.stderr
    file.close()
    SpoolFile.open(path).close()


def test_a_file_that_is_gone_does_not_come_back(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        SpoolFile.open(tmp_path / "n1-1.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_never_made_twice(path: Path) -> None:
    with pytest.raises(FileExistsError):
        SpoolFile.create(path, ORIGIN)
    file = SpoolFile.open(path)
    assert rows(file) == MESSAGES
    file.close()


@pytest.mark.parametrize("content", [b"", b"not a database at all, whatever it is called", bytes(100_000)])
def test_what_is_no_spool_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(SpoolDamagedError, match=str(path)):
        SpoolFile.open(path)
    assert path.read_bytes() == content or not content


def test_another_programs_database_is_refused(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE messages (id INTEGER)")
    connection.close()
    with pytest.raises(SpoolDamagedError, match="no spool of footfall"):
        SpoolFile.open(path)


def test_a_file_of_a_newer_version_is_refused(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(DataVersionError, match="of version 2"):
        SpoolFile.open(path)


def test_a_message_that_was_changed_is_known(path: Path) -> None:
    content = path.read_bytes()
    at = content.index(b"message 50 ")
    path.write_bytes(content[:at] + b"M" + content[at + 1 :])
    file = SpoolFile.open(path)
    found = file.after(0, 1_000, 1 << 30)
    assert [row.id for row in found if not row.whole] == [51]
    assert [(row.partition, row.data) for row in found if row.whole] == MESSAGES[:50] + MESSAGES[51:]
    file.close()


@pytest.mark.parametrize("size", [0, 1, 100, 5_000, 20_000, 50_000])
def test_a_file_that_was_cut_short_gives_what_was_written_or_is_refused(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size)
    try:
        opened = SpoolFile.open(path)
        found = opened.after(0, 1_000, 1 << 30)
        opened.close()
    except SpoolDamagedError:
        return
    whole = [(row.partition, row.data) for row in found if row.whole]
    assert set(whole) <= set(MESSAGES)


def test_a_file_that_is_set_aside_keeps_its_messages(path: Path) -> None:
    file = SpoolFile.open(path)
    file.append([(0, b"one more")])
    aside = file.set_aside("aside")
    assert not path.exists()
    again = SpoolFile.open(aside)
    assert rows(again) == [*MESSAGES, (0, b"one more")]
    again.close()
    assert set_aside(aside, "again").exists()


def test_others_cannot_read_it(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


def test_whatever_bit_flips_of_where_rows_begin_reading_comes_to_an_end(tmp_path: Path) -> None:
    """SQLite's search for what follows a message finds the message itself, if a number before it became larger."""
    path = tmp_path / "n1-1.sqlite"
    file = SpoolFile.create(path, ORIGIN)
    file.append(MESSAGES[:8])
    file.close()
    written = path.read_bytes()
    heads = [page + at for page in range(4096, len(written), 4096) for at in range(8, 24) if written[page + at]]
    for at, bit in [(at, bit) for at in heads for bit in range(8)]:
        flipped = bytearray(written)
        flipped[at] ^= 1 << bit
        path.write_bytes(flipped)
        with contextlib.suppress(SpoolDamagedError), contextlib.closing(SpoolFile.open(path)) as file:
            last = 0
            while found := file.after(last, 3, 1 << 30):
                ids = [row.id for row in found]
                assert [last, *ids] == sorted({last, *ids}), (at, bit)
                last = ids[-1]
