"""A message that the log had acknowledged and does not hold any more is missed, though no other one tells of it."""

import pytest
from node_cluster import Cluster, until, visits

from footfall.core.position import Position
from footfall.log.memory import MemoryLog, Storage
from footfall.node.holes import holes


def lose(monkeypatch: pytest.MonkeyPatch, storage: Storage, *lost: int) -> None:
    """Readers are not sent these messages, as when they are damaged on a server's disk."""
    above = storage.above
    monkeypatch.setattr(storage, "above", lambda after: [m for m in above(after) if m.sequence not in lost])


async def found(storage: Storage, begin: int = 0) -> list[tuple[int, int]]:
    log = MemoryLog(storage)
    examined = [hole async for hole in holes(log, Position(storage.created, begin))]
    await log.close()
    return examined


async def test_each_hole_is_told_with_its_first_and_last_sequence(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage(2)
    for _ in range(10):
        storage.append("footfall.visits.1", b"x")
    lose(monkeypatch, storage, 1, 4, 5, 6, 10)
    log = MemoryLog(storage)
    examining = holes(log, Position(storage.created))
    assert await anext(examining) == (1, 1)
    assert await anext(examining) == (4, 6)
    storage.append("footfall.control", b"x")
    assert [hole async for hole in examining] == [(10, 10)]
    await log.close()


async def test_a_log_that_was_replaced_ends_the_examination_without_a_word() -> None:
    assert await found(Storage(2), begin=3) == []


async def test_a_node_that_starts_says_what_the_log_lacks_also_the_last_message_of_a_producer(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await cluster.start("n1")
    for _ in range(3):
        await node.add(visits("a"))
    await cluster.kill("n1")
    last = next(m.sequence for m in reversed(cluster.storage.messages) if m.subject != "footfall.control")
    lose(monkeypatch, cluster.storage, last)
    again = await cluster.start("n1")
    await until(again.warnings)
    assert again.read("a").value == 2
    assert again.counting.aggregator.alarms == {"missing": 1}
    [warning] = again.warnings()
    assert warning.startswith(f"alarm missing (once, sequence {last}): the log lacks messages that it had acknowledged")


async def test_a_whole_log_raises_no_alarm(cluster: Cluster) -> None:
    for _ in range(2):
        node = await cluster.start("n1")
        await node.add(visits("a"))
        await cluster.kill("n1")
    node = await cluster.start("n1")
    await cluster.shows("a", 2)
    assert node.counting.aggregator.alarms == {}
