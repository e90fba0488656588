"""Nodes together: they share the partitions, take over those of one that is gone, and come to the same counts."""

import asyncio

import pytest
from node_cluster import TOPOLOGIES, VISITORS, Cluster, until, visits
from node_line import soon

from footfall.config import Topology
from footfall.core.control import Barrier
from footfall.core.visit import Visit
from footfall.errors import NotReadyError, SecretMismatchError, TopologyMismatchError
from footfall.log.protocol import CONTROL_SUBJECT as CONTROL
from footfall.node.node import RIVAL

BOTH = pytest.mark.parametrize("topology", TOPOLOGIES)


@BOTH
async def test_nodes_share_the_partitions_and_come_to_the_same_counts(cluster: Cluster, topology: Topology) -> None:
    for name in ("n1", "n4", "n7"):
        await cluster.start(name, topology=topology)
    await until(cluster.settled)
    await cluster.nodes["n1"].define("people", VISITORS)
    for number, node in enumerate(cluster.nodes.values()):
        await node.add([*visits("a.b", 5), Visit("people", f"visitor {number}"), Visit("people", "the same")])
    await cluster.shows("a", 15)
    await cluster.shows("people", 4)
    assert (cluster.counted("a.b"), cluster.counted("people")) == (15, 4)
    assert all(cluster.owned().values())


@BOTH
async def test_a_node_that_went_silent_is_replaced_from_the_newest_cut_and_what_came_after_it(
    cluster: Cluster, topology: Topology
) -> None:
    cluster.settings["cut_interval_s"] = 2.0
    for name in ("n1", "n4"):
        await cluster.start(name, topology=topology)
    await until(cluster.settled)
    n1 = cluster.nodes["n1"]
    for _ in range(20):
        await n1.add([Visit("a", f"visitor {number}") for number in range(10)])
        await asyncio.sleep(0.5)
    await until(lambda: cluster.storage.first > 1)
    await n1.add([Visit("a", f"visitor {number}") for number in range(10)])
    await cluster.shows("a", 210)
    await cluster.kill("n4")
    took_s = await until(cluster.settled)
    assert 1.5 < took_s < 4.0, "two seconds of silence, and a look"
    await n1.add([Visit("a", f"visitor {number}") for number in range(10)])
    await cluster.shows("a", 220)
    assert not n1.problems()


@BOTH
async def test_a_node_that_leaves_is_replaced_at_once(cluster: Cluster, topology: Topology) -> None:
    for name in ("n1", "n4"):
        await cluster.start(name, topology=topology)
    await until(cluster.settled)
    await cluster.nodes["n4"].add(visits("a", 3))
    await cluster.nodes.pop("n4").stop()
    assert await until(cluster.settled) < 1.0
    await cluster.shows("a", 3)
    assert [node.id for node in cluster.nodes["n1"].nodes()] == ["n1"]


@BOTH
async def test_a_node_that_comes_back_finds_all_that_was_counted(cluster: Cluster, topology: Topology) -> None:
    cluster.settings["cut_interval_s"] = 2.0
    await cluster.start("n1", topology=topology)
    await cluster.nodes["n1"].define("people", VISITORS)
    for number in range(10):
        await cluster.nodes["n1"].add([Visit("a", key=f"key {number}"), Visit("people", f"visitor {number % 4}")])
        await asyncio.sleep(1)
    await cluster.kill("n1")
    await cluster.start("n1", topology=topology)
    assert (cluster.shown("a"), cluster.shown("people")) == ([10], [4])
    await cluster.nodes["n1"].add([Visit("a", key="key 3"), Visit("a", key="new"), Visit("people", "visitor 3")])
    await cluster.shows("a", 11)
    await cluster.shows("people", 4)


async def test_a_node_of_the_other_topology_is_refused(cluster: Cluster) -> None:
    cluster.settings["beat_interval_s"] = 3.0  # who comes is answered at once
    await cluster.start("n1", topology=Topology.REPLICATED)
    with pytest.raises(TopologyMismatchError, match="n1 runs topology replicated"):
        await cluster.begin(cluster.node("n4", topology=Topology.SHARDED))


async def test_a_node_with_another_secret_is_refused(cluster: Cluster) -> None:
    cluster.settings["beat_interval_s"] = 3.0
    await cluster.start("n1")
    with pytest.raises(SecretMismatchError, match="n1 has another secret than this one"):
        await cluster.begin(cluster.node("n4", secret="the neighbour's"))


async def test_a_node_is_not_ready_before_it_has_read_what_the_log_held_when_it_started(cluster: Cluster) -> None:
    await cluster.start("n1")
    await cluster.nodes["n1"].add(visits("a", 3))
    await cluster.kill("n1")
    node = cluster.node("n4")
    assert node.problems() == ["it is starting"]
    cluster.lines["n4"].hold_reads()
    await cluster.begin(node)
    target = cluster.storage.last
    await asyncio.sleep(5)
    (problem,) = node.problems()
    assert f"starts at {target}" in problem
    with pytest.raises(NotReadyError, match="does not answer now"):
        node.read("a")
    for request in (node.add(visits("a")), node.define("b", VISITORS), node.source_position("file")):
        with pytest.raises(NotReadyError):
            await request
    cluster.lines["n4"].release()
    await until(lambda: not node.problems())
    assert node.read("a").value == 3
    assert node.read("a").sequence >= target


