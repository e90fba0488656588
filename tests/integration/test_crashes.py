"""Whatever is killed in the middle of an ingest, the count is exact in the end (invariants 1, 2 and 5)."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from processes import HTTP, Ingest, NatsCluster, NodeProcess, eventually, free_ports

VISITORS = 20_000


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    """150,000 visits by 20,000 visitors: a few seconds of ingest."""
    file = tmp_path / "visits.log"
    file.write_text("".join(f"visitor-{line % VISITORS}\n" for line in range(150_000)))
    return file


def ingest_until_done(log_file: Path, counter: str, url: str, log: Path) -> None:
    """Run it again until it succeeds, as a person would."""

    def done() -> bool:
        with Ingest(log_file, counter, url, log) as ingest:
            return ingest.finish() == 0

    eventually(done, 120, "the ingest")


def value(url: str, counter: str) -> int:
    """The counter's value at a node."""
    answer = HTTP.get(f"{url}/v1/counters/{counter}", timeout=5).raise_for_status()
    found: int = answer.json()["value"]
    return found


def begun(node: NodeProcess, counter: str) -> int:
    """The value, once some of the ingest is counted."""
    return eventually(lambda: node.value(counter), what="the first visit")


def test_a_node_killed_in_mid_ingest_and_restarted_counts_exactly(tmp_path: Path, log_file: Path) -> None:
    with NodeProcess(tmp_path / "data", "--cut-interval-s", "0.5") as node:
        HTTP.put(f"{node.url}/v1/counters/people", json={"unit": "visitors"}).raise_for_status()
        for _ in range(3):
            before = node.value("people.all")
            with Ingest(log_file, "people.all", node.url, tmp_path / "ingest.log") as ingest:
                eventually(lambda before=before: node.value("people.all") > before, what="progress")
                node.kill()
                ingest.kill()
            node.start()
            assert node.value("people.all") >= before
        ingest_until_done(log_file, "people.all", node.url, tmp_path / "ingest.log")
        eventually(lambda: node.value("people.all") == 150_000, what="the exact count of visits")
        assert node.value("people") == VISITORS
        ingest_until_done(log_file, "people.all", node.url, tmp_path / "ingest.log")
        assert (node.value("people.all"), node.value("people")) == (150_000, VISITORS)
        assert node.metric("footfall_alarms_total") == 0


def test_an_engine_killed_in_mid_ingest_comes_back_and_nothing_is_lost(tmp_path: Path, log_file: Path) -> None:
    with NodeProcess(tmp_path / "data", "--cut-interval-s", "0.5") as node:
        with Ingest(log_file, "site.page", node.url, tmp_path / "ingest.log") as ingest:
            for _ in range(3):
                before = begun(node, "site.page")
                os.kill(node.engine_pid, signal.SIGKILL)
                eventually(
                    lambda before=before: node.value("site.page") > before or not ingest.running(), 30, "progress"
                )
            ingest.finish()
        ingest_until_done(log_file, "site.page", node.url, tmp_path / "ingest.log")
        eventually(lambda: node.value("site.page") == 150_000, what="the exact count")
        assert node.value("site") == 150_000
        assert node.metric("footfall_alarms_total") == 0


def test_the_engine_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    with NodeProcess(tmp_path / "data") as node:
        pid = node.engine_pid
        node.kill()
        eventually(lambda: not Path(f"/proc/{pid}").exists(), 10, "the engine's end")


def test_a_node_of_several_that_is_killed_is_started_again(tmp_path: Path) -> None:
    ports = free_ports(1)
    directory = tmp_path / "data"
    with NodeProcess(directory, "--nodes", "2", port=ports[0]) as parent:
        second = f"http://127.0.0.1:{ports[0] + 1}"
        eventually(lambda: HTTP.get(f"{second}/readyz").status_code == 200, 30, "the second node")
        HTTP.post(f"{parent.url}/v1/counters/a/visits", json={"count": 3}).raise_for_status()
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        nodes = [int(pid) for pid in children if "nats" not in Path(f"/proc/{pid}/comm").read_text()]
        assert len(nodes) == 2
        for pid in nodes:
            os.kill(pid, signal.SIGKILL)
        for url in (parent.url, second):
            eventually(lambda url=url: value(url, "a") == 3, 30, "the restarted node")


