"""A node's name in a data directory is one process's."""

import os
from pathlib import Path

import pytest

from footfall.errors import ConfigError, DataInUseError
from footfall.web.name_lock import having_name


def test_a_second_of_the_same_name_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    data = tmp_path / "new"
    with (
        having_name(data, "n1"),
        having_name(data, "n2"),
        pytest.raises(
            DataInUseError, match=f"node n1 runs on the data directory {data} already, as process {os.getpid()}"
        ),
        having_name(data, "n1"),
    ):
        raise AssertionError("both have it")
    with having_name(data, "n1"):
        pass


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(ConfigError, match=r"the data directory .*file cannot be used: "),
        having_name(tmp_path / "file", "n1"),
    ):
        pass
