"""A node that is behind refuses, on every way in, and says so; one that has caught up takes visits at once."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from fake_node import FakeNode
from raw_http import get, read_answer, request, talk

from footfall.web.server import HttpServer

POST_KEYED = b"POST /v1/counters/shop/visits HTTP/1.1\r\nhost: h\r\nidempotency-key: k\r\ncontent-length: %d\r\n\r\n"


@pytest.fixture
def node() -> FakeNode:
    node = FakeNode()
    node._count("shop", None, None, 0)
    return node


@pytest.fixture(params=[True, False], ids=["hot", "application"])
async def server(node: FakeNode, request: pytest.FixtureRequest) -> AsyncIterator[HttpServer]:
    server = HttpServer(node, "127.0.0.1", 0, stop_s=1, hot=request.param)  # type: ignore[arg-type]
    await server.start()
    yield server
    await server.stop()


def hold_up(server: HttpServer) -> None:
    """Its loop did not come round for long."""
    server._pulse._beaten_s -= 10


@pytest.mark.parametrize(
    "data",
    [
        request(),
        POST_KEYED % 0,
        POST_KEYED % 2 + b"{}",
        POST_KEYED % 200_000 + b" " * 200_000,
        b"GET /v1/nodes HTTP/1.1\r\nhost: h\r\n\r\n",
        b"GET /v1/nodes HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n",
    ],
)
async def test_a_node_that_is_behind_answers_503_with_retry_after_and_counts_it(
    server: HttpServer, node: FakeNode, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server._pulse, "beat", lambda: None)
    hold_up(server)
    [answer] = await talk(server.port, data)
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert b"/problems/overloaded" in answer.body
    assert (server.traffic.shed, node.counts) == (1, {"shop": 0})


async def test_its_health_is_still_told(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server._pulse, "beat", lambda: None)
    hold_up(server)
    [answer] = await talk(server.port, b"GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n")
    assert (answer.status, server.traffic.shed) == (200, 0)


async def test_one_connection_is_refused_and_then_served(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    beat = server._pulse.beat
    monkeypatch.setattr(server._pulse, "beat", lambda: None)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    hold_up(server)
    for data in (request(), POST_KEYED % 2 + b"{}", get()[:-2] + b"x: y\r\n\r\n"):
        writer.write(data)
        assert (await read_answer(reader)).status in (503, 200)  # a read on the hot path costs what refusing it does
    assert server.traffic.shed >= 2
    beat()
    for data in (request(), POST_KEYED % 2 + b"{}"):
        writer.write(data)
        assert (await read_answer(reader)).status == 202
    writer.close()


async def test_a_crowd_of_connections_is_accepted_in_one_round(server: HttpServer) -> None:
    clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(200)]
    async with asyncio.timeout(5):
        while len(server._connections()) < 200:  # noqa: ASYNC110
            await asyncio.sleep(0)
    for client in clients:
        client.close()
