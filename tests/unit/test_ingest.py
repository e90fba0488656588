"""A log is counted once, line by line, and what cannot be read is told."""

from pathlib import Path

import pytest
from fake_http import FakeHttp
from hypothesis import given
from hypothesis import strategies as st
from ingesting import ingest, lines

from footfall.cli import chunks, delivery, follow
from footfall.cli.formats import Format, Reading, parser
from footfall.cli.selecting import Selection
from footfall.errors import ConfigError, FootfallError, InputError


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "RETRY_FIRST_S", 0.001)
    monkeypatch.setattr(delivery, "RETRY_LAST_S", 0.002)
    monkeypatch.setattr(follow, "POLL_S", 0.005)
    monkeypatch.setattr(follow, "LINGER_S", 0.02)


@pytest.fixture
def http() -> FakeHttp:
    return FakeHttp()


# --- the whole, in order ---


def test_every_line_counts_once_in_order(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(lines(0, 25_000))
    summary = ingest(http, log)
    assert http.visitors == [f"visitor-{number}" for number in range(25_000)]
    assert (summary.lines, summary.visits, summary.bad, summary.unterminated) == (25_000, 25_000, 0, 0)
    assert summary.complete
    assert len(http.chunks) == 3, "10,000 visits a chunk"


def test_bodies_stay_below_the_limit_however_long_the_visitors(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"{number:->250}\n" for number in range(12_000)))
    ingest(http, log)
    assert http.counts["shop"] == 12_000
    assert max(http.bodies) <= chunks.BATCH_BYTES_MAX


