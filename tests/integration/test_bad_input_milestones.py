"""Bad input about milestones, claims and imports to a server as it is run: each is told why, and changes nothing."""

import signal
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
from commands import PATIENCE_S, serve, settles, until
from refusing import refused

MILESTONE = "/v1/counters/shop/milestones/1000"
CLAIM = f"{MILESTONE}/claim"
IMPORTS = "/v1/counters/shop/imports"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """``shop`` counts 10, 9 of them imported, and ``people`` counts visitors; both have a milestone."""
    process, url = serve(tmp_path_factory.mktemp("http") / "data")
    with httpx.Client(base_url=url) as client:
        assert client.post("/v1/counters/shop/visits").status_code == 202
        assert client.put("/v1/counters/people", json={"unit": "visitors"}).status_code == 201
        assert client.put(f"{IMPORTS}/old", json={"value": 9, "note": "until: May"}).status_code == 201
        for counter in ("shop", "people"):
            assert client.put(f"/v1/counters/{counter}/milestones/1000").status_code == 201
        settles(url, "shop", 10)
        yield client
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0


@pytest.fixture
def http(server: httpx.Client) -> Iterator[httpx.Client]:
    """A server in which nothing changes."""

    def held() -> list[Any]:
        paths = ("/v1/milestones", IMPORTS, "/v1/counters/people/imports")
        listed = server.get("/v1/counters").json()["counters"]
        values = [(one["counter"], one["value"], one["unit"]) for one in listed]
        return [values, *(server.get(path).json() for path in paths)]

    before = held()
    yield server
    assert held() == before


@pytest.mark.parametrize(
    ("method", "path", "says"),
    [
        ("PUT", f"{MILESTONE}?n=5", "'n': this takes none"),
        ("GET", f"{MILESTONE}?wait", "'wait': this takes none"),
        ("POST", f"{CLAIM}?receipt=r", "'receipt': this takes none"),
        ("GET", "/v1/milestones?limit=5", "'limit': this takes none"),
        ("PUT", f"{IMPORTS}/new?value=5", "'value': this takes none"),
    ],
)
def test_parameters_are_refused_by_name(http: httpx.Client, method: str, path: str, says: str) -> None:
    refused(http, method, path, None, 422, says)


@pytest.mark.parametrize("name", ["a.", "a%20b", "a%00", "a%2Fb", "a" * 201, "1." * 8 + "1"])
def test_what_cannot_name_a_counter_is_told_the_rule(http: httpx.Client, name: str) -> None:
    for method, path, body in (
        ("PUT", f"/v1/counters/{name}/milestones/5", None),
        ("GET", f"/v1/counters/{name}/milestones/5", None),
        ("GET", f"/v1/counters/{name}/milestones", None),
        ("POST", f"/v1/counters/{name}/milestones/5/claim", b'{"receipt":"r"}'),
        ("PUT", f"/v1/counters/{name}/imports/s", b'{"value":5,"note":"n"}'),
        ("GET", f"/v1/counters/{name}/imports", None),
    ):
        refused(http, method, path, body, 422, "cannot name a counter", "1 to 8 dot-separated parts")


@pytest.mark.parametrize(
    "n", ["0", "-1", "+1", "01", "1.0", "1e3", "1_000", "1,000", "%201", "1%0A", "%D9%A3", "%00", "%FF", "ten",
          "9223372036854775808", "9" * 5000],
)  # fmt: skip
def test_an_n_that_is_none_is_shown_with_its_range(http: httpx.Client, n: str) -> None:
    path = f"/v1/counters/shop/milestones/{n}"
    for method, below, body in (("PUT", "", None), ("GET", "", None), ("POST", "/claim", b'{"receipt":"r"}')):
        problem = refused(http, method, path + below, body, 422, "N is '", "from 1 to 2**63 - 1")
        assert len(problem["detail"]) < 400


@pytest.mark.parametrize("body", [b"[]", b"null", b"5", b'{"n":1000}', b'{"receipt":"r"}'])
def test_a_milestone_takes_no_body_that_says_anything(http: httpx.Client, body: bytes) -> None:
    refused(http, "PUT", "/v1/counters/shop/milestones/2000", body, 422, "wrong shape")


