"""A counter that is not there is told to be new, with what may have been meant; what is printed stays as it was."""

from typing import Any

import httpx
import pytest

from footfall import cli
from footfall.cli.client import Client
from footfall.cli.newness import look, nearest

THERE = {"raffle": "visits", "readers": "visitors", "google": "visits", "google.gmail": "visits"}


class Node:
    """A node with the counters ``THERE``."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.method} {request.url.raw_path.decode()}")
        if request.url.path == "/v1/counters":
            return httpx.Response(self.status, json=self.listed(request.url.params))
        if request.url.path == "/v1/visits":
            return httpx.Response(202, json={"accepted": 1, "stored": "log", "receipt": "r1"})
        counter, n = request.url.path.removeprefix("/v1/counters/").partition("/milestones/")[::2]
        if n:
            answer = {"counter": counter, "n": int(n), "state": "open", "value": 0, "winner": None}
            return httpx.Response(201, json=answer)
        return httpx.Response(200, json={"counter": counter, "value": 0, "unit": "visits"})

    def listed(self, query: httpx.QueryParams) -> dict[str, Any]:
        if self.status != 200:
            return {"type": "/problems/forbidden", "detail": "the token is for writing"}
        if "prefix" in query:
            names = [name for name in THERE if name == query["prefix"]]
        else:
            names = [name for name in THERE if name.rpartition(".")[0] == query["parent"]]
        return {"counters": [{"counter": name, "value": 0, "unit": THERE[name]} for name in names]}


def run(monkeypatch: pytest.MonkeyPatch, node: Node, typed: str) -> None:
    for module in ("queries", "milestones"):
        monkeypatch.setattr(f"footfall.cli.{module}.Client", lambda where: Client(where, httpx.MockTransport(node)))
    assert cli.run(typed.split()) == 0


@pytest.mark.parametrize(
    ("typed", "note"),
    [
        ("hit raffl", "raffl is a new counter; did you mean raffle?"),
        ("hit raffl --json", "raffl is a new counter; did you mean raffle?"),
        ("hit weather", "weather is a new counter"),
        ("hit google.gmial", "google.gmial is a new counter; did you mean google.gmail?"),
        ("hit gogle.gmail", "gogle.gmail is a new counter; did you mean google?"),
        ("hit raffle.may", "raffle.may is a new counter"),
        ("milestone add raffl 3", "raffl is a new counter; did you mean raffle?"),
        ("read raffl", "nobody has visited or defined raffl; did you mean raffle?"),
        ("read nope --json", "nobody has visited or defined nope"),
        ("hit raffle", ""),
        ("milestone add raffle 3", ""),
        ("read raffle", ""),
    ],
)
def test_a_counter_that_is_not_there_is_noted_in_a_line_with_what_resembles_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str, note: str
) -> None:
    run(monkeypatch, Node(), typed)
    out, err = capsys.readouterr()
    assert err == (f"footfall: {note}\n" if note else "")
    assert out.count("\n") == 1
    assert "new" not in out


def test_a_counter_that_is_there_costs_one_small_request_more(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node()
    run(monkeypatch, node, "hit raffle")
    assert node.asked == ["GET /v1/counters?prefix=raffle&limit=1", "POST /v1/visits"]


@pytest.mark.parametrize("typed", ["hit raffl", "read raffl", "milestone add raffl 3"])
def test_whoever_may_not_list_counters_is_told_nothing_and_served(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str
) -> None:
    run(monkeypatch, Node(status=403), typed)
    assert capsys.readouterr().err == ""


def test_a_visit_to_a_counter_of_visitors_says_that_each_counts_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, Node(), "hit readers --visitor ann")
    assert capsys.readouterr().out == (
        "1 visit to readers, on disk; it counts if this visitor is new there; receipt r1\n"
    )
    run(monkeypatch, Node(), "hit raffle --visitor ann")
    assert capsys.readouterr().out == "1 visit to raffle, on disk; receipt r1\n"


def test_names_resemble_each_other_by_their_last_part() -> None:
    assert nearest("google.maps", ["google.gmail", "google.news"]) == ""
    assert nearest("google.map", ["google.gmail", "google.maps"]) == "google.maps"
    assert nearest("books", ["books", "book"]) == ""
    assert nearest("a", []) == ""


def test_what_cannot_be_looked_up_is_neither_there_nor_missing() -> None:
    with Client("http://127.0.0.1:8080", httpx.MockTransport(Node(status=503))) as client:
        looked = look(client, "shop")
    assert (looked.unit, looked.missing) == (None, False)
