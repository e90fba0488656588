"""A node remembers on disk what the log had acknowledged, and refuses a log that has forgotten it."""

import os
from pathlib import Path

import msgspec
import pytest
from node_line import Line

from footfall.core.position import Position, at
from footfall.errors import ConfigError, DataVersionError, LogRewoundError
from footfall.log.memory import Storage
from footfall.log.protocol import LogState, Message
from footfall.node import acknowledged
from footfall.node.acknowledged import Acknowledged
from footfall.node.secret import SECRET_BYTES, kept_secret


def fill(storage: Storage, messages: int) -> None:
    for _ in range(messages):
        storage.append("footfall.control", f"message {storage.last + 1}".encode())


def position(storage: Storage, sequence: int) -> Position:
    message = storage.message(sequence)
    assert message is not None
    return at(storage.created, message)


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


@pytest.fixture
def remembered(storage: Storage, tmp_path: Path) -> Acknowledged:
    """What a node knows that has had message 5 of 8 acknowledged, and was started anew."""
    fill(storage, 8)
    Acknowledged(tmp_path, "n1").write(position(storage, 5))
    return Acknowledged(tmp_path, "n1")


async def test_a_node_without_a_memory_takes_any_log(line: Line, tmp_path: Path) -> None:
    await Acknowledged(tmp_path / "new", "n1").check(line)


async def test_the_log_that_was_written_to_is_taken_after_a_restart(line: Line, remembered: Acknowledged) -> None:
    await remembered.check(line)


async def test_a_log_that_lost_its_tail_is_refused(line: Line, remembered: Acknowledged) -> None:
    line.storage.truncate(4)
    with pytest.raises(LogRewoundError, match="lost its tail"):
        await remembered.check(line)


async def test_a_log_that_lost_its_tail_and_went_on_is_refused(line: Line, remembered: Acknowledged) -> None:
    line.storage.truncate(4)
    line.storage.append("footfall.control", b"another")
    fill(line.storage, 3)
    with pytest.raises(LogRewoundError, match="rewritten"):
        await remembered.check(line)


async def test_a_log_that_lost_only_what_was_not_acknowledged_is_taken(line: Line, remembered: Acknowledged) -> None:
    line.storage.truncate(5)
    await remembered.check(line)


@pytest.mark.parametrize("messages", [0, 3, 20])
async def test_another_log_is_refused(messages: int, remembered: Acknowledged) -> None:
    other = Storage(4, created="2026-02-02T00:00:00Z")
    fill(other, messages)
    with pytest.raises(LogRewoundError, match="replaced"):
        await remembered.check(Line(other))


@pytest.mark.parametrize("before", [5, 6, 8, 9])
async def test_a_log_that_was_trimmed_since_is_taken(line: Line, remembered: Acknowledged, before: int) -> None:
    line.storage.trim(before)
    await remembered.check(line)


async def test_a_trimmed_log_that_was_replaced_is_refused(line: Line, remembered: Acknowledged) -> None:
    line.storage.trim(8)
    line.storage.created = "2026-02-02T00:00:00Z"
    with pytest.raises(LogRewoundError, match="replaced"):
        await remembered.check(line)


async def test_a_log_that_is_trimmed_while_it_is_compared_is_taken(storage: Storage, remembered: Acknowledged) -> None:
    class Trimming(Line):
        async def message(self, sequence: int) -> Message | None:
            found = await super().message(sequence)
            self.storage.trim(8)
            return found

        async def state(self) -> LogState:
            found = await super().state()
            self.storage.trim(8)
            return found

    await remembered.check(Trimming(storage))


@pytest.mark.parametrize("content", [b"", b"{}", b"[1, 2, 3]", b'["2026', b'["\xff", 1, ""]', b"\xff", b"[" * 10_000])
async def test_a_file_that_cannot_be_read_is_refused_and_kept(
    line: Line, tmp_path: Path, content: bytes, remembered: Acknowledged
) -> None:
    path = tmp_path / "acknowledged-n1.json"
    path.write_bytes(content)
    with pytest.raises(DataVersionError, match="move it away"):
        await remembered.check(line)
    assert path.read_bytes() == content


def test_only_a_higher_position_is_written(storage: Storage, tmp_path: Path) -> None:
    fill(storage, 8)
    known = Acknowledged(tmp_path / "deep" / "down", "n1")
    for sequence in (3, 7, 5):
        known.write(position(storage, sequence))
    (path,) = (tmp_path / "deep" / "down").iterdir()
    assert msgspec.json.decode(path.read_bytes(), type=Position) == position(storage, 7)


async def test_what_nodes_of_many_names_have_left_is_remembered_by_one_and_the_oldest_files_go(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acknowledged, "OTHERS_KEPT", 2)
    fill(line.storage, 8)
    for number in range(5):
        Acknowledged(tmp_path, f"n{number}").write(position(line.storage, 7 - number))
        os.utime(tmp_path / f"acknowledged-n{number}.json", (number, number))
    mine = Acknowledged(tmp_path, "mine")
    await mine.check(line)
    mine.write(line.known)
    assert names_in(tmp_path) == {"acknowledged-mine.json", "acknowledged-n3.json", "acknowledged-n4.json"}
    line.storage.truncate(6)
    with pytest.raises(LogRewoundError, match="sequence 6, but 7 had been reached"):
        await Acknowledged(tmp_path, "n0").check(line)


@pytest.mark.usefixtures("remembered")
async def test_what_one_node_of_a_directory_remembers_holds_for_a_node_of_another_name(
    line: Line, tmp_path: Path
) -> None:
    Acknowledged(tmp_path, "n2").write(position(line.storage, 2))
    await Acknowledged(tmp_path, "n3").check(line)
    line.storage.truncate(3)
    for name in ("n2", "n3"):
        with pytest.raises(LogRewoundError):
            await Acknowledged(tmp_path, name).check(line)


def test_all_who_share_a_directory_share_its_secret(tmp_path: Path) -> None:
    first = kept_secret(tmp_path / "data")
    assert kept_secret(tmp_path / "data") == first
    assert len(first) == 2 * SECRET_BYTES
    assert kept_secret(tmp_path / "other") != first
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret"]
    assert (tmp_path / "data" / "secret").stat().st_mode & 0o77 == 0


def test_a_secret_that_was_damaged_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"short")
    with pytest.raises(ConfigError, match="5 bytes"):
        kept_secret(tmp_path)


@pytest.mark.parametrize(
    ("restored", "said"), [(3, "2 of the messages after it"), (5, "nothing that this node"), (9, "nothing that this")]
)
async def test_a_log_restored_from_the_one_remembered_is_taken_and_what_is_lost_is_said(
    remembered: Acknowledged, restored: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    was = Storage(4).created
    other = Storage(4, created="2026-02-02T00:00:00Z", ancestors={was: restored}, first=restored)
    other.append("footfall.control", b"the barrier")
    await remembered.check(Line(other))
    assert f"up to sequence {restored}: {said}" in caplog.text


async def test_a_log_restored_from_a_third_one_is_refused(remembered: Acknowledged) -> None:
    other = Storage(4, created="2026-02-02T00:00:00Z", ancestors={"2025-01-01T00:00:00Z": 9})
    with pytest.raises(LogRewoundError, match="replaced"):
        await remembered.check(Line(other))
