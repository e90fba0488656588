"""Exact reads of whole nodes: between what was acknowledged before and what was sent before the end, or an error."""

import asyncio

import pytest
from node_cluster import TOPOLOGIES, Cluster, until, visits
from node_line import controls

from footfall.config import Topology
from footfall.core.control import Barrier
from footfall.core.names import Unit
from footfall.core.routing import ranking
from footfall.core.visit import Visit
from footfall.errors import InvalidNameError, LogUnavailableError, NotReadyError, PartitionsUnownedError
from footfall.node import exact, members
from footfall.node.readings import Phase

BOTH = pytest.mark.parametrize("topology", TOPOLOGIES)


async def start(cluster: Cluster, *names: str, **settings: object) -> None:
    for name in names:
        await cluster.start(name, **settings)
    await until(cluster.settled)


def barriers(cluster: Cluster) -> list[Barrier]:
    """Those that ask for counts."""
    return [one for one in controls(cluster.storage) if isinstance(one, Barrier) and one.reader]


@BOTH
async def test_an_exact_read_is_exact_at_its_sequence_and_no_eventual_read_is_smaller_after_it(
    cluster: Cluster, topology: Topology
) -> None:
    await start(cluster, "n1", "n4", "n7", topology=topology)
    nodes = list(cluster.nodes.values())
    sent = acknowledged = 0

    async def visit(number: int) -> None:
        nonlocal sent, acknowledged
        for at in range(60):
            sent += 1
            await nodes[number].add([Visit("a.b", f"{number} {at}")])
            acknowledged += 1
            await asyncio.sleep(0.01 * number)

    async def read(number: int) -> None:
        for _ in range(40):
            before = acknowledged
            found = await nodes[number].read_exact("a")
            assert before <= found.value <= sent
            assert nodes[number].read("a").value >= found.value
            assert (found.consistency, found.phase, found.staleness_ms) == ("linearizable", Phase.AP, 0)
            await asyncio.sleep(0.007)

    await asyncio.gather(*(work(number) for number in range(3) for work in (visit, read, read)))
    assert (await nodes[0].read_exact("a")).value == cluster.counted("a") == 180
    reads = sum(node.counting.exact.reads for node in nodes)
    assert len(barriers(cluster)) < reads


async def test_a_counter_that_nobody_has_visited_is_exactly_zero(cluster: Cluster) -> None:
    await start(cluster, "n1", "n4")
    found = await cluster.nodes["n1"].read_exact("nobody.was.here")
    assert (found.value, found.pending, found.unit) == (0, 0, Unit.VISITS)
    assert found.sequence == cluster.storage.last
    with pytest.raises(InvalidNameError):
        await cluster.nodes["n1"].read_exact("no name")
    assert len(barriers(cluster)) == 1


@BOTH
async def test_a_partition_that_nobody_folds_is_named_after_five_seconds(cluster: Cluster, topology: Topology) -> None:
    await start(cluster, "n1", "n4", topology=topology, silence_max_s=100.0)
    await cluster.nodes["n1"].add(visits("a", 9))
    gone = cluster.owned()["n4"]
    await cluster.kill("n4")
    began_s = asyncio.get_running_loop().time()
    with pytest.raises(PartitionsUnownedError) as refused:
        await cluster.nodes["n1"].read_exact("a")
    assert refused.value.partitions == gone
    assert asyncio.get_running_loop().time() - began_s == pytest.approx(exact.TIMEOUT_S, abs=0.1)
    assert cluster.nodes["n1"].read("a").value >= 0, "who does not need it exact gets an answer"


@BOTH
async def test_a_new_owner_who_folds_past_the_barrier_answers_it(cluster: Cluster, topology: Topology) -> None:
    await start(cluster, "n1", "n4", topology=topology)
    await cluster.nodes["n1"].add([Visit("a", f"visitor {number}") for number in range(20)])
    await cluster.kill("n4")
    began_s = asyncio.get_running_loop().time()
    assert (await cluster.nodes["n1"].read_exact("a")).value == 20
    assert asyncio.get_running_loop().time() - began_s > 1.0, "the partitions had to be taken first"
    assert cluster.nodes["n1"].counting.exact.failed == 0


async def test_without_the_log_there_is_no_exact_count(cluster: Cluster) -> None:
    await start(cluster, "n1", "n4")
    n1, line = cluster.nodes["n1"], cluster.lines["n1"]
    await n1.add(visits("a", 3))
    line.break_off()
    with pytest.raises(LogUnavailableError):
        await n1.read_exact("a")
    line.mend()
    assert (await n1.read_exact("a")).value == 3
    line.disconnect()
    with pytest.raises(LogUnavailableError, match="the log cannot be reached"):
        await n1.read_exact("a")


async def test_a_barrier_whose_acknowledgement_was_lost_is_answered_all_the_same(cluster: Cluster) -> None:
    await start(cluster, "n1", "n4")
    n1 = cluster.nodes["n1"]
    await n1.add(visits("a", 3))
    cluster.lines["n1"].unanswered = 3
    assert (await n1.read_exact("a")).value == 3
    first, *copies = barriers(cluster)
    assert copies == [first] * 3
    assert not n1.counting.aggregator.alarms


async def test_a_node_whose_own_folds_are_behind_shows_nothing_below_an_exact_count(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "OVERLAP_S", 100.0)  # for so long two nodes fold the same
    behind, ahead = "n1", next(name for name in map("n{}".format, range(2, 99)) if first_of_all(name, "n1"))
    node = await cluster.start(behind)
    await node.add(visits("a", 3))
    await cluster.shows("a", 3)
    cluster.lines[behind].hold_reads()
    cluster.lines[behind]._defining.set()  # what is told to all is still read
    other = await cluster.start(ahead)
    await other.add(visits("a", 4))
    await until(lambda: len(other.counting.aggregator.owned()) == 4)
    found = await node.read_exact("a")
    assert found.value == 7
    assert node.table.value(0) < 7
    for _ in range(20):
        assert node.read("a").value == 7
        await asyncio.sleep(0.1)
    cluster.lines[behind].release()
    await other.add(visits("a", 1))
    await cluster.shows("a", 8)


def first_of_all(name: str, other: str) -> bool:
    """Whether a node ranks above another for each of four partitions."""
    return all(ranking(partition, [name, other])[0] == name for partition in range(4))


async def test_a_node_that_stops_tells_who_waits_for_an_exact_count(cluster: Cluster) -> None:
    await start(cluster, "n1", "n4", silence_max_s=100.0)
    await cluster.kill("n4")
    n1 = cluster.nodes.pop("n1")
    read = asyncio.create_task(n1.read_exact("a"))
    await asyncio.sleep(1)
    stopping = asyncio.create_task(n1.stop())
    with pytest.raises(NotReadyError):
        await read
    await stopping
    with pytest.raises(NotReadyError):
        await n1.read_exact("a")
