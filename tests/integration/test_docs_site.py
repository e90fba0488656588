"""The documentation's site: it is built without a warning, loads nothing from elsewhere, and its tutorial is run."""

import contextlib
import io
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from test_docs import ROOT, WAIT_S, eventually, free_ports, run, serving

DOCS = ROOT / "docs"
TUTORIAL = (DOCS / "tutorial.md").read_text()


class Loaded(HTMLParser):
    """What a browser fetches to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag in ("script", "img", "iframe"):
            self.found.add(named.get("src") or "")
        if tag == "link" and named.get("rel") in ("stylesheet", "preconnect", "preload", "icon"):
            self.found.add(named.get("href") or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does: a warning fails it, such as of a page that no menu names or a dead link."""
    made = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [f"{Path(sys.executable).parent}/mkdocs", "build", "--quiet", "--site-dir", made],
        cwd=ROOT, capture_output=True, text=True, timeout=WAIT_S, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return made


def test_every_page_is_in_the_site_and_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = {page.relative_to(site).with_suffix("").as_posix() for page in site.rglob("*.html")}
    assert {page.relative_to(DOCS).with_suffix("").as_posix() for page in DOCS.rglob("*.md")} < pages
    examples = set((site / "examples").iterdir())  # what others put into their pages
    for page in set(site.rglob("*.html")) - examples:
        loaded = Loaded()
        loaded.feed(page.read_text())
        assert not [url for url in loaded.found if re.match(r"https?:|//", url)], page


def test_the_reference_names_every_request_and_every_type(site: Path) -> None:
    page = (site / "api.html").read_text()
    for named in ("POST /v1/counters/{name}/visits", "GET /v1/counters", "PUT /v1/counters/{name}/milestones/{n}"):
        assert f"<code>{named}</code>" in page
    for kind in ("CounterValue", "Milestone", "Problem"):
        assert re.search(rf'<h3 id="{kind.lower()}">{kind}', page), kind


def steps() -> dict[str, list[str]]:
    """The tutorial's command lines, by the heading that they stand below."""
    parts = re.split(r"^## (.*)$", TUTORIAL, flags=re.MULTILINE)[1:]
    return {
        heading: [line for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S) for line in block.splitlines()]
        for heading, text in zip(parts[::2], parts[1::2], strict=True)
    }


def test_the_tutorial_goes_as_it_is_written(tmp_path: Path) -> None:
    start, count, promise, win, claim, check, plug, _ = steps().values()
    assert start[0] == ". .venv/bin/activate"
    port = free_ports(1)
    with serving(start[1], port, 1, tmp_path):
        *hits, read, apart, by_http = count
        for line in hits:
            run(line, port, tmp_path)
        eventually(lambda: run(read, port, tmp_path).strip() == "3", read)
        assert all(name in run(apart, port, tmp_path) for name in ("shop.books", "shop.music"))
        assert "receipt" in run(by_http, port, tmp_path)
        for line in [*promise, *win]:
            said = run(line, port, tmp_path)
        assert "fay" in said
        assert "claimed" in run(claim[0], port, tmp_path)
        with pytest.raises(AssertionError, match="claimed"):
            run(claim[0] + " --key another", port, tmp_path)
        run(check[0], port, tmp_path)
    with serving(start[1], port, 1, tmp_path):
        assert run(plug[0], port, tmp_path).strip() == "6"


def python_examples(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)


def test_the_vectors_are_merged_as_the_page_tells() -> None:
    (example,) = python_examples("counting.md")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example, "counting.md", "exec"), {})
    assert printed.getvalue().splitlines() == re.findall(r"# (.*)$", example, re.MULTILINE)
