"""Commands show a token and trust a private authority; what is refused ends in one line, or is waited out."""

import threading
from pathlib import Path

import httpx
import pytest
from fake_http import FakeHttp
from ingesting import ingest, lines

from footfall import cli
from footfall.cli.arguments import Where
from footfall.cli.client import Client
from footfall.cli.delivery import Patience
from footfall.errors import ConfigError, ForbiddenError, UnauthorizedError, UnavailableError

URL = "http://node:1"
TOKEN = "a-token-that-is-not-shown"


def answering(response: httpx.Response, token: str | None = None) -> Client:
    return Client(Where(URL, token), httpx.MockTransport(lambda _: response))


def problem(status: int, kind: str, retry_after: str = "") -> httpx.Response:
    headers = {"retry-after": retry_after} if retry_after else {}
    return httpx.Response(status, json={"type": f"/problems/{kind}", "detail": "why"}, headers=headers)


@pytest.mark.parametrize("given", [None, TOKEN])
def test_every_request_shows_the_token_if_there_is_one(given: str | None) -> None:
    seen: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("authorization"))
        return httpx.Response(200, json={"sources": [], "nodes": []})

    with Client(Where(URL, given), httpx.MockTransport(answer)) as node:
        node.source_positions(["a"])
        node.nodes()
    assert seen == [given and f"Bearer {given}"] * 2


@pytest.mark.parametrize("token", ["", "two words", "tab\t", "line\nfeed", "ünlike"])
def test_what_cannot_be_a_token_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(ConfigError, match="the token is empty") as raised:
        Client(Where(URL, token))
    assert not token or token not in str(raised.value)


def test_the_token_comes_from_a_flag_over_the_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wheres: list[Where] = []
    monkeypatch.setattr("footfall.cli.queries.nodes", lambda where, json: wheres.append(where))
    monkeypatch.setenv("FOOTFALL_TOKEN", "of-the-variable")
    monkeypatch.setenv("FOOTFALL_CA", "ca.pem")
    assert cli.run(["nodes"]) == 0
    assert cli.run(["nodes", "--token", TOKEN]) == 0
    assert [(one.token, one.ca) for one in wheres] == [("of-the-variable", "ca.pem"), (TOKEN, "ca.pem")]
    assert cli.run(["nodes", "--token", TOKEN, "--token", "other"]) == 2
    assert TOKEN not in capsys.readouterr().err


def test_the_variable_that_names_certificates_is_for_those_nodes_that_have_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTFALL_CA", "ca.pem")
    Client(Where("http://127.0.0.1:8080", ca="ca.pem"))
    with pytest.raises(ConfigError, match="certificates are for https://"):
        Client(Where("http://127.0.0.1:8080", ca="other.pem"))


@pytest.mark.parametrize(
    ("response", "error", "says"),
    [
        (problem(401, "unauthorized"), UnauthorizedError, "why"),
        (problem(403, "forbidden"), ForbiddenError, "why"),
        (httpx.Response(401, text="<html>"), UnauthorizedError, "FOOTFALL_TOKEN"),
        (httpx.Response(403, text="<html>"), ForbiddenError, "answered 403"),
        (httpx.Response(429, text="<html>"), UnavailableError, "answered 429"),
    ],
)
def test_what_a_node_or_a_proxy_refuses_is_told(response: httpx.Response, error: type[Exception], says: str) -> None:
    with answering(response) as node, pytest.raises(error, match=says):
        node.read("a")


@pytest.mark.parametrize(
    ("said", "waits_s"), [("7", 7.0), ("0", 0.0), ("", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0), ("9" * 20, 0.0)]
)
@pytest.mark.parametrize("status", [429, 503])
def test_how_long_to_wait_is_what_the_answer_says(status: int, said: str, waits_s: float) -> None:
    with answering(problem(status, "rate-limited", said)) as node, pytest.raises(UnavailableError) as raised:
        node.read("a")
    assert raised.value.retry_after_s == waits_s


class _Waits(threading.Event):
    """Takes down how long was waited, and does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waited_s: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waited_s.append(timeout or 0.0)
        return False


def test_a_retry_waits_as_long_as_it_was_told_and_never_beyond_its_patience() -> None:
    stop = _Waits()
    told = [5.0, 0.0]

    def action() -> str:
        if not told:
            return "done"
        error = UnavailableError("slow down")
        error.retry_after_s = told.pop(0)
        raise error

    assert Patience(60.0, stop, lambda _: None).call(action) == "done"
    assert stop.waited_s[0] == 5.0
    assert stop.waited_s[1] < 1.0
    told.append(61.0)
    with pytest.raises(UnavailableError, match="slow down"):
        Patience(60.0, stop, lambda _: None).call(action)
    assert len(stop.waited_s) == 2


def test_ingest_waits_out_429_and_stops_at_403_without_passing_over_a_line(tmp_path: Path) -> None:
    http = FakeHttp()
    refusals = [problem(429, "rate-limited", "0"), problem(429, "rate-limited", "0")]
    taken = http.transport

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/visits" and refusals:
            return refusals.pop(0)
        return taken.handle_request(request)

    http.transport = httpx.MockTransport(answer)
    file = tmp_path / "log"
    file.write_text(lines(0, 10))
    assert ingest(http, file).visits == 10
    file.write_text(lines(0, 20))
    body = {"type": "/problems/forbidden", "detail": "not this counter", "index": 3}
    refusals.append(httpx.Response(403, json=body))
    with pytest.raises(ForbiddenError, match="not this counter"):
        ingest(http, file)
    assert ingest(http, file).visits == 10
    assert http.counts["shop"] == 20
