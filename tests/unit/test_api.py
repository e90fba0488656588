"""What the application answers when the node is not well."""

import logging
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest
from fake_node import FakeNode
from raw_http import get, request, talk

from footfall.errors import (
    AlreadyClaimedError,
    FootfallError,
    ImportConflictError,
    LogFullError,
    LogRewoundError,
    NotReachedError,
    NotReadyError,
    OverloadedError,
    TooManyClaimsError,
    TooManyCountersError,
    TooManyMilestonesError,
    UnknownMilestoneError,
    WrongReceiptError,
)
from footfall.web import problems
from footfall.web.openapi import document
from footfall.web.server import HttpServer


class BrokenNode(FakeNode):
    def read(self, name: str) -> None:  # type: ignore[override]
        raise RuntimeError("a bug")


@pytest.fixture
async def node() -> FakeNode:
    return FakeNode()


@pytest.fixture
async def http(node: FakeNode) -> AsyncIterator[httpx.AsyncClient]:
    server = HttpServer(node, "127.0.0.1", 0, stop_s=1)  # type: ignore[arg-type]
    await server.start()
    async with httpx.AsyncClient(base_url=server.url) as client:
        yield client
    await server.stop()


async def test_a_node_that_is_not_ready_says_why(node: FakeNode, http: httpx.AsyncClient) -> None:
    node.unready = ["the log cannot be reached"]
    answer = await http.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        503,
        {"ready": False, "problems": ["the log cannot be reached"], "warnings": []},
    )
    assert (await http.get("/healthz")).status_code == 200


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (NotReadyError("x"), 503),
        (OverloadedError("x"), 503),
        (LogFullError("x"), 503),
        (TooManyCountersError("x"), 507),
        (LogRewoundError("x"), 500),
        (TooManyMilestonesError("x"), 507),
        (ImportConflictError("x"), 409),
        (UnknownMilestoneError("x"), 404),
        (WrongReceiptError("x"), 403),
        (NotReachedError("x"), 409),
        (AlreadyClaimedError("x"), 409),
        (TooManyClaimsError("x"), 429),
    ],
)
async def test_what_the_node_raises_is_answered_as_a_problem(
    node: FakeNode, http: httpx.AsyncClient, failure: FootfallError, status: int
) -> None:
    node.failure = failure
    answer = await http.post("/v1/counters/shop/visits")
    assert (answer.status_code, answer.json()["detail"]) == (status, "x")
    assert ("retry-after" in answer.headers) == (status in (429, 503))


async def test_a_bug_is_answered_with_500_and_logged_with_its_trace(caplog: pytest.LogCaptureFixture) -> None:
    for hot in (True, False):
        server = HttpServer(BrokenNode(), "127.0.0.1", 0, hot=hot, stop_s=1)  # type: ignore[arg-type]
        await server.start()
        caplog.clear()
        with caplog.at_level(logging.ERROR):
            [answer] = await talk(server.port, get())
        assert (answer.status, msgspec.json.decode(answer.body)["status"]) == (500, 500)
        assert "RuntimeError: a bug" in caplog.text
        await server.stop()


async def test_a_url_that_is_none_is_a_bad_request(http: httpx.AsyncClient) -> None:
    assert http.base_url.port is not None
    for path in ("/\xff", "//", "http://[::1/"):
        [answer] = await talk(http.base_url.port, request(path, method="GET"))
        assert answer.status in (400, 404)


def test_every_error_has_a_status_and_a_type_of_its_own() -> None:
    assert len(problems.KINDS) == len(set(problems.KINDS.values()))
    for kind in problems.KINDS.values():
        assert kind.__doc__
        assert any(issubclass(kind, known) for known, _ in problems.STATUSES)


def test_every_reference_in_the_document_is_to_something_in_it() -> None:
    text = msgspec.json.encode(document()).decode()
    for reference in {part.split('"')[0] for part in text.split('"$ref":"#/')[1:]}:
        found = document()
        for key in reference.split("/"):
            found = found[key]
