"""Middleware around small applications: what it counts, and that nothing of it shows in the answer."""

import logging
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from footfall.client.asgi import FootfallMiddleware, Message, Receive, Scope, Send
from footfall.client.rules import Request, by_path
from footfall.client.wsgi import WSGIMiddleware


class Recorder:
    """A client that keeps what it was given, or cannot take it."""

    def __init__(self, fails: Exception | None = None) -> None:
        self.taken: list[tuple[str, str | None]] = []
        self.flushes = 0
        self._fails = fails

    def increment(self, name: str, visitor: str | None = None) -> None:
        if self._fails:
            raise self._fails
        self.taken.append((name, visitor))

    def flush(self, timeout_s: float) -> None:
        self.flushes += 1
        if self._fails:
            raise self._fails


def http(path: str = "/", method: str = "GET", **more: Any) -> Scope:
    return {"type": "http", "method": method, "path": path, "headers": [], "client": ("203.0.113.7", 5), **more}


async def nothing() -> Message:
    return {"type": "http.disconnect"}


def answering(status: int) -> Callable[[Scope, Receive, Send], Any]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})

    return app


async def ask(app: Any, scope: Scope) -> list[Message]:
    """What an ASGI application sends."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, nothing, send)
    return sent


async def test_an_asgi_application_answers_as_without_it_and_is_counted() -> None:
    client = Recorder()
    app = FootfallMiddleware(answering(200), counter="shop", client=client)
    assert await ask(app, http()) == await ask(answering(200), http())
    assert client.taken == [("shop", None)]


async def test_what_failed_and_what_is_no_get_is_not_counted() -> None:
    client = Recorder()
    for status in (404, 500):
        await ask(FootfallMiddleware(answering(status), counter="shop", client=client), http())
    await ask(FootfallMiddleware(answering(200), counter="shop", client=client), http(method="POST"))
    assert client.taken == []


async def test_functions_see_the_request() -> None:
    seen: list[Request] = []

    def counter(request: Request) -> str:
        seen.append(request)
        return "shop"

    headers = [(b"host", b"example.com"), (b"x-forwarded-for", b"192.0.2.9"), (b"x-forwarded-for", b"198.51.100.4")]
    app = FootfallMiddleware(
        answering(201), counter=counter, client=Recorder(), trusted_proxies=["203.0.113.0/24"], methods=["PUT"]
    )
    await ask(app, http("/books", "PUT", headers=headers))
    together = {"host": "example.com", "x-forwarded-for": "192.0.2.9, 198.51.100.4"}
    assert seen == [Request("PUT", "/books", "example.com", together, "198.51.100.4", 201)]


async def test_a_peer_without_an_address_is_a_visit_without_a_visitor() -> None:
    client = Recorder()
    for peer in (None, ("", 0)):
        app = FootfallMiddleware(answering(200), counter="shop", client=client, visitor="address", visitor_key="key")
        await ask(app, http(client=peer))
    assert client.taken == [("shop", None)] * 2


async def test_websockets_pass_untouched() -> None:
    seen: list[Any] = []

    async def app(*given: Any) -> None:
        seen.append(given)

    given: Any = ({"type": "websocket", "path": "/"}, nothing, nothing)
    await FootfallMiddleware(app, counter="shop", client=Recorder())(*given)
    assert seen == [given]


@pytest.mark.parametrize("end", ["complete", "failed"])
async def test_an_applications_end_flushes_before_the_server_hears_of_it(end: str) -> None:
    client = Recorder()
    flushes: list[tuple[str, int]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "lifespan.startup.complete"})
        await send({"type": f"lifespan.shutdown.{end}"})

    async def send(message: Message) -> None:
        flushes.append((message["type"], client.flushes))

    await FootfallMiddleware(app, counter="shop", client=client)({"type": "lifespan"}, nothing, send)
    assert flushes == [("lifespan.startup.complete", 0), (f"lifespan.shutdown.{end}", 1)]


@pytest.mark.parametrize("raises", [True, False])
async def test_where_an_application_knows_nothing_of_its_end_it_flushes_all_the_same(raises: bool) -> None:
    client = Recorder()
    flushes: list[tuple[str, int]] = []
    asked = iter(["lifespan.startup", "lifespan.shutdown"])

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if raises:
            raise ValueError("Django can only handle ASGI/HTTP connections, not lifespan.")

    async def receive() -> Message:
        return {"type": next(asked)}

    async def send(message: Message) -> None:
        flushes.append((message["type"], client.flushes))

    await FootfallMiddleware(app, counter="shop", client=client)({"type": "lifespan"}, receive, send)
    assert flushes == [("lifespan.startup.complete", 0), ("lifespan.shutdown.complete", 1)]


async def test_an_application_whose_start_fails_fails() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise ZeroDivisionError

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    with pytest.raises(ZeroDivisionError):
        await FootfallMiddleware(app, counter="shop", client=Recorder())({"type": "lifespan"}, receive, nothing)


async def test_what_an_application_raises_is_raised_and_not_counted() -> None:
    client = Recorder()

    async def app(*given: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ask(FootfallMiddleware(app, counter="shop", client=client), http())
    assert client.taken == []


def raising(request: Request) -> str:
    raise KeyError("of the user's function")


@pytest.mark.parametrize(
    ("counter", "fails"), [(raising, None), (lambda _: "no name", None), ("shop", RuntimeError("broken"))]
)
async def test_nothing_that_fails_in_it_reaches_the_answer_and_it_is_logged_once(
    counter: Any, fails: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    client = Recorder(fails)
    asgi = FootfallMiddleware(answering(200), counter=counter, client=client)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert await ask(asgi, http()) == await ask(answering(200), http())
        assert [record.getMessage()[:25] for record in caplog.records] == ["a request was not counted"]
        wsgi = WSGIMiddleware(plain, counter=counter, client=client)
        assert get(wsgi) == get(plain)
    assert client.taken == []


async def test_a_flush_that_fails_does_not_keep_the_server_from_ending(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "lifespan.shutdown.complete"})

    sent = await ask(
        FootfallMiddleware(app, counter="shop", client=Recorder(RuntimeError("broken"))), {"type": "lifespan"}
    )
    assert sent == [{"type": "lifespan.shutdown.complete"}]


def test_an_option_that_is_none_is_told_with_those_that_are() -> None:
    with pytest.raises(TypeError, match=r"no option 'includes'; there are client, do_not_track, exclude"):
        FootfallMiddleware(answering(200), counter="shop", includes=["/"])  # type: ignore[call-arg]


# WSGI


def plain(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def get(app: Any, path: str = "/", method: str = "GET", **environ: str) -> tuple[str, bytes]:
    """What an application answers, as a server reads it that sees to the rules of WSGI."""
    given: dict[str, Any] = {
        "PATH_INFO": path,
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        **environ,
    }
    given["REMOTE_ADDR"] = "203.0.113.7"
    setup_testing_defaults(given)
    lines: list[str] = []

    def start(line: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], object]:
        lines.append(line)
        return lambda data: None

    answer = validator(app)(given, start)
    try:
        return lines[-1] if lines else "", b"".join(answer)
    finally:
        answer.close()  # type: ignore[attr-defined]


def test_a_wsgi_application_answers_as_without_it_and_is_counted() -> None:
    client = Recorder()
    app = WSGIMiddleware(plain, counter="shop", client=client)
    assert get(app) == get(plain) == ("200 OK", b"hello")
    get(app, method="POST")
    assert client.taken == [("shop", None)]


def test_the_applications_own_answer_is_passed_on() -> None:
    """It may be a file that the server sends without reading it."""
    answer = [b"hello"]

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return answer

    given: dict[str, Any] = {}
    setup_testing_defaults(given)
    assert WSGIMiddleware(app, counter="shop", client=Recorder())(given, lambda *_: lambda _: None) is answer  # type: ignore[arg-type]


@pytest.mark.parametrize("parts", [[], [b"one"], [b"one", b"two", b"three"]])
def test_an_answer_that_starts_when_it_is_read_is_counted_once(parts: list[bytes]) -> None:
    closed: list[bool] = []

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        try:
            yield from parts
        finally:
            closed.append(True)

    client = Recorder()
    given: dict[str, Any] = {}
    setup_testing_defaults(given)
    answer: Any = WSGIMiddleware(app, counter="shop", client=client)(given, lambda *_: lambda _: None)  # type: ignore[arg-type]
    assert b"".join(answer) == b"".join(parts)
    answer.close()
    assert client.taken == [("shop", None)]
    assert closed == [True]


def test_an_answer_that_is_not_read_to_its_end_is_closed() -> None:
    closed: list[bool] = []

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        try:
            yield b"one"
            yield b"two"
        finally:
            closed.append(True)

    given: dict[str, Any] = {}
    setup_testing_defaults(given)
    answer: Any = WSGIMiddleware(app, counter="shop", client=Recorder())(given, lambda *_: lambda _: None)  # type: ignore[arg-type]
    assert next(iter(answer)) == b"one"
    answer.close()
    assert closed == [True]


def test_a_path_of_wsgi_is_whole_and_decoded() -> None:
    client = Recorder()
    app = WSGIMiddleware(plain, counter=by_path("shop"), client=client)
    get(app, "/caf\u00c3\u00a9", SCRIPT_NAME="/de")
    assert client.taken == [("shop.de.caf_C3_A9", None)]


def test_functions_see_the_request_of_wsgi() -> None:
    seen: list[Request] = []

    def counter(request: Request) -> None:
        seen.append(request)

    app = WSGIMiddleware(plain, counter=counter, client=Recorder())
    get(app, "/books", HTTP_HOST="example.com", HTTP_DNT="1", CONTENT_TYPE="text/plain")
    headers = {"host": "example.com", "dnt": "1", "content-type": "text/plain"}
    assert seen == [Request("GET", "/books", "example.com", headers, "203.0.113.7", 200)]


def test_a_status_that_is_none_reaches_the_server_and_is_not_counted() -> None:
    client = Recorder()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("what", [])
        return [b"hello"]

    given: dict[str, Any] = {}
    setup_testing_defaults(given)
    assert b"".join(WSGIMiddleware(app, counter="shop", client=client)(given, lambda *_: lambda _: None)) == b"hello"  # type: ignore[arg-type]
    assert client.taken == []
