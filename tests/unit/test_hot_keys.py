"""Visits that carry a key: the hot path takes the plain ones, and none by the key of another."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from fake_node import FakeNode
from raw_http import read_answer, request, talk

from footfall.web.server import HttpServer

VISIT = request()


@pytest.fixture
def node() -> FakeNode:
    node = FakeNode()
    node._count("shop", None, None, 0)
    return node


@pytest.fixture
async def server(node: FakeNode) -> AsyncIterator[HttpServer]:
    server = HttpServer(node, "127.0.0.1", 0, stop_s=1)  # type: ignore[arg-type]
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def port(server: HttpServer) -> int:
    return server.port


async def statuses(port: int, *sent: bytes, answers: int = 1) -> list[int]:
    return [answer.status for answer in await talk(port, *sent, answers=answers)]


@pytest.mark.parametrize("key", ["k", "8JcZyYQm2VtR4sWk1nHx0a", "a key with spaces", "~" * 250])
async def test_a_visit_with_a_key_needs_no_framework_either(
    port: int, node: FakeNode, server: HttpServer, key: str
) -> None:
    assert await statuses(port, request(headers=f"Idempotency-Key: {key}\r\n")) == [202]
    assert (node.keys[1:], node.submitted, server.traffic.hot_visits) == ([key], 1, 1)


async def test_every_visit_has_its_own_key(port: int, node: FakeNode, server: HttpServer) -> None:
    keyed = [request(headers=f"Idempotency-Key: {key}\r\n") for key in ("one", "two", "one")]
    assert await statuses(port, b"".join([VISIT, keyed[0], VISIT, *keyed[1:], VISIT]), answers=6) == [202] * 6
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for sent in (keyed[0], VISIT, keyed[1], VISIT):
        writer.write(sent)
        assert (await read_answer(reader)).status == 202
    writer.close()
    assert node.keys[1:] == [None, "one", None, "two", "one", None, "one", None, "two", None]
    assert not any(b"one" in head or b"two" in head for head in server._protocol.heads)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("Idempotency-Key: one\r\nIdempotency-Key: two\r\n", 422),
        ("Idempotency-Key:\r\n", 422),
        (f"Idempotency-Key: {'k' * 251}\r\n", 422),
        ("Idempotency-Key: tab\tinside\r\n", 422),
        ("Idempotency-Key: schlüssel\r\n", 202),
    ],
)
async def test_a_key_that_is_not_plain_is_the_applications(
    port: int, node: FakeNode, server: HttpServer, headers: str, status: int
) -> None:
    assert await statuses(port, request(headers=headers)) == [status]
    assert (node.submitted, server.traffic.hot_visits) == (0, 0)
    assert node.keys[1:] == (["schlüssel"] if status == 202 else [])


async def test_a_read_with_a_key_is_a_read(port: int, node: FakeNode) -> None:
    assert await statuses(
        port,
        request(body=b"", headers="Idempotency-Key: k\r\n", path="/v1/counters/shop", method="GET", length=False),
        VISIT,
        answers=2,
    ) == [200, 202]
    assert node.keys[1:] == [None]
