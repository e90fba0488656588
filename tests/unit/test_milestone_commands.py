"""The commands about milestones: what they ask a node, and what they print of its answers."""

import json
import sys
from typing import Any

import httpx
import pytest

from footfall import cli
from footfall.cli import delivery
from footfall.cli.client import Client
from footfall.ordinals import ordinal

PROOF = {"log": "2026-01-31T12:00:00Z", "sequence": 5, "epoch": 1, "value": 90, "messages": 12, "digest": "0" * 64}
WINNER = {
    "visitor": "203.0.113.7",
    "receipt_sha256": "a" * 64,
    "sequence": 1234,
    "index": 3,
    "time": "2026-01-31T12:00:00.000000Z",
    "claimed": False,
    "proof": PROOF,
}
OPEN = {"counter": "shop", "n": 100_000, "state": "open", "value": 99_000, "winner": None}
REACHED = {**OPEN, "state": "reached", "value": 100_001, "winner": WINNER}


class Answering:
    """A node that gives these answers, the last for ever; an exception is a lost answer."""

    def __init__(self, *answers: tuple[int, Any] | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer[0], json=answer[1])


def run(monkeypatch: pytest.MonkeyPatch, node: Answering, *arguments: str) -> int:
    """Run a command against ``node``."""
    transport = httpx.MockTransport(node)
    monkeypatch.setattr("footfall.cli.milestones.Client", lambda url: Client(url, transport))
    monkeypatch.setattr("footfall.cli.milestones.WAIT_INTERVAL_S", 0.001)
    monkeypatch.setattr(delivery, "RETRY_FIRST_S", 0.001)
    return cli.run(arguments)


@pytest.mark.parametrize(
    ("n", "said"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (112, "112th"), (1_021, "1,021st"), (10, "10th")],
)
def test_ordinals(n: int, said: str) -> None:
    assert ordinal(n) == said


@pytest.mark.parametrize(("status", "said"), [(201, "is set:"), (200, "is set already:")])
def test_setting_a_milestone_tells_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: int, said: str
) -> None:
    node = Answering((status, OPEN))
    assert run(monkeypatch, node, "milestone", "add", "shop", "100000") == 0
    assert (node.asked[-1].method, node.asked[-1].url.path, node.asked[-1].content) == (
        "PUT",
        "/v1/counters/shop/milestones/100000",
        b"",
    )
    assert capsys.readouterr().out == f"the 100,000th of shop {said} 99,000 so far, 1,000 to go\n"


def test_setting_a_milestone_that_was_reached_shows_its_winner(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, Answering((200, REACHED)), "milestone", "add", "shop", "100000") == 0
    assert "203.0.113.7" in capsys.readouterr().out


def test_a_winner_is_shown_with_all_that_is_known_of_him(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, Answering((200, REACHED)), "milestone", "show", "shop", "100000") == 0
    assert capsys.readouterr().out.splitlines() == [
        "the 100,000th of shop: reached, 100,001 now",
        "  winner   203.0.113.7",
        "  time     2026-01-31T12:00:00.000000Z",
        "  place    sequence 1234, entry 3",
        f"  receipt  SHA-256 {'a' * 64}",
        "  claimed  no",
    ]
    nobody = {**REACHED, "winner": {**WINNER, "visitor": None, "claimed": True}}
    assert run(monkeypatch, Answering((200, nobody)), "milestone", "show", "shop", "100000") == 0
    out = capsys.readouterr().out
    assert "without a visitor" in out
    assert "claimed  yes" in out


@pytest.mark.parametrize("flag", [[], ["--json"]])
def test_waiting_ends_with_the_winner_though_answers_are_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], flag: list[str]
) -> None:
    node = Answering((200, OPEN), httpx.ReadError(""), (200, {**OPEN, "state": "closing"}), (200, REACHED))
    assert run(monkeypatch, node, "milestone", "show", "shop", "100000", "--wait", *flag) == 0
    out, err = capsys.readouterr()
    assert len(node.asked) == 4
    assert (json.loads(out) == REACHED) if flag else ("203.0.113.7" in out)
    assert "trying again" in err


def test_waiting_shows_how_many_are_missing_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    node = Answering((200, OPEN), (200, REACHED))
    assert run(monkeypatch, node, "milestone", "show", "shop", "100000", "--wait") == 0
    out = capsys.readouterr().out
    assert "203.0.113.7" in out
    assert "\x1b[1mreached\x1b[0m" in out


def test_waiting_no_longer_than_asked_fails_and_shows_how_far_it_came(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    node = Answering((200, OPEN))
    assert run(monkeypatch, node, "milestone", "show", "shop", "100000", "--wait", "--timeout", "0.01") == 1
    out, err = capsys.readouterr()
    assert out == "the 100,000th of shop: open, 99,000 so far, 1,000 to go\n"
    assert err == "footfall: the 100,000th of shop did not come in 0.01 s\n"


def test_milestones_are_listed_for_machines_for_pipes_and_for_people(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    node = Answering((200, {"milestones": [OPEN, REACHED]}))
    assert run(monkeypatch, node, "milestone", "list", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [OPEN, REACHED]
    assert run(monkeypatch, node, "milestone", "list", "shop") == 0
    assert capsys.readouterr().out.splitlines() == [
        "counter\tn\tstate\tvalue\twinner",
        "shop\t100000\topen\t99000\t-",
        "shop\t100000\treached\t100001\t203.0.113.7",
    ]
    assert [request.url.path for request in node.asked] == ["/v1/milestones", "/v1/counters/shop/milestones"]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run(monkeypatch, node, "milestone", "list") == 0
    assert "100,001" in capsys.readouterr().out
    assert run(monkeypatch, Answering((200, {"milestones": []})), "milestone", "list") == 0
    assert "no milestones yet" in capsys.readouterr().out


@pytest.mark.parametrize("given", [[], ["--key", "mine"], ["--key", "-mine"]])
def test_a_claim_is_sent_again_under_the_same_key_and_is_one_claim(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], given: list[str]
) -> None:
    claimed = {**REACHED, "winner": {**WINNER, "claimed": True}}
    busy = (429, {"type": "/problems/too-many-claims", "detail": "try again"})
    node = Answering(httpx.ReadError(""), busy, (200, claimed))
    assert run(monkeypatch, node, "milestone", "claim", "shop", "100000", "-receipt", *given) == 0
    keys = [request.headers["idempotency-key"] for request in node.asked]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert keys[0] == given[1] if given else len(keys[0]) >= 22
    assert [json.loads(request.content) for request in node.asked] == [{"receipt": "-receipt"}] * 3
    assert capsys.readouterr().out == "the 100,000th of shop is claimed: 203.0.113.7\n"


@pytest.mark.parametrize(("status", "said"), [(201, "5,000 imported into"), (200, "were imported into")])
def test_an_import_names_its_counter_as_its_source_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: int, said: str
) -> None:
    node = Answering((status, {"counter": "shop", "source": "shop", "value": 5000, "note": "until May"}))
    assert run(monkeypatch, node, "import", "shop", "5000", "--note", "until May") == 0
    assert said in capsys.readouterr().out
    assert run(monkeypatch, node, "import", "shop", "5000", "--note", "until May", "--source", "a:b", "--json") == 0
    assert json.loads(capsys.readouterr().out)["value"] == 5000
    assert [request.url.path for request in node.asked] == [
        "/v1/counters/shop/imports/shop",
        "/v1/counters/shop/imports/a:b",
    ]
    assert json.loads(node.asked[0].content) == {"value": 5000, "note": "until May"}
