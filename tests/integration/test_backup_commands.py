"""``footfall backup`` and ``backups`` as a user runs them: by hand, every so often, and killed in the middle."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import COMMAND, footfall, until

from footfall.node.backup_format import MANIFEST
from processes import HTTP, NodeProcess, Process, eventually

VISITORS = 200_000  # so many, that a backup takes a while


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A node whose state is some megabytes."""
    data = tmp_path_factory.mktemp("backup") / "data"
    with NodeProcess(data, "--cut-interval-s", "0.3", "--partitions", "4") as node:
        HTTP.put(f"{node.url}/v1/counters/people", json={"unit": "visitors"}).raise_for_status()
        file = data / "visitors"
        file.write_text("".join(f"{number}\n" for number in range(VISITORS)))
        footfall("ingest", str(file), "--counter", "people", "--url", node.url, "--format", "lines")
        epoch = node.metric("footfall_epoch")
        eventually(lambda: node.metric("footfall_cut_epoch") > epoch + 1, what="a cut")
        yield node


def data_of(node: NodeProcess) -> str:
    return str(node._log.parent)


def complete(place: Path) -> set[str]:
    return {one.parent.name for one in place.glob(f"*/{MANIFEST}")}


def names(place: Path) -> set[str]:
    return {one.name for one in place.iterdir()}


class Every(Process):
    """``footfall backup --every``, in the background."""

    def __init__(self, place: Path, log: Path, *arguments: str) -> None:
        super().__init__([*COMMAND, "backup", str(place), "--every", "1", *arguments], log)


def test_a_backup_is_told_in_one_line_and_listed(tmp_path: Path, node: NodeProcess) -> None:
    place = tmp_path / "backups"
    assert "there is no backup in" in footfall("backups", str(place), code=1).stderr
    said = footfall("backup", str(place), "--data", data_of(node)).stdout
    (name,) = complete(place)
    assert said.startswith(f"{name} in {place}: 0 visits and 200,000 visitors of 1 counter up to sequence ")
    assert ", verified (" in said
    listed = footfall("backups", str(place), "--verify").stdout.splitlines()[1].split("\t")
    assert (listed[0], listed[2], listed[-1].strip()) == (name, "1", "verified")


def test_only_the_wanted_number_is_kept_and_the_unfinished_are_listed_as_such(
    tmp_path: Path, node: NodeProcess
) -> None:
    place = tmp_path / "backups"
    for _ in range(4):
        made = json.loads(footfall("backup", str(place), "--data", data_of(node), "--keep", "2", "--json").stdout)
    assert len(made["removed"]) == 1
    assert made["name"] in complete(place)
    assert len(complete(place)) == 2
    (place / made["name"] / MANIFEST).unlink()
    (place / "lost+found").mkdir()
    states = [one["state"] for one in json.loads(footfall("backups", str(place), "--json").stdout)]
    assert states == ["complete", "unfinished"]


def test_a_backup_killed_in_the_middle_is_none_and_does_no_harm(tmp_path: Path, node: NodeProcess) -> None:
    place = tmp_path / "backups"
    before = json.loads(footfall("backup", str(place), "--data", data_of(node), "--json").stdout)["name"]
    killed = 0
    while killed < 3:
        known = names(place)
        with subprocess.Popen(
            [*COMMAND, "backup", str(place), "--data", data_of(node)], stdout=subprocess.DEVNULL
        ) as one:
            while one.poll() is None and names(place) == known:
                pass  # until its first part is there, or about to be
            one.kill()
        new = names(place) - known
        killed += bool(new) and not (new & complete(place))
    unfinished = len(names(place) - complete(place))
    assert unfinished >= 3
    states = [one["state"] for one in json.loads(footfall("backups", str(place), "--verify", "--json").stdout)]
    assert states.count("unfinished") == unfinished
    assert set(states) == {"verified", "unfinished"}
    assert before in complete(place)
    after = json.loads(footfall("backup", str(place), "--data", data_of(node), "--json").stdout)["name"]
    restored = footfall("restore", str(place), "--data", str(tmp_path / "restored")).stdout
    assert restored.startswith(f"{after} is restored")
    assert f"copy the old file secret to {tmp_path / 'restored' / 'secret'}" in restored
    assert node.value("people") == VISITORS


