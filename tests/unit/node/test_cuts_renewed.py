"""What the store has lost of a cut is in the memory of those who count: they write it anew, and do not build on it."""

import pytest
from node_cutting import Cutter, nothing
from node_line import Line

from footfall.core import cut_writer
from footfall.log.memory import Storage


@pytest.fixture(params=["inline", "blobs"])
async def cutter(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Cutter:
    """Two cuts of counts and of visitors; what is small is held in the manifest, or everything in blobs of its own."""
    if request.param == "blobs":
        monkeypatch.setattr(cut_writer, "INLINE_BYTES_MAX", 0)
    cutter = Cutter(Line(Storage(partitions=2)))
    cutter.visit(0, 5, [f"visitor {number}" for number in range(50)])
    await cutter.cut()
    cutter.visit(1, 7, [f"visitor {number}" for number in range(100)])
    await cutter.cut()
    await cutter.cuts.collect(nothing)
    return cutter


async def check_newest_is_whole(cutter: Cutter) -> None:
    """Counting could go on from the newest cut, and from no other."""
    newest = (await cutter.cuts.find())[0]
    assert newest.epoch == cutter.epoch
    states = [cut_writer.state_bytes(await cutter.cuts.partition(newest, number)) for number in range(2)]
    assert states == cutter.states[cutter.epoch]
    assert await cutter.cuts.definitions(newest)


async def test_a_store_that_was_removed_and_made_again_has_whole_cuts_from_the_next_on(
    cutter: Cutter, caplog: pytest.LogCaptureFixture
) -> None:
    cutter.storage.blobs.clear()
    await cutter.cut()
    await check_newest_is_whole(cutter)
    [said] = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert said.startswith("cut 2 was stored, and is gone, or a part of it: that is written anew")
    await cutter.cut()
    await cutter.cuts.collect(nothing)
    assert [found.epoch for found in await cutter.cuts.find()] == [4, 3]


@pytest.mark.parametrize("how", ["missing", "flipped"])
async def test_a_blob_that_the_store_has_lost_or_changed_is_not_built_on_for_ever(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(cut_writer, "INLINE_BYTES_MAX", 0)
    cutter = Cutter(Line(Storage(partitions=2)))
    cutter.visit(0, 5, [f"visitor {number}" for number in range(50)])
    await cutter.cut()
    cutter.visit(0)
    await cutter.cut()
    for key in cutter.keys("blob.1."):
        cutter.damage(key, how)
    for _ in range(3):
        cutter.visit(1)
        await cutter.cut()
        await cutter.cuts.collect(nothing)
    await check_newest_is_whole(cutter)
    first = cutter.storage.first
    await cutter.cut()
    await cutter.cuts.collect(nothing)
    assert cutter.storage.first > first, "the log is trimmed again"
