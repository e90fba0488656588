"""A node's name in a data directory is one process's, and the directory can be written."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from footfall.errors import ConfigError, DataInUseError
from footfall.web.name_lock import take_name


def test_a_second_of_the_same_name_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    data = tmp_path / "new"
    with take_name(data, "n1"), take_name(data, "n2"):
        for _ in range(2):
            said = f"node n1 runs on the data directory {data} already, as process {os.getpid()}:"
            with pytest.raises(DataInUseError, match=said):
                take_name(data, "n1")
    take_name(data, "n1").close()
    assert (data / "node-n1.lock").read_text() == f"{os.getpid()}\n"


def test_those_without_a_name_share_a_directory_and_leave_nothing_in_it(tmp_path: Path) -> None:
    with take_name(tmp_path, ""), take_name(tmp_path, ""):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("node", ["n1", ""])
def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path, node: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=rf"the data directory {tmp_path}/file cannot be used: "):
        take_name(tmp_path / "file", node)


@pytest.mark.parametrize("node", ["n1", ""])
def test_where_there_are_no_locks_a_node_starts_all_the_same_and_one_with_a_name_says_so(
    tmp_path: Path, node: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    take_name(tmp_path, node).close()
    assert (f"{tmp_path} has no locks ([Errno {errno.ENOLCK}] No locks available)" in caplog.text) == bool(node)


@pytest.mark.parametrize("code", [errno.EAGAIN, errno.EACCES])
def test_what_a_share_says_of_a_name_that_another_process_has_is_understood(
    tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, "taken")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(DataInUseError, match="runs on the data directory"):
        take_name(tmp_path, "n1")
