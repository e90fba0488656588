"""Streams and histories where nodes die: a listener goes to another node and misses nothing, and a past is kept."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from listening import PATIENCE_S, listen

from processes import HTTP, NatsServer, NodeProcess, eventually, free_ports


@pytest.fixture(params=["replicated", "sharded"])
def nodes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[NodeProcess]]:
    """Three nodes on one server."""
    with NatsServer(tmp_path / "nats", "single", *free_ports(2)) as server:
        arguments = (
            "--nats",
            server.url,
            "--topology",
            request.param,
            "--secret",
            "the cluster's secret",
            "--cut-interval-s",
            "1",
        )
        nodes = [NodeProcess(tmp_path / name, "--node", name, *arguments) for name in ("n1", "n2", "n3")]
        try:
            for node in nodes:
                node.start()
            yield nodes
        finally:
            for node in nodes:
                node.stop()


async def sent(node: NodeProcess, method: str, path: str, body: Any = None) -> Any:
    async with httpx.AsyncClient(base_url=node.url, timeout=PATIENCE_S) as http:
        answer = await http.request(method, path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()


def past(node: NodeProcess) -> list[list[float]]:
    points: list[list[float]] = HTTP.get(f"{node.url}/v1/counters/raffle/history?span=hour").json()["points"]
    return points


async def test_who_listened_to_a_node_that_was_killed_hears_of_the_winner_from_another(
    nodes: list[NodeProcess],
) -> None:
    first, second, third = nodes
    await sent(first, "PUT", "/v1/counters/raffle/milestones/5")
    async with listen(first.url, "raffle") as stream:
        await sent(second, "POST", "/v1/counters/raffle/visits", {"count": 2})
        assert (await stream.value(2)).data["value"] == 2
        kept = await asyncio.to_thread(eventually, lambda: past(first), PATIENCE_S, "a sample")
        first.kill()
        with pytest.raises(httpx.RemoteProtocolError):
            await stream.ends()
    receipts = [(await sent(second, "POST", "/v1/counters/raffle/visits"))["receipt"] for _ in range(4)]
    async with listen(third.url, "raffle", stream.last_id) as again:
        assert (await again.next("winner")).data["n"] == 5
        assert (await again.value(6)).data["value"] == 6
        won = again.last_id
        await sent(third, "POST", "/v1/counters/raffle/milestones/5/claim", {"receipt": receipts[2]})
        assert (await again.next("winner")).data["winner"]["claimed"]
    first.start()
    assert past(first)[: len(kept)] == kept
    async with listen(first.url, "raffle", won) as back:
        event = await back.next()
        assert (event.name, event.data["winner"]["claimed"]) == ("winner", True)
        first.kill(signal.SIGTERM)
        await back.ends()
