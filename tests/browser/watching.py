"""What is noted of a page while a test uses it: errors, broken policies, and requests to other servers."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Page, Request

GRAVE = ("serious", "critical")


class Watched:
    """A page, and what went wrong in it.

    Attributes:
        page: The page.
        expected: Patterns of complaints that a test brings about itself.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.expected: list[str] = []
        self._complaints: list[str] = []
        self._servers: set[str] = set()
        page.on("console", self._said)
        page.on("pageerror", lambda error: self._complaints.append(str(error)))
        page.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._complaints.append(f"{message.text} ({message.location.get('url', '')})")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith(("data:", "blob:", "about:")):
            self._servers.add(urlsplit(request.url).netloc)

    def check(self) -> None:
        """See that nothing went wrong that was not expected."""
        complaints = [text for text in self._complaints if not any(re.search(one, text) for one in self.expected)]
        assert not complaints
        assert len(self._servers) <= 1, f"it asked {sorted(self._servers)}"


def barriers(page: Page, ignored: Iterable[str] = ()) -> list[str]:
    """What keeps people out who cannot see or point: the serious and critical findings of axe-core."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes'][:3]]}"
        for one in found
        if one["impact"] in GRAVE and one["id"] not in ignored
    ]
