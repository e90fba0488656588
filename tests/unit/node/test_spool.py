"""While the log is away visits are kept on the node's disk, and go to the log when it is back: in order, each once."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from node_cluster import Cluster, until, visits
from node_desk import Single
from node_line import batches, counted, soon

from footfall.core import control
from footfall.core.control import Barrier
from footfall.core.names import Unit
from footfall.core.visit import Visit
from footfall.errors import LogUnavailableError, SpoolFullError
from footfall.log.protocol import CONTROL_SUBJECT
from footfall.node.node import Node
from footfall.node.readings import Stored
from footfall.node.spool_file import SpoolFile
from footfall.node.storing import SPOOL_AFTER_S


@pytest.fixture
async def node(cluster: Cluster) -> Node:
    """A node alone, with counters a and b."""
    node = await cluster.start("n1")
    await node.add([Visit("a"), Visit("b.c")])
    return node


def files(cluster: Cluster, name: str = "n1") -> list[str]:
    """What is in a node's spool, without what SQLite keeps beside it."""
    return sorted(path.name for path in (cluster.directory / name / "spool").glob("*") if "-wal" not in path.name)


def sample(node: Node, name: str) -> float:
    """The value of a metric; of one with labels, all together."""
    return next(sum(value for _, value in metric.samples) for metric in node.metrics() if metric.name == name)


@pytest.mark.parametrize("how", ["disconnect", "break_off", "hold"])
async def test_visits_are_taken_while_the_log_is_away_and_counted_once_when_it_is_back(
    cluster: Cluster, node: Node, how: str
) -> None:
    line = cluster.lines["n1"]
    getattr(line, how)()
    for number in range(20):
        added = await node.add([Visit("a", f"visitor {number}"), Visit("b.c", count=2)])
        assert (added.stored, added.accepted, len(added.receipts)) == (Stored.SPOOL, 3, 2)
    assert counted(cluster.storage, "a") == 1
    reading = node.read("a")
    assert (reading.value, reading.pending, node.read("b").pending) == (1, 20, 40)
    assert not node.problems()
    assert node.warnings() == ["the log takes no visits: they are kept in the spool, 60 so far"]
    assert (sample(node, "footfall_spool_visits"), sample(node, "footfall_spooling")) == (60, 1)
    {"disconnect": line.reconnect, "break_off": line.mend, "hold": line.release}[how]()
    await cluster.shows("a", 21)
    await cluster.shows("b", 41)
    assert counted(cluster.storage, "a") == 21
    assert (node.read("a").pending, node.read("b").pending, node.warnings()) == (0, 0, [])
    assert (sample(node, "footfall_spool_visits"), sample(node, "footfall_spool_drained_visits_total")) == (0, 60)
    assert files(cluster) == []
    assert (await node.add(visits("a"))).stored is Stored.LOG


async def test_the_spool_drains_in_the_order_in_which_it_was_filled(cluster: Cluster, node: Node) -> None:
    cluster.lines["n1"].break_off()
    for number in range(50):
        await node.add([Visit("a", f"{number:02}")])
    cluster.lines["n1"].mend()
    await cluster.shows("a", 51)
    mine = [batch for batch in batches(cluster.storage) if batch.sections[0].visitors is not None]
    assert [batch.sections[0].visitors[-2:].decode() for batch in mine] == [f"{number:02}" for number in range(50)]  # type: ignore[index]


async def test_visits_that_come_when_the_log_is_back_do_not_wait_for_those_in_the_spool(
    cluster: Cluster, node: Node
) -> None:
    cluster.lines["n1"].break_off()
    await node.add(visits("a"))
    producer = node.producer._outbox.sealer.producer
    cluster.lines["n1"].mend()
    await until(lambda: not node.producer.storing.spooling)
    assert (await node.add(visits("a"))).stored is Stored.LOG
    assert node.producer._outbox.sealer.producer != producer, "what is in the spool has the old id to itself"
    assert counted(cluster.storage, "a") == 3


async def test_the_hot_path_takes_visits_for_the_spool(cluster: Cluster, node: Node) -> None:
    cluster.lines["n1"].break_off()
    definition = node.definition("a")
    assert definition is not None
    singles = [Single() for _ in range(5)]
    for single in singles:
        assert node.submit(definition, "x", single)
        await asyncio.sleep(0.4)
    await asyncio.sleep(1)
    assert [single.where for single in singles] == [[Stored.SPOOL]] * 5
    assert len({single.receipts[0] for single in singles}) == 5
    cluster.lines["n1"].mend()
    await cluster.shows("a", 6)


