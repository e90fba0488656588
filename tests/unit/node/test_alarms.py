"""What is wrong in the log is told to a person, with its place, for as long as it is in the log; and after restarts."""

import pytest
from node_cluster import Cluster, until, visits

from footfall.core.batch import Batch, Section, encode
from footfall.core.names import Unit
from footfall.core.partition import Alarm, Partition
from footfall.node.alarms import Alarmed, ControlAlarms, alarmed
from footfall.node.node import Node


def gap(cluster: Cluster, partition: int, *sequences: int) -> list[int]:
    """A rogue producer's batches with these numbers; returns where they are in the log."""
    sections = [Section("a", Unit.VISITS, 1, None, None, 1)]
    return [
        cluster.storage.append(
            f"footfall.visits.{partition}", encode(Batch("batch/1", "rogue", 0, sequence, sections, None))
        ).sequence
        for sequence in sequences
    ]


def told(node: Node) -> list[str]:
    return [warning.removesuffix("; run footfall doctor") for warning in node.warnings()]


async def test_a_gap_is_a_warning_and_an_error_and_in_the_metrics_and_survives_restarts(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.settings["cut_interval_s"] = 2.0
    node = await cluster.start("n1")
    assert node.warnings() == []
    await node.add(visits("a"))
    first, *_, last = gap(cluster, 2, 3, 4, 7)
    expected = [
        f"alarm gap (2 times, sequences {first} to {last}): messages of a producer are missing: "
        "visits that were acknowledged may be lost"
    ]
    await until(lambda: told(node) == expected)
    assert "gap at sequence" in caplog.text
    assert "batches 1 to 2 lost" in caplog.text
    assert not node.problems(), "it counts on"
    metrics = {metric.name: metric.samples for metric in node.metrics()}
    assert [one for one in metrics["footfall_alarms_total"] if one[1]] == [({"kind": "gap"}, 2)]
    for _ in range(4):
        epoch = node.counting.cuts.newest
        await until(lambda epoch=epoch: node.counting.cuts.newest > epoch)  # type: ignore[misc]
    assert cluster.storage.first > last, "the log was trimmed beyond it"
    await cluster.kill("n1")
    node = await cluster.start("n1")
    assert told(node) == expected


async def test_alarms_that_a_person_has_looked_into_are_no_warning_until_another_comes(cluster: Cluster) -> None:
    node = await cluster.start("n1")
    await node.add(visits("a"))
    last = gap(cluster, 2, 3, 7)[-1]
    await until(lambda: told(node))
    await cluster.kill("n1")
    node = await cluster.start("n1", alarms_seen=last)
    await until(lambda: node.counting.aggregator.alarms)
    assert node.warnings() == []
    gap(cluster, 2, 9)
    await until(lambda: told(node))
    assert told(node)[0].startswith("alarm gap (3 times, sequences ")
    assert not Alarmed("gap", 1, 0, 0).seen(10**9), "where it came is not known"


async def test_what_is_wrong_in_the_control_subject_is_a_warning(cluster: Cluster) -> None:
    node = await cluster.start("n1")
    sequence = cluster.storage.append("footfall.control", b"\xff").sequence
    await until(node.warnings)
    assert told(node) == [
        f"alarm malformed (once, sequence {sequence}): messages cannot be read: someone else writes into the log, "
        "or it is damaged"
    ]


def test_alarms_of_partitions_and_of_control_are_told_together() -> None:
    one, two, old = Partition(0, 3), Partition(1, 3), Partition(2, 3)
    one.tally, one.alarmed = {"gap": 2, "repeat": 9}, {"gap": (5, 8)}
    two.tally, two.alarmed = {"gap": 1, "malformed": 1}, {"gap": (3, 3), "malformed": (4, 4)}
    old.tally = {"gap": 4, "expired": 1}
    control = ControlAlarms()
    control.add([Alarm("malformed", "", 9), Alarm("winner", "", 10), Alarm("winner", "", 11)])
    assert alarmed([one, two, old], control.found) == [
        Alarmed("expired", 1, 0, 0),
        Alarmed("gap", 7, 3, 8),
        Alarmed("malformed", 2, 4, 9),
        Alarmed("winner", 2, 10, 11),
    ]
    assert str(Alarmed("expired", 1, 0, 0)).startswith("alarm expired (once): ")
    assert alarmed([]) == []