def test_ingesting_again_adds_nothing(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(lines(0, 1_000))
    ingest(http, log)
    summary = ingest(http, log)
    assert http.counts["shop"] == 1_000
    assert (summary.lines, summary.visits, summary.begin) == (0, 0, log.stat().st_size)


def test_what_was_added_is_counted_and_nothing_else(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    total = 0
    for grown in (1, 1, 3, 12, 40, 500, 3_000):
        with log.open("a") as file:
            file.write(lines(total, total + grown))
        total += grown
        ingest(http, log)
        assert http.counts["shop"] == total


def test_an_empty_file_has_nothing_to_count(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()
    summary = ingest(http, log)
    assert (summary.lines, summary.unterminated, summary.complete) == (0, 0, True)


# --- last lines without an end ---


def test_a_last_line_without_an_end_counts_once_even_if_it_goes_on_later(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("alice\nbob\ncar")
    ingest(http, log)
    assert http.visitors == ["alice", "bob", "car"]
    for added in ("", "o", "l", "ine\n", "dave\n"):
        with log.open("a") as file:
            file.write(added)
        ingest(http, log)
    assert http.visitors == ["alice", "bob", "car", "dave"]


def test_a_last_line_that_cannot_be_read_yet_is_left_for_next_time(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text('{"visitor": "alice"}\n{"visitor": "b')
    summary = ingest(http, log, form=Format.JSONL)
    assert (http.visitors, summary.unterminated, summary.bad) == (["alice"], 1, 0)
    with log.open("a") as file:
        file.write('ob"}\n')
    summary = ingest(http, log, form=Format.JSONL)
    assert (http.visitors, summary.unterminated) == (["alice", "bob"], 0)


def test_a_file_without_any_whole_line_waits_until_it_has_one(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("ali")
    summary = ingest(http, log)
    assert (summary.unterminated, http.visitors) == (1, [])
    log.write_text("alice\n")
    ingest(http, log)
    assert http.visitors == ["alice"]


# --- lines that cannot be read ---


def test_bad_lines_are_told_by_number_and_blank_ones_ignored(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(
        b'{"visitor": "a"}\n\n  \r\nnonsense\n{"visitor": "b"}\r\n{"count": 0}\n\xff\n{"visitor": "c"}\n{]\n'
    )
    summary = ingest(http, log, form=Format.JSONL)
    assert http.visitors == ["a", "b", "c"]
    assert (summary.lines, summary.visits, summary.blank, summary.bad) == (9, 3, 2, 4)
    assert [bad.line for bad in summary.bad_lines] == [4, 6, 7, 9]
    assert summary.bad_lines[0].text == "nonsense"


def test_line_numbers_are_those_of_the_whole_file(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text('{"visitor": "a"}\n' * 12_000)
    ingest(http, log, form=Format.JSONL)
    with log.open("a") as file:
        file.write('{"visitor": "a"}\nnonsense\n' * 7)
    summary = ingest(http, log, form=Format.JSONL)
    assert [bad.line for bad in summary.bad_lines] == [12_002, 12_004, 12_006, 12_008, 12_010]
    assert (summary.bad, summary.visits) == (7, 7)


def test_a_wrong_format_counts_nothing_and_the_right_one_then_counts_all(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(lines(0, 100))
    assert ingest(http, log, form=Format.COMBINED).bad == 100
    assert ingest(http, log, form=Format.LINES).visits == 100


def test_a_line_longer_than_a_block_is_bad_and_the_rest_counts(
    http: FakeHttp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("footfall.cli.ingester.BLOCK_BYTES", 4096)
    log = tmp_path / "log"
    log.write_text("alice\n" + "x" * 20_000 + "\nbob\n" + "y" * 9_000)
    summary = ingest(http, log)
    assert (http.visitors, summary.bad, summary.unterminated) == (["alice", "bob"], 1, 1)
    assert summary.bad_lines[0].line == 2


def test_visits_that_only_the_node_can_refuse_are_bad_lines_too(http: FakeHttp, tmp_path: Path) -> None:
    http.visitors_only = {"members"}
    log = tmp_path / "log"
    text = ['{"counter": "members"}', '{"counter": "shop"}', '{"counter": "members", "visitor": "a"}', "x"] * 500
    log.write_text("\n".join(text) + "\n")
    summary = ingest(http, log, form=Format.JSONL)
    assert http.counts == {"members": 500, "shop": 500}
    assert (summary.visits, summary.bad) == (1_000, 1_000)
    assert [bad.line for bad in summary.bad_lines] == [1, 4, 5, 8, 9]
    assert "names no visitor" in summary.bad_lines[0].reason


def test_a_chunk_of_which_the_node_refuses_everything_does_not_stop_the_rest(http: FakeHttp, tmp_path: Path) -> None:
    http.visitors_only = {"members"}
    log = tmp_path / "log"
    log.write_text('{"counter": "members"}\n' * 15_000 + '{"counter": "shop"}\n')
    summary = ingest(http, log, form=Format.JSONL)
    assert http.counts == {"shop": 1}
    assert (summary.lines, summary.bad) == (15_001, 15_000)


def test_a_byte_order_mark_is_no_part_of_the_first_visitor(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"\xef\xbb\xbfalice\r\nbob\r\n")
    ingest(http, log)
    assert http.visitors == ["alice", "bob"]


# --- what cannot be read at all ---


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"BZh9", "bzip2"), (b"\xfd7zXZ", "xz"), (b"a\0b\n", "NUL"), ("a\n".encode("utf-16"), "NUL")],
)
def test_what_is_not_text_is_refused(http: FakeHttp, tmp_path: Path, content: bytes, why: str) -> None:
    log = tmp_path / "log"
    log.write_bytes(content)
    with pytest.raises(InputError, match=why):
        ingest(http, log)


def test_missing_files_directories_and_odd_names_are_refused(http: FakeHttp, tmp_path: Path) -> None:
    for name, why in (("missing", "no file"), (".", "directory"), ("a\0b", "cannot be read")):
        with pytest.raises(InputError, match=why):
            ingest(http, f"{tmp_path}/{name}")


def test_wrong_options_are_refused_before_anything_is_read(http: FakeHttp, tmp_path: Path) -> None:
    for options in ({"counter": None}, {"counter": "a b"}, {"source": "a b"}, {"timeout_s": 0.0}):
        with pytest.raises(FootfallError):
            ingest(http, tmp_path / "missing", **options)
    with pytest.raises(ConfigError, match="--follow"):
        ingest(http, "-", follow=True)


# --- chunks are pure ---


@given(st.lists(st.sampled_from([b"alice", b"", b" ", b"\xff", b"bob\r", b"x" * 300]), max_size=60), st.integers(1, 20))
def test_cutting_covers_every_byte_once_and_ends_where_lines_end(texts: list[bytes], lines_max: int) -> None:
    data = b"".join(text + b"\n" for text in texts)
    parse = parser(Reading(Format.LINES), Selection(counter="shop"))
    whole = chunks.cut(data, 7, parse, len(texts) + 1)
    assert whole.end == 7 + len(data)
    assert whole.lines == len(texts) == len(whole.visits) + len(whole.refused)
    offset, found, tally = 0, [], chunks.Tally()
    while offset < len(data):
        piece = chunks.cut(data[offset:], 7 + offset, parse, lines_max)
        assert 7 + offset < piece.end
        assert data[piece.end - 8 : piece.end - 7] == b"\n"
        found += piece.visits
        tally += piece.tally(tally.lines)
        offset = piece.end - 7
    assert found == whole.visits
    assert tally == whole.tally(0)
