"""Streams of events of a real node: who may listen, what they hear, and what becomes of those who do not read."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from listening import PATIENCE_S, Stream, listen

from footfall.config import Config
from footfall.web import events_hub
from footfall.web.connection import Limits
from footfall.web.door import Door
from footfall.web.process import Running, running
from footfall.web.server import HttpServer
from footfall.web.tokens import parse_tokens

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "0123456789012345678901"
TOKENS = f"""
[all]
secret = "all-{SECRET}"
scopes = ["read", "write", "admin"]
[shop]
secret = "shop-{SECRET}"
scopes = ["read"]
counters = ["shop"]
[writer]
secret = "writer-{SECRET}"
scopes = ["write"]
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A node that anyone may ask."""
    data = str(tmp_path_factory.mktemp("node"))
    async with running(Config(data=data, http_port=0, log_bytes_max=256 << 20)) as one:
        await one.ready()
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(node: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=node.server.url, timeout=20) as client:
        yield client


async def visit(http: httpx.AsyncClient, counter: str, count: int = 1) -> str:
    answer = await http.post(f"/v1/counters/{counter}/visits", json={"count": count})
    assert answer.status_code == 202
    receipt: str = answer.json()["receipt"]
    return receipt


@contextlib.asynccontextmanager
async def serving(node: Running, **settings: Any) -> AsyncIterator[HttpServer]:
    """Another server of the node, with other settings."""
    server = HttpServer(node.node, "127.0.0.1", 0, **settings)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def until_metric(node: Running, name: str, value: float) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while getattr(node.server.traffic, name) != value:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.02)


async def test_a_visit_is_heard_by_those_who_listen_to_its_counter_and_above(
    node: Running, http: httpx.AsyncClient
) -> None:
    async with listen(node.server.url, "heard") as above, listen(node.server.url, "heard.by") as itself:
        for stream in (above, itself):
            headers = stream.answer.headers
            assert headers["content-type"] == "text/event-stream; charset=utf-8"
            assert headers["x-accel-buffering"] == "no"
            assert headers["cache-control"] == "no-store"
            assert (await stream.next()).data["value"] == 0
            assert 2_000 <= stream.retry_ms <= 4_000
        await visit(http, "heard.by", 3)
        for stream in (above, itself):
            assert (await stream.value(3)).data["value"] == 3
    await until_metric(node, "streams", 0)


async def test_what_was_missed_comes_first_whether_the_id_is_a_header_or_in_the_query(
    node: Running, http: httpx.AsyncClient
) -> None:
    async with listen(node.server.url, "raffle") as stream:
        await stream.next("value")
        assert (await http.put("/v1/counters/raffle/milestones/3")).status_code == 201
        assert (await stream.next("phase")).data["state"] == "open"
    await visit(http, "raffle")
    receipts = [await visit(http, "raffle") for _ in range(3)]
    async with listen(node.server.url, "raffle", stream.last_id) as again:
        assert (await again.next("winner")).data["n"] == 3, "it may be found now, or have been before"
    assert (await http.post("/v1/counters/raffle/milestones/3/claim", json={"receipt": receipts[1]})).status_code == 200
    path = f"/v1/counters/raffle/events?last_event_id={stream.last_id}"
    async with http.stream("GET", path) as answer:
        again = Stream(answer)
        event = await again.next()
        assert (event.name, event.data["winner"]["claimed"]) == ("winner", True)
        assert (await again.next("value")).data["value"] == 4


async def test_many_counters_and_the_whole_are_heard_on_one_stream(node: Running, http: httpx.AsyncClient) -> None:
    async with listen(node.server.url, ["many.a", "many.b"]) as stream:
        first = await stream.next("values")
        assert [reading["counter"] for reading in first.data] == ["many.a", "many.b"]
        overview = (await stream.next("overview")).data
        assert overview["nodes"][0]["id"] == node.node.id
        await visit(http, "many.b", 5)
        while (heard := await stream.next("values")).data[0]["value"] != 5:
            pass
        assert [reading["counter"] for reading in heard.data] == ["many.b"]
        assert (await stream.next("overview")).data["counters"] >= overview["counters"]


async def test_nothing_but_a_get_begins_a_stream(node: Running, http: httpx.AsyncClient) -> None:
    head = await http.head("/v1/counters/shop/events")
    assert (head.status_code, head.content) == (200, b"")
    assert (await http.post("/v1/counters/shop/events")).status_code == 405
    assert node.server.traffic.streams == 0


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/v1/counters/a..b/events", "cannot name a counter"),
        ("/v1/events?counter=a&counter=a..b", "cannot name a counter"),
        ("/v1/events?" + "&".join(f"counter=a{n}" for n in range(101)), "101 counters are named"),
        ("/v1/events?counters=a", "unknown query parameter"),
        ("/v1/counters/a/events?last_event_id=17", "is not the id of an event"),
        ("/v1/counters/a/events?last_event_id=1-0000000g", "is not the id of an event"),
        ("/v1/counters/a/events?since=1", "this takes last_event_id"),
    ],
)
async def test_what_cannot_be_listened_to_is_refused_with_the_reason(
    http: httpx.AsyncClient, path: str, why: str
) -> None:
    answer = await http.get(path)
    assert answer.status_code == 422
    assert why in answer.json()["detail"]


async def test_a_stream_is_for_whoever_may_read_its_counters(node: Running) -> None:
    door = Door(Config(), parse_tokens(TOKENS, "these"))
    async with serving(node, door=door) as server:

        async def status(counter: str | list[str], token: str) -> int:
            async with listen(server.url, counter, token=token and f"{token}-{SECRET}") as stream:
                return stream.answer.status_code

        assert [await status("shop", token) for token in ("", "writer", "shop", "all")] == [401, 403, 200, 200]
        assert [await status("blog", token) for token in ("shop", "all")] == [403, 200]
        assert [await status(["shop", "blog"], token) for token in ("", "shop", "all")] == [401, 403, 200]
        assert [await status([], token) for token in ("shop", "all")] == [403, 200]
        async with listen(server.url, ["shop.books"], token=f"shop-{SECRET}") as stream:
            assert (await stream.next()).name == "values"
            door.replace(parse_tokens(TOKENS.replace(f"shop-{SECRET}", f"other-{SECRET}"), "these"))
            await stream.ends()
        assert await status("shop", "shop") == 401


async def test_reads_that_are_public_tell_nobody_of_nodes(node: Running) -> None:
    door = Door(Config(public_reads=True), parse_tokens(TOKENS, "these"))
    async with serving(node, door=door) as server, httpx.AsyncClient(base_url=server.url) as http:
        async with listen(server.url, ["shop"]) as stream:
            assert (await stream.next("overview")).data["nodes"] == []
        async with listen(server.url, ["shop"], token=f"all-{SECRET}") as stream:
            assert (await stream.next("overview")).data["nodes"][0]["id"] == node.node.id
        assert (await http.get("/v1/overview")).json()["nodes"] == []
        vector = (await http.get("/v1/counters/shop/vector")).json()
        assert {entry["owner"] for entry in vector["entries"]} == {None}
        for name in ("shop", "writer"):  # who is refused at /v1/nodes learns it nowhere else
            headers = {"authorization": f"Bearer {name}-{SECRET}"}
            assert (await http.get("/v1/nodes", headers=headers)).status_code == 403
            assert (await http.get("/v1/overview", headers=headers)).json()["nodes"] == []
            vector = (await http.get("/v1/counters/shop/vector", headers=headers)).json()
            assert {entry["owner"] for entry in vector["entries"]} == {None}
            async with listen(server.url, ["shop"], token=f"{name}-{SECRET}") as stream:
                assert (await stream.next("overview")).data["nodes"] == []
        assert (await http.get("/v1/counters/nobody/history")).json()["points"] == []


async def test_who_does_not_read_is_cut_and_does_not_slow_others(node: Running, http: httpx.AsyncClient) -> None:
    counters = [f"slow{number}" for number in range(100)]
    async with serving(node, limits=Limits(request_timeout_s=1.0)) as server:
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.setblocking(False)
        await asyncio.get_running_loop().sock_connect(reader, ("127.0.0.1", server.port))
        query = "&".join(f"counter={name}" for name in counters)
        request = f"GET /v1/events?{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        await asyncio.get_running_loop().sock_sendall(reader, request)
        async with listen(server.url, counters[:1]) as other:
            values = 0
            async with asyncio.timeout(PATIENCE_S):
                while not server.traffic.streams_slow:
                    await http.post("/v1/visits", json={"visits": [{"counter": name} for name in counters]})
                    values = (await other.next("values")).data[0]["value"]
            assert values > 1
            assert server.traffic.streams == 1
        reader.close()


async def test_a_stream_on_which_nothing_happens_is_kept_and_beats(
    node: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the sweep of idle connections nor the time-out of slow ones may end it."""
    monkeypatch.setattr(events_hub, "HEARTBEAT_S", 1.0)
    limits = Limits(request_timeout_s=0.5)
    async with serving(node, keep_alive_s=1, limits=limits) as server, listen(server.url, "silent") as stream:
        await stream.next("value")
        listening = asyncio.create_task(stream.next("value"))
        async with asyncio.timeout(PATIENCE_S):
            while stream.comments < 3:  # noqa: ASYNC110 - a beat a second
                await asyncio.sleep(0.05)
        assert not listening.done()
        assert server.traffic.streams == 1
        listening.cancel()


