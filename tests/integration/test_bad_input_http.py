"""Bad input over HTTP to a server as it is run, beyond test_http.py: each is told why, and changes nothing."""

import signal
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
from commands import PATIENCE_S, serve, settles
from refusing import Headers, refused

SHOP = "/v1/counters/shop/visits"
PEOPLE = "/v1/counters/people/visits"
BATCH = "/v1/visits"
CHUNK = '{"visits":[],"source":{"id":"s","from":0,"to":5}%s}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """``shop`` was visited once, and ``people`` counts visitors."""
    process, url = serve(tmp_path_factory.mktemp("http") / "data")
    with httpx.Client(base_url=url) as client:
        assert client.post(SHOP).status_code == 202
        assert client.put("/v1/counters/people", json={"unit": "visitors"}).status_code == 201
        settles(url, "shop", 1)
        yield client
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0


@pytest.fixture
def http(server: httpx.Client) -> Iterator[httpx.Client]:
    """A server in which nothing changes."""

    def counted() -> list[Any]:
        listed = server.get("/v1/counters").json()["counters"]
        position = server.get("/v1/sources/s").json()["position"]
        return [position, *((one["counter"], one["value"], one["unit"]) for one in listed)]

    before = counted()
    yield server
    assert counted() == before


@pytest.mark.parametrize("count", ["1.5", "1000.0", "true", '"1"', "null", "[1]", '{"count":1}'])
def test_a_count_that_is_no_whole_number_in_digits_is_shown_and_told_what_it_must_be(
    http: httpx.Client, count: str
) -> None:
    says = (f"which is {count};", "write a whole number in digits alone")
    refused(http, "POST", SHOP, b'{"count":%b}' % count.encode(), 422, "$.count", *says)
    problem = refused(http, "POST", SHOP, b'{"visits":[{},{"count":%b}]}' % count.encode(), 422, *says)
    assert problem["index"] == 1
    body = b'{"visits":[{"counter":"a"},{"counter":"b"},{"counter":"c","count":%b}]}' % count.encode()
    assert refused(http, "POST", BATCH, body, 422, *says)["index"] == 2


@pytest.mark.parametrize(
    ("count", "status"), [("1e3", 422), ("9" * 400, 422), ("9" * 5000, 422), ("NaN", 400), ("01", 400), ("0x1", 400)]
)
def test_a_count_in_another_notation_or_of_thousands_of_digits_is_refused(
    http: httpx.Client, count: str, status: int
) -> None:
    refused(http, "POST", SHOP, f'{{"count":{count}}}'.encode(), status)
    refused(http, "POST", BATCH, f'{{"visits":[{{"counter":"a","count":{count}}}]}}'.encode(), status)


@pytest.mark.parametrize(
    ("method", "path", "body", "field", "index"),
    [
        ("POST", SHOP, '{"count":1,"count":5}', "count", None),
        ("POST", SHOP, '{"visitor":"a","visitor":"b"}', "visitor", None),
        ("POST", SHOP, '{"visitor":null,"visitor":"b"}', "visitor", None),
        ("POST", SHOP, '{"visitor":"a","visitor":null}', "visitor", None),
        ("POST", SHOP, '{"visitor":null,"visitor":null}', "visitor", None),
        ("POST", SHOP, '{"visitor":"a","visito\\u0072":"2001:db8::1"}', "visitor", None),
        ("POST", SHOP, '{"visitors":["a"],"visitors":["b","c"]}', "visitors", None),
        ("POST", SHOP, '{"visitors":["2001:db8::1"],"visitors":["::1"]}', "visitors", None),
        ("POST", SHOP, '{"visitors":["a"],"keys":["k"],"keys":["l"]}', "keys", None),
        ("POST", SHOP, '{"visits":[{}],"visits":[{},{}]}', "visits", None),
        ("POST", SHOP, '{"visits":[{},{"key":"k","count":2,"key":"l"}]}', "key", 1),
        ("POST", BATCH, '{"visits":[{"counter":"a"},{"counter":"b","counter":"c"}]}', "counter", 1),
        ("POST", BATCH, '{"visits":[{"counter":"a","key":"::"},{"counter":"b","key":"k","key":":"}]}', "key", 1),
        ("POST", BATCH, '{"visits":[{"counter":"a"}],"visits":[{"counter":"b"}]}', "visits", None),
        ("POST", BATCH, CHUNK % ',"source":{"id":"t","from":0,"to":5}', "source", None),
        ("POST", BATCH, '{"visits":[],"source":{"id":"s","from":0,"to":5,"to":6}}', "to", None),
        ("PUT", "/v1/counters/new", '{"unit":"visits","unit":"visitors"}', "unit", None),
    ],
)  # fmt: skip
def test_a_field_that_is_given_twice_is_refused_and_not_silently_left_out(
    http: httpx.Client, method: str, path: str, body: str, field: str, index: int | None
) -> None:
    problem = refused(http, method, path, body.encode(), 422, f"the field '{field}' is given twice", "send it once")
    assert problem.get("index") == index


