"""The client for event loops: the same work, from a task."""

import asyncio
from pathlib import Path

import httpx
import pytest
from fake_nodes import FakeNodes

import footfall
from footfall.client.events import DATA_BYTES_MAX, Event, EventParser
from footfall.errors import (
    BufferFullError,
    ConfigError,
    ForbiddenError,
    UnavailableError,
)

URL = "http://a:1"


def connect(nodes: FakeNodes, **options: object) -> footfall.AsyncClient:
    return footfall.connect(URL, transport=httpx.MockTransport(nodes.answer), **options)  # type: ignore[arg-type]


async def test_increments_are_sent_together_and_at_the_end() -> None:
    nodes = FakeNodes()
    nodes.faults = ["lost", "503"]
    async with connect(nodes) as client:
        for number in range(50):
            client.increment("shop", str(number))
        assert await client.flush()
        assert nodes.counts == {"shop": 50}
        client.increment("shop")
    assert nodes.counts == {"shop": 51}
    assert client.statistics.sent == 51
    with pytest.raises(RuntimeError, match="closed"):
        client.increment("shop")
    with pytest.raises(RuntimeError, match="make another one"):
        await client.__aenter__()


async def test_a_hit_waits_until_it_is_durable() -> None:
    nodes = FakeNodes()
    nodes.faults, nodes.forbidden = ["lost", "refused"], {"secret"}
    async with connect(nodes) as client:
        receipt = await client.hit("shop", visitor="ann")
        assert len(receipt.receipt) == 22
        assert await client.value("shop") == 1
        with pytest.raises(ForbiddenError):
            await client.hit("secret")
        nodes.faults = ["down"]
        with pytest.raises(UnavailableError):
            await client.hit("shop", timeout_s=0)


async def test_a_flush_ends_in_time_and_what_is_left_at_the_end_is_told(caplog: pytest.LogCaptureFixture) -> None:
    nodes = FakeNodes()
    nodes.faults = ["503"] * 1000
    async with connect(nodes, exit_timeout_s=0) as client:
        client.increment("shop")
        assert not await client.flush(0.01)
        assert client.statistics.buffered == 1
    assert "not sent before the end, and not counted: 1 visit" in caplog.text


async def test_a_full_buffer_drops_or_raises_and_cannot_stop_the_loop() -> None:
    nodes = FakeNodes()
    async with connect(nodes, buffer_visits_max=1) as client:
        client.increment("shop", "a")
        client.increment("shop", "b")
        assert client.statistics.dropped == 1
    async with connect(nodes, buffer_visits_max=1, on_full="raise") as client:
        client.increment("shop", "a")
        with pytest.raises(BufferFullError):
            client.increment("shop", "b")
    with pytest.raises(ConfigError, match="would stop the event loop"):
        connect(nodes, on_full="block")


async def test_a_spool_keeps_what_could_not_be_sent_for_the_next(tmp_path: Path) -> None:
    nodes = FakeNodes()
    nodes.faults = ["refused"] * 1000
    async with connect(nodes, spool=tmp_path, exit_timeout_s=0.05, flush_interval_s=0.01) as client:
        client.increment("shop", "ann")
        client.increment("shop", "bob")
    assert nodes.counts == {}
    nodes.faults = []
    async with connect(nodes, spool=tmp_path) as client, asyncio.timeout(20):
        while client.statistics.sent < 2:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    assert nodes.counts == {"shop": 2}
    assert not any(tmp_path.iterdir())  # noqa: ASYNC240


async def test_a_bug_does_not_end_the_task(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    nodes = FakeNodes()
    monkeypatch.setattr("footfall.client.policy.PAUSE_MAX_S", 0.0)
    async with connect(nodes) as client:
        step, once = client._engine.step, iter([True])

        def broken(now_s: float, urgent: bool) -> object:
            if next(once, False):
                raise LookupError("a bug")
            return step(now_s, urgent)

        monkeypatch.setattr(client._engine, "step", broken)
        client.increment("shop")
        assert await client.flush()
    assert nodes.counts == {"shop": 1}
    assert "nobody foresaw" in caplog.text


def stream(*parts: str) -> httpx.Response:
    return httpx.Response(200, text="".join(parts))


async def test_events_go_on_at_the_next_node_where_they_broke_off() -> None:
    asked: list[tuple[str, str | None]] = []
    answers = [
        stream(
            'retry: 2000\n\n: still here\n\nid: 7\nevent: value\ndata: {"value": 1}\n\nid: 8\nevent: value\ndata: {"va'
        ),
        httpx.Response(503, json={"type": "/problems/not-ready", "detail": "not yet"}),
        stream('id: 8\nevent: winner\ndata: {"n": 3}\n\n'),
        httpx.Response(403, json={"type": "/problems/forbidden", "detail": "enough"}),
    ]

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.url.host, request.headers.get("last-event-id")))
        return answers.pop(0)

    seen = []
    async with footfall.connect([URL, "http://b:1"], transport=httpx.MockTransport(answer)) as client:
        try:
            async for event in client.events("shop"):
                seen.append(event)  # noqa: PERF401 - the stream ends in an error
        except ForbiddenError as error:
            assert str(error) == "enough"  # noqa: PT017
    assert seen == [Event("value", {"value": 1}), Event("winner", {"n": 3})]
    assert asked == [("a", None), ("b", "7"), ("a", "7"), ("b", "8")]


def test_an_event_may_have_several_lines_and_one_without_data_is_none() -> None:
    parser = EventParser()
    lines = ["event: a", "data: [1,", "data:2]", "", "event: b", "", ": comment", "data: 3", ""]
    assert [event for line in lines if (event := parser.line(line))] == [Event("a", [1, 2]), Event("message", 3)]


def test_a_stream_that_no_node_writes_is_refused() -> None:
    parser = EventParser()
    parser.line("data: nonsense")
    with pytest.raises(UnavailableError, match="no JSON"):
        parser.line("")
    with pytest.raises(UnavailableError, match="more than"):
        parser.line("data: " + "x" * (DATA_BYTES_MAX + 1))
