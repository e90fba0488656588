"""What the protocol does on the wire: the conformance test of the hot path, over a node that a test controls."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from fake_node import FakeNode
from hypothesis import example, given, settings
from hypothesis import strategies as st
from raw_http import Answer, closes, get, read_answer, request, talk

from footfall.errors import LogUnavailableError
from footfall.web import connection
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


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - the fake node has no events
            await asyncio.sleep(0.001)


def statuses(answers: list[Answer]) -> list[int]:
    return [answer.status for answer in answers]


async def test_a_plain_visit_is_answered_with_its_receipt_and_without_the_framework(
    port: int, node: FakeNode, server: HttpServer
) -> None:
    [answer] = await talk(port, VISIT)
    assert answer.status == 202
    assert msgspec.json.decode(answer.body) == {"accepted": 1, "stored": "log", "receipt": "0123456789abcdef0123"}
    assert "date" in answer.headers
    assert (node.submitted, server.traffic.hot_visits, server.traffic.statuses) == (1, 1, {})


async def test_a_plain_read_is_answered_without_the_framework(port: int, server: HttpServer) -> None:
    [answer] = await talk(port, get())
    assert msgspec.json.decode(answer.body)["counter"] == "shop"
    assert (server.traffic.hot_reads, server.traffic.statuses) == (1, {})


@pytest.mark.parametrize("body", [b"", b"{}", b'{"visitor":null}'])
async def test_a_visit_needs_no_visitor(port: int, node: FakeNode, body: bytes) -> None:
    assert statuses(await talk(port, request(body=body))) == [202]
    assert (node.counts, node.submitted) == ({"shop": 1}, 1)


async def test_the_same_head_again_is_looked_up_and_every_body_is_its_own(port: int, node: FakeNode) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    bodies = [b'{"visitor":"%c"}' % letter for letter in b"abcdef"] + [b'{"visitor":}  ', b'{"visitor":"g"}']
    answers = []
    for body in bodies:
        writer.write(request(body=body.ljust(15)))
        answers.append(await read_answer(reader))
    writer.close()
    assert statuses(answers) == [202] * 6 + [400, 202]
    assert node.visitors[1:] == ["a", "b", "c", "d", "e", "f", "g"]


async def test_a_known_head_whose_body_comes_later_or_with_more_behind_it_is_parsed(port: int, node: FakeNode) -> None:
    assert statuses(await talk(port, VISIT)) == [202]
    assert statuses(await talk(port, VISIT[:-3], VISIT[-3:])) == [202]
    assert statuses(await talk(port, VISIT + VISIT[:20], VISIT[20:], answers=2)) == [202, 202]
    assert statuses(await talk(port, VISIT + get(), answers=2)) == [202, 200]
    assert node.visitors[1:] == ["a"] * 5


async def test_any_cut_of_the_bytes_gives_the_same_visit(port: int, node: FakeNode) -> None:
    for cut in range(1, len(VISIT)):
        assert statuses(await talk(port, VISIT[:cut], VISIT[cut:])) == [202]
    assert node.visitors[1:] == ["a"] * (len(VISIT) - 1)


async def test_pipelined_requests_are_answered_in_order(port: int, node: FakeNode) -> None:
    for first in (VISIT, get(), get("/healthz"), request(body=b"{")):
        mixed = first + VISIT + get() + request("/v1/visits") + get("/healthz") + VISIT + get()
        begin = statuses(await talk(port, first))
        expected = [*begin, 202, 200, 422, 200, 202, 200]
        assert statuses(await talk(port, mixed, answers=7)) == expected
        assert statuses(await talk(port, mixed[:200], mixed[200:], answers=7)) == expected


async def test_hundreds_of_pipelined_visits_are_all_answered(port: int, node: FakeNode) -> None:
    assert statuses(await talk(port, VISIT * 300, answers=300)) == [202] * 300
    assert node.counts["shop"] == 300


async def test_what_is_pipelined_behind_a_waiting_visit_waits(port: int, node: FakeNode) -> None:
    node.delay_s = None
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(VISIT + get())
    await until(lambda: bool(node.waiting))
    await asyncio.sleep(0.02)
    assert not reader._buffer  # type: ignore[attr-defined]
    node.flush()
    assert [(await read_answer(reader)).status for _ in range(2)] == [202, 200]
    writer.close()


async def test_a_visit_whose_client_has_gone_is_counted_and_harms_nobody(port: int, node: FakeNode) -> None:
    node.delay_s = None
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(VISIT)
    await until(lambda: bool(node.waiting))
    writer.transport.abort()
    await asyncio.sleep(0.02)
    node.flush()
    node.delay_s = 0
    assert statuses(await talk(port, VISIT)) == [202]
    assert node.counts["shop"] == 2


async def test_a_visit_that_is_not_stored_is_answered_with_the_problem(port: int, node: FakeNode) -> None:
    node.failure = LogUnavailableError("the log is away")
    [answer] = await talk(port, VISIT)
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert answer.headers["content-type"] == "application/problem+json"
    assert msgspec.json.decode(answer.body)["type"] == "/problems/log-unavailable"


async def test_what_the_hot_path_cannot_take_is_taken_by_the_application(port: int, node: FakeNode) -> None:
    node.full = True
    assert statuses(await talk(port, VISIT + VISIT, answers=2)) == [202, 202]
    assert (node.submitted, node.counts["shop"], node.visitors[1:]) == (0, 2, ["a", "a"])


@pytest.mark.parametrize("hot", [True, False])
async def test_traps_of_the_protocol(node: FakeNode, hot: bool) -> None:
    server = HttpServer(node, "127.0.0.1", 0, hot=hot, stop_s=1)  # type: ignore[arg-type]
    await server.start()
    chunked = request(headers="Transfer-Encoding: chunked\r\n", body=b"", length=False)
    offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
    expect = request(headers="Expect: 100-continue\r\n")
    too_large = request(headers="Expect: 100-continue\r\n", body=b"x" * 1_000_001)[:-1_000_001]
    closing = request(headers="Connection: close\r\n")
    cases: list[tuple[str, tuple[bytes, ...], list[int]]] = [
        ("chunked", (chunked + b"f\r\n" + VISIT[-15:] + b"\r\n0\r\n\r\n",), [202]),
        ("chunked, bad chunk", (chunked + b"f\r\n" + VISIT[-15:] + b"\r\nzz\r\n",), [400]),
        ("chunked, bad chunk behind another", (VISIT + chunked + b"zz\r\n",), [202, 400]),
        ("length and chunked", (request(headers="Transfer-Encoding: chunked\r\n"),), [400]),
        ("two lengths", (request(headers="Content-Length: 3\r\n"),), [400]),
        ("expect", (expect[:-15], expect[-15:]), [100, 202]),
        ("expect, too large", (too_large,), [413]),
        ("upgrade, with a body", (request(headers=offer) + VISIT,), [202, 202]),
        ("upgrade, in pieces", (request(headers=offer)[:-5], request(headers=offer)[-5:] + VISIT), [202, 202]),
        ("upgrade of a read", (get().replace(b"Host: x\r\n", b"Host: x\r\n" + offer.encode()) + VISIT,), [200, 202]),
        ("close", (closing + VISIT,), [202]),
        ("HTTP/1.0", (request(version="1.0") + VISIT,), [202]),
        ("HEAD", (request("/v1/counters/shop", b"", method="HEAD", length=False),), [200]),
        ("garbage", (b"\x00\x01\x02\r\n\r\n",), [400]),
        ("garbage behind a visit", (VISIT + b"\x00\x01\x02\r\n\r\n",), [202, 400]),
        ("garbage behind two", (VISIT + VISIT + b"\x00\x01\x02\r\n\r\n",), [202, 202, 400]),
        ("garbage behind an answer of the application", (get("/healthz") + b"\x00\x01\r\n\r\n",), [200, 400]),
        ("CONNECT", (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",), [400]),
        ("a name in percent", (request("/v1/counters/%73hop/visits"),), [202]),
        ("a name that is none", (request("/v1/counters/a%20b/visits"),), [422]),
        ("a slash in percent", (get("/v1/counters/a%2Fb"),), [422]),
        ("a path that is none", (get("/v1/counters/a/b"),), [404]),
        ("a query", (get("/v1/counters/shop?consistency=eventual"),), [200]),
        ("an encoded body", (request(headers="Content-Encoding: gzip\r\n"),), [415]),
        ("a read with a body", (request("/v1/counters/shop", b"x", method="GET"),), [200]),
        ("a head without end", (b"GET / HTTP/1.1\r\nA: a", b"a" * 40_000, b"a" * 40_000), [431]),
    ]
    try:
        for case, chunks, expected in cases:
            answers = await talk(server.port, *chunks, answers=len(expected), bodiless=case == "HEAD")
            assert statuses(answers) == expected, case
            if statuses(answers)[-1] in (400, 431) or case in ("close", "HTTP/1.0", "expect, too large"):
                assert answers[-1].headers["connection"] == "close", case
    finally:
        await server.stop()


async def test_a_body_over_the_limit_is_answered_and_the_connection_goes_on(port: int) -> None:
    large = request(body=b'{"visitor":"' + b"a" * 3_000_000 + b'"}')
    assert statuses(await talk(port, large + VISIT, answers=2)) == [413, 202]
    chunk = b"%x\r\n%b\r\n" % (500_000, b" " * 500_000)
    chunked = request(headers="Transfer-Encoding: chunked\r\n", body=b"", length=False) + chunk * 4 + b"0\r\n\r\n"
    assert statuses(await talk(port, chunked + VISIT, answers=2)) == [413, 202]


async def test_a_reader_that_does_not_read_stops_being_served_and_nobody_else(port: int, server: HttpServer) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.transport.set_write_buffer_limits(high=0)

    async def send_without_end() -> None:
        while True:
            writer.write(get() * 100)
            await writer.drain()

    with pytest.raises(TimeoutError):  # but for the end of its buffers, it would go on for the whole time
        await asyncio.wait_for(send_without_end(), 2)
    assert server.traffic.hot_reads + server.traffic.statuses.get(200, 0) < 100_000
    assert statuses(await talk(port, VISIT)) == [202]
    writer.transport.abort()


async def test_too_many_pipelined_requests_end_the_connection(
    port: int, node: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PIPELINED_MAX", 50)
    node.delay_s = None
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(VISIT * 100)
    await until(lambda: bool(node.waiting))
    node.flush()  # the second is asked of the application, which lets more in
    await until(lambda: bool(node.waiting))
    writer.write(VISIT)
    assert (await read_answer(reader)).status == 202
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await read_answer(reader)
    writer.close()
    node.flush()


async def test_idle_and_half_sent_connections_are_swept_and_waiting_ones_are_not(node: FakeNode) -> None:
    node.delay_s = None
    server = HttpServer(node, "127.0.0.1", 0, keep_alive_s=1, stop_s=1)  # type: ignore[arg-type]
    await server.start()
    connections = []
    for sent in (b"", VISIT[:30], VISIT[:-3], request(headers="Idempotency-Key: k\r\n")[:-3], get(), VISIT):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(sent)
        connections.append((reader, writer))
    assert (await read_answer(connections[4][0])).status == 200
    for reader, _ in connections[:5]:
        assert await closes(reader)
    await asyncio.sleep(1.1)
    node.flush()
    assert (await read_answer(connections[5][0])).status == 202
    for _, writer in connections:
        writer.close()
    await server.stop()


async def test_a_stop_answers_what_is_outstanding_and_says_that_it_closes(server: HttpServer, node: FakeNode) -> None:
    node.delay_s = None
    connections = []
    for sent in (VISIT, request(headers="Idempotency-Key: k\r\n"), VISIT + get("/healthz"), b""):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(sent)
        connections.append((reader, writer))
    await until(lambda: len(node.waiting) == 3)
    stopping = asyncio.create_task(server.stop())
    await asyncio.sleep(0.2)
    with pytest.raises(ConnectionError):
        await asyncio.open_connection("127.0.0.1", server.port)
    node.flush()
    for reader, _ in connections[:2]:
        answer = await read_answer(reader)
        assert (answer.status, answer.headers.get("connection")) == (202, "close")
        assert await closes(reader)
    assert (await read_answer(connections[2][0])).status == 202
    assert await closes(connections[3][0])
    await stopping
    for _, writer in connections:
        writer.close()


@pytest.mark.parametrize("hot", [True, False])
async def test_before_a_stop_requests_that_are_on_their_way_are_answered_as_the_last_of_their_connection(
    node: FakeNode, hot: bool
) -> None:
    server = HttpServer(node, "127.0.0.1", 0, hot=hot, stop_s=1, leave_s=5.0)  # type: ignore[arg-type]
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for _ in range(2):  # the second head is known
        writer.write(VISIT)
        assert (await read_answer(reader)).headers.get("connection") is None
    stopping = asyncio.create_task(server.stop())
    await asyncio.sleep(0.1)
    (ready,) = await talk(server.port, get("/readyz"))
    assert (ready.status, ready.headers["connection"]) == (503, "close")
    assert b"it is stopping" in ready.body
    (visit,) = await talk(server.port, VISIT)
    assert (visit.status, visit.headers["connection"]) == (202, "close")
    writer.write(VISIT)
    last = await read_answer(reader)
    assert (last.status, last.headers["connection"]) == (202, "close")
    assert await closes(reader)
    writer.close()
    await asyncio.wait_for(stopping, 2)  # no connection is left to wait for
    assert node.visitors[1:] == ["a"] * 4


async def test_a_stop_is_bounded_when_an_answer_never_comes(server: HttpServer, node: FakeNode) -> None:
    node.delay_s = None
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(VISIT)
    await until(lambda: bool(node.waiting))
    await asyncio.wait_for(server.stop(), 10)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await read_answer(reader)
    writer.close()
    node.flush()


def comparable(answer: Answer) -> tuple[int, dict[str, str], Any]:
    headers = {name: value for name, value in answer.headers.items() if name != "date"}
    return answer.status, headers, msgspec.json.decode(answer.body)


@pytest.fixture(scope="module")
def both() -> Any:
    """Two servers on a loop of their own, with and without the hot path."""
    with asyncio.Runner() as runner:
        servers = []
        for hot in (True, False):
            node = FakeNode(0)
            node._count("shop", None, None, 0)
            servers.append(HttpServer(node, "127.0.0.1", 0, hot=hot, stop_s=1))  # type: ignore[arg-type]
            runner.run(servers[-1].start())

        def compare(*requests: bytes) -> None:
            async def ask(port: int) -> list[Answer]:
                return [(await talk(port, one))[0] for one in requests]

            hot, cold = (runner.run(ask(server.port)) for server in servers)
            assert [comparable(answer) for answer in hot] == [comparable(answer) for answer in cold]

        yield compare
        for server in servers:
            runner.run(server.stop())


edges = ["a" * 64, "a" * 65, "é" * 64, "😀" * 64, "😀" * 65, "\u202e", "\x7f"]
visitors = st.text(max_size=70) | st.sampled_from(edges)
bodies = st.one_of(
    st.builds(lambda visitor: msgspec.json.encode({"visitor": visitor}), visitors),
    st.builds(lambda name, value: msgspec.json.encode({name: value}), st.text(max_size=8), st.none() | st.integers()),
    st.binary(max_size=20),
    st.sampled_from([b"", b"{}", b"null", b" ", b"[]", b'{"visitor":"a","visitor":"b"}', b'{"visitor":"\\ud800"}']),
)
names = st.sampled_from(
    ["shop", "new", "a b", "%73hop", "sh%c3%b6p", "", ".", "shop.", "a/b", "shop?x=1", "shop?", "shop#x"]
)


@settings(max_examples=150, deadline=None)
@given(name=names, body=bodies)
@example(name="shop", body=b"x" * 10_000)
def test_a_visit_is_answered_as_the_framework_answers_it(both: Any, name: str, body: bytes) -> None:
    both(request(f"/v1/counters/{name}/visits", body))


@settings(max_examples=50, deadline=None)
@given(name=names, method=st.sampled_from(["GET", "PUT", "DELETE", "POST", "OPTIONS", "PATCH"]))
def test_a_read_is_answered_as_the_framework_answers_it(both: Any, name: str, method: str) -> None:
    both(request(f"/v1/counters/{name}", b"", method=method, length=False))
