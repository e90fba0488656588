"""The dashboard over three real nodes: what happens elsewhere is seen, and what a person does there is done."""

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, expect
from sites import Site
from watching import Watched, barriers

from processes import eventually

# What the wheels show, from how far each is turned: nothing of the text for screen readers.
SHOWN = """() => [...document.querySelectorAll('.wheel > span')].map((strip) =>
    Math.round(-new DOMMatrix(getComputedStyle(strip).transform).m42 / strip.firstChild.offsetHeight) % 10).join('')"""
LONG = f"{'a-long-name' * 6}.{'of_several_parts' * 4}.{'that-goes-on' * 5}"  # 200 characters are the most


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("site")) as site:
        yield site


def count(page: Page, text: str) -> None:
    """Wait until the page tells this count, and its wheels show it."""
    expect(page.get_by_test_id("count")).to_have_text(text)
    eventually(lambda: page.evaluate(SHOWN) == text.replace(",", ""), what=f"{text} on the wheels")


def item(name: str) -> str:
    return f'[role=treeitem][title="{name}"]'


def test_a_fresh_node_shows_how_to_count_and_the_count_once_the_first_visit_came(site: Site, page: Page) -> None:
    page.goto(site.url)
    expect(page.get_by_role("heading", name="Count the first visit")).to_be_visible()
    expect(page.locator("pre")).to_contain_text(f"curl -X POST {site.url}/v1/counters/shop/visits")
    page.get_by_role("button", name="Python").click()
    expect(page.locator("pre")).to_contain_text("visits.increment()")
    assert barriers(page) == []
    python = page.locator("pre").inner_text()
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")  # as over plain HTTP
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_text("Select it to copy")).to_be_visible()
    page.get_by_role("button", name="Shell").click()
    subprocess.run(["/bin/sh", "-c", page.locator("pre").inner_text()], check=True, capture_output=True, timeout=30)
    count(page, "1")
    subprocess.run([sys.executable, "-c", python], check=True, timeout=30)
    count(page, "2")
    expect(page.locator(item("shop"))).to_contain_text("2")


def test_a_visit_made_elsewhere_rolls_the_count(site: Site, page: Page) -> None:
    site.visit("google.gmail", 40_000)
    page.goto(f"{site.url}/#/google.gmail")
    count(page, "40,000")
    for value in ("40,001", "40,002", "40,003"):
        site.visit("google.gmail")
        count(page, value)
    site.visit("google.gmail", 999_999_999)
    count(page, "1,000,040,002")
    expect(page.get_by_test_id("phase")).to_have_text("phase ap · available")


def test_a_hidden_page_holds_no_stream_and_is_up_to_date_when_it_is_seen_again(site: Site, page: Page) -> None:
    site.visit("seen", 7)
    page.goto(f"{site.url}/#/seen")
    count(page, "7")
    turn = "hidden => { Object.defineProperty(document, 'hidden', { configurable: true, value: hidden }); document.%s }"
    turn %= "dispatchEvent(new Event('visibilitychange'))"
    with page.expect_event("requestfailed", lambda request: "/v1/events" in request.url):
        page.evaluate(turn, True)
    site.visit("seen")
    page.evaluate(turn, False)
    count(page, "8")
    expect(page.get_by_text("Live", exact=True).first).to_be_visible()


def test_a_page_that_is_seen_before_it_knows_what_to_watch_asks_for_nothing_else(site: Site, page: Page) -> None:
    site.visit("soon", 7)
    page.add_init_script(
        "addEventListener('DOMContentLoaded', () => document.dispatchEvent(new Event('visibilitychange')))"
    )
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url) if request.resource_type == "fetch" else None)
    page.goto(f"{site.url}/#/soon")
    count(page, "7")
    assert {url.startswith(f"{site.url}/v1/") for url in fetched} == {True}, fetched


def test_a_span_of_time_without_a_curve_says_when_there_will_be_one(site: Site, page: Page) -> None:
    site.visit("just-begun")
    page.goto(f"{site.url}/#/just-begun")
    count(page, "1")
    for span, said in (("Year", "every hour"), ("Hour", "every ten seconds")):
        page.get_by_role("button", name=span, exact=True).click()
        expect(page.locator(".plot")).to_contain_text(said)


