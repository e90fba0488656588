"""The documentation's site in a browser, read from the disk as `make docs` leaves it there."""

import os
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, expect

ROOT = Path(__file__).parents[2]
WAIT_S = 60.0


def test_its_search_finds_a_page_without_a_server(page: Page, tmp_path: Path) -> None:
    subprocess.run(
        [f"{Path(sys.executable).parent}/mkdocs", "build", "--quiet", "--site-dir", tmp_path],
        cwd=ROOT, check=True, timeout=WAIT_S, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    page.goto(f"{(tmp_path / 'index.html').as_uri()}?q=troubleshooting")
    expect(page.locator(".md-search-result__meta")).to_contain_text("matching documents")
    page.locator(".md-search-result__link").first.click()
    expect(page.locator("h1")).to_contain_text("Troubleshooting")
