"""Wrong use of the commands, beyond test_cli.py: one line says what is wrong and what to do, and nothing is counted."""

import bz2
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import PATIENCE_S, serve

from footfall import cli
from footfall.cli.client import Client

NAME = ("cannot name a counter", "1 to 8 dot-separated parts", "200 characters at most")
COUNTS = ("", " 1", "1_000", "\N{ARABIC-INDIC DIGIT THREE}", "1e3", "1.0", "0x10", "true", "+1", "9" * 5000)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server in which nothing is counted."""
    process, where = serve(tmp_path_factory.mktemp("cli") / "data")
    yield where
    with Client(where) as client:
        assert list(client.counters()) == []
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0


class Refused:
    """Runs a command in this process, as ``footfall`` would, and expects one line on stderr and nothing else."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str, code: int, says: tuple[str, ...]) -> None:
        assert cli.run(arguments) == code
        out, err = self._capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1, err
        assert len(err) < 400, err
        for text in says:
            assert text in err, err


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    return Refused(capsys)


@pytest.mark.parametrize("count", COUNTS)
def test_a_count_that_is_no_whole_number_in_plain_digits_is_shown(refused: Refused, url: str, count: str) -> None:
    refused(
        "hit", "a", "--count", count, "--url", url, code=2, says=("--count", repr(count[:40]), "not a whole number")
    )


@pytest.mark.parametrize("n", COUNTS)
def test_an_n_or_a_value_that_is_no_whole_number_in_plain_digits_is_shown(refused: Refused, url: str, n: str) -> None:
    says = (repr(n[:40]), "not a whole number in digits alone")
    for command in (["add", "a", n], ["show", "a", n], ["claim", "a", n, "receipt"]):
        refused("milestone", *command, "--url", url, code=2, says=says)
    refused("import", "a", n, "--note", "n", "--url", url, code=2, says=says)


@pytest.mark.parametrize("n", [-1, 0, 2**63, 10**39])
def test_an_n_or_a_value_out_of_its_range_is_told_the_range(refused: Refused, url: str, n: int) -> None:
    for command in (["add", "a", str(n)], ["show", "a", str(n)], ["claim", "a", str(n), "receipt"]):
        refused("milestone", *command, "--url", url, code=2, says=(f"N is {n};", "from 1 to 2**63 - 1"))
    refused("import", "a", str(n), "--note", "n", "--url", url, code=2, says=(f"the value is {n};", "from 1 to"))


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "empty"), ("a" * 1001, "1001 bytes"), ("a\x01", r"'a\x01'"), ("\udcff", "not valid Unicode")],
)
def test_a_receipt_a_note_or_a_key_that_is_none_is_named(refused: Refused, url: str, text: str, says: str) -> None:
    refused("milestone", "claim", "a", "5", text, "--url", url, code=2, says=("receipt", says))
    refused("milestone", "claim", "a", "5", "receipt", f"--key={text}", "--url", url, code=2, says=("key", says))
    refused("import", "a", "5", f"--note={text}", "--url", url, code=2, says=("note", says))


@pytest.mark.parametrize("name", ["", ".", "a b", "a\nb", "a/b", "\N{LATIN SMALL LETTER E WITH ACUTE}", "\udcff"])
def test_what_cannot_name_a_counter_is_told_the_rule_by_every_command(refused: Refused, url: str, name: str) -> None:
    for command in (
        ["hit", name],
        ["read", name],
        ["read", name, "--exact"],
        ["define", name, "--unit", "visits"],
        ["milestone", "add", name, "5"],
        ["milestone", "show", name, "5"],
        ["milestone", "list", name],
        ["milestone", "claim", name, "5", "receipt"],
        ["import", name, "5", "--note", "n"],
    ):
        refused(*command, "--url", url, code=2, says=NAME)
    refused("ingest", "visits.log", "--counter", name, "--url", url, code=2, says=NAME)


