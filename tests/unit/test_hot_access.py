"""The door on the wire: the hot path and the application give the same answers, and the hot path stays hot."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import pytest
from both_paths import KEY, SECRET, Pair, pair, shows, stop, token
from raw_http import get, read_answer, request, talk

from footfall.addresses import hashed
from footfall.config import Config
from footfall.web.tokens import parse_tokens


@pytest.fixture
async def both() -> AsyncIterator[Pair]:
    both = await pair(Config(tokens="x"))
    yield both
    await stop(both)


AUTHORIZATIONS = {
    "": 401,
    "Authorization: Bearer wrong-0123456789012345678901\r\n": 401,
    "Authorization: Bearer\r\n": 401,
    f"Authorization: Basic all-{SECRET}\r\n": 401,
    shows("all") + shows("all"): 401,
    shows("all") + "Authorization: Bearer x\r\n": 401,
    f"Authorization: Bearer all-{SECRET} x\r\n": 401,
    shows("all"): 200,
    f"authorization: BEARER  all-{SECRET} \r\n": 200,
    shows("reader"): 200,
    shows("writer"): 200,
    shows("admin"): 200,
    shows("shop"): 200,
}
MAY = {"GET": ("all", "reader", "shop"), "POST": ("all", "writer", "shop"), "PUT": ("all", "admin", "shop")}
OURS = ("shop", "shop.books")


def expected(method: str, counter: str, authorization: str, good: int) -> int:
    if AUTHORIZATIONS[authorization] == 401:
        return 401
    name = authorization.split("-0")[0].split()[-1]
    if name not in MAY[method] or (name == "shop" and counter not in OURS):
        return 403
    return good


@pytest.mark.parametrize("again", [1, 2], ids=["once", "again"])
@pytest.mark.parametrize("authorization", AUTHORIZATIONS)
async def test_both_paths_answer_every_token_alike(both: Pair, authorization: str, again: int) -> None:
    for counter in (*OURS, "shopping"):
        for _ in range(again):  # the second time, the head is known
            visit = request(f"/v1/counters/{counter}/visits", headers=authorization)
            read = request(f"/v1/counters/{counter}", b"", method="GET", length=False, headers=authorization)
            define = request(f"/v1/counters/{counter}", b'{"unit":"visits"}', method="PUT", headers=authorization)
            for method, sent, good in (("POST", visit, 202), ("GET", read, 200), ("PUT", define, 200)):
                answer = await both.ask(sent)
                assert answer.status == expected(method, counter, authorization, good), (method, counter)
                if answer.status == 401:
                    assert answer.headers["www-authenticate"] == 'Bearer realm="footfall"'
                    assert msgspec.json.decode(answer.body)["type"] == "/problems/unauthorized"
                if answer.status == 403:
                    assert msgspec.json.decode(answer.body)["type"] == "/problems/forbidden"
                assert SECRET not in answer.body.decode()
    assert (both.nodes[0].submitted > 0) == (expected("POST", "shop", authorization, 202) == 202)


async def test_what_is_allowed_is_answered_on_the_hot_path_and_its_head_is_known(both: Pair) -> None:
    for _ in range(3):
        await both.ask(request(headers=shows("writer")))
        await both.ask(request("/v1/counters/shop", b"", method="GET", length=False, headers=shows("reader")))
    assert (both.hot.traffic.hot_visits, both.hot.traffic.hot_reads, both.hot.traffic.statuses) == (3, 3, {})
    assert len(heads(both)) == 2


def heads(both: Pair) -> dict[bytes, Any]:
    found: dict[bytes, Any] = both.hot._uvicorn.config.http.heads  # type: ignore[union-attr]
    return found


async def test_other_tokens_hold_at_once_also_for_known_heads_and_open_connections(both: Pair) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", both.hot.port)
    visit = request(headers=shows("writer"))
    for _ in range(2):
        writer.write(visit)
        assert (await read_answer(reader)).status == 202
    for door in both.doors:
        door.replace(parse_tokens(token("writer", 'scopes = ["read"]') + token("new", 'scopes = ["write"]'), "test"))
    writer.write(visit)
    assert (await read_answer(reader)).status == 403
    writer.close()
    assert (await both.ask(request(headers=shows("all")))).status == 401
    assert (await both.ask(request(headers=shows("new")))).status == 202


async def test_what_the_whole_node_tells_is_not_for_a_token_of_some_counters(both: Pair) -> None:
    for path in ("/v1/nodes", "/metrics", "/v1/milestones", "/v1/counters", "/v1/counters?prefix=shopping"):
        for name, status in (("shop", 403), ("reader", 200), ("writer", 403)):
            answer = await both.ask(request(path, b"", method="GET", length=False, headers=shows(name)))
            assert answer.status == status, (path, name)
        assert (await both.ask(get(path))).status == 401
    listed = await both.ask(request("/v1/counters?prefix=shop", b"", method="GET", length=False, headers=shows("shop")))
    assert [one["counter"] for one in msgspec.json.decode(listed.body)["counters"]] == ["shop", "shop.books"]


async def test_of_a_batch_every_counter_must_be_covered_or_nothing_counts(both: Pair) -> None:
    body = b'{"visits":[{"counter":"shop"},{"counter":"shopping"}]}'
    answer = await both.ask(request("/v1/visits", body, shows("shop")))
    problem = msgspec.json.decode(answer.body)
    assert (answer.status, problem["index"]) == (403, 1)
    assert "visit 1: the token 'shop' is good for shop and what is below, not for shopping" in problem["detail"]
    assert both.nodes[0].counts["shop"] == 0
    answer = await both.ask(request("/v1/visits", b'{"visits":[{"counter":"shopping"}]}', shows("shop")))
    problem = msgspec.json.decode(answer.body)
    assert (answer.status, problem.get("index")) == (403, None)
    assert problem["detail"].startswith("the token 'shop' is good for")
    assert (
        await both.ask(request("/v1/visits", body.replace(b"shopping", b"shop.books"), shows("shop")))
    ).status == 202


async def test_a_source_is_for_tokens_of_all_counters(both: Pair) -> None:
    body = b'{"visits":[{"counter":"shop"}],"source":{"id":"access.log","from":0,"to":10}}'
    assert (await both.ask(request("/v1/visits", body, shows("shop")))).status == 403
    assert (await both.ask(request("/v1/visits", body, shows("writer")))).status == 202
    for name, status in (("shop", 403), ("reader", 403), ("writer", 200)):
        for path in ("/v1/sources/access.log", "/v1/sources?ids=access.log"):
            sent = request(path, b"", method="GET", length=False, headers=shows(name))
            assert (await both.ask(sent)).status == status


async def test_milestones_and_imports_are_set_by_admins_and_claimed_by_writers(both: Pair) -> None:
    claim = request("/v1/counters/shop/milestones/10/claim", b'{"receipt":"x"}', headers=shows("reader"))
    imported = b'{"value":1,"note":"x"}'
    cases = [
        (request("/v1/counters/shop/milestones/10", b"", method="PUT", headers=shows("writer")), 403),
        (request("/v1/counters/shop/milestones/10", b"", method="PUT", headers=shows("admin")), 201),
        (claim, 403),
        (claim.replace(b"reader", b"writer"), 200),
        (request("/v1/counters/shop/imports/s", imported, method="PUT", headers=shows("writer")), 403),
        (request("/v1/counters/shop/imports/s", imported, method="PUT", headers=shows("admin")), 201),
        (request("/v1/counters/shopping/imports/t", imported, method="PUT", headers=shows("shop")), 403),
        (request("/v1/counters/shopping/milestones", b"", method="GET", length=False, headers=shows("shop")), 403),
        (request("/v1/counters/shop/milestones/10", b"", method="GET", length=False, headers=shows("reader")), 200),
    ]
    for sent, status in cases:
        assert (await both.ask(sent)).status == status, sent


async def test_without_a_token_only_what_says_nothing_of_counts_is_answered(both: Pair) -> None:
    app: Any = both.cold._uvicorn.config.app
    paths = {route.path: route.methods for route in app._app.routes}
    values = {"name": "shop", "n": "1", "source": "s", "id": "s", "slug": "forbidden", "path": "index.html"}
    answered = set()
    for path, methods in paths.items():
        for method in methods - {"HEAD"}:
            sent = request(re.sub(r"{(\w+)[^}]*}", lambda part: values[part[1]], path), b"{}", method=method)
            if (await both.ask(sent)).status != 401:
                answered.add(path)
    pages = {"/", "/count.js", "/c/{name}", "/static/{path:path}"}
    assert answered == {*pages, "/healthz", "/readyz", "/openapi.json", "/problems/{slug}"}


async def test_public_reads_are_of_counters_and_milestones_alone_and_never_exact() -> None:
    both = await pair(Config(tokens="x", public_reads=True))
    cases = [
        (get(), 200),
        (get("/v1/counters/shopping"), 200),
        (get("/v1/counters"), 200),
        (get("/v1/milestones"), 200),
        (get("/v1/counters/shop/milestones"), 200),
        (get("/v1/counters/shop/imports"), 200),
        (get("/v1/counters/shop?consistency=linearizable"), 401),
        (get("/v1/nodes"), 401),
        (get("/metrics"), 401),
        (request(), 401),
        (request("/v1/counters/shop", b'{"unit":"visits"}', method="PUT"), 401),
    ]
    for sent, status in cases:
        assert (await both.ask(sent)).status == status, sent
    known = request("/v1/counters/shopping", b"", method="GET", length=False, headers=shows("shop"))
    assert (await both.ask(known)).status == 200  # a token takes nothing away
    assert (await both.ask(known.replace(b"shop-0", b"shop-1"))).status == 401  # but one that is wrong is told
    exact = known.replace(b"shopping", b"shopping?consistency=linearizable")
    assert (await both.ask(exact)).status == 403
    assert both.hot.traffic.hot_reads == 3
    await stop(both)


@pytest.mark.parametrize("hash_visitors", [True, False])
async def test_who_visits_without_a_name_is_the_address_that_it_comes_from(hash_visitors: bool) -> None:
    proxies = ("127.0.0.1", "10.0.0.0/8")
    settings = Config(visitor_from_address=True, hash_visitors=hash_visitors, trusted_proxies=proxies)
    both = await pair(settings, "")
    cases: list[tuple[str, str]] = [
        ("", "127.0.0.1"),
        ("X-Forwarded-For: 203.0.113.7\r\n", "203.0.113.7"),
        ("X-Forwarded-For: 198.51.100.1, 203.0.113.8, 10.1.1.1\r\n", "203.0.113.8"),
        ("X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 203.0.113.9\r\n", "203.0.113.9"),
        ("X-Forwarded-For: 2001:db8::7\r\n", "2001:db8::/64"),
        ("X-Forwarded-For: someone\r\n", "127.0.0.1"),
        ("", "127.0.0.1"),
    ]
    for headers, _ in cases:
        for body in (b"", b"{}"):
            assert (await both.ask(request(body=body, headers=headers))).status == 202
    want = [hashed(client, KEY) if hash_visitors else client for _, client in cases for _ in range(2)]
    assert both.nodes[0].visitors == both.nodes[1].visitors == want
    assert both.hot.traffic.hot_visits == len(want)
    assert len(heads(both)) == 2  # those over proxies would push all others out
    await both.ask(request(body=b'{"visitor":"ann"}', headers="X-Forwarded-For: 203.0.113.7\r\n"))
    await both.ask(request(body=b'{"visits":[{"count":2},{"visitor":"bob"}]}'))
    await both.ask(request("/v1/visits", b'{"visits":[{"counter":"shop"},{"counter":"shop","visitor":"cat"}]}'))
    chunk = b'{"visits":[{"counter":"shop"}],"source":{"id":"s","from":0,"to":1}}'
    await both.ask(request("/v1/visits", chunk))
    own = want[0]
    assert both.nodes[0].visitors[len(want) :] == ["ann", own, "bob", own, "cat", None]
    assert both.nodes[0].visitors == both.nodes[1].visitors
    await stop(both)


async def test_a_forwarded_address_is_not_believed_of_just_anyone() -> None:
    both = await pair(Config(visitor_from_address=True, hash_visitors=False), "")
    await both.ask(request(body=b"", headers="X-Forwarded-For: 203.0.113.7\r\n"))
    assert both.nodes[0].visitors == ["127.0.0.1"]
    await stop(both)


def visits(*clients: str, count: int = 1, headers: str = "") -> Sequence[bytes]:
    body = b"" if count == 1 else b'{"count":%d}' % count
    return [request(body=body, headers=f"X-Forwarded-For: {client}\r\n{headers}") for client in clients]


async def test_who_sends_too_fast_is_told_when_to_come_again_on_both_paths() -> None:
    config = Config(rate_per_address=0.01, rate_burst_s=300, trusted_proxies=("127.0.0.1",))
    both = await pair(config, "")
    for sent in visits(*["203.0.113.7"] * 3, "2001:db8::1", "2001:db8::2", "2001:db8:0:0:9::3"):
        assert (await both.ask(sent)).status == 202
    for sent in visits("203.0.113.7", "2001:db8::4"):
        answer = await both.ask(sent)
        problem = msgspec.json.decode(answer.body)
        assert (answer.status, answer.headers["retry-after"]) == (429, "100")
        assert (problem["type"], "may send 0.01 visits a second; wait 100 s" in problem["detail"]) == (
            "/problems/rate-limited",
            True,
        )
    for sent in visits("203.0.113.8", "2001:db8:0:1::1"):
        assert (await both.ask(sent)).status == 202
    [answer] = [await both.ask(sent) for sent in visits("203.0.113.9", count=4)]
    assert answer.status == 413
    assert b"4 visits in one request; this client may send 3 at once and 0.01 a second" in answer.body
    assert [(await both.ask(sent)).status for sent in visits("203.0.113.9", "203.0.113.9", count=3)] == [202, 429]
    assert both.hot.traffic.hot_failures == {429: 2}
    assert both.nodes[0].counts == both.nodes[1].counts
    await stop(both)


async def test_a_token_that_is_too_fast_is_refused_wherever_it_comes_from_and_after_a_refusal_goes_on(
    both: Pair,
) -> None:
    for sent in visits("203.0.113.7", headers=shows("slow")):
        assert (await both.ask(sent)).status == 202
    reader, writer = await asyncio.open_connection("127.0.0.1", both.hot.port)
    writer.write(request(body=b"", headers=shows("slow")) * 2 + request(headers=shows("writer")))
    assert [(await read_answer(reader)).status for _ in range(3)] == [429, 429, 202]
    writer.close()


async def test_a_visit_that_the_hot_path_cannot_take_is_charged_once() -> None:
    both = await pair(Config(rate_per_address=0.01, rate_burst_s=200), "")
    both.nodes[0].full = True
    for _ in range(2):
        assert (await both.ask(request())).status == 202
    assert (await both.ask(request())).status == 429
    assert both.nodes[0].submitted == 0
    await stop(both)


async def test_every_answer_has_the_headers_that_a_browser_needs(both: Pair) -> None:
    garbage = (await talk(both.hot.port, b"\x00\x01\r\n\r\n"))[0]
    answers = [await both.ask(sent) for sent in (get("/"), get("/healthz"), get("/nothing"), get("/openapi.json"))]
    answers += [await both.ask(request(headers=shows("all"))), await both.ask(request())]
    for answer in (garbage, *answers):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["cache-control"] == "no-store"


async def test_the_document_says_where_a_token_is_needed(both: Pair) -> None:
    document = msgspec.json.decode((await both.ask(get("/openapi.json"))).body)
    assert document["components"]["securitySchemes"] == {"bearer": {"type": "http", "scheme": "bearer"}}
    assert document["paths"]["/v1/visits"]["post"]["security"] == [{"bearer": []}]
    assert "security" not in document["paths"]["/healthz"]["get"]
