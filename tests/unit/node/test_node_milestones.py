"""Milestones as nodes set them: each once, on a count that is known to be below N, or not at all."""

import asyncio

import pytest
from node_cluster import TOPOLOGIES, VISITORS, Cluster, until, visits
from node_line import controls, soon
from node_visitors import come, crowd, known, reached, set_by_nobody

from footfall.config import Topology
from footfall.core import milestones as core_milestones
from footfall.core.control import Milestone, Verdict
from footfall.core.names import Unit
from footfall.core.vector import ENTRY_MAX
from footfall.core.visit import Visit
from footfall.errors import (
    InvalidNameError,
    InvalidRequestError,
    LogUnavailableError,
    MilestonePassedError,
    TooManyMilestonesError,
    UnknownMilestoneError,
)
from footfall.node import milestones, nearness
from footfall.node.node import Node
from footfall.node.readings import MilestoneState

BOTH = pytest.mark.parametrize("topology", TOPOLOGIES)
FAR = 1_000_000


def said(cluster: Cluster) -> list[Milestone | Verdict]:
    """What the log tells of milestones that are not reached."""
    return [one for one in controls(cluster.storage) if isinstance(one, Milestone | Verdict)]


@BOTH
async def test_a_milestone_is_set_once_with_the_exact_count_at_its_place(cluster: Cluster, topology: Topology) -> None:
    for name in ("n1", "n4"):
        await cluster.start(name, topology=topology)
    n1, n4 = cluster.nodes.values()
    await n1.add(visits("a", 3))
    standing, made = await n1.milestones.add("a", FAR)
    assert made
    assert (standing.counter, standing.n, standing.value, standing.winner) == ("a", FAR, 3, None)
    await n1.add(visits("a", 3))
    await soon()
    for each in (n1, n4, n1):
        assert await each.milestones.add("a", FAR) == (standing, False)
        assert each.milestones.find("a", FAR) == standing
    milestone, verdict = said(cluster)
    assert isinstance(milestone, Milestone)
    assert isinstance(verdict, Verdict)
    assert (milestone.counter, milestone.n, milestone.reader) == ("a", FAR, "n1")
    assert (verdict.counter, verdict.n, verdict.since, verdict.value) == ("a", FAR, standing.since, 3)


async def test_an_n_that_the_count_has_passed_is_refused_with_the_exact_count(cluster: Cluster, node: Node) -> None:
    await node.add(visits("a", 7))
    await cluster.shows("a", 7)
    for n in (1, 6, 7):
        with pytest.raises(MilestonePassedError, match="a has 7 already") as refused:
            await node.milestones.add("a", n)
        assert refused.value.value == 7
    assert not said(cluster), "nothing of it is in the log"
    assert (await node.milestones.add("a", 8)).made


async def test_a_node_that_does_not_know_yet_that_n_was_passed_finds_out(cluster: Cluster, node: Node) -> None:
    await node.add(visits("a", 7))
    await cluster.nodes["n4"].add(visits("a", 7))
    assert node.table.value(0) < 14, "it has not heard it all"
    with pytest.raises(MilestonePassedError, match="a has 14 already"):
        await node.milestones.add("a", 14)
    await soon()
    for each in cluster.nodes.values():
        with pytest.raises(UnknownMilestoneError):
            each.milestones.find("a", 14)
        assert each.milestones.list() == []
    assert (await node.milestones.add("a", 15)).standing.value == 14


@pytest.mark.parametrize("n", [0, -1, ENTRY_MAX + 1])
async def test_there_is_no_n_below_one_or_above_what_can_be_counted(cluster: Cluster, node: Node, n: int) -> None:
    with pytest.raises(InvalidRequestError, match=f"N is {n}"):
        await node.milestones.add("a", n)
    with pytest.raises(InvalidNameError):
        await node.milestones.add("a..b", 5)
    assert node.definition("a") is None
    assert (await node.milestones.add("a", ENTRY_MAX)).made
    assert (await node.milestones.add("a", 1)).made


