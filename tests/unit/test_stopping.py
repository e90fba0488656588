"""A server that stops does not wait for clients that have their answers, and are silent; others get what is theirs."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fake_node import FakeNode

from footfall.certificates import client_context, server_context
from footfall.web import server as module
from footfall.web.server import HttpServer
from pki import Authority

READ = b"GET /v1/counters/shop HTTP/1.1\r\nhost: a\r\n\r\n"
PATIENCE_S = 20.0
FOR_EVER_S = 3600


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GOODBYE_S", 0.2)


@contextlib.asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None) -> AsyncIterator[HttpServer]:
    """A server that would wait for an hour for what is outstanding."""
    server = HttpServer(FakeNode(), "127.0.0.1", 0, stop_s=FOR_EVER_S, tls=tls)  # type: ignore[arg-type]
    await server.start()
    async with asyncio.timeout(PATIENCE_S):
        yield server
        await server.stop()


async def clogged(server: HttpServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection whose client has read nothing of its answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1)
    while not (server._connections() and server._connections()[0].clogged):
        writer.write(500 * READ)
        await asyncio.sleep(0.01)
    return reader, writer


async def test_a_client_that_does_not_read_is_not_waited_for() -> None:
    async with serving() as server:
        _, writer = await clogged(server)
    writer.transport.abort()


async def test_a_client_that_reads_gets_all_that_was_answered_however_slowly() -> None:
    async with serving() as server:
        reader, writer = await clogged(server)
        stopping = asyncio.create_task(server.stop())
        taken = b""
        while data := await reader.read(65_536):
            taken += data
            await asyncio.sleep(0.01)
        await stopping
        assert taken.count(b"HTTP/1.1 200 OK") >= server.traffic.hot_reads > 0
    writer.transport.abort()


async def test_over_tls_a_client_that_does_not_say_goodbye_is_not_waited_for(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("node")
    async with serving(server_context(pair.cert, pair.key)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=client_context(authority.ca))
        writer.write(READ)
        assert await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.transport.abort()


@pytest.mark.parametrize("answered", [True, False])
async def test_an_answer_that_is_outstanding_is_waited_for(answered: bool) -> None:
    node = FakeNode(delay_s=None)
    server = HttpServer(node, "127.0.0.1", 0, stop_s=FOR_EVER_S if answered else 1)  # type: ignore[arg-type]
    node._count("shop", None, None, 0)
    await server.start()
    async with asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST /v1/counters/shop/visits HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n")
        while not node.waiting:  # noqa: ASYNC110 - the node has no event for it
            await asyncio.sleep(0.01)
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(2 * module.GOODBYE_S)
        if answered:
            node.flush()
        await stopping
        assert (await reader.read()).startswith(b"HTTP/1.1 202" if answered else b"")
    writer.close()
