"""The commands as a user runs them, against a real node on the embedded engine."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import COMMAND, PATIENCE_S, footfall, serve, settles, value


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


# --- the short commands ----------------------------------------------------------------------------------------------


def test_visits_are_hit_read_and_listed_together_and_apart(url: str) -> None:
    assert "1 visit to google.gmail" in footfall("hit", "google.gmail", "--url", url).stdout
    footfall("hit", "google.youtube", "--visitor", "203.0.113.7", "--count", "4", "--url", url)
    settles(url, "google", 5)
    assert footfall("counters", "google", "--url", url).stdout.splitlines() == [
        "counter\tvalue\tunit",
        "google\t5\tvisits",
        "google.gmail\t1\tvisits",
        "google.youtube\t4\tvisits",
    ]
    listed = json.loads(footfall("counters", "google.gmail", "--json", "--url", url).stdout)
    assert [(one["counter"], one["value"], one["unit"]) for one in listed] == [("google.gmail", 1, "visits")]
    reading = json.loads(footfall("read", "google", "--json", "--url", url).stdout)
    assert (reading["counter"], reading["value"], reading["consistency"]) == ("google", 5, "eventual")
    assert value(url, "nobody.was.here") == 0


def test_an_exact_read_has_every_visit_that_was_answered(url: str, counter: str) -> None:
    for visits in range(1, 4):
        footfall("hit", counter, "--url", url)
        assert footfall("read", counter, "--exact", "--url", url).stdout == f"{visits}\n"
    reading = json.loads(footfall("read", counter, "--exact", "--json", "--url", url).stdout)
    assert (reading["value"], reading["consistency"], reading["staleness_ms"]) == (3, "linearizable", 0)


def test_a_key_counts_once_however_often_it_is_hit(url: str, counter: str) -> None:
    for _ in range(3):
        answer = json.loads(footfall("hit", counter, "--key", "order-17", "--json", "--url", url).stdout)
        assert (answer["accepted"], answer["stored"]) == (1, "log")
    footfall("hit", counter, "--url", url)
    settles(url, counter, 2)


def test_visitors_are_counted_once_each_where_a_counter_is_defined_so(url: str, counter: str) -> None:
    footfall("define", counter, "--unit", "visitors", "--url", url)
    assert "already" in footfall("define", counter, "--unit", "visitors", "--url", url).stdout
    assert "visitors already" in footfall("define", counter, "--unit", "visits", "--url", url, code=1).stderr
    for visitor in ("alice", "bob", "alice"):
        footfall("hit", counter, "--visitor", visitor, "--url", url)
    settles(url, counter, 2)
    assert "visitor" in footfall("hit", counter, "--url", url, code=2).stderr


def test_the_nodes_are_listed(url: str) -> None:
    (node,) = json.loads(footfall("nodes", "--json", "--url", url).stdout)
    assert (node["url"], node["topology"], node["self"]) == (url, "replicated", True)
    assert url in footfall("nodes", "--url", url).stdout


def test_the_url_may_come_from_the_environment(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTFALL_URL", url)
    assert footfall("nodes").stdout


@pytest.mark.parametrize("exact", [[], ["--exact"]])
def test_watching_shows_every_change_until_interrupted(url: str, counter: str, exact: list[str]) -> None:
    watching = subprocess.Popen(
        [*COMMAND, "read", counter, "--watch", *exact, "--url", url], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert watching.stdout is not None
    assert watching.stdout.readline() == b"0\n"
    footfall("hit", counter, "--count", "7", "--url", url)
    assert watching.stdout.readline() == b"7\n"
    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate(timeout=PATIENCE_S)
    unknown = f"footfall: nobody has visited or defined {counter}"
    assert (watching.returncode, out) == (130, b"")
    assert err.decode().startswith(unknown)
    assert err.count(b"\n") == 1


def test_a_reader_that_has_enough_is_no_error(url: str) -> None:
    footfall("hit", "google", "--url", url)
    listing = subprocess.Popen([*COMMAND, "counters", "--url", url], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert listing.stdout is not None
    listing.stdout.close()
    assert listing.stderr is not None
    with listing.stderr as stderr:
        assert stderr.read() == b""
    assert listing.wait(PATIENCE_S) == 141


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("nonsense", 2, "nonsense"),
        ("hit", 2, "COUNTER"),
        ("hit a..b", 2, "'a..b' cannot name a counter"),
        ("hit a --count 0", 2, "count is 0"),
        ("hit a --count -1", 2, "count is -1"),
        ("hit a --count 1.5", 2, "'1.5'"),
        ("hit a --count 1000000001", 2, "1000000001"),
        ("hit a --frequency 1", 2, "--frequency"),
        ("hit a --visitor=", 2, "visitor is empty"),
        ("milestone show a 5", 1, "a has no milestone 5; footfall milestone add a 5 sets it"),
        ("milestone claim a 5 receipt", 1, "a has no milestone 5"),
        ("milestone win a 5", 2, "win"),
        ("define a --unit bytes", 2, "bytes"),
        ("counters a/b", 2, "a/b"),
        ("ingest {missing} --counter a", 2, "no file"),
        ("ingest {directory} --counter a", 2, "directory"),
        ("ingest - --follow --counter a", 2, "--follow"),
        ("ingest - --format xml --counter a", 2, "xml"),
        ("ingest - --format lines", 2, "--counter"),
    ],
)
def test_wrong_use_is_told_in_one_line(url: str, tmp_path: Path, arguments: str, code: int, said: str) -> None:
    words = arguments.format(missing=tmp_path / "missing", directory=tmp_path).split()
    result = footfall(*words, *(["--url", url] if len(words) > 1 else []), code=code)
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


@pytest.mark.parametrize("where", ["ftp://127.0.0.1", "127.0.0.1:8080", "http://", "http://127.0.0.1:99999"])
def test_what_is_no_url_is_wrong_use(where: str) -> None:
    assert "URL" in footfall("read", "a", "--url", where, code=2).stderr


def test_a_node_that_is_not_there_is_a_failure_that_says_what_to_do() -> None:
    result = footfall("read", "a", "--url", "http://127.0.0.1:9", code=1)
    assert "http://127.0.0.1:9" in result.stderr
    assert "footfall serve" in result.stderr


# --- serve and demo --------------------------------------------------------------------------------------------------


def test_a_server_stops_on_an_interrupt_and_counts_on_when_it_is_back(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    for visits in (1, 2):
        process, where = serve(directory)
        footfall("hit", "shop", "--url", where)
        settles(where, "shop", visits)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0


def test_a_server_that_cannot_start_says_why_in_one_line(url: str, tmp_path: Path) -> None:
    busy = url.removeprefix("http://")
    assert "in use" in footfall("serve", "--data", str(tmp_path / "a"), "--http", busy, code=2).stderr
    assert "no tokens" in footfall("serve", "--http", "0.0.0.0:8080", code=2).stderr
    assert "HOST:PORT" in footfall("serve", "--http", "8080", code=2).stderr
    assert "partitions" in footfall("serve", "--partitions", "0", code=2).stderr
    assert "nats://" in footfall("serve", "--nats", "localhost", code=2).stderr


@pytest.mark.parametrize("topology", ["replicated", "sharded"])
def test_the_demo_names_both_winners_and_counts_exactly_on_all_nodes(topology: str) -> None:
    out = footfall("demo", "--to", "5000", "--rate", "5000", "--topology", topology).stdout
    assert out.count("audited in another process, from the log alone: the same") == 2, out
    verdict = re.search(r"sent ([\d,]+) · counted ([\d,]+) · exact on all 3 nodes", out)
    assert verdict, out
    assert verdict[1] == verdict[2] != "0"