NOT_TEXTS = [
    (r'"\u0000"', "cannot be shown: '\\x00'"),
    (r'"a\u0007"', "cannot be shown: 'a\\x07'"),
    (r'"\u200b"', "cannot be shown: '\\u200b'"),
    ('""', "is empty"),
    ('"' + "é" * 129 + '"', "has 258 bytes; at most 256"),
]


@pytest.mark.parametrize(("text", "says"), NOT_TEXTS)
def test_visitors_and_keys_that_are_empty_too_long_or_cannot_be_shown_are_named_by_their_index(
    http: httpx.Client, text: str, says: str
) -> None:
    refused(http, "POST", SHOP, f'{{"visitor":{text}}}'.encode(), 422, "visitor", says)
    refused(http, "POST", PEOPLE, f'{{"visitor":{text}}}'.encode(), 422, "visitor", says)
    for body, what in (
        ('{"visitors":["a",%s]}', "visitor"),
        ('{"visitors":["a","b"],"keys":["k",%s]}', "key"),
        ('{"visits":[{},{"visitor":%s}]}', "visitor"),
        ('{"visits":[{},{"key":%s}]}', "key"),
    ):
        assert refused(http, "POST", SHOP, (body % text).encode(), 422, what, says)["index"] == 1
    for what in ("visitor", "key"):
        body = f'{{"visits":[{{"counter":"a"}},{{"counter":"b","{what}":{text}}}]}}'
        assert refused(http, "POST", BATCH, body.encode(), 422, what, says)["index"] == 1


@pytest.mark.parametrize("body", [r'{"visitor":"\ud800"}', r'{"visitor":"\ud800x"}', r'{"visitor":"\udc00\ud800"}'])
def test_half_of_a_character_is_shown(http: httpx.Client, body: str) -> None:
    half = body.partition("\\u")[2][:4]
    for path in (SHOP, PEOPLE):
        refused(http, "POST", path, body.encode(), 400, f"\\u{half} is half of a character")
    refused(http, "POST", BATCH, f'{{"visits":[{body}]}}'.encode(), 400, f"\\u{half} is half of a character")
    refused(http, "PUT", "/v1/counters/new", b'{"unit":"\\udfff"}', 400, "\\udfff is half of a character")


