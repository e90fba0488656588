"""A log that loses its tail, or is replaced, under running nodes is refused, also where no reader would notice."""

import asyncio
from collections.abc import Callable

import pytest
from node_cluster import TOPOLOGIES, Cluster, until, visits
from node_line import Line

from footfall.config import Topology
from footfall.core.names import Unit
from footfall.core.position import Position, at
from footfall.errors import IntegrityError, LogRewoundError, LogUnavailableError, NotReadyError
from footfall.log.memory import Storage
from footfall.node.node import Node

CONTROL = "footfall.control"
REFUSED_S = 2.0  # one look a second


async def refused(node: Node, reason: str = "lost its tail|rewritten|replaced") -> None:
    """The node says within seconds that the log is not what it was, takes nothing and answers nothing."""
    await until(lambda: node.counting.aggregator.failure, REFUSED_S)
    with pytest.raises(IntegrityError, match=reason):
        raise node.counting.aggregator.failure  # type: ignore[misc]
    assert node.problems()
    with pytest.raises(NotReadyError):
        node.read("a")
    with pytest.raises(NotReadyError):
        await node.add(visits("a"))


def lose(storage: Storage, messages: int, instead: int) -> None:
    """The log loses its end in a restart, and new messages take the sequences before anyone looks."""
    storage.truncate(storage.last - messages)
    for number in range(instead):
        storage.append(CONTROL, b"instead %d" % number)


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("instead", [0, 2, 30])
async def test_a_tail_that_is_lost_is_noticed_by_every_node(cluster: Cluster, topology: Topology, instead: int) -> None:
    for name in ("n1", "n4"):
        await cluster.start(name, topology=topology)
    n1, n4 = cluster.nodes.values()
    await n1.add(visits("a", 3))
    await n4.add(visits("a", 3))
    await cluster.shows("a", 6)
    lose(cluster.storage, 2, instead)
    await refused(n1, "lost its tail|not the one that was counted")
    await refused(n4, "lost its tail|not the one that was counted")


async def test_what_was_acknowledged_and_is_lost_before_anyone_read_it_is_noticed(cluster: Cluster) -> None:
    node = await cluster.start("n1")
    await node.add(visits("a"))
    cluster.lines["n1"].hold_reads()
    await node.add(visits("a", 5))
    lose(cluster.storage, 1, 1)
    await refused(node)


async def test_readers_that_are_behind_the_loss_do_not_go_on_behind_it(cluster: Cluster) -> None:
    """Their own positions are still there: what one of them had read beyond tells all of them."""
    node = await cluster.start("n1")
    for _ in range(20):
        await node.add(visits("a"))
    await cluster.shows("a", 20)
    partitions = [folding.partition for folding in node.counting.aggregator.foldings.values()]
    position = at(cluster.storage.created, cluster.storage.messages[3])
    line = cluster.lines["n1"]
    cluster.storage.truncate(cluster.storage.last - 5)
    reading = line.read([CONTROL], position)
    with pytest.raises(LogRewoundError, match="lost its tail"):
        await anext(reading)  # type: ignore[arg-type]
    counted = sum(partition.counts[0] for partition in partitions if len(partition.counts))
    for _ in range(10):
        cluster.storage.append(CONTROL, b"instead")
    await refused(node)
    assert counted == sum(partition.counts[0] for partition in partitions if len(partition.counts))


async def test_a_message_stored_at_a_sequence_that_was_reached_before_is_proof_enough(line: Line) -> None:
    """The log may have grown over its loss, and be trimmed, before anyone looks."""
    for number in range(10):
        await line.publish(CONTROL, b"%d" % number)
    line.storage._hold(line.storage.messages[:5])
    await line.publish(CONTROL, b"5")
    for number in range(10):
        line.storage.append(CONTROL, b"%d" % (number + 6))
    line.storage.trim(12)
    with pytest.raises(LogRewoundError, match="new message at sequence 6, though 10 had been reached"):
        await line.verify()


