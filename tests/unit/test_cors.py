"""Which pages of other origins may read answers: alike on the hot path and in the application."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from both_paths import Pair, pair, shows, stop
from raw_http import Answer, get, read_answer, request

from footfall.config import NAMES_MAX, Config
from footfall.errors import ConfigError, LogUnavailableError
from footfall.web.answers import Answers
from footfall.web.cors import NO_READER, PREFLIGHT_AGE_S, Cors
from footfall.web.headers import with_common
from footfall.web.problems import SHED

SHOP, BLOG, OTHER = "https://shop.example", "http://blog.example:8000", "https://other.example"
ALLOW, EXPOSE, VARY = "access-control-allow-origin", "access-control-expose-headers", "vary"


def origin(*names: str) -> str:
    return "".join(f"Origin: {name}\r\n" for name in names)


def cors_of(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name == VARY or name.startswith("access-")}


ASKED = {
    "a visit": lambda headers: request(headers=headers),
    "a read": lambda headers: request("/v1/counters/shop", b"", headers, "GET", length=False),
    "an exact read": lambda headers: request("/v1/counters/shop?consistency=linearizable", b"", headers, "GET"),
    "a visit with a key": lambda headers: request(headers=headers + "Idempotency-Key: k\r\n"),
    "a list": lambda headers: request("/v1/counters", b"", headers, "GET"),
    "a bad body": lambda headers: request(body=b"{", headers=headers),
    "nothing there": lambda headers: request("/v1/nothing", b"", headers, "GET"),
    "health": lambda headers: request("/healthz", b"", headers, "GET"),
}
READABLE = {EXPOSE: "etag, retry-after"}


@pytest.fixture(params=["nobody", "two", "anyone"])
async def site(request: Any) -> AsyncIterator[tuple[str, Pair]]:
    origins: dict[str, Sequence[str]] = {"nobody": (), "two": (SHOP, BLOG), "anyone": ("*",)}
    both = await pair(Config(cors_origins=tuple(origins[request.param])), "")
    yield request.param, both
    await stop(both)


async def test_an_answer_names_the_origin_if_the_settings_do(site: tuple[str, Pair]) -> None:
    kind, both = site
    for sent in ((), (SHOP,), (BLOG,), (OTHER,), ("null",), ("https://shop.example.evil",), (SHOP, OTHER)):
        for what in 2 * list(ASKED):  # the second time, the head is known
            found = cors_of(await both.ask(ASKED[what](origin(*sent))))
            if kind == "nobody":
                assert found == {}
            elif kind == "anyone":
                assert found == {ALLOW: "*"} | READABLE
            elif sent in ((SHOP,), (BLOG,)):
                assert found == {ALLOW: sent[0], VARY: "origin"} | READABLE
            else:
                assert found == {VARY: "origin"}, sent


async def test_visits_and_reads_of_other_origins_stay_on_the_hot_path_and_their_heads_are_known() -> None:
    both = await pair(Config(cors_origins=(SHOP,)), "")
    for _ in range(3):
        await both.ask(ASKED["a visit"](origin(SHOP)))
        await both.ask(ASKED["a read"](origin(SHOP)))
    assert (both.hot.traffic.hot_visits, both.hot.traffic.hot_reads, both.hot.traffic.statuses) == (3, 3, {})
    heads: Any = both.hot._uvicorn.config.http
    assert len(heads.heads) == 2
    await stop(both)


BEACON = f"""Connection: keep-alive
sec-ch-ua: "Not;A=Brand";v="8", "Chromium";v="150"
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36
Accept: */*
Origin: {SHOP}
Sec-Fetch-Site: cross-site
Sec-Fetch-Mode: no-cors
Sec-Fetch-Dest: empty
Referer: {SHOP}/
Accept-Encoding: gzip, deflate, br, zstd
Accept-Language: en-US,en;q=0.9
""".replace("\n", "\r\n")


async def test_the_beacon_of_a_browser_is_taken_on_the_hot_path_whatever_its_origin_may_read() -> None:
    both = await pair(Config(public_writes=("shop",), tokens="x", rate_per_address=1000))
    for _ in range(3):
        assert (await both.ask(request(body=b"", headers=BEACON))).status == 202
    assert (both.hot.traffic.hot_visits, both.hot.traffic.statuses) == (3, {})
    await stop(both)


async def test_each_of_pipelined_requests_is_answered_to_its_own_origin() -> None:
    both = await pair(Config(cors_origins=(SHOP, BLOG)), "")
    order = (SHOP, OTHER, BLOG, SHOP, "", BLOG)
    sent = b"".join(ASKED[what](origin(name) if name else "") for name in order for what in ("a visit", "a read"))
    for server in (both.hot, both.cold):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for _ in range(2):
            writer.write(sent)
            found = [(await read_answer(reader)).headers.get(ALLOW, "") for _ in range(2 * len(order))]
            assert found == [name if name in (SHOP, BLOG) else "" for name in order for _ in range(2)]
        writer.close()
    await stop(both)


async def test_a_page_may_read_why_it_is_refused_and_when_to_come_again() -> None:
    config = Config(cors_origins=(SHOP,), rate_per_address=0.01, rate_burst_s=100, tokens="x")
    both = await pair(config)
    assert (await both.ask(request(headers=origin(SHOP)))).status == 401
    assert (await both.ask(request(headers=origin(SHOP) + shows("writer")))).status == 202
    late = await both.ask(request(headers=origin(SHOP) + shows("writer")))
    assert (late.status, late.headers["retry-after"], late.headers[ALLOW]) == (429, "100", SHOP)
    await stop(both)


async def test_a_page_may_read_that_a_visit_could_not_be_stored() -> None:
    both = await pair(Config(cors_origins=(SHOP,)), "")
    for node in both.nodes:
        node.failure = LogUnavailableError("the log cannot be reached")
    failed = await both.ask(request(headers=origin(SHOP)))
    assert (failed.status, failed.headers[ALLOW]) == (503, SHOP)
    await stop(both)


def test_what_is_shed_can_be_read_too() -> None:
    shed = Answers([], Cors((SHOP,)).headers(SHOP.encode())).failed(SHED)
    assert f"{ALLOW}: {SHOP}\r\n".encode() in shed


def preflight(name: str, path: str = "/v1/counters/shop/visits", method: str = "POST") -> bytes:
    asks = f"Access-Control-Request-Method: {method}\r\nAccess-Control-Request-Headers: authorization\r\n"
    return request(path, b"", origin(name) + asks, "OPTIONS", length=False)


async def test_a_browser_that_asks_first_is_told_what_a_page_may_send_without_a_token() -> None:
    both = await pair(Config(cors_origins=(SHOP,), tokens="x"))
    for path in ("/v1/counters/shop/visits", "/v1/counters/shop", "/v1/visits", "/v1/nodes"):
        told = await both.ask(preflight(SHOP, path))
        assert (told.status, told.body) == (204, b"")
        assert told.headers[ALLOW] == SHOP
        assert told.headers["access-control-allow-methods"] == "GET, POST, PUT"
        assert "authorization" in told.headers["access-control-allow-headers"]
        assert "idempotency-key" in told.headers["access-control-allow-headers"]
        assert told.headers["access-control-max-age"] == str(PREFLIGHT_AGE_S)
    for refused in (preflight(OTHER), request(method="OPTIONS", headers=origin(SHOP))):
        answer = await both.ask(refused)
        assert answer.status == 405
    assert cors_of(await both.ask(preflight(OTHER))) == {VARY: "origin"}
    await stop(both)


async def test_without_the_setting_no_page_of_another_origin_may_ask() -> None:
    both = await pair(Config(), "")
    answer = await both.ask(preflight(SHOP))
    assert (answer.status, cors_of(answer)) == (405, {})
    await stop(both)


async def test_credentials_are_never_allowed(site: tuple[str, Pair]) -> None:
    _, both = site
    for sent in (get(), ASKED["a visit"](origin(SHOP)), preflight(SHOP)):
        assert "access-control-allow-credentials" not in (await both.ask(sent)).headers


def test_an_answer_that_depends_on_something_else_too_says_both() -> None:
    found = with_common([(b"vary", b"Accept")], Cors((SHOP,)).headers(NO_READER))
    assert dict(found)[b"vary"] == b"Accept, origin"


@pytest.mark.parametrize(
    "wrong",
    [
        *("shop.example", "https://shop.example/", "https://shop.example/path", "https://Shop.example", "https://*"),
        *("null", "", "https://", "ftp://shop.example", "https://shop.example:port", "https://a\r\nb", "https://a b"),
    ],
)
def test_an_origin_that_no_browser_would_send_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"in cors_origins is no origin; write https://shop.example"):
        Config(cors_origins=(wrong,))


def test_origins_are_written_as_browsers_write_them() -> None:
    for right in (SHOP, BLOG, "http://localhost", "http://127.0.0.1:8080", "https://[::1]:8443", "*"):
        assert Config(cors_origins=(right,)).cors_origins == (right,)


@pytest.mark.parametrize("name", ["cors_origins", "public_writes"])
def test_there_are_at_most_so_many(name: str) -> None:
    given: dict[str, Any] = {name: tuple(f"https://s{n}" if name == "cors_origins" else f"s{n}" for n in range(101))}
    with pytest.raises(ConfigError, match=f"{name} has 101 entries; {NAMES_MAX} is the most"):
        Config(**given)
