"""The traps between reading, folding and sharing: what is read too early, let go too late, or forgotten."""

import asyncio

import pytest
from node_cluster import TOPOLOGIES, Cluster, until, visits
from node_line import soon

from footfall.config import Topology
from footfall.core.batch import Batch, Section, encode
from footfall.core.names import Unit
from footfall.core.visit import Visit
from footfall.node.sharing import Link

BOTH = pytest.mark.parametrize("topology", TOPOLOGIES)


async def test_a_partition_waits_for_the_definitions_that_its_next_batch_needs(cluster: Cluster) -> None:
    for name in ("n1", "n4"):
        await cluster.start(name)
    await until(cluster.settled)
    n1, n4 = cluster.nodes.values()
    cluster.lines["n1"].hold_definitions()
    await n4.add([Visit("new", key=f"key {number}") for number in range(20)])
    await asyncio.sleep(1)
    assert n1.definition("new") is None
    cluster.lines["n1"].release()
    await cluster.shows("new", 20)
    assert not n1.counting.aggregator.alarms


async def test_a_partition_that_is_taken_from_a_cut_waits_until_the_definitions_are_as_far(cluster: Cluster) -> None:
    cluster.settings["cut_interval_s"] = 2.0
    for name in ("n1", "n2"):
        await cluster.start(name)
    await until(cluster.settled)
    assert cluster.owned() == {"n1": [], "n2": [0, 1, 2, 3]}
    n1, n2 = cluster.nodes.values()
    cluster.lines["n1"].hold_definitions()
    await asyncio.sleep(0.1)
    await n2.add(visits("new"))
    await asyncio.sleep(6)
    epoch = n2.counting.definitions.epoch
    await until(lambda: n2.counting.definitions.epoch > epoch)
    await n2.add(visits("new", 5))  # the first thing after a cut
    await cluster.kill("n2")
    await until(lambda: len(n1.counting.aggregator.foldings) == 4)
    assert (await n1.counting.cuts.newest_definitions())[0].number("new") is not None
    await asyncio.sleep(2)
    assert n1.definition("new") is None
    cluster.lines["n1"].release()
    await cluster.shows("new", 6)
    assert not n1.counting.aggregator.alarms


@BOTH
async def test_who_lets_a_partition_go_asks_for_what_it_did_not_merge_meanwhile(
    cluster: Cluster, topology: Topology
) -> None:
    cluster.settings["anti_entropy_interval_s"] = 3600.0
    n1 = await cluster.start("n1", topology=topology)
    await n1.add(visits("a"))
    await cluster.shows("a", 1)
    cluster.lines["n1"].hold_reads()
    n4 = cluster.nodes["n4"] = cluster.node("n4", topology=topology)
    await cluster.begin(n4)
    await until(lambda: len(n4.counting.aggregator.owned()) == 2, 0.5)
    for partition in n4.counting.aggregator.owned():
        batch = Batch("batch/1", "someone", 0, 1, [Section("a", Unit.VISITS, 10, None, None, 1)], None)
        cluster.storage.append(f"footfall.visits.{partition}", encode(batch))
    await until(lambda: n4.table.value(0) == 21)
    assert n1.read("a").value == 1, "its own folds are behind"
    await until(lambda: len(n1.counting.aggregator.foldings) == 2)
    assert n1.read("a").value == 1
    await until(lambda: n1.read("a").value == 21, 5)


async def test_if_the_first_node_does_not_pace_the_epochs_another_does(cluster: Cluster) -> None:
    cluster.settings["cut_interval_s"] = 4.0
    for name in ("n1", "n4"):
        await cluster.start(name)
    await asyncio.sleep(9)
    assert cluster.nodes["n1"].counting.members.is_first()
    cluster.lines["n1"].hold()
    n4 = cluster.nodes["n4"].counting
    epoch = n4.definitions.epoch
    await asyncio.sleep(13)
    assert n4.definitions.epoch in (epoch + 1, epoch + 2)


async def test_a_node_that_vanished_is_forgotten_in_the_end(cluster: Cluster) -> None:
    for name in ("n1", "n4"):
        await cluster.start(name)
    await soon()
    links: dict[str, Link] = cluster.nodes["n1"].counting.sharing._links
    assert list(links) == ["n4"]
    await cluster.kill("n4")
    await asyncio.sleep(25)
    assert cluster.nodes["n1"].counting.sharing._links == {}
    assert cluster.nodes["n1"].counting.members.beats == {}


async def test_what_a_cut_holds_is_known_at_once(cluster: Cluster) -> None:
    node = await cluster.start("n1", cut_interval_s=2.0)
    await node.add(visits("a", 3))
    await until(lambda: cluster.storage.first > 1)
    await cluster.kill("n1")
    again = cluster.node("n1")
    states = await again.counting.load()
    assert sorted(states) == [0, 1, 2, 3]
    assert {position.sequence for _, position, _ in states.values()} == {again.table.sequence()}
    assert again.table.sequence() > cluster.storage.first
    assert again.table.value(0) == 3
