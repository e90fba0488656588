"""Everything is destroyed, and restored from a backup: the counts are those of the backup, and counting goes on."""

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import footfall

from processes import HTTP, NodeProcess, eventually

CUT = ("--cut-interval-s", "0.2")
ALL = ("shop", "shop.cart", "people", "people.all", "old")
N = 40


def backups(place: Path, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(footfall("backups", str(place), "--json", *arguments, code=code).stdout)
    return listed


def backed_up(place: Path, data: Path) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(footfall("backup", str(place), "--data", str(data), "--json").stdout)
    return made


def states(place: Path, made: dict[str, Any]) -> Any:
    """A digest of every partition's whole state, and of the definitions'."""
    line, _ = (place / made["name"] / "manifest.json").read_text().splitlines()
    return json.loads(line)["states"]


def restored(place: Path, data: Path, *arguments: str, code: int = 0) -> str:
    done = footfall("restore", str(place), "--data", str(data), *arguments, code=code)
    return done.stdout if code == 0 else done.stderr


def values(node: NodeProcess) -> dict[str, int]:
    return {name: node.value(name) for name in ALL}


def cut(node: NodeProcess) -> None:
    """Wait for a cut of all that was counted so far."""
    epoch = node.metric("footfall_epoch")
    eventually(lambda: node.metric("footfall_cut_epoch") > epoch + 1, what="a cut")


def visits(node: NodeProcess, counter: str, names: list[str], keys: list[str] | None = None) -> list[str]:
    """Count visits; returns their receipts."""
    body: dict[str, Any] = {"visitors": names} if keys is None else {"visitors": names, "keys": keys}
    answer = HTTP.post(f"{node.url}/v1/counters/{counter}/visits", json=body).raise_for_status()
    receipts: list[str] = answer.json()["receipts"]
    return receipts


def ingest(node: NodeProcess, file: Path, code: int = 0) -> None:
    footfall("ingest", str(file), "--counter", "shop.cart", "--url", node.url, "--format", "lines", code=code)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[NodeProcess]:
    """A node that has counted in every way there is."""
    with NodeProcess(tmp_path / "data", *CUT, "--partitions", "4", "--node", "one") as node:
        HTTP.put(f"{node.url}/v1/counters/people", json={"unit": "visitors"}).raise_for_status()
        footfall("import", "old", "1000000", "--note", "the old counter", "--url", node.url)
        visits(node, "shop", [f"visitor {number}" for number in range(30)])
        visits(node, "people.all", [f"visitor {number % 20}" for number in range(50)])
        visits(node, "shop.cart", ["x", "y"], ["key of x", "key of y"])
        yield node


def test_all_is_lost_and_all_that_was_backed_up_is_back_entry_by_entry(tmp_path: Path, node: NodeProcess) -> None:
    place, data = tmp_path / "backups", tmp_path / "data"
    cut(node)
    made = backed_up(place, data)
    before = values(node)
    assert before == {"shop": 32, "shop.cart": 2, "people": 20, "people.all": 50, "old": 1_000_000}
    visits(node, "shop", ["too late"] * 5)
    node.kill()
    shutil.rmtree(data)
    said = restored(place, data)
    assert made["name"] in said
    assert "--partitions 4" in said
    again = backed_up(tmp_path / "again", data)
    assert states(tmp_path / "again", again) == states(place, made)
    assert again["sequence"] == made["sequence"]
    node.start()
    assert values(node) == before
    visits(node, "shop.cart", ["x", "z"], ["key of x", "key of z"])  # a retry of one, and a new one
    visits(node, "people", ["visitor 3", "visitor 99"])  # one was seen, and one is new
    assert values(node) == {**before, "shop": 33, "shop.cart": 3, "people": 21}
    assert footfall("read", "shop", "--exact", "--url", node.url).stdout.strip() == "33"
    footfall("import", "old", "1000000", "--note", "the old counter", "--url", node.url)  # the same: it is known
    assert node.value("old") == 1_000_000
    cut(node)
    node.stop()
    node.start()
    assert values(node) == {**before, "shop": 33, "shop.cart": 3, "people": 21}
    assert node.metric("footfall_alarms_total") == 0


def test_what_came_after_the_backup_is_brought_back_by_ingesting_again(tmp_path: Path, node: NodeProcess) -> None:
    place, data, file = tmp_path / "backups", tmp_path / "data", tmp_path / "access.log"
    lines = [f"visitor {number}\n" for number in range(3_000)]
    file.write_text("".join(lines[:1_000]))
    ingest(node, file)
    cut(node)
    backed_up(place, data)
    file.write_text("".join(lines))
    ingest(node, file)
    assert node.value("shop.cart") == 2 + 3_000
    node.kill()
    shutil.rmtree(data)
    restored(place, data)
    node.start()
    assert node.value("shop.cart") == 2 + 1_000
    for _ in range(2):
        ingest(node, file)
        assert node.value("shop.cart") == 2 + 3_000


@pytest.fixture
def raffle(node: NodeProcess) -> str:
    """The URL of an open milestone, ten visits away."""
    url = f"{node.url}/v1/counters/shop/milestones/{N}"
    visits(node, "shop", [f"guest {number}" for number in range(32, N - 7)])
    HTTP.put(url).raise_for_status()
    return url


def audited(data: Path, *arguments: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(
        footfall("audit", "shop", str(N), "--data", str(data), "--json", *arguments).stdout
    )
    assert report["agrees"], report
    return report


def test_a_milestone_that_was_open_is_reached_in_the_restored_log(
    tmp_path: Path, node: NodeProcess, raffle: str
) -> None:
    place, data = tmp_path / "backups", tmp_path / "data"
    cut(node)
    assert backed_up(place, data)["milestones"] == 1
    visits(node, "shop", ["lost"] * 3)
    node.kill()
    shutil.rmtree(data)
    restored(place, data)
    node.start()
    assert HTTP.get(raffle).json()["state"] in ("open", "closing")
    receipts = visits(node, "shop", [f"guest {number}" for number in range(N - 7, N + 5)])
    winner = eventually(lambda: HTTP.get(raffle).json()["winner"], what="the winner")
    assert winner["visitor"] == f"guest {N - 1}"
    report = audited(data)
    assert "receipt" in {one["what"] for one in report["comparisons"]}
    HTTP.post(f"{raffle}/claim", json={"receipt": receipts[6]}).raise_for_status()


def test_a_milestone_that_was_reached_is_audited_and_claimed_after_a_restore(
    tmp_path: Path, node: NodeProcess, raffle: str
) -> None:
    place, data = tmp_path / "backups", tmp_path / "data"
    receipts = visits(node, "shop", [f"guest {number}" for number in range(N - 7, N + 5)])
    winner = eventually(lambda: HTTP.get(raffle).json()["winner"], what="the winner")
    cut(node)
    made = backed_up(place, data)
    assert (made["proofs"], made["unproven"]) == (1, [])
    secret = (data / "secret").read_bytes()
    node.kill()
    shutil.rmtree(data)
    restored(place, data)
    report = audited(data)  # with another secret, or none, all but the receipt is checked
    assert [start["source"] for start in report["starts"]] == ["bundle"]
    assert report["unchecked"] == ["receipt: the cluster's secret is not at hand"]
    (data / "secret").write_bytes(secret)
    assert "receipt" in {one["what"] for one in audited(data)["comparisons"]}
    node.start()
    assert HTTP.get(raffle).json()["winner"] == winner
    assert HTTP.post(f"{raffle}/claim", json={"receipt": "x" * 24}).status_code == 403
    HTTP.post(f"{raffle}/claim", json={"receipt": receipts[6]}).raise_for_status()
    assert audited(data)["winner"]["claimed"]


def test_a_node_that_kept_its_data_but_not_its_log_goes_on_and_says_what_is_lost(
    tmp_path: Path, node: NodeProcess
) -> None:
    place, data = tmp_path / "backups", tmp_path / "data"
    cut(node)
    backed_up(place, data)
    visits(node, "shop", ["lost"] * 3)
    node.stop()
    shutil.rmtree(data / "jetstream")
    refused = footfall(
        "serve", "--data", str(data), "--http", "127.0.0.1:0", "--partitions", "4", "--node", "one", code=1
    )
    assert "there is no log, and sequence" in refused.stderr
    restored(place, data)  # nothing that serve has made is in its way
    node.start()
    assert node.value("shop") == 32
    assert "the log was restored from a backup" in node.said()
    assert "which this node knew to be stored, are lost" in node.said()


def test_a_log_that_is_there_is_not_touched(tmp_path: Path, node: NodeProcess) -> None:
    place, data = tmp_path / "backups", tmp_path / "data"
    cut(node)
    backed_up(place, data)
    assert "there is a log already" in restored(place, data, code=2)
    visits(node, "shop", ["later"] * 3)
    node.stop()
    assert "there is a log already" in restored(place, data, code=2)
    node.start()
    assert node.value("shop") == 35


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x20
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["manifest.json", "part-00000"])
def test_a_flipped_byte_is_refused_and_the_backup_before_is_offered(
    tmp_path: Path, node: NodeProcess, name: str
) -> None:
    place, data = tmp_path / "backups", tmp_path / "data"
    cut(node)
    older = backed_up(place, data)["name"]
    visits(node, "shop", ["later"] * 3)
    cut(node)
    newer = backed_up(place, data)["name"]
    node.kill()
    shutil.rmtree(data)
    size = (place / newer / name).stat().st_size
    for at in (0, size // 3, size // 2, size - 2):
        flip(place / newer / name, at)
        said = restored(place, data, code=1)
        assert f"backup {newer} is damaged" in said
        assert f"the one before it is {older}: name it with --backup" in said
        assert not data.exists()
        flip(place / newer / name, at)
    flip(place / newer / name, size // 2)
    assert [one["state"] for one in backups(place, "--verify", code=1)] == ["damaged", "verified"]
    restored(place, data, "--backup", older)
    node.start()
    assert node.value("shop") == 32


def test_nodes_make_backups_by_themselves_and_one_soon_after_a_winner(tmp_path: Path) -> None:
    place, data = tmp_path / "backups", tmp_path / "data"
    settings = (*CUT, "--backup", str(place), "--backup-interval-s", "2", "--backup-keep", "3")
    with NodeProcess(data, *settings) as node:
        visits(node, "shop", ["a", "b", "c"])
        eventually(lambda: node.metric("footfall_backups_total") >= 4, 60, "four backups")
        assert node.metric("footfall_backup_timestamp_seconds") > 1_700_000_000
        assert node.metric("footfall_backup_failures_total") == 0
        node.kill()
    listed = [one for one in backups(place, "--verify") if one["state"] != "unfinished"]
    assert [one["state"] for one in listed] == ["verified"] * len(listed)
    assert len(listed) in (3, 4)  # 4: it was killed before it removed the oldest
    assert listed[0]["visits"] == 3


def test_a_backup_to_a_place_that_cannot_be_written_fails_in_one_line(tmp_path: Path, node: NodeProcess) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    cut(node)
    done = footfall("backup", str(file), "--data", str(tmp_path / "data"), code=1)
    assert "cannot be used" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    node.kill(signal.SIGTERM)
