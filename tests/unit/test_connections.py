"""What connections may take: how many there are, and how long a request and the reading of its answer may last."""

import asyncio
import resource
import time

import msgspec
import pytest
from fake_node import FakeNode
from raw_http import Answer, at_end, closes, get, read_answer, request, talk
from test_hot import until

from footfall.addresses import Proxies
from footfall.web.connection import Limits
from footfall.web.descriptors import RESERVE, room_for
from footfall.web.server import HttpServer

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
SHORT_S = 0.4


async def server_of(limits: Limits, node: FakeNode | None = None, keep_alive_s: int = 75) -> HttpServer:
    node = node or FakeNode(0)
    node._count("shop", None, None, 0)
    server = HttpServer(node, "127.0.0.1", 0, stop_s=1, limits=limits, keep_alive_s=keep_alive_s)  # type: ignore[arg-type]
    await server.start()
    return server


async def ask(streams: Streams, sent: bytes) -> Answer:
    streams[1].write(sent)
    return await asyncio.wait_for(read_answer(streams[0]), 10)


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (Limits(connections_max=3), "this node has 3 connections"),
        (Limits(per_address_max=3), "127.0.0.1 has 3 connections"),
    ],
)
async def test_a_connection_too_many_is_turned_away_and_one_that_closes_makes_room(limits: Limits, says: str) -> None:
    server = await server_of(limits)
    taken = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(3)]
    for streams in taken:
        assert (await ask(streams, get())).status == 200
    for turned_away in range(1, 3):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        answer = await asyncio.wait_for(read_answer(reader), 10)
        assert (answer.status, answer.headers["retry-after"], answer.headers["connection"]) == (503, "1", "close")
        assert says in msgspec.json.decode(answer.body)["detail"]
        assert await closes(reader)
        writer.close()
        assert server.traffic.refused == turned_away
    for streams in taken:
        assert (await ask(streams, request())).status == 202
    taken[0][1].close()
    await until(lambda: len(server._connections()) == 2)
    assert [answer.status for answer in await talk(server.port, get())] == [200]
    for _, writer in taken:
        writer.close()
    await until(lambda: not server._connections())
    assert not server._uvicorn.config.http.origins  # type: ignore[union-attr]
    await server.stop()


async def test_connections_of_a_proxy_are_those_of_many() -> None:
    server = await server_of(Limits(per_address_max=1, proxies=Proxies(["127.0.0.1"])))
    taken = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(3)]
    for streams in taken:
        assert (await ask(streams, get())).status == 200
        streams[1].close()
    await server.stop()


async def dribble(streams: Streams, sent: bytes, server: HttpServer) -> None:
    """Send byte for byte until the server ends that: what comes after would cost the client its answer."""
    for byte in sent:
        if server.traffic.slow or not server._connections():
            return
        streams[1].write(bytes([byte]))
        await asyncio.sleep(0.02)


async def last_answer(reader: asyncio.StreamReader) -> Answer:
    """What came before the connection ended; if a byte of ours crossed that end, it was reset."""
    await until(lambda: reader._eof or reader.exception() is not None)  # type: ignore[attr-defined]
    reader._exception = None  # type: ignore[attr-defined]
    reader.feed_eof()
    return await read_answer(reader)


@pytest.mark.parametrize(
    "sent",
    [
        request(headers="X: " + "a" * 1000 + "\r\n"),
        request(body=b" " * 1000),
        request(headers="Idempotency-Key: k\r\n", body=b" " * 1000),
        request(headers="Transfer-Encoding: chunked\r\n", body=b"", length=False) + b"1\r\na\r\n" * 200,
    ],
    ids=["head", "body", "body for the application", "chunks"],
)
async def test_a_request_that_dribbles_in_is_ended_however_steadily_it_comes(sent: bytes) -> None:
    server = await server_of(Limits(request_timeout_s=SHORT_S))
    streams = await asyncio.open_connection("127.0.0.1", server.port)
    assert (await ask(streams, request())).status == 202
    await dribble(streams, sent, server)
    answer = await last_answer(streams[0])
    assert (answer.status, answer.headers["connection"]) == (408, "close")
    assert "did not come within 0.4 s" in msgspec.json.decode(answer.body)["detail"]
    assert server.traffic.slow == 1
    streams[1].close()
    await server.stop()


async def test_requests_that_come_quickly_go_on_for_as_long_as_they_like() -> None:
    server = await server_of(Limits(request_timeout_s=SHORT_S))
    streams = await asyncio.open_connection("127.0.0.1", server.port)
    ends_s = time.monotonic() + 3 * SHORT_S
    while time.monotonic() < ends_s:
        streams[1].write(request()[:40])
        await asyncio.sleep(SHORT_S / 20)
        assert (await ask(streams, request()[40:])).status == 202
    streams[1].close()
    assert server.traffic.slow == 0
    await server.stop()


async def test_who_waits_for_the_node_is_not_slow() -> None:
    node = FakeNode(None)
    server = await server_of(Limits(request_timeout_s=SHORT_S), node)
    streams = await asyncio.open_connection("127.0.0.1", server.port)
    streams[1].write(request() * 2 + request()[:40])
    await until(lambda: bool(node.waiting))
    await asyncio.sleep(2 * SHORT_S)
    node.delay_s = 0
    node.flush()
    streams[1].write(request()[40:])
    assert [(await asyncio.wait_for(read_answer(streams[0]), 10)).status for _ in range(3)] == [202] * 3
    streams[1].close()
    await server.stop()


async def test_who_does_not_read_his_answers_is_dropped() -> None:
    server = await server_of(Limits(request_timeout_s=SHORT_S))
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    reader._limit = 1  # type: ignore[attr-defined]
    writer.write(get() * 100)
    await asyncio.sleep(0.05)

    async def ask_on() -> None:
        while True:
            writer.write(get() * 1000)
            await writer.drain()

    asking = asyncio.create_task(ask_on())
    await until(lambda: server.traffic.slow == 1)
    await until(lambda: not server._connections())
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(asking, 10)
    writer.transport.abort()
    await asyncio.sleep(0.05)  # its socket is closed in the loop's next rounds
    assert [answer.status for answer in await talk(server.port, get())] == [200]
    await server.stop()


async def test_empty_lines_do_not_keep_a_connection() -> None:
    server = await server_of(Limits(), keep_alive_s=1)
    streams = await asyncio.open_connection("127.0.0.1", server.port)
    await dribble(streams, b"\r\n" * 250, server)
    assert await asyncio.wait_for(at_end(streams[0]), 10)
    streams[1].close()
    await server.stop()


def test_room_is_asked_for_and_what_the_system_refuses_is_not_counted_on(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [1024, 4096]

    def change(_: int, wanted: tuple[int, int]) -> None:
        limits[:] = wanted

    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(limits))
    monkeypatch.setattr(resource, "setrlimit", change)
    assert (room_for(500), limits) == (500, [1024, 4096])
    assert (room_for(2000), limits) == (2000, [2000 + RESERVE, 4096])
    assert (room_for(10_000), limits) == (4096 - RESERVE, [4096, 4096])
    limits[:] = [1024, resource.RLIM_INFINITY]
    assert (room_for(10_000), limits) == (10_000, [10_000 + RESERVE, resource.RLIM_INFINITY])
    limits[:] = [resource.RLIM_INFINITY, resource.RLIM_INFINITY]
    assert room_for(10_000) == 10_000
