"""What sites embed, in a real browser: pages of another origin count, and the public page tells the winner."""

import threading
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

import httpx
import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect
from watching import Watched, barriers

from processes import NodeProcess, eventually

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = (DOCS / "examples" / "embedding.html").read_text()
NODE_OF_THE_EXAMPLE = "https://count.example.org"
SECRET = "0123456789012345678901"
TOKENS = f'[all]\nsecret = "{SECRET}"\nscopes = ["read", "write", "admin"]\n'
ALL = {"Authorization": f"Bearer {SECRET}"}
OPEN = ("shop", "raffle", "prize", "app", "shy", "rolling", "pictured", "lost")
# What the wheels show, from how far each is turned.
WHEELS = """() => [...document.querySelectorAll('.wheel > span')].map((strip) =>
    Math.round(-new DOMMatrix(getComputedStyle(strip).transform).m42 / strip.firstChild.offsetHeight)).join('')"""
CONGRATULATIONS = "You are the winner!"


class Handler(SimpleHTTPRequestHandler):
    """Files, without a word about each."""

    def log_message(self, *said: object) -> None:
        """Say nothing."""


class Elsewhere:
    """A site of another origin: pages, each served as it was written."""

    def __init__(self, directory: Path, node: NodeProcess) -> None:
        self._directory = directory
        self._node = node
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(directory)))
        self.url = f"http://localhost:{self._server.server_port}"  # another origin than 127.0.0.1, whatever the port
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def page(self, name: str, text: str) -> str:
        """Write a page; returns where it is. What is said of the example's node is said of the test's."""
        (self._directory / name).write_text(text.replace(NODE_OF_THE_EXAMPLE, self._node.url))
        return f"{self.url}/{name}"

    def script(self, counter: str, *options: str) -> str:
        """A page with nothing but the script."""
        script = f'<script defer src="{NODE_OF_THE_EXAMPLE}/count.js" data-counter="{counter}" {" ".join(options)}>'
        return self.page(f"{counter}{len(options)}.html", f"<!doctype html><title>x</title>{script}</script>")

    def close(self) -> None:
        """End."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    directory = tmp_path_factory.mktemp("node")
    tokens = directory / "tokens.toml"
    tokens.write_text(TOKENS)
    options = ["--tokens-file", str(tokens), "--public-reads", "--public-writes", ",".join(OPEN)]
    with NodeProcess(directory / "data", *options, "--rate-per-address", "1e9") as node:
        yield node


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory, node: NodeProcess) -> Iterator[Elsewhere]:
    elsewhere = Elsewhere(tmp_path_factory.mktemp("elsewhere"), node)
    yield elsewhere
    elsewhere.close()


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Page]:
    """A page of a browser that was never here before."""
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.set_default_timeout(15_000)
    yield page
    context.close()


def visit(node: NodeProcess, counter: str, count: int = 1) -> None:
    answer = httpx.post(f"{node.url}/v1/counters/{counter}/visits", json={"count": count}, headers=ALL)
    assert answer.status_code == 202, answer.text


def milestone(node: NodeProcess, counter: str, n: int) -> None:
    assert httpx.put(f"{node.url}/v1/counters/{counter}/milestones/{n}", headers=ALL).status_code == 201


def claimed(node: NodeProcess, counter: str, n: int) -> bool:
    told = httpx.get(f"{node.url}/v1/counters/{counter}/milestones/{n}").json()
    return bool(told["winner"] and told["winner"]["claimed"])


def counted(node: NodeProcess, counter: str, value: int) -> None:
    eventually(lambda: node.value(counter) == value, what=f"{value} visits to {counter}")


def shown(page: Page | FrameLocator, value: str) -> None:
    expect(page.locator("#count")).to_have_attribute("data-value", value)


def test_a_page_of_another_origin_counts_its_views(node: NodeProcess, elsewhere: Elsewhere, visitor: Page) -> None:
    address = elsewhere.page("shop.html", EXAMPLE.replace(" data-receipt", ""))
    for seen in (1, 2, 3):
        visitor.goto(address)
        counted(node, "shop", seen)
    assert visitor.evaluate("localStorage.length") == 0
    badge = visitor.get_by_alt_text("Visits to the shop")
    assert badge.evaluate("image => image.complete && image.naturalWidth") > 40
    shown(visitor.frame_locator("iframe"), "3")


def test_who_does_not_want_to_be_tracked_is_not_counted_where_the_page_says_so(
    node: NodeProcess, elsewhere: Elsewhere, browser: Browser
) -> None:
    for wish in ("doNotTrack', {value: '1'}", "globalPrivacyControl', {value: true}"):
        context = browser.new_context()
        context.add_init_script(f"Object.defineProperty(navigator, '{wish})")
        page = context.new_page()
        before = node.value("shy")
        page.goto(elsewhere.script("shy", "data-dnt"))
        page.goto(elsewhere.script("shy"))  # this one does not ask for the wish
        counted(node, "shy", before + 1)
        context.close()


def test_an_application_of_one_page_counts_each_of_its_views_if_it_wants_to(
    node: NodeProcess, elsewhere: Elsewhere, visitor: Page
) -> None:
    visitor.goto(elsewhere.script("app", "data-spa"))
    counted(node, "app", 1)
    visitor.evaluate("history.pushState(null, '', '?second'); history.pushState(null, '', '?third')")
    assert visitor.url.endswith("?third")
    counted(node, "app", 3)


def test_the_page_around_keeps_receipts_and_the_frame_tells_the_winner_and_takes_his_claim(
    node: NodeProcess, elsewhere: Elsewhere, visitor: Page
) -> None:
    visit(node, "raffle", 2)
    milestone(node, "raffle", 4)
    address = elsewhere.page("raffle.html", EXAMPLE.replace("shop", "raffle"))
    for seen in (3, 4, 5):  # the second is the fourth; later receipts do not push it out
        visitor.goto(address)
        counted(node, "raffle", seen)
    assert len(visitor.evaluate("localStorage['footfall:raffle']").split()) == 3
    frame = visitor.frame_locator("iframe")
    expect(frame.get_by_role("heading", name=CONGRATULATIONS)).to_be_visible()
    expect(frame.locator("#prize")).to_have_text("Yours was number 4 of raffle.")
    assert frame.get_by_label("Your receipt.").input_value() in visitor.evaluate("localStorage['footfall:raffle']")
    frame.get_by_role("button", name="Claim").click()
    expect(frame.locator("#claimed")).to_have_text("It was claimed with this receipt.")
    assert claimed(node, "raffle", 4)


def test_receipts_go_to_the_counters_page_and_to_no_other_frame(elsewhere: Elsewhere, visitor: Page) -> None:
    """The page around is asked by a frame of another origin than the script's."""
    spy = "parent.postMessage('footfall:raffle', '*'); onmessage = () => { document.title = 'got it' }"
    inner = elsewhere.page("spy.html", f"<title>spy</title><script>{spy}</script>")
    frame = f'<iframe src="{inner}"></iframe>'
    visitor.goto(elsewhere.page("spied.html", EXAMPLE.replace("shop", "raffle").replace("</body>", f"{frame}</body>")))
    own = visitor.frame_locator("iframe >> nth=0")
    shown_before = own.locator("#count")
    expect(shown_before).to_have_attribute("data-value", "6")
    spied = next(one for one in visitor.frames if one.url == inner)
    assert spied.title() == "spy"


