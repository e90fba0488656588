"""Reads near a milestone: available, then exact by its judge, then available again; and never a smaller value."""

import asyncio
from random import Random

import pytest
from node_cluster import TOPOLOGIES, Cluster, until, visits
from node_visitors import Archive, come, crowd, judges, known, ranked

from footfall.config import Topology
from footfall.core.visit import Visit
from footfall.node import judging
from footfall.node.node import Node
from footfall.node.readings import MilestoneState, Phase, Reading
from footfall.node.showing import HEARD_MAX_S, Closing

BOTH = pytest.mark.parametrize("topology", TOPOLOGIES)
AP, CP = Phase.AP, Phase.CP


async def test_the_value_stands_still_until_the_judge_has_come_as_far_and_then_is_his() -> None:
    closing = Closing(100, 50)
    assert closing.show(50, 7, 20) == (50, AP, 7, 20)
    closing.hear(3, 20)
    assert closing.show(60, 9, 20) == (50, AP, 9, 20), "others' visits are not shown before the judge counts them"
    closing.hear(8, 50)
    assert closing.show(60, 9, 20) == (50, CP, 8, 0)
    await asyncio.sleep(0.25)
    closing.hear(11, 70)
    await asyncio.sleep(0.25)
    assert closing.show(60, 9, 20) == (70, CP, 11, 250)


async def test_of_two_judges_the_one_who_is_further_is_heard() -> None:
    closing = Closing(100, 50)
    closing.hear(20, 80)
    closing.hear(10, 60)
    assert closing.show(0, 0, 0) == (80, CP, 20, 0)
    closing.hear(21, 80)
    assert closing.show(0, 0, 0) == (80, CP, 21, 0)


async def test_when_the_judge_is_silent_reads_are_available_and_do_not_fall() -> None:
    closing = Closing(100, 50)
    closing.hear(20, 80)
    assert closing.show(60, 9, 20)[:2] == (80, CP)
    await asyncio.sleep(HEARD_MAX_S + 0.1)
    assert closing.show(60, 9, 20) == (80, AP, 9, 20)
    assert closing.show(90, 30, 20) == (90, AP, 30, 20)
    closing.hear(25, 85)
    assert closing.show(90, 30, 20) == (90, AP, 30, 20), "the next judge has yet to come as far"
    closing.hear(40, 90)
    assert closing.show(90, 30, 20) == (90, CP, 40, 0)


class Reader:
    """Reads a counter at a node again and again, now and then exactly, and checks that its value never falls."""

    def __init__(self, node: Node, counter: str, exact: bool) -> None:
        self.node = node
        self.exact = exact
        self.counter = counter
        self.seen: list[Reading] = []
        self.running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        random = Random(self.node.id)
        while True:
            self._see(self.node.read(self.counter))
            if self.exact and random.random() < 0.05:
                self._see(await self.node.read_exact(self.counter))
            await asyncio.sleep(random.random() / 50)

    def _see(self, reading: Reading) -> None:
        shown = self.seen[-1].value if self.seen else 0
        assert reading.value >= shown, (self.node.id, reading, self.seen[-3:])
        self.seen.append(reading)

    @property
    def phases(self) -> list[Phase]:
        """Without repeats."""
        phases = [one.phase for one in self.seen]
        return [phase for at, phase in enumerate(phases) if not at or phases[at - 1] is not phase]

    async def end(self) -> None:
        """Read no more; raises what went wrong."""
        if self.running.done():
            self.running.result()
        self.running.cancel()


@BOTH
async def test_reads_are_available_then_exact_then_available_and_values_never_fall(
    cluster: Cluster, topology: Topology
) -> None:
    archive = Archive(cluster)
    for name in ("n1", "n4", "n7"):
        await cluster.start(name, topology=topology, closing_share=0.5, closing_soon_s=0.0)
    await until(cluster.settled)
    n1 = cluster.nodes["n1"]
    await n1.milestones.add("a", 120)
    await n1.milestones.add("a", 10_000)
    readers = [Reader(node, "a", exact=False) for node in cluster.nodes.values()]
    nodes = list(cluster.nodes.values())
    for number in range(200):
        await nodes[number % 3].add([Visit("a.b", f"visitor {number}")])
        await asyncio.sleep(0.03)
    for node in nodes:
        assert (await known(node, "a", 120)).winner == archive.winners("a")[120]
    await cluster.shows("a", 200)
    for reader in readers:
        await reader.end()
        assert reader.phases == [AP, CP, AP]
        exact = {one.sequence: one.value for one in reader.seen if one.phase is CP}
        for sequence in sorted(exact)[::10]:
            assert exact[sequence] == archive.value("a", sequence)
    assert not any(node.counting.judging.showing.closing for node in nodes)


