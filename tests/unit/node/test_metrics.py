"""A node's metrics: named and typed as Prometheus wants them, and they tell what happened."""

import asyncio
import re

import pytest
from node_cluster import TOPOLOGIES, Cluster, until, visits
from node_line import soon

from footfall.config import Topology
from footfall.node.node import Node


def sample(node: Node, name: str) -> float:
    """The value of a metric without labels."""
    (metric,) = [metric for metric in node.metrics() if metric.name == name]
    ((labels, value),) = metric.samples
    assert labels == {}
    return value


def labelled(node: Node, name: str) -> dict[str, float]:
    """By its one label, the values of a metric."""
    (metric,) = [metric for metric in node.metrics() if metric.name == name]
    return {next(iter(labels.values())): value for labels, value in metric.samples}


@pytest.mark.parametrize("topology", TOPOLOGIES)
async def test_every_metric_has_one_name_a_kind_and_a_help(cluster: Cluster, topology: Topology) -> None:
    node = await cluster.start("n1", topology=topology)
    metrics = node.metrics()
    names = [metric.name for metric in metrics]
    assert len(set(names)) == len(names)
    for metric in metrics:
        assert re.fullmatch(r"footfall_[a-z_]+", metric.name)
        kind = "histogram" if metric.histogram else "counter" if metric.name.endswith("_total") else "gauge"
        assert metric.kind == kind
        assert metric.help


async def test_what_was_stored_and_what_waits_is_told(cluster: Cluster) -> None:
    node = await cluster.start("n1")
    await node.add(visits("a.b", 3))
    await node.add(visits("a.b", 2))
    cluster.lines["n1"].unanswered = 2
    await node.add(visits("c"))
    await cluster.shows("c", 1)
    told = {name: sample(node, f"footfall_{name}") for name in ("visits_stored_total", "flushes_total", "counters")}
    assert told == {"visits_stored_total": 6, "flushes_total": 3, "counters": 3}
    assert sample(node, "footfall_publish_retries_total") == 2
    cluster.lines["n1"].hold()
    await node.add(visits("a"), durable=False)
    await soon()
    await node.add(visits("a", 4), durable=False)
    assert sample(node, "footfall_visits_gathered") == 4


async def test_how_far_each_partition_is_counted_is_told(cluster: Cluster) -> None:
    for name in ("n1", "n4"):
        await cluster.start(name)
    await until(cluster.settled)
    await cluster.nodes["n1"].define("a", cluster.nodes["n1"].read("a").unit)
    await asyncio.sleep(1)
    n1 = cluster.nodes["n1"]
    owned = [str(number) for number in cluster.owned()["n1"]]
    assert labelled(n1, "footfall_partition_sequence") == dict.fromkeys(owned, cluster.storage.last)
    assert labelled(n1, "footfall_partition_lag_seconds") == dict.fromkeys(owned, 0.0)


async def test_alarms_are_told_by_their_kind(cluster: Cluster) -> None:
    node = await cluster.start("n1")
    before = labelled(node, "footfall_alarms_total")
    assert {"gap", "malformed", "expired"} <= before.keys()
    assert set(before.values()) == {0}
    cluster.storage.append("footfall.visits.1", b"\xff")
    await soon()
    assert labelled(node, "footfall_alarms_total") == {**before, "malformed": 1}


async def test_the_nodes_that_are_heard_and_what_they_say_is_told(cluster: Cluster) -> None:
    n1 = await cluster.start("n1")
    assert sample(n1, "footfall_nodes") == 1
    assert sample(n1, "footfall_bus_messages_received_total") == 0
    n4 = await cluster.start("n4")
    await asyncio.sleep(1)
    assert [sample(node, "footfall_nodes") for node in (n1, n4)] == [2, 2]
    assert sample(n1, "footfall_rivals_total") == 0
    for node in (n1, n4):
        for direction in ("sent", "received"):
            messages = sample(node, f"footfall_bus_messages_{direction}_total")
            assert sample(node, f"footfall_bus_bytes_{direction}_total") > messages > 0


async def test_cuts_and_epochs_are_told(cluster: Cluster) -> None:
    node = await cluster.start("n1", cut_interval_s=2.0)
    await asyncio.sleep(20)
    epoch = sample(node, "footfall_epoch")
    assert epoch >= 8
    assert epoch - 1 <= sample(node, "footfall_cut_epoch") <= epoch
    assert sample(node, "footfall_cut_parts_total") == 5 * epoch
    assert sample(node, "footfall_cut_parts_failed_total") == 0
    assert sample(node, "footfall_cut_bytes_total") > 0
    cluster.lines["n1"].hold_blobs()
    await asyncio.sleep(5)
    assert sample(node, "footfall_cut_parts_failed_total") > 0


async def test_a_node_that_is_not_ready_says_so(cluster: Cluster) -> None:
    node = await cluster.start("n1", spool_bytes_max=0)
    assert sample(node, "footfall_ready") == 1
    cluster.cut_off("n1")
    assert sample(node, "footfall_ready") == 0