async def test_a_log_that_answers_late_has_each_visit_once(cluster: Cluster, node: Node) -> None:
    """What was in flight is in the log, and unacknowledged, when it is put into the spool."""
    cluster.lines["n1"].unanswered = 30
    assert (await node.add(visits("a", 7))).stored is Stored.SPOOL
    await until(lambda: not node.producer.storing.spooling)
    await cluster.shows("a", 8)
    assert counted(cluster.storage, "a") == 8
    assert len(batches(cluster.storage)) > 2, "it was stored more than once"


async def test_what_is_acknowledged_in_time_does_not_touch_the_spool(cluster: Cluster, node: Node) -> None:
    cluster.lines["n1"].lost = 3  # with the pauses between attempts less than SPOOL_AFTER_S
    assert (await node.add(visits("a"))).stored is Stored.LOG
    assert not (cluster.directory / "n1" / "spool").exists()


async def test_after_a_kill_the_next_process_stores_what_was_in_the_spool(cluster: Cluster, node: Node) -> None:
    cluster.lines["n1"].break_off()
    await node.add(visits("a", 5))
    await node.add(visits("a", 6))
    await cluster.kill("n1")
    again = await cluster.start("n1")
    assert again.read("a").pending in (0, 11)
    await cluster.shows("a", 12)
    assert counted(cluster.storage, "a") == 12
    assert files(cluster) == []


async def test_after_a_kill_in_the_middle_of_draining_nothing_counts_twice(cluster: Cluster, node: Node) -> None:
    line = cluster.lines["n1"]
    line.break_off()
    for _ in range(30):
        await node.add(visits("a"))
    line.mend()
    line.unanswered = 10  # stored, and still in the spool
    await asyncio.sleep(SPOOL_AFTER_S)
    assert counted(cluster.storage, "a") > 1
    assert node.spool is not None
    assert node.spool.messages == 30
    await cluster.kill("n1")
    await cluster.start("n1")
    await cluster.shows("a", 31)
    assert counted(cluster.storage, "a") == 31


async def test_a_node_that_stops_while_the_log_is_away_keeps_what_it_has_taken(cluster: Cluster, node: Node) -> None:
    cluster.lines["n1"].break_off()
    await node.add(visits("a", 2), durable=False)
    await node.stop()
    assert len(files(cluster)) == 1
    await cluster.kill("n1")
    await cluster.start("n1")
    await cluster.shows("a", 3)


