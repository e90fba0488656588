"""How a node ends, and what it finds when it is started again."""

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest
from node_cluster import Cluster, until, visits
from node_line import counted, soon

from footfall.errors import LogRewoundError, LogUnavailableError, NotReadyError
from footfall.log.protocol import LogState
from footfall.node.node import Node


@pytest.fixture
async def node(cluster: Cluster) -> Node:
    """A node alone."""
    return await cluster.start("n1")


async def test_a_node_that_stops_stores_what_it_has_taken_and_takes_no_more(cluster: Cluster, node: Node) -> None:
    await node.add(visits("a"))
    cluster.lines["n1"].hold()
    await node.add(visits("a", 5), durable=False)
    stopping = asyncio.create_task(node.stop())
    await asyncio.sleep(0.4)
    assert node.problems() == ["it is stopping"]
    with pytest.raises(NotReadyError, match="stopping"):
        await node.add(visits("a"))
    cluster.lines["n1"].release()
    await stopping
    assert counted(cluster.storage, "a") == 6
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_a_node_without_a_spool_stops_in_time_if_the_log_is_away(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    node = await cluster.start("n7", spool_bytes_max=0)
    await node.add(visits("a"))
    cluster.lines["n7"].hold()
    await node.add(visits("a", 2), durable=False)
    await soon()
    await node.add(visits("a", 5), durable=False)
    await asyncio.wait_for(node.stop(), 10)
    assert "5 visits could not be stored" in caplog.text


@pytest.mark.parametrize("spool", [0, 1 << 20])
@pytest.mark.parametrize("alone", [False, True])
async def test_a_log_that_does_not_answer_is_told_though_no_visit_came_and_another_server_is_tried(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, spool: int, alone: bool
) -> None:
    node = await cluster.start("n1", spool_bytes_max=spool)
    changes: list[float] = []

    async def silent() -> LogState:
        if not alone:
            raise LogUnavailableError("no answer within 5 s")
        return LogState(1, 2, 3, 4, replicas=3, quorum=False)

    async def change_server() -> None:
        changes.append(asyncio.get_running_loop().time())

    monkeypatch.setattr(cluster.lines["n1"], "change_server", change_server)
    with monkeypatch.context() as patch:
        patch.setattr(cluster.lines["n1"], "state", silent)
        await asyncio.sleep(8)
        assert node.warnings() == [], "an election"
        await asyncio.sleep(4)
        assert node.warnings()[0].startswith("the log has not answered for 1")
        await asyncio.sleep(650)
        pauses = [round(after - before, -1) for before, after in pairwise(changes)]
        assert pauses == [10, 20, 40, 80, 160, 300], "another server is tried, less and less often"
    await asyncio.sleep(1.1)
    assert node.warnings() == []
    assert len(changes) == 7


@pytest.mark.parametrize("ending", ["stop", "kill"])
async def test_a_node_refuses_a_log_that_has_forgotten_what_it_had_acknowledged(cluster: Cluster, ending: str) -> None:
    node = await cluster.start("n1")
    await asyncio.sleep(1.1)
    await node.add(visits("a"))
    await asyncio.sleep(0.1 if ending == "stop" else 1.1)
    await (cluster.kill("n1") if ending == "kill" else node.stop())
    cluster.storage.truncate(cluster.storage.last - 1)
    with pytest.raises(LogRewoundError, match="lost its tail"):
        await cluster.begin(cluster.node("n1"))


@pytest.mark.parametrize(("away_s", "starts"), [(15, True), (40, False)])
async def test_a_node_that_starts_waits_for_an_election(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, away_s: int, starts: bool
) -> None:
    await (await cluster.start("n1")).add(visits("a", 3))
    node = cluster.node("n2")
    line, loop = cluster.lines["n2"], asyncio.get_running_loop()
    back_s, keys = loop.time() + away_s, line.keys

    async def not_now(prefix: str) -> list[str]:
        if loop.time() < back_s:
            raise LogUnavailableError("JetStream system temporarily unavailable (10008)")
        return await keys(prefix)

    monkeypatch.setattr(line, "keys", not_now)
    if starts:
        await cluster.begin(node)
        await until(lambda: not node.problems())
        assert node.read("a").value == 3
    else:
        with pytest.raises(LogUnavailableError, match="10008"):
            await cluster.begin(node)


async def test_a_memory_that_cannot_be_written_is_reported_and_costs_nothing_else(
    cluster: Cluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    node = await cluster.start("n1", data=str(tmp_path / "data"))
    (tmp_path / "data").write_text("in the way")
    await asyncio.sleep(3)
    assert caplog.text.count("the acknowledged position cannot be written") == 1
    assert "the data directory cannot be written" in node.warnings()[0]
    await node.add(visits("a"))
    assert not node.problems()
    (tmp_path / "data").unlink()
    await until(lambda: not node.warnings())


async def test_nodes_that_share_a_directory_share_the_secret_of_receipts(cluster: Cluster, tmp_path: Path) -> None:
    cluster.settings |= {"secret": "", "data": str(tmp_path / "shared")}
    for name in ("n1", "n4"):
        await cluster.start(name)
    secrets = {node.producer._secret for node in cluster.nodes.values()}
    assert secrets == {(tmp_path / "shared" / "secret").read_bytes()}


async def test_a_secret_that_had_to_be_made_for_an_older_log_is_told(cluster: Cluster, tmp_path: Path) -> None:
    cluster.settings |= {"secret": "", "data": str(tmp_path / "data")}
    first = await cluster.start("n1")
    assert first.warnings() == []
    await first.stop()
    await cluster.kill("n1")
    assert (await cluster.start("n1")).warnings() == []
    await cluster.kill("n1")
    (tmp_path / "data" / "secret").unlink()
    (warning,) = (await cluster.start("n1")).warnings()
    assert "put the original back" in warning