async def test_a_milestone_on_an_unknown_counter_defines_it(cluster: Cluster, node: Node) -> None:
    standing, made = await node.milestones.add("x.y", 3)
    assert made
    assert standing.value == 0
    definition = node.definition("x.y")
    assert definition is not None
    assert definition.unit is Unit.VISITS
    await node.define("people", VISITORS)
    assert (await node.milestones.add("people", 3)).made
    assert node.read("people").unit is VISITORS


async def test_there_is_a_limit_to_milestones(cluster: Cluster, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(milestones, "MILESTONES_MAX", 2)
    monkeypatch.setattr(core_milestones, "MILESTONES_MAX", 2)
    for n in (FAR, FAR + 1):
        await node.milestones.add("a", n)
    with pytest.raises(TooManyMilestonesError, match="milestones; that is the limit"):
        await node.milestones.add("b", FAR)
    assert not (await node.milestones.add("a", FAR)).made, "one that there is needs no room"


async def test_of_two_nodes_that_set_the_last_that_there_may_be_one_is_refused(
    cluster: Cluster, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(milestones, "MILESTONES_MAX", 1)
    monkeypatch.setattr(core_milestones, "MILESTONES_MAX", 1)
    await node.add([*visits("a"), *visits("b")])
    n4 = cluster.nodes["n4"]
    outcomes = await asyncio.gather(node.milestones.add("a", FAR), n4.milestones.add("b", FAR), return_exceptions=True)
    (refused,) = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert isinstance(refused, TooManyMilestonesError)


async def test_of_two_nodes_that_set_the_same_at_once_one_made_it(cluster: Cluster, node: Node) -> None:
    await node.add(visits("a", 3))
    n4 = cluster.nodes["n4"]
    outcomes = await asyncio.gather(*(each.milestones.add("a", FAR) for each in (node, n4, node, n4)))
    assert len({outcome.standing for outcome in outcomes}) == 1
    assert sum(outcome.made for outcome in outcomes) == 1
    assert not any(each.counting.aggregator.alarms for each in (node, n4))


async def test_a_milestone_whose_acknowledgement_was_lost_is_set_once(cluster: Cluster, node: Node) -> None:
    await node.add(visits("a", 3))
    cluster.lines["n1"].unanswered = 2
    standing, made = await node.milestones.add("a", FAR)
    assert made
    assert (standing.value, standing.since) == (3, cluster.nodes["n4"].milestones.find("a", FAR).since)
    assert len([one for one in said(cluster) if isinstance(one, Milestone)]) == 3
    assert not node.counting.aggregator.alarms


async def test_while_the_log_does_not_answer_nothing_is_promised_and_the_same_request_tells_later(
    cluster: Cluster, node: Node
) -> None:
    await node.add(visits("a", 3))
    line = cluster.lines["n1"]
    line.unanswered = 1_000
    with pytest.raises(LogUnavailableError):
        await node.milestones.add("a", FAR)
    line.unanswered = 0
    standing, _ = await node.milestones.add("a", FAR)
    assert (standing.n, standing.value) == (FAR, 3)
    line.disconnect()
    with pytest.raises(LogUnavailableError):
        await node.milestones.add("a", FAR)


async def test_a_milestone_of_a_node_that_died_is_decided_by_others_for_who_asks_again(
    cluster: Cluster, node: Node
) -> None:
    await node.add(visits("a", 3))
    since = set_by_nobody(cluster, "a", FAR)
    await soon()
    assert node.milestones.list("a") == node.milestones.list() == []
    with pytest.raises(UnknownMilestoneError):
        node.milestones.find("a", FAR)
    standing, made = await node.milestones.add("a", FAR)
    assert (standing.since, standing.value, made) == (since, 3, False)
    assert node.milestones.list("a") == [standing]


async def test_a_milestone_of_a_node_that_died_may_turn_out_void(cluster: Cluster, node: Node) -> None:
    await node.add(visits("a", 3))
    set_by_nobody(cluster, "a", 3)
    await soon()
    await node.add(visits("a", 1))
    with pytest.raises(MilestonePassedError, match="a has 4 already"):
        await node.milestones.add("a", 3)
    assert node.milestones.list() == []


async def test_a_milestone_that_nobody_decides_in_time_is_stored_and_not_promised(
    cluster: Cluster, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearness, "UNDECIDED_MAX_S", 1_000.0)
    await node.add(visits("a", 3))
    set_by_nobody(cluster, "a", FAR)
    await soon()
    with pytest.raises(LogUnavailableError, match="not decided yet; ask again"):
        await node.milestones.add("a", FAR)
    monkeypatch.undo()


async def test_a_list_has_a_counters_milestones_in_order_and_all_in_the_order_they_were_set(
    cluster: Cluster, node: Node
) -> None:
    for counter, n in (("b", FAR), ("a", FAR + 2), ("a", FAR), ("a.b", FAR), ("a", FAR + 1)):
        await node.milestones.add(counter, n)
    await soon()
    for each in cluster.nodes.values():
        assert [one.n for one in each.milestones.list("a")] == [FAR, FAR + 1, FAR + 2]
        assert [(one.counter, one.n) for one in each.milestones.list()] == [
            ("b", FAR),
            ("a", FAR + 2),
            ("a", FAR),
            ("a.b", FAR),
            ("a", FAR + 1),
        ]
        assert each.milestones.list("nobody") == []
        with pytest.raises(InvalidNameError):
            each.milestones.list("a..b")
        with pytest.raises(UnknownMilestoneError, match="a has no milestone 7; footfall milestone add a 7 sets it"):
            each.milestones.find("a", 7)
        with pytest.raises(UnknownMilestoneError):
            each.milestones.find("nobody", FAR)
        with pytest.raises(InvalidNameError):
            each.milestones.find("", FAR)


async def test_setting_a_milestone_that_was_reached_shows_its_winner(cluster: Cluster, node: Node) -> None:
    await reached(cluster, "a", 5)
    for each in cluster.nodes.values():
        standing, made = await each.milestones.add("a", 5)
        assert not made
        assert standing.winner is not None
        assert standing.winner.visitor == "visitor 5"


async def test_a_milestone_is_open_then_closing_then_reached(cluster: Cluster) -> None:
    cluster.settings["closing_share"] = 0.5
    node = await cluster.start("n1")
    await cluster.start("n4")
    standing, _ = await node.milestones.add("a", 200)
    await node.add([Visit("a", count=10)])
    await cluster.shows("a", 10)
    await asyncio.sleep(15)  # by the rate of those few seconds it would be near
    await asyncio.sleep(nearness.HOLD_S)
    reading = node.milestone(node.milestones.find("a", 200))
    assert (reading.state, reading.value, reading.winner) == (MilestoneState.OPEN, 10, None)
    await node.add([Visit("a", count=95)])
    await until(lambda: node.milestone(standing).state is MilestoneState.CLOSING)
    await node.add([Visit("a", count=94)])
    await come(node, "a", *crowd(3))
    standing = await known(node, "a", 200)
    reading = node.milestone(standing)
    assert reading.state is MilestoneState.REACHED
    assert reading.winner is not None
    assert (reading.winner.visitor, reading.winner.claimed) == ("visitor 1", False)
    assert reading.value >= 200


async def test_milestones_and_winners_outlive_every_node_and_the_log_before_them(cluster: Cluster) -> None:
    cluster.settings["cut_interval_s"] = 2.0
    node = await cluster.start("n1")
    await reached(cluster, "a", 5)
    standing, _ = await node.milestones.add("a", FAR)
    winner = node.milestones.find("a", 5)
    await until(lambda: cluster.storage.first > standing.since)
    await cluster.kill("n1")
    for name in ("n1", "n4"):
        again = await cluster.start(name)
        assert again.milestones.list("a") == [winner, standing]
        assert not (await again.milestones.add("a", FAR)).made
