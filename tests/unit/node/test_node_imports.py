"""Imports: a count from before is taken over once per source, and never past a milestone that someone waits for."""

import asyncio

import pytest
from node_cluster import TOPOLOGIES, VISITORS, Cluster, until, visits
from node_line import controls, soon
from node_visitors import come, crowd, known

from footfall.config import Topology
from footfall.core.control import Import
from footfall.core.names import Unit
from footfall.core.vector import ENTRY_MAX
from footfall.core.visit import Visit
from footfall.errors import (
    CountOverflowError,
    ImportConflictError,
    InvalidNameError,
    InvalidRequestError,
    InvalidVisitError,
    TooManyMilestonesError,
)
from footfall.node import milestones
from footfall.node.node import Node

BOTH = pytest.mark.parametrize("topology", TOPOLOGIES)
NOTE = "from the old counter"


def imports(cluster: Cluster) -> list[Import]:
    """Those that the log holds."""
    return [one for one in controls(cluster.storage) if isinstance(one, Import)]


@BOTH
async def test_a_prior_count_is_added_to_its_counter_and_those_above_once_per_source(
    cluster: Cluster, topology: Topology
) -> None:
    for name in ("n1", "n4"):
        await cluster.start(name, topology=topology)
    n1, n4 = cluster.nodes.values()
    await n1.add(visits("a.b", 3))
    found, made = await n1.milestones.take_over("a.b", 1000, "2019", NOTE)
    assert made
    assert (found.counter, found.value, found.note) == ("a.b", 1000, NOTE)
    await soon()
    for each in (n1, n4):
        assert await each.milestones.take_over("a.b", 1000, "2019", "another note") == (found, False)
    assert (await n4.milestones.take_over("a", 50, "2020", NOTE))[1]
    await n4.add(visits("a.b", 2))
    await cluster.shows("a.b", 1005)
    await cluster.shows("a", 1055)
    assert (await n1.read_exact("a")).value == cluster.counted("a") == 1055
    assert len(imports(cluster)) == 2


async def test_another_count_from_the_same_source_is_refused(cluster: Cluster, node: Node) -> None:
    await node.milestones.take_over("a", 1000, "2019", NOTE)
    await soon()
    for each in cluster.nodes.values():
        for counter, value in (("a", 1001), ("b", 1000), ("a.b", 1000)):
            with pytest.raises(ImportConflictError, match=f"'2019' was imported before: 1000 into a \\({NOTE}\\)"):
                await each.milestones.take_over(counter, value, "2019", NOTE)
    assert len(imports(cluster)) == 1
    await cluster.shows("a", 1000)


async def test_a_count_imported_at_two_nodes_at_once_is_added_once(cluster: Cluster, node: Node) -> None:
    await node.add(visits("a", 3))
    asked = [each.milestones.take_over("a", 1000, "2019", NOTE) for each in (*cluster.nodes.values(), node)]
    outcomes = await asyncio.gather(*asked)
    assert len({found for found, _ in outcomes}) == 1
    assert sum(made for _, made in outcomes) == 1
    await cluster.shows("a", 1003)


async def test_of_different_counts_from_one_source_at_once_the_first_in_the_log_holds(
    cluster: Cluster, node: Node
) -> None:
    await node.add(visits("a", 3))
    n4 = cluster.nodes["n4"]
    outcomes = await asyncio.gather(
        node.milestones.take_over("a", 1000, "2019", NOTE),
        n4.milestones.take_over("a", 2000, "2019", NOTE),
        return_exceptions=True,
    )
    (refused,) = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert isinstance(refused, ImportConflictError)
    await cluster.shows("a", 3 + imports(cluster)[0].value)


async def test_an_import_whose_acknowledgement_was_lost_is_added_once(cluster: Cluster, node: Node) -> None:
    await node.add(visits("a", 3))
    cluster.lines["n1"].unanswered = 2
    found, _ = await node.milestones.take_over("a", 1000, "2019", NOTE)
    assert found.value == 1000
    assert len(imports(cluster)) == 3
    await cluster.shows("a", 1003)
    assert cluster.counted("a") == 1003


