"""Judges have bounds, failures and duties: how many there are, what stops one, and what must be kept for them."""

import asyncio

import pytest
from node_cluster import Cluster, until, visits
from node_visitors import Archive, come, crowd, judges, known, set_by_nobody, standing

from footfall.core.control import Barrier, Verdict
from footfall.core.position import Position
from footfall.core.visit import Visit
from footfall.errors import LogUnavailableError, MalformedError
from footfall.node import judging, messages
from footfall.node.messages import Judged
from footfall.node.node import Node


@pytest.fixture
async def node(cluster: Cluster) -> Node:
    """A node alone; a milestone is near from half of its N on."""
    return await cluster.start("n1", closing_share=0.5, closing_soon_s=0.0)


def running(node: Node) -> set[str]:
    return set(node.counting.judging.judges)


async def no_judge(*_: object) -> None:
    await asyncio.sleep(10_000)


async def test_a_node_has_no_more_judges_than_it_may_and_all_winners_are_found(
    cluster: Cluster, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "JUDGES_MAX", 2)
    archive = Archive(cluster)
    names = [f"c{number}" for number in range(5)]
    for name in names:
        await node.milestones.add(name, 10)
        await come(node, name, *crowd(6))
    await asyncio.sleep(1)
    assert running(node) == {"c0", "c1"}
    for name in reversed(names):
        await come(node, name, *crowd(5))
        assert (await known(node, name, 10)).winner == archive.winners(name)[10]
        assert len(running(node)) <= 2


async def test_milestones_that_stay_near_do_not_keep_one_that_was_passed_from_its_judge(
    cluster: Cluster, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "JUDGES_MAX", 2)
    for name in ("a", "b", "z"):
        await node.milestones.add(name, 10)
    for name in ("a", "b"):
        await come(node, name, *crowd(9))
    await until(lambda: running(node) == {"a", "b"})
    await come(node, "z", *crowd(11))
    await known(node, "z", 10)
    await until(lambda: running(node) == {"a", "b"})
    await node.define("y", node.read("a").unit)
    set_by_nobody(cluster, "y", 1_000)
    await until(lambda: node.milestones.list("y"), 5)


async def test_nothing_may_be_dropped_before_this_node_has_counted_as_far_as_the_newest_cut(
    cluster: Cluster, node: Node
) -> None:
    holds = node.counting.judging.holds
    last = node.table.sequence()
    assert holds(Position("log", last)) == ""
    assert "has not counted as far" in holds(Position("log", last + 1))
    line = cluster.lines["n1"]
    line.hold_reads()
    line._defining.set()  # what is told to all is still read
    await node.producer.control(Barrier)
    await until(lambda: node.counting.definitions.sequence > last)
    assert "has not counted as far" in holds(Position("log", last + 1))
    line.release()
    await until(lambda: node.table.sequence() > last)
    assert holds(Position("log", last + 1)) == ""
    definitions = node.counting.definitions
    definitions.sequence -= 1
    assert "has not counted as far" in holds(Position("log", last + 1))
    definitions.sequence += 1


async def test_nothing_may_be_dropped_while_a_milestone_is_undecided_or_passed_and_not_reached(
    cluster: Cluster, node: Node
) -> None:
    node.counting.judging._judge = no_judge  # type: ignore[method-assign]
    holds = node.counting.judging.holds
    cut = Position("log", 1)
    await node.add(visits("a", 3))
    await node.milestones.add("a", 5)
    await node.milestones.add("b", 5)
    assert holds(cut) == ""
    set_by_nobody(cluster, "a", 7)
    await until(lambda: holds(cut) == "the 7th of a is not known yet")
    await come(node, "b", *crowd(5))
    await until(lambda: node.table.value(1) == 5)
    assert holds(cut) == "the 7th of a is not known yet"
    await node.producer.control(lambda name, at: Verdict(name, at, "a", 7, standing(node, "a", 7).since, 3))
    await until(lambda: holds(cut) == "the 5th of b is not known yet")


async def test_while_a_winner_is_sought_cuts_and_log_are_kept_and_afterwards_dropped(
    cluster: Cluster,
) -> None:
    cluster.settings["cut_interval_s"] = 2.0
    archive = Archive(cluster)
    node = await cluster.start("n1", closing_share=0.5)
    judge = node.counting.judging._judge
    node.counting.judging._judge = no_judge  # type: ignore[method-assign]
    await node.milestones.add("a", 5)
    since = standing(node, "a", 5).since
    await come(node, "a", *crowd(4))
    await until(lambda: cluster.storage.first > since)
    await come(node, "a", *crowd(3))
    passed, first = cluster.storage.last, cluster.storage.first
    await cluster.shows("a", 7)
    assert node.counting.judging.holds(Position("log", first)) == "the 5th of a is not known yet"
    kept = set(cluster.storage.keys("cut"))
    for _ in range(10):
        await node.add(visits("b"))
        await asyncio.sleep(2)
    assert cluster.storage.first == first
    assert set(cluster.storage.keys("cut")) > kept
    node.counting.judging._judge = judge  # type: ignore[method-assign]
    for task in node.counting.judging._tasks.values():
        task.cancel()
    assert (await known(node, "a", 5)).winner == archive.winners("a")[5]
    await until(lambda: cluster.storage.first > passed)