@pytest.mark.parametrize(
    "body",
    [b'{"visitor":"\xff"}', b'{"visitor":"\xc0\xaf"}', b'{"visitor":"\xed\xa0\x80"}', b'{"\xff":1}',
     b'{"visitor":"a\0b"}', b'{"visitor":"a\nb"}', b"\xef\xbb\xbf{}",
     '{"count":1}'.encode("utf-16"), b"visitor=a", b"{}{}", b" ", b"\0"],
)  # fmt: skip
def test_what_is_not_json_in_utf8_is_malformed(http: httpx.Client, body: bytes) -> None:
    for path in (SHOP, PEOPLE):
        refused(http, "POST", path, body, 400, "the body is not")


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"visits":' * 50_000, b'{"visits":[' + b"[" * 100_000])
def test_what_is_nested_thousands_deep_has_the_wrong_shape(http: httpx.Client, body: bytes) -> None:
    for path in (SHOP, BATCH):
        refused(http, "POST", path, body, 422, "wrong shape")
    refused(http, "PUT", "/v1/counters/new", body, 422, "wrong shape")


def test_a_body_over_the_limit_is_refused_whether_or_not_its_length_is_told(http: httpx.Client) -> None:
    body = b'{"visitors":["' + b"a" * 1_000_000 + b'"]}'
    for method, path in (("POST", SHOP), ("POST", BATCH), ("PUT", "/v1/counters/new")):
        refused(http, method, path, body, 413, f"{len(body)} bytes", "1000000")
        answer = http.request(method, path, content=iter([body[:600_000], body[600_000:]]))
        assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")
        assert "1000000" in answer.json()["detail"]


def test_a_batch_over_the_limit_of_visits_is_told_the_limit_and_what_to_do(http: httpx.Client) -> None:
    visits = b'{"visits":[' + b",".join([b'{"counter":"a"}'] * 10_001) + b"]}"
    for path, body in ((BATCH, visits), (BATCH, visits[:-1] + b',"source":{"id":"s","from":0,"to":5}}')):
        refused(http, "POST", path, body, 413, "10001 visits", "at most 10000", "send several requests")


@pytest.mark.parametrize(
    ("headers", "status", "says"),
    [
        ([("Idempotency-Key", b"a"), ("Idempotency-Key", b"a")], 422, "2 Idempotency-Key headers; send one"),
        ([("Idempotency-Key", b"a"), ("idempotency-key", b"b")], 422, "2 Idempotency-Key headers; send one"),
        ([("Idempotency-Key", b"")], 422, "is empty"),
        ([("Idempotency-Key", b"k" * 251)], 422, "251 bytes; at most 250"),
        ([("Idempotency-Key", b"\xff")], 422, "not UTF-8"),
        ([("Idempotency-Key", b"\xc2\x85")], 422, "cannot be shown: '\\x85'"),
        ([("Idempotency-Key-Age", b"1"), ("Idempotency-Key-Age", b"1")], 422, "is '1, 1'; send one whole number"),
        ([("Idempotency-Key-Age", b"")], 422, "is ''; send one whole number of seconds"),
        ([("Idempotency-Key-Age", b"-1")], 422, "is '-1'; send one whole number of seconds"),
        ([("Idempotency-Key-Age", b"\xff")], 422, "is '\xff'; send one whole number of seconds"),
        ([("Idempotency-Key-Age", b"576")], 409, "576 s ago, and keys are known for 575 s"),
        ([("Content-Encoding", b"gzip")], 415, "'gzip'"),
    ],
)
def test_a_header_that_cannot_be_meant_is_refused(http: httpx.Client, headers: Headers, status: int, says: str) -> None:
    for path, body in ((SHOP, b"{}"), (PEOPLE, b'{"visitor":"a"}'), (BATCH, b'{"visits":[{"counter":"a"}]}')):
        refused(http, "POST", path, body, status, says, headers=headers)


@pytest.mark.parametrize(
    ("method", "path", "says"),
    [
        ("POST", SHOP + "?ack=durable&ack=durable", "ack is given twice"),
        ("POST", SHOP + "?ack=received&ack=durable", "ack is given twice"),
        ("POST", SHOP + "?ACK=received", "'ACK': this takes ack"),
        ("POST", SHOP + "?ack=", "ack is ''"),
        ("POST", SHOP + "?ack=%FF", "ack is '\N{REPLACEMENT CHARACTER}'"),
        ("POST", SHOP + "?ack=received%00", "ack is 'received\\x00'"),
        ("POST", SHOP + "?visitor=a", "'visitor': this takes ack"),
        ("POST", BATCH + "?counter=a", "'counter': this takes ack"),
        ("PUT", "/v1/counters/new?unit=visits", "'unit': this takes none"),
        ("GET", "/v1/counters/shop?exact", "'exact': this takes consistency"),
        ("GET", "/v1/counters?limit=1&limit=2", "limit is given twice"),
        ("GET", "/v1/counters?limit=1e2", "limit is '1e2'"),
        ("GET", "/v1/counters?limit=%D9%A3", "limit is '٣'"),
        ("GET", "/v1/counters?after=a..b", "'a..b' cannot name a counter"),
        ("GET", "/v1/counters?after=%FF", "cannot name a counter"),
        ("GET", "/v1/counters?offset=5", "'offset': this takes prefix, parent, search, limit, after"),
        ("GET", "/v1/sources/s?x=1", "'x': this takes none"),
        ("GET", "/v1/counters/shop?consistency=exact", "linearizable, which clients and the command line call exact"),
        ("GET", "/v1/counters/shop?consistency=linearizable&consistency=eventual", "consistency is given twice"),
        ("GET", "/v1/nodes?x=1", "'x': this takes none"),
    ],
)
def test_a_parameter_that_is_unknown_repeated_or_has_no_such_value_is_named(
    http: httpx.Client, method: str, path: str, says: str
) -> None:
    body = (
        b'{"visits":[{"counter":"a"}]}' if path.startswith(BATCH) else b'{"unit":"visits"}' if method == "PUT" else None
    )
    refused(http, method, path, body, 422, says)


@pytest.mark.parametrize(
    "name", ["a.", "%2e%2e", "a%20b", "a%00", "a%0A", "a%2Fb", "%ED%A0%80", "a" * 201, "1." * 8 + "1"]
)
def test_what_cannot_name_a_counter_is_told_the_rule_wherever_it_stands(http: httpx.Client, name: str) -> None:
    rule = ("cannot name a counter", "1 to 8 dot-separated parts", "200 characters at most")
    for method, path, body in (
        ("GET", f"/v1/counters/{name}", None),
        ("PUT", f"/v1/counters/{name}", b'{"unit":"visits"}'),
        ("GET", f"/v1/counters/{name}?consistency=linearizable", None),
        ("POST", f"/v1/counters/{name}/visits", b'{"visitor":"a"}'),
        ("GET", f"/v1/counters?prefix={name}", None),
    ):
        refused(http, method, path, body, 422, *rule)
    visits = [{"counter": "a"}, {"counter": httpx.URL(f"http://x/{name}").path[1:]}]
    problem = refused(http, "POST", BATCH, msgspec.json.encode({"visits": visits}), 422, *rule)
    assert problem["index"] == 1


@pytest.mark.parametrize("unit", ['"people"', '"Visits"', '""', "null", "1", '["visits"]'])
def test_an_unknown_unit_is_shown_with_those_that_are(http: httpx.Client, unit: str) -> None:
    refused(http, "PUT", "/v1/counters/new", f'{{"unit":{unit}}}'.encode(), 422, unit.strip('"'))


def test_another_unit_is_a_conflict_that_names_both(http: httpx.Client) -> None:
    refused(http, "PUT", "/v1/counters/people", b'{"unit":"visits"}', 409, "people", "visitors", "not visits")
    refused(http, "PUT", "/v1/counters/shop", b'{"unit":"visitors"}', 409, "shop", "visits", "not visitors")


def test_a_batch_in_which_one_visit_lacks_its_visitor_is_refused_whole(http: httpx.Client) -> None:
    for counter in ("people", "people.here.new"):
        for visit in ("", ',"key":"k"', ',"count":2', ',"visitor":null'):
            body = f'{{"visits":[{{"counter":"new"}},{{"counter":"shop"}},{{"counter":"{counter}"{visit}}}]}}'
            problem = refused(http, "POST", BATCH, body.encode(), 422, "people counts visitors", counter)
            assert (problem["index"], problem["type"]) == (2, "/problems/visitor-required")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ('{"id":"s","from":5,"to":5}', "from 5 to 5"),
        ('{"id":"s","from":-1,"to":5}', "from -1 to 5"),
        ('{"id":"s","from":0,"to":9223372036854775808}', "to 9223372036854775808"),
        ('{"id":"s","from":0.5,"to":5}', "which is 0.5"),
        ('{"id":"s","from":true,"to":5}', "which is true"),
        ('{"id":"s","from":0}', "`to`"),
        ('{"id":"s","from":0,"to":5,"size":5}', "`size`"),
        ('{"id":"a b","from":0,"to":5}', "'a b' cannot name a source"),
        ('{"id":"\\u0000","from":0,"to":5}', "'\\x00' cannot name a source"),
        ("null", "Expected `object`, got `null`"),
    ],
)
def test_a_chunk_that_is_none_is_refused_with_what_it_said(http: httpx.Client, source: str, says: str) -> None:
    refused(http, "POST", BATCH, f'{{"visits":[{{"counter":"a"}}],"source":{source}}}'.encode(), 422, says)


def test_a_key_in_a_chunk_is_refused_naming_its_index(http: httpx.Client) -> None:
    body = b'{"visits":[{"counter":"a"},{"counter":"a","key":"k"}],"source":{"id":"s","from":0,"to":5}}'
    assert refused(http, "POST", BATCH, body, 422, "key")["index"] == 1
    refused(http, "POST", BATCH, body, 422, "Idempotency-Key", headers=[("Idempotency-Key", b"k")])
