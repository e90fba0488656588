"""Middleware in FastAPI, Starlette, Flask and Django, served by real servers, and counted by a real node."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import django
import httpx
import pytest
from applications import asgi_server, wsgi_server
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django.test import override_settings
from django.urls import path as django_path

import footfall
from processes import HTTP, NodeProcess, eventually

PAGE = (Path(__file__).parents[2] / "docs" / "middleware.md").read_text()
BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}

Serve = Callable[[Any], AbstractContextManager[str]]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    with NodeProcess(tmp_path_factory.mktemp("node")) as node:
        yield node


@pytest.fixture(autouse=True)
def at_the_node(node: NodeProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTFALL_URL", node.url)


def example(section: str, number: int = 0, **names: Any) -> dict[str, Any]:
    """What an example of the page has made."""
    part = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"^```python\n(.*?)^```", part, re.MULTILINE | re.DOTALL)
    names["__name__"] = __name__
    exec(blocks[number], names)
    return names


def fastapi() -> Any:
    app = example("FastAPI and Starlette")["app"]
    app.get("/")(lambda: "hello")
    return app


def starlette() -> Any:
    from starlette.responses import PlainTextResponse

    async def hello(request: object) -> PlainTextResponse:
        return PlainTextResponse("hello")

    app = example("FastAPI and Starlette", 1)["app"]
    app.router.add_route("/", hello)
    return app


def flask() -> Any:
    app = example("Flask")["app"]
    app.route("/")(lambda: "hello")
    return app


def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse("hello")


async def hello_later(request: HttpRequest) -> HttpResponse:
    return HttpResponse("hello")


def not_found(request: HttpRequest, exception: object) -> HttpResponse:
    return HttpResponseNotFound("what?")


urlpatterns = [django_path("", hello), django_path("later", hello_later)]
handler404 = not_found


def _configured() -> None:
    if not settings.configured:
        shown = {name: value for name, value in example("Django").items() if name.isupper()}
        settings.configure(**shown, ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="a", LOGGING_CONFIG=None)
        django.setup()


def django_wsgi() -> Any:
    _configured()
    return get_wsgi_application()


def django_asgi() -> Any:
    _configured()
    return get_asgi_application()


def django_wrapped() -> Any:
    _configured()
    with override_settings(MIDDLEWARE=[]):
        return example("Django", 1)["application"]


@pytest.mark.parametrize(
    ("application", "serve"),
    [
        (fastapi, asgi_server), (starlette, asgi_server), (django_asgi, asgi_server), (django_wrapped, asgi_server),
        (flask, wsgi_server), (django_wsgi, wsgi_server),
    ],
)  # fmt: skip
def test_what_an_application_answers_is_counted_as_the_page_tells(
    node: NodeProcess, application: Callable[[], Any], serve: Serve
) -> None:
    before = node.value("shop")
    with serve(application()) as url, httpx.Client(base_url=url) as client:
        for _ in range(20):
            assert "hello" in client.get("/").text
        assert client.get("/nowhere").status_code == 404
        assert client.post("/nowhere").status_code in (404, 405)
    eventually(lambda: node.value("shop") == before + 20, what="20 visits, and not those to what is not there")
    assert node.value("shop") == before + 20


def test_views_of_both_kinds_are_counted_under_both_of_djangos_servers(node: NodeProcess) -> None:
    _configured()
    before = node.value("django")
    with override_settings(FOOTFALL={"COUNTER": footfall.by_path("django"), "EXCLUDE_BOTS": True}):
        for application, serve in ((get_asgi_application, asgi_server), (get_wsgi_application, wsgi_server)):
            with serve(application()) as url, httpx.Client(base_url=url) as client:
                for path in ("/", "/later"):
                    assert client.get(path, headers=BROWSER).text == "hello"
                    assert client.get(path).text == "hello"
    eventually(lambda: node.value("django") == before + 4, what="the visits of browsers")
    eventually(lambda: node.value("django.later") == 2, what="of these to one page")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({}, "names no counter"),
        ({"COUNTER": "no name"}, "'no name' cannot name a counter"),
        ({"COUNTER": "shop", "COUNTERS": 1}, "there is no option 'counters'"),
        ({"COUNTER": "shop", "URL": "nats://a"}, "should be a node's"),
    ],
)
def test_django_does_not_start_with_settings_that_cannot_be(wrong: dict[str, object], says: str) -> None:
    _configured()
    with override_settings(FOOTFALL=wrong), pytest.raises(ImproperlyConfigured, match=says):
        get_wsgi_application()


def test_visitors_are_told_apart_behind_a_proxy(node: NodeProcess) -> None:
    HTTP.put(f"{node.url}/v1/counters/people", json={"unit": "visitors"}).raise_for_status()
    options: Any = {"visitor": "address", "visitor_key": "key", "trusted_proxies": ["127.0.0.1"]}
    app = footfall.FootfallMiddleware(fastapi(), counter="people", **options)
    with asgi_server(app) as url, httpx.Client(base_url=url) as client:
        for number in (1, 2, 3, 2, 1):
            assert client.get("/", headers={"x-forwarded-for": f"203.0.113.{number}"}).status_code == 200
    eventually(lambda: node.value("people") == 3, what="three people")


def test_a_node_that_stands_still_or_is_down_is_nothing_that_an_application_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request after the other, each answered within two seconds: if one waited for the node, it would not be."""
    with NodeProcess(tmp_path) as node:
        monkeypatch.setenv("FOOTFALL_URL", node.url)
        sender = footfall.Counter("shop")  # of this process: what the middleware uses
        with asgi_server(fastapi()) as one, wsgi_server(flask()) as other, httpx.Client(timeout=2) as client:

            def visit() -> None:
                for url in (one, other) * 50:
                    assert client.get(url).status_code == 200

            def visit_meanwhile() -> None:
                visit()
                assert not sender.flush(0.5), "the node takes nothing"
                visit()

            visit()
            node.pause()
            visit_meanwhile()
            node.resume()
            eventually(lambda: node.value("shop") == 300, what="what was asked while it stood still")
            node.kill()
            visit_meanwhile()
            node.start()
            eventually(lambda: node.value("shop") == 500, what="what was asked while it was down")
            visit()
            assert sender.flush()
            eventually(lambda: node.value("shop") == 600, what="what was asked since")


def test_the_examples_of_options_are_ones() -> None:
    for section, number in (("What counts", 0), ("What counts", 1), ("Visitors", 0)):
        example(section, number, footfall=footfall, app=None)
