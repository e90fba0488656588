"""The HTTP interface of a real node on the embedded engine: what is asked, what is answered, what is counted."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from footfall.config import Config
from footfall.core.visit import BATCH_VISITS_MAX
from footfall.errors import PortInUseError
from footfall.web import wire, wire_live
from footfall.web.process import Running, running
from footfall.web.server import HttpServer


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(Config(data=str(tmp_path), http_port=0, log_bytes_max=256 << 20)) as one:
        await one.ready()
        yield one


@pytest.fixture
async def http(node: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=node.server.url, timeout=20) as client:
        yield client


async def value(http: httpx.AsyncClient, counter: str, reaches: int) -> int:
    """The counter's value once it is ``reaches`` or more, or what it is after 5 s."""
    found = 0
    for _ in range(500):
        found = (await http.get(f"/v1/counters/{counter}")).json()["value"]
        if found >= reaches:
            break
        await asyncio.sleep(0.01)
    return found


async def settled(http: httpx.AsyncClient, counter: str) -> int:
    """The counter's value after everything that was acknowledged is counted: a visit stored now is the last."""
    before = (await http.get("/v1/counters/settle")).json()["value"]
    for _ in range(40):  # to every partition that this one node visits in turn
        await http.post("/v1/counters/settle/visits")
    await value(http, "settle", before + 40)
    found: int = (await http.get(f"/v1/counters/{counter}")).json()["value"]
    return found


async def test_every_form_is_counted_once_and_answered_with_receipts(http: httpx.AsyncClient) -> None:
    visits = "/v1/counters/shop.books/visits"
    forms: list[tuple[Any, int, int | None]] = [
        (None, 1, None),
        ({}, 1, None),
        ({"visitor": "203.0.113.7"}, 1, None),
        ({"count": 5}, 5, None),
        ({"visitor": "a", "count": 2}, 2, None),
        ({"visitors": ["a", "b", "c"]}, 3, 3),
        ({"visitors": ["a", "b"], "keys": ["k", "l"]}, 2, 2),
        ({"visits": [{"visitor": "a"}, {"key": "m"}, {"count": 3}]}, 5, 3),
    ]
    for body, accepted, receipts in forms:
        answer = await http.post(visits, json=body)
        assert answer.status_code == 202, answer.text
        found = msgspec.json.decode(answer.content, type=wire.Accepted)
        assert (found.accepted, found.stored) == (accepted, "log")
        if receipts is None:
            assert found.receipt is not None
            assert found.receipts is None
        else:
            assert found.receipt is None
            assert len(set(found.receipts or [])) == receipts
    assert await value(http, "shop.books", 20) == 20
    assert await value(http, "shop", 20) == 20


async def test_curls_default_content_type_is_read_as_json(http: httpx.AsyncClient) -> None:
    for kind in ("application/x-www-form-urlencoded", "text/plain"):
        answer = await http.post("/v1/visits", content=b'{"visits":[{"counter":"a"}]}', headers={"content-type": kind})
        assert answer.status_code == 202


async def test_a_request_that_is_repeated_with_its_idempotency_key_counts_once(http: httpx.AsyncClient) -> None:
    for _ in range(3):
        for body in ({"count": 5}, {"visitors": ["a", "b"]}):
            answer = await http.post("/v1/counters/shop/visits", json=body, headers={"Idempotency-Key": str(body)})
            assert answer.status_code == 202
        answer = await http.post(
            "/v1/visits", json={"visits": [{"counter": "shop"}] * 3}, headers={"Idempotency-Key": "K"}
        )
        assert answer.status_code == 202
    assert await settled(http, "shop") == 5 + 2 + 3


