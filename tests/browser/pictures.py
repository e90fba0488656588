"""Makes the pictures of the documentation: ``make pictures``. Not one of the tests, as it writes to docs/images."""

import math
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from sites import Site

IMAGES = Path(__file__).parents[2] / "docs" / "images"
SIZE_MAX = 150_000
FILLING_MS = 70_000  # until the curve fills its space
N = 100_000_000_000
PARTS = {
    "shop.checkout": 8,
    "shop.cart": 12,
    "google.gmail": 30,
    "google.youtube": 26,
    "google.maps.directions": 9,
    "google.maps.places": 6,
    "blog.posts.hello-world": 3,
    "docs": 9,
    "api.v1.orders": 5,
}


class Traffic(threading.Thread):
    """Visits that come and go as they do on a day, only faster."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.over = threading.Event()
        self.nodes = 3
        self._site = site

    def run(self) -> None:
        """Visit until it is over."""
        chance, turn = random.Random(1), 0
        while not self.over.wait(0.1):
            turn += 1
            many = int(30 + 16 * math.sin(turn / 55) + chance.randrange(14))
            names = chance.choices(list(PARTS), list(PARTS.values()), k=many)
            self._site.visits([(name, f"203.0.113.{chance.randrange(256)}") for name in names], node=turn % self.nodes)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("site")) as site:
        yield site


def opened(browser: Browser, url: str, width: int, height: int, colours: str = "light", moving: bool = False) -> Page:
    """A page; unless it is ``moving``, its digits stand still, as half of one cannot be read in a picture."""
    page = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme=colours,
        reduced_motion="no-preference" if moving else "reduce",
        locale="en-GB",
    )
    page.goto(url)
    return page


def take(page: Page, name: str) -> None:
    IMAGES.mkdir(exist_ok=True)
    page.mouse.move(0, 0)
    page.screenshot(path=IMAGES / f"{name}.png")
    page.close()
    assert (IMAGES / f"{name}.png").stat().st_size < SIZE_MAX, name


def test_pictures(site: Site, browser: Browser) -> None:
    take(_welcome(site, browser), "dashboard-welcome")
    for counter, n in (("google", 25_000), ("google.gmail", 1_000_000), ("shop", 10_000)):
        httpx.put(f"{site.url}/v1/counters/{counter}/milestones/{n}").raise_for_status()
    traffic = Traffic(site)
    traffic.start()
    try:
        _take_all(site, browser, traffic)
    finally:
        traffic.over.set()
        traffic.join()


def _welcome(site: Site, browser: Browser) -> Page:
    page = opened(browser, site.url, 1000, 720)
    page.get_by_role("heading", name="Count the first visit").wait_for()
    return page


def _take_all(site: Site, browser: Browser, traffic: Traffic) -> None:
    desk = opened(browser, f"{site.url}/#/google", 1280, 880)
    desk.locator('[role=treeitem][title="google"] .caret').click()
    phone = opened(browser, f"{site.url}/#/google.gmail", 390, 844, "dark")
    desk.wait_for_timeout(FILLING_MS)
    take(desk, "dashboard")
    take(phone, "dashboard-phone")
    take(_winner(site, browser), "dashboard-winner")
    lost = opened(browser, f"{site.url}/#/shop", 1280, 1150)
    lost.locator(".numbers summary").click()
    traffic.nodes = 2
    lost.wait_for_timeout(500)
    site.nodes[2].kill()
    expect(lost.locator('tr[data-node="node-2"]')).to_contain_text("not heard any more")
    lost.evaluate("scrollTo(0, document.body.scrollHeight)")
    lost.wait_for_timeout(3_000)
    take(lost, "dashboard-node-lost")


def _winner(site: Site, browser: Browser) -> Page:
    """The 100 billionth visitor: nearly all of the count is from before, as there is not so much time."""
    counter = f"{site.url}/v1/counters/planet"
    httpx.put(f"{counter}/imports/before", json={"value": N - 2_000, "note": "from before"}).raise_for_status()
    httpx.put(f"{counter}/milestones/{N}").raise_for_status()
    page = opened(browser, f"{site.url}/#/planet", 1280, 880, "dark", moving=True)
    for part in ("earth.europe", "earth.asia", "earth.africa", "moon") * 10:
        site.visits([(f"planet.{part}", f"198.51.100.{n}") for n in range(50)])
        page.wait_for_timeout(400)
    page.get_by_test_id("celebration").wait_for()
    page.wait_for_timeout(900)
    return page
