"""A raffle by the client, without a network: what is asked for each method, what is returned, and how it fails."""

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import httpx
import msgspec
import pytest

import footfall
from footfall.client import milestones
from footfall.client.requests import Asking
from footfall.core.receipts import is_receipt
from footfall.errors import (
    AlreadyClaimedError,
    CallerError,
    ForbiddenError,
    InvalidNameError,
    InvalidRequestError,
    InvalidVisitError,
    MilestonePassedError,
    NotReachedError,
    UnknownMilestoneError,
    UnreachableError,
    WrongReceiptError,
)
from footfall.kinds import slug
from footfall.web import wire

HIS = "8JcZyYQm2VtR4sWk1nHx0a"
A, B = "http://a:1", "http://b:1"
PATH = "/v1/counters/shop/milestones/3"
PROOF = {"log": "then", "sequence": 1, "epoch": 2, "value": 0, "messages": 4, "digest": "0" * 64}
WINNER = {
    "visitor": "ann",
    "receipt_sha256": sha256(HIS.encode()).hexdigest(),
    "sequence": 8,
    "index": 1,
    "time": "2026-01-31T12:00:00.000001Z",
    "claimed": False,
    "proof": PROOF,
}


def answer(state: str = "open", winner: object = None) -> httpx.Response:
    return httpx.Response(200, json={"counter": "shop", "n": 3, "state": state, "value": 1, "winner": winner})


def refused(status: int, kind: type[Exception], detail: str = "no") -> httpx.Response:
    return httpx.Response(status, json={"type": f"/problems/{slug(kind)}", "detail": detail, "value": 7})  # type: ignore[arg-type]


