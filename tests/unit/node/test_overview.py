"""The overview tells what a node knows of the whole, and how fast it grows."""

import asyncio
from array import array

import pytest
from node_cluster import Cluster, until, visits

from footfall.core.control import Proof, Winner
from footfall.core.milestones import Standing
from footfall.core.names import Unit
from footfall.core.position import Position
from footfall.core.visit import Visit
from footfall.errors import NotReadyError
from footfall.node.node import Node
from footfall.node.overview import shown, summed


@pytest.fixture
async def node(cluster: Cluster) -> Node:
    return await cluster.start("n1")


async def test_it_tells_of_node_log_spool_and_counters(cluster: Cluster, node: Node) -> None:
    await node.add([*visits("shop.books", 2), *visits("blog")])
    await cluster.shows("shop", 2)
    await asyncio.sleep(2)
    found = node.overview.read()
    assert (found.node, found.topology, found.partitions, found.counters) == ("n1", "replicated", 4, 3)
    assert found.sequence == node.read("shop").sequence
    assert found.log.connected
    assert found.log.embedded
    assert found.log.messages == cluster.storage.last
    assert found.log.bytes > 0
    assert (found.log.replicas, found.log.servers) == (1, [])
    assert found.spool is not None
    assert (found.spool.visits, found.spool.spooling) == (0, False)
    assert [one.id for one in found.nodes] == ["n1"]
    assert (found.problems, found.warnings) == ([], [])


async def test_it_tells_how_fast_the_roots_grow_together_and_when_a_milestone_is_reached(node: Node) -> None:
    await node.milestones.add("shop", 1_000)
    await node.milestones.add("idle", 10)
    for _ in range(40):
        await node.add([Visit("shop.books", count=4), Visit("blog", count=1)])
        await asyncio.sleep(0.5)
    found = node.overview.read()
    assert found.visits_per_s == pytest.approx(10, rel=0.1)
    shop, idle = found.milestones
    assert (shop.counter, shop.value, idle.counter) == ("shop", 160, "idle")
    assert shop.rate_per_s == pytest.approx(8, rel=0.1)
    assert shop.projected_s == pytest.approx(840 / shop.rate_per_s, rel=0.01)
    assert (idle.rate_per_s, idle.projected_s) == (0.0, None)
    await asyncio.sleep(15)
    after = node.overview.read()
    assert after.visits_per_s == 0
    assert (after.milestones[0].rate_per_s, after.milestones[0].projected_s) == (0.0, None)


async def test_a_milestone_that_was_reached_has_its_winner_and_no_projection(node: Node) -> None:
    await node.milestones.add("shop", 3)
    await node.add(visits("shop", 5))
    await until(lambda: not node.milestones.find("shop", 3).open)
    await asyncio.sleep(1)
    [milestone] = node.overview.read().milestones
    assert milestone.winner is not None
    assert milestone.projected_s is None


async def test_what_waits_is_told_while_the_log_is_away(cluster: Cluster, node: Node) -> None:
    await node.add(visits("shop"))
    cluster.lines["n1"].break_off()
    await node.add(visits("shop", 7))
    await asyncio.sleep(1)
    found = node.overview.read()
    assert found.spool is not None
    assert (found.spool.visits, found.spool.spooling) == (7, True)


def test_what_counters_have_together_is_exact_beyond_what_an_integer_of_the_machine_holds() -> None:
    totals = array("q", [5, 2**63 - 1, 7, 2**63 - 1])
    assert summed(totals, array("i", [0, 2])) == 12
    assert summed(totals, array("i", [0, 1, 3, 4])) == 2**64 + 3  # the last is too new to have any
    assert summed(array("q"), array("i", [0])) == summed(totals, array("i")) == 0


async def test_many_counters_are_added_up_in_parts(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("footfall.node.overview.SUMMED_AT_ONCE", 2)
    await node.add([visit for number in range(9) for visit in visits(f"root-{number}", number)])
    await asyncio.sleep(2)
    assert node.overview.read().total == sum(range(9))


async def test_visits_and_visitors_are_never_added_up(node: Node) -> None:
    await node.define("readers", Unit.VISITORS)
    await node.add([Visit("shop.books", count=5), Visit("readers", "ann"), Visit("readers", "ann")])
    await asyncio.sleep(2)
    found = node.overview.read()
    assert (found.total, found.visitors) == (5, 1)


async def test_it_names_servers_without_their_passwords(cluster: Cluster) -> None:
    node = await cluster.start("n1", nats=("nats://user:secret@a.example:4223", "tls://b.example"))
    log = node.overview.read().log
    assert log.servers == ["nats://a.example:4223", "tls://b.example:4222"]
    assert not log.embedded


async def test_a_node_that_does_not_answer_has_none(node: Node) -> None:
    node.health.ready = False
    node.health.target = 10**6
    with pytest.raises(NotReadyError):
        node.overview.read()


async def test_a_bug_in_it_ends_no_node_and_is_told_once(
    node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await node.add(visits("shop"))
    with monkeypatch.context() as patch:
        patch.setattr(node.catalogue, "catch_up", lambda: 1 / 0)
        await asyncio.sleep(5)
    assert caplog.text.count("what all counters have together cannot be worked out") == 1
    assert not node.problems()
    await node.add(visits("shop", 2))
    await asyncio.sleep(2)
    assert node.overview.read().total == 3


def test_the_nearest_milestones_are_shown_first_and_then_those_reached_last() -> None:
    winner, proof = Winner(None, b"", 1, 0, 0), Proof(Position("", 0, b""), 0, 0, 1, b"")
    far, near = Standing("a", 100, 1, 0), Standing("b", 10, 2, 0)
    first, last = Standing("c", 1, 3, 0, winner, proof, 7), Standing("c", 2, 4, 0, winner, proof, 9)
    values = {"a": 50, "b": 9, "c": 2}
    assert shown([far, first, near, last], values.__getitem__, 10) == [near, far, last, first]
    assert shown([far, first, near, last], values.__getitem__, 3) == [near, far, last]