def test_a_milestone_that_was_passed_is_refused_with_the_exact_count(http: httpx.Client) -> None:
    for n in (1, 10):
        problem = refused(http, "PUT", f"/v1/counters/shop/milestones/{n}", None, 409, "shop has 10 already")
        assert (problem["type"], problem["value"]) == ("/problems/milestone-passed", 10)


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"", 400, "there is no body"),
        (b"{", 400, "the body is not JSON"),
        (b"{}", 422, "`receipt`"),
        (b'["r"]', 422, "Expected `object`"),
        (b'{"receipt":null}', 422, "which is null"),
        (b'{"receipt":5}', 422, "which is 5"),
        (b'{"receipt":"r","key":"k"}', 422, "`key`"),
        (b'{"receipt":"r","receipt":"r"}', 422, "the field 'receipt' is given twice"),
        (b'{"receipt":""}', 422, "the receipt is empty"),
        (b'{"receipt":"\\u0000"}', 422, "cannot be shown: '\\x00'"),
        (b'{"receipt":"' + b"r" * 514 + b'"}', 422, "the receipt has 514 bytes; at most 513"),
        (b'{"receipt":"r"}', 409, "the 1,000th of shop has not come yet"),
    ],
)
def test_a_claim_that_cannot_be_one_says_why(http: httpx.Client, body: bytes, status: int, says: str) -> None:
    refused(http, "POST", CLAIM, body, status, says)


def test_a_claim_takes_one_key(http: httpx.Client) -> None:
    twice = [("Idempotency-Key", b"a"), ("Idempotency-Key", b"a")]
    refused(http, "POST", CLAIM, b'{"receipt":"r"}', 422, "2 Idempotency-Key headers", headers=twice)
    refused(http, "POST", CLAIM, b'{"receipt":"r"}', 422, "is empty", headers=[("Idempotency-Key", b"")])


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ("", 400, "there is no body"),
        ('{"value":5}', 422, "`note`"),
        ('{"note":"n"}', 422, "`value`"),
        ('{"value":0,"note":"n"}', 422, "the value is 0"),
        ('{"value":-5,"note":"n"}', 422, "the value is -5"),
        ('{"value":9223372036854775808,"note":"n"}', 422, "9223372036854775808"),
        ('{"value":9223372036854775807,"note":"n"}', 422, "would take it past 2**63 - 1"),
        ('{"value":5.0,"note":"n"}', 422, "which is 5.0"),
        ('{"value":true,"note":"n"}', 422, "which is true"),
        ('{"value":"5","note":"n"}', 422, 'which is "5"'),
        ('{"value":5,"value":6,"note":"n"}', 422, "the field 'value' is given twice"),
        ('{"value":5,"note":"n","source":"s"}', 422, "`source`"),
        ('{"value":5,"note":""}', 422, "the note is empty"),
        ('{"value":5,"note":"a\\u0000"}', 422, "cannot be shown"),
        ('{"value":5,"note":"%s"}' % ("n" * 1001), 422, "the note has 1001 bytes; at most 1000"),
        ('{"value":990,"note":"n"}', 409, "would bring its 1,000th near or past"),
    ],
)
def test_an_import_that_cannot_be_one_says_why(http: httpx.Client, body: str, status: int, says: str) -> None:
    refused(http, "PUT", f"{IMPORTS}/new", body.encode(), status, says)


def test_a_source_is_imported_once_and_says_what_it_was(http: httpx.Client) -> None:
    for counter, value in (("shop", 10), ("people", 9)):
        body = msgspec.json.encode({"value": value, "note": "n"})
        refused(http, "PUT", f"/v1/counters/{counter}/imports/old", body, 409, "9 into shop", "until: May", "another")
    for source in ("a%20b", "a%2Fb", "%00", "s" * 201):
        refused(http, "PUT", f"{IMPORTS}/{source}", b'{"value":5,"note":"n"}', 422, "cannot name a source")


def test_what_is_no_milestone_is_not_found_and_says_how_to_set_one(http: httpx.Client) -> None:
    for method, below, body in (("GET", "", None), ("POST", "/claim", b'{"receipt":"r"}')):
        problem = refused(http, method, f"/v1/counters/new/milestones/5{below}", body, 404, "new has no milestone 5")
        assert problem["type"] == "/problems/unknown-milestone"


def test_wrong_receipts_that_come_too_fast_are_told_when_to_come_again_and_the_winners_is_not(
    server: httpx.Client,
) -> None:
    http, won = server, "/v1/counters/won/milestones/1"
    assert http.put(won).status_code == 201
    receipt = http.post("/v1/counters/won/visits").json()["receipt"]
    until(lambda: http.get(won).json()["state"] == "reached", "it is reached")
    for _ in range(100):
        answer = http.post(f"{won}/claim", json={"receipt": "guess"})
        if answer.status_code != 403:
            break
    assert (answer.status_code, answer.json()["type"]) == (429, "/problems/too-many-claims")
    assert int(answer.headers["retry-after"]) >= 1
    assert http.post(f"{won}/claim", json={"receipt": receipt}).status_code == 200
