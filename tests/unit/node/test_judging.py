"""Judges run where a milestone is near; whoever judges, whenever, from wherever, finds the same winner."""

import asyncio
from random import Random

import pytest
from node_cluster import TOPOLOGIES, VISITORS, Cluster, until, visits
from node_visitors import Archive, come, crowd, judges, known, ranked, set_by_nobody, told

from footfall.config import Topology
from footfall.core.visit import Visit
from footfall.node import judging, nearness
from footfall.node.node import Node

BOTH = pytest.mark.parametrize("topology", TOPOLOGIES)
QUIET_S = 15.0  # after which the visits before are in no rate


async def start(cluster: Cluster, *names: str, **settings: object) -> Node:
    """Nodes that share the partitions; returns the first."""
    for name in names:
        await cluster.start(name, **settings)
    await until(cluster.settled)
    return cluster.nodes[names[0]]


async def check_winners(cluster: Cluster, archive: Archive, *milestones: tuple[str, int]) -> None:
    """Every node comes to know the winners, and they are the N-th visits of the log."""
    for counter, n in milestones:
        for node in cluster.nodes.values():
            assert (await known(node, counter, n)).winner == archive.winners(counter)[n]
    assert not any(node.counting.aggregator.alarms for node in cluster.nodes.values())
    assert not any(node.problems() for node in cluster.nodes.values())


async def test_far_from_a_milestone_nobody_judges(cluster: Cluster) -> None:
    n1 = await start(cluster, "n1", "n4")
    await n1.milestones.add("a", 1_000_000)
    for _ in range(20):
        await n1.add(visits("a", 9))
        assert not judges(cluster, "a")
        await asyncio.sleep(1)
    assert not any(node.counting.judging.showing.closing for node in cluster.nodes.values())


@pytest.mark.parametrize(("value", "near"), [(9_989, False), (9_990, True), (9_999, True)])
async def test_a_milestone_is_near_from_its_share_on(cluster: Cluster, value: int, near: bool) -> None:
    n1 = await start(cluster, "n1", "n4")
    await n1.add([Visit("a", count=value)])
    await cluster.shows("a", value)
    await n1.milestones.add("a", 10_000)
    await asyncio.sleep(1)
    assert judges(cluster, "a") == (ranked(cluster, "a")[:1] if near else [])
    assert all(bool(node.counting.judging.showing.closing) == near for node in cluster.nodes.values())


async def test_a_milestone_is_near_when_the_rate_would_reach_it_in_a_minute_and_for_a_minute_after(
    cluster: Cluster,
) -> None:
    archive = Archive(cluster)
    n1 = await start(cluster, "n1", "n4")
    await n1.milestones.add("a", 10_000)
    for number in range(200):
        await n1.add([Visit("a", f"visitor {number}", count=10)])
        await asyncio.sleep(0.05)
    assert judges(cluster, "a") == ranked(cluster, "a")[:1]
    await asyncio.sleep(nearness.HOLD_S - 1)
    assert judges(cluster, "a")
    await asyncio.sleep(QUIET_S)
    assert not judges(cluster, "a")
    await n1.add([Visit("a", "the last", count=8_000)])
    await check_winners(cluster, archive, ("a", 10_000))


@BOTH
async def test_a_milestone_that_is_passed_at_once_has_the_same_winner(cluster: Cluster, topology: Topology) -> None:
    archive = Archive(cluster)
    n1 = await start(cluster, "n1", "n4", "n7", topology=topology)
    await n1.milestones.add("a", 1_000)
    await asyncio.sleep(QUIET_S)
    await n1.add([Visit("a", "early", count=400)])
    nodes = list(cluster.nodes.values())
    bursts = [node.add([Visit("a", f"{node.id} {number}", count=60) for number in range(9)]) for node in nodes]
    await asyncio.gather(*bursts)
    await check_winners(cluster, archive, ("a", 1_000))
    assert len(told(cluster)) == 1


@BOTH
async def test_one_node_judges_and_when_it_dies_the_next_does(cluster: Cluster, topology: Topology) -> None:
    archive = Archive(cluster)
    await start(cluster, "n1", "n4", "n7", topology=topology, closing_share=0.5)
    first, second, _ = ranked(cluster, "a")
    await cluster.nodes[first].add([Visit("a", count=9)])
    await cluster.nodes[first].milestones.add("a", 12)
    await until(lambda: judges(cluster, "a"))
    await asyncio.sleep(5)
    assert judges(cluster, "a") == [first]
    await cluster.kill(first)
    await until(lambda: judges(cluster, "a") == [second])
    await come(cluster.nodes[second], "a", *crowd(5))
    await check_winners(cluster, archive, ("a", 12))
    assert cluster.nodes[second].counting.judging.won == 1
    await until(lambda: not judges(cluster, "a"))


async def test_a_judge_who_is_not_first_any_more_lets_the_other_judge(cluster: Cluster) -> None:
    names = ["n1", "n4"]
    for name in names:
        cluster.nodes[name] = cluster.node(name)
    first, second = ranked(cluster, "a")
    cluster.nodes.clear()
    cluster.settings["closing_share"] = 0.5
    node = await start(cluster, second)
    await node.add([Visit("a", count=9)])
    await node.milestones.add("a", 12)
    await until(lambda: judges(cluster, "a") == [second])
    await start(cluster, first)
    await until(lambda: judges(cluster, "a") == [first])


