"""Which cuts are kept, and how much of the log: two complete ones, and all that comes after the older."""

import asyncio

import msgspec
import pytest
from node_cutting import Cutter, nothing
from node_line import Line, soon

from footfall.core import cut, cut_writer
from footfall.core.position import Position
from footfall.log.memory import Storage
from footfall.node import cuts
from footfall.node.cuts import Cuts


@pytest.fixture(params=["inline", "blobs"])
async def cutter(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Cutter:
    """What is small is held in the manifest, or everything in blobs of its own."""
    if request.param == "blobs":
        monkeypatch.setattr(cut_writer, "INLINE_BYTES_MAX", 0)
    return Cutter(Line(Storage(partitions=2)))


async def check_restorable(cutter: Cutter, *epochs: int) -> None:
    """These are the complete cuts, and every part of them reads back as it was."""
    found = await cutter.cuts.find()
    assert [one.epoch for one in found] == list(epochs)
    for one in found:
        assert one.position == cutter.positions[one.epoch]
        states = [cut_writer.state_bytes(await cutter.cuts.partition(one, number)) for number in range(2)]
        assert states == cutter.states[one.epoch]
        assert (await cutter.cuts.definitions(one)).epoch == one.epoch


async def test_two_complete_cuts_are_kept_and_the_log_from_the_older_on(cutter: Cutter) -> None:
    await cutter.take(5)
    last = cutter.storage.last
    await cutter.cuts.collect(nothing)
    await check_restorable(cutter, 5, 4)
    assert {key.split(".")[1] for key in cutter.keys("cut")} == {"4", "5"}
    assert cutter.storage.first == cutter.positions[4].sequence
    assert cutter.storage.last == last
    cutter.storage.check(cutter.positions[4])


async def test_the_log_is_never_trimmed_beyond_the_older_cut(cutter: Cutter) -> None:
    for _ in range(6):
        await cutter.take(1)
        await cutter.cuts.collect(nothing)
        older = max(cutter.epoch - 1, 1)
        assert cutter.storage.first == (cutter.positions[older].sequence if cutter.epoch > 1 else 1)
        await check_restorable(cutter, *range(cutter.epoch, max(cutter.epoch - 2, 0), -1))


@pytest.mark.parametrize("cuts", [0, 1])
async def test_before_there_are_two_cuts_nothing_is_dropped(cutter: Cutter, cuts: int) -> None:
    await cutter.take(cuts)
    cutter.visit()
    before = dict(cutter.storage.blobs)
    await cutter.cuts.collect(nothing)
    assert cutter.storage.blobs == before
    assert cutter.storage.first == 1


async def test_incomplete_cuts_do_not_count_and_go_with_the_old_ones(cutter: Cutter) -> None:
    await cutter.take(2)
    cutter.visit()
    await cutter.cut("1")
    await cutter.cuts.collect(nothing)
    await check_restorable(cutter, 2, 1)
    assert cutter.storage.first == cutter.positions[1].sequence
    await cutter.take(1)
    await cutter.cuts.collect(nothing)
    await check_restorable(cutter, 4, 2)
    await cutter.take(1)
    await cutter.cuts.collect(nothing)
    await check_restorable(cutter, 5, 4)
    assert not cutter.keys("cut.3.", "cut.2.", "cut.1.")


async def test_blobs_of_a_cut_under_way_are_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut_writer, "INLINE_BYTES_MAX", 0)
    cutter = Cutter(Line(Storage(partitions=2)))
    await cutter.take(2)
    cutter.visit(0, 77)
    captured = cutter.tick()["0"]
    manifest, blobs = cutter.writers["0"].write(captured, cutter.positions[3])
    for key, data in blobs.items():
        await cutter.line.put(key, data)
    await cutter.cuts.collect(nothing)
    assert set(blobs) <= set(cutter.storage.blobs)
    assert blobs
    assert manifest


async def test_blobs_that_newer_cuts_share_are_kept_and_others_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut_writer, "INLINE_BYTES_MAX", 0)
    cutter = Cutter(Line(Storage(partitions=2)))
    cutter.visit(0, 1, [f"visitor {number}" for number in range(5_000)])
    await cutter.cut()
    base = {key for key in cutter.keys("blob.1.") if len(cutter.storage.blobs[key]) > 10_000}
    assert len(base) == 1
    for number in range(8):
        cutter.visit(0, 1, [f"another {number}.{one}" for one in range(10)])
        await cutter.cut()
        await cutter.cuts.collect(nothing)
        await check_restorable(cutter, cutter.epoch, cutter.epoch - 1)
    assert set(cutter.keys("blob.1.")) >= base
    needed = {
        cut.blob_key(ref) for key in cutter.keys("cut") for ref in cut.read_manifest(cutter.storage.blobs[key]).refs()
    }
    assert set(cutter.keys("blob")) == needed


async def test_a_damaged_manifest_costs_its_cut_and_does_not_hinder_the_tidying(cutter: Cutter) -> None:
    await cutter.take(3)
    cutter.damage("cut.3.0", "torn")
    await cutter.cuts.collect(nothing)
    await check_restorable(cutter, 2, 1)
    assert cutter.storage.first == cutter.positions[1].sequence
    await cutter.take(2)
    await cutter.cuts.collect(nothing)
    await check_restorable(cutter, 5, 4)
    assert not cutter.keys("cut.3.", "cut.2.", "cut.1.")


