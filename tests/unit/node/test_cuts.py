"""Cuts are written whole or not at all, and the newest that can be read is where counting goes on from."""

import asyncio

import pytest
from node_cutting import Cutter, nothing
from node_line import Line, ready, soon

from footfall.core import cut, cut_writer
from footfall.core.position import Position
from footfall.errors import CheckpointError, FormatError, LogRewoundError, LogUnavailableError
from footfall.log.memory import Storage
from footfall.node import cuts
from footfall.node.cuts import SECONDS_MAX, pin_key


@pytest.fixture(params=["inline", "blobs"])
async def cutter(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Cutter:
    """What is small is held in the manifest, or everything in blobs of its own."""
    if request.param == "blobs":
        monkeypatch.setattr(cut_writer, "INLINE_BYTES_MAX", 0)
    return Cutter(Line(Storage(partitions=2)))


async def newest_states(cutter: Cutter) -> list[bytes]:
    return [cut_writer.state_bytes((await cutter.cuts.newest_partition(number))[0]) for number in range(2)]


async def test_a_cut_is_complete_once_all_its_parts_are_stored(cutter: Cutter) -> None:
    captures = cutter.tick()
    for part, captured in captures.items():
        assert await cutter.found() == []
        cutter.cuts.take(captured, cutter.positions[1], cutter.writers[part])
        await soon()
    assert await cutter.found() == [1]
    assert cutter.cuts.newest == 1
    assert cutter.cuts.taken == 3
    assert cutter.cuts.bytes >= sum(map(len, cutter.storage.blobs.values()))


async def test_counting_goes_on_from_the_newest_complete_cut(cutter: Cutter) -> None:
    cutter.visit(0, 5, [f"visitor {number}" for number in range(100)])
    cutter.define("late")
    await cutter.cut()
    cutter.visit(1, 7)
    cutter.define("later")
    await cutter.cut()
    cutter.visit(1, 7)
    assert await newest_states(cutter) == cutter.states[2]
    for number in range(2):
        _, position, manifest = await cutter.cuts.newest_partition(number)
        assert position == cutter.positions[2]
        assert manifest is not None
        assert manifest.epoch == 2
    definitions, position = await cutter.cuts.newest_definitions()
    assert definitions.names == ["a", "people", "late", "later"]
    assert (definitions.epoch, position) == (2, cutter.positions[2])


async def test_without_a_cut_counting_begins_at_the_logs_beginning(cutter: Cutter) -> None:
    cutter.visit()
    partition, position, manifest = await cutter.cuts.newest_partition(1)
    assert (partition.number, partition.sequence, manifest) == (1, 0, None)
    assert position == Position(cutter.storage.created)
    definitions, position = await cutter.cuts.newest_definitions()
    assert (len(definitions), position) == (0, Position(cutter.storage.created))


async def test_a_part_that_is_still_being_written_makes_the_next_cut_go_without_it(cutter: Cutter) -> None:
    cutter.line.hold_blobs()
    await cutter.cut("1", cut.DEFINITIONS)
    cutter.visit(0, 3)
    await asyncio.sleep(1)
    await cutter.cut()
    assert cutter.cuts.failed == 1
    cutter.line.release()
    await soon()
    assert sorted(cutter.keys("cut")) == ["cut.1.0", "cut.2.1", "cut.2.definitions"]
    cutter.visit(0, 3)
    assert await cutter.cut() == 3
    assert await cutter.found() == [3]
    assert await newest_states(cutter) == cutter.states[3]


async def test_barriers_that_are_passed_while_a_node_catches_up_are_not_told_as_cuts_that_failed(
    cutter: Cutter, caplog: pytest.LogCaptureFixture
) -> None:
    cutter.line.hold_blobs()
    for _ in range(5):
        cutter.visit()
        await cutter.cut()
    cutter.line.release()
    await soon()
    await cutter.cut()
    assert (cutter.cuts.failed, caplog.messages) == (0, [])
    assert await cutter.found() == [6, 1]


async def test_a_store_that_does_not_read_back_what_was_put_makes_no_complete_cut(cutter: Cutter) -> None:
    cutter.line.damaged = ("cut.1.0", "blob.1.")
    await cutter.cut()
    assert await cutter.found() == []
    assert cutter.cuts.failed >= 1
    cutter.line.damaged = ()
    cutter.visit()
    await cutter.cut()
    assert await cutter.found() == [2]
    assert await newest_states(cutter) == cutter.states[2]


async def test_a_manifest_is_stored_after_all_its_blobs(cutter: Cutter) -> None:
    captured = cutter.tick()["0"]
    cutter.cuts.take(captured, cutter.positions[1], cutter.writers["0"])
    await soon()
    assert cutter.line.puts[-1] == "cut.1.0"
    assert all(key.startswith("blob.1.") for key in cutter.line.puts[:-1])


async def test_a_store_that_is_away_fails_the_part_and_the_next_cut_is_whole(
    cutter: Cutter, caplog: pytest.LogCaptureFixture
) -> None:
    cutter.visit(0, 3, [f"visitor {number}" for number in range(50)])
    await cutter.cut()
    cutter.visit(0, 3, [f"visitor {number}" for number in range(100)])
    cutter.line.disconnect()
    await cutter.cut()
    cutter.line.reconnect()
    assert cutter.cuts.failed == 3
    assert caplog.messages == ["cut 2 goes without definitions: the log cannot be reached"], "and once"
    assert await cutter.found() == [1]
    await cutter.cut()
    assert await newest_states(cutter) == cutter.states[3]


async def test_a_part_that_takes_too_long_is_given_up(cutter: Cutter) -> None:
    cutter.line.hold_blobs()
    await cutter.cut()
    await asyncio.sleep(SECONDS_MAX + 1)
    assert cutter.cuts.failed == 3
    cutter.line.release()
    await cutter.cut()
    assert await cutter.found() == [2]


async def test_a_part_that_fails_for_a_reason_that_nobody_foresaw_is_reported_and_costs_its_cut(
    cutter: Cutter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(cutter.writers["0"], "write", lambda *_: 1 / 0)
        await cutter.cut()
    assert cutter.cuts.failed == 1
    assert "ZeroDivisionError" in caplog.text
    await cutter.cut()
    assert await cutter.found() == [2]


async def test_how_long_a_part_took_is_known(cutter: Cutter) -> None:
    cutter.line.hold_blobs()
    await cutter.cut()
    await asyncio.sleep(20)
    cutter.line.release()
    await soon()
    assert 19 < cutter.cuts.duration_s < 21


async def test_a_part_that_another_owner_has_stored_is_not_stored_again(cutter: Cutter) -> None:
    await cutter.cut()
    puts = len(cutter.line.puts)
    other = Cutter.__new__(Cutter)
    other.__dict__.update(cutter.__dict__)
    other.writers = {part: cut_writer.Writer() for part in cutter.parts}
    for partition in cutter.partitions:
        cutter.cuts.take(cut_writer.capture(partition), cutter.positions[1], other.writers[str(partition.number)])
    await soon()
    assert len(cutter.line.puts) == puts
    assert cutter.cuts.failed == 0


async def test_a_node_that_stops_writes_no_more(cutter: Cutter) -> None:
    cutter.line.hold_blobs()
    await cutter.cut()
    await cutter.cuts.stop()
    cutter.line.release()
    await soon()
    assert cutter.keys("cut") == []


@pytest.mark.parametrize("how", ["missing", "torn", "empty"])
@pytest.mark.parametrize("part", ["0", "1", cut.DEFINITIONS])
async def test_if_a_manifest_of_the_newest_cut_is_missing_or_damaged_the_older_one_serves(
    cutter: Cutter, part: str, how: str
) -> None:
    await cutter.take(2)
    cutter.damage(f"cut.2.{part}", how)
    assert await newest_states(cutter) == cutter.states[1]
    _, position = await cutter.cuts.newest_definitions()
    assert position == cutter.positions[1]
    assert cutter.cuts.newest == 1


async def test_if_what_a_manifest_holds_was_changed_the_older_one_serves() -> None:
    cutter = Cutter(Line(Storage(partitions=2)))
    await cutter.take(2)
    cutter.damage("cut.2.1", "flipped")
    assert await newest_states(cutter) == cutter.states[1]


@pytest.mark.parametrize("how", ["missing", "torn", "flipped", "empty"])
async def test_if_a_blob_of_the_newest_cut_is_missing_or_damaged_the_older_one_serves(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(cut_writer, "INLINE_BYTES_MAX", 0)
    cutter = Cutter(Line(Storage(partitions=2)))
    await cutter.take(2)
    for key in cutter.keys("blob.2."):
        cutter.damage(key, how)
    assert await newest_states(cutter) == cutter.states[1]
    _, position, _ = await cutter.cuts.newest_partition(0)
    assert position == cutter.positions[1]


@pytest.mark.parametrize("how", ["missing", "torn", "empty"])
async def test_if_no_cut_can_be_read_the_log_is_counted_from_its_beginning(cutter: Cutter, how: str) -> None:
    await cutter.take(2)
    for key in cutter.keys("cut"):
        cutter.damage(key, how)
    partition, position, manifest = await cutter.cuts.newest_partition(0)
    assert (partition.sequence, position.sequence, manifest) == (0, 0, None)


@pytest.mark.parametrize("how", ["missing", "torn", "empty"])
async def test_if_no_cut_can_be_read_and_the_log_was_trimmed_counting_is_refused(cutter: Cutter, how: str) -> None:
    await cutter.take(3)
    await cutter.cuts.collect(nothing)
    for key in cutter.keys("cut"):
        cutter.damage(key, how)
    with pytest.raises(CheckpointError, match="restore a backup"):
        await cutter.cuts.newest_partition(0)
    with pytest.raises(CheckpointError):
        await cutter.cuts.newest_definitions()


async def test_parts_of_one_cut_that_stand_in_different_places_are_no_cut(cutter: Cutter) -> None:
    await cutter.take(2)
    strange = Position(cutter.storage.created, 3, b"x" * 16)
    captured = cutter.tick()
    for part, one in captured.items():
        position = strange if part == "1" else cutter.positions[3]
        cutter.cuts.take(one, position, cutter.writers[part])
    await soon()
    assert await cutter.found() == [2, 1]


async def test_a_cut_of_a_newer_version_is_refused_rather_than_passed_over(cutter: Cutter) -> None:
    await cutter.take(2)
    key = "cut.2.0"
    cutter.storage.blobs[key] = cutter.storage.blobs[key].replace(b"cut/1", b"cut/2", 1)
    with pytest.raises(FormatError, match="upgrade"):
        await cutter.cuts.newest_partition(0)


async def test_a_log_that_lost_what_the_newest_cut_counted_is_refused(cutter: Cutter) -> None:
    await cutter.take(2)
    cutter.storage.truncate(cutter.positions[2].sequence - 1)
    for read in (cutter.cuts.newest_definitions, cutter.cuts.find, lambda: cutter.cuts.collect(nothing)):
        with pytest.raises(LogRewoundError):
            await read()


async def test_another_log_beside_the_same_store_is_refused(cutter: Cutter) -> None:
    await cutter.take(1)
    cutter.storage.created = "2026-02-02T00:00:00Z"
    with pytest.raises(LogRewoundError, match="replaced"):
        await cutter.cuts.newest_partition(0)


async def test_a_store_that_cannot_be_reached_is_no_damage(cutter: Cutter) -> None:
    await cutter.take(2)
    cutter.line.disconnect()
    with pytest.raises(LogUnavailableError):
        await cutter.cuts.newest_partition(0)


async def test_a_cut_that_is_dropped_while_it_is_read_is_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut_writer, "INLINE_BYTES_MAX", 0)
    cutter = Cutter(Line(Storage(partitions=2)))
    await cutter.take(2)
    reader = Cutter.__new__(Cutter)
    reader.__dict__.update(cutter.__dict__)
    line = Line(cutter.storage)
    reader.cuts = type(cutter.cuts)(line)

    async def meanwhile(key: str) -> None:
        if key.startswith("blob"):
            line.before_get = ready
            await cutter.take(4)
            await cutter.cuts.collect(nothing)

    line.before_get = meanwhile
    partition, position, _ = await reader.cuts.newest_partition(0)
    assert position == cutter.positions[6]
    assert cut_writer.state_bytes(partition) == cutter.states[6][0]


async def test_a_cut_that_is_being_copied_is_kept(cutter: Cutter) -> None:
    await cutter.take(3)
    await cutter.line.put(pin_key(2, "backup"), b"")
    await cutter.take(3)
    await cutter.cuts.collect(nothing)
    assert await cutter.found() == [6, 5, 2]
    for number in range(2):
        partition = await cutter.cuts.partition(await cutter.cuts.at(2), number)
        assert cut_writer.state_bytes(partition) == cutter.states[2][number]
    await cutter.line.delete(pin_key(2, "backup"))
    await cutter.cuts.collect(nothing)
    assert await cutter.found() == [6, 5]


async def test_what_was_left_by_one_who_copied_and_died_keeps_a_cut_for_a_day(
    cutter: Cutter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuts, "COPYING_EPOCHS_MAX", 4)
    await cutter.take(2)
    await cutter.line.put(pin_key(2, "dead"), b"")
    for expected in ([5, 4, 2], [6, 5]):
        await cutter.take(5 - 2 if expected[0] == 5 else 1)
        await cutter.cuts.collect(nothing)
        assert await cutter.found() == expected
    assert cutter.keys("pin") == []
