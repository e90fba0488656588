"""What sites embed besides pictures, as it is served: the script that counts, and the public page of one counter."""

import html
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fake_node import FakeNode

from footfall.web import static
from footfall.web.pages import SCRIPT_BYTES_MAX, page
from footfall.web.server import HttpServer

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    server = HttpServer(FakeNode(), "127.0.0.1", 0, stop_s=1)  # type: ignore[arg-type]
    await server.start()
    async with httpx.AsyncClient(base_url=server.url) as client:
        yield client
    await server.stop()


async def test_the_script_has_a_kilobyte_at_most_and_is_what_was_written(http: httpx.AsyncClient) -> None:
    answer = await http.get("/count.js", headers={"accept-encoding": "identity"})
    assert answer.content == (static.FOLDER / "count.js").read_bytes()
    assert len(answer.content) <= SCRIPT_BYTES_MAX == 1024
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"


async def test_the_script_may_be_kept_for_an_hour_and_embedded_by_anyone(http: httpx.AsyncClient) -> None:
    answer = await http.get("/count.js")
    assert answer.headers["cache-control"] == "max-age=3600, stale-while-revalidate=86400"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"
    again = await http.get("/count.js", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_visitors_get_no_colours_that_phones_of_2022_do_not_know() -> None:
    sheet = (static.FOLDER / "public" / "public.css").read_text()
    assert not re.search(r"light-dark\(|color-mix\(|oklch\(", sheet)
    light, dark = (set(re.findall(r"(--[a-z-]+): #", part)) for part in sheet.split("prefers-color-scheme: dark")[:2])
    assert light == dark != set()


async def test_the_page_of_a_counter_may_be_framed_by_anyone_and_loads_from_its_own_server_alone(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.get("/c/google.gmail")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["frame-ancestors"] == "*"
    assert (policy["default-src"], policy["script-src"], policy["style-src"]) == ("'none'", "'self'", "'self'")
    assert "<title>google.gmail</title>" in answer.text
    loaded = re.findall(r'(?:src|href)="([^"]*)"', answer.text)
    assert loaded
    assert all(path.startswith("../") for path in loaded), "below a prefix, too"
    for path in loaded:
        assert (await http.get(f"/c/{path}")).status_code == 200
    assert not re.search(r"<script>|<style| style=| on\w+=", answer.text)
    again = await http.get("/c/google.gmail", headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304


async def test_what_is_no_name_is_never_written_into_a_page(http: httpx.AsyncClient) -> None:
    for name in ("%3Cscript%3E", "a%22b", "a%20b", "%7Bname%7D", "x" * 201):
        answer = await http.get(f"/c/{name}")
        assert answer.status_code in (404, 422)
        assert "html" not in answer.headers["content-type"]

        page = await http.get(f"/c/{name}", headers={"accept": "text/html"})
        assert page.status_code == answer.status_code
        assert not {"<script>", 'a"b'} & set(re.findall(r'<script>|a"b', page.text))


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/c/a..b", 422, "cannot name a counter: write 1 to 8"),
        ("/nosuch", 404, "There is nothing at /nosuch"),
        ("/no/such/page", 404, "There is nothing at /no/such/page"),
    ],
)
async def test_a_person_is_told_by_a_page_what_a_program_is_told_by_a_problem(
    http: httpx.AsyncClient, path: str, status: int, said: str
) -> None:
    page = await http.get(path, headers={"accept": BROWSER})
    assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert said in page.text
    assert page.headers["cache-control"] == "no-store"
    links = re.findall(r'href="([^"]*)"', page.text)
    assert len(links) == 3
    for link in links:
        assert link.startswith("."), "below a prefix, too"
        assert (await http.get(httpx.URL(f"{http.base_url}{path}").join(link))).status_code == 200
    problem = await http.get(path)
    assert (problem.status_code, problem.headers["content-type"]) == (status, "application/problem+json")
    assert problem.json()["detail"][1:] in html.unescape(page.text)


async def test_the_api_tells_everyone_by_a_problem(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/nosuch", headers={"accept": BROWSER})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_pages_of_two_counters_differ_in_their_tags() -> None:
    assert page("a").etag != page("b").etag
