"""What the store has lost of a cut is in the memory of those who count: they write it anew, and do not build on it."""

import asyncio

import pytest
from node_cluster import Cluster, until, visits
from node_cutting import Cutter, nothing
from node_line import Line, soon

from footfall.core import cut_writer
from footfall.errors import LogUnavailableError
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


async def test_a_node_that_is_behind_does_not_take_a_cut_that_others_have_dropped_for_lost(
    cutter: Cutter, caplog: pytest.LogCaptureFixture
) -> None:
    behind = cutter.writers["0"]
    for _ in range(3):
        cutter.writers["0"] = cut_writer.Writer()
        cutter.visit()
        await cutter.cut()
        await cutter.cuts.collect(nothing)
    assert not cutter.keys("cut.2.")
    captured = cutter.tick()["0"]._replace(epoch=3, part="0")
    cutter.storage.blobs.pop("cut.3.0", None)
    cutter.cuts.take(captured, cutter.positions[3], behind)
    await soon()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_store_that_does_not_answer_stops_no_epoch_and_is_said(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.settings["cut_interval_s"] = 2.0
    node = await cluster.start("n1")
    with monkeypatch.context() as patch:
        patch.setattr(cluster.lines["n1"], "keys", unavailable)
        epoch = node.counting.definitions.epoch
        await until(lambda: node.counting.definitions.epoch > epoch + 1)
    assert "old cuts and the log before them are kept for now: the store is away" in caplog.text
    assert not node.problems()


async def test_a_partition_that_no_cut_tells_of_now_is_taken_once_there_is_one(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.settings["cut_interval_s"] = 2.0
    for name in ("n1", "n4"):
        node = await cluster.start(name)
        await node.add(visits("a"))
    await until(lambda: cluster.settled() and cluster.storage.first > 1)
    blobs = dict(cluster.storage.blobs)
    cluster.storage.blobs.clear()
    await cluster.kill("n1")
    await until(lambda: "cannot be taken yet" in caplog.text)
    assert not cluster.nodes["n4"].problems()
    assert "cannot be taken yet" in cluster.nodes["n4"].warnings()[0]
    cluster.storage.blobs.update(blobs)
    await until(cluster.settled)
    await cluster.shows("a", 2)
    assert caplog.text.count("cannot be taken yet") == 1
    assert cluster.nodes["n4"].warnings() == []


async def test_that_parts_of_cuts_are_lost_is_said_once_while_a_partition_waits_for_a_whole_one(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cut_writer, "INLINE_BYTES_MAX", 0)
    cluster.settings["cut_interval_s"] = 15.0
    for name in ("n1", "n4"):
        node = await cluster.start(name)
        await node.add(visits("a"))
    await until(lambda: cluster.settled() and cluster.storage.first > 1)
    for key in [key for key in cluster.storage.blobs if key.startswith("blob.")]:
        del cluster.storage.blobs[key]
    await cluster.kill("n1")
    await until(lambda: "cannot be taken yet" in caplog.text)
    await asyncio.sleep(10)
    epoch = cluster.nodes["n4"].counting.definitions.epoch
    assert 1 <= caplog.text.count("an older cut is tried") <= epoch < 10, "of each cut that is there"


async def unavailable(prefix: str) -> list[str]:
    raise LogUnavailableError("the store is away")
