"""A cluster is lost with all its disks: a new one goes on from a backup, and nodes from their spools."""

import json
from pathlib import Path
from typing import Any

import pytest
from commands import footfall

from processes import HTTP, NatsCluster, NodeProcess, eventually

pytestmark = pytest.mark.cluster

CUT = ("--cut-interval-s", "0.3", "--partitions", "4", "--secret", "the cluster's secret")


def hit(node: NodeProcess, count: int, stored: str = "log") -> dict[str, Any]:
    """Count visits; again with the same number they are the same visits."""
    url, key = f"{node.url}/v1/counters/shop/visits", {"Idempotency-Key": f"{count} visits"}
    answer = HTTP.post(url, json={"count": count}, headers=key, timeout=15).raise_for_status()
    said: dict[str, Any] = answer.json()
    assert said["stored"] == stored
    return said


def cut(nodes: list[NodeProcess]) -> None:
    """Wait for a cut of all that was counted so far; one of the nodes knows of it."""
    epoch = nodes[0].metric("footfall_epoch")
    eventually(lambda: max(node.metric("footfall_cut_epoch") for node in nodes) > epoch + 1, 30, "a cut")


@pytest.mark.parametrize("topology", ["replicated", "sharded"])
def test_a_new_cluster_goes_on_from_a_backup_and_nodes_drain_their_spools_into_it(
    tmp_path: Path, topology: str
) -> None:
    place = tmp_path / "backups"
    settings = (*CUT, "--topology", topology)
    with NatsCluster(tmp_path / "old") as old:
        lost = [
            NodeProcess(tmp_path / f"data{number}", *settings, "--node", f"n{number}", "--nats", old.urls)
            for number in range(2)
        ]
        try:
            for node in lost:
                node.start()
            hit(lost[0], 100)
            cut(lost)
            made = json.loads(footfall("backup", str(place), "--nats", old.urls, "--json").stdout)
            assert (made["visits"], made["counters"]) == (100, 1)
            hit(lost[1], 10)  # after the backup: lost
            for server in old.servers:
                server.kill()
            eventually(lambda: hit(lost[0], 5, "spool"), 30, "a visit in the spool")
            spooled = 5
        finally:
            for node in lost:
                if node.running():
                    node.kill()
    with NatsCluster(tmp_path / "new") as new:
        said = footfall("restore", str(place), "--nats", new.urls).stdout
        assert "is restored on the cluster: 100 visits and 0 visitors of 1 counter" in said
        assert "there is a log already" in footfall("restore", str(place), "--nats", new.urls, code=2).stderr
        info = HTTP.get(f"http://127.0.0.1:{new.servers[0]._monitor}/jsz?streams=1&config=1").json()
        streams = {
            stream["name"]: stream["config"]["num_replicas"]
            for account in info["account_details"]
            for stream in account["stream_detail"]
        }
        assert streams == {"FOOTFALL": 3, "FOOTFALL_CUTS": 3}
        nodes = [
            NodeProcess(
                tmp_path / f"data{number}", *settings, "--node", f"n{number}", "--nats", new.urls, log="new.log"
            )
            for number in range(3)
        ]
        try:
            for node in nodes:  # two with their old directories, and a new one
                node.start()
            for node in nodes:
                eventually(lambda node=node: node.value("shop") == 100 + spooled, 60, "the spooled visits")  # type: ignore[misc]
            assert "the log was restored from a backup" in nodes[1].said()
            hit(nodes[2], 3)
            new.servers[0].kill()  # it is a whole cluster
            eventually(lambda: hit(nodes[0], 4), 30, "a visit with a server less")
            for node in nodes:
                eventually(lambda node=node: node.value("shop") == 107 + spooled, 30, "the visits")  # type: ignore[misc]
            read = ("read", "shop", "--exact", "--url", nodes[1].url)
            exact = eventually(lambda: footfall(*read, code=None).stdout.strip(), 60, "an exact read")
            assert exact == str(107 + spooled)
        finally:
            for node in nodes:
                node.stop()
