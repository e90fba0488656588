"""Whatever happens to nodes, answers and runs, every line counts once."""

import gzip
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_http import FakeHttp
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ingesting import ingest, lines

from footfall.cli import delivery, follow
from footfall.cli.formats import Format
from footfall.cli.ingest_options import Summary
from footfall.errors import FootfallError, TooManyCountersError, UnavailableError, UnreachableError
from packing import zstd

LINE = '{} - - [26/Nov/2026:08:00:00 +0000] "GET / HTTP/1.1" {} 5\n'
STATUSES = ("200", "404", "500", "")  # an empty one stands for a line that cannot be read


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "RETRY_FIRST_S", 0.001)
    monkeypatch.setattr(delivery, "RETRY_LAST_S", 0.002)
    monkeypatch.setattr(follow, "POLL_S", 0.005)
    monkeypatch.setattr(follow, "LINGER_S", 0.02)


@pytest.fixture
def http() -> FakeHttp:
    return FakeHttp()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["lost", "down", "503", ""]), max_size=12), st.integers(0, 2**32))
def test_whatever_happens_to_the_answers_every_visit_counts_once(faults: list[str], seed: int) -> None:
    http = FakeHttp()
    http.faults = faults
    text = lines(0, random.Random(seed).randrange(1, 40_000))
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "log"
        path.write_text(text)
        summary = ingest(http, path)
    assert http.visitors == text.split()
    assert summary.visits == len(http.visitors)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.sampled_from(["lost", "down", "503", ""]), max_size=12),
    st.integers(0, 2**32),
    st.sampled_from([bytes, gzip.compress, zstd.compress]),
)
def test_whatever_happens_those_that_are_wanted_count_once_and_the_others_never(
    faults: list[str], seed: int, pack: Callable[[bytes], bytes]
) -> None:
    http = FakeHttp()
    http.faults = faults
    source = random.Random(seed)
    requests = [(f"192.0.2.{number}", source.choice(STATUSES)) for number in range(source.randrange(25_000))]
    wanted = [address for address, status in requests if status == "200"]
    text = "".join(LINE.format(*request) if request[1] else "damaged\n" for request in requests).encode()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "log"
        path.write_bytes(pack(text))
        summary = ingest(http, path, form=Format.COMMON, statuses=("2xx",))
        again = ingest(http, path, form=Format.COMMON, statuses=("2xx",))
    assert http.visitors == wanted
    assert summary.visits + again.visits == len(wanted)
    assert again.filtered == 0


def test_a_run_that_was_killed_between_storing_and_hearing_of_it_goes_on(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(lines(0, 30_000))

    class Killed(BaseException):
        pass

    def kill_at_second() -> None:
        if len(http.chunks) == 2:
            raise Killed

    http.before_chunk = kill_at_second
    with pytest.raises(Killed):
        ingest(http, log)
    http.before_chunk = lambda: None
    summary = ingest(http, log)
    assert http.visitors == [f"visitor-{number}" for number in range(30_000)]
    assert summary.visits == 10_000


def test_two_ingesters_of_one_source_count_it_once(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(lines(0, 40_000))
    again = [True]
    summaries: list[Summary] = []

    def other() -> None:
        if again and len(http.chunks) == 1:
            again.clear()
            with log.open("a") as file:
                file.write(lines(40_000, 40_005))
            summaries.append(ingest(http, log))

    http.before_chunk = other
    summaries.append(ingest(http, log))
    assert sum(summary.visits for summary in summaries) == 40_005
    assert http.visitors == [f"visitor-{number}" for number in range(40_005)]


def test_a_node_that_was_never_there_is_told_at_once(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(lines(0, 10))
    http.refuse_connections = True
    with pytest.raises(UnreachableError, match="footfall serve"):
        ingest(http, log, timeout_s=3600.0)


def test_a_node_that_stays_away_ends_the_run_in_bounded_time(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(lines(0, 15_000))
    http.faults = ["", *["503"] * 10_000]
    with pytest.raises(UnavailableError):
        ingest(http, log, timeout_s=0.02)
    http.faults = []
    ingest(http, log)
    assert http.counts["shop"] == 15_000


def test_a_source_that_never_moves_ends_the_run(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(lines(0, 10))

    def elsewhere() -> None:
        http.positions[next(iter(http.positions), "mine")] = 3 if http.positions.get("mine") != 3 else 5

    http.positions["mine"] = 0
    http.before_chunk = elsewhere
    with pytest.raises(FootfallError, match="refuses every chunk"):
        ingest(http, log, source="mine")


def test_an_error_that_no_single_visit_causes_ends_the_run(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(lines(0, 10))
    http._count = lambda body: http._problem(507, "too-many-counters", "full")  # type: ignore[method-assign]
    with pytest.raises(TooManyCountersError, match="full"):
        ingest(http, log)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["shop", "members"]), st.integers(0, 9) | st.none()), max_size=60),
    st.lists(st.sampled_from(["lost", "down", ""]), max_size=8),
)
@example([("shop", 1), ("members", None), ("shop", None)], [])
def test_visits_with_keys_count_once_a_key_beside_those_without(
    visits: list[tuple[str, int | None]], faults: list[str]
) -> None:
    http = FakeHttp()
    http.faults = faults
    http.visitors_only = {"members"}
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "log"
        path.write_text(
            "".join(
                f'{{"counter": "{counter}"' + (f', "key": "{key}"' if key is not None else "") + "}\n"
                for counter, key in visits
            )
        )
        summary = ingest(http, path, form=Format.JSONL)
        again = ingest(http, path, form=Format.JSONL)
    shop = [key for counter, key in visits if counter == "shop"]
    assert http.counts["shop"] == shop.count(None) + len(set(shop) - {None})
    assert http.counts["members"] == 0
    assert summary.bad == len(visits) - len(shop)
    assert again.visits == 0