async def test_a_server_that_stops_ends_its_streams_at_once(node: Running) -> None:
    server = HttpServer(node.node, "127.0.0.1", 0, stop_s=int(PATIENCE_S))
    await server.start()
    async with listen(server.url, "shop") as stream:
        await stream.next("value")
        async with asyncio.timeout(PATIENCE_S / 2):
            await asyncio.gather(server.stop(), stream.ends())


async def test_too_many_streams_are_refused_and_counted(node: Running) -> None:
    limits = Limits(streams_max=1)
    async with serving(node, limits=limits) as server, listen(server.url, "shop") as first:
        await first.next("value")
        async with listen(server.url, "shop") as second:
            assert second.answer.status_code == 503
            assert "retry-after" in second.answer.headers
        async with httpx.AsyncClient(base_url=server.url) as http:
            metrics = (await http.get("/metrics")).text
            assert "footfall_event_subscribers 1.0" in metrics
            assert "footfall_event_subscribers_refused_total 1.0" in metrics
            assert "footfall_events_sent_total" in metrics
            assert (await http.post("/v1/counters/shop/visits")).status_code == 202


async def test_trees_searches_vectors_and_histories_are_answered(node: Running, http: httpx.AsyncClient) -> None:
    for name in ("tree.a", "tree.b.c", "tree.b.d"):
        await visit(http, name, 2)

    async def names(query: str) -> list[tuple[str, int]]:
        answer = await http.get(f"/v1/counters?{query}")
        assert answer.status_code == 200, answer.text
        return [(one["counter"], one["children"]) for one in answer.json()["counters"]]

    assert await names("parent=tree") == [("tree.a", 0), ("tree.b", 2)]
    assert ("tree", 2) in await names("parent=&limit=1000")
    assert all("." not in name for name, _ in await names("parent="))
    assert await names("search=EE.B") == [("tree.b", 2), ("tree.b.c", 0), ("tree.b.d", 0)]
    assert await names("search=tree&limit=1&after=tree.b.c") == [("tree.b.d", 0)]
    assert (await http.get("/v1/counters?parent=a&search=b")).status_code == 422
    assert (await http.get("/v1/counters?search=a%20b")).status_code == 422
    vector = (await http.get("/v1/counters/tree/vector")).json()
    assert sum(entry["value"] for entry in vector["entries"]) == vector["value"]
    assert {entry["owner"] for entry in vector["entries"]} == {node.node.id}
    assert (await http.get("/v1/counters/tree/history?span=month")).status_code == 422
    assert (await http.get("/v1/counters/tree/history")).json()["step_s"] == 10