async def test_what_is_tidied_while_a_part_is_being_written_leaves_the_cut_whole(cutter: Cutter) -> None:
    await cutter.take(2)
    cutter.line.hold_blobs()
    cutter.visit(0, 5)
    await cutter.cut()
    await cutter.cuts.collect(nothing)
    cutter.line.release()
    await soon()
    await check_restorable(cutter, 3, 2, 1)
    await cutter.cuts.collect(nothing)
    await check_restorable(cutter, 3, 2)


@pytest.mark.parametrize("how", ["missing", "torn", "flipped", "empty"])
@pytest.mark.parametrize("inline", [True, False])
async def test_neither_cuts_nor_log_are_dropped_for_a_cut_that_is_damaged(
    monkeypatch: pytest.MonkeyPatch, inline: bool, how: str
) -> None:
    """Damage that nobody has read yet: what was kept below it is all that there is."""
    if not inline:
        monkeypatch.setattr(cut_writer, "INLINE_BYTES_MAX", 0)
    cutter = Cutter(Line(Storage(partitions=2)))
    await cutter.take(2)
    await cutter.cuts.collect(nothing)
    await cutter.take(1)
    first = cutter.storage.first
    for key in cutter.keys("cut.3.0" if inline else "blob.3."):
        cutter.damage(key, how)
    await cutter.cuts.collect(nothing)
    assert cutter.storage.first == first
    assert (await cutter.cuts.newest_partition(0))[1] == cutter.positions[2]
    await cutter.take(1)
    await cutter.cuts.collect(nothing)
    assert cutter.storage.first == cutter.positions[2].sequence, "the second newest that is whole"
    await cutter.take(1)
    await cutter.cuts.collect(nothing)
    assert cutter.storage.first == cutter.positions[4].sequence
    await check_restorable(cutter, 5, 4)


async def test_a_blob_that_was_lost_after_it_was_verified_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut_writer, "INLINE_BYTES_MAX", 0)
    cutter = Cutter(Line(Storage(partitions=2)))
    await cutter.take(3)
    await cutter.cuts.collect(nothing)
    first = cutter.storage.first
    cutter.damage(cutter.keys("blob.3.")[0], "missing")
    await cutter.take(1)
    await cutter.cuts.collect(nothing)
    assert cutter.storage.first <= first


async def test_what_was_verified_is_read_again_after_an_hour(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cut_writer, "INLINE_BYTES_MAX", 0)
    monkeypatch.setattr(cuts, "READ_AGAIN_S", 100.0)
    cutter = Cutter(Line(Storage(partitions=2)))
    await cutter.take(3)
    await cutter.cuts.collect(nothing)
    cutter.damage(cutter.keys("blob.3.")[0], "flipped")
    await cutter.cuts.collect(nothing)
    assert "passed over" not in caplog.text
    await asyncio.sleep(101)
    await cutter.cuts.collect(nothing)
    assert "cut 3 is passed over, and an older one is kept" in caplog.text


async def test_the_log_is_not_trimmed_to_a_cut_so_young_that_readers_would_not_notice() -> None:
    cutter = Cutter(Line(Storage(partitions=2)))
    cutter.cuts = Cuts(cutter.line)
    for _ in range(10):
        await cutter.take(1)
        await cutter.cuts.collect(nothing)
        await asyncio.sleep(1)
    assert await cutter.found() == [10, 9]
    assert cutter.positions[2].sequence <= cutter.storage.first <= cutter.positions[10 - 5].sequence


@pytest.mark.parametrize("changed", [{"created": "2020-02-02T00:00:00Z"}, {"sequence": 10**6}, {"digest": bytes(16)}])
async def test_a_cut_of_another_log_or_of_another_history_is_passed_over_for_an_older_one(
    changed: dict[str, object],
) -> None:
    """Restored by hand, say: only as the newest does one of this log tell that the log is not what it was."""
    cutter = Cutter(Line(Storage(partitions=2)))
    await cutter.take(3)
    for key in cutter.keys("cut.2."):
        manifest = cut.read_manifest(cutter.storage.blobs[key])
        position = msgspec.structs.replace(manifest.position, **changed)
        cutter.storage.blobs[key] = cut.moved(manifest, position)
    await cutter.cuts.collect(nothing)
    assert cutter.storage.first == cutter.positions[1].sequence
    for epoch in (3, 1):
        partition = await cutter.cuts.partition(await cutter.cuts.at(epoch), 0)
        assert cut_writer.state_bytes(partition) == cutter.states[epoch][0]


async def test_a_newest_cut_of_another_log_is_passed_over_where_there_is_one_of_this_log() -> None:
    cutter = Cutter(Line(Storage(partitions=2)))
    await cutter.take(3)
    for key in cutter.keys("cut.3."):
        manifest = cut.read_manifest(cutter.storage.blobs[key])
        cutter.storage.blobs[key] = cut.moved(manifest, Position("2020-02-02T00:00:00Z", 5, bytes(16)))
    assert (await cutter.cuts.newest_partition(0))[1] == cutter.positions[2]
    assert await cutter.found() == [2, 1]
