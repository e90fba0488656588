"""What Docker, Kubernetes and syslog put around a server's lines is taken off, and never taken for a client."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.cli.formats import Format, Parse, Reading, parser
from footfall.cli.logs.envelopes import ENVELOPES
from footfall.cli.logs.hit import Skip
from footfall.cli.recognising import recognise, settle
from footfall.cli.selecting import Line, Selection
from footfall.errors import InputError

REQUEST = '203.0.113.7 - - [26/Nov/2026:08:00:00 +0100] "GET /a HTTP/1.1" 200 5 "-" "Mozilla/5.0 (X11)"'
NOTICE = "2026/11/26 08:00:00 [notice] 1#1: start worker processes"
NGINX_JSON = '{"remote_addr":"203.0.113.7","request":"GET /a HTTP/1.1","status":200}'


def docker(line: str, stream: str = "stdout", end: str = "\n") -> str:
    return json.dumps({"log": line + end, "stream": stream, "time": "2026-11-26T07:00:00.123456789Z"})


def behind(prefix: str, line: str = REQUEST) -> str:
    return prefix + line


WRAPPED = [
    (docker(REQUEST), "as Docker keeps it"),
    (docker(NGINX_JSON), "as Docker keeps it"),
    (behind("2026-11-26T07:00:00.123456789Z stdout F "), "as Kubernetes keeps it"),
    (behind("2026-11-26T08:00:00.123+01:00 stderr F ", NGINX_JSON), "as Kubernetes keeps it"),
    (behind("Nov 26 08:00:00 web-1 nginx[123]: "), "as syslog keeps it"),
    (behind("<190>Nov  6 08:00:00 nginx: "), "as syslog keeps it"),
    (behind("2026-11-26T08:00:00.123456+01:00 web-1.example.com haproxy[7]: ", NGINX_JSON), "as syslog keeps it"),
    (behind("2026-11-26T07:00:00.123456789Z "), "with a time before each line"),
    (behind("web-1  | "), "with a container's name before each line"),
    (behind("shop_web.1.x7k@node-2    | ", NGINX_JSON), "with a container's name before each line"),
]


def parser_of(*lines: str, asked: Reading | None = None) -> tuple[Reading, Parse]:
    reading = settle([line.encode() for line in lines], asked)
    return reading, parser(reading, Selection(counter="shop"))


@pytest.mark.parametrize(("line", "told"), WRAPPED)
def test_an_envelope_is_told_by_itself_and_what_is_in_it_is_read(line: str, told: str) -> None:
    reading, parse = parser_of(line)
    assert reading.envelope is not None
    assert reading.envelope.told == told
    assert reading.form is (Format.JSON if "remote_addr" in line else Format.COMBINED)
    assert parse(line.encode()) == Line("shop", "203.0.113.7")
    assert parse(b"other") == f"is not {told}"


def test_an_envelope_is_taken_off_before_whatever_format_was_asked_for() -> None:
    for line, _ in WRAPPED:
        if REQUEST in line:
            _, parse = parser_of(line, asked=Reading(Format.COMMON))
            assert parse(line.encode()) == Line("shop", "203.0.113.7")
    own = Reading(Format.NGINX, "$remote_addr $host")
    _, parse = parser_of(docker("203.0.113.7 example.com"), asked=own)
    assert parse(docker("203.0.113.7 example.com").encode()) == Line("shop", "203.0.113.7")


def test_a_format_that_was_said_and_fits_the_whole_line_is_taken_at_its_word() -> None:
    own = Reading(Format.NGINX, "$time_iso8601 $remote_addr $host")
    line = "2026-11-26T08:00:00+01:00 203.0.113.7 example.com"
    reading, parse = parser_of(line, asked=own)
    assert reading.envelope is None
    assert parse(line.encode()) == Line("shop", "203.0.113.7")
    _, parse = parser_of(behind("web-1 | "), asked=Reading(Format.LINES))
    assert parse(b"web-1 | alice") == Line("shop", "web-1 | alice")


def test_what_comes_from_the_error_output_is_another_message_unless_it_can_be_read() -> None:
    _, parse = parser_of(docker(REQUEST), docker(NOTICE, "stderr"))
    assert parse(docker(NOTICE, "stderr").encode()) is Skip.NOTHING
    assert parse(docker(REQUEST, "stderr").encode()) == Line("shop", "203.0.113.7")
    assert "is not in the combined log format" in str(parse(docker(NOTICE).encode()))
    assert parse(docker("").encode()) is Skip.NOTHING


def test_a_line_that_the_runtime_cut_is_told_as_such() -> None:
    _, parse = parser_of(docker(REQUEST))
    assert "which the container's runtime cut" in str(parse(docker(REQUEST, end="").encode()))
    prefix = "2026-11-26T07:00:00.123456789Z stdout "
    _, parse = parser_of(behind(f"{prefix}F "))
    assert "which the container's runtime cut" in str(parse(behind(f"{prefix}P ").encode()))


@pytest.mark.parametrize(
    "before", ["Nov ", "web-1 | ", "2026-11-26T07:00:00Z ", "web - ", "12 - ", "198.51.100.1 ", "2001:db8::1 "]
)
def test_what_stands_where_a_client_should_is_not_taken_for_one(before: str) -> None:
    with pytest.raises(InputError, match="no format that is known"):
        recognise([behind(before).encode()] * 3)
    for client in ("host.example.com", "2001:db8::7", "localhost", "-", "unix:"):
        assert recognise([REQUEST.replace("203.0.113.7", client).encode()]) is Format.COMBINED


@given(st.binary(max_size=80), st.sampled_from([line for line, _ in WRAPPED]), st.integers(0, 80))
def test_whatever_the_bytes_they_are_read_or_have_a_reason(damage: bytes, line: str, at: int) -> None:
    _, parse = parser_of(line)
    said = parse(line.encode()[:at] + damage + line.encode()[at:])
    assert isinstance(said, Line | Skip) or said


def test_hostile_lines_take_linear_time() -> None:
    for piece in (b"a", b"a ", b"|", b": ", b"[1", b"2026-11-26T08:00:00Z ", b"Nov 26 08:00:00 ", b'{"log":'):
        for envelope in ENVELOPES:
            envelope.open(piece * (300_000 // len(piece)))
            envelope.open(b"Nov 26 08:00:00 " + piece * (300_000 // len(piece)))
