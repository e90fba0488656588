"""Which source a file or a stream is, and how it is gone on with."""

import io
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_http import FakeHttp
from hypothesis import given
from hypothesis import strategies as st
from ingesting import ingest, lines

from footfall.cli import delivery, follow, output
from footfall.cli.formats import Format
from footfall.cli.recognising import SNIFFED_LINES_MAX
from footfall.cli.signals import Stop
from footfall.cli.sources import MARKS, MARKS_MAX, candidate_ids
from footfall.errors import InputError
from footfall.web.requests import SOURCES_ASKED_MAX


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "RETRY_FIRST_S", 0.001)
    monkeypatch.setattr(delivery, "RETRY_LAST_S", 0.002)
    monkeypatch.setattr(follow, "POLL_S", 0.005)
    monkeypatch.setattr(follow, "LINGER_S", 0.02)


@pytest.fixture
def http() -> FakeHttp:
    return FakeHttp()


# --- which source a file is ---


def test_a_renamed_or_copied_file_is_the_same_source(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(lines(0, 100))
    ingest(http, log)
    ingest(http, log.rename(tmp_path / "log.1"))
    copy = tmp_path / "copy"
    copy.write_text(lines(0, 120))
    ingest(http, copy)
    assert http.counts["shop"] == 120


@pytest.mark.parametrize("alike", [0, 1, 2, 10, 15])
def test_files_that_differ_in_any_of_their_first_lines_are_different_sources(
    http: FakeHttp, tmp_path: Path, alike: int
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(lines(0, alike) + f"{name}\n")
        ingest(http, tmp_path / name)
    assert http.counts["shop"] == 2 * (alike + 1)


def test_one_file_counts_in_each_counter(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(lines(0, 10))
    for _ in range(2):
        ingest(http, log, counter="shop")
        ingest(http, log, counter="blog")
    assert http.counts == {"shop": 10, "blog": 10}


def test_all_ids_that_a_file_may_have_are_asked_for_at_once(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(lines(0, 2 * MARKS_MAX))
    ingest(http, log)
    assert http.lookups == 1
    assert len(MARKS) <= SOURCES_ASKED_MAX


def test_a_named_source_is_that_source_whatever_the_file(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(lines(0, 10))
    ingest(http, log)
    ingest(http, log, source="other")
    ingest(http, log, source="other")
    assert http.positions["other"] == log.stat().st_size
    assert http.counts["shop"] == 20


def test_a_file_shorter_than_what_was_counted_of_it_is_refused(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(lines(0, 3))
    ingest(http, log, source="mine")
    log.write_text(lines(0, 2))
    with pytest.raises(InputError, match="cut short"):
        ingest(http, log, source="mine")
    assert http.counts["shop"] == 3


@given(st.lists(st.binary(min_size=1, max_size=6).map(lambda text: text.replace(b"\n", b" ")), max_size=40), st.data())
def test_a_grown_file_still_has_every_id_that_it_had(texts: list[bytes], data: st.DataObject) -> None:
    head = b"".join(text + b"\n" for text in texts)
    earlier = head[: data.draw(st.integers(0, len(head)))]
    before, after = candidate_ids(earlier, "shop"), candidate_ids(head, "shop")
    assert after[len(after) - len(before) :] == before
    assert len(before) == sum(mark <= earlier.count(b"\n") for mark in MARKS)


# --- streams ---


Feed = Callable[..., None]


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Feed]:
    """Make ``parts`` the standard input, each written when there is room for it."""
    streams: list[io.TextIOWrapper] = []

    def write(descriptor: int, parts: tuple[bytes, ...]) -> None:
        with os.fdopen(descriptor, "wb") as stream:
            for part in parts:
                stream.write(part)
                stream.flush()

    def start(*parts: bytes) -> None:
        read_end, write_end = os.pipe()
        threading.Thread(target=write, args=(write_end, parts), daemon=True).start()
        streams.append(io.TextIOWrapper(os.fdopen(read_end, "rb")))
        monkeypatch.setattr("sys.stdin", streams[-1])

    yield start
    for stream in streams:
        stream.close()


def test_a_stream_counts_to_its_end_with_a_last_line_that_has_none(http: FakeHttp, feed: Feed) -> None:
    feed(b"al", b"ice\nbo", b"b\n" + lines(0, 30_000).encode(), b"carol")
    summary = ingest(http, "-")
    assert http.visitors == ["alice", "bob", *(f"visitor-{number}" for number in range(30_000)), "carol"]
    assert (summary.visits, summary.complete) == (30_003, True)


def test_a_named_stream_goes_on_where_it_was(http: FakeHttp, feed: Feed) -> None:
    text = lines(0, 50_000).encode()
    feed(text[:200_000])
    ingest(http, "-", source="pipe")
    feed(text)
    ingest(http, "-", source="pipe")
    cut = text[:200_000].rpartition(b"\n")[0].count(b"\n") + 1
    assert len(http.visitors) == 50_000
    assert http.visitors[:cut] + http.visitors[cut + 1 :] == [
        f"visitor-{number}" for number in range(50_000) if number != cut
    ]


REQUEST = b'203.0.113.7 - - [26/Nov/2026:08:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "-"\n'


def test_a_stream_may_say_other_things_before_its_first_request(
    http: FakeHttp, feed: Feed, capsys: pytest.CaptureFixture[str]
) -> None:
    feed(b"/docker-entrypoint.sh: Launching\n", b"Configuration complete\n", REQUEST, REQUEST)
    summary = ingest(http, "-", form=None)
    assert (summary.visits, summary.bad, http.counts["shop"]) == (2, 2, 2)
    assert "taken for a log in the format combined" in capsys.readouterr().err


def test_a_stream_of_no_known_format_is_refused_at_its_end_or_after_enough_lines(http: FakeHttp, feed: Feed) -> None:
    for parts in ((b"a\n", b"b\n", b""), (b"a\n" * SNIFFED_LINES_MAX, REQUEST * SNIFFED_LINES_MAX)):
        feed(*parts)
        with pytest.raises(InputError, match="standard input: its lines are of no format"):
            ingest(http, "-", form=None)
    assert not http.counts


def test_a_stream_that_is_stopped_before_it_tells_its_format_counts_nothing(
    http: FakeHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, b"Starting\n")
    stop = Stop()
    monkeypatch.setattr(output, "note", lambda text: stop.event.set() if "waiting for more lines" in text else None)
    with os.fdopen(read_end) as stream, os.fdopen(write_end, "w"):
        monkeypatch.setattr("sys.stdin", stream)
        summary = ingest(http, "-", stop, form=None)
    assert (summary.visits, summary.complete) == (0, False)


def test_a_named_stream_that_ends_before_what_was_counted_of_it_is_another_one(http: FakeHttp, feed: Feed) -> None:
    feed(lines(0, 100).encode())
    ingest(http, "-", source="pipe")
    feed(lines(50, 100).encode())
    with pytest.raises(InputError, match="standard input ends before byte 1,090, up to which source pipe was counted"):
        ingest(http, "-", source="pipe")
    assert http.counts["shop"] == 100


def test_a_stream_of_bad_lines_is_told_and_ends(http: FakeHttp, feed: Feed) -> None:
    feed(b'{"visitor": "a"}\nx\n{"visitor": "b"')
    summary = ingest(http, "-", form=Format.JSONL)
    assert (http.visitors, [bad.line for bad in summary.bad_lines]) == (["a"], [2, 3])


def test_binary_data_in_a_stream_is_refused(http: FakeHttp, feed: Feed) -> None:
    feed(b"BZh91AY&SY")
    with pytest.raises(InputError, match="compressed"):
        ingest(http, "-", source="pipe")


def test_a_stream_goes_on_after_a_chunk_of_which_the_node_refuses_everything(http: FakeHttp, feed: Feed) -> None:
    http.visitors_only = {"members"}
    good, refused = b'{"counter": "shop"}\n', b'{"counter": "members"}\n'
    feed(good * 10_000 + refused * 10_000 + good)
    summary = ingest(http, "-", form=Format.JSONL, source="pipe")
    assert http.counts == {"shop": 10_001}
    assert (summary.lines, summary.bad) == (20_001, 10_000)
    assert summary.bad_lines[0].line == 10_001
