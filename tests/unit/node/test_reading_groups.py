"""Partitions that began together share one reader of the log; whoever of them goes, the others count on."""

import asyncio

import pytest
from node_cluster import TOPOLOGIES, VISITORS, Cluster, until, visits
from node_line import soon

from footfall.config import Topology
from footfall.core.control import Barrier
from footfall.core.routing import ranking
from footfall.core.visit import Visit
from footfall.node.node import Node

BOTH = pytest.mark.parametrize("topology", TOPOLOGIES)


def groups(node: Node) -> list[list[int]]:
    """The partitions that are read together."""
    return sorted(sorted(reading.foldings) for reading in node.counting.aggregator._readings)


def check_one_reader_each(cluster: Cluster) -> None:
    """Each partition that a node folds has one reader there, which runs."""
    for node in cluster.nodes.values():
        aggregator = node.counting.aggregator
        assert sorted(number for group in groups(node) for number in group) == sorted(aggregator.foldings)
        assert not any(reading.task is None or reading.task.done() for reading in aggregator._readings)


async def spread(cluster: Cluster, first: int, count: int) -> None:
    """Visits for all partitions, by turns at all nodes."""
    nodes = list(cluster.nodes.values())
    for number in range(first, first + count):
        await nodes[number % len(nodes)].add([Visit("people", f"visitor {number}"), Visit("a", f"visitor {number}")])


@BOTH
async def test_partitions_that_begin_together_share_a_reader_until_some_go(
    cluster: Cluster, topology: Topology
) -> None:
    n1 = await cluster.start("n1", topology=topology)
    assert groups(n1) == [[0, 1, 2, 3]]
    await n1.define("people", VISITORS)
    await spread(cluster, 0, 40)
    await cluster.start("n4", topology=topology)
    await until(cluster.settled)
    mine = cluster.owned()["n1"]
    assert len(mine) == 2
    assert groups(n1) == [mine]
    check_one_reader_each(cluster)
    await spread(cluster, 40, 40)
    await cluster.shows("people", 80)
    await cluster.shows("a", 80)
    assert cluster.counted("people") == 80


async def test_the_partitions_that_stay_wait_for_no_definition_that_nobody_writes(cluster: Cluster) -> None:
    n1 = await cluster.start("n1")
    await n1.define("people", VISITORS)
    await cluster.start("n4")
    await n1.add([Visit("people", f"visitor {number}") for number in range(40)])
    last = cluster.storage.last
    await until(cluster.settled)
    assert cluster.storage.last == last, "the last message that was read is of visits"
    await n1.add([Visit("people", f"visitor {number}") for number in range(40, 80)])
    await until(lambda: n1.read("people").value == 80, 5)
    assert not n1.counting.aggregator.lags_s()


@BOTH
async def test_partitions_come_and_go_under_traffic_and_nothing_is_missed_or_counted_twice(
    cluster: Cluster, topology: Topology
) -> None:
    cluster.settings["cut_interval_s"] = 2.0
    n1 = await cluster.start("n1", topology=topology)
    await n1.define("people", VISITORS)
    sent = 0

    async def traffic() -> None:
        nonlocal sent
        while True:
            await n1.add([Visit("people", f"visitor {sent}"), Visit("a", f"visitor {sent}")])
            sent += 1
            if sent % 7 == 0:
                await n1.define(f"c{sent}", VISITORS)
            await asyncio.sleep(0.03)

    running = asyncio.create_task(traffic())
    for _ in range(2):
        for name in ("n4", "n7"):
            await cluster.start(name, topology=topology)
            await until(cluster.settled)
            check_one_reader_each(cluster)
        await cluster.kill("n4")
        await until(cluster.settled)
        check_one_reader_each(cluster)
        await cluster.nodes.pop("n7").stop()
        await until(cluster.settled)
    running.cancel()
    await soon()
    await until(lambda: all(cluster.shown(name)[0] in (sent, sent + 1) for name in ("people", "a")))
    assert (await n1.read_exact("people")).value == n1.read("people").value
    assert not n1.counting.aggregator.alarms
    assert not n1.problems()


async def test_partitions_that_are_taken_over_from_one_cut_share_a_reader(cluster: Cluster) -> None:
    cluster.settings["cut_interval_s"] = 2.0
    for name in ("n1", "n4"):
        await cluster.start(name)
    await until(cluster.settled)
    await spread(cluster, 0, 8)
    await until(lambda: cluster.storage.first > 1)
    mine, theirs = cluster.owned().values()
    await cluster.kill("n4")
    n1 = cluster.nodes["n1"]
    await until(cluster.settled)
    assert groups(n1) == sorted([mine, theirs])
    await spread(cluster, 8, 8)
    await cluster.shows("a", 16)


