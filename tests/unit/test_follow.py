"""A log is followed as it grows and is rotated."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_http import FakeHttp
from ingesting import ingest, lines

from footfall.cli import delivery, follow, sources
from footfall.cli.formats import Format
from footfall.cli.ingest_options import Summary
from footfall.cli.recognising import SNIFFED_LINES_MAX
from footfall.cli.signals import Stop
from footfall.errors import FootfallError


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "RETRY_FIRST_S", 0.001)
    monkeypatch.setattr(delivery, "RETRY_LAST_S", 0.002)
    monkeypatch.setattr(follow, "POLL_S", 0.005)
    monkeypatch.setattr(follow, "LINGER_S", 0.02)


@pytest.fixture
def http() -> FakeHttp:
    return FakeHttp()


class Following:
    """A follower in a thread."""

    def __init__(self, http: FakeHttp, path: Path, **options: Any) -> None:
        self.http = http
        self.stop = Stop()
        self.failure: BaseException | None = None
        self.summary: Summary | None = None
        self._thread = threading.Thread(target=self._run, args=(path, options))
        self._thread.start()

    def _run(self, path: Path, options: dict[str, Any]) -> None:
        try:
            self.summary = ingest(self.http, path, self.stop, follow=True, **options)
        except FootfallError as error:
            self.failure = error

    def until(self, condition: Callable[[], bool]) -> None:
        waited = threading.Event()
        for _ in range(2_000):
            if condition() or not self._thread.is_alive():
                break
            waited.wait(0.005)
        assert condition(), self.failure

    def end(self) -> Summary:
        self.stop.event.set()
        self._thread.join(10)
        assert not self._thread.is_alive()
        assert self.summary is not None, self.failure
        return self.summary


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_following_counts_lines_as_they_are_finished(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()
    following = Following(http, log)
    append(log, "ali")
    append(log, "ce\nbob\n")
    following.until(lambda: http.visitors == ["alice", "bob"])
    append(log, "car")
    append(log, "ol\n")
    following.until(lambda: len(http.visitors) == 3)
    summary = following.end()
    assert http.visitors == ["alice", "bob", "carol"]
    assert summary.visits == 3
    assert ingest(http, log).visits == 0


def test_following_goes_over_rotation_by_renaming_and_finishes_the_old_file(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("alice\n")
    following = Following(http, log)
    following.until(lambda: len(http.visitors) == 1)
    with log.open("a") as old:
        log.rename(tmp_path / "log.1")
        log.write_text("carol\n")
        old.write("bob\n")
    following.until(lambda: len(http.visitors) == 3)
    append(log, "dave\n")
    following.until(lambda: len(http.visitors) == 4)
    assert following.end().visits == 4
    assert http.visitors == ["alice", "bob", "carol", "dave"]
    ingest(http, tmp_path / "log.1")
    ingest(http, log)
    assert http.counts["shop"] == 4


def test_a_rotated_file_ends_with_its_last_line_even_if_that_has_no_end(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("alice\nbob")
    following = Following(http, log)
    following.until(lambda: len(http.visitors) == 1)
    log.rename(tmp_path / "log.1")
    log.write_text("carol\n")
    following.until(lambda: len(http.visitors) == 3)
    following.end()
    assert http.visitors == ["alice", "bob", "carol"]


def test_following_waits_while_there_is_no_file_after_a_rotation(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("alice\n")
    following = Following(http, log)
    following.until(lambda: len(http.visitors) == 1)
    old = log.rename(tmp_path / "log.1")
    append(old, "bob\n")
    following.until(lambda: len(http.visitors) == 2)
    log.write_text("carol\n")
    following.until(lambda: len(http.visitors) == 3)
    assert following.end().visits == 3


def test_following_goes_over_rotation_by_copying_and_truncating(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("alice\nbob\n")
    following = Following(http, log)
    following.until(lambda: len(http.visitors) == 2)
    (tmp_path / "log.1").write_bytes(log.read_bytes() + b"written just before\n")
    os.truncate(log, 0)
    append(log, "carol\n")
    following.until(lambda: len(http.visitors) == 3)
    append(log, "a longer line than before\n" * 3)
    following.until(lambda: len(http.visitors) == 6)
    assert following.end().visits == 6
    assert ingest(http, tmp_path / "log.1").visits == 1
    assert ingest(http, log).visits == 0


def test_a_new_file_that_begins_like_an_old_one_is_counted_once_its_lines_tell_them_apart(
    http: FakeHttp, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.write_text("alice\n")
    following = Following(http, log)
    following.until(lambda: len(http.visitors) == 1)
    append(log, "bob\ncarol\n")
    following.until(lambda: len(http.visitors) == 3)
    log.rename(tmp_path / "log.1")
    log.write_text("alice\n")
    append(log, "dave\n")
    following.until(lambda: len(http.visitors) == 5)
    following.end()
    assert http.visitors[3:] == ["alice", "dave"]


def test_a_named_source_ends_with_its_file(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("alice\n")
    following = Following(http, log, source="mine")
    following.until(lambda: len(http.visitors) == 1)
    log.rename(tmp_path / "log.1")
    log.write_text("bob\n")
    following.until(lambda: following.failure is not None)
    assert "--source" in str(following.failure)
    assert http.visitors == ["alice"]


def test_a_stop_leaves_the_source_at_the_end_of_a_chunk(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(lines(0, 50_000))
    stop = Stop()
    http.before_chunk = lambda: stop.event.set() if len(http.chunks) == 1 else None
    summary = ingest(http, log, stop)
    assert (summary.visits, summary.complete) == (http.counts["shop"], False)
    assert 0 < summary.visits < 50_000
    assert summary.end == http.positions[str(summary.source)]
    ingest(http, log)
    assert http.visitors == [f"visitor-{number}" for number in range(50_000)]


def test_a_truncation_under_a_plain_run_is_an_error(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("alice\nbob\n")
    reader = sources.open_growing(log)
    assert reader.read(0, 100) == b"alice\nbob\n"
    log.write_text("other\n")
    with pytest.raises(sources.TruncatedError):
        reader.read(6, 100)
    reader.close()


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "with a byte order mark"])
def test_a_log_of_which_only_the_header_is_there_is_not_taken_for_the_next_one_with_that_header(
    http: FakeHttp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mark: str
) -> None:
    looks: list[Path] = []
    monkeypatch.setattr(sources.FileReader, "is_at", lambda _, path: looks.append(path))
    header = f"{mark}#Version: 1.0\n#Fields: c-ip sc-status\n"
    log, other = tmp_path / "log", tmp_path / "other"
    log.write_text(header)
    following = Following(http, log, form=None)
    following.until(lambda: len(looks) > 1)
    append(log, "192.0.2.1\t200\n")
    following.until(lambda: len(http.visitors) == 1)
    following.end()
    other.write_text(header + "".join(f"192.0.2.{number}\t200\n" for number in range(2, 9)))
    assert ingest(http, other, form=None).visits == 7
    assert len(set(http.visitors)) == 8


def test_a_log_that_begins_with_other_messages_is_followed_once_it_tells_its_format(
    http: FakeHttp, tmp_path: Path
) -> None:
    request = '{"remote_addr":"203.0.113.7","request":"GET / HTTP/1.1","status":200}\n'
    log = tmp_path / "log"
    log.write_text('{"msg":"starting"}\n')
    following = Following(http, log, form=None)
    append(log, request)
    following.until(lambda: http.counts["shop"] == 1)
    log.rename(tmp_path / "log.1")
    log.write_text('{"msg":"reopened"}\n')
    append(log, request + request)
    following.until(lambda: http.counts["shop"] == 3)
    assert following.end().visits == 3


def test_a_log_that_is_said_to_be_json_is_followed_once_it_tells_of_an_answered_request(
    http: FakeHttp, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = '{"remote_addr":"203.0.113.7","path":"/","event":"begins"}\n'
    done = '{"remote_addr":"203.0.113.7","path":"/","event":"done","status":200}\n'
    log = tmp_path / "log"
    log.write_text(begun)
    following = Following(http, log, form=Format.JSON)
    append(log, done + begun + done)
    following.until(lambda: http.counts["shop"] == 2)
    assert following.end().visits == 2
    assert "--format says it" not in capsys.readouterr().err


def test_a_log_of_no_known_format_is_not_followed_for_ever(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("hello\n")
    following = Following(http, log, form=None)
    append(log, "hello\n" * SNIFFED_LINES_MAX)
    following.until(lambda: following.failure is not None)
    assert "of no format that is known" in str(following.failure)
