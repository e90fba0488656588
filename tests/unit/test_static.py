"""The pages' files: which are served and how, that what others wrote is unchanged, and that the wheel has them."""

import gzip
import re
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from fake_node import FakeNode
from hatchling.builders.wheel import WheelBuilder

from footfall.web import static
from footfall.web.server import HttpServer

ROOT = Path(__file__).parents[2]
VENDOR = static.FOLDER / "vendor"


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    server = HttpServer(FakeNode(), "127.0.0.1", 0, stop_s=1)  # type: ignore[arg-type]
    await server.start()
    async with httpx.AsyncClient(base_url=server.url) as client:
        yield client
    await server.stop()


async def test_a_browser_gets_the_dashboard_and_a_program_the_index(http: httpx.AsyncClient) -> None:
    page = await http.get("/", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.text.startswith("<!doctype html>")
    index = await http.get("/")
    assert index.json()["name"] == "footfall"
    assert all("Accept" in answer.headers["vary"] for answer in (page, index))


async def test_a_page_may_load_from_its_own_server_alone_and_run_no_script_in_line(http: httpx.AsyncClient) -> None:
    for path in ("/", "/static/dashboard/main.js"):
        policy = (await http.get(path, headers={"accept": "text/html"})).headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy


async def test_a_file_is_sent_once_and_asked_about_from_then_on(http: httpx.AsyncClient) -> None:
    first = await http.get("/static/vendor/uplot.js")
    assert first.headers["cache-control"] == "no-cache"
    again = await http.get("/static/vendor/uplot.js", headers={"if-none-match": f'"other", {first.headers["etag"]}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    other = await http.get("/static/vendor/uplot.js", headers={"if-none-match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_a_file_is_packed_for_those_who_take_it_so(http: httpx.AsyncClient, encoding: str) -> None:
    answer = await http.get("/static/vendor/uplot.js", headers={"accept-encoding": encoding})
    assert answer.headers.get("content-encoding", "identity") == encoding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.content == (VENDOR / "uplot.js").read_bytes()


@pytest.mark.parametrize(
    "path", ["nothing.js", "", "../static.py", "..%2fstatic.py", "%2e%2e/static.py", "vendor/README.md", "vendor"]
)
async def test_what_is_no_file_of_a_page_is_not_there(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(f"/static/{path}")).status_code == 404


def test_every_file_is_of_a_kind_that_is_known_and_packs_to_itself() -> None:
    for name, file in static.files().items():
        assert file.media_type == static.TYPES[Path(name).suffix]
        assert not file.packed or gzip.decompress(file.packed) == file.body
    assert "index.html" in static.files()


def test_what_others_wrote_is_as_they_published_it() -> None:
    told = dict(re.findall(r"^\| `([^`]+)` \|.*`([0-9a-f]{64})` \|$", (VENDOR / "README.md").read_text(), re.MULTILINE))
    there = {path.name: sha256(path.read_bytes()).hexdigest() for path in VENDOR.iterdir() if path.suffix != ".md"}
    assert told == {name: digest for name, digest in there.items() if not name.startswith("LICENSE")}
    licences = set(re.findall(r"LICENSE-[a-z-]+\.txt", (VENDOR / "README.md").read_text()))
    assert licences == {name for name in there if name.startswith("LICENSE")}


def test_what_is_loaded_is_there_and_comes_from_nowhere_else() -> None:
    """Each file that a page or a module names, by a path of its own server."""
    names = re.compile(r"""(?:\bfrom |\bimport\(|\bimport |\bsrc=|\bhref=)["']([^"'#?$]+)["']""")
    for path in static.FOLDER.rglob("*"):
        if path.suffix not in (".html", ".js") or path.parent == VENDOR:
            continue
        for name in names.findall(path.read_text()):
            target = static.FOLDER / name.removeprefix("/static/") if name[0] == "/" else path.parent / name
            assert target.exists() or name.startswith(("/v1/", "../v1/", "/openapi.json", "/c/")), (
                f"{path.name}: {name}"
            )


def test_the_wheel_has_the_files() -> None:
    packed = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    wanted = {f"footfall/web/static/{name}" for name in static.files()}
    assert wanted <= packed
    assert "footfall/web/static/vendor/README.md" in packed
