"""What a node takes and what it refuses: definitions, visits, a log that is full, and the way out."""

import asyncio

import numpy as np
import pytest
from node_cluster import TOPOLOGIES, VISITORS, Cluster, until, visits
from node_desk import Single
from node_line import counted, soon

from footfall.config import Topology
from footfall.core import control, definitions
from footfall.core.control import Define
from footfall.core.names import Unit
from footfall.core.vector import ENTRY_MAX
from footfall.core.visit import COUNT_MAX, Visit
from footfall.errors import (
    CountOverflowError,
    InvalidNameError,
    InvalidVisitError,
    LogFullError,
    LogUnavailableError,
    TooLargeError,
    TooManyCountersError,
    UnitConflictError,
    UnknownCounterError,
    VisitorRequiredError,
)
from footfall.log.protocol import CONTROL_SUBJECT
from footfall.node import defining
from footfall.node.node import Node


def define_elsewhere(cluster: Cluster, *counters: tuple[str, Unit]) -> None:
    """Another node's definitions come into the log."""
    cluster.storage.append(CONTROL_SUBJECT, control.encode(Define(f"other {cluster.storage.last}", 1, counters)))


@pytest.fixture
async def node(cluster: Cluster) -> Node:
    """A node alone."""
    return await cluster.start("n1")


@pytest.mark.parametrize("topology", TOPOLOGIES)
async def test_visits_are_counted_on_all_of_their_path(cluster: Cluster, topology: Topology) -> None:
    node = await cluster.start("n1", topology=topology)
    added = await node.add([Visit("a.b.c", count=3), Visit("a.b"), Visit("z", "x", "key"), Visit("z", "x", "key")])
    assert (added.accepted, added.stored, len(added.receipts)) == (6, "log", 4)
    await cluster.shows("a", 4)
    assert [node.read(name).value for name in ("a", "a.b", "a.b.c", "z")] == [4, 4, 3, 1]


async def test_who_does_not_wait_is_told_that_his_visit_is_in_memory(cluster: Cluster, node: Node) -> None:
    added = await node.add(visits("a", 2), durable=False)
    assert (added.accepted, added.stored, added.receipts) == (2, "memory", [])
    await cluster.shows("a", 2)


async def test_a_counter_is_defined_once_and_keeps_its_unit(node: Node) -> None:
    definition, made = await node.define("a.people", VISITORS)
    assert (definition.unit, made) == (VISITORS, True)
    assert (await node.define("a.people", VISITORS))[1] is False
    with pytest.raises(UnitConflictError, match="never changes"):
        await node.define("a.people", Unit.VISITS)
    with pytest.raises(UnitConflictError):
        await node.define("a", VISITORS)
    assert node.definition("a.people") == definition
    assert node.definition("b") is None


async def test_many_who_define_the_same_counter_at_once_make_it_once(cluster: Cluster, node: Node) -> None:
    made = await asyncio.gather(*(node.define("a", Unit.VISITS) for _ in range(10)))
    assert sorted(made for _, made in made) == [False] * 9 + [True]
    assert sum(b"define/1" in message.data for message in cluster.storage.messages) == 1


@pytest.mark.parametrize("name", ["", "a..b", "a b", "ü", "a" * 201, ".".join("a" * 9)])
async def test_what_cannot_be_a_name_is_refused(cluster: Cluster, node: Node, name: str) -> None:
    last = cluster.storage.last
    for request in (node.define(name, Unit.VISITS), node.add(visits(name))):
        with pytest.raises(InvalidNameError):
            await request
    with pytest.raises(InvalidNameError):
        node.read(name)
    assert cluster.storage.last == last


async def test_there_are_only_so_many_counters(cluster: Cluster) -> None:
    node = await cluster.start("n1", counters_max=3)
    await node.add(visits("a.b"))
    last = cluster.storage.last
    with pytest.raises(TooManyCountersError):
        await node.define("c.d", Unit.VISITS)
    with pytest.raises(TooManyCountersError):
        await node.add([*visits("a"), *visits("c.d")])
    assert cluster.storage.last == last
    await node.add(visits("c"))
    await cluster.shows("c", 1)


