"""Damaged texts: requests, lines of logs, settings, tokens. Each is read, or refused with the error that says why."""

import gzip

import corpora
import pytest
from mutating import INPUTS, bombard

from footfall import addresses
from footfall.cli.formats import Format, Reading, parser
from footfall.cli.logs.envelopes import ENVELOPES
from footfall.cli.packed import DamagedError, Unpacker
from footfall.cli.recognising import recognise, settle
from footfall.cli.selecting import Selection
from footfall.cli.settings import parse_address, parse_servers
from footfall.core.names import check_name
from footfall.errors import CallerError, ConfigError, InputError
from footfall.naming import Names
from footfall.web import milestone_requests, requests
from footfall.web.tokens import bearer, parse_tokens
from packing import zstd

FIELDS = b"#Fields: date time c-ip cs-method cs(Host) cs-uri-stem sc-status cs(User-Agent)"
NGINX_JSON = (
    b'{"time_iso8601":"2025-10-10T13:55:36Z","remote_addr":"203.0.113.7","request":"GET / HTTP/1.1","status":200}'
)
LINES = [
    b'203.0.113.7 - - [10/Oct/2025:13:55:36 +0000] "GET /a?b=c HTTP/1.1" 200 2326 "http://x/" "Mozilla/5.0 (X11)"',
    b'2001:db8::1 - bob [10/Oct/2025:13:55:36 +0000] "POST / HTTP/1.0" 404 - "-" "curl"',
    b'203.0.113.7 - - [10/Oct/2025:13:55:36 +0000] "GET / HTTP/1.1" 200 2326',
    b'{"counter":"shop","visitor":"203.0.113.7","key":"k1","count":3}',
    b'{"visitor":"a\\u00fc:b"}',
    NGINX_JSON,
    b'{"log":"203.0.113.7 - - [10/Oct/2025:13:55:36 +0000] \\"GET / HTTP/1.1\\" 200 5\\n","stream":"stdout","time":""}',
    b'2025-10-10T13:55:36.1Z stdout F 203.0.113.7 - - [10/Oct/2025:13:55:36 +0000] "GET / HTTP/1.1" 200 2 "-" "-"',
    b"Oct 10 13:55:36 web haproxy[7]: 203.0.113.7:1 [10/Oct/2025:13:55:36.123] in b/s 1/0/3/6/1 200 27 - - "
    b'---- 1/1/1/1/0 0/0 {} "GET / HTTP/1.1"',
    "Müller".encode(),
    b'example.com:443 2001:db8::1 - - [10/Oct/2025:13:55:36 +0000] "GET / HTTP/1.1" 200 5 "-" "Mozilla/5.0 \\"x\\""',
    b'203.0.113.7 - - [10/Oct/2025:13:55:36 +0000] "GET / HTTP/1.1" 200 5 "-" "curl/8" 7 "web@docker" "http://a" 3ms',
    b'{"level":"info","ts":1646861401.5,"msg":"handled request","request":{"client_ip":"2001:db8::1","method":"GET",'
    b'"host":"example.com","uri":"/a?b","headers":{"User-Agent":["Mozilla/5.0 (X11)"]}},"status":200}',
    b'{"ClientHost":"203.0.113.7","RequestMethod":"GET","RequestPath":"/a","RequestHost":"example.com",'
    b'"DownstreamStatus":200,"StartUTC":"2026-11-26T08:00:00Z","request_User-Agent":"Mozilla/5.0 (X11)"}',
    b'h2 2026-11-26T08:00:00.1Z app/lb/1 [2001:db8::1]:443 10.0.0.1:80 0.000 0.001 0.000 200 200 34 366 "GET '
    b'https://example.com:443/a HTTP/2.0" "Mozilla/5.0 (X11)" - - arn:aws:x "Root=1" "-" "-" 0 2026-11-26T08:00:00Z -',
    b"2026-11-26\t08:00:00\t2001:db8::1\tGET\texample.com\t/caf%25C3%25A9\t200\tMozilla/5.0%20(X11)",
    FIELDS,
    b'2001:db8::1 - John Doe [10/Oct/2025:13:55:36 +0000] "GET /\\x22a HTTP/2.0" 200 "1.2.3.4, 5.6.7.8" a:80, b:80',
]
NGINX = '$remote_addr - $remote_user [$time_local] "$request" $status "$http_x_forwarded_for" $upstream_addr'
APACHE = r"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""
EVERYTHING = Selection(  # every rule looks at the line; and whatever it says, a name is made of it
    counter="shop", counter_from="path", methods=("GET", "POST"), paths=("/",), excluded_paths=("/b",),
    statuses=("2xx", "404"), since="2020-01-01",
)  # fmt: skip
VISITS = [
    b'{"visitor":"203.0.113.7"}',
    b'{"count":5,"visitor":null}',
    b'{"visitors":["a","b:c"],"keys":["k1","k2"]}',
    b'{"visits":[{"visitor":"a","key":"k"},{"count":2}]}',
    b'{"visits":[{"counter":"shop","visitor":"a"},{"counter":"shop.books","key":"\\u00fc"}]}',
    b'{"source":{"id":"log","from":0,"to":90},"visits":[{"counter":"shop"}]}',
    b'{"visits":[{"counter":"shop","visitor":"a"},{"counter":"shop.books"}]}',
    b'{"unit":"visitors"}',
    b'{"receipt":"0123456789abcdef"}',
    b'{"value":10,"note":"from before"}',
]
TOKENS = b"""
[shop]
secret = "0123456789abcdefghijklmnop"
scopes = ["write", "read"]
counters = ["shop", "google.gmail"]
rate = 10.5

[ops]
sha256 = "0000000000000000000000000000000000000000000000000000000000000001"
scopes = ["admin"]
"""


