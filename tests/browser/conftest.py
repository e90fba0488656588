"""Tests of the pages in a real browser: the chromium that the system has, and what must be true of every page in it.

Where there is no chromium the tests here are left out, and a line at the end says so.
"""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from watching import Watched

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = os.environ.get("FOOTFALL_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)

TIMEOUT_MS = 20_000  # of what is waited for: other tests may have the processor

expect.set_options(timeout=TIMEOUT_MS)

collect_ignore_glob = [] if CHROMIUM else ["test_*.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say that these tests were not run."""
    if not CHROMIUM:
        terminalreporter.write_line(
            "the pages were not tested in a browser: that needs chromium (apt install chromium), on PATH or named by "
            "FOOTFALL_CHROMIUM"
        )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of a file. It ends with them: asyncio's tests cannot run beside playwright's loop."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    """A page of which nothing may be said on the console, and that asks no other server, unless a test expects it."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="UTC")
    watched = Watched(context.new_page())
    yield watched
    context.close()
    watched.check()


@pytest.fixture
def page(watched: Watched) -> Page:
    """The page alone."""
    watched.page.set_default_timeout(TIMEOUT_MS)
    return watched.page
