"""A message that the log had acknowledged and does not hold any more is missed, though no other one tells of it."""

import pytest
from node_cluster import Cluster, until, visits
from node_cutting import Cutter
from node_line import Line

from footfall.core.names import Unit
from footfall.core.position import Position
from footfall.log.memory import MemoryLog, Storage
from footfall.log.protocol import CONTROL_SUBJECT
from footfall.node.cut_reader import CutReader
from footfall.node.holes import LOOKED_AT_MAX, Holes, explained, holes
from footfall.node.node import Node

FOREIGN = ("footfall.visits.99", "footfall.visits.x", "footfall.visits.-1")


def lose(monkeypatch: pytest.MonkeyPatch, storage: Storage, *lost: int) -> None:
    """Readers are not sent these messages, as when they are damaged on a server's disk."""
    above, trim = storage.above, storage.trim

    def trimmed(before: int) -> None:
        with monkeypatch.context() as whole:
            whole.setattr(storage, "above", above)
            trim(before)

    monkeypatch.setattr(storage, "trim", trimmed)
    monkeypatch.setattr(storage, "above", lambda after: [m for m in above(after) if m.sequence not in lost])


async def found(storage: Storage, end: int) -> list[tuple[int, int]]:
    log = MemoryLog(storage)
    examined = [hole async for hole in holes(log, Position(storage.created), end)]
    await log.close()
    return examined


async def cuts(cluster: Cluster, more: int) -> None:
    """Wait until the nodes know of so many more cuts."""
    newest = [node.counting.cuts.newest for node in cluster.nodes.values()]
    await until(lambda: max(node.counting.cuts.newest for node in cluster.nodes.values()) >= max(newest) + more)


def told(node: Node) -> list[str]:
    return [warning.removesuffix("; run footfall doctor") for warning in node.warnings()]