async def test_nodes_that_share_a_directory_drain_each_others_spools_only_when_they_are_gone(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.settings["data"] = str(tmp_path / "shared")
    for name in ("n1", "n4"):
        await cluster.start(name)
    await cluster.nodes["n1"].add(visits("a"))
    await cluster.shows("a", 1)
    cluster.lines["n1"].break_off()
    await cluster.nodes["n1"].add(visits("a", 4))
    await asyncio.sleep(25)
    assert cluster.nodes["n4"].read("a").value == 1, "n1 has it"
    await cluster.kill("n1")
    await cluster.shows("a", 5)


async def test_at_its_bound_the_spool_refuses_and_the_node_is_not_ready(cluster: Cluster) -> None:
    node = await cluster.start("n1", spool_bytes_max=2_000)
    await node.add(visits("a"))
    line = cluster.lines["n1"]
    line.break_off()
    taken = 0
    while not node.producer.storing.refusal:
        taken += (await node.add([Visit("a", "x" * 100)])).accepted
    assert 10 < taken < 30
    with pytest.raises(SpoolFullError, match="nothing was counted"):
        await node.add(visits("a"))
    definition = node.definition("a")
    assert definition is not None
    assert not node.submit(definition, None, Single())
    (problem,) = node.problems()
    assert "may hold 2000" in problem
    assert node.read("a").pending == taken
    line.mend()
    await cluster.shows("a", 1 + taken)
    assert not node.problems()


async def test_visits_that_wait_for_too_long_keep_others_out(cluster: Cluster) -> None:
    node = await cluster.start("n1", spool_age_max_s=60.0)
    await node.add(visits("a"))
    cluster.lines["n1"].break_off()
    await node.add(visits("a"))
    await asyncio.sleep(58)
    await node.add(visits("a"))
    await asyncio.sleep(4)
    with pytest.raises(SpoolFullError, match="and may 60 s"):
        await node.add(visits("a"))
    assert sample(node, "footfall_spool_age_seconds") > 60
    cluster.lines["n1"].mend()
    await cluster.shows("a", 3)
    await node.add(visits("a"))


async def test_a_spool_that_cannot_be_written_refuses_and_loses_nothing(cluster: Cluster, node: Node) -> None:
    line = cluster.lines["n1"]
    line.break_off()
    await node.add(visits("a"))
    assert node.spool is not None
    assert node.spool._writing is not None
    node.spool._writing.file._connection.close()  # every call fails from now on
    with pytest.raises(SpoolFullError, match="cannot be written"):
        await node.add(visits("a"))
    with pytest.raises(SpoolFullError):
        await node.add(visits("a"))
    assert sample(node, "footfall_spool_refused_total") >= 1
    await asyncio.sleep(2)
    assert (await node.add(visits("a", 3))).stored is Stored.SPOOL, "into another file"
    line.mend()
    await until(lambda: not node.producer.storing.spooling)
    await cluster.kill("n1")
    await cluster.start("n1")
    await cluster.shows("a", 5)


async def test_an_unknown_counter_and_a_source_wait_for_the_log(cluster: Cluster, node: Node) -> None:
    cluster.lines["n1"].break_off()
    await node.add(visits("a"))
    with pytest.raises(LogUnavailableError, match=r"no counter new\.one yet"):
        await node.add(visits("new.one"))
    with pytest.raises(LogUnavailableError, match="send the chunk again"):
        await node.producer.add_chunk(0, None, [])  # type: ignore[arg-type]
    cluster.lines["n1"].mend()
    await until(lambda: not node.producer.storing.spooling)
    await node.add(visits("new.one"))


async def test_a_chunk_that_the_log_did_not_acknowledge_counts_once_whoever_sends_it_again(
    cluster: Cluster, node: Node
) -> None:
    line = cluster.lines["n1"]
    line.hold()
    with pytest.raises(LogUnavailableError, match="ask for the position"):
        await node.add_chunk("file", 0, 10, visits("a", 5))
    line.release()
    await until(lambda: not node.producer.storing.away and not node.spool.messages)  # type: ignore[union-attr]
    await until(lambda: node.read("a").value == 6)
    assert await node.source_position("file") == 10
    assert counted(cluster.storage, "a") == 6


async def test_a_log_that_is_nearly_full_takes_visits_from_the_spool_when_it_was_trimmed(cluster: Cluster) -> None:
    node = await cluster.start("n1", cut_interval_s=4.0)
    await node.add([Visit("a", f"{number}".ljust(200, "x")) for number in range(1_000)])
    cluster.storage.bytes_max = int(cluster.storage.bytes / 0.91)
    await asyncio.sleep(1.1)
    last = cluster.storage.last
    assert (await node.add(visits("a"))).stored is Stored.SPOOL
    assert (await node.add(visits("a"))).stored is Stored.SPOOL
    await asyncio.sleep(0.4)
    assert cluster.storage.last == last
    assert (await node.read_exact("a")).value == 1_000, "control messages are taken"
    await node.define("b", Unit.VISITS)
    await until(lambda: not node.producer.storing.hold)
    await cluster.shows("a", 1_002)


async def test_a_spool_of_a_restored_log_is_drained_and_one_of_another_log_is_left_alone(
    cluster: Cluster, node: Node
) -> None:
    cluster.lines["n1"].break_off()
    await node.add(visits("a", 2))
    await node.stop()
    await cluster.kill("n1")
    created, cluster.storage.created = cluster.storage.created, "2027-01-01T00:00:00Z"
    (cluster.directory / "n1" / "acknowledged-n1.json").unlink()
    other = await cluster.start("n1")
    await asyncio.sleep(20)
    assert other.read("a").value == 1
    assert "are not counted: run footfall doctor" in other.warnings()[0]
    await other.stop()
    await cluster.kill("n1")
    (cluster.directory / "n1" / "acknowledged-n1.json").unlink()
    cluster.storage.ancestors = {created: cluster.storage.last}
    restored = await cluster.start("n1")
    await cluster.shows("a", 3)
    await soon()
    assert restored.warnings() == []


async def test_a_message_of_the_spool_that_was_changed_is_left_out_and_a_person_is_told(
    cluster: Cluster, node: Node
) -> None:
    cluster.lines["n1"].break_off()
    for number in range(12):
        await node.add([Visit("a", f"visitor {number} {'x' * 100}")])
    await cluster.kill("n1")
    (path,) = (cluster.directory / "n1" / "spool").glob("*.sqlite")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"visitor 2 ", b"visitor 9 "))
    again = await cluster.start("n1")
    await until(lambda: again.spool is not None and again.spool.aside)
    await cluster.shows("a", 12)
    warning, gap = again.warnings()
    assert "are not counted: run footfall doctor" in warning
    assert gap.startswith("alarm gap (once, sequence ")
    assert files(cluster) == [f"{path.name}.aside"]
    assert sample(again, "footfall_alarms_total") == 1, "the batch that is missing is a gap in its producer's sequence"
    assert (again.read("a").pending, sample(again, "footfall_spool_visits")) == (0, 0)
    assert (await again.add(visits("a"))).stored is Stored.LOG