@BOTH
async def test_a_group_for_which_the_log_was_trimmed_too_far_begins_anew_from_a_cut(
    cluster: Cluster, topology: Topology
) -> None:
    cluster.settings["cut_interval_s"] = 2.0
    for name in ("n1", "n4"):
        await cluster.start(name, topology=topology)
    await until(cluster.settled)
    await cluster.nodes["n1"].define("people", VISITORS)
    await spread(cluster, 0, 20)
    await cluster.shows("people", 20)
    n1, n4 = cluster.nodes.values()
    mine = cluster.owned()["n4"]
    cluster.cut_off("n4")
    for number in range(20, 40):
        await n1.add([Visit("people", f"visitor {number}"), Visit("a")])
        await asyncio.sleep(1)
    assert cluster.storage.first > n4.table.sequence() + 1
    cluster.lines["n4"].reconnect()
    await until(cluster.settled)
    assert groups(n4) == [mine]
    check_one_reader_each(cluster)
    await spread(cluster, 40, 20)
    await cluster.shows("people", 60)
    await cluster.shows("a", 60)


def follower(partitions: int) -> str:
    """A node that counts some of n1's partitions, but not all, when it comes."""
    names = (f"n{number}" for number in range(2, 99))
    taken = {name: sum(ranking(p, ["n1", name])[0] == name for p in range(partitions)) for name in names}
    return next(name for name, count in taken.items() if count == 1)


async def test_a_group_that_is_broken_up_while_it_waits_for_definitions_goes_on_where_it_was(cluster: Cluster) -> None:
    n1 = await cluster.start("n1")
    await n1.add(visits("a", 3))
    await cluster.shows("a", 3)
    line = cluster.lines["n1"]
    other = follower(4)
    n2 = await cluster.start(other)
    line.hold_definitions()
    for number in range(8):  # each partition's fold meets a name that its node does not know yet
        await n2.add([Visit(f"new{number}", f"visitor {number}"), Visit("a", f"visitor {number}")])
    assert groups(n1) == [[0, 1, 2, 3]]
    await until(cluster.settled)
    await asyncio.sleep(1)
    assert len(groups(n1)) == 1
    assert len(groups(n1)[0]) == 3
    line.release()
    await cluster.shows("a", 11)
    for number in range(8):
        await cluster.shows(f"new{number}", 1)
    assert cluster.counted("a") == 11
    assert not n1.counting.aggregator.alarms


async def test_a_group_that_is_broken_up_before_it_read_anything_begins_where_it_should_have(cluster: Cluster) -> None:
    cluster.settings["cut_interval_s"] = 2.0
    n1 = await cluster.start("n1")
    await n1.add(visits("a", 3))
    await until(lambda: cluster.storage.first > 1)
    await n1.add(visits("a", 4))
    await n1.stop()
    cluster.nodes.clear()
    n1 = cluster.nodes["n1"] = cluster.node("n1")
    cluster.lines["n1"].hold_reads()
    await cluster.begin(n1)
    aggregator = n1.counting.aggregator
    assert groups(n1) == [[0, 1, 2, 3]]
    await aggregator.stop([1, 3])
    assert groups(n1) == [[0, 2]]
    cluster.lines["n1"].release()
    await until(lambda: groups(n1) == [[0, 2], [1, 3]])  # they are its own, so it takes them again
    await until(lambda: not n1.problems())
    await cluster.shows("a", 7)


async def test_all_partitions_of_a_group_answer_for_one_place_of_the_log(cluster: Cluster) -> None:
    n1 = await cluster.start("n1")
    await spread_alone(n1, 40)
    exact = [await n1.read_exact("a"), await n1.read_exact("a")]
    assert [one.value for one in exact] == [40, 40]
    assert exact[0].sequence < exact[1].sequence
    await n1.counting.aggregator.stop([0, 1])
    n1.counting.sharing.dropped_partition()
    await n1.producer.control(Barrier)
    assert (await n1.read_exact("a")).value == 40, "it took them again in time"


async def spread_alone(node: Node, count: int) -> None:
    for number in range(count):
        await node.add([Visit("a", f"visitor {number}", key=f"key {number}")])
