"""Badges: what they say, how they are drawn, and that nothing that anyone writes into one can run.

After a change that is meant, FOOTFALL_REWRITE=1 writes the golden files anew: look at them in a browser.
"""

import os
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fake_node import FakeNode
from hypothesis import given
from hypothesis import strategies as st

from footfall.config import Config
from footfall.errors import InvalidRequestError
from footfall.web.badge_drawing import LOOKS, Half, Style, brightness, draw, text_width
from footfall.web.badge_options import GAP, LABEL_CHARACTERS_MAX, compact, full, parse_options, say
from footfall.web.door import Door
from footfall.web.server import HttpServer
from footfall.web.tokens import parse_tokens

GOLDEN = Path(__file__).parent / "badges"
SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = {f"{SVG}{name}" for name in ("svg", "title", "linearGradient", "stop", "clipPath", "rect", "g", "text")}
HOSTILE = [
    "<script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "' onload='alert(1)",
    "]]><!--",
    "&lt;script&gt; &amp; &#x3c;",
    "</title></text><a href='javascript:alert(1)'>x</a>",
    "<?xml-stylesheet href='x'?>",
]

DRAWN = {
    "flat": (Half("shop", "#555"), Half("12k", "#007ec6"), Style.FLAT),
    "flat-square": (Half("google.gmail", "#555"), Half(f"1{GAP}234{GAP}567", "#4c1"), Style.FLAT_SQUARE),
    "plastic": (Half("visitors", "#555"), Half("42", "#fe7d37"), Style.PLASTIC),
    "for-the-badge": (Half("shop", "#555"), Half("999k to 100M", "#007ec6"), Style.FOR_THE_BADGE),
    "without-label": (Half("", "#555"), Half("1.2M", "#007ec6"), Style.FLAT),
    "bright": (Half("on white", "#fff"), Half("äöü 数字 😀", "#dfb317"), Style.FLAT),
    "hostile": (Half(HOSTILE[0], "#555"), Half(HOSTILE[1], "#e05d44"), Style.FLAT),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_badge_is_drawn_as_it_was(name: str) -> None:
    drawn = draw(*DRAWN[name]) + "\n"
    golden = GOLDEN / f"{name}.svg"
    if os.environ.get("FOOTFALL_REWRITE"):
        golden.write_text(drawn)
    assert drawn == golden.read_text()


texts = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(codec="utf-8").filter(str.isprintable), max_size=64))


@given(texts, texts, st.sampled_from(Style))
def test_whatever_is_written_into_a_badge_is_text_and_nothing_else(left: str, right: str, style: Style) -> None:
    root = ET.fromstring(draw(Half(left, "#555"), Half(right, "#007ec6"), style))
    elements = list(root.iter())
    assert {element.tag for element in elements} <= ELEMENTS
    assert not [name for element in elements for name in element.attrib if name.startswith("on") or "href" in name]
    title = root.find(f"{SVG}title")
    assert title is not None
    assert (title.text or "") == root.get("aria-label")
    big = style is Style.FOR_THE_BADGE
    shown = [text.text or "" for text in root.iter(f"{SVG}text") if text.get("aria-hidden") is None]
    want = [left, right] if left else [right]
    assert shown == [text.upper() if big else text for text in want]


@given(texts, st.sampled_from(Style))
def test_a_text_never_stands_over_the_edge(text: str, style: Style) -> None:
    root = ET.fromstring(draw(Half(text, "#555"), Half("1", "#007ec6"), style))
    width = float(root.attrib["width"])
    for drawn in root.iter(f"{SVG}text"):
        middle, length = float(drawn.attrib["x"]), float(drawn.attrib["textLength"])
        assert middle - length / 2 > 0
        assert middle + length / 2 < width


def test_text_is_dark_on_what_is_bright_and_letters_differ_in_width() -> None:
    assert brightness("#fff") == brightness("#ffffff") == 1.0 > brightness("#dfb317") > brightness("#000") == 0.0
    assert 'fill="#333"' in draw(Half("", "#555"), Half("1", "#fff"), Style.FLAT)
    look = LOOKS[Style.FLAT]
    assert text_width("i", look) < text_width("m", look) < text_width("mm", look)


@pytest.mark.parametrize(
    ("value", "short"),
    [
        (0, "0"), (7, "7"), (999, "999"), (1000, "1k"), (1001, "1k"), (1234, "1.2k"), (9999, "9.9k"), (10_000, "10k"),
        (12_999, "12k"), (999_999, "999k"), (1_000_000, "1M"), (1_999_999, "1.9M"), (60_000_000_000, "60G"),
        (10**15, "1P"), (2**63 - 1, "9.2E"),
    ],
)  # fmt: skip
def test_a_short_number_is_never_more_than_there_is(value: int, short: str) -> None:
    assert compact(value) == short


def test_a_long_number_is_in_threes_in_every_language() -> None:
    assert [full(value) for value in (0, 999, 1000, 1234567)] == ["0", "999", f"1{GAP}000", f"1{GAP}234{GAP}567"]