async def test_the_node_that_is_first_paces_the_epochs(cluster: Cluster) -> None:
    cluster.settings["cut_interval_s"] = 4.0
    for name in ("n1", "n4", "n7"):
        await cluster.start(name)
    await until(cluster.settled)
    began = cluster.nodes["n4"].counting.definitions.epoch
    for line in cluster.lines.values():
        line.attempts.clear()
    await asyncio.sleep(40)
    assert 8 <= cluster.nodes["n4"].counting.definitions.epoch - began <= 10
    ticking = [name for name, line in cluster.lines.items() if any(subject == CONTROL for subject, _ in line.attempts)]
    assert ticking == [name for name, node in cluster.nodes.items() if node.counting.members.is_first()] == ["n1"]
    epoch = cluster.nodes["n4"].counting.definitions.epoch
    await cluster.kill("n1")
    assert await until(lambda: cluster.nodes["n4"].counting.definitions.epoch > epoch) < 10
    await asyncio.sleep(20)
    assert cluster.nodes["n4"].counting.definitions.epoch > epoch + 3


async def test_epochs_last_as_long_as_a_cut_takes(cluster: Cluster) -> None:
    cluster.settings["cut_interval_s"] = 2.0
    node = await cluster.start("n1")
    await asyncio.sleep(3)
    epoch = node.counting.definitions.epoch
    node.counting.cuts.duration_s = 30.0
    cluster.lines["n1"].hold_blobs()
    await asyncio.sleep(20)
    assert node.counting.definitions.epoch <= epoch + 1


async def test_an_owner_of_a_sources_partition_is_asked_for_its_position(cluster: Cluster) -> None:
    for name in ("n1", "n4"):
        await cluster.start(name)
    await until(cluster.settled)
    sources = [f"file {number}" for number in range(8)]
    n1, n4 = cluster.nodes.values()
    for number, source in enumerate(sources):
        added = await n1.add_chunk(source, 0, 10 + number, visits("a", 2))
        assert added.accepted == 2
        assert await n1.source_position(source) == await n4.source_position(source) == 10 + number
    await cluster.shows("a", 16)


async def test_if_no_node_counts_a_sources_partition_its_position_is_not_known(cluster: Cluster) -> None:
    for name in ("n1", "n4"):
        await cluster.start(name)
    await until(cluster.settled)
    await cluster.kill("n4")
    n1 = cluster.nodes["n1"]
    positions = await asyncio.gather(
        *(n1.counting.ownership.source_position(number, "file", 0) for number in range(4)), return_exceptions=True
    )
    assert {type(position) for position in positions} == {int, NotReadyError}
    await until(cluster.settled)
    assert [await n1.counting.ownership.source_position(number, "file", 0) for number in range(4)] == [0, 0, 0, 0]


async def test_an_owner_that_is_behind_answers_once_it_has_come_so_far_or_not_at_all(cluster: Cluster) -> None:
    await cluster.start("n1")
    n1 = cluster.nodes["n1"].counting
    asked = asyncio.create_task(n1.ownership.source_position(0, "file", cluster.storage.last + 1))
    await asyncio.sleep(1)
    assert not asked.done()
    await cluster.nodes["n1"].producer.control(Barrier)
    assert await asked == 0
    with pytest.raises(NotReadyError, match="behind"):
        await n1.ownership.source_position(0, "file", cluster.storage.last + 1)


async def test_a_question_that_cannot_be_read_gets_no_answer(cluster: Cluster) -> None:
    await cluster.start("n1")
    line = cluster.lines["n1"]
    asked = asyncio.create_task(line.ask("footfall.source.0", b"\xff", 1.0))
    await asyncio.sleep(2)
    assert asked.exception() is not None
    assert await cluster.nodes["n1"].source_position("file") == 0


async def test_what_cannot_be_read_or_is_of_the_other_topology_changes_nothing(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("n1", "n4"):
        await cluster.start(name)
    await cluster.nodes["n1"].add(visits("a", 3))
    await cluster.shows("a", 3)
    for data in (b"", b"\xff" * 9, b"\x91" * 100_000, b"\x94\xa6gather\xa2n9\x01\x80", b"\x95\xa4beat\xa2n9"):
        await cluster.lines["n1"].send("footfall.nodes", data)
    await soon()
    assert "other topology" in caplog.text
    await cluster.nodes["n1"].add(visits("a", 3))
    await cluster.shows("a", 6)
    assert not any(node.problems() for node in cluster.nodes.values())


async def test_a_second_process_of_the_same_name_is_reported_and_harms_nothing(cluster: Cluster) -> None:
    n1 = await cluster.start("n1")
    twin = cluster.node("n1", data=str(cluster.directory / "twin"))
    await cluster.begin(twin)
    await asyncio.sleep(2)
    assert n1.counting.members.rivals > 0
    assert n1.warnings() == twin.warnings() == [RIVAL]
    await n1.add(visits("a", 3))
    await asyncio.sleep(1)
    assert n1.read("a").value == twin.read("a").value == 3