def test_whoever_opens_the_page_to_visit_is_counted_and_told_if_he_won(
    node: NodeProcess, page: Page, visitor: Page
) -> None:
    milestone(node, "prize", 2)
    visitor.goto(f"{node.url}/c/prize")  # without ?visit
    visitor.goto(f"{node.url}/c/prize?visit")
    shown(visitor, "1")
    expect(visitor.locator("#next")).to_have_text("1 to go until 2")
    page.goto(f"{node.url}/c/prize?visit")
    expect(page.get_by_role("heading", name=CONGRATULATIONS)).to_be_visible()
    assert barriers(page) == []
    shown(visitor, "2")
    expect(visitor.locator("#next")).to_have_text("2 was reached")
    expect(visitor.locator("#won")).to_be_hidden()
    page.reload()  # a visit more, and still the winner
    expect(page.get_by_role("heading", name=CONGRATULATIONS)).to_be_visible()
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("#claimed")).to_have_text("Copied.")
    page.get_by_role("button", name="Claim").click()
    expect(page.locator("#claimed")).to_have_text("It was claimed with this receipt.")
    expect(page.get_by_role("button", name="Claim")).to_be_disabled()
    assert claimed(node, "prize", 2)


def test_a_visit_made_elsewhere_rolls_the_count_and_is_spoken_now_and_then(node: NodeProcess, page: Page) -> None:
    page.goto(f"{node.url}/c/rolling")
    shown(page, "0")
    for count, value, unit in ((1, "1", "visit"), (1, "2", "visits"), (10**9, "1000000002", "visits")):
        visit(node, "rolling", count)
        shown(page, value)
        expect(page.locator("#next")).to_have_text(unit)
    eventually(lambda: page.evaluate(WHEELS) == "1000000002", what="the count on the wheels")
    assert page.locator("#spoken").inner_text() == "0 visits"  # the next is told ten seconds later
    expect(page).to_have_title("1\u202f000\u202f000\u202f002 · rolling")


