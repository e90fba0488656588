"""What a node answers: values with what is pending, lists in pages, and the nodes that are there."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from node_cluster import VISITORS, Cluster, until, visits
from node_line import soon

from footfall.config import Topology
from footfall.core.names import Unit
from footfall.core.visit import Visit
from footfall.errors import InvalidNameError
from footfall.node.node import Node
from footfall.node.readings import Phase


@pytest.fixture
async def node(cluster: Cluster) -> Node:
    """A node alone."""
    return await cluster.start("n1")


async def listed(node: Node, prefix: str = "", after: str = "", limit: int = 100) -> list[str]:
    return [reading.counter for reading in (await node.answers.list(prefix, after, limit)).counters]


async def test_a_counter_that_nobody_has_visited_reads_zero(cluster: Cluster, node: Node) -> None:
    reading = node.read("nobody.was.here")
    assert (reading.value, reading.pending, reading.unit, reading.phase) == (0, 0, Unit.VISITS, Phase.AP)
    assert (reading.consistency, reading.staleness_ms) == ("eventual", 0)
    assert reading.sequence == cluster.storage.last


async def test_a_reading_tells_the_unit_and_up_to_where_the_log_was_read(cluster: Cluster, node: Node) -> None:
    await node.define("people", VISITORS)
    await node.add([Visit("people", "x"), Visit("people", "x"), Visit("a", "x")])
    await node.define("later", VISITORS)
    await asyncio.sleep(2)
    assert (node.read("people").value, node.read("people").unit) == (1, VISITORS)
    assert node.read("a").sequence == cluster.storage.last


async def test_what_is_taken_and_not_acknowledged_is_pending_and_not_in_the_value(cluster: Cluster, node: Node) -> None:
    await node.add(visits("a.b", 2))
    await cluster.shows("a.b", 2)
    cluster.lines["n1"].hold()
    await node.add(visits("a.b", 3), durable=False)
    await soon()
    await node.add([Visit("a", count=4)], durable=False)
    assert [(node.read(name).value, node.read(name).pending) for name in ("a", "a.b")] == [(2, 7), (2, 3)]
    cluster.lines["n1"].release()
    await cluster.shows("a", 9)
    assert node.read("a").pending == node.read("a.b").pending == 0


async def test_a_list_holds_a_counter_and_its_descendants_in_order(node: Node) -> None:
    names = ["b", "a-b", "a.b.c", "ab", "a.c", "a0", "B", "a.b_"]
    await node.add([Visit(name) for name in names])
    assert await listed(node, "a") == ["a", "a.b", "a.b.c", "a.b_", "a.c"]
    assert await listed(node, "a.b") == ["a.b", "a.b.c"]
    assert await listed(node) == sorted([*names, "a", "a.b"])
    assert await listed(node, "zzz") == []
    await node.add(visits("a.aa"))
    assert (await listed(node, "a"))[:2] == ["a", "a.aa"], "what was defined later is in its place"
    with pytest.raises(InvalidNameError):
        await node.answers.list("a..b", "", 10)


PART = st.sampled_from(["a", "b", "-", "_", "0", "A", "ab", "a-"])
NAME = st.lists(PART, min_size=1, max_size=3).map(".".join)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(NAME, min_size=1, max_size=12), st.one_of(st.just(""), NAME), st.integers(1, 4))
async def test_the_pages_of_a_list_are_the_list(node: Node, names: list[str], prefix: str, limit: int) -> None:
    await node.add([Visit(name) for name in names])
    whole = await listed(node, prefix, limit=1_000)
    known = node.counting.definitions.names
    assert whole == sorted(name for name in known if not prefix or name == prefix or name.startswith(prefix + "."))
    pages: list[str] = []
    for _ in range(len(whole) + 1):
        page = await listed(node, prefix, pages[-1] if pages else "", limit)
        assert len(page) <= limit
        pages += page
    assert pages == whole


async def test_a_list_holds_the_values(cluster: Cluster, node: Node) -> None:
    await node.add([*visits("a", 2), *visits("a.b", 3)])
    await cluster.shows("a", 5)
    assert [(reading.counter, reading.value) for reading in (await node.answers.list("a", "", 10)).counters] == [
        ("a", 5),
        ("a.b", 3),
    ]


async def test_many_readings_are_each_what_one_reading_is_and_what_is_pending_is_looked_for_once(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    await node.define("people", VISITORS)
    await node.add([*visits("a.b", 3), Visit("people", "ann")])
    names = ["a", "a.b", "people", "nobody.was.here"]
    assert node.answers.read_all(names) == [node.read(name) for name in names]
    monkeypatch.setattr(
        node.producer, "pending", None
    )  # a scan for each of a thousand would stop the node for a second
    assert [reading.value for reading in node.answers.read_all(names)] == [3, 3, 1, 0]
    assert await listed(node) == ["a", "a.b", "people"]


async def test_the_nodes_that_are_there_are_told_this_one_first(cluster: Cluster) -> None:
    for name in ("n7", "n1", "n4"):
        await cluster.start(name, topology=Topology.SHARDED)
    await until(cluster.settled)
    await cluster.nodes["n1"].define("a", VISITORS)
    await asyncio.sleep(2)
    nodes = cluster.nodes["n4"].nodes()
    assert [(info.id, info.self) for info in nodes] == [("n4", True), ("n1", False), ("n7", False)]
    assert {info.id: info.partitions for info in nodes} == cluster.owned()
    assert {info.topology for info in nodes} == {"sharded"}
    assert {info.sequence for info in nodes} == {cluster.storage.last}
    assert all(info.heard_ms_ago <= 300 and info.lag_ms == 0 for info in nodes)
    assert len({info.url for info in nodes}) == 1
    await cluster.kill("n7")
    await asyncio.sleep(3)
    assert [info.id for info in cluster.nodes["n4"].nodes()] == ["n4", "n1"]


async def test_a_node_without_partitions_is_up_to_nothing(cluster: Cluster) -> None:
    for name in ("n1", "n2"):
        await cluster.start(name)
    await until(cluster.settled)
    (idle,) = [info for info in cluster.nodes["n1"].nodes() if not info.partitions]
    assert (idle.sequence, idle.lag_ms) == (0, 0)