class Answers:
    """Gives these answers one after the other, the last again and again, and keeps what was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = list(answers)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        now = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(now, Exception):
            raise now
        return now


def prize_at(answers: Answers, *urls: str) -> footfall.Milestone:
    return footfall.Client(urls or A, transport=httpx.MockTransport(answers)).milestone("shop", 3)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(milestones, "WAIT_INTERVAL_S", 0.0)


def test_each_method_asks_once_what_the_interface_says() -> None:
    answers = Answers(answer(), answer(), answer("reached", WINNER), answer("reached", WINNER | {"claimed": True}))
    prize = prize_at(answers)
    assert repr(prize) == "Milestone('shop', 3)"
    assert not answers.asked
    assert prize.set().state == "open"
    assert prize.status().winner is None
    assert prize.wait().visitor == "ann"
    winner = prize.claim(HIS).winner
    assert winner is not None
    assert winner.claimed
    asked = [(request.method, request.url.path, request.content) for request in answers.asked]
    body = json.dumps({"receipt": HIS}, separators=(",", ":")).encode()
    assert asked == [("PUT", PATH, b""), ("GET", PATH, b""), ("GET", PATH, b""), ("POST", f"{PATH}/claim", body)]


def test_a_status_has_all_that_a_node_tells() -> None:
    def fields(kind: type[msgspec.Struct]) -> tuple[str, ...]:
        return kind.__struct_fields__

    assert fields(footfall.MilestoneStatus) == fields(wire.Milestone)
    assert fields(footfall.Winner) == fields(wire.Winner)
    assert fields(footfall.Proof) == fields(wire.Proof)


def test_a_winner_is_told_from_the_others_by_his_receipt() -> None:
    winner = prize_at(Answers(answer("reached", WINNER))).wait()
    assert winner.matches(HIS)
    assert winner.matches(f"another.{HIS}"), "one of two that are joined"
    assert not any(map(winner.matches, ["", "x", HIS[:-1], "\ud800", "\n"]))
    assert winner.time.isoformat() == "2026-01-31T12:00:00.000001+00:00"


def test_a_new_receipt_is_a_key_that_serves_as_one_and_differs_each_time() -> None:
    assert is_receipt(footfall.new_receipt())
    assert footfall.new_receipt() != footfall.new_receipt()


@pytest.mark.parametrize(
    ("call", "status", "kind"),
    [
        (footfall.Milestone.set, 409, MilestonePassedError),
        (footfall.Milestone.set, 403, ForbiddenError),
        (footfall.Milestone.status, 404, UnknownMilestoneError),
        (footfall.Milestone.wait, 404, UnknownMilestoneError),
        (lambda prize: prize.claim(HIS), 409, NotReachedError),
        (lambda prize: prize.claim(HIS), 403, WrongReceiptError),
        (lambda prize: prize.claim(HIS), 409, AlreadyClaimedError),
    ],
)
def test_a_refusal_is_raised_at_once(
    call: Callable[[footfall.Milestone], object], status: int, kind: type[CallerError]
) -> None:
    answers = Answers(refused(status, kind, "this is why"))
    with pytest.raises(kind, match="this is why"):
        call(prize_at(answers, A, B))
    assert len(answers.asked) == 1


def test_a_count_that_is_too_high_is_told() -> None:
    with pytest.raises(MilestonePassedError) as raised:
        prize_at(Answers(refused(409, MilestonePassedError))).set()
    assert raised.value.value == 7


@pytest.mark.parametrize("n", [0, -1, 2**63, True, 1.0, "3"])
def test_what_is_no_n_is_refused_before_a_node_is_asked(n: Any) -> None:
    with pytest.raises(InvalidRequestError, match="N is"):
        footfall.Counter("shop").milestone(n)


@pytest.mark.parametrize("receipt", ["", "a\nb", "\ud800", "x" * 514])
def test_what_is_no_receipt_is_refused_before_a_node_is_asked(receipt: str) -> None:
    answers = Answers(answer())
    with pytest.raises(InvalidVisitError, match="receipt"):
        prize_at(answers).claim(receipt)
    assert not answers.asked


def test_what_is_no_text_is_told_without_showing_a_receipt() -> None:
    answers = Answers(answer("reached", WINNER))
    prize = prize_at(answers)
    winner = prize.wait()
    whole: Any = footfall.Receipt("shop", HIS, "log", 1)
    for call in (winner.matches, prize.claim):
        with pytest.raises(
            TypeError, match=r"the receipt is a Receipt; it must be a text, as hit\(…\).receipt"
        ) as raised:
            call(whole)
        assert HIS not in str(raised.value)
    no_text: Any = 5
    with pytest.raises(TypeError, match="the claim's key is 5; it must be a text"):
        prize.claim(HIS, key=no_text)
    assert len(answers.asked) == 1


@pytest.mark.parametrize("key", ["", " a", "a ", "\n", "a\0", "x" * 257])
def test_what_is_no_key_of_a_claim_is_refused_before_a_node_is_asked(key: str) -> None:
    answers = Answers(answer())
    with pytest.raises((InvalidVisitError, InvalidRequestError), match="the claim's key"):
        prize_at(answers).claim(HIS, key=key)
    assert not answers.asked


def test_what_is_no_name_is_refused_before_a_node_is_asked() -> None:
    with pytest.raises(InvalidNameError):
        footfall.Client(A).milestone("a..b", 3)


def test_a_claim_whose_answer_is_lost_is_made_again_under_the_same_key_at_the_next_node() -> None:
    answers = Answers(httpx.ReadError("gone"), httpx.ConnectError("refused"), answer("reached", WINNER))
    prize_at(answers, A, B).claim(HIS)
    assert [request.url.host for request in answers.asked] == ["a", "b", "a"]
    first, *others = [request.headers.raw for request in answers.asked]
    keys = [dict(headers)[b"idempotency-key"] for headers in (first, *others)]
    assert len(set(keys)) == 1
    assert len(keys[0]) >= 22
    assert not any("idempotency-key-age" in request.headers for request in answers.asked), "that is for visits"


def test_a_claim_may_have_a_key_of_its_own() -> None:
    answers = Answers(answer("reached", WINNER))
    prize_at(answers).claim(HIS, key="Jörg")
    assert dict(answers.asked[0].headers.raw)[b"idempotency-key"] == "Jörg".encode()
    prize_at(answers).claim(HIS)
    prize_at(answers).claim(HIS)
    assert len({request.headers["idempotency-key"] for request in answers.asked}) == 3


def test_a_node_that_is_not_ready_is_left_for_the_next_and_there_is_an_end() -> None:
    answers = Answers(httpx.Response(503, json={"type": "/problems/not-ready", "detail": "not yet"}), answer())
    assert prize_at(answers, A, B).set().value == 1
    answers = Answers(httpx.ConnectError("refused"))
    for call in (footfall.Milestone.set, footfall.Milestone.status):
        with pytest.raises(UnreachableError, match="no node answers"):
            call(prize_at(answers, A, B), timeout_s=0)
    with pytest.raises(UnreachableError, match="no node answers"):
        prize_at(answers, A, B).wait(0)
    assert [request.url.host for request in answers.asked] == ["a", "b"] * 3


def test_who_waits_looks_again_until_there_is_a_winner_or_no_time() -> None:
    answers = Answers(answer(), answer("closing"), answer("reached", WINNER))
    assert prize_at(answers).wait().sequence == 8
    assert len(answers.asked) == 3
    with pytest.raises(NotReachedError, match="the 3rd of shop did not come in 0 s"):
        prize_at(Answers(answer())).wait(0)


async def test_an_event_loop_has_the_same() -> None:
    reached = answer("reached", WINNER)
    answers = Answers(answer(), answer(), answer(), reached, reached, refused(409, AlreadyClaimedError))
    async with footfall.connect(A, transport=httpx.MockTransport(answers)) as client:
        prize = client.milestone("shop", 3)
        assert (await prize.set()).state == "open"
        assert (await prize.status()).winner is None
        assert (await prize.wait()).visitor == "ann"
        assert (await prize.claim(HIS)).winner is not None
        with pytest.raises(AlreadyClaimedError):
            await prize.claim(HIS)
    assert [request.method for request in answers.asked] == ["PUT", "GET", "GET", "GET", "POST", "POST"]


def test_only_visits_tell_how_late_they_are() -> None:
    assert "idempotency-key-age" in Asking("POST", "/v1/visits", b"", age_s=1.0).headers
    assert "idempotency-key-age" not in Asking("POST", f"{PATH}/claim", b"", "k", 1.0).headers