async def test_if_a_passed_milestone_gets_no_winner_for_ten_seconds_all_judge(cluster: Cluster) -> None:
    archive = Archive(cluster)
    await start(cluster, "n1", "n4", "n7")
    first, second, third = ranked(cluster, "a")

    async def nothing(*_: object) -> None:
        await asyncio.sleep(10_000)

    cluster.nodes[first].counting.judging._follow = nothing  # type: ignore[method-assign]
    await cluster.nodes[first].milestones.add("a", 5)
    await come(cluster.nodes[first], "a", *crowd(6))
    await asyncio.sleep(judging.OVERDUE_S - 2)
    assert judges(cluster, "a") == [first]
    assert not told(cluster)
    await asyncio.sleep(3)
    assert told(cluster)
    await check_winners(cluster, archive, ("a", 5))
    assert sum(cluster.nodes[name].counting.judging.won for name in (second, third)) >= 1


async def test_two_judges_at_once_agree(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = Archive(cluster)
    n1 = await start(cluster, "n1", "n4", "n7", closing_share=0.5)
    for node in cluster.nodes.values():
        monkeypatch.setattr(node.counting.members, "is_first", lambda task=-1: True)
    for n in (5, 6, 9):
        await n1.milestones.add("a", n)
    await come(n1, "a", *crowd(3))
    await until(lambda: len(judges(cluster, "a")) == 3)
    await come(n1, "a", *crowd(8, 4))
    await check_winners(cluster, archive, ("a", 5), ("a", 6), ("a", 9))
    assert len(told(cluster)) >= 3


@BOTH
async def test_several_milestones_on_counters_in_both_units_and_those_above_are_all_found(
    cluster: Cluster, topology: Topology
) -> None:
    archive = Archive(cluster)
    cluster.settings["cut_interval_s"] = 2.0
    n1 = await start(cluster, "n1", "n4", "n7", topology=topology)
    await n1.define("site.people", VISITORS)
    wanted = [("site", 5), ("site", 40), ("site", 41), ("site.a", 10), ("site.people", 7), ("site.people", 20)]
    for counter, n in wanted:
        await n1.milestones.add(counter, n)
    random = Random(7)

    async def visit(node: Node) -> None:
        for _ in range(30):
            counter = random.choice(["site", "site.a", "site.a.b", "site.people"])
            await node.add([Visit(counter, f"visitor {random.randrange(60)}", count=1)])
            await asyncio.sleep(random.random() / 3)

    await asyncio.gather(*map(visit, cluster.nodes.values()))
    for number in range(60):
        await n1.add([Visit("site.people", f"visitor {number}")])
    await check_winners(cluster, archive, *wanted)
    await until(lambda: cluster.storage.first > 1)
    assert len(told(cluster)) <= len(wanted)


async def test_the_verdict_that_a_dead_node_owed_is_told_by_a_judge(cluster: Cluster) -> None:
    archive = Archive(cluster)
    n1 = await start(cluster, "n1", "n4")
    await n1.add(visits("a", 3))
    set_by_nobody(cluster, "a", 1_000_000)
    set_by_nobody(cluster, "a", 2)
    since = set_by_nobody(cluster, "a", 5)
    await until(lambda: [one.n for one in n1.milestones.list("a")] == [5, 1_000_000])
    standing = n1.milestones.find("a", 5)
    assert (standing.since, standing.value) == (since, 3)
    await come(n1, "a", *crowd(4))
    await check_winners(cluster, archive, ("a", 5))
    await until(lambda: not judges(cluster, "a"), 2 * nearness.HOLD_S)


async def test_an_owed_verdict_on_a_counter_that_is_judged_already_is_told_too(cluster: Cluster) -> None:
    n1 = await start(cluster, "n1", "n4", closing_share=0.5)
    await n1.milestones.add("a", 5)
    await come(n1, "a", *crowd(4))
    await until(lambda: judges(cluster, "a"))
    set_by_nobody(cluster, "a", 7)
    set_by_nobody(cluster, "a", 4)
    await until(lambda: [one.n for one in n1.milestones.list("a")] == [5, 7], 5)


async def test_when_imports_together_pass_a_milestone_the_next_visit_wins(cluster: Cluster) -> None:
    archive = Archive(cluster)
    n1 = await start(cluster, "n1", "n4")
    await n1.milestones.add("a", 1_000)
    await asyncio.gather(
        *(node.milestones.take_over("a", 600, f"source {node.id}", "note") for node in cluster.nodes.values())
    )
    await cluster.shows("a", 1_200)
    await asyncio.sleep(3)
    assert not told(cluster)
    await come(n1, "a", "the lucky one", "another")
    await check_winners(cluster, archive, ("a", 1_000))
    winner = (await known(n1, "a", 1_000)).winner
    assert winner is not None
    assert winner.visitor == "the lucky one"