@BOTH
async def test_values_never_fall_while_judges_die_and_come(cluster: Cluster, topology: Topology) -> None:
    cluster.settings["cut_interval_s"] = 2.0
    archive = Archive(cluster)
    settings = {"topology": topology, "closing_share": 0.3, "closing_soon_s": 0.0}
    for name in ("n1", "n4", "n7"):
        await cluster.start(name, **settings)
    await until(cluster.settled)
    first, second, last = ranked(cluster, "a")
    node = cluster.nodes[last]
    await node.milestones.add("a", 300)
    readers = [Reader(cluster.nodes[name], "a", exact) for name in (second, last) for exact in (False, True)]
    visiting = asyncio.create_task(come(node, "a", *crowd(150)))
    await until(lambda: judges(cluster, "a") == [first])
    await visiting
    await cluster.kill(first)
    await come(node, "a", *crowd(50))
    await cluster.start(first, **settings)
    for number in range(120):
        await cluster.nodes[second].add([Visit("a", f"late {number}")])
        await asyncio.sleep(0.05)
    for each in cluster.nodes.values():
        assert (await known(each, "a", 300)).winner == archive.winners("a")[300]
    await cluster.shows("a", 320)
    for reader in readers:
        await reader.end()
        assert CP in reader.phases


async def test_an_exact_read_near_a_milestone_says_so_and_nothing_smaller_is_shown_after_it(cluster: Cluster) -> None:
    for name in ("n1", "n4"):
        await cluster.start(name, closing_share=0.5)
    n1 = cluster.nodes["n1"]
    await n1.milestones.add("a", 1_000)
    await n1.add([Visit("a", count=600)])
    await until(lambda: n1.read("a").phase is CP)
    for _ in range(20):
        await cluster.nodes["n4"].add(visits("a", 5))
        found = await n1.read_exact("a")
        assert (found.phase, found.consistency) == (CP, "linearizable")
        assert n1.read("a").value >= found.value
    assert found.value == 700


async def test_where_no_judge_can_be_heard_reads_go_on(cluster: Cluster) -> None:
    for name in ("n1", "n4"):
        await cluster.start(name, closing_share=0.5)
    await until(cluster.settled)

    async def never(counter: str) -> None:
        await asyncio.sleep(10_000)

    for node in cluster.nodes.values():
        node.counting.judging._judge = never  # type: ignore[method-assign]
    n1 = cluster.nodes["n1"]
    await n1.milestones.add("a", 1_000)
    await n1.add([Visit("a", count=600)])
    await cluster.shows("a", 600)
    await n1.add([Visit("a", count=60)])
    await cluster.shows("a", 660)
    assert n1.counting.judging.showing.closing
    assert n1.read("a").phase is AP


async def test_a_far_milestone_after_one_that_was_reached_ends_the_phase_at_once_and_a_near_one_does_not(
    cluster: Cluster,
) -> None:
    n1 = await cluster.start("n1", closing_share=0.9, closing_soon_s=0.0)
    for n in (10, 11, 1_000):
        await n1.milestones.add("a", n)
    await come(n1, "a", *crowd(9))
    await until(lambda: n1.read("a").phase is CP)
    await come(n1, "a", "the 10th")
    await known(n1, "a", 10)
    await asyncio.sleep(2 * judging.LOOK_S)
    assert n1.read("a").phase is CP, "the 11th is near"
    assert n1.milestone(n1.milestones.find("a", 11)).state is MilestoneState.CLOSING
    assert n1.milestone(n1.milestones.find("a", 1_000)).state is MilestoneState.OPEN
    await come(n1, "a", "the 11th")
    await known(n1, "a", 11)
    await asyncio.sleep(2 * judging.LOOK_S)
    assert n1.read("a").phase is AP
    assert not n1.counting.judging.showing.closing
    assert not judges(cluster, "a")


async def test_an_exact_read_near_a_milestone_does_not_turn_the_phase(cluster: Cluster) -> None:
    n1 = await cluster.start("n1", closing_share=0.5, closing_soon_s=0.0)
    await cluster.start("n4", closing_share=0.5, closing_soon_s=0.0)
    await n1.milestones.add("a", 100)
    await n1.add(visits("a", 60))
    await until(lambda: all(node.read("a").phase is CP for node in cluster.nodes.values()))
    for number in range(30):
        node = cluster.nodes["n1" if number % 2 else "n4"]
        await n1.add(visits("a"))
        exact = await node.read_exact("a")
        assert (exact.value, exact.phase) == (61 + number, CP)
        assert (node.read("a").value, node.read("a").phase) == (61 + number, CP)


async def test_what_was_shown_near_a_milestone_is_not_taken_back_when_it_is_reached(cluster: Cluster) -> None:
    n1 = await cluster.start("n1", closing_share=0.5, closing_soon_s=0.0)
    await n1.milestones.add("a", 7)
    await come(n1, "a", *crowd(6))
    await until(lambda: n1.counting.judging.showing.closing)
    n1.counting.judging.showing.at_least(0, 9)  # an exact count, of which the folds here have yet to hear
    assert (n1.read("a").value, n1.read("a").phase) == (9, AP)
    await come(n1, "a", "the 7th")
    await known(n1, "a", 7)
    await until(lambda: not n1.counting.judging.showing.closing)
    assert n1.read("a").value == 9
    await n1.add(visits("a", 3))
    await cluster.shows("a", 10)