@pytest.mark.cluster
@pytest.mark.parametrize("topology", ["replicated", "sharded"])
def test_three_nodes_on_three_servers_survive_the_death_of_any(tmp_path: Path, log_file: Path, topology: str) -> None:
    with NatsCluster(tmp_path / "nats") as cluster:
        arguments = (
            "--nats",
            cluster.urls,
            "--topology",
            topology,
            "--cut-interval-s",
            "1",
            "--secret",
            "the test's secret",
        )
        nodes = [NodeProcess(tmp_path / f"node{n}", *arguments, "--node", f"node{n}") for n in range(3)]
        try:
            for node in nodes:
                node.start()
            first, second, third = nodes
            HTTP.put(f"{first.url}/v1/counters/people", json={"unit": "visitors"}).raise_for_status()
            with Ingest(log_file, "people.all", first.url, tmp_path / "ingest.log") as ingest:
                begun(first, "people.all")
                second.kill()
                eventually(lambda: sorted(first.owned() + third.owned()) == list(range(16)), 10, "the takeover")
                cluster.servers[1].kill()
                before = first.value("people.all")
                eventually(lambda: first.value("people.all") > before or not ingest.running(), 30, "progress")
                cluster.servers[1].start()
                second.start()
                third.kill()
                ingest.finish()
            ingest_until_done(log_file, "people.all", second.url, tmp_path / "ingest.log")
            third.start()
            for node in nodes:
                eventually(lambda node=node: node.value("people.all") == 150_000, 30, f"the exact count of {node.url}")
                assert node.value("people") == VISITORS
                assert node.metric("footfall_alarms_total") == 0
        finally:
            for node in nodes:
                node.stop()


def test_a_paused_node_that_wakes_up_changes_no_count(tmp_path: Path, log_file: Path) -> None:
    """Its partitions were taken meanwhile; it folds on where it stood, which gives the same entries."""
    with NodeProcess(tmp_path / "data", "--nodes", "3") as parent:
        urls = [f"http://127.0.0.1:{parent.port + n}" for n in range(3)]
        for url in urls:
            eventually(lambda url=url: HTTP.get(f"{url}/readyz").status_code == 200, 30, url)
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        paused = [int(pid) for pid in children if _listens(int(pid), parent.port + 2)]
        assert len(paused) == 1
        with Ingest(log_file, "a.b", urls[0], tmp_path / "ingest.log") as ingest:
            eventually(lambda: value(urls[0], "a.b"), what="the first visit")
            os.kill(paused[0], signal.SIGSTOP)
            time.sleep(3)  # beyond the silence after which its partitions are taken
            os.kill(paused[0], signal.SIGCONT)
            assert ingest.finish() == 0
        for url in urls:
            eventually(lambda url=url: value(url, "a") == 150_000, 20, f"{url}")


def _listens(pid: int, port: int) -> bool:
    """Whether a process listens on a port of IPv4."""
    inodes = re.findall(
        rf"0100007F:{port:04X} 00000000:0000 0A .*?\d+:\S+ \d+\s+\d+\s+\d+ (\d+)", Path("/proc/net/tcp").read_text()
    )
    links = [str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.is_symlink()]
    return any(f"socket:[{inode}]" in links for inode in inodes)


def test_a_log_that_went_back_in_time_is_refused(tmp_path: Path) -> None:
    """An older copy of the data is put back: the node knows what it had been acknowledged, and does not count."""
    data = tmp_path / "data"
    with NodeProcess(data, "--cut-interval-s", "3600") as node:
        HTTP.post(f"{node.url}/v1/counters/a/visits", json={"count": 1}).raise_for_status()
        node.stop()
        subprocess.run(["cp", "-a", str(data / "jetstream"), str(tmp_path / "older")], check=True)
        node.start()
        for _ in range(5):
            HTTP.post(f"{node.url}/v1/counters/a/visits", json={"count": 1}).raise_for_status()
        node.stop()
        subprocess.run(["rm", "-r", str(data / "jetstream")], check=True)
        (tmp_path / "older").rename(data / "jetstream")
    command = [sys.executable, "-m", "footfall.cli", "serve", "--data", str(data), "--http", f"127.0.0.1:{node.port}"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "the log ends at sequence" in ended.stderr
