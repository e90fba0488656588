"""JSON logs whose names an administrator chose: what is known for sure is read, and the rest is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.cli.formats import Format, Parse, Reading, dialect_of, parser
from footfall.cli.logs.hit import Hit, Skip
from footfall.cli.recognising import recognise
from footfall.cli.selecting import Line, Selection
from footfall.errors import ConfigError, InputError

UA = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
TIME = "26/Nov/2026:08:00:00 +0100"
NGINX = {
    "time_local": TIME, "remote_addr": "2001:db8::7", "remote_user": "", "request": "GET /a?b HTTP/1.1",
    "status": "200", "body_bytes_sent": "5", "request_time": "0.003", "http_referrer": "", "http_user_agent": UA,
    "http_x_forwarded_for": "198.51.100.1", "http_host": "example.com", "server_name": "_",
}  # fmt: skip
NGINX_APART = {
    "@timestamp": "2026-11-26T08:00:00+01:00", "msec": "1795676400.123", "host": "example.com",
    "remote_addr": "192.0.2.7", "request_method": "GET", "uri": "/index.html", "request_uri": "/a?b", "status": 304,
    "http_user_agent": UA, "upstream_addr": "10.0.0.1:80",
}  # fmt: skip
INGRESS = {
    "time": "2026-11-26T08:00:00+01:00", "remote_addr": "192.0.2.7", "x_forwarded_for": "198.51.100.1",
    "bytes_sent": 5, "request_time": 0.003, "status": 200, "vhost": "example.com", "path": "/a", "method": "GET",
    "http_user_agent": UA, "duration": 0.003,
}  # fmt: skip
APACHE = {
    "time": f"[{TIME}]", "remoteIP": "192.0.2.7", "host": "example.com", "request": "/a", "query": "?b",
    "method": "GET", "status": "200", "userAgent": UA, "referer": "-",
}  # fmt: skip
HAPROXY = {
    "timestamp": TIME, "client_ip": "192.0.2.7", "client_port": "4711", "backend_name": "app", "http_method": "GET",
    "url": "/a?b", "status_code": "200", "bytes_read": 5,
}  # fmt: skip
ENVOY = {
    "authority": "example.com:8443", "downstream_local_address": "10.0.0.1:443", "bytes_sent": 5,
    "downstream_remote_address": "[2001:db8::7]:4711", "method": "GET", "path": "/a", "response_code": 200,
    "response_flags": "-", "start_time": "2026-11-26T07:00:00.123Z", "user_agent": UA, "upstream_host": None,
    "x_forwarded_for": None, "dynamic": {"client_ip": "of no use"},
}  # fmt: skip
LOGS = [
    (NGINX, Hit("2001:db8::7", TIME, "GET /a?b HTTP/1.1", None, None, "example.com", "200", UA)),
    (NGINX_APART, Hit("192.0.2.7", "1795676400.123", None, "GET", "/a?b", "example.com", "304", UA)),
    (INGRESS, Hit("192.0.2.7", "2026-11-26T08:00:00+01:00", None, "GET", "/a", "example.com", "200", UA)),
    (APACHE, Hit("192.0.2.7", f"[{TIME}]", None, "GET", "/a", "example.com", "200", UA)),
    (HAPROXY, Hit("192.0.2.7", TIME, None, "GET", "/a?b", None, "200", None)),
    (ENVOY, Hit("2001:db8::7", "2026-11-26T07:00:00.123Z", None, "GET", "/a", "example.com:8443", "200", UA)),
]


def encoded(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry).encode()


def parser_of(entry: dict[str, Any], **selection: Any) -> Parse:
    return parser(Reading(Format.JSON, head=[encoded(entry)]), Selection(counter="shop", **selection))


@pytest.mark.parametrize(("entry", "hit"), LOGS, ids=["nginx", "nginx apart", "ingress", "apache", "haproxy", "envoy"])
def test_a_log_with_usual_names_is_recognised_and_read(entry: dict[str, Any], hit: Hit) -> None:
    line = encoded(entry)
    assert recognise([b'{"level":"info","msg":"Starting"}', line]) is Format.JSON
    assert dialect_of(Reading(Format.JSON, head=[line])).read(line) == hit


def test_filters_counters_and_fields_are_as_in_any_log() -> None:
    wanted = parser_of(NGINX_APART, statuses=("3xx",), paths=("/a",), methods=("GET",), exclude_bots=True)
    assert wanted(encoded(NGINX_APART)) == Line("shop", "192.0.2.7")
    assert wanted(encoded({**NGINX_APART, "status": 500})) is Skip.FILTERED
    by_field = parser_of(NGINX, visitor_from="field:http_x_forwarded_for")
    assert by_field(encoded(NGINX)) == Line("shop", "198.51.100.1")
    with pytest.raises(ConfigError, match="--exclude-bots needs the user agent, which this log does not tell"):
        parser_of(HAPROXY, exclude_bots=True)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"client_ip": "198.51.100.1"}, "remote_addr and client_ip may each be the client's address: say which"),
        ({"remote_addr": {"ip": "x"}}, "no field of its JSON has a usual name for the client's address: say which"),
        ({"remote_addr": {}, "client": "an app"}, "no field of its JSON has a usual name for the client's address"),
    ],
)
def test_an_address_that_cannot_be_known_for_sure_is_asked_for(change: dict[str, Any], why: str) -> None:
    entry = NGINX_APART | change
    assert recognise([encoded(entry)]) is Format.JSON
    with pytest.raises(ConfigError, match=why):
        parser_of(entry)
    assert parser_of(entry, visitor_from="field:host")(encoded(entry)) == Line("shop", "example.com")
    assert parser_of(entry, visitor_from="none")(encoded(entry)) == Line("shop")


def test_a_client_is_an_address_if_it_is_one() -> None:
    entry = {"path": "/", "status": 200, "client": "192.0.2.7:4711"}
    assert parser_of(entry)(encoded(entry)) == Line("shop", "192.0.2.7")


def test_a_request_of_which_two_lines_tell_counts_once() -> None:
    begun = {"remote_addr": "192.0.2.7", "path": "/a", "event": "begins"}
    done = begun | {"status": 200, "event": "done"}
    head = [encoded(begun), encoded(done)]
    assert recognise(head) is Format.JSON
    parse = parser(Reading(Format.JSON, head=head), Selection(counter="shop"))
    assert [parse(line) for line in [*head, encoded(begun | {"status": None})]] == [
        Skip.NOTHING, Line("shop", "192.0.2.7"), Skip.NOTHING
    ]  # fmt: skip
    with pytest.raises(InputError, match="usual names for what was asked for and what was answered"):
        parser(Reading(Format.JSON, head=head[:1]), Selection(counter="shop"))  # who follows the log waits for more
    with pytest.raises(InputError, match="of no format that is known"):
        recognise([encoded(begun), encoded({"remote_addr": "192.0.2.7", "status": 200})])


def test_how_long_a_request_took_is_no_time() -> None:
    entry = NGINX_APART | {"time": 0.123}
    for name in ("@timestamp", "msec"):
        del entry[name]
    parse = parser_of(entry, since="2026-01-01")
    assert isinstance(parse(encoded(entry)), str), "it is told, and not passed over"


def test_the_fields_that_there_are_are_shown_but_not_any_number_of_them() -> None:
    entry = {"uri": "/", "status": 200} | dict.fromkeys(map(str, range(100)), 1)
    with pytest.raises(ConfigError, match=r"it has uri, status, 0, .*, 17, …$"):
        parser_of(entry)


@pytest.mark.parametrize(
    "entry", [{"remote_addr": "192.0.2.7"}, {"path": "/a", "status": {}}, {"status": 200, "msg": "done"}, {}]
)
def test_other_json_is_not_taken_for_a_log_of_requests(entry: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="of JSON that is no server's, say --format jsonl"):
        recognise([encoded(entry | {"level": "info"})])


def test_a_line_is_another_message_or_has_a_reason() -> None:
    parse = parser_of(NGINX_APART)
    assert parse(b'{"level":"info","msg":"reloaded"}') is Skip.NOTHING
    assert parse(b'{"request_uri":"/') == "is not JSON"
    assert "no such object" in str(parse(b'{"request_uri":["/"],"status":200}'))
    assert "no such object" in str(parse(b"[]"))
    with pytest.raises(InputError, match="none of its first lines is a JSON object with"):
        parser(Reading(Format.JSON, head=[b"text", b'{"level":"info"}']), Selection(counter="shop"))


@pytest.mark.parametrize("sent", [b"\xff\xfe", rb"\x22\xFF", rb"\"\x16", rb"\\x22"])
def test_whatever_a_client_sent_and_however_the_server_wrote_it_it_does_no_harm(sent: bytes) -> None:
    line = encoded(NGINX | {"user": "ann"}).replace(b"/a?b", b"/" + sent)
    assert recognise([line]) is Format.JSON
    assert parser_of(NGINX | {"user": "ann"}, visitor_from="field:user")(line) == Line("shop", "ann")
    assert parser_of(NGINX)(line) == Line("shop", "2001:db8::7")


@given(
    st.dictionaries(
        st.sampled_from([*NGINX, *ENVOY, 'q"', "\\", "\n", "", "Remote Addr"]) | st.text(max_size=5),
        st.none() | st.booleans() | st.text(max_size=5) | st.integers() | st.floats() | st.just([]) | st.just({}),
    ),
    st.binary(max_size=40),
)
def test_whatever_the_object_its_log_is_read_or_refused(entry: dict[str, Any], other: bytes) -> None:
    try:
        read = dialect_of(Reading(Format.JSON, head=[encoded(entry)])).read
    except InputError:
        return
    for line in (encoded(entry), other):
        assert isinstance(read(line), Hit | Skip | str)