@pytest.mark.parametrize("on", ["a", "a.b"])
async def test_an_import_that_would_bring_an_open_milestone_near_or_past_is_refused(
    cluster: Cluster, node: Node, on: str
) -> None:
    await node.add(visits("a.b", 10))
    await node.milestones.add(on, 10_000)
    await soon()
    for each in cluster.nodes.values():
        for value in (9_980, 9_989, 9_990, 20_000, ENTRY_MAX - 10):
            with pytest.raises(ImportConflictError, match=f"{on} has 10, and {value} more would bring its 10,000th"):
                await each.milestones.take_over("a.b", value, "2019", NOTE)
    assert not imports(cluster)
    assert (await node.milestones.take_over("a.b", 9_000, "2019", NOTE))[1]
    assert (await node.milestones.take_over("b", 20_000, "2020", NOTE))[1], "that has no milestone"
    await cluster.shows(on, 9_010)


async def test_an_import_is_measured_against_the_exact_count(cluster: Cluster, node: Node) -> None:
    await node.add(visits("a", 10))
    await node.milestones.add("a", 10_000)
    for _ in range(8):
        await cluster.nodes["n4"].add([Visit("a", count=1000)])
    assert node.table.value(0) < 8_010
    with pytest.raises(ImportConflictError, match="a has 8010"):
        await node.milestones.take_over("a", 1_985, "2019", NOTE)


async def test_a_milestone_that_was_reached_refuses_no_import(cluster: Cluster, node: Node) -> None:
    await node.milestones.add("a", 5)
    await come(node, "a", *crowd(5))
    await known(node, "a", 5)
    assert (await node.milestones.take_over("a", 1000, "2019", NOTE))[1]
    await cluster.shows("a", 1005)
    assert (await known(node, "a", 5)).winner.visitor == "visitor 5"  # type: ignore[union-attr]


@pytest.mark.parametrize("on", ["a", "a.b"])
async def test_if_a_milestone_is_set_meanwhile_nothing_is_imported(cluster: Cluster, node: Node, on: str) -> None:
    await node.add(visits("a.b", 3))
    await node.milestones.take_over("a.b", 7, "2018", NOTE)
    cluster.lines["n1"].hold()
    importing = asyncio.create_task(node.milestones.take_over("a.b", 1000, "2019", NOTE))
    await asyncio.sleep(1)
    n4 = cluster.nodes["n4"]
    standing, _ = await n4.milestones.add(on, 500)
    cluster.lines["n1"].release()
    with pytest.raises(ImportConflictError, match="a milestone was set meanwhile"):
        await importing
    assert standing.value == 10
    await cluster.shows("a", 10)
    assert cluster.counted("a.b") == 10
    with pytest.raises(ImportConflictError, match="near or past"):
        await n4.milestones.take_over("a.b", 1000, "2019", NOTE)
    assert (await n4.milestones.take_over("a.b", 100, "2019", NOTE))[1], "its source is still unknown"


@pytest.mark.parametrize("value", [0, -5, ENTRY_MAX + 1])
async def test_a_value_that_cannot_be_counted_is_refused(cluster: Cluster, node: Node, value: int) -> None:
    with pytest.raises(InvalidRequestError, match=f"the value is {value}"):
        await node.milestones.take_over("a", value, "2019", NOTE)
    with pytest.raises(InvalidNameError):
        await node.milestones.take_over("a..b", 1, "2019", NOTE)
    assert node.definition("a") is None