async def test_visits_that_are_not_waited_for_are_in_memory_and_have_no_receipt(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/counters/shop/visits?ack=received", json={"visitors": ["a", "b"]})
    assert answer.status_code == 202
    assert answer.json() == {"accepted": 2, "stored": "memory"}
    assert await value(http, "shop", 2) == 2


async def test_a_batch_counts_for_many_counters_and_those_above_them(http: httpx.AsyncClient) -> None:
    visits = [{"counter": "a.b"}, {"counter": "a.c", "visitor": "v", "count": 2}, {"counter": "d", "key": "k"}]
    answer = await http.post("/v1/visits", json={"visits": visits})
    assert (answer.status_code, answer.json()["accepted"], len(answer.json()["receipts"])) == (202, 4, 3)
    assert [await value(http, name, least) for name, least in (("a", 3), ("a.b", 1), ("a.c", 2), ("d", 1))] == [
        3,
        1,
        2,
        1,
    ]


async def test_a_counter_of_visitors_counts_each_once_and_needs_them(http: httpx.AsyncClient) -> None:
    put = await http.put("/v1/counters/people", json={"unit": "visitors"})
    assert (put.status_code, put.json()) == (201, {"counter": "people", "unit": "visitors"})
    assert (await http.put("/v1/counters/people", json={"unit": "visitors"})).status_code == 200
    conflict = await http.put("/v1/counters/people", json={"unit": "visits"})
    assert (conflict.status_code, conflict.json()["type"]) == (409, "/problems/unit-conflict")
    await http.post("/v1/counters/people/visits", json={"visitors": ["a", "b", "a"]})
    await http.post("/v1/counters/people/visits", json={"visitor": "b"})
    assert await value(http, "people", 2) == 2
    for body in (None, {"count": 2}):
        refused = await http.post("/v1/counters/people.sub/visits", json=body)
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/visitor-required")
    refused = await http.post("/v1/counters/people/visits", json={"visits": [{"visitor": "c"}, {}]})
    assert (refused.status_code, refused.json()["index"]) == (422, 1)
    assert (await http.get("/v1/counters/people")).json()["unit"] == "visitors"
    assert await value(http, "people", 2) == 2


async def test_a_source_is_counted_by_its_position_however_often_it_is_sent(http: httpx.AsyncClient) -> None:
    def chunk(start: int, end: int) -> dict[str, Any]:
        return {"source": {"id": "access.log", "from": start, "to": end}, "visits": [{"counter": "log"}] * 3}

    assert (await http.get("/v1/sources/access.log")).json() == {"position": 0}
    first = await http.post("/v1/visits", json=chunk(0, 100))
    assert (first.status_code, first.json()) == (202, {"accepted": 3, "stored": "log"})
    for start in (0, 50, 101):
        again = await http.post("/v1/visits", json=chunk(start, start + 100))
        assert (again.status_code, again.json()["position"], again.json()["type"]) == (
            409,
            100,
            "/problems/source-position",
        )
    assert (await http.post("/v1/visits", json={**chunk(100, 150), "visits": []})).status_code == 202
    assert (await http.get("/v1/sources/access.log")).json() == {"position": 150}
    assert (await http.get("/v1/sources?ids=new,access.log,new")).json() == {
        "sources": [{"id": one, "position": at} for one, at in (("new", 0), ("access.log", 150), ("new", 0))]
    }
    assert (await http.post("/v1/visits?ack=received", json=chunk(150, 160))).status_code == 422
    assert await value(http, "log", 3) == 3


async def test_a_counter_that_nobody_visited_reads_0(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/counters/never")
    found = msgspec.json.decode(answer.content, type=wire.CounterValue)
    assert (found.counter, found.value, found.unit, found.phase) == ("never", 0, "visits", "ap")
    assert (await http.get("/v1/counters/never?consistency=eventual")).json()["value"] == 0
    assert answer.headers["cache-control"] == "no-store"


async def test_counters_are_listed_in_pages_by_name(http: httpx.AsyncClient) -> None:
    names = ["a", "a.b", "a.b.c", "a-b", "b", "c"]
    await http.post("/v1/visits", json={"visits": [{"counter": name} for name in names]})
    page = msgspec.json.decode((await http.get("/v1/counters")).content, type=wire_live.CounterPage)
    assert ([one.counter for one in page.counters], page.next) == (sorted(names), None)
    found, after = [], ""
    for _ in names:
        answer = (await http.get("/v1/counters", params={"limit": 1, "after": after})).json()
        found += [one["counter"] for one in answer["counters"]]
        after = answer["next"]
    assert (found, after) == (sorted(names), None)
    below = (await http.get("/v1/counters?prefix=a")).json()["counters"]
    assert [one["counter"] for one in below] == ["a", "a.b", "a.b.c"]


BAD: list[tuple[str, str, Any, int]] = [
    ("POST", "/v1/counters/a..b/visits", None, 422),
    ("POST", "/v1/counters/" + "a" * 201 + "/visits", None, 422),
    ("POST", "/v1/counters/a.b.c.d.e.f.g.h.i/visits", None, 422),
    ("POST", "/v1/counters/caf%C3%A9/visits", None, 422),
    ("POST", "/v1/counters/%FF/visits", None, 422),
    ("POST", "/v1/counters/shop/visits", {"count": 0}, 422),
    ("POST", "/v1/counters/shop/visits", {"count": -1}, 422),
    ("POST", "/v1/counters/shop/visits", {"count": 1.5}, 422),
    ("POST", "/v1/counters/shop/visits", {"count": 10**9 + 1}, 422),
    ("POST", "/v1/counters/shop/visits", {"count": 2**64}, 422),
    ("POST", "/v1/counters/shop/visits", {"visitor": ""}, 422),
    ("POST", "/v1/counters/shop/visits", {"visitor": "a" * 257}, 422),
    ("POST", "/v1/counters/shop/visits", {"visitor": "é" * 129}, 422),
    ("POST", "/v1/counters/shop/visits", {"visitor": "a\nb"}, 422),
    ("POST", "/v1/counters/shop/visits", {"visitors": []}, 422),
    ("POST", "/v1/counters/shop/visits", {"visitors": ["a"], "keys": []}, 422),
    ("POST", "/v1/counters/shop/visits", {"vistor": "a"}, 422),
    ("POST", "/v1/counters/shop/visits", {"visits": {"visits": []}}, 422),
    ("POST", "/v1/counters/shop/visits", b"[[[[", 422),
    ("POST", "/v1/counters/shop/visits", b"{", 400),
    ("POST", "/v1/counters/shop/visits", b'{"visitor":"\xff"}', 400),
    ("POST", "/v1/counters/shop/visits", {"visitors": ["a"] * (BATCH_VISITS_MAX + 1)}, 413),
    ("POST", "/v1/counters/shop/visits", b" " * 1_000_001, 413),
    ("POST", "/v1/counters/shop/visits?ack=never", None, 422),
    ("POST", "/v1/counters/shop/visits?akc=received", None, 422),
    ("POST", "/v1/visits", None, 400),
    ("POST", "/v1/visits", {}, 422),
    ("POST", "/v1/visits", {"visits": [{"counter": "a b"}]}, 422),
    ("POST", "/v1/visits", {"visits": [], "source": {"id": "a", "from": 1, "to": 1}}, 422),
    ("PUT", "/v1/counters/shop", {"unit": "people"}, 422),
    ("PUT", "/v1/counters/shop", {}, 422),
    ("PUT", "/v1/counters/shop", None, 400),
    ("PUT", "/v1/counters/a..b", {"unit": "visits"}, 422),
    ("GET", "/v1/counters/a..b", None, 422),
    ("GET", "/v1/counters/shop?consistency=strong", None, 422),
    ("GET", "/v1/counters?limit=0", None, 422),
    ("GET", "/v1/counters?limit=1001", None, 422),
    ("GET", "/v1/counters?prefix=a..b", None, 422),
    ("GET", "/v1/counters?after=" + "a" * 201, None, 422),
    ("GET", "/v1/sources/a%20b", None, 422),
    ("GET", "/v1/sources", None, 422),
    ("GET", "/v1/sources?ids=a,,b", None, 422),
    ("PUT", "/v1/counters/shop/milestones/0", None, 422),
    ("PUT", "/v1/counters/a..b/milestones/5", None, 422),
    ("PUT", "/v1/counters/shop/milestones/1", None, 409),
    ("PUT", "/v1/counters/shop/milestones/5", {"n": 5}, 422),
    ("GET", "/v1/counters/shop/milestones/5", None, 404),
    ("POST", "/v1/counters/shop/milestones/5/claim", {"receipt": "r"}, 404),
    ("PUT", "/v1/counters/shop/imports/old", {"value": 0, "note": "n"}, 422),
    ("PUT", "/v1/counters/shop/imports/a%20b", {"value": 1, "note": "n"}, 422),
    ("PUT", "/v1/counters/shop/imports/old", None, 400),
    ("GET", "/v1/nothing", None, 404),
    ("GET", "/v1/counters/", None, 404),
    ("GET", "/problems/none", None, 404),
    ("DELETE", "/v1/counters/shop", None, 405),
    ("GET", "/v1/visits", None, 405),
]


async def test_wrong_input_is_refused_with_a_problem_and_changes_nothing(http: httpx.AsyncClient) -> None:
    await http.post("/v1/counters/shop/visits")
    for method, path, body, status in BAD:
        content = {"content": body} if isinstance(body, bytes) else {"json": body} if body is not None else {}
        answer = await http.request(method, path, **content)  # type: ignore[arg-type]
        case = f"{method} {path[:60]} {str(body)[:60]}: {answer.status_code} {answer.text[:200]}"
        assert answer.status_code == status, case
        assert answer.headers["content-type"] == "application/problem+json", case
        problem = msgspec.json.decode(answer.content, type=wire.Problem)
        assert problem.status == status, case
        assert problem.detail, case
        if problem.type != "about:blank":
            assert (await http.get(problem.type)).status_code == 200, case
    assert await settled(http, "shop") == 1
    listed = (await http.get("/v1/counters")).json()["counters"]
    assert [one["counter"] for one in listed] == ["settle", "shop"]
    assert (await http.get("/v1/milestones")).json() == {"milestones": []}
    assert (await http.get("/v1/counters/shop/imports")).json() == {"imports": []}


async def test_a_batch_with_one_bad_visit_is_refused_whole_naming_its_index(http: httpx.AsyncClient) -> None:
    for bad in ({"count": 0}, {"visitor": ""}, {"visitor": 1}, {"key": ""}, {"x": 1}):
        answer = await http.post("/v1/counters/shop/visits", json={"visits": [{}, {}, bad, {}]})
        assert (answer.status_code, answer.json()["index"]) == (422, 2), answer.text
        batch = {"visits": [{"counter": "a"}, {"counter": "b", **bad}]}
        answer = await http.post("/v1/visits", json=batch)
        assert (answer.status_code, answer.json()["index"]) == (422, 1), answer.text
    answer = await http.post("/v1/visits", json={"visits": [{"counter": "a"}, {"counter": "b."}]})
    assert (answer.status_code, answer.json()["index"]) == (422, 1), answer.text
    assert (await http.get("/v1/counters")).json() == {"counters": [], "next": None}


async def test_a_method_that_is_not_there_is_answered_with_those_that_are(http: httpx.AsyncClient) -> None:
    answer = await http.request("OPTIONS", "/v1/counters/shop")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, PUT")
    assert (await http.head("/v1/counters/shop")).status_code == 200


async def test_nodes_health_readiness_metrics_and_index_say_what_they_are_to_say(
    http: httpx.AsyncClient, node: Running
) -> None:
    await http.post("/v1/counters/shop/visits")
    [entry] = msgspec.json.decode((await http.get("/v1/nodes")).content, type=wire.NodeList).nodes
    assert (entry.url, entry.self, entry.partitions) == (node.server.url, True, list(range(16)))
    assert (await http.get("/healthz")).json() == {"status": "ok"}
    assert (await http.get("/readyz")).json() == {"ready": True, "problems": [], "warnings": []}
    assert (await http.get("/")).json()["name"] == "footfall"
    for accept in ("", "application/openmetrics-text"):
        answer = await http.get("/metrics", headers={"accept": accept})
        assert answer.status_code == 200
    families = {one.name: one for one in text_string_to_metric_families((await http.get("/metrics")).text)}
    answered = {(s.labels["path"], s.labels["status"]): s.value for s in families["footfall_http_requests"].samples}
    assert answered["application", "202"] == 1
    assert len(families) > 5


async def test_a_plain_visit_to_a_known_counter_takes_the_hot_path_and_counts(
    http: httpx.AsyncClient, node: Running
) -> None:
    for _ in range(5):
        assert (await http.post("/v1/counters/shop/visits", json={"visitor": "a"})).status_code == 202
    assert node.server.traffic.hot_visits == 4  # the first defined the counter
    assert await value(http, "shop", 5) == 5
    assert node.server.traffic.hot_reads > 0


async def test_many_clients_at_once_are_each_counted_exactly_once(http: httpx.AsyncClient) -> None:
    async def client(number: int) -> None:
        for index in range(20):
            body = {"visitor": f"{number}-{index}"} if index % 3 else {"visits": [{}, {"key": f"{number}-{index}"}]}
            assert (await http.post(f"/v1/counters/site.{number % 3}/visits", json=body)).status_code == 202

    for number in range(3):  # while a busy disk keeps the log waiting, only visits to known counters are taken
        assert (await http.put(f"/v1/counters/site.{number}", json={"unit": "visits"})).status_code == 201
    await asyncio.gather(*(client(number) for number in range(30)))
    assert await settled(http, "site") == 30 * (13 + 2 * 7)


async def test_a_port_that_is_in_use_is_named_with_what_to_do(node: Running) -> None:
    with pytest.raises(PortInUseError, match=f"{node.server.port}.*--http"):
        await HttpServer(node.node, "127.0.0.1", node.server.port).start()
