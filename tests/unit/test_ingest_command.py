"""``footfall ingest`` over several files, with filters, and dry: what it counts, says and ends with."""

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_http import FakeHttp
from ingesting import asked_for, ingest, lines

from footfall.cli import ingest as command
from footfall.cli import ingest_files
from footfall.cli.chunks import BAD_REASON_MAX, Cut
from footfall.cli.client import Client
from footfall.cli.delivery import OTHERS, Chunk, DryCourier
from footfall.cli.formats import Format
from footfall.cli.ingest_files import expand
from footfall.cli.selecting import Line
from footfall.errors import ConfigError, InputError, UnreachableError

LINE = '203.0.113.{} - - [10/Oct/2026:13:55:36 +0000] "{} {} HTTP/1.1" {} 5 "-" "{}"\n'
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

Run = Callable[..., int]


@pytest.fixture
def http() -> FakeHttp:
    return FakeHttp()


@pytest.fixture
def run(http: FakeHttp, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(command, "Client", lambda where: Client(where, http.transport))

    def run(*files: Path | str, **options: Any) -> int:
        return command.run(asked_for(*files, **options))

    return run


def write(path: Path, text: str, age_s: int = 0) -> Path:
    path.write_text(text)
    os.utime(path, (10**9 - age_s, 10**9 - age_s))
    return path


def requests(*requests: tuple[str, str, int]) -> str:
    return "".join(LINE.format(n, method, path, status, BROWSER) for n, (method, path, status) in enumerate(requests))


# --- several files ---


def test_files_are_counted_the_oldest_first(http: FakeHttp, run: Run, tmp_path: Path) -> None:
    write(tmp_path / "access.log", "carol\n")
    write(tmp_path / "access.log.1", "bob\n", age_s=10)
    (tmp_path / "access.log.2.gz").write_bytes(gzip.compress(b"alice\n"))
    os.utime(tmp_path / "access.log.2.gz", (10**8, 10**8))
    assert run(f"{tmp_path}/access.log*") == 0
    assert http.visitors == ["alice", "bob", "carol"]


def test_one_bad_file_does_not_stop_the_others(
    http: FakeHttp, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "a", "alice\n")
    (tmp_path / "b").write_bytes(b"BZh9")
    write(tmp_path / "c", "carol\n")
    (tmp_path / "d").write_bytes(gzip.compress(b"dave\n" * 9)[:-9])
    assert run(*(tmp_path / name for name in "abcd"), tmp_path / "missing", tmp_path) == 1
    assert {"alice", "carol"} <= set(http.visitors)
    told = capsys.readouterr()
    assert "bunzip2" in told.err or "bzip2" in told.err
    for why in ("there is no file", "is a directory", "in the middle of its compressed data"):
        assert why in told.err
    assert "from 6 files" in told.out
    assert "4 files failed" in told.out


def test_a_node_that_is_away_stops_at_the_first_file(
    http: FakeHttp, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    http.refuse_connections = True
    write(tmp_path / "a", "alice\n")
    write(tmp_path / "b", "bob\n")
    with pytest.raises(UnreachableError):
        run(tmp_path / "a", tmp_path / "b")
    assert "from 1 file, 1 file failed" in capsys.readouterr().out


def test_of_many_files_it_is_told_what_differs_and_together_what_is_the_same(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, path in (("1", "/a"), ("2", "/b"), ("3", "/c")):
        write(tmp_path / name, requests(("GET", path, 200)))
    assert run(f"{tmp_path}/*", form=None) == 0
    assert capsys.readouterr().err.count("is taken for a log in the format combined") == 1
    write(tmp_path / "2", requests(("GET", "/b", 200), ("GET", "/b", 200)))
    assert run(f"{tmp_path}/*", form=None) == 0
    first, *others = capsys.readouterr().out.splitlines()
    assert first.startswith(f"1 visit counted in shop from {tmp_path}/2")
    assert others == ["together: 1 visit counted from 3 files, nothing new in 2 files"]


def test_what_is_to_be_known_of_the_counter_is_told_once_something_is_counted_in_it(
    http: FakeHttp, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    http.counts["shop"] = 1
    http.visitors_only.add("readers")
    log = write(tmp_path / "log", "ann\nbob\n")
    for counter, remark in (
        ("shpo", "footfall: shpo is a new counter; did you mean shop?\n"),
        ("shop", ""),
        ("readers", "footfall: readers counts visitors: of one visitor's visits the first\n"),
    ):
        assert run(log, log, counter=counter) == 0
        assert capsys.readouterr().err == remark
    empty = write(tmp_path / "empty", "")
    assert run(empty, counter="another") == 0
    assert capsys.readouterr().err == ""


def test_a_field_that_none_of_the_first_objects_has_is_told(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = {"remote_addr": "192.0.2.7", "uri": "/", "status": 200, "user": "ann"}
    log = write(tmp_path / "log", json.dumps(entry) + "\n")
    for field, told in (("user", False), ("usr", True)):
        assert run(log, form=None, counter=field, visitor_from=f"field:{field}") == 0
        assert (f"none of its first lines tells {field}" in capsys.readouterr().err) == told


def test_what_is_wrong_for_all_files_is_told_once(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("1", "2", "3"):
        write(tmp_path / name, requests(("GET", f"/{name}", 200)))
    assert run(f"{tmp_path}/*", form=None, counter=None) == 1
    out, err = capsys.readouterr()
    assert err == "footfall: the lines, taken for combined, name no counter: say --counter NAME\n"
    assert out == "together: 0 visits counted from 3 files, 3 files failed\n"


def test_each_file_is_a_line_of_json(
    http: FakeHttp, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "a", "alice\nbob\n")
    (tmp_path / "b").write_bytes(b"BZh9")
    assert run(tmp_path / "a", tmp_path / "b", json=True) == 1
    first, second = sorted(map(json.loads, capsys.readouterr().out.splitlines()), key=lambda one: str(one["file"]))
    assert (first["visits"], first["error"], first["complete"]) == (2, None, True)
    assert "compressed" in second["error"]


def test_a_file_is_counted_once_under_whatever_names(http: FakeHttp, run: Run, tmp_path: Path) -> None:
    log = write(tmp_path / "log", "alice\n")
    (tmp_path / "link").symlink_to(log)
    assert run(log, tmp_path / "link", f"{tmp_path}/lo?", log) == 0
    assert http.visitors == ["alice"]


def test_a_dash_that_an_editor_made_of_two_hyphens_is_told() -> None:
    with pytest.raises(ConfigError, match="there is no file —counter: a flag begins with two hyphens, --counter"):
        expand(["access.log", "—counter", "shop"])


def test_patterns_stand_for_files_and_names_for_themselves(tmp_path: Path) -> None:
    odd = write(tmp_path / "log[1]", "alice\n")
    other = write(tmp_path / "log1", "alice\n")
    (tmp_path / "logs").mkdir()
    assert expand([str(odd)]) == [str(odd)]
    assert expand([f"{tmp_path}/log*"]) == sorted([str(odd), str(other)])
    assert expand([f"{tmp_path}/missing"]) == [f"{tmp_path}/missing"]
    with pytest.raises(InputError, match="no file is named as in"):
        expand([f"{tmp_path}/nothing*"])


def test_too_many_files_and_pipes_beside_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_files, "FILES_MAX", 2)
    for name in "abc":
        write(tmp_path / name, "alice\n")
    with pytest.raises(InputError, match="more than 2 files"):
        expand([f"{tmp_path}/*"])
    with pytest.raises(ConfigError, match="alone"):
        expand(["-", str(tmp_path / "a")])


@pytest.mark.parametrize("options", [{"source": "mine"}, {"follow": True}])
def test_what_is_for_one_file_is_refused_for_several(run: Run, tmp_path: Path, options: dict[str, Any]) -> None:
    write(tmp_path / "a", "alice\n")
    write(tmp_path / "b", "bob\n")
    with pytest.raises(ConfigError, match="several"):
        run(tmp_path / "a", tmp_path / "b", **options)


def test_a_log_of_its_own_format_is_recognised_beside_others(http: FakeHttp, run: Run, tmp_path: Path) -> None:
    write(tmp_path / "a", requests(("GET", "/", 200)))
    write(tmp_path / "b", '{"visitor": "eve"}\n')
    write(tmp_path / "c", "alice\n")
    assert run(*(tmp_path / name for name in "abc"), form=None) == 1
    assert sorted(filter(None, http.visitors)) == ["203.0.113.0", "eve"]


# --- filters ---


def test_what_is_passed_over_is_decided_and_not_read_again(http: FakeHttp, tmp_path: Path) -> None:
    log = write(tmp_path / "log", requests(("GET", "/", 200), ("GET", "/a", 404), ("GET", "/b", 404)))
    summary = ingest(http, log, form=None, statuses=("2xx",))
    assert (summary.visits, summary.filtered, summary.lines, summary.end) == (1, 2, 3, log.stat().st_size)
    again = ingest(http, log, form=None, statuses=("4xx",))
    assert (again.visits, again.lines, again.begin) == (0, 0, log.stat().st_size)
    assert http.counts["shop"] == 1


def test_a_log_of_which_nothing_is_wanted_is_decided_too(http: FakeHttp, tmp_path: Path) -> None:
    log = write(tmp_path / "log", requests(*[("GET", "/", 404)] * 25_000))
    assert ingest(http, log, form=None, statuses=("2xx",)).filtered == 25_000
    assert list(http.positions.values()) == [log.stat().st_size]
    assert ingest(http, log, form=None, statuses=("2xx",)).lines == 0


def test_lines_that_cannot_be_read_are_told_beside_those_that_are_not_wanted(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = write(tmp_path / "log", requests(("GET", "/", 404)) * 3 + "damaged\n\n" + requests(("GET", "/", 200)))
    assert run(log, form=None, statuses=("2xx",)) == 0
    told = capsys.readouterr()
    assert "1 visit counted in shop" in told.out
    assert "3 passed over" in told.out
    assert "line 4: is not in the combined log format: 'damaged'" in told.err


def test_counters_below_the_named_one_are_those_that_are_there_first(http: FakeHttp, run: Run, tmp_path: Path) -> None:
    log = write(tmp_path / "log", requests(("GET", "/a", 200), ("GET", "/b", 200), ("GET", "/c", 200)))
    http.counts["shop.b"] = http.counts["shop.x"] = 0
    assert run(log, form=None, counter_from="path", names_max=2) == 0
    assert {name: count for name, count in http.counts.items() if count} == {"shop": 2, "shop.b": 1}


def test_a_token_that_may_not_read_counters_may_still_ingest(http: FakeHttp, run: Run, tmp_path: Path) -> None:
    log = write(tmp_path / "log", requests(("GET", "/a", 200)))
    http.forbids_reading = True
    assert run(log, form=None, counter_from="path") == 0
    assert http.counts["shop.a"] == 1


# --- dry ---


def test_a_dry_run_tells_what_would_be_counted_and_asks_no_node(
    http: FakeHttp, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    http.refuse_connections = True
    log = write(tmp_path / "log", requests(("GET", "/a", 200), ("GET", "/b", 200), ("GET", "/b", 200)) + "damaged\n")
    assert run(log, form=None, counter_from="path", dry_run=True) == 0
    told = capsys.readouterr()
    assert "3 visits would be counted in shop" in told.out
    assert told.out.splitlines()[1:] == ["counter\tvisits", "shop.b\t2", "shop.a\t1"]
    assert "line 4:" in told.err
    assert not http.chunks


def test_a_dry_run_is_told_in_json_too(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = write(tmp_path / "log", lines(0, 5))
    assert run(log, dry_run=True, json=True) == 0
    assert json.loads(capsys.readouterr().out)["counters"] == {"shop": 5}


def test_a_dry_run_tells_no_more_counters_apart_than_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("footfall.cli.delivery.COUNTERS_MAX", 2)
    courier = DryCourier()
    visits = [Line(name) for name in ("a", "b", "c", "a", "d")]
    courier.deliver(Chunk("s", 0, 0, Cut(9, 5, visits, []), b""))
    assert courier.counters == {"a": 2, OTHERS: 2, "b": 1}


# --- wrong use ---


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"files": ()}, "name a log file"),
        ({"files": ("",)}, "name a log file"),
        ({"form": None, "template": "nothing"}, "has no variables"),
        ({"form": Format.CADDY, "template": "$remote_addr"}, "leave --format caddy out"),
        ({"form": Format.COMMON, "exclude_bots": True}, "user agent"),
        ({"form": Format.CLOUDFRONT, "counter": None}, "--counter NAME"),
        ({"follow": True, "dry_run": True}, "--dry-run"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_read(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        asked_for(*options.pop("files", ("missing",)), **options)


def test_an_own_format_counts(http: FakeHttp, tmp_path: Path) -> None:
    log = write(tmp_path / "log", "200 192.0.2.7 a\n404 192.0.2.8 b\n")
    ingest(http, log, form=None, template="$status $remote_addr $host", statuses=("2xx",), counter_from="host")
    assert http.counts == {"shop.a": 1}
    ingest(http, log, form=None, template="%s %a %v", counter="blog")
    assert http.counts["blog"] == 2


def test_columns_are_still_known_when_a_log_is_gone_on_with(http: FakeHttp, tmp_path: Path) -> None:
    log = write(tmp_path / "log", "#Version: 1.0\n#Fields: c-ip sc-status\n192.0.2.7\t200\n")
    assert ingest(http, log, form=None).visits == 1
    write(log, log.read_text() + "192.0.2.8\t200\n")
    assert ingest(http, log, form=None).visits == 1
    assert http.visitors == ["192.0.2.7", "192.0.2.8"]


def test_a_first_line_that_is_very_long_does_not_hide_the_format(http: FakeHttp, tmp_path: Path) -> None:
    long = f'192.0.2.7 - - [26/Nov/2026:08:00:00 +0100] "GET /{"x" * 100_000} HTTP/1.1" 200 5 "-" "x"\n'
    log = write(tmp_path / "log", long + requests(("GET", "/a", 200)))
    assert ingest(http, log, form=None).form == "combined"
    assert http.counts == {"shop": 2}


def test_a_few_nul_bytes_that_a_client_sent_do_not_make_a_log_binary(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    sent = b'192.0.2.7 - - [26/Nov/2026:08:00:00 +0100] "\x16\x03\x01\0\0\0" 400 157 "-" "-"\n'
    log.write_bytes(sent + requests(("GET", "/a", 200)).encode())
    assert ingest(http, log, form=None).visits == 2
    log.write_bytes(requests(("GET", "/a", 200)).encode("utf-16"))
    with pytest.raises(InputError, match="UTF-16"):
        ingest(http, log, form=None)


def test_the_reason_why_a_line_is_bad_is_short_however_long_what_is_wrong(http: FakeHttp, tmp_path: Path) -> None:
    log = write(tmp_path / "log", "\x01" * 250 + "\nalice\n")
    (bad,) = ingest(http, log).bad_lines
    assert len(bad.reason) == BAD_REASON_MAX + 1
    assert bad.reason.startswith("the visitor has characters that cannot be shown: '\\x01")
