"""A node refuses a log that loses its tail or is replaced while the node runs, whatever its readers have read."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from damaging import blocks, cut_off, flip, flip_header, put_back, records

from footfall.config import Config
from footfall.log.opening import connect, connect_existing
from footfall.log.streams import CUTS, STREAM
from footfall.node.acknowledged import remembered
from processes import HTTP, NatsServer, NodeProcess, eventually, free_ports

LOST = "lost its tail|rewritten|not the one that was counted"
HITS = 100  # each a message
REFUSED_S = 10.0  # a server starts anew, and the node looks once a second


def hit(node: NodeProcess, times: int, counter: str = "a") -> None:
    for _ in range(times):
        answer = HTTP.post(f"{node.url}/v1/counters/{counter}/visits", json={}, timeout=10)
        assert answer.status_code == 202, answer.text


def check_refused(node: NodeProcess, reason: str) -> None:
    """The node is not ready, says why, takes nothing and shows nothing."""

    def refuses() -> bool:
        answer = HTTP.get(f"{node.url}/readyz", timeout=5)
        return answer.status_code == 503 and any(word in answer.text for word in reason.split("|"))

    eventually(refuses, REFUSED_S, "the refusal")
    assert HTTP.get(f"{node.url}/v1/counters/a", timeout=5).status_code == 503
    assert HTTP.get(f"{node.url}/v1/counters/a?consistency=linearizable", timeout=5).status_code == 503
    assert HTTP.post(f"{node.url}/v1/counters/a/visits", json={}, timeout=5).status_code == 503


def check_do_not_start(nodes: list[NodeProcess], reason: str = LOST) -> None:
    """They end at once, and their last lines say why."""
    started = [subprocess.Popen(node._command, stderr=subprocess.PIPE, text=True) for node in nodes]
    for process in started:
        _, said = process.communicate(timeout=30)
        assert process.returncode != 0
        assert any(word in said.splitlines()[-1] for word in reason.split("|")), said


async def others(url: str, publish: int) -> None:
    """Another client fills the log with new messages."""
    log = await connect_existing([url], name="other")
    for number in range(publish):
        await log.publish("footfall.visits.0", b"another %d" % number)
    await log.close()


@pytest.fixture
def nodes(server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[NodeProcess]]:
    """Two nodes that share the partitions."""
    monkeypatch.setenv("FOOTFALL_SECRET", "the cluster's secret")
    with contextlib.ExitStack() as stack:
        pair = [NodeProcess(tmp_path / name, "--nats", server.url, "--node", name) for name in ("n1", "n2")]
        for node in pair:
            node.launch()
            stack.callback(node.stop)
        for node in pair:
            node.wait_ready()
        yield pair


@pytest.mark.parametrize("publish", [0, 2 * HITS], ids=["shorter", "grown over"])
@pytest.mark.parametrize("damage", [flip_header, cut_off])
async def test_nodes_refuse_a_log_whose_blocks_were_damaged_though_some_of_them_were_idle(
    server: NatsServer, nodes: list[NodeProcess], damage: Callable[[Path, str], None], publish: int
) -> None:
    hit(nodes[0], HITS)
    hit(nodes[1], 1)
    for node in nodes:
        eventually(lambda node=node: node.value("a") == HITS + 1)
    server.kill(signal.SIGTERM)
    damage(server.store, STREAM)
    await asyncio.to_thread(server.start)
    await others(server.url, publish)
    for node in nodes:
        await asyncio.to_thread(check_refused, node, LOST)
    for node in nodes:  # nor does a restart hide it
        node.kill(signal.SIGTERM)
    await asyncio.to_thread(check_do_not_start, nodes)


async def test_nodes_refuse_an_older_copy_of_the_log_also_where_their_own_last_message_is_still_there(
    server: NatsServer, nodes: list[NodeProcess], tmp_path: Path
) -> None:
    hit(nodes[0], 20)
    eventually(lambda: nodes[1].value("a") == 20)
    server.kill(signal.SIGTERM)
    shutil.copytree(server.store, tmp_path / "older")
    await asyncio.to_thread(server.start)
    await asyncio.to_thread(hit, nodes[0], 20)
    eventually(lambda: nodes[1].value("a") == 40)
    await asyncio.to_thread(hit, nodes[0], 1, "another")  # its definition is read by both
    await asyncio.sleep(1.0)
    server.kill(signal.SIGTERM)
    put_back(server.store, tmp_path / "older")
    await asyncio.to_thread(server.start)
    await others(server.url, 200)
    for node in nodes:
        await asyncio.to_thread(check_refused, node, LOST)


async def deleted(url: str, *streams: str) -> None:
    log = await connect_existing([url], name="other")
    for stream in streams or (STREAM,):
        await log.api.ask(f"STREAM.DELETE.{stream}", {})
    await log.close()


async def replaced(url: str) -> None:
    await deleted(url, CUTS, STREAM)
    log = await connect(Config(log_bytes_max=100 << 20), [url], name="other")
    for _ in range(200):
        await log.publish("footfall.visits.0", b"another")
    await log.close()


@pytest.mark.parametrize(("how", "reason"), [(deleted, "is gone"), (replaced, "replaced|is gone")])
async def test_nodes_refuse_a_log_that_was_removed_or_replaced(
    server: NatsServer, nodes: list[NodeProcess], how: Callable[[str], Awaitable[None]], reason: str
) -> None:
    hit(nodes[0], 20)
    await how(server.url)
    for node in nodes:
        await asyncio.to_thread(check_refused, node, reason)


def test_a_node_with_an_embedded_engine_refuses_it_when_that_comes_back_without_its_tail(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    with NodeProcess(tmp_path / "data", "--node", "n1", port=port) as node:
        hit(node, HITS)
        node.pause()  # it supervises its engine, and would start it before the damage is done
        os.kill(node.engine_pid, signal.SIGKILL)
        flip_header(tmp_path / "data" / "jetstream", STREAM)
        node.resume()
        check_refused(node, LOST)
        command = [sys.executable, "-m", "footfall.cli", "nodes", "--url", node.url]
        listed = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert "\nn1\t" in listed.stdout
        assert any(word in listed.stderr for word in LOST.split("|"))
        node.kill(signal.SIGTERM)
        check_do_not_start([node])


def test_a_node_that_finds_no_log_where_there_was_one_makes_none(tmp_path: Path) -> None:
    """What it made would be in the way of the backup that is restored next."""
    with NodeProcess(tmp_path / "data") as node:
        hit(node, 1)
    shutil.rmtree(tmp_path / "data" / "jetstream")
    check_do_not_start([node], "there is no log, and sequence 3 of one")
    assert not list((tmp_path / "data" / "jetstream").rglob("streams/*"))


def test_a_damaged_record_that_the_server_passes_over_is_told(tmp_path: Path) -> None:
    """The last that its producer wrote into its partition: no number of the producer's tells that it is missing."""
    with NodeProcess(tmp_path / "data") as node:
        hit(node, 3)
    block = blocks(tmp_path / "data" / "jetstream", STREAM)[-1]
    flip(block, records(block)[-2] + 60)  # in what the message holds; the last of all is remembered
    with NodeProcess(tmp_path / "data", "--cut-interval-s", "0.5", port=node.port) as node:
        assert node.value("a") == 2
        (warning,) = eventually(lambda: HTTP.get(f"{node.url}/readyz").json()["warnings"])
        assert "alarm missing (once, sequence 4)" in warning
        assert node.metric("footfall_alarms_total") == 1


def test_a_supervisor_says_why_a_node_of_its_does_not_come_back(server: NatsServer, tmp_path: Path) -> None:
    port = free_ports(1)[0]
    arguments = ["--nats", server.url, "--nodes", "2"]
    with NodeProcess(tmp_path / "data", *arguments, port=port) as supervisor:
        hit(supervisor, HITS)
        eventually(lambda: any(known.sequence > HITS for known in remembered(tmp_path / "data")))
        children = Path(f"/proc/{supervisor.pid}/task/{supervisor.pid}/children").read_text().split()
        server.kill(signal.SIGTERM)
        flip_header(server.store, STREAM)
        server.start()
        check_refused(supervisor, LOST)
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        eventually(lambda: "does not start: the log ends at sequence" in supervisor.said(), 20, "the reason")
        with pytest.raises(httpx.ConnectError):
            HTTP.get(f"{supervisor.url}/readyz")
