"""The dashboard of a node that lets in who shows a token."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect
from watching import Watched, barriers

from processes import NodeProcess

READER, ADMIN, SHOP, WRONG = (f"{name}-0123456789abcdef" for name in ("reader", "admin", "shopkeeper", "nobody"))
TOKENS = f"""
[reader]
secret = "{READER}"
scopes = ["read"]

[admin]
secret = "{ADMIN}"
scopes = ["read", "write", "admin"]

[shopkeeper]
secret = "{SHOP}"
scopes = ["read"]
counters = ["shop"]
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    directory = tmp_path_factory.mktemp("guarded")
    (directory / "tokens.toml").write_text(TOKENS)
    with NodeProcess(directory, "--tokens-file", str(directory / "tokens.toml")) as node:
        shows = {"authorization": f"Bearer {ADMIN}"}
        httpx.post(f"{node.url}/v1/counters/shop.cart/visits", json={"count": 41}, headers=shows).raise_for_status()
        yield node


def give(page: Page, secret: str) -> None:
    """Give a token in the dialog that is open."""
    dialog = page.get_by_role("dialog", name="A token, please")
    dialog.get_by_label("Token").fill(secret)
    dialog.get_by_role("button", name="Use it").click()


def test_a_token_is_asked_for_and_a_wrong_one_is_said_to_be_so(node: NodeProcess, watched: Watched, page: Page) -> None:
    watched.expected.append("status of 401")
    page.goto(f"{node.url}/#/shop")
    expect(page.get_by_role("dialog", name="A token, please")).to_be_visible()
    expect(page.get_by_test_id("banner")).to_contain_text("Not shown. This needs a token.")
    assert barriers(page) == []
    give(page, WRONG)
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("does not know the token")
    give(page, READER)
    expect(page.get_by_test_id("count")).to_have_text("41")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("tr[data-node]")).to_have_count(1)
    page.reload()
    expect(page.get_by_test_id("count")).to_have_text("41")
    kept = page.evaluate("[JSON.stringify(localStorage), document.cookie, sessionStorage.length]")
    assert kept == ["{}", "", 1]


def test_a_token_is_good_where_the_browser_bars_storage(node: NodeProcess, watched: Watched, page: Page) -> None:
    watched.expected.append("status of 401")
    barred = "get() { throw new DOMException('barred', 'SecurityError') }"
    for storage in ("localStorage", "sessionStorage"):
        page.add_init_script(f"Object.defineProperty(window, '{storage}', {{ {barred} }})")
    page.goto(f"{node.url}/#/shop")
    give(page, READER)
    expect(page.get_by_test_id("count")).to_have_text("41")
    page.get_by_role("button", name="Use dark colours").click()
    expect(page.get_by_role("button", name="Use light colours")).to_be_visible()


def test_what_a_token_is_not_good_for_is_said_and_another_can_be_given(
    node: NodeProcess, watched: Watched, page: Page
) -> None:
    watched.expected += ["status of 401", "status of 403"]
    page.goto(f"{node.url}/#/shop")
    give(page, READER)
    page.get_by_role("button", name="New milestone").click()
    dialog = page.get_by_role("dialog", name="New milestone")
    dialog.get_by_label("N", exact=True).fill("50")
    dialog.get_by_role("button", name="Set it").click()
    expect(dialog.get_by_role("alert")).to_contain_text("is good for read, and this needs admin")
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Token").click()
    give(page, ADMIN)
    page.get_by_role("button", name="New milestone").click()
    page.get_by_label("N", exact=True).fill("50")
    page.get_by_role("button", name="Set it").click()
    expect(page.get_by_role("heading", name="50th of shop")).to_be_visible()
    page.get_by_role("button", name="Token").click()
    page.get_by_role("button", name="Forget the one in use").click()
    expect(page.get_by_role("dialog", name="A token, please")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_who_may_see_some_counters_sees_these(node: NodeProcess, watched: Watched, page: Page) -> None:
    watched.expected += ["status of 401", "status of 403"]
    page.goto(f"{node.url}/#/shop")
    give(page, SHOP)
    expect(page.get_by_test_id("count")).to_have_text("41")
    expect(page.locator(".bars i.unknown")).to_have_count(16)  # who counts is not for this token
    page.locator('[role=treeitem][title="shop.cart"]').click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("cart")
    expect(page.get_by_test_id("count")).to_have_text("41")
    page.get_by_role("link", name="All", exact=True).click()
    page.reload()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("not for what is about all counters")
