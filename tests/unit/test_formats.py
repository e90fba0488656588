"""What one line of a log says."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.cli.formats import Format, Parse, Reading, parser
from footfall.cli.logs.hit import Skip
from footfall.cli.recognising import recognise
from footfall.cli.selecting import Line, Selection
from footfall.core.visit import check_visit
from footfall.errors import InputError

REAL_LOG = Path(
    os.environ.get("FOOTFALL_TEST_LOG") or Path(__file__).parents[2].parent / "shared" / "data" / "apache_logs"
)
HEAD = [
    b"#Version: 1.0",
    b"#Fields: date time c-ip cs-method cs(Host) cs-uri-stem sc-status cs(User-Agent)",
    b'{"remote_addr":"203.0.113.7","request":"GET / HTTP/1.1","status":200}',
]
COMMON = b'203.0.113.7 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 203023'
COMBINED = COMMON + b' "http://example.com/" "Mozilla/5.0 (X11)"'


def parser_of(form: Format, counter: str | None = "shop") -> Parse:
    return parser(Reading(form, head=HEAD), Selection(counter=counter))


def visitor(form: Format, line: bytes) -> str | None:
    visit = parser_of(form)(line)
    assert type(visit) is Line, visit
    assert visit.counter == "shop"
    return visit.visitor


def reason(form: Format, line: bytes, counter: str | None = "shop") -> str:
    visit = parser_of(form, counter)(line)
    assert isinstance(visit, str), visit
    return visit


def test_the_visitor_of_an_access_log_is_the_remote_host() -> None:
    assert visitor(Format.COMBINED, COMBINED) == "203.0.113.7"
    assert visitor(Format.COMMON, COMMON) == "203.0.113.7"
    assert visitor(Format.COMMON, COMBINED) == "203.0.113.7"


@pytest.mark.parametrize(
    "line",
    [
        COMBINED.replace(b"203.0.113.7", b"2001:db8::7"),
        COMBINED.replace(b"- - [", b"ident frank [").replace(b"203.0.113.7", b"2001:db8::7"),
        COMBINED.replace(b"- - [", b"- John Doe [").replace(b"203.0.113.7", b"2001:db8::7"),
        COMBINED.replace(b"- - [", b"- odd[user [").replace(b"203.0.113.7", b"2001:db8::7"),
        b'2001:db8::7 - - [17/May/2015:10:05:03 +0000] "-" 408 - "-" "-"',
        b'2001:db8::7 - - [17/May/2015:10:05:03 +0000] "" 400 0 "" ""',
        b'2001:db8::7 - - [17/May/2015:10:05:03 +0000] "\\x16\\x03\\x01" 400 226 "-" "-"',
        b'2001:db8::7 - - [17/May/2015:10:05:03 +0000] "GET /\\"q\\" HTTP/1.1" 200 1 "-" "a \\"quoted\\" agent"',
        b'2001:db8::7 - - [17/May/2015:10:05:03 +0000] "GET /?q="raw" HTTP/1.1" 200 1 "-" "agent"',
        b'2001:db8::7 - - [17/May/2015:10:05:03 +0000] "GET /\xff\xfe HTTP/1.1" 200 1 "\xff" "\xc3"',
        b'2001:db8::7 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "-" "cut off in the mid',
        b'2001:db8::7 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "-" "agent" 0.003 "and more"',
    ],
)
def test_odd_but_whole_lines_are_read(line: bytes) -> None:
    assert visitor(Format.COMBINED, line) == "2001:db8::7"


def test_a_host_that_the_server_did_not_know_is_a_visit_without_visitor() -> None:
    assert visitor(Format.COMBINED, COMBINED.replace(b"203.0.113.7", b"-")) is None


@pytest.mark.parametrize(
    "line",
    [
        b"garbage",
        b'"" "" ""',
        COMMON,
        COMBINED[:60],
        COMBINED.replace(b"[17/May/2015:10:05:03 +0000] ", b""),
        COMBINED.replace(b" 200 ", b" OK "),
        b" " + COMBINED,
        COMBINED.replace(b"203.0.113.7", b"\xff\xfe"),
        COMBINED.replace(b"203.0.113.7", b"a" * 257),
        COMBINED.replace(b"203.0.113.7", b"a\x00b"),
        COMBINED.replace(b"203.0.113.7", "a\u202eb".encode()),
    ],
)
def test_a_line_that_is_not_in_the_combined_format_has_a_reason(line: bytes) -> None:
    assert reason(Format.COMBINED, line)


def test_hostile_lines_take_linear_time() -> None:
    for line in (
        b'a - [] "' * 100_000,
        b'a - - [x] "' + b'\\"' * 500_000,
        b'a - [x] "" 200 1 "' * 60_000,
        b"[" * 10**6,
    ):
        for form in Format:
            parser_of(form)(line)


def test_a_plain_line_is_a_visitor_without_the_blanks_around_it() -> None:
    assert visitor(Format.LINES, b"  alice smith\t") == "alice smith"
    assert visitor(Format.LINES, "é".encode()) == "é"
    assert "UTF-8" in reason(Format.LINES, b"\xff")
    assert "257 bytes" in reason(Format.LINES, b"a" * 257)
    assert "cannot be shown" in reason(Format.LINES, b"a\x1b[31mb")


def test_a_json_line_may_name_counter_visitor_key_and_count() -> None:
    parse = parser_of(Format.JSONL)
    assert parse(b'{"visitor": "alice"}') == Line("shop", "alice")
    assert parse(b"{}") == Line("shop")
    assert parse(b'{"counter": "blog.posts", "visitor": "alice", "key": "k", "count": 3}') == Line(
        "blog.posts", "alice", "k", 3
    )
    assert parser_of(Format.JSONL, None)(b'{"counter": "blog"}') == Line("blog")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"nonsense", "not JSON"),
        (b'{"visitor": "alice"', "not JSON"),
        (b"[" * 100_000, "expected"),
        (b"[]", "expected `object`"),
        (b'{"visiter": "alice"}', "visiter"),
        (b'{"visitor": "\xff"}', "UTF-8"),
        (b'{"visitor": 7}', "visitor"),
        (b'{"visitor": ""}', "visitor is empty"),
        (b'{"key": ""}', "key is empty"),
        (b'{"count": 0}', "count is 0"),
        (b'{"count": -1}', "count is -1"),
        (b'{"count": 1.5}', "count"),
        (b'{"count": 1000000001}', "count is 1000000001"),
        (b'{"count": 99999999999999999999999999}', "count"),
        (b'{"counter": "a b"}', "cannot name a counter"),
        (b'{"counter": ""}', "cannot name a counter"),
    ],
)
def test_a_json_line_that_is_no_visit_has_a_reason(line: bytes, why: str) -> None:
    assert why in reason(Format.JSONL, line)


def test_a_json_line_must_name_its_counter_if_nothing_else_does() -> None:
    assert "--counter" in reason(Format.JSONL, b"{}", counter=None)


@given(st.sampled_from(Format), st.binary() | st.text().map(str.encode))
def test_parsing_never_raises_and_what_it_accepts_is_a_visit(form: Format, line: bytes) -> None:
    visit = parser_of(form)(line)
    if type(visit) is Line:
        check_visit(visit)
    else:
        assert isinstance(visit, Skip) or visit or not line.strip()


@given(st.sampled_from([Format.COMMON, Format.COMBINED]), st.integers(0, len(COMBINED)), st.binary(max_size=8))
def test_damaged_lines_never_raise(form: Format, at: int, damage: bytes) -> None:
    visit = parser_of(form)(COMBINED[:at] + damage + COMBINED[at + len(damage) :])
    if type(visit) is Line:
        check_visit(visit)


def test_the_format_is_the_one_that_reads_most_lines() -> None:
    assert recognise([b"damaged", COMBINED, b"", COMBINED]) is Format.COMBINED
    assert recognise([COMMON, COMMON, COMBINED]) is Format.COMMON
    assert recognise([b'{"visitor": "a"}', b"damaged"]) is Format.JSONL


def test_lines_that_no_format_reads_are_refused_and_never_taken_for_plain_lines() -> None:
    with pytest.raises(InputError, match=r"the first: 'alice'.*--log-format"):
        recognise([b"alice", b"bob"])
    with pytest.raises(InputError, match="no format"):
        recognise([COMBINED, *[b"alice"] * 2])


def test_a_log_without_any_text_yet_is_as_servers_write_it_by_themselves() -> None:
    assert recognise([]) is Format.COMBINED
    assert recognise([b"", b" "]) is Format.COMBINED


@pytest.mark.skipif(not REAL_LOG.is_file(), reason="no real log at hand; FOOTFALL_TEST_LOG names one")
def test_a_real_log_gives_10000_visits_of_1753_visitors() -> None:
    lines = REAL_LOG.read_bytes().splitlines()
    assert recognise(lines) is Format.COMBINED
    visits = [parser_of(Format.COMBINED)(line) for line in lines]
    assert sum(type(visit) is Line for visit in visits) == 10_000
    assert len({visit.visitor for visit in visits if type(visit) is Line}) == 1_753