def test_the_tree_is_used_by_keyboard(site: Site, page: Page) -> None:
    site.visits([("tree.a.one", "ann"), ("tree.a.two", "ann"), ("tree.b", "ann")])
    page.goto(site.url)
    page.locator(item("tree")).wait_for()
    page.get_by_role("searchbox", name="Search counters").focus()
    for key, focused, there in (
        ("ArrowDown", "", "tree"),
        ("End", "tree", "tree"),
        ("ArrowRight", "tree", "tree.a"),
        ("ArrowRight", "tree.a", "tree.b"),
        ("ArrowRight", "tree.a", "tree.a.one"),
        ("ArrowRight", "tree.a.one", "tree.a.two"),
        ("ArrowDown", "tree.a.two", "tree.b"),
    ):
        page.keyboard.press(key)
        expect(page.locator(item(focused))).to_be_focused()
        expect(page.locator(item(there))).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator(item("tree.a.two"))).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("All.*tree.*a.*two"))
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(item("tree.a.two"))).to_have_count(0)
    page.goto(f"{site.url}/#/tree.a.one")
    expect(page.locator(item("tree.a.two"))).to_be_visible()  # the tree opens where what is shown stands


def test_a_counter_is_found_by_a_part_of_its_name(site: Site, page: Page) -> None:
    site.visit("search.needle.here", 7)
    page.goto(site.url)
    page.get_by_role("searchbox", name="Search counters").fill("EEDLE")
    page.locator(item("search.needle.here")).click()
    count(page, "7")
    page.get_by_role("searchbox", name="Search counters").fill("no-such-name")
    expect(page.get_by_text("No counter has “no-such-name” in its name.")).to_be_visible()


def test_a_milestone_is_set_on_the_page_reached_celebrated_and_claimed(
    site: Site, watched: Watched, page: Page
) -> None:
    watched.expected.append("status of 403")  # another's receipt
    site.visits([("raffle", "ann")])
    page.goto(f"{site.url}/#/raffle")
    page.get_by_role("button", name="New milestone").click()
    dialog = page.get_by_role("dialog", name="New milestone")
    expect(dialog.get_by_label("Counter")).to_have_value("raffle")
    expect(dialog.get_by_label("N", exact=True)).to_have_value("2")  # proposed, and typed over
    page.keyboard.type("1.5")
    dialog.get_by_role("button", name="Set it").click()
    expect(dialog.get_by_role("alert")).to_contain_text("“1.5” is not a whole number")
    assert barriers(page) == []
    dialog.get_by_label("N", exact=True).fill("3")
    dialog.get_by_role("button", name="Set it").click()
    expect(page.get_by_role("heading", name="3rd of raffle")).to_be_visible()
    expect(page.locator(".milestones")).to_contain_text("2 to go")
    receipts = site.visits([("raffle", "bob"), ("raffle", "eve"), ("raffle", "mallory")])
    celebration = page.get_by_test_id("celebration")
    expect(celebration).to_contain_text("The 3rd of raffle")
    expect(celebration.locator(".winner")).to_have_text("eve")
    expect(page.locator("canvas.confetti")).to_be_attached()
    celebration.get_by_text("Proof").click()
    expect(celebration).to_contain_text("SHA-256 of the receipt")
    celebration.get_by_role("button", name="Close").click()
    expect(celebration).to_have_count(0)
    claim(page, receipts[2], refused=True)
    claim(page, receipts[1])
    expect(page.locator(".milestone.reached").filter(has_text="raffle")).to_contain_text("claimed")


def claim(page: Page, receipt: str, refused: bool = False) -> None:
    """Claim by the dialog; it closes, or says why not."""
    page.locator(".milestone.reached").filter(has_text="raffle").get_by_role("button", name="Claim").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Receipt").fill(receipt)
    dialog.get_by_role("button", name="Claim").click()
    if refused:
        expect(dialog.get_by_role("alert")).to_contain_text("receipt")
        dialog.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 900), (390, 844)], ids=["desk", "phone"])
def test_nobody_is_kept_out(site: Site, page: Page, colours: str, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme=colours, reduced_motion="reduce")  # type: ignore[arg-type]
    site.visit(LONG, 1_000_000_000)
    page.goto(f"{site.url}/#/{LONG}")
    page.get_by_test_id("count").wait_for(state="attached")
    page.locator(".bars li").first.wait_for()
    assert barriers(page) == []
    width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1]
    table = page.locator(".nodes .scroll")
    table.locator("tbody th").first.evaluate("name => name.append('-that-has-a-long-name-in-frankfurt')")
    assert table.evaluate("box => box.scrollWidth <= box.clientWidth")