def test_a_badge_says_the_value_or_how_far_it_is_to_a_number() -> None:
    assert say("shop", 1234, parse_options({})) == ("shop", "1.2k", "#007ec6")
    assert say("shop", 1234, parse_options({"label": "", "color": "F00"})) == ("", "1.2k", "#f00")
    ahead = parse_options({"milestone": "1000000", "numbers": "full"})
    assert say("shop", 999_958, ahead).message == f"42 until 1{GAP}000{GAP}000"
    for value in (10**6, 10**6 + 1):
        assert say("shop", value, parse_options({"milestone": "1000000"})) == ("shop", "1M reached", "#4c1")


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"style": "social"}, "style is 'social'; write one of flat, flat-square, plastic, for-the-badge"),
        ({"numbers": "1"}, "numbers is '1'; write compact or full"),
        ({"label": "x" * (LABEL_CHARACTERS_MAX + 1)}, "write at most 64 characters that can be shown"),
        ({"label": "a\x00b"}, "label is"),
        ({"label": "\u202e"}, "label is"),
        ({"color": "#fff"}, "color is '#fff'; write 3 or 6 digits of hex, or one of brightgreen"),
        ({"color": 'red"/><script>'}, "color is"),
        ({"color": "url(https://x)"}, "color is"),
        ({"label_color": "ffff"}, "label_color is 'ffff'"),
        ({"milestone": "0"}, "N is '0'"),
        ({"milestone": str(2**63)}, "N is"),
        ({"milestone": "1e3"}, "N is '1e3'"),
    ],
)
def test_what_a_badge_cannot_be_is_told(query: dict[str, str], says: str) -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        parse_options(query)
    assert says in str(refusal.value)


@pytest.fixture
async def node() -> FakeNode:
    node = FakeNode()
    node._count("shop", None, None, 1234)
    return node


@pytest.fixture
async def http(node: FakeNode) -> AsyncIterator[httpx.AsyncClient]:
    server = HttpServer(node, "127.0.0.1", 0, stop_s=1)  # type: ignore[arg-type]
    await server.start()
    async with httpx.AsyncClient(base_url=f"{server.url}/v1/counters/shop") as client:
        yield client
    await server.stop()


async def test_a_badge_is_kept_for_a_minute_and_asked_about_from_then_on_and_counts_nothing(
    http: httpx.AsyncClient, node: FakeNode
) -> None:
    for path, kind in (("/badge.svg", "image/svg+xml"), ("/badge.json", "application/json")):
        first = await http.get(path)
        assert (first.status_code, first.headers["content-type"]) == (200, kind)
        kept = first.headers["cache-control"]
        assert kept == "max-age=60, stale-while-revalidate=600, stale-if-error=86400"
        assert first.headers["cross-origin-resource-policy"] == "cross-origin"
        assert first.headers["content-security-policy"].startswith("default-src 'none'")
        etag = first.headers["etag"]
        assert etag.startswith('W/"')
        for shown in (etag, f'"x", {etag}', etag.removeprefix("W/"), "*"):
            again = await http.get(path, headers={"if-none-match": shown})
            assert (again.status_code, again.content) == (304, b"")
            assert (again.headers["etag"], again.headers["cache-control"]) == (etag, kept)
        assert (await http.get(path, headers={"if-none-match": '"x"'})).status_code == 200
        assert (await http.head(path)).headers["etag"] == etag
    assert node.counts == {"shop": 1234}
    before = (await http.get("/badge.svg")).headers["etag"]
    node._count("shop", None, None, 1000)
    assert (await http.get("/badge.svg")).headers["etag"] != before


async def test_shields_io_is_told_by_its_schema(http: httpx.AsyncClient) -> None:
    assert (await http.get("/badge.json?milestone=2000&style=plastic&label=Our%20shop")).json() == {
        "schemaVersion": 1,
        "label": "Our shop",
        "message": "766 until 2k",
        "color": "007ec6",
        "labelColor": "555",
        "style": "plastic",
        "cacheSeconds": 300,
    }


async def test_what_is_wrong_with_a_badge_is_told_and_nothing_of_it_is_kept(http: httpx.AsyncClient) -> None:
    for query in ("?style=x", "?colour=red", "?color=red&color=blue"):
        answer = await http.get(f"/badge.svg{query}")
        assert (answer.status_code, answer.headers["cache-control"]) == (422, "no-store")
    answer = await http.get(f"{str(http.base_url).removesuffix('shop/')}no%20name/badge.svg")
    assert answer.status_code == 422


async def test_a_badge_is_for_those_who_may_read() -> None:
    tokens = parse_tokens('[a]\nsecret = "0123456789012345678901"\nscopes = ["read"]\n', "test")
    for public, status in ((False, 401), (True, 200)):
        door = Door(Config(tokens="x", public_reads=public), tokens)
        server = HttpServer(FakeNode(), "127.0.0.1", 0, stop_s=1, door=door)  # type: ignore[arg-type]
        await server.start()
        async with httpx.AsyncClient(base_url=server.url) as client:
            for path in ("badge.svg", "badge.json"):
                assert (await client.get(f"/v1/counters/shop/{path}")).status_code == status
        await server.stop()