async def test_nothing_is_imported_past_what_can_be_counted(cluster: Cluster, node: Node) -> None:
    await node.add(visits("a", 3))
    await cluster.shows("a", 3)
    with pytest.raises(InvalidRequestError, match=r"a has 3; \d+ more would take it past"):
        await node.milestones.take_over("a.b", ENTRY_MAX - 2, "2019", NOTE)
    assert (await node.milestones.take_over("a.b", ENTRY_MAX - 3, "2019", NOTE))[1]
    await cluster.shows("a", ENTRY_MAX)
    assert (await node.read_exact("a.b")).value == ENTRY_MAX - 3
    with pytest.raises(InvalidRequestError, match="past 2"):
        await node.milestones.take_over("a", 1, "2020", NOTE)
    with pytest.raises(CountOverflowError):
        await node.add(visits("a"))


@pytest.mark.parametrize(
    ("source", "note"),
    [
        ("", NOTE),
        ("2019", ""),
        ("x" * 201, NOTE),
        ("2019", "x" * 1001),
        ("ü" * 101, NOTE),
        ("20\n19", NOTE),
        ("2019", "one line\nand another"),
        ("\ud800", NOTE),
    ],
)
async def test_the_source_and_the_note_are_texts_that_can_be_shown(
    cluster: Cluster, node: Node, source: str, note: str
) -> None:
    with pytest.raises(InvalidVisitError, match="note" if source == "2019" else "source's id"):
        await node.milestones.take_over("a", 10, source, note)
    assert node.definition("a") is None
    assert not imports(cluster)


async def test_the_longest_source_and_note_are_kept_as_they_are(cluster: Cluster, node: Node) -> None:
    source, note = "ü" * 100, "x" * 1000
    found, made = await node.milestones.take_over("a", 10, source, note)
    assert made
    assert found.note == note
    assert node.counting.definitions.imports[source] == found


@BOTH
async def test_visitors_of_before_are_added_to_counters_of_visitors_alone(cluster: Cluster, topology: Topology) -> None:
    node = await cluster.start("n1", topology=topology)
    await node.add(visits("site", 3))
    for name in ("site.people", "site.people.paris"):
        await node.define(name, VISITORS)
    await node.add([Visit("site.people.paris", "x")])
    assert (await node.milestones.take_over("site.people.paris", 1000, "2019", NOTE))[1]
    await node.add([Visit("site.people.paris", "x"), Visit("site.people.paris", "y")])
    for name, value in (("site", 6), ("site.people", 1002), ("site.people.paris", 1002)):
        await cluster.shows(name, value)
        assert (await node.read_exact(name)).value == cluster.counted(name) == value
    await node.milestones.add("site.people", 2000)
    with pytest.raises(ImportConflictError, match=r"site\.people has 1002"):
        await node.milestones.take_over("site.people.paris", 1000, "2020", NOTE)
    await node.milestones.add("site", 7)
    assert (await node.milestones.take_over("site.people.paris", 500, "2020", NOTE))[1], "site counts visits"


async def test_an_import_into_an_unknown_counter_defines_it(cluster: Cluster, node: Node) -> None:
    await node.milestones.take_over("x.y", 10, "2019", NOTE)
    await cluster.shows("x", 10)
    assert node.read("x.y").unit is Unit.VISITS


async def test_there_is_a_limit_to_imports(cluster: Cluster, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(milestones, "IMPORTS_MAX", 2)
    for source in ("2018", "2019"):
        await node.milestones.take_over("a", 10, source, NOTE)
    with pytest.raises(TooManyMilestonesError, match="there are 2 imports"):
        await node.milestones.take_over("a", 10, "2020", NOTE)
    assert not (await node.milestones.take_over("a", 10, "2019", NOTE))[1]
    await cluster.shows("a", 20)


async def test_imports_outlive_every_node_and_the_log_before_them(cluster: Cluster) -> None:
    cluster.settings["cut_interval_s"] = 2.0
    node = await cluster.start("n1")
    found, _ = await node.milestones.take_over("a", 1000, "2019", NOTE)
    await until(lambda: cluster.storage.first > found.sequence)
    await cluster.kill("n1")
    node = await cluster.start("n4")
    assert await node.milestones.take_over("a", 1000, "2019", NOTE) == (found, False)
    await cluster.shows("a", 1000)
