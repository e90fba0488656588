"""Each call that could be a process's last, visited one by one: killed there, and with power lost there.

After each, what was promised is there, nothing is there twice, files are the old or the new, and the next start works.
"""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from crashing import NEW, OLD, SPOOLED, crash, keep, tear

from footfall.core.position import Position
from footfall.errors import FootfallError
from footfall.log.engine import _write_private
from footfall.node.acknowledged import Acknowledged
from footfall.node.secret import kept_secret
from footfall.node.spool_file import SpoolFile

CALLS_MAX = 100

Check = Callable[[Path, list[str]], None]


def acknowledged(directory: Path, done: list[str]) -> None:
    """The position is the old one or the new; the new one, once the write had returned."""
    found = msgspec.json.decode((directory / "acknowledged-n1.json").read_bytes(), type=Position)
    assert found in ((NEW,) if done else (OLD, NEW))
    Acknowledged(directory, "n1").write(NEW)
    assert msgspec.json.decode((directory / "acknowledged-n1.json").read_bytes(), type=Position) == NEW


def secret(directory: Path, done: list[str]) -> None:
    """There is a secret, or one can be made; the one that was worked with, if one was."""
    found = kept_secret(directory).hex()
    assert not done or [found] == done


def private(directory: Path, done: list[str]) -> None:
    """The password is the old one or the new."""
    found = (directory / "engine.password").read_text()
    assert found in (("new password",) if done else ("old password", "new password"))
    _write_private(directory / "engine.password", "newest")


def spool(directory: Path, done: list[str]) -> None:
    """What was kept and was not published is there once, whole and in order; what comes beyond it was being kept."""
    kept = sum(one.startswith("kept") for one in done)
    published = sum(one.startswith("published") for one in done)
    path = directory / "n1.sqlite"
    rows = []
    if path.exists() and path.stat().st_size:  # an empty one was not begun: nothing can have been kept in it
        try:
            file = SpoolFile.open(path)
        except Exception:
            assert not kept, "a file that holds something must open"
            return
        rows = [(row.partition, row.data) for row in file.after(0, 10, 1 << 20)]
        assert all(row.whole for row in file.after(0, 10, 1 << 20))
        file.close()
    assert len(rows) == len(set(rows))
    assert set(SPOOLED[published:kept]) <= set(rows) <= set(SPOOLED[max(published - 1, 0) : kept + 1])
    assert rows == [message for message in SPOOLED if message in rows]


CHECKS: dict[str, Check] = {"acknowledged": acknowledged, "secret": secret, "private": private, "spool": spool}


def visit(tmp_path: Path, name: str, at: int, when: str, bug: str = "") -> tuple[bool, list[str]]:
    """Crash once, and check what is left, after a kill and after a loss of power; returns (came to its end, trace)."""
    directory = tmp_path / f"{name}-{when}-{at}{bug}"
    directory.mkdir()
    if name == "acknowledged":
        Acknowledged(directory, "n1").write(OLD)
    elif name == "private":
        _write_private(directory / "engine.password", "old password")
    keep(directory, set())
    killed = crash(name, directory, at, when, bug)
    trace = directory.with_suffix(".trace").read_text().splitlines()
    done = [line.removeprefix("done ") for line in trace if line.startswith("done ")]
    if killed:
        assert killed == signal.SIGKILL
        assert any(line.startswith(f"killed {when}") for line in trace)
    else:
        assert trace[-1].startswith("calls "), trace
    unsynced = {int(inode) for line in trace if line.startswith("unsynced ") for inode in line.split()[1:]}
    named = directory.with_suffix(
        ".named"
    )  # power is lost: the names are there, and bytes that were not synced are not
    shutil.copytree(directory, named)
    tear(directory, named, unsynced)
    lost = [] if name == "spool" else [named, directory.with_suffix(".synced")]  # SQLite syncs by itself: unseen here
    for left in (directory, *lost):
        CHECKS[name](left, done)
    return not killed, trace


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", CHECKS)
def test_killed_at_any_call_it_keeps_what_it_promised(tmp_path: Path, name: str, when: str) -> None:
    for at in range(1, CALLS_MAX):
        ended, trace = visit(tmp_path, name, at, when)
        if ended:
            calls = int(trace[-1].removeprefix("calls "))
            assert at == calls + 1 >= 6, "every call was visited"
            return
    raise AssertionError(f"more than {CALLS_MAX} calls")


@pytest.mark.parametrize("name", ["acknowledged", "secret", "private"])
def test_a_version_without_its_fsyncs_is_caught(tmp_path: Path, name: str) -> None:
    caught = []
    for at in range(1, CALLS_MAX):
        try:
            if visit(tmp_path, name, at, "after", "fsync")[0]:
                break
        except (AssertionError, FootfallError, msgspec.DecodeError):
            caught.append(at)
    assert caught, "lost power was not noticed"


@pytest.mark.parametrize("name", ["acknowledged", "private"])
def test_a_version_without_its_rename_is_caught(tmp_path: Path, name: str) -> None:
    with pytest.raises(AssertionError):
        visit(tmp_path, name, CALLS_MAX, "after", "replace")


def test_a_file_that_is_written_in_place_is_caught(tmp_path: Path) -> None:
    """The harness against a write that is not atomic: half of it is found."""
    directory = tmp_path / "torn"
    directory.mkdir()
    Acknowledged(directory, "n1").write(OLD)
    path = directory / "acknowledged-n1.json"
    descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
    os.write(descriptor, msgspec.json.encode(NEW)[:10])
    os.close(descriptor)
    with pytest.raises(msgspec.DecodeError):
        acknowledged(directory, [])