async def test_a_judge_that_cannot_read_the_cuts_says_why_and_begins_later(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.settings["cut_interval_s"] = 2.0
    archive = Archive(cluster)
    node = await cluster.start("n1")
    await node.milestones.add("a", 5)
    await come(node, "a", *crowd(4))
    await until(lambda: cluster.storage.first > standing(node, "a", 5).since)

    async def away(key: str) -> None:
        raise LogUnavailableError("the store is away")

    line = cluster.lines["n1"]
    before, line.before_get = line.before_get, away
    await come(node, "a", *crowd(3))
    await until(lambda: "the judge of a begins anew: the store is away" in caplog.text)
    line.before_get = before
    assert (await known(node, "a", 5)).winner == archive.winners("a")[5]
    assert not node.problems()


async def test_a_judge_without_any_cut_below_n_says_so_and_the_node_counts_on(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.settings["cut_interval_s"] = 2.0
    archive = Archive(cluster)
    node = await cluster.start("n1")
    await node.milestones.add("a", 5)
    await come(node, "a", *crowd(4))
    await until(lambda: cluster.storage.first > standing(node, "a", 5).since)
    lost = {key: cluster.storage.blobs.pop(key) for key in cluster.storage.keys("cut")}
    await come(node, "a", *crowd(3))
    await until(lambda: "the judge of a cannot go on" in caplog.text)
    await cluster.shows("a", 7)
    cluster.storage.blobs.update(lost)
    assert (await known(node, "a", 5)).winner == archive.winners("a")[5]


async def test_a_judge_that_dies_of_what_nobody_foresaw_begins_again(
    cluster: Cluster, node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    follow = node.counting.judging._follow
    died = 0

    async def dies(*arguments: object) -> None:
        nonlocal died
        died += 1
        if died < 3:
            raise ZeroDivisionError("on purpose")
        await follow(*arguments)  # type: ignore[arg-type]

    node.counting.judging._follow = dies  # type: ignore[method-assign]
    await node.milestones.add("a", 5)
    await come(node, "a", *crowd(6))
    await known(node, "a", 5)
    assert died == 3
    assert "on purpose" in caplog.text
    assert not node.problems()


async def test_a_winner_that_cannot_be_stored_yet_is_stored_later(
    cluster: Cluster, node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    archive = Archive(cluster)
    await node.milestones.add("a", 5)
    await come(node, "a", *crowd(4))
    await until(lambda: judges(cluster, "a"))
    n4 = await cluster.start("n4", closing_share=0.5, closing_soon_s=0.0)
    await until(cluster.settled)
    (judge,) = judges(cluster, "a")
    other = n4 if judge == "n1" else node
    cluster.lines[judge].break_off()
    await come(other, "a", *crowd(2))
    await until(lambda: "cannot be stored yet" in caplog.text)
    cluster.lines[judge].mend()
    for each in cluster.nodes.values():
        assert (await known(each, "a", 5)).winner == archive.winners("a")[5]
    assert not any(each.counting.aggregator.alarms for each in cluster.nodes.values())


ONES = [1] * 4


@pytest.mark.parametrize(
    ("entries", "beyond"),
    [
        ([], ONES),
        ([9] * 3, ONES),
        ([9] * 5, ONES),
        ([9] * 4, []),
        ([9] * 3, [1] * 3),
        ([9, 9, 9, -1], ONES),
        ([9, 9, 9, 2**63], ONES),
        ([9] * 4, [1, 1, 1, -1]),
        ([9] * 4, [1, 1, 1, 2**64 - 1]),
    ],
)
async def test_a_report_that_is_no_vector_of_this_log_is_refused(
    cluster: Cluster, node: Node, caplog: pytest.LogCaptureFixture, entries: list[int], beyond: list[int]
) -> None:
    await node.milestones.add("a", 5)
    await come(node, "a", *crowd(3))
    with pytest.raises(MalformedError, match=r"the judge at n4 said \d entries of a"):
        node.counting.judging.hear(Judged("n4", "a", 99, entries, beyond))
    await cluster.lines["n1"].send("footfall.nodes", messages.encode(Judged("n4", "a", 99, entries, beyond)))
    await until(lambda: "the judge at n4 said" in caplog.text)
    assert node.read("a").value == 3
    assert not node.problems()


async def test_reports_of_what_this_node_does_not_know_and_late_ones_change_nothing(
    cluster: Cluster, node: Node
) -> None:
    node.counting.judging.hear(Judged("n4", "unknown", 99, ONES, ONES))
    assert node.read("unknown").value == 0
    await node.add([Visit("a", count=3)])
    await cluster.shows("a", 3)
    node.counting.judging.hear(Judged("n4", "a", 1, [0] * 4, ONES))
    assert node.read("a").value == 3
