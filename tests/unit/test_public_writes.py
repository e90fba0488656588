"""Counters that anyone may visit without a token: what that opens, on both paths, and what it does not."""

from collections.abc import AsyncIterator

import msgspec
import pytest
from both_paths import Pair, pair, shows, stop
from raw_http import get, request

from footfall.cli.settings import Tuning, to_config
from footfall.config import Config
from footfall.errors import ConfigError

CONFIG = Config(tokens="x", public_writes=("shop", "blog.posts"), rate_per_address=1000)
OPEN, CLOSED = ("shop", "shop.books"), ("shopping",)


@pytest.fixture
async def both() -> AsyncIterator[Pair]:
    both = await pair(CONFIG)
    yield both
    await stop(both)


def visit(counter: str, headers: str = "", body: bytes = b'{"visitor":"a"}') -> bytes:
    return request(f"/v1/counters/{counter}/visits", body, headers)


async def test_a_counter_that_is_named_and_those_below_are_visited_without_a_token_and_no_other(both: Pair) -> None:
    for _ in range(2):  # the second time, the head is known
        for counter in OPEN:
            assert (await both.ask(visit(counter))).status == 202
        for counter in CLOSED:
            assert (await both.ask(visit(counter))).status == 401
    assert both.nodes[0].counts == both.nodes[1].counts == {"shop": 2, "shop.books": 2, "shopping": 0}
    assert both.hot.traffic.hot_visits == 4


async def test_a_token_takes_nothing_away_but_one_that_is_wrong_is_told(both: Pair) -> None:
    for name in ("reader", "admin", "shop", "writer"):
        assert (await both.ask(visit("shop", shows(name)))).status == 202
    assert (await both.ask(visit("shopping", shows("reader")))).status == 403
    assert (await both.ask(visit("shop", "Authorization: Bearer wrong-0123456789012345678901\r\n"))).status == 401


async def test_all_forms_of_visits_are_taken(both: Pair) -> None:
    for body in (b"", b'{"count":2}', b'{"visitors":["a","b"]}', b'{"visits":[{"key":"k"}]}'):
        assert (await both.ask(visit("shop", body=body))).status == 202
    assert (await both.ask(visit("shop", "Idempotency-Key: k\r\n"))).status == 202
    assert (await both.ask(request("/v1/counters/shop/visits?ack=received"))).status == 202


async def test_of_a_batch_every_counter_must_be_open_or_nothing_counts(both: Pair) -> None:
    mixed = b'{"visits":[{"counter":"shop"},{"counter":"shopping"}]}'
    refused = await both.ask(request("/v1/visits", mixed))
    assert refused.status == 401
    assert both.nodes[0].counts["shop"] == 0
    assert (await both.ask(request("/v1/visits", mixed, shows("shop")))).status == 403
    assert (await both.ask(request("/v1/visits", mixed, shows("writer")))).status == 202
    assert (await both.ask(request("/v1/visits", mixed.replace(b"shopping", b"shop.books")))).status == 202


async def test_a_source_still_needs_a_token_of_all_counters(both: Pair) -> None:
    chunk = b'{"visits":[{"counter":"shop"}],"source":{"id":"s","from":0,"to":1}}'
    for headers, status in (("", 401), (shows("reader"), 403), (shows("shop"), 403), (shows("writer"), 202)):
        assert (await both.ask(request("/v1/visits", chunk, headers))).status == status
    for path in ("/v1/sources/s", "/v1/sources?ids=s"):
        assert (await both.ask(get(path))).status == 401


async def test_a_winner_claims_without_a_token_and_nothing_else_is_opened(both: Pair) -> None:
    set_one = request("/v1/counters/shop/milestones/10", b"", method="PUT", headers=shows("admin"))
    assert (await both.ask(set_one)).status == 201
    claim = request("/v1/counters/shop/milestones/10/claim", b'{"receipt":"x"}')
    assert (await both.ask(claim)).status == 200
    assert (await both.ask(claim.replace(b"/shop/", b"/shopping/"))).status == 401
    for sent in (
        get("/v1/counters/shop"),
        get("/v1/counters"),
        get("/metrics"),
        request("/v1/counters/shop", b'{"unit":"visits"}', method="PUT"),
        request("/v1/counters/shop/milestones/20", b"", method="PUT"),
        request("/v1/counters/shop/imports/s", b'{"value":1,"note":"x"}', method="PUT"),
    ):
        assert (await both.ask(sent)).status == 401


async def test_who_shows_no_token_defines_only_what_the_settings_name(both: Pair) -> None:
    """Counters are for ever: anyone could make millions of them otherwise."""
    refused = await both.ask(visit("shop.anything"))
    problem = msgspec.json.decode(refused.body)
    assert (refused.status, problem["type"]) == (404, "/problems/unknown-counter")
    assert "there is no counter shop.anything, and only a visit with a token defines it" in problem["detail"]
    body = b'{"visits":[{"counter":"shop"},{"counter":"shop.anything"}]}'
    refused = await both.ask(request("/v1/visits", body, shows("reader")))
    assert (refused.status, msgspec.json.decode(refused.body)["index"]) == (404, 1)
    assert both.nodes[0].counts["shop"] == 0
    assert (await both.ask(visit("blog.posts"))).status == 202
    assert (await both.ask(visit("shop.anything", shows("shop")))).status == 202
    assert (await both.ask(visit("shop.anything"))).status == 202


async def test_anyone_is_held_to_the_rate_of_an_address() -> None:
    both = await pair(Config(tokens="x", public_writes=("shop",), rate_per_address=0.01, rate_burst_s=300))
    for _ in range(2):
        assert (await both.ask(visit("shop"))).status == 202
    assert (await both.ask(visit("shop", body=b'{"count":2}'))).status == 429
    assert (await both.ask(visit("shop"))).status == 202
    refused = await both.ask(visit("shop"))
    assert (refused.status, refused.headers["retry-after"]) == (429, "100")
    await stop(both)


def test_beside_tokens_it_needs_a_rate() -> None:
    with pytest.raises(
        ConfigError, match="public_writes lets anyone visit, as often as he likes: set rate_per_address"
    ):
        Config(tokens="x", public_writes=("shop",))
    Config(public_writes=("shop",))  # without tokens anyone may do all anyway


def test_what_names_no_counter_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'shop\.\*' in public_writes cannot name a counter"):
        to_config("d", "127.0.0.1:0", (), "replicated", 16, Tuning(public_writes=("shop.*",)))
    given = to_config("d", "127.0.0.1:0", (), "replicated", 16, Tuning(public_writes=("shop, blog.posts",)))
    assert given.public_writes == ("shop", "blog.posts")