def test_a_restore_killed_in_the_middle_leaves_no_log_and_is_done_again(tmp_path: Path, node: NodeProcess) -> None:
    place, data = tmp_path / "backups", tmp_path / "data"
    footfall("backup", str(place), "--data", data_of(node))
    command = [*COMMAND, "restore", str(place), "--data", str(data)]
    broken_off = 0
    for pause_s in (0.0, 0.05, 0.1, 0.2):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as one:
            while one.poll() is None and not any(data.glob("restoring-*")):
                pass
            time.sleep(pause_s)
            one.kill()
        if (data / "jetstream").exists():  # it came to its end before it was killed
            break
        broken_off += 1
    assert broken_off
    subprocess.run(command, capture_output=True, check=False)
    assert (data / "jetstream").is_dir()
    with NodeProcess(data, "--partitions", "4") as restored:
        assert restored.value("people") == VISITORS


def test_backups_are_made_every_so_often_a_failure_is_said_and_sigterm_ends_it(
    tmp_path: Path, node: NodeProcess
) -> None:
    place, log = tmp_path / "backups", tmp_path / "every.log"
    every = Every(place, log, "--keep", "3", "--data", data_of(node))
    every.start()
    try:
        until(lambda: log.read_text().count("verified (") >= 4, "four backups")
        assert 3 <= len(complete(place)) <= 4
        node.pause()  # its engine goes on
        os.kill(node.engine_pid, signal.SIGSTOP)
        until(lambda: "no backup now: " in log.read_text(), "a failure")
        os.kill(node.engine_pid, signal.SIGCONT)
        node.resume()
        made = log.read_text().count("verified (")
        until(lambda: log.read_text().count("verified (") > made, "another backup")
    finally:
        os.kill(node.engine_pid, signal.SIGCONT)
        node.resume()
    every.kill(signal.SIGTERM)
    assert every._process is not None
    assert every._process.returncode == 0
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["backup", "x", "--every", "0.5"], "--every is 0.5; it must be 1 second or more"),
        (["backup", "x", "--every", "nan"], "--every is nan"),
        (["backup", "x", "--keep", "-1"], "--keep is -1"),
        (["backup", "ftp://x/y"], "'ftp://x/y' cannot keep backups"),
        (["backup", "s3://"], "'s3://' cannot keep backups"),
        (["backup", ""], "the place of backups is empty"),
        (["backup", "x", "--data", "nowhere"], "is no data directory"),
        (["backup", "x", "--nats", "http://a"], "is not the URL of a nats-server"),
        (["backups", "ftp://x/y"], "'ftp://x/y' cannot keep backups"),
        (["restore", "gs://"], "'gs://' cannot keep backups"),
        (["restore", "x", "--replicas", "2"], "replicas is 2"),
        (["restore", "x", "--log-bytes-max", "5"], "--log-bytes-max is 5"),
    ],
)
def test_wrong_use_is_told_in_one_line(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = subprocess.run([*COMMAND, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert said in done.stderr
    assert not (tmp_path / "footfall-data").exists()


def test_without_the_library_for_object_stores_it_is_said_how_to_get_it(tmp_path: Path) -> None:
    code = "import sys; sys.modules['obstore'] = None; from footfall.cli import main; main(['backups', 's3://b/p'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'footfall[objectstore]'" in done.stderr


def test_a_place_without_a_backup_cannot_be_restored_from(tmp_path: Path) -> None:
    done = footfall("restore", str(tmp_path / "nothing"), "--data", str(tmp_path / "data"), code=1)
    assert "there is no backup in" in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_log_without_a_cut_is_backed_up_as_soon_as_there_is_one(tmp_path: Path) -> None:
    with NodeProcess(tmp_path / "data", "--cut-interval-s", "3") as node:
        begun_s = time.monotonic()
        footfall("backup", str(tmp_path / "backups"), "--data", str(tmp_path / "data"))
        assert time.monotonic() - begun_s < 30
        assert node.running()
