"""Logs are ingested as a user does it, against a real node: run twice, ended half-way, grown, rotated."""

import gzip
import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import COMMAND, PATIENCE_S, footfall, serve, settles, until, value

LOG_LINE = '{host} - - [17/May/2015:10:05:03 +0000] "GET /{path} HTTP/1.1" 200 1 "-" "agent"\n'


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    process, where = serve(tmp_path_factory.mktemp("cli") / "data")
    yield where
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0


@pytest.fixture
def counter(request: pytest.FixtureRequest) -> str:
    """A name that no other test counts in."""
    return request.node.name.replace("[", "-").replace("]", "")[:100]


def write_log(path: Path, count: int, first: int = 0) -> None:
    with path.open("a") as file:
        for number in range(first, first + count):
            file.write(LOG_LINE.format(host=f"2001:db8::{number % 5_000:x}", path=number))


def test_a_log_counts_exactly_over_runs_growth_and_renaming(url: str, counter: str, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    write_log(log, 12_345)
    assert "12,345 visits" in footfall("ingest", str(log), "--counter", counter, "--url", url).stdout
    assert "nothing new" in footfall("ingest", str(log), "--counter", counter, "--url", url).stdout
    write_log(log, 655, first=12_345)
    renamed = log.rename(tmp_path / "access.log.1")
    again = json.loads(footfall("ingest", str(renamed), "--counter", counter, "--json", "--url", url).stdout)
    assert (again["lines"], again["visits"], again["to"]) == (655, 655, renamed.stat().st_size)
    settles(url, counter, 13_000)


def test_a_log_that_is_rotated_and_compressed_adds_only_what_is_new(url: str, counter: str, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    write_log(log, 2_000)
    footfall("ingest", str(log), "--counter", counter, "--url", url)
    write_log(log, 500, first=2_000)
    (tmp_path / "access.log.1.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    write_log(log, 30, first=9_000)
    told = footfall("ingest", f"{tmp_path}/access.log*", "--counter", counter, "--url", url).stdout
    assert "together: 530 visits counted from 2 files" in told
    settles(url, counter, 2_530)


def test_what_is_passed_over_is_decided_even_if_nothing_is_wanted(url: str, counter: str, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    write_log(log, 12_000)
    arguments = ("ingest", str(log), "--counter", counter, "--status", "404", "--json", "--url", url)
    first, again = (json.loads(footfall(*arguments).stdout) for _ in range(2))
    assert (first["visits"], first["filtered"], first["to"]) == (0, 12_000, log.stat().st_size)
    assert (again["lines"], again["from"]) == (0, log.stat().st_size)
    settles(url, counter, 0)


def test_distinct_visitors_of_a_log_are_counted(url: str, counter: str, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    write_log(log, 12_000)
    footfall("define", counter, "--unit", "visitors", "--url", url)
    footfall("ingest", str(log), "--counter", counter, "--url", url)
    settles(url, counter, 5_000)


def test_bad_lines_are_told_and_not_counted(url: str, counter: str, tmp_path: Path) -> None:
    log = tmp_path / "visits.jsonl"
    good = f'{{"counter": "{counter}", "visitor": "a"}}\n'
    log.write_bytes((good * 3 + "\nnot json\n" + good + '{"visitor": "a"}\n').encode() + b"\xff\n" + good.encode())
    result = footfall("ingest", str(log), "--format", "jsonl", "--url", url)
    assert "5 visits" in result.stdout
    assert [line for line in result.stderr.splitlines() if " line " in line][:3] == [
        "footfall: line 5: is not JSON: 'not json'",
        'footfall: line 7: names no counter, and there is no --counter: \'{"visitor": "a"}\'',
        "footfall: line 8: is not JSON: '\N{REPLACEMENT CHARACTER}'",
    ]
    assert "3 lines could not be read" in result.stderr
    settles(url, counter, 5)


def test_lines_with_keys_and_counts_are_counted(url: str, counter: str) -> None:
    lines = '{"key": "a"}\n{"key": "a"}\n{"count": 5}\n{"key": "b", "count": 2}\n{}\n'
    footfall("ingest", "-", "--format", "jsonl", "--counter", counter, "--source", counter, "--url", url, stdin=lines)
    settles(url, counter, 9)


def test_a_log_that_is_all_wrong_fails_and_leaves_no_trace(url: str, counter: str, tmp_path: Path) -> None:
    log = tmp_path / "names"
    log.write_text("alice\nbob")
    assert "--format" in footfall("ingest", str(log), "--counter", counter, "--url", url, code=2).stderr
    footfall("ingest", str(log), "--format", "lines", "--counter", counter, "--url", url)
    settles(url, counter, 2)


def test_standard_input_is_counted_and_gone_on_with_by_name(url: str, counter: str) -> None:
    arguments = ("ingest", "-", "--format", "lines", "--counter", counter, "--source", counter, "--url", url)
    footfall(*arguments, stdin="alice\nbob\n")
    footfall(*arguments, stdin="alice\nbob\ncarol\n")
    settles(url, counter, 3)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_run_ended_half_way_is_gone_on_with_exactly(
    url: str, counter: str, tmp_path: Path, number: signal.Signals
) -> None:
    log = tmp_path / "access.log"
    write_log(log, 300_000)
    running = subprocess.Popen(
        [*COMMAND, "ingest", str(log), "--counter", counter, "--url", url],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: value(url, counter) > 0, "nothing is counted")
    running.send_signal(number)
    assert running.wait(PATIENCE_S) == (-number if number == signal.SIGKILL else 128 + number)
    assert value(url, counter) < 300_000
    write_log(log, 1_000, first=300_000)
    footfall("ingest", str(log), "--counter", counter, "--url", url)
    settles(url, counter, 301_000)


def test_following_counts_over_rotation_and_ends_well(url: str, counter: str, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    write_log(log, 10)
    following = subprocess.Popen(
        [*COMMAND, "ingest", str(log), "--counter", counter, "--follow", "--json", "--url", url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    settles(url, counter, 10)
    write_log(log, 5, first=10)
    log.rename(tmp_path / "access.log.1")
    write_log(log, 20, first=100)
    settles(url, counter, 35)
    following.send_signal(signal.SIGTERM)
    out, err = following.communicate(timeout=PATIENCE_S)
    assert following.returncode == 0, err
    assert json.loads(out)["visits"] == 35
    for name in ("access.log", "access.log.1"):
        footfall("ingest", str(tmp_path / name), "--counter", counter, "--url", url)
    settles(url, counter, 35)
