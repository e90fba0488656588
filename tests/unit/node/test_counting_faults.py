"""A node that cannot count says so and counts no more; what others say or do not say never makes a count wrong."""

import asyncio
import time

import pytest
from node_cluster import TOPOLOGIES, Cluster, until, visits
from node_desk import Single

from footfall.config import Topology
from footfall.errors import LogUnavailableError, NotReadyError
from footfall.log.protocol import CONTROL_SUBJECT, Delivery, Message
from footfall.node.node import Node

BOTH = pytest.mark.parametrize("topology", TOPOLOGIES)


async def check_stopped(node: Node, reason: str) -> None:
    """The node says why it does not count, and takes nothing."""
    assert any(reason in problem for problem in node.problems()), node.problems()
    with pytest.raises(NotReadyError, match="does not count now"):
        await node.add(visits("a"))
    with pytest.raises(NotReadyError):
        await node.source_position("file")
    definition = node.definition("a")
    assert definition is not None
    assert not node.submit(definition, None, Single())


def broken(*_: object) -> None:
    raise ZeroDivisionError("on purpose")


PARTS = {
    "broadcast": "counting.sharing.tick",
    "members": "counting.members.look",
    "cuts": "counting.members.is_first",
    "anti-entropy": "counting.sharing.repair",
    "take over": "counting.cuts.newest_partition",
    "producer": "producer._outbox.seal",
    "control": "counting.aggregator._fold_control",
    "watch": "log_watch.remember",
}


