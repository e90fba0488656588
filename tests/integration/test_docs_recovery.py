"""The commands of docs/recovery.md, run as they stand there: a node is lost, and restored."""

import re
from pathlib import Path

import pytest
from test_docs import ELSEWHERE, LINE, ROOT, eventually, free_ports, run, serving

from processes import NatsCluster

PAGE = (ROOT / "docs" / "recovery.md").read_text()


def lines(heading: str) -> list[str]:
    """The command lines of the shell blocks below a heading."""
    part = re.split(
        r"^##+ .*$", PAGE[PAGE.index(f"\n{heading}\n") + len(heading) + 2 :], maxsplit=1, flags=re.MULTILINE
    )
    blocks = re.findall(r"^```sh\n(.*?)^```", part[0], re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_what_is_lost_comes_back_as_the_page_tells(tmp_path: Path) -> None:
    port = free_ports(1)
    log = tmp_path / "access.log"
    log.write_text("".join(LINE.format(number) for number in range(50)))
    *by_hand, by_nodes = lines("## Back up")
    assert by_nodes.startswith("footfall serve --backup")
    with serving(by_nodes, port, 1, tmp_path):
        run("footfall ingest access.log --counter shop", port, tmp_path)
        for line in by_hand:
            run(line, port, tmp_path)
        log.write_text("".join(LINE.format(number) for number in range(200)))
        run("footfall ingest access.log --counter shop", port, tmp_path)
        (tmp_path / "footfall-data" / "spool").mkdir(exist_ok=True)
    restoring = lines("### With the embedded engine")
    served = restoring.index("footfall serve")
    for line in restoring[:served]:
        run(line, port, tmp_path)
    with serving(restoring[served], port, 1, tmp_path):
        assert int(run("footfall read shop", port, tmp_path)) <= 50
        *again, read = restoring[served + 1 :]
        for line in again:
            run(line, port, tmp_path)
        eventually(lambda: run(read, port, tmp_path).strip() == "200", "what was lost does not come back")
    for line in lines("## Practise it"):
        run(line, port, tmp_path)
        assert (tmp_path / "practice" / "jetstream").is_dir()


@pytest.mark.cluster
def test_a_cluster_is_restored_as_the_page_tells(tmp_path: Path) -> None:
    port = free_ports(1)
    (line,) = lines("### On a cluster")
    assert ELSEWHERE in line
    with serving("footfall serve --cut-interval-s 0.5", port, 1, tmp_path):
        run("footfall hit shop --count 7", port, tmp_path)
        run("sleep 2; footfall backup backups", port, tmp_path)
    with NatsCluster(tmp_path / "servers") as servers:
        assert "is restored on the cluster" in run(line.replace(ELSEWHERE, servers.urls), port, tmp_path)
        with serving(f"footfall serve --nats {servers.urls}", port, 1, tmp_path):
            assert run("footfall read shop", port, tmp_path).strip() == "7"


def test_a_backup_can_be_checked_by_hand_as_the_page_tells(tmp_path: Path) -> None:
    port = free_ports(1)
    with serving("footfall serve --cut-interval-s 0.5", port, 1, tmp_path):
        run("footfall backup backups", port, tmp_path)
    (backup,) = (tmp_path / "backups").iterdir()
    first, second = (backup / "manifest.json").read_text().splitlines()
    assert run("head -n 1 manifest.json | sha256sum", port, backup).split()[0] == second
    parts = run("sha256sum part-*", port, backup).split()[::2]
    assert parts
    assert all(digest in first for digest in parts)