def test_a_phone_leaves_fields_as_they_are_and_a_closed_dialog_the_page_where_it_was(
    site: Site, browser: Browser
) -> None:
    """Safari zooms where the text of a field is smaller than 16 pixels, and makes the first letter a capital."""
    with browser.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True) as context:
        page = context.new_page()
        site.visit("phone", 4_000_000)
        page.goto(f"{site.url}/#/phone")
        count(page, "4,000,000")
        page.get_by_role("button", name="New milestone").press("Enter")
        expect(page.get_by_label("N", exact=True)).to_have_value("5,000,000")
        fields = "all => all.map((one) => [getComputedStyle(one).fontSize, one.autocapitalize, one.inputMode])"
        found = page.locator("input").evaluate_all(fields)
        assert found == [["16px", "none", ""], ["16px", "none", ""], ["16px", "", "numeric"]]
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.get_by_role("button", name="New milestone")).to_be_focused()
        expect(page.get_by_role("button", name="New milestone")).not_to_be_in_viewport()  # nor does the page jump


def test_a_killed_node_shows_and_its_partitions_move(site: Site, page: Page) -> None:
    site.visit("google.gmail", 64)
    page.goto(f"{site.url}/#/google.gmail")
    row = page.locator('tr[data-node="node-2"]')
    expect(row).to_be_visible()
    bars = page.locator(".bars li")
    expect(bars.filter(has_text="counted by node-2").first).to_be_attached()
    page.locator(".numbers summary").press("Enter")
    numbers = page.locator(".numbers tbody tr")
    theirs = numbers.filter(has_text="node-2").count()
    assert 0 < theirs < 16
    expect(page.locator(".numbers tfoot")).to_contain_text(page.get_by_test_id("count").inner_text())
    site.nodes[2].kill()
    expect(row).to_contain_text("not heard any more")
    expect(bars.filter(has_text="counted by node-2")).to_have_count(0)
    expect(bars.filter(has_text=re.compile("counted by node-[01]"))).to_have_count(16)
    expect(numbers.get_by_text("before: node-2")).to_have_count(theirs)
    site.nodes[2].start()
    expect(row).not_to_contain_text("not heard")


def test_a_lost_connection_is_shown_and_recovers(site: Site, watched: Watched, page: Page) -> None:
    watched.expected += ["net::ERR_", "status of 503"]
    page.clock.install(time=datetime.now(UTC) + timedelta(days=2))
    page.goto(f"{site.url}/#/google.gmail")
    expect(page.get_by_text("Live", exact=True).first).to_be_visible()
    expect(page.locator(".log")).to_contain_text(re.compile(r"up \d+\s(s|min)"))  # by the node's clock
    expect(page.locator(".bars li")).to_have_count(16)  # all is there that must stay
    before = page.get_by_test_id("count").inner_text()
    site.nodes[0].kill()
    banner = page.get_by_test_id("banner")
    expect(banner).to_contain_text("Disconnected.")
    expect(banner).to_contain_text("Trying again")
    expect(page.locator(".page.old")).to_be_visible()
    expect(page.get_by_test_id("count")).to_have_text(before)
    expect(page.locator(".bars li")).to_have_count(16)
    assert barriers(page, ignored=["color-contrast"]) == []  # what is old is grey on purpose
    page.clock.pause_at(page.evaluate("Date.now() + 1_000"))  # or the page comes back before the button is used
    site.visit("google.gmail")
    site.nodes[0].start()
    banner.get_by_role("button", name="Try now").click()
    page.clock.resume()
    expect(banner).to_have_count(0)
    expect(page.locator(".page.old")).to_have_count(0)
    expect(page.get_by_test_id("count")).not_to_have_text(before)


def test_a_log_that_is_away_is_shown_and_what_waits_in_the_spool_is_counted_later(site: Site, page: Page) -> None:
    site.visit("later", 5)
    page.goto(f"{site.url}/#/later")
    count(page, "5")
    site.server.kill()
    expect(page.locator(".log .chip")).to_have_text("away")
    site.visit("later", 7, node=0)
    expect(page.locator(".worth")).to_contain_text("7 pending")
    expect(page.locator(".banner")).to_contain_text("kept in the spool")
    site.server.start()
    count(page, "12")
    expect(page.locator(".banner")).to_have_count(0)
    expect(page.locator(".log .chip")).to_have_text("connected")
