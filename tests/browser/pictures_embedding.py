"""Makes the pictures of what sites embed, for the documentation: ``make pictures``. Not one of the tests."""

from pathlib import Path

import pytest
from pictures import IMAGES, SIZE_MAX
from playwright.sync_api import Browser, expect
from test_embedding import CONGRATULATIONS, elsewhere, milestone, node, shown, visit

from footfall.web.badge_drawing import Half, Style, draw
from processes import NodeProcess

__all__ = ["elsewhere", "node"]
PHONE = {"width": 390, "height": 200}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_public_page_of_a_counter(node: NodeProcess, browser: Browser, scheme: str) -> None:
    if not node.value("shop"):
        visit(node, "shop", 1_234_567)
        milestone(node, "shop", 2_000_000)
    page = browser.new_page(viewport=PHONE, color_scheme=scheme, reduced_motion="reduce", device_scale_factor=2)
    page.goto(f"{node.url}/c/shop")
    shown(page, "1234567")
    expect(page.locator("#next")).not_to_be_empty()
    keep(page.screenshot(), f"public-page-{scheme}.png")
    page.close()


def test_what_the_winner_sees(node: NodeProcess, browser: Browser) -> None:
    visit(node, "prize", 999_999)
    milestone(node, "prize", 1_000_000)
    page = browser.new_page(viewport={"width": 390, "height": 420}, reduced_motion="reduce", device_scale_factor=2)
    page.goto(f"{node.url}/c/prize?visit")
    expect(page.get_by_role("heading", name=CONGRATULATIONS)).to_be_visible()
    shown(page, "1000000")
    keep(page.screenshot(), "public-page-winner.png")
    page.close()


@pytest.mark.parametrize("style", Style)
def test_badges(style: Style) -> None:
    keep(draw(Half("visits", "#555"), Half("1.2M", "#007ec6"), style).encode(), f"badge-{style}.svg")


def keep(picture: bytes, name: str) -> None:
    assert len(picture) < SIZE_MAX
    (Path(IMAGES) / name).write_bytes(picture)