READINGS = [
    *(Reading(form, head=[FIELDS, NGINX_JSON]) for form in Format),
    *(Reading(Format.COMBINED, envelope=envelope) for envelope in ENVELOPES),
    Reading(Format.NGINX, NGINX),
    Reading(Format.APACHE, APACHE),
]


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: f"{reading.form}-{len(reading.template)}")
def test_lines_of_logs(reading: Reading) -> None:
    parse = parser(reading, Selection(counter="shop"))
    assert bombard(parse, LINES, (), INPUTS // 100) == INPUTS // 100


@pytest.mark.parametrize(
    "reading",
    [reading for reading in READINGS if reading.form not in (Format.LINES, Format.JSONL, Format.HAPROXY)],
    ids=lambda reading: f"{reading.form}-{len(reading.template)}",
)
def test_requests_of_logs_that_are_looked_at_closely(reading: Reading) -> None:
    parse = parser(reading, EVERYTHING, Names("shop", 100))
    assert bombard(parse, LINES, (), INPUTS // 200) == INPUTS // 200


def test_fields_of_logs() -> None:
    selection = Selection(counter="shop", counter_from="field:request.host", visitor_from="field:ClientHost")
    for form in (Format.CADDY, Format.TRAEFIK, Format.JSONL):
        bombard(parser(Reading(form), selection, Names("shop", 100)), LINES, (), INPUTS // 200)


def test_formats_that_an_administrator_wrote() -> None:
    def read(data: bytes) -> None:
        template = _text(data)
        parse = parser(Reading(Format.NGINX if "$" in template else Format.APACHE, template), Selection(counter="shop"))
        for line in LINES:
            parse(line)

    bombard(read, [NGINX.encode(), APACHE.encode(), b"$remote_addr|$status|$host$uri"], (ConfigError,), INPUTS // 400)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_compressed_logs(kind: str) -> None:
    pack = gzip.compress if kind == "gzip" else zstd.compress
    packed = [pack(b"\n".join(LINES)), pack(b"a\n") + pack(bytes(100_000)), pack(b"")]

    def read(data: bytes) -> None:
        unpacker = Unpacker(kind)
        unpacker.feed(data)
        while unpacker.take(4_096):
            pass

    assert bombard(read, packed, (DamagedError,), INPUTS // 200)


def test_what_a_log_is_taken_for() -> None:
    corpus = [b"\n".join(LINES[first : first + 4] * 5) for first in range(0, len(LINES), 4)]
    bombard(lambda data: recognise(data.split(b"\n")), corpus, (InputError,), INPUTS // 200)
    bombard(lambda data: settle(data.split(b"\n"), None), corpus, (InputError,), INPUTS // 200)


@pytest.mark.parametrize(
    "read",
    [
        lambda data: requests.parse_visits("shop", data, None),
        lambda data: requests.parse_visits("shop", data, "key"),
        lambda data: requests.parse_batch(data, None),
        lambda data: requests.parse_batch(data, "key"),
        requests.parse_definition,
        milestone_requests.parse_claim,
        milestone_requests.parse_import,
        milestone_requests.check_nothing,
    ],
)
def test_bodies_of_requests(read) -> None:  # type: ignore[no-untyped-def]
    assert bombard(read, VISITS, (CallerError,), INPUTS * 2 // 100)


def _text(data: bytes) -> str:
    return data.decode("latin-1")


@pytest.mark.parametrize(
    ("read", "good"),
    [
        (lambda data: requests.parse_key([data]), b"key-1"),
        (lambda data: requests.parse_source(_text(data)), b"access.log:1"),
        (lambda data: requests.parse_limit(_text(data)), b"100"),
        (lambda data: requests.parse_ack(_text(data)), b"received"),
        (lambda data: requests.parse_query([(_text(data), "a")], ("ack",)), b"ack"),
        (lambda data: milestone_requests.parse_n(_text(data)), b"1000"),
        (lambda data: check_name(_text(data)), b"google.gmail"),
        (lambda data: addresses.parse_address(_text(data)), b"::ffff:203.0.113.7"),
        (bearer, b"Bearer 0123456789abcdefghijklmnop"),
    ],
)
def test_parts_of_requests(read, good: bytes) -> None:  # type: ignore[no-untyped-def]
    assert bombard(read, [good], (CallerError,), INPUTS // 100)


@pytest.mark.parametrize(
    ("read", "good"),
    [
        (lambda data: parse_tokens(data.decode("utf-8", "replace"), "tokens"), TOKENS),
        (lambda data: parse_address(_text(data)), b"[::1]:8080"),
        (lambda data: parse_servers((_text(data),)), b"nats://a:4222,nats://b"),
    ],
)
def test_settings(read, good: bytes) -> None:  # type: ignore[no-untyped-def]
    assert bombard(read, [good], (ConfigError,), INPUTS // 100)


def test_the_corpora_are_what_they_should_be() -> None:
    assert len(corpora.batches()) > 8
    assert len(corpora.controls()) > 15