def test_digits_are_digested_as_everywhere(node: NodeProcess, page: Page) -> None:
    """Browsers have SHA-256 for pages that came safely alone, so the page has its own."""
    page.goto(f"{node.url}/c/shop")
    texts = ["", "abc", "ä😀", *("x" * length for length in (55, 56, 63, 64, 65, 119, 120, 1000))]
    script = "async texts => { const {sha256} = await import('../static/public/sha256.js'); return texts.map(sha256) }"
    assert page.evaluate(script, texts) == [sha256(text.encode()).hexdigest() for text in texts]


def test_what_a_visitor_is_called_is_no_part_of_the_page(node: NodeProcess, page: Page) -> None:
    milestone(node, "shop", 10_000)
    named = {"visitor": "<img src=x onerror=document.title='run'>"}
    visit(node, "shop", 10_000 - node.value("shop") - 1)
    assert httpx.post(f"{node.url}/v1/counters/shop/visits", json=named, headers=ALL).status_code == 202
    page.goto(f"{node.url}/c/shop")
    expect(page.locator("#next")).to_have_text("10\u202f000 was reached")
    assert page.locator("img").count() == 0


def test_a_lost_connection_is_shown_and_recovers(node: NodeProcess, watched: Watched, page: Page) -> None:
    watched.expected.append("net::|Failed to load")
    visit(node, "lost", 7)
    page.goto(f"{node.url}/c/lost")
    shown(page, "7")
    expect(page.locator("#trouble")).to_be_hidden()
    node.stop()
    expect(page.locator("#trouble")).to_contain_text("Not connected")
    shown(page, "7")
    assert barriers(page, ignored=["color-contrast"]) == [], "an old count is meant to look like one"
    node.start()
    visit(node, "lost")
    shown(page, "8")
    expect(page.locator("#trouble")).to_be_hidden()


def test_who_may_not_visit_is_told(node: NodeProcess, watched: Watched, page: Page) -> None:
    watched.expected.append("status of 401")
    page.goto(f"{node.url}/c/closed?visit")
    expect(page.locator("#refused")).to_contain_text("Your visit was not counted. Visits to this counter are not taken")


def test_who_may_not_read_is_told(node: NodeProcess, watched: Watched, page: Page) -> None:
    watched.expected.append("status of 401")
    page.route("**/v1/**", lambda route: route.fulfill(status=401, json={"detail": "this needs a token"}))
    page.goto(f"{node.url}/c/closed")
    expect(page.locator("#trouble")).to_have_text("This counter is not public.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_for_phones_in_light_and_in_the_dark_and_for_everyone(
    node: NodeProcess, browser: Browser, scheme: Literal["light", "dark"], tmp_path: Path
) -> None:
    if node.value("pictured") == 0:
        visit(node, "pictured", 1_234_567)
        milestone(node, "pictured", 2_000_000)
    context = browser.new_context(
        viewport={"width": 390, "height": 240},
        color_scheme=scheme,
        reduced_motion="reduce",
        device_scale_factor=2,
    )
    watched = Watched(context.new_page())
    watched.page.goto(f"{node.url}/c/pictured")
    shown(watched.page, "1234567")
    expect(watched.page.locator("#next")).to_have_text("765\u202f433 to go until 2\u202f000\u202f000")
    assert watched.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert barriers(watched.page) == []
    watched.page.screenshot(path=tmp_path / f"public-page-{scheme}.png")
    context.close()
    watched.check()