@pytest.mark.parametrize("part", PARTS)
async def test_a_node_of_which_a_part_died_says_so_and_others_count_on(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, part: str, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.settings["cut_interval_s"] = 4.0
    for name in ("n1", "n4", "n7"):
        await cluster.start(name)
    await until(cluster.settled)
    n1 = cluster.nodes["n1"]
    await n1.add(visits("a", 3))
    *path, name = PARTS[part].split(".")
    target: object = n1
    for step in path:
        target = getattr(target, step)
    monkeypatch.setattr(target, name, broken)
    request = asyncio.create_task(n1.add(visits("a")))
    await cluster.kill("n7")
    await until(lambda: n1.counting.aggregator.failure is not None)
    await check_stopped(n1, f"{part} died of ZeroDivisionError")
    assert "on purpose" in caplog.text
    n4 = cluster.nodes["n4"]
    await until(lambda: len(n4.counting.aggregator.owned()) == 4)
    await n4.add(visits("a", 3))
    await until(lambda: n4.read("a").value == (6 if part == "producer" else 7))
    request.cancel()


async def test_a_fold_that_dies_stops_the_node(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    node = await cluster.start("n1")
    await node.add(visits("a"))
    for folding in node.counting.aggregator.foldings.values():
        monkeypatch.setattr(folding.partition, "fold", broken)
    await node.add(visits("a"))
    await until(node.problems)
    await check_stopped(node, "died of ZeroDivisionError")


@pytest.mark.parametrize("subject", [CONTROL_SUBJECT, "footfall.visits.2"])
async def test_a_message_of_a_newer_version_stops_the_node_rather_than_being_passed_over(
    cluster: Cluster, subject: str
) -> None:
    node = await cluster.start("n1")
    await node.add(visits("a", 3))
    kind = b"barrier/2" if subject == CONTROL_SUBJECT else b"batch/2"
    cluster.storage.append(subject, bytes([0x92, 0xA0 + len(kind)]) + kind + b"\xa1x")
    await until(node.problems)
    await check_stopped(node, "upgrade Footfall")
    with pytest.raises(NotReadyError, match="upgrade Footfall"):
        node.read("a")


@pytest.mark.parametrize("subject", [CONTROL_SUBJECT, "footfall.visits.2"])
async def test_a_message_that_cannot_be_read_is_an_alarm_and_counting_goes_on(cluster: Cluster, subject: str) -> None:
    node = await cluster.start("n1")
    cluster.storage.append(subject, b"\xff\xff")
    cluster.storage.append(subject, b"")
    await node.add(visits("a", 3))
    await cluster.shows("a", 3)
    assert node.counting.aggregator.alarms == {"malformed": 2}
    assert not node.problems()


async def test_a_log_that_lost_what_was_counted_stops_the_node(cluster: Cluster) -> None:
    node = await cluster.start("n1")
    await node.add(visits("a", 3))
    await cluster.shows("a", 3)
    cluster.storage.truncate(cluster.storage.last - 1)
    await until(node.problems)
    await check_stopped(node, "lost its tail")


async def test_a_log_that_was_replaced_stops_the_node(cluster: Cluster) -> None:
    node = await cluster.start("n1")
    await node.add(visits("a", 3))
    cluster.storage.created = "2026-02-02T00:00:00Z"
    cluster.storage.restart()
    await until(node.problems)
    await check_stopped(node, "replaced")


@BOTH
async def test_a_node_for_which_the_log_was_trimmed_too_far_goes_on_from_a_cut(
    cluster: Cluster, topology: Topology
) -> None:
    cluster.settings["cut_interval_s"] = 2.0
    for name in ("n1", "n4"):
        await cluster.start(name, topology=topology)
    await until(cluster.settled)
    n1, n4 = cluster.nodes.values()
    await n1.add(visits("a", 3))
    await cluster.shows("a", 3)
    cluster.cut_off("n4")
    reached = n4.table.sequence()
    for number in range(10):
        await n1.add(visits("a", 1))
        await n1.add(visits(f"b{number}", 1))
        await asyncio.sleep(2)
    assert cluster.storage.first > reached + 1
    assert n4.warnings() == ["the log takes no visits: they are kept in the spool, 0 so far"]
    assert n4.read("a").value == 3, "it answers with what it knows"
    cluster.lines["n4"].reconnect()
    await until(cluster.settled)
    await n4.add(visits("b9", 4))
    await cluster.shows("a", 13)
    await cluster.shows("b9", 5)
    assert not n1.problems() + n4.problems()
    assert not n4.counting.aggregator.alarms


@BOTH
async def test_a_total_never_falls_while_others_are_silent_and_grows_older(
    cluster: Cluster, topology: Topology
) -> None:
    for name in ("n1", "n4", "n7"):
        await cluster.start(name, topology=topology)
    await until(cluster.settled)
    n1, n4, n7 = cluster.nodes.values()
    for node in (n1, n4, n7):
        await node.add(visits("a", 5))
    await cluster.shows("a", 15)
    await asyncio.sleep(1)
    assert n1.read("a").staleness_ms <= 500
    cluster.cut_off("n1")
    staleness_ms = []
    for _ in range(8):
        await asyncio.sleep(1)
        assert n1.read("a").value == 15
        staleness_ms.append(n1.read("a").staleness_ms)
    assert staleness_ms == sorted(staleness_ms)
    assert 7_000 <= staleness_ms[-1] <= 9_000
    assert n4.read("a").staleness_ms <= 500
    cluster.lines["n1"].reconnect()
    await n4.add(visits("a", 5))
    await cluster.shows("a", 20)
    await until(lambda: n1.read("a").staleness_ms <= 500)


async def test_a_node_alone_is_stale_while_its_own_fold_lags(cluster: Cluster) -> None:
    node = await cluster.start("n1")
    await node.add(visits("a", 5))
    await cluster.shows("a", 5)
    await asyncio.sleep(20)
    assert node.read("a").staleness_ms == 0
    (folding, *_) = node.counting.aggregator.foldings.values()
    folding.lag_s = 3.0
    await asyncio.sleep(0.1)
    assert node.read("a").staleness_ms > 0
    assert node.nodes()[0].lag_ms == 3_000


async def test_the_lag_is_measured_whatever_the_logs_clock_says(cluster: Cluster) -> None:
    node = await cluster.start("n1")
    aggregator = node.counting.aggregator
    folding = aggregator.foldings[0]
    cluster.lines["n1"].hold_reads()  # all that is read is what is told here
    aggregator._clock_offset_ns = None
    behind_s = 3600.0  # the log's clock

    def read(written_ago_s: float, pending: int) -> float:
        written_ns = time.time_ns() - int((behind_s + written_ago_s) * 1e9)
        aggregator._measure(aggregator._readings[0], Delivery([Message(1, "", b"", written_ns)], pending))
        return folding.lag_s

    read(0.0, 0)
    assert read(0.0, 5) == pytest.approx(0.0), "a clock that differs is no lag"
    await asyncio.sleep(4)
    assert read(3.0, 5) == pytest.approx(3.0)
    assert read(30.0, 5) == pytest.approx(4.0), "no more than was waited here"
    behind_s = 7200.0
    assert read(0.0, 5) == pytest.approx(4.0), "a clock that was set back by an hour is no lag of an hour"
    assert aggregator.lags_s() == dict.fromkeys(aggregator.foldings, pytest.approx(4.0))
    assert read(0.0, 0) == 0.0
    assert aggregator.lags_s() == {}


async def test_nobody_is_dropped_while_this_node_was_cut_off_for_a_moment(cluster: Cluster) -> None:
    for name in ("n1", "n4"):
        await cluster.start(name)
    await until(cluster.settled)
    taken_over = cluster.nodes["n1"].counting.aggregator.foldings.keys() & {0, 1, 2, 3}
    for line in cluster.lines.values():
        line.disconnect()
    await asyncio.sleep(30)
    for line in cluster.lines.values():
        line.reconnect()
    for _ in range(20):
        await asyncio.sleep(0.1)
        assert cluster.nodes["n1"].counting.aggregator.foldings.keys() == taken_over


async def test_without_a_log_a_node_does_not_start(cluster: Cluster) -> None:
    node = cluster.node("n1")
    cluster.cut_off("n1")
    with pytest.raises(LogUnavailableError):
        await cluster.begin(node)
    assert node.problems() == ["it is starting"]