async def test_the_last_counter_goes_to_who_was_first(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(definitions, "COUNTERS_MAX", 1)
    node = await cluster.start("n1", counters_max=1)
    cluster.lines["n1"].hold_reads()
    define_elsewhere(cluster, ("theirs", Unit.VISITS))
    requests = [asyncio.create_task(node.define("a", Unit.VISITS)), asyncio.create_task(node.add(visits("b")))]
    await soon()
    cluster.lines["n1"].release()
    for request in requests:
        with pytest.raises(TooManyCountersError):
            await request


async def test_visits_may_be_kept_from_defining_counters(cluster: Cluster) -> None:
    node = await cluster.start("n1", define_on_visit=False)
    await node.define("a", Unit.VISITS)
    last = cluster.storage.last
    with pytest.raises(UnknownCounterError, match=r"no counter a\.b, and visits define none here") as one:
        await node.add(visits("a.b"))
    with pytest.raises(UnknownCounterError, match="visit 1: there is no counter b") as batch:
        await node.add([*visits("a"), *visits("b")])
    assert (one.value.index, batch.value.index) == (None, 1)
    with pytest.raises(UnknownCounterError):
        await node.add_chunk("source", 0, 1, visits("b"))
    assert cluster.storage.last == last
    await node.add(visits("a"))
    await node.milestones.add("c", 10)  # whoever may set one may define
    await cluster.shows("a", 1)


async def test_many_new_counters_are_defined_in_messages_of_bounded_size(
    cluster: Cluster, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(defining, "DEFINE_MAX", 10)
    await node.add([Visit(f"c{number}") for number in range(25)])
    messages = [message for message in cluster.storage.messages if b"define/1" in message.data]
    assert [len(control.decode(message.data).counters) for message in messages] == [10, 10, 5]  # type: ignore[union-attr]


async def test_a_definition_that_does_not_come_back_in_ten_seconds_is_reported(cluster: Cluster, node: Node) -> None:
    cluster.lines["n1"].hold_reads()
    defining = asyncio.create_task(node.define("a", Unit.VISITS))
    await asyncio.sleep(10.1)
    assert isinstance(defining.exception(), LogUnavailableError)
    cluster.lines["n1"].release()
    await soon()
    assert (await node.define("a", Unit.VISITS))[1] is False


async def test_a_counter_that_others_define_in_visitors_meanwhile_needs_a_visitor(cluster: Cluster, node: Node) -> None:
    cluster.lines["n1"].hold_reads()
    adding = asyncio.create_task(node.add(visits("people")))
    define_elsewhere(cluster, ("people", VISITORS))
    await soon()
    cluster.lines["n1"].release()
    with pytest.raises(InvalidVisitError, match="must name one"):
        await adding
    assert counted(cluster.storage, "people") == 0


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ([], InvalidVisitError),
        ([Visit("a")] * 10_001, TooLargeError),
        ([Visit("a"), Visit("a", count=0)], InvalidVisitError),
        ([Visit("a"), Visit("a", count=10**9 + 1)], InvalidVisitError),
        ([Visit("a"), Visit("a", "")], InvalidVisitError),
        ([Visit("a"), Visit("a", key="k" * 257)], InvalidVisitError),
        ([Visit("a", "x"), Visit("people.ours")], VisitorRequiredError),
        ([Visit("a", "x"), Visit("full.up")], CountOverflowError),
    ],
)
async def test_a_request_with_one_visit_that_cannot_be_counted_is_refused_whole(
    cluster: Cluster, node: Node, request_: list[Visit], error: type[Exception]
) -> None:
    await node.define("people", VISITORS)
    full, _ = await node.define("full", Unit.VISITS)
    node.table._raise(*_row(full.number, ENTRY_MAX))
    last = cluster.storage.last
    with pytest.raises(error):
        await node.add(request_)
    assert cluster.storage.last == last
    assert node.definition("a") is None


def _row(number: int, value: int) -> tuple[object, object]:
    return np.array([number], "i4"), np.array([value], "i8")