async def test_each_hole_is_told_with_its_first_and_last_sequence(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage(2)
    for _ in range(10):
        storage.append("footfall.visits.1", b"x")
    lose(monkeypatch, storage, 1, 4, 5, 6)
    assert await found(storage, end=10) == [(1, 1), (4, 6)]
    assert await found(storage, end=3) == [(1, 1)]


async def test_a_running_node_says_what_it_was_not_sent_also_the_last_message_of_a_producer(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.settings["cut_interval_s"] = 2.0
    node = await cluster.start("n1")
    await node.define("a", Unit.VISITS)
    await cuts(cluster, 3)
    assert told(node) == []
    lost = cluster.storage.last + 1
    lose(monkeypatch, cluster.storage, lost)
    await node.add(visits("a"))
    await until(lambda: told(node))
    assert node.read("a").value == 0
    await cuts(cluster, 3)
    assert told(node) == [
        f"alarm missing (once, sequence {lost}): the log lacks messages that it had acknowledged: a file is damaged, "
        "and the count is too low"
    ]
    assert node.counting.aggregator.alarms == {"missing": 1}
    assert cluster.storage.first > lost, "the log was trimmed beyond it"
    await cluster.kill("n1")
    node = await cluster.start("n1")
    await cuts(cluster, 2)
    assert f"sequence {lost}" not in "".join(told(node))
    assert "1 message is not counted of those up to sequence" in caplog.text


async def test_who_takes_a_partition_over_without_its_last_message_says_so(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.settings["cut_interval_s"] = 2.0
    for name in ("n1", "n4"):
        await cluster.start(name)
    await until(cluster.settled)
    await cluster.nodes["n1"].define("a", Unit.VISITS)
    await cuts(cluster, 2)
    lost = cluster.storage.last + 1
    lose(monkeypatch, cluster.storage, lost)  # before anybody has heard of it
    await cluster.nodes["n1"].add(visits("a"))
    await cluster.kill("n1")
    await until(lambda: told(cluster.nodes["n4"]))
    assert f"sequence {lost}" in told(cluster.nodes["n4"])[0]


async def test_who_takes_a_partition_over_and_lacks_what_its_owner_had_counted_says_that_a_record_may_be_damaged(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.settings["cut_interval_s"] = 20.0
    for name in ("n1", "n4"):
        await cluster.start(name)
    await until(cluster.settled)
    await cluster.nodes["n1"].add(visits("a"))
    await cluster.shows("a", 1)
    last = next(m.sequence for m in reversed(cluster.storage.messages) if m.subject != CONTROL_SUBJECT)
    await cluster.kill("n1")
    lose(monkeypatch, cluster.storage, last)
    await until(cluster.nodes["n4"].problems)
    [problem] = cluster.nodes["n4"].problems()
    assert "another node had counted" in problem
    assert "a record in it is damaged" in problem


async def test_a_message_of_no_partition_is_told_as_what_it_is(cluster: Cluster) -> None:
    cluster.settings["cut_interval_s"] = 2.0
    node = await cluster.start("n1")
    await node.add(visits("a"))
    foreign = [cluster.storage.append(subject, b"x").sequence for subject in FOREIGN]
    await until(lambda: told(node))
    assert told(node) == [
        f"alarm foreign (3 times, sequences {foreign[0]} to {foreign[-1]}): messages are on subjects of no partition, "
        "and are not counted: someone else writes into the log"
    ]
    await cuts(cluster, 3)
    assert node.counting.aggregator.alarms == {"foreign": 3}


async def test_a_hole_whose_log_was_trimmed_or_is_large_is_told_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    storage, alarms = Storage(2), []
    for _ in range(LOOKED_AT_MAX + 20):
        storage.append("footfall.visits.1", b"x")
    log = MemoryLog(storage)
    lost = range(3, LOOKED_AT_MAX + 10)
    held = storage.message
    monkeypatch.setattr(storage, "message", lambda sequence: None if sequence in lost else held(sequence))
    assert [(a.kind, a.sequence) for a in await explained(log, lost[0], lost[-1])] == [("missing", lost[-1])]
    storage.trim(50)
    begin = Position(storage.created, 2, bytes(16))
    looking = Holes(log, CutReader(log), alarms.extend)
    assert [a.detail for a in await looking._found(begin, 60, 7)] == [
        "7 messages were not counted above sequence 2: it is not known which"
    ]
    await log.close()


async def test_what_an_only_cut_of_a_restored_log_lacks_was_told_before_it(caplog: pytest.LogCaptureFixture) -> None:
    cutter, alarms = Cutter(Line(Storage(partitions=2))), []
    cutter.partitions[0].messages = -3  # as if three had never been folded
    await cutter.take(1)
    cutter.storage.trim(cutter.positions[1].sequence)
    looking = Holes(cutter.line, cutter.cuts, alarms.extend)
    await looking.look(await cutter.cuts.find())
    assert (alarms, len(caplog.messages)) == ([], 1)
    assert caplog.messages[0].startswith("3 messages are not counted of those up to sequence")
    await cutter.take(1)
    await looking.look(await cutter.cuts.find())
    assert (alarms, len(caplog.messages)) == ([], 1)


async def test_what_is_lost_is_told_though_nodes_were_updated_one_after_the_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """So that partitions went on from different cuts of before messages were counted."""
    cutter, alarms = Cutter(Line(Storage(partitions=2))), []
    cutter.partitions[1].messages_since = 1
    looking = Holes(cutter.line, cutter.cuts, alarms.extend)
    for lost in (0, 0, 1, 0):
        cutter.partitions[0].messages -= lost  # as if it had never been folded
        await cutter.take(1)
        await looking.look(await cutter.cuts.find())
    assert [alarm.detail for alarm in alarms] == [
        f"1 message was not counted above sequence {cutter.positions[2].sequence}: it is not known which"
    ]
    assert caplog.messages == []


async def test_nodes_that_come_and_go_over_a_log_that_is_trimmed_raise_no_alarm(cluster: Cluster) -> None:
    cluster.settings["cut_interval_s"] = 1.0
    for number in range(6):
        for name in ("n1", "n4", "n7"):
            node = cluster.nodes.get(name) or await cluster.start(name)
            await node.add(visits(f"a.{number}"))
        await cuts(cluster, 1)
        for name, node in cluster.nodes.items():
            assert node.counting.aggregator.alarms == {}, name
        await cluster.kill(["n1", "n4", "n7"][number % 3])
    assert cluster.storage.first > 1
    await cluster.start("n1")
    await cluster.shows("a", 18)
