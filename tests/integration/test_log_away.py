"""The log away for real: engines killed and paused, clusters without a quorum; no visit is lost or counts twice."""

import os
import signal
import time
from pathlib import Path

import httpx

from processes import HTTP, NatsCluster, NatsServer, NodeProcess, eventually, free_ports


def visit(node: NodeProcess, counter: str = "site", **body: object) -> httpx.Response:
    """Pay a visit."""
    return HTTP.post(f"{node.url}/v1/counters/{counter}/visits", json=body or None, timeout=15)


def stored(node: NodeProcess, counter: str = "site", **body: object) -> str:
    """Pay a visit; returns where it is stored."""
    answer = visit(node, counter, **body)
    assert answer.status_code == 202, answer.text
    where: str = answer.json()["stored"]
    return where


def server_for(directory: Path) -> NatsServer:
    """A nats-server by itself."""
    return NatsServer(directory / "nats", "alone", *free_ports(2))


def test_a_broker_that_is_stopped_loses_no_visit_and_the_spool_drains_when_it_is_back(tmp_path: Path) -> None:
    with server_for(tmp_path) as server, NodeProcess(tmp_path / "data", "--nats", server.url) as node:
        assert stored(node) == "log"
        server.kill(signal.SIGTERM)
        eventually(lambda: stored(node) == "spool", what="the spool")
        before = node.metric("footfall_spool_visits")
        for _ in range(50):
            assert stored(node, visitor="x") == "spool"
        assert stored(node, count=1_000) == "spool"
        assert node.metric("footfall_spool_visits") == before + 1_050
        answer = HTTP.get(f"{node.url}/v1/counters/site").json()
        assert answer["pending"] == before + 1_050
        ready = HTTP.get(f"{node.url}/readyz")
        assert (ready.status_code, len(ready.json()["warnings"])) == (200, 1)
        total = answer["value"] + answer["pending"]
        assert visit(node, "unknown").status_code == 503
        server.start()
        eventually(lambda: node.value("site") == total, what="the whole count")
        assert stored(node) == "log"
        assert HTTP.get(f"{node.url}/v1/counters/site").json()["pending"] == 0
        assert node.metric("footfall_alarms_total") == 0
        exact = HTTP.get(f"{node.url}/v1/counters/site?consistency=linearizable").json()["value"]
        assert exact == total + 1


def test_a_node_killed_while_the_log_is_away_drains_its_spool_at_the_next_start(tmp_path: Path) -> None:
    with server_for(tmp_path) as server, NodeProcess(tmp_path / "data", "--nats", server.url) as node:
        assert stored(node) == "log"
        server.kill()
        eventually(lambda: stored(node) == "spool", what="the spool")
        for _ in range(200):
            assert stored(node) == "spool"
        total = sum(HTTP.get(f"{node.url}/v1/counters/site").json()[name] for name in ("value", "pending"))
        node.kill()
        assert list((tmp_path / "data" / "spool").glob("*.sqlite"))
        server.start()
        node.start()
        eventually(lambda: node.value("site") == total, what="the whole count")
        eventually(lambda: not list((tmp_path / "data" / "spool").iterdir()), what="an empty spool")
        assert node.metric("footfall_alarms_total") == 0


def test_an_engine_that_is_stopped_in_its_tracks_delays_no_visit_for_long(tmp_path: Path) -> None:
    """SIGSTOP: the connection stays, and nothing answers. The engine's own watch kills it after some seconds."""
    with NodeProcess(tmp_path / "data") as node:
        assert stored(node) == "log"
        os.kill(node.engine_pid, signal.SIGSTOP)
        begun_s = time.monotonic()
        assert stored(node) == "spool"
        assert stored(node) == "spool"
        assert time.monotonic() - begun_s < 5
        eventually(lambda: stored(node) == "log", 30, "a new engine")
        total = 3 + node.metric("footfall_spooled_visits_total") - 2
        eventually(lambda: node.value("site") >= total and node.metric("footfall_spool_visits") == 0, what="the count")
        assert node.metric("footfall_alarms_total") == 0


def test_without_a_quorum_visits_are_kept_and_reads_answer(tmp_path: Path) -> None:
    with (
        NatsCluster(tmp_path) as cluster,
        NodeProcess(tmp_path / "a", "--nats", cluster.urls, "--secret", "the same for both") as one,
        NodeProcess(tmp_path / "b", "--nats", cluster.urls, "--secret", "the same for both") as two,
    ):
        assert [stored(one), stored(two)] == ["log", "log"]
        eventually(lambda: one.value("site") == two.value("site") == 2, what="both")
        for server in cluster.servers[1:]:
            server.pause()
        sent = 2
        for _ in range(20):
            for node in (one, two):
                sent += stored(node) == "spool"
                assert node.value("site") >= 2
        assert sent > 30
        for server in cluster.servers[1:]:
            server.resume()
        eventually(lambda: one.value("site") == two.value("site") == 42, 60, "the whole count")
        assert one.metric("footfall_alarms_total") + two.metric("footfall_alarms_total") == 0


def test_a_full_spool_answers_503_and_says_when_to_come_again(tmp_path: Path) -> None:
    arguments = ("--spool-bytes-max", "20000")
    with server_for(tmp_path) as server, NodeProcess(tmp_path / "data", "--nats", server.url, *arguments) as node:
        assert stored(node) == "log"
        server.kill()
        taken = 1
        while (answer := visit(node, visitor="x" * 100)).status_code == 202:
            taken += 1
            assert taken < 1_000
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["type"] == "/problems/spool-full"
        assert "may hold 20000" in answer.json()["detail"]
        ready = HTTP.get(f"{node.url}/readyz")
        assert ready.status_code == 503
        assert "may hold 20000" in ready.json()["problems"][0]
        assert node.metric("footfall_spool_bytes") >= node.metric("footfall_spool_bytes_max") == 20_000
        assert node.metric("footfall_ready") == 0
        server.start()
        eventually(lambda: node.value("site") == taken, what="the whole count")
        assert HTTP.get(f"{node.url}/readyz").status_code == 200


def test_a_node_that_stops_while_the_log_is_away_loses_nothing(tmp_path: Path) -> None:
    with server_for(tmp_path) as server, NodeProcess(tmp_path / "data", "--nats", server.url) as node:
        assert stored(node) == "log"
        server.kill()
        HTTP.post(f"{node.url}/v1/counters/site/visits?ack=received", json={"count": 7}).raise_for_status()
        node.kill(signal.SIGTERM)
        server.start()
        node.start()
        eventually(lambda: node.value("site") == 8, what="the whole count")