async def test_the_hot_path_takes_a_visit_only_while_the_node_counts(cluster: Cluster) -> None:
    node = await cluster.start("n1", spool_bytes_max=0)
    await node.add(visits("a"))
    definition = node.definition("a")
    assert definition is not None
    single = Single()
    assert node.submit(definition, "x", single)
    await soon()
    assert len(single.receipts) == 1
    node.health.stopping = True
    assert not node.submit(definition, "x", Single())
    node.health.stopping = False
    node.health.ready = False
    assert not node.submit(definition, "x", Single())
    node.health.ready = True
    cluster.cut_off("n1")
    assert not node.submit(definition, "x", Single())
    cluster.lines["n1"].reconnect()
    node.table._raise(*_row(definition.number, ENTRY_MAX - COUNT_MAX))
    assert not node.submit(definition, "x", Single())
    assert counted(cluster.storage, "a") == 2


async def test_a_log_that_is_nearly_full_takes_no_visits_until_it_was_trimmed(cluster: Cluster) -> None:
    node = await cluster.start("n1", cut_interval_s=4.0, spool_bytes_max=0)
    await node.add([Visit("a", f"{number}".ljust(200, "x")) for number in range(1_000)])
    storage = cluster.storage
    storage.bytes_max = int(storage.bytes / 0.91)
    await asyncio.sleep(1.1)
    definition = node.definition("a")
    assert definition is not None
    last = storage.last
    with pytest.raises(LogFullError, match="90 % full"):
        await node.add(visits("a"))
    with pytest.raises(LogUnavailableError, match="90 % full"):
        await node.add_chunk("file", 0, 1, visits("a"))
    assert not node.submit(definition, None, Single())
    assert storage.last == last
    await node.define("b", Unit.VISITS)
    assert storage.last == last + 1, "control messages are taken"
    assert node.read("a").value == 1_000
    await until(lambda: not node.producer.storing.hold)
    assert storage.first > 1
    await node.add(visits("a"))
    await cluster.shows("a", 1_001)


async def test_a_node_that_just_started_knows_how_full_the_log_is(cluster: Cluster) -> None:
    first = await cluster.start("n1", cut_interval_s=600.0, spool_bytes_max=0)
    assert first.log_watch.state is not None
    await first.add([Visit("a", f"{number}".ljust(200, "x")) for number in range(1_000)])
    cluster.storage.bytes_max = int(cluster.storage.bytes / 0.91)
    second = cluster.node("n2", cut_interval_s=600.0, spool_bytes_max=0)
    await cluster.begin(second)
    assert "90 % full" in "; ".join(second.problems())


async def test_a_log_without_a_limit_is_never_full(cluster: Cluster, node: Node) -> None:
    assert cluster.storage.bytes_max == -1
    await asyncio.sleep(3)
    await node.add(visits("a"))


async def test_without_a_connection_and_a_spool_nothing_is_taken_and_reads_go_on(cluster: Cluster) -> None:
    node = await cluster.start("n1", spool_bytes_max=0)
    await node.add(visits("a", 3))
    await cluster.shows("a", 3)
    cluster.cut_off("n1")
    assert node.problems() == ["the log cannot be reached"]
    with pytest.raises(LogUnavailableError, match="nothing was counted"):
        await node.add(visits("a"))
    assert node.read("a").value == 3
    cluster.lines["n1"].reconnect()
    await node.add(visits("a"))
    await cluster.shows("a", 4)


async def test_visits_to_many_new_counters_fail_together_while_the_log_is_silent(cluster: Cluster) -> None:
    node = await cluster.start("n1", spool_bytes_max=0)
    cluster.lines["n1"].break_off()
    begun_s = asyncio.get_running_loop().time()
    new = [asyncio.create_task(node.add(visits(f"new{number}"))) for number in range(20)]
    outcomes = await asyncio.gather(*new, return_exceptions=True)
    assert all(isinstance(outcome, LogUnavailableError) for outcome in outcomes)
    assert asyncio.get_running_loop().time() - begun_s < 15
