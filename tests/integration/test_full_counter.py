"""A counter at the largest value that there is: exact to the last digit, and never taken further."""

import asyncio
from pathlib import Path

import httpx

from footfall.config import Config
from footfall.core.batch import TAG, Batch, Section, encode
from footfall.core.names import Unit
from footfall.core.vector import ENTRY_MAX
from footfall.web.process import Running, running


async def has_value(http: httpx.AsyncClient, counter: str, value: int) -> None:
    """Return once a counter has a value, exactly."""
    async with asyncio.timeout(20):
        while f'"value":{value},' not in (await http.get(f"/v1/counters/{counter}")).text:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def nearly_fill(node: Running, counter: str, room: int) -> None:
    """Leave room for so many visits, by a batch such as another producer may write to the log."""
    await node.node.define(counter, Unit.VISITS)
    section = Section(counter, Unit.VISITS, 1, times=ENTRY_MAX - room)
    batch = Batch(TAG, "another", node.node.counting.definitions.epoch, 1, [section])
    await node.node._cluster.publish("footfall.visits.3", encode(batch))


async def test_a_counter_counts_to_2_to_the_63_less_1_and_refuses_what_would_pass_it(tmp_path: Path) -> None:
    async with (
        running(Config(data=str(tmp_path), http_port=0, log_bytes_max=256 << 20)) as node,
        httpx.AsyncClient(base_url=node.server.url) as http,
    ):
        await node.ready()
        await nearly_fill(node, "full.shop", room=5)
        await has_value(http, "full.shop", ENTRY_MAX - 5)

        async def refused(path: str, body: str, index: int | None) -> None:
            answer = await http.post(path, content=body.encode())
            assert (answer.status_code, answer.json()["type"]) == (422, "/problems/count-overflow"), answer.text
            assert answer.json().get("index") == index
            assert "past 2**63 - 1" in answer.json()["detail"]

        shop, batch = "/v1/counters/full.shop/visits", "/v1/visits"
        await refused(shop, '{"count":6}', None)
        await refused(shop, '{"visits":[{"count":3},{},{},{}]}', 3)
        await refused(batch, '{"visits":[{"counter":"a"},{"counter":"full","count":1000000000}]}', 1)
        await refused(batch, '{"visits":[{"counter":"full.shop","count":6}],"source":{"id":"s","from":0,"to":9}}', None)
        assert (await http.post(shop, json={"visits": [{"count": 3}, {}, {}]})).status_code == 202
        await has_value(http, "full.shop", ENTRY_MAX)
        await has_value(http, "full", ENTRY_MAX)
        for path in (shop, "/v1/counters/full/visits", "/v1/counters/full.new/visits"):
            await refused(path, "", None)
        await has_value(http, "full.shop", ENTRY_MAX)
        await has_value(http, "a", 0)
        assert (await http.get("/v1/sources/s")).json() == {"position": 0}
        assert (await http.get("/readyz")).json() == {"ready": True, "problems": [], "warnings": []}
