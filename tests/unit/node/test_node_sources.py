"""Sources: every chunk counts once, where its source stands, or is refused with the position."""

import asyncio

import pytest
from node_cluster import TOPOLOGIES, VISITORS, Cluster, until, visits
from node_line import batches

from footfall.config import Topology
from footfall.core.batch import Chunk
from footfall.core.routing import partition_of
from footfall.core.vector import ENTRY_MAX
from footfall.core.visit import Visit
from footfall.errors import InvalidVisitError, LogUnavailableError, NotReadyError, SourcePositionError, TooLargeError
from footfall.node.node import Node


@pytest.fixture
async def node(cluster: Cluster) -> Node:
    """A node alone."""
    return await cluster.start("n1")


@pytest.mark.parametrize("topology", TOPOLOGIES)
async def test_a_source_is_counted_chunk_by_chunk(cluster: Cluster, topology: Topology) -> None:
    node = await cluster.start("n1", topology=topology)
    await node.define("people", VISITORS)
    assert await node.source_position("file") == 0
    for start, end, visitor in ((0, 10, "x"), (10, 11, "y"), (11, 90, "x")):
        added = await node.add_chunk("file", start, end, [Visit("a", visitor), Visit("people", visitor)])
        assert (added.accepted, added.stored, added.receipts) == (2, "log", [])
        assert await node.source_position("file") == end
    await cluster.shows("a", 3)
    await cluster.shows("people", 2)


async def test_a_chunk_without_visits_moves_the_position(cluster: Cluster, node: Node) -> None:
    assert (await node.add_chunk("file", 0, 10, [])).accepted == 0
    assert await node.source_position("file") == 10


@pytest.mark.parametrize("start", [0, 5, 11, 90])
async def test_a_chunk_that_does_not_start_where_its_source_stands_is_refused_with_the_position(
    cluster: Cluster, node: Node, start: int
) -> None:
    await node.add_chunk("file", 0, 10, visits("a"))
    last = cluster.storage.last
    with pytest.raises(SourcePositionError, match="stands at byte 10") as refused:
        await node.add_chunk("file", start, 100, visits("a"))
    assert refused.value.position == 10
    assert cluster.storage.last == last


async def test_of_two_chunks_from_the_same_place_the_first_in_the_log_counts(cluster: Cluster, node: Node) -> None:
    await node.add(visits("a"))
    requests = [node.add_chunk("file", 0, 10, visits("a")), node.add_chunk("file", 0, 20, visits("a", 5))]
    first, second = await asyncio.gather(*requests, return_exceptions=True)
    assert not isinstance(first, BaseException)
    assert isinstance(second, SourcePositionError)
    assert second.position == 10
    await cluster.shows("a", 2)


@pytest.mark.parametrize("end", [5, 10, 20])
async def test_what_another_node_has_stored_of_a_source_meanwhile_does_not_count_again(
    cluster: Cluster, end: int
) -> None:
    for name in ("n1", "n4"):
        await cluster.start(name, spool_bytes_max=0)
    await until(cluster.settled)
    n1, n4 = cluster.nodes.values()
    await n1.add(visits("a"))
    await cluster.shows("a", 1)
    cluster.lines["n1"].hold()
    late = asyncio.create_task(n1.add_chunk("file", 0, 10, visits("a", 10)))
    await asyncio.sleep(1)
    await n4.add_chunk("file", 0, end, visits("a", end))
    cluster.lines["n1"].release()
    if end < 10:
        with pytest.raises(SourcePositionError) as refused:
            await late
        assert refused.value.position == end
    else:
        assert (await late).accepted == 10, "all of it is counted"
    await cluster.shows("a", 1 + end)


@pytest.mark.parametrize(
    ("chunk", "error"),
    [
        (("", 0, 1, visits("a")), InvalidVisitError),
        (("x" * 257, 0, 1, visits("a")), InvalidVisitError),
        (("a\nb", 0, 1, visits("a")), InvalidVisitError),
        (("file", 0, 0, visits("a")), InvalidVisitError),
        (("file", 5, 4, visits("a")), InvalidVisitError),
        (("file", -1, 4, visits("a")), InvalidVisitError),
        (("file", 0, ENTRY_MAX + 1, visits("a")), InvalidVisitError),
        (("file", 0, 1, [Visit("a"), Visit("a", key="k")]), InvalidVisitError),
        (("file", 0, 1, [Visit("a"), Visit("a", count=0)]), InvalidVisitError),
        (("file", 0, 1, visits("a") * 10_001), TooLargeError),
    ],
)
async def test_what_cannot_be_a_chunk_is_refused_and_changes_nothing(
    cluster: Cluster, node: Node, chunk: tuple[str, int, int, list[Visit]], error: type[Exception]
) -> None:
    last = cluster.storage.last
    with pytest.raises(error):
        await node.add_chunk(*chunk)
    assert cluster.storage.last == last
    assert await node.source_position("file") == 0


async def test_a_chunk_that_was_not_acknowledged_may_count_and_its_position_tells(cluster: Cluster, node: Node) -> None:
    await node.add(visits("a"))
    cluster.lines["n1"].hold()
    with pytest.raises(LogUnavailableError, match="ask for the position"):
        await node.add_chunk("file", 0, 10, visits("a"))
    cluster.lines["n1"].release()
    await cluster.shows("a", 2)
    assert await node.source_position("file") == 10
    with pytest.raises(SourcePositionError):
        await node.add_chunk("file", 0, 10, visits("a"))
    assert cluster.counted("a") == 2


async def test_a_position_is_kept_by_cuts_and_through_restarts(cluster: Cluster) -> None:
    node = await cluster.start("n1", cut_interval_s=2.0)
    await node.add_chunk("file", 0, 10, visits("a"))
    await until(lambda: cluster.storage.first > 1)
    await cluster.kill("n1")
    node = await cluster.start("n1")
    assert await node.source_position("file") == 10
    assert node.read("a").value == 1


async def test_who_does_not_count_a_partition_does_not_tell_where_a_source_stands(cluster: Cluster) -> None:
    for name in ("n1", "n4"):
        await cluster.start(name)
    await until(cluster.settled)
    aggregator = cluster.nodes["n1"].counting.aggregator
    (other, *_) = set(range(4)) - aggregator.owned().keys()
    with pytest.raises(NotReadyError, match="not counted here"):
        await aggregator.source_position(other, "file", 0, 1.0)
    (own, *_) = aggregator.owned()
    aggregator.foldings[own].attached = False
    with pytest.raises(NotReadyError, match="not counted here"):
        await aggregator.source_position(own, "file", 0, 1.0)


async def test_a_chunk_is_counted_in_its_sources_partition_whatever_its_visitors(cluster: Cluster, node: Node) -> None:
    visited = [Visit("a", f"visitor {number}") for number in range(20)]
    await node.add_chunk("file", 0, 10, visited)
    await cluster.shows("a", 20)
    definition = node.definition("a")
    assert definition is not None
    home = partition_of("file", 4)
    assert node.table.vector(definition.number).entries == tuple(20 if p == home else 0 for p in range(4))
    assert Chunk("file", 0, 10) in [batch.chunk for batch in batches(cluster.storage)]


async def test_an_answer_of_another_node_that_is_no_position_is_no_position(
    cluster: Cluster, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask(subject: str, data: bytes, timeout_s: float) -> bytes:
        return b"\xc1"

    monkeypatch.setattr(cluster.lines["n1"], "ask", ask)
    monkeypatch.setattr(node.counting.aggregator, "owned", dict)
    with pytest.raises(NotReadyError, match="answers is no position"):
        await node.source_position("file")