async def test_a_log_that_was_trimmed_beyond_what_is_known_is_no_loss(line: Line) -> None:
    for number in range(10):
        await line.publish(CONTROL, b"%d" % number)
    known = line.known
    line.storage.append(CONTROL, b"another's")
    line.storage.trim(11)
    await line.verify()
    assert line.known == known


async def test_a_connection_knows_what_was_stored_what_was_read_and_what_it_is_told(line: Line) -> None:
    assert line.known == Position(line.created)
    await line.verify()
    await line.publish(CONTROL, b"one")
    assert line.known == at(line.created, line.storage.messages[0])
    line.storage.append(CONTROL, b"another's")
    await anext(line.read([CONTROL], Position(line.created)))  # type: ignore[arg-type]
    assert line.known == at(line.created, line.storage.messages[1])
    line.remember(at(line.created, line.storage.messages[0]))
    assert line.known.sequence == 2
    later = at(line.created, line.storage.append(CONTROL, b"third"))
    line.remember(later)
    assert line.known == later
    line.disconnect()
    with pytest.raises(LogUnavailableError):
        await line.verify()


def replaced(storage: Storage) -> None:
    storage.created = "2026-02-02T00:00:00Z"
    lose(storage, storage.last, 3)


def emptied(storage: Storage) -> None:
    lose(storage, storage.last, 0)


async def test_what_is_stored_or_read_after_a_reconnection_does_not_stand_for_what_was_known_before(line: Line) -> None:
    for number in range(10):
        await line.publish(CONTROL, b"%d" % number)
    await line.verify()
    await line.publish(CONTROL, b"the last")
    line.disconnect()
    lose(line.storage, 4, 20)
    line.connected = True
    assert await line.publish(CONTROL, b"new") == 28
    assert line.known.sequence == 11, "what a node keeps on its disk, too"
    line.disconnect()
    line.connected = True
    with pytest.raises(LogRewoundError, match="message at sequence 11 is not the one"):
        await line.verify()


@pytest.mark.parametrize("how", [replaced, emptied])
async def test_a_log_that_is_replaced_is_noticed(cluster: Cluster, how: Callable[[Storage], None]) -> None:
    node = await cluster.start("n1")
    await node.add(visits("a", 3))
    await cluster.shows("a", 3)
    how(cluster.storage)
    await refused(node)


async def test_after_a_restart_the_node_refuses_the_log_though_it_only_read_what_is_lost(cluster: Cluster) -> None:
    n1 = await cluster.start("n1")
    await cluster.start("n4")
    await until(cluster.settled)
    for _ in range(5):
        await n1.add(visits("a"))
    await cluster.shows("a", 5)
    await n1.define("another", Unit.VISITS)
    await until(lambda: cluster.lines["n4"].known.sequence == cluster.storage.last)
    await asyncio.sleep(2)  # written once a second
    lose(cluster.storage, 2, 30)
    await refused(cluster.nodes["n4"])
    await cluster.kill("n4")
    with pytest.raises(LogRewoundError, match="rewritten"):
        await cluster.start("n4")


async def test_a_node_that_has_stopped_counting_tells_the_others_nothing(cluster: Cluster) -> None:
    for name in ("n1", "n4"):
        await cluster.start(name, topology=Topology.SHARDED)
    await until(cluster.settled)
    n1, n4 = cluster.nodes.values()
    await n1.add(visits("a"))
    await cluster.shows("a", 1)
    n4.counting.aggregator.fail(LogRewoundError("as a test says"))
    sent = n4.counting.sharing.sent_messages
    await n1.add(visits("a", 8))
    await until(lambda: len(n1.counting.aggregator.owned()) == 4)
    await until(lambda: n1.read("a").value == 9)
    folded = {number: folding.partition.sequence for number, folding in n4.counting.aggregator.foldings.items()}
    await n1.add(visits("a", 8))
    assert n4.counting.sharing.sent_messages == sent
    assert folded == {number: one.partition.sequence for number, one in n4.counting.aggregator.foldings.items()}
