"""Damaged texts: requests, lines of logs, settings, tokens. Each is read, or refused with the error that says why."""

import corpora
import pytest
from mutating import INPUTS, bombard

from footfall import addresses
from footfall.cli.formats import Format, parser, sniff
from footfall.cli.settings import parse_address, parse_servers
from footfall.core.names import check_name
from footfall.errors import CallerError, ConfigError
from footfall.web import milestone_requests, requests
from footfall.web.tokens import bearer, parse_tokens

LINES = [
    b'203.0.113.7 - - [10/Oct/2025:13:55:36 +0000] "GET /a?b=c HTTP/1.1" 200 2326 "http://x/" "Mozilla/5.0 (X11)"',
    b'2001:db8::1 - bob [10/Oct/2025:13:55:36 +0000] "POST / HTTP/1.0" 404 - "-" "curl"',
    b'203.0.113.7 - - [10/Oct/2025:13:55:36 +0000] "GET / HTTP/1.1" 200 2326',
    b'{"counter":"shop","visitor":"203.0.113.7","key":"k1","count":3}',
    b'{"visitor":"a\\u00fc:b"}',
    "Müller".encode(),
]
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


@pytest.mark.parametrize("form", list(Format))
def test_lines_of_logs(form: Format) -> None:
    assert bombard(parser(form, "shop"), LINES, (), INPUTS * 3 // 100) == INPUTS * 3 // 100


def test_what_a_log_is_taken_for() -> None:
    bombard(lambda data: sniff(data.split(b"\n")), [b"\n".join(LINES[:4] * 5)], (), INPUTS // 200)


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
