"""The pixel: a picture whose loading is a visit; whatever happens, it is a picture."""

from collections.abc import AsyncIterator

import httpx
import pytest
from both_paths import Pair, pair, shows, stop
from raw_http import Answer, request

from footfall.config import Config
from footfall.errors import LogFullError, OverloadedError, VisitorRequiredError
from footfall.web.pixel import GIF


@pytest.fixture
async def both() -> AsyncIterator[Pair]:
    both = await pair(Config(visitor_from_address=True, hash_visitors=False), "")
    yield both
    await stop(both)


def pixel(query: str = "", headers: str = "", method: str = "GET", counter: str = "shop") -> bytes:
    return request(f"/v1/counters/{counter}/pixel.gif{query}", b"", headers, method, length=False)


def is_picture(answer: Answer, status: int) -> bool:
    kind, kept = answer.headers["content-type"], answer.headers["cache-control"]
    assert (answer.status, answer.body, kind, kept) == (status, GIF, "image/gif", "no-store")
    return answer.headers["cross-origin-resource-policy"] == "cross-origin"


def counts(both: Pair) -> dict[str, int]:
    assert both.nodes[0].counts == both.nodes[1].counts
    return {name: count for name, count in both.nodes[0].counts.items() if count}


def test_it_is_one_transparent_pixel() -> None:
    assert GIF[:6] == b"GIF89a"
    assert GIF[6:10] == b"\x01\x00\x01\x00"
    assert GIF[-1:] == b";"
    assert len(GIF) < 50


async def test_to_load_it_is_one_visit_by_the_address_or_by_who_is_named(both: Pair) -> None:
    assert is_picture(await both.ask(pixel()), 200)
    assert is_picture(await both.ask(pixel("?visitor=ann%20b")), 200)
    assert is_picture(await both.ask(pixel("?ack=durable&visitor=bob")), 200)
    assert is_picture(await both.ask(pixel("?ack=received", counter="new.one")), 200)
    assert both.nodes[0].visitors == ["127.0.0.1", "ann b", "bob", "127.0.0.1"]
    assert counts(both) == {"shop": 3, "new.one": 1}


async def test_it_waits_for_the_log_only_if_it_is_asked_to(both: Pair) -> None:
    for node in both.nodes:
        node.delay_s = None
    assert is_picture(await both.ask(pixel()), 200)
    assert not any(node.waiting for node in both.nodes)


async def test_to_look_ahead_is_no_visit(both: Pair) -> None:
    for told in ("Sec-Purpose: prefetch;prerender", "Purpose: prefetch", "X-Moz: prefetch", "X-Purpose: preview"):
        assert is_picture(await both.ask(pixel(headers=f"{told}\r\n")), 200)
    assert counts(both) == {}


async def test_to_ask_for_the_head_is_no_visit(both: Pair) -> None:
    for server in (both.hot, both.cold):
        async with _client(server.url) as client:
            head = await client.head("/v1/counters/shop/pixel.gif")
        assert (head.status_code, head.headers["content-length"]) == (200, str(len(GIF)))
    assert counts(both) == {}


WRONG = [
    ("?visitor=", "shop", "the visitor is empty"),
    ("?visitor=" + "x" * 257, "shop", "the visitor has 257 bytes"),
    ("?visitor=a%0D%0Aset-cookie:%20x", "shop", "the visitor has characters that cannot be shown"),
    ("?visitor=%E2%80%AE", "shop", "the visitor has characters"),
    ("?who=ann", "shop", "who"),
    ("?ack=never", "shop", "never"),
    ("?visitor=a&visitor=b", "shop", "visitor"),
    ("", "no%20name%F0%9F%98%80", "cannot name a counter"),
]


async def test_what_is_wrong_is_told_by_the_status_and_a_header_and_is_no_visit(both: Pair) -> None:
    for query, counter, says in WRONG:
        answer = await both.ask(pixel(query, counter=counter))
        assert is_picture(answer, 422)
        assert says in answer.headers["footfall-problem"]
        assert "set-cookie" not in answer.headers
    assert counts(both) == {}


async def test_what_the_node_refuses_is_a_picture_too(both: Pair) -> None:
    for failure, status in (
        (LogFullError("full"), 503),
        (OverloadedError("much"), 503),
        (VisitorRequiredError("?"), 422),
    ):
        for node in both.nodes:
            node.failure = failure
        answer = await both.ask(pixel())
        assert is_picture(answer, status)
        assert ("retry-after" in answer.headers) == (status == 503)


async def test_who_has_no_token_gets_a_picture_and_counts_only_where_anyone_may() -> None:
    both = await pair(Config(tokens="x", public_reads=True, public_writes=("shop",), rate_per_address=1000))
    for headers, counter, status in (
        ("", "shop", 200),
        ("", "shop.books", 200),
        ("", "shopping", 401),
        ("", "shop.unknown", 404),
        (shows("reader"), "shopping", 403),
        (shows("writer"), "shopping", 200),
    ):
        assert is_picture(await both.ask(pixel(headers=headers, counter=counter)), status)
    assert counts(both) == {"shop": 1, "shop.books": 1, "shopping": 1}
    await stop(both)


async def test_it_is_held_to_the_rate_of_an_address() -> None:
    both = await pair(Config(rate_per_address=0.01, rate_burst_s=200), "")
    for status in (200, 200, 429):
        answer = await both.ask(pixel())
        assert is_picture(answer, status)
    assert answer.headers["retry-after"] == "100"
    assert is_picture(await both.ask(pixel(headers="Purpose: prefetch\r\n")), 200)
    await stop(both)


def _client(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url)
