"""A node samples what it shows, keeps it over restarts, and goes on counting whatever happens to that."""

import asyncio
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
from node_cluster import Cluster, until, visits

from footfall.core.visit import Visit
from footfall.errors import InvalidNameError, OverloadedError
from footfall.node import history as history_module
from footfall.node.history import Span
from footfall.node.history_file import COARSE, HistoryFile
from footfall.node.node import Node


@pytest.fixture
async def node(cluster: Cluster) -> Node:
    return await cluster.start("n1")


async def points(node: Node, name: str, span: Span = Span.HOUR) -> list[int]:
    return [value for _, value in (await node.history.read(name, span)).points]


def path_of(node: Node) -> Path:
    return Path(node.config.data) / f"history-{node.id}.sqlite"


async def test_a_sample_is_taken_every_ten_seconds_and_every_hour(node: Node) -> None:
    await node.add(visits("shop.books", 3))
    await asyncio.sleep(31)
    await node.add(visits("shop.books", 2))
    await asyncio.sleep(20)
    assert await points(node, "shop") == [3, 3, 3, 5, 5]
    found = await node.history.read("shop.books", Span.DAY)
    times_s = [time_s for time_s, _ in found.points]
    assert [round(after - before) for before, after in pairwise(times_s)] == [10] * 4
    assert (found.counter, found.step_s) == ("shop.books", 10)
    assert await points(node, "shop", Span.YEAR) == [3]
    assert (await node.history.read("shop", Span.WEEK)).step_s == 3600
    assert node.history.kept == 5
    assert node.history.bytes > 0


async def test_a_counter_without_a_past_has_no_points_and_what_is_no_name_is_refused(node: Node) -> None:
    assert await points(node, "nobody") == []
    with pytest.raises(InvalidNameError):
        await node.history.read("a..b", Span.DAY)


async def test_it_goes_on_after_a_kill(cluster: Cluster, node: Node) -> None:
    await node.add(visits("shop", 3))
    await asyncio.sleep(25)
    await cluster.kill("n1")
    await asyncio.sleep(60)
    again = await cluster.start("n1")
    await again.add(visits("shop"))
    await asyncio.sleep(15)
    assert await points(again, "shop") == [3, 3, 4]
    assert not again.warnings()


async def test_a_node_that_does_not_answer_takes_no_sample(cluster: Cluster, node: Node) -> None:
    await node.add(visits("shop", 3))
    await asyncio.sleep(11)
    node.health.ready = False
    await asyncio.sleep(20)
    node.health.ready = True
    await asyncio.sleep(10)
    assert len(await points(node, "shop")) == 2
    assert node.history.failed == 0


async def test_each_node_keeps_what_it_knows_of_the_whole(cluster: Cluster) -> None:
    nodes = [await cluster.start(name) for name in ("n1", "n4")]
    await until(cluster.settled)
    await nodes[0].add([Visit("shop", f"visitor {number}") for number in range(20)])
    await asyncio.sleep(15)
    assert [(await points(one, "shop"))[-1] for one in nodes] == [20, 20]


async def test_of_more_counters_than_it_may_keep_those_at_the_top_are_kept(cluster: Cluster) -> None:
    node = await cluster.start("n1", history_counters_max=3)
    await node.add([Visit("deep.er.est"), Visit("deep.er2"), Visit("other")])
    await asyncio.sleep(11)
    kept = [name for name in ("deep", "deep.er", "deep.er.est", "deep.er2", "other") if await points(node, name)]
    assert kept == ["deep", "deep.er", "other"]
    await node.add([Visit("newest")])
    await asyncio.sleep(10)
    assert await points(node, "newest")
    assert len(await points(node, "deep.er")) == 2, "it is shown as it was until the next whole sample"


async def test_without_any_counters_nothing_is_kept(cluster: Cluster) -> None:
    node = await cluster.start("n1", history_counters_max=0)
    await node.add(visits("shop"))
    await asyncio.sleep(11)
    assert await points(node, "shop") == []
    assert not path_of(node).exists()


async def test_a_damaged_file_is_put_aside_and_a_person_is_told(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    (cluster.directory / "n1").mkdir()
    path = cluster.directory / "n1" / "history-n1.sqlite"
    path.write_bytes(b"what a broken disk gives" * 1000)
    node = await cluster.start("n1")
    await node.add(visits("shop"))
    await asyncio.sleep(25)
    assert path.with_name("history-n1.sqlite.damaged").read_bytes() == b"what a broken disk gives" * 1000
    [warning] = node.warnings()
    assert warning == "the history could not be read: it was put aside, and begins anew", (
        "strangers see it, and no path"
    )
    assert f"{path}: {warning} (" in caplog.text
    assert "see history-n1.sqlite.damaged)" in caplog.text
    assert await points(node, "shop") == [1]
    assert (node.history.kept, node.history.failed) == (1, 1)


async def test_a_file_that_is_damaged_while_it_is_used_begins_anew(node: Node) -> None:
    await node.add(visits("shop"))
    await asyncio.sleep(11)
    file = node.history._file
    assert file is not None
    file._connection.execute("DROP TABLE entries")
    assert await points(node, "shop") == []
    await asyncio.sleep(10)
    assert await points(node, "shop") == [1]
    assert len(node.warnings()) == 1


async def test_a_full_disk_keeps_nothing_from_the_node_and_the_warning_passes(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    await node.add(visits("shop"))
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 0))  # type: ignore[attr-defined]
        await asyncio.sleep(25)
        assert "less than 256 MiB left" in node.warnings()[0]
        assert node.read("shop").value == 1
    await asyncio.sleep(10)
    assert not node.warnings()
    assert await points(node, "shop") == [1]
    assert (node.history.kept, node.history.failed) == (1, 2)


async def test_a_newer_version_s_file_is_left_alone(cluster: Cluster, node: Node) -> None:
    await node.add(visits("shop"))
    await asyncio.sleep(11)
    file = node.history._file
    assert file is not None
    file._connection.execute("PRAGMA user_version = 9")
    await cluster.kill("n1")
    before = path_of(node).read_bytes()
    again = await cluster.start("n1")
    await asyncio.sleep(25)
    assert again.warnings() == ["no history is kept: a newer version of Footfall wrote it"]
    assert await points(again, "shop") == []
    assert path_of(node).read_bytes() == before


async def test_another_process_s_file_is_waited_for(
    cluster: Cluster, node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    await node.add(visits("shop"))
    await asyncio.sleep(11)
    await cluster.kill("n1")
    other = HistoryFile(path_of(node), 10)
    other.append(COARSE, 0.0, {})
    again = await cluster.start("n1")
    await asyncio.sleep(11)
    assert again.warnings() == ["the history cannot be kept now; this node's log says why"]
    assert (
        f"{path_of(node)}: the history cannot be kept now; this node's log says why (database is locked)" in caplog.text
    )
    other.close()
    await asyncio.sleep(10)
    assert await points(again, "shop") == [1, 1]
    assert not again.warnings()


async def test_a_bug_in_it_ends_no_node(
    node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await node.add(visits("shop"))
    monkeypatch.setattr(node.history, "_append", lambda now_s, values: 1 / 0)
    await asyncio.sleep(11)
    assert "a sample for the history cannot be taken" in caplog.text
    assert not node.problems()
    assert node.history.failed == 1


async def test_only_so_many_wait_to_read_it(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "READS_MAX", 0)
    with pytest.raises(OverloadedError, match="0 histories"):
        await node.history.read("shop", Span.DAY)