async def test_a_spool_that_cannot_be_read_is_set_aside_and_keeps_nothing_else_out(
    cluster: Cluster, node: Node
) -> None:
    await node.stop()
    await cluster.kill("n1")
    directory = cluster.directory / "n1" / "spool"
    directory.mkdir()
    (directory / "n1-0-1.sqlite").write_bytes(b"what is this?")
    again = await cluster.start("n1")
    await until(lambda: again.warnings())
    assert files(cluster) == ["n1-0-1.sqlite.aside"]
    assert (await again.add(visits("a"))).stored is Stored.LOG


async def test_what_is_a_week_old_is_not_counted_twice_at_the_risk_of_not_counting_it(
    cluster: Cluster, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("footfall.node.spool.PRODUCER_EPOCHS", 100)  # a week of them takes a test seconds
    cluster.lines["n1"].break_off()
    await node.add(visits("a", 4))
    await node.stop()
    await cluster.kill("n1")
    for epoch in range(1, 101):
        cluster.storage.append(CONTROL_SUBJECT, control.encode(Barrier("pacer", epoch, epoch)))
    again = await cluster.start("n1")
    await until(lambda: again.warnings())
    assert again.read("a").value == 1
    assert len(files(cluster)) == 1


async def test_keyed_visits_that_come_later_than_keys_are_remembered_are_metered(cluster: Cluster, node: Node) -> None:
    cluster.lines["n1"].break_off()
    await node.add([Visit("a", key="the first"), Visit("a")])
    await asyncio.sleep(601)
    await node.add([Visit("a", key="the second")])
    cluster.lines["n1"].mend()
    await cluster.shows("a", 4)
    assert sample(node, "footfall_spool_late_keyed_visits_total") == 1


async def test_after_a_long_time_alone_a_node_learns_the_epoch_before_it_takes_a_new_id(
    cluster: Cluster, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("footfall.node.storing.LONG_AWAY_S", 30.0)
    cluster.lines["n1"].break_off()
    await node.add(visits("a"))
    await asyncio.sleep(31)
    cluster.lines["n1"].mend()
    await cluster.shows("a", 2)
    assert (await node.add(visits("a"))).stored is Stored.SPOOL
    cluster.storage.append(CONTROL_SUBJECT, control.encode(Barrier("pacer", 1, 1)))
    await until(lambda: not node.producer.storing.spooling)
    assert (await node.add(visits("a"))).stored is Stored.LOG
    assert batches(cluster.storage)[-1].born == 1
    assert counted(cluster.storage, "a") == 4


async def test_a_flush_of_many_messages_is_not_given_up_while_the_log_acknowledges_them(
    cluster: Cluster, node: Node
) -> None:
    line = cluster.lines["n1"]
    publish = line.publish

    async def slow(subject: str, data: bytes, timeout_s: float = 5.0) -> int:
        await asyncio.sleep(0.3)
        return await publish(subject, data, timeout_s)

    line.publish = slow  # type: ignore[method-assign]
    added = await node.add([Visit("a", f"{number:05}".ljust(250, "x")) for number in range(8_000)])
    assert added.stored is Stored.LOG
    assert len(batches(cluster.storage)) > 6
    assert counted(cluster.storage, "a") == 8_001


async def test_a_spool_that_the_system_does_not_give_out_now_is_taken_later(
    cluster: Cluster, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.lines["n1"].break_off()
    await node.add(visits("a", 3))
    await cluster.kill("n1")
    opened = SpoolFile.open

    def none_left(path: Path) -> SpoolFile:
        raise OSError(24, "no descriptor is left")

    monkeypatch.setattr(SpoolFile, "open", none_left)
    again = await cluster.start("n1")
    await asyncio.sleep(15)
    assert (again.read("a").value, again.warnings(), len(files(cluster))) == (1, [], 1)
    monkeypatch.setattr(SpoolFile, "open", opened)
    await cluster.shows("a", 4)
    assert files(cluster) == []


@pytest.mark.parametrize("call", ["unlink", "remove", "after"])
async def test_a_disk_that_fails_while_the_spool_drains_ends_nothing_and_loses_nothing(
    cluster: Cluster, node: Node, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    cluster.lines["n1"].break_off()
    for _ in range(5):
        await node.add(visits("a"))
    done, failures = getattr(SpoolFile, call), 3

    def failing(file: SpoolFile, *arguments: object) -> object:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            if call == "unlink":
                file.close()
            raise OSError(5, "input/output error") if call != "remove" else sqlite3.OperationalError("disk is full")
        return done(file, *arguments)

    monkeypatch.setattr(SpoolFile, call, failing)
    cluster.lines["n1"].mend()
    await cluster.shows("a", 6)
    await until(lambda: not files(cluster))
    assert node.problems() + node.warnings() == []
    assert counted(cluster.storage, "a") == 6
    assert (await node.add(visits("a"))).stored is Stored.LOG
