"""What is printed: tables for people and for pipes, colours where they are wanted, numbers as people say them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from footfall.cli import output
from footfall.cli.top_text import log_line, spool_line
from footfall.cli.top_wire import LogState, SpoolState
from footfall.ordinals import counted

ROWS = [
    ("shop.books", 1234567, "visits"),
    ("caf\N{LATIN SMALL LETTER E WITH ACUTE}", 5, "visits"),
    ("日本", "", "gone"),
]


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    output.print_table(("counter", "value", "unit"), ROWS)
    return capsys.readouterr().out.splitlines()


def pretend_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_a_table_in_a_pipe_names_its_columns_and_has_tabs_and_plain_numbers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert printed(capsys) == ["counter\tvalue\tunit", "shop.books\t1234567\tvisits", "café\t5\tvisits", "日本\t\tgone"]


def test_a_table_on_a_terminal_is_aligned_by_what_letters_take_and_numbers_are_grouped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_terminal(monkeypatch)
    assert printed(capsys) == [
        "\x1b[2mcounter         value  unit\x1b[0m",
        "shop.books  1,234,567  visits",
        "café                5  visits",
        "日本                   gone",
    ]


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_that_wants_no_colours_gets_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    pretend_terminal(monkeypatch)
    monkeypatch.setenv(name, value)
    assert printed(capsys)[0] == "counter         value  unit"
    assert output.moves() is (name != "TERM")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    output.error("it failed")
    assert capsys.readouterr().err == "footfall: it failed\n"


def test_one_is_one_and_not_several() -> None:
    assert (counted(1, "visit"), counted(0, "visit"), counted(2000, "copy", "copies")) == (
        "1 visit",
        "0 visits",
        "2,000 copies",
    )
    assert log_line(LogState(messages=1, replicas=1, servers=["a"])) == "1 message, 0 B; 1 copy on 1 server"
    assert log_line(LogState(messages=2, replicas=3)) == "2 messages, 0 B; 3 copies on some servers"
    assert spool_line(SpoolState(visits=1, spooling=True)).startswith("1 visit, 0 B, the oldest for 0 s")


def test_names_of_files_that_are_no_text_are_told_in_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"file": "bad\udcff.log", "lines": [1]})
    printed = capsys.readouterr().out
    assert printed == '{"file":"bad\\udcff.log","lines":[1]}\n'
    assert json.loads(printed)["file"] == "bad\udcff.log"


def test_letters_that_a_terminal_does_not_have_end_nothing(tmp_path: Path) -> None:
    log = tmp_path / "caf\N{LATIN SMALL LETTER E WITH ACUTE}.log"
    log.write_text("ann\n")
    command = [sys.executable, "-m", "footfall.cli", "ingest", log, "--format", "lines", "--counter", "a", "--dry-run"]
    done = subprocess.run(command, capture_output=True, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"caf\\xe9.log" in done.stdout


@pytest.mark.parametrize("command", ["--help", "--version"])
def test_who_has_read_enough_is_no_error(command: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run([sys.executable, "-m", "footfall.cli", command], stdout=closed, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (141, b"")
