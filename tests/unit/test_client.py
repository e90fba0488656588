"""A node's answers become values and errors, and a hit counts once whatever happens to its answers."""

import json
from collections.abc import Callable

import httpx
import pytest

from footfall import cli
from footfall.cli import client, delivery
from footfall.cli.client import Client
from footfall.client.access import check_url
from footfall.core.names import Unit
from footfall.errors import (
    ConfigError,
    CountOverflowError,
    FootfallError,
    LogFullError,
    MilestonePassedError,
    NotReadyError,
    PartitionsUnownedError,
    SourcePositionError,
    TooManyClaimsError,
    UnavailableError,
    UnitConflictError,
    UnknownMilestoneError,
    WrongReceiptError,
)

URL = "http://node:1"
Handler = Callable[[httpx.Request], httpx.Response]


def speaking(handler: Handler) -> Client:
    return Client(URL, httpx.MockTransport(handler))


def problem(status: int, kind: str, **members: object) -> Handler:
    return lambda _: httpx.Response(status, json={"type": f"/problems/{kind}", "detail": "why", **members})


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (409, "unit-conflict", UnitConflictError),
        (404, "unknown-milestone", UnknownMilestoneError),
        (403, "wrong-receipt", WrongReceiptError),
        (429, "too-many-claims", TooManyClaimsError),
        (422, "count-overflow", CountOverflowError),
        (503, "not-ready", NotReadyError),
        (503, "log-full", LogFullError),
        (503, "of-a-newer-version", UnavailableError),
        (500, "of-a-newer-version", FootfallError),
    ],
)
def test_a_problem_is_the_error_that_the_node_raised(status: int, kind: str, error: type[FootfallError]) -> None:
    with speaking(problem(status, kind)) as node, pytest.raises(error, match=r"^why$"):
        node.read("a")


def test_a_problem_tells_which_visit_and_which_position() -> None:
    with speaking(problem(422, "invalid-visit", index=3)) as node, pytest.raises(FootfallError) as invalid:
        node.read("a")
    assert vars(invalid.value)["index"] == 3
    with speaking(problem(409, "source-position", position=7)) as node, pytest.raises(SourcePositionError) as moved:
        node.send_chunk(b"{}")
    assert moved.value.position == 7
    with speaking(problem(409, "milestone-passed", value=7)) as node, pytest.raises(MilestonePassedError) as passed:
        node.add_milestone("a", 5)
    assert passed.value.value == 7
    unowned = problem(503, "partitions-unowned", partitions=[1, 2])
    with speaking(unowned) as node, pytest.raises(PartitionsUnownedError) as missing:
        node.read("a", "linearizable")
    assert missing.value.partitions == [1, 2]


@pytest.mark.parametrize("status", [200, 302, 404, 500])
def test_an_answer_that_is_not_a_nodes_asks_whether_the_url_is_right(status: int) -> None:
    page = speaking(lambda _: httpx.Response(status, text="<html>"))
    with page as node, pytest.raises(FootfallError, match="is the URL right"):
        node.read("a")


def test_a_gateway_without_its_node_is_unavailable() -> None:
    with speaking(lambda _: httpx.Response(502, text="<html>")) as node, pytest.raises(UnavailableError, match="502"):
        node.read("a")


def test_counters_are_listed_over_all_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAGE_COUNTERS", 2)
    names = ["a", "a.b", "a.c", "a.d", "a.e"]

    def page(request: httpx.Request) -> httpx.Response:
        assert request.url.params["prefix"] == "a"
        begin = names.index(request.url.params["after"]) + 1 if "after" in request.url.params else 0
        found = [{"counter": name, "value": 1, "unit": "visits"} for name in names[begin : begin + 2]]
        return httpx.Response(200, json={"counters": found, "next": names[begin + 1] if begin + 2 < 5 else None})

    with speaking(page) as node:
        assert [reading.counter for reading in node.counters("a")] == names


def test_defining_tells_whether_it_was_made_now() -> None:
    with speaking(lambda _: httpx.Response(201, json={})) as node:
        assert node.define("a", Unit.VISITS)
    with speaking(lambda _: httpx.Response(200, json={})) as node:
        assert not node.define("a", Unit.VISITS)


@pytest.mark.parametrize(
    "url",
    [
        "http://a",
        "https://a:1/",
        "http://[::1]:80",
        "http://user@a/base",
        "http://z\N{LATIN SMALL LETTER A WITH DIAERESIS}hler.example",
    ],
)
def test_urls(url: str) -> None:
    assert check_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a",
        "a:1",
        "ftp://a",
        "http://",
        "http://a:x",
        "http://a?b",
        "http://[::1",
        "http://a b",
        "http://a..b",
        "http://xn--",
        "http://\N{SNOWMAN}",
        "http://a\0b",
        "http://" + "a" * 64,
        "http://me:secret@a..b",
    ],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="is not the URL of a node") as raised:
        check_url(url)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("given", [[], ["--key", "mine"]])
def test_a_hit_is_sent_again_under_the_same_key(
    given: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keys: list[str] = []

    def lossy(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            keys.append(json.loads(request.content)["visits"][0]["key"])
        if len(keys) < 3:
            raise httpx.ReadError("lost")
        return httpx.Response(202, json={"accepted": 1, "stored": "log", "receipts": ["r"]})

    monkeypatch.setattr(delivery, "RETRY_FIRST_S", 0.001)
    monkeypatch.setattr("footfall.cli.queries.Client", lambda url: speaking(lossy))
    assert cli.run(["hit", "shop", *given]) == 0
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert keys[0] == "mine" or len(keys[0]) >= 22, "long enough to be a receipt"
    assert "receipt r" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("said", "do"),
    [
        ("certificate has expired", "it has to be renewed, if this machine's clock is right"),
        ("certificate is not yet valid", "see that the clocks of this machine and of whoever signed it are right"),
        ("Hostname mismatch, certificate is not valid for 'localhost'.", "name the node with --url as its certificate"),
        ("unable to get local issuer certificate", "name the certificate of whoever signed it with --ca"),
    ],
)
def test_what_is_to_be_done_about_a_certificate_depends_on_what_is_wrong_with_it(said: str, do: str) -> None:
    def distrust(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {said} (_ssl.c:1010)")

    with pytest.raises(UnavailableError, match=f"its certificate is not trusted: {said.lower()}.*: {do}"):
        speaking(distrust).read("shop")