@pytest.mark.parametrize("flag", ["visitor", "key"])
@pytest.mark.parametrize(
    ("text", "says"), [("", "empty"), ("a" * 257, "257 bytes"), ("a\x01", r"'a\x01'"), ("\udcff", "not valid Unicode")]
)
def test_a_visitor_or_key_that_is_none_is_named(refused: Refused, url: str, flag: str, text: str, says: str) -> None:
    refused("hit", "a", f"--{flag}={text}", "--url", url, code=2, says=(flag, says))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("define a", "--unit"),
        ("define a --unit VISITS", '"visits", "visitors"'),
        ("hit a b", "'b'"),
        ("hit a --visitor", "--visitor"),
        ("read", "COUNTER"),
        ("counters a b", "'b'"),
        ("nodes all", "'all'"),
        ("milestone add a", "N"),
        ("milestone add", "COUNTER"),
        ("milestone claim a 5", "RECEIPT"),
        ("milestone show a 5 --timeout 5", "--timeout is 5.0; it goes with --wait"),
        ("milestone show a 5 --wait --timeout 0", "--timeout is 0.0"),
        ("milestone show a 5 --wait --timeout nan", "--timeout is nan"),
        ("milestone list a b", "'b'"),
        ("import a 5", "--note"),
        ("import a", "VALUE"),
        ("import a 5 --note n --source a/b", "'a/b' cannot name a source"),
        ("import a 5 --note n --source=", "'' cannot name a source"),
        ("demo --to 0", "--to is 0"),
        ("demo --rate nan", "--rate is nan"),
        ("demo --data {file}", "data directory {file} cannot be used"),
        ("ingest - --counter a --source a/b", "'a/b' cannot name a source"),
        ("ingest - --counter a --timeout 0", "--timeout is 0"),
        ("ingest - --counter a --timeout nan", "--timeout is nan"),
        ("ingest {file}/below --counter a", "{file}/below cannot be read"),
    ],
)
def test_what_a_command_cannot_take_is_named(refused: Refused, tmp_path: Path, arguments: str, says: str) -> None:
    file = tmp_path / "file"
    file.write_text("alice\n")
    refused(*arguments.format(file=file).split(), code=2, says=(says.format(file=file),))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\x7fELF\x02\x01\x01\0\0", "NUL bytes"),
        ("alice\nbob\n".encode("utf-16"), "NUL bytes"),
        (bz2.compress(b"alice\n"), "bzip2 -dc"),
        (b"a" * (1 << 20) + b"\n", "longer than 1,048,576 bytes"),
    ],
)
def test_a_file_that_is_no_log_is_refused_whole(
    refused: Refused, url: str, tmp_path: Path, content: bytes, says: str
) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(content)
    for form in ("lines", "combined", "jsonl"):
        refused("ingest", str(log), "--counter", "a", "--format", form, "--url", url, code=2, says=(str(log), says))


def test_a_file_that_cannot_be_read_is_named(refused: Refused, url: str) -> None:
    unreadable = "/proc/self/mem"  # for root too: there is nothing at its beginning
    refused("ingest", unreadable, "--counter", "a", "--url", url, code=2, says=(f"{unreadable} cannot be read",))
    refused("ingest", "", "--counter", "a", "--url", url, code=2, says=("name of the file is empty",))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"count":1,"count":5}', "the field 'count' is given twice"),
        ('{"visitor":"a","visitor":"::1"}', "the field 'visitor' is given twice"),
        ('{"count":1e3}', "got `float`"),
        ('{"count":true}', "got `bool`"),
        ('{"count":"1"}', "got `str`"),
        ('{"count":0}', "the count is 0"),
        ('{"vistor":"a"}', "unknown field `vistor`"),
        ('{"visitor":"\\ud800"}', "is not JSON"),
        ('{"visitor":"\\u0000"}', "cannot be shown"),
        ('{"counter":"a b"}', "'a b' cannot name a counter"),
        ("[" * 10_000, "got `array`"),
        ("1", "got `int`"),
    ],
)
def test_a_line_that_is_no_visit_is_told_and_not_counted(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, says: str
) -> None:
    log = tmp_path / "visits.jsonl"
    log.write_text(line + "\n")
    assert cli.run(["ingest", str(log), "--format", "jsonl", "--counter", "a", "--url", url]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("0 visits counted")
    told, *_ = err.splitlines()
    assert "line 1: " in told
    assert says in told


def test_a_url_below_which_there_is_no_node_is_asked_about(refused: Refused, url: str) -> None:
    for command in (
        ["read", "a"],
        ["hit", "a"],
        ["counters"],
        ["nodes"],
        ["define", "a", "--unit", "visits"],
        ["milestone", "add", "a", "5"],
        ["milestone", "list"],
        ["import", "a", "5", "--note", "n"],
    ):
        refused(*command, "--url", f"{url}/counting", code=1, says=(f"{url}/counting", "404", "is the URL right?"))
