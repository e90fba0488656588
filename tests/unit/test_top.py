"""``top``: what is shown of a node, what keys do, and that a node which does not answer is seen not to."""

import io
from typing import Any

import httpx
import msgspec
import pytest
from rich.console import Console

from footfall.cli import top_text
from footfall.cli.client import Client
from footfall.cli.top import Top, keys_in
from footfall.cli.top_screen import Shown, draw, fitting
from footfall.cli.top_wire import LogState, Milestone, Overview, Row, SpoolState
from footfall.errors import UnauthorizedError, UnreachableError

URL = "http://127.0.0.1:8080"
NODE = {
    "id": "node1", "url": URL, "topology": "replicated", "partitions": [0, 1, 2, 5], "sequence": 1234, "lag_ms": 0,
    "heard_ms_ago": 0, "self": True,
}  # fmt: skip
WINNER = {
    "visitor": "ann", "receipt_sha256": "a" * 64, "sequence": 1, "index": 0, "time": "2026-01-31T12:00:00.000000Z",
    "claimed": False,
    "proof": {"log": "2026-01-31T12:00:00Z", "sequence": 5, "epoch": 1, "value": 90, "messages": 1, "digest": "0" * 64},
}  # fmt: skip
MILESTONE = {
    "counter": "shop", "n": 1000, "state": "open", "value": 400, "winner": None, "rate_per_s": 2.0,
    "projected_s": 300.0,
}  # fmt: skip
OVERVIEW: dict[str, Any] = {
    "node": "node1", "version": "0.1.0", "started": 1.0, "topology": "replicated", "partitions": 16, "counters": 2,
    "total": 400, "visits_per_s": 61234.4, "sequence": 1234,
    "log": {
        "connected": True, "embedded": True, "messages": 1000, "bytes": 3 << 20, "bytes_max": 10 << 30, "replicas": 1,
        "servers": [],
    },
    "spool": {"visits": 0, "bytes": 0, "bytes_max": 1 << 30, "age_s": 0.0, "spooling": False},
    "nodes": [NODE, NODE | {"id": "node2", "self": False, "lag_ms": 3000, "heard_ms_ago": 40}],
    "milestones": [MILESTONE], "problems": [], "warnings": [],
}  # fmt: skip


def listed(name: str, value: int, children: int = 0) -> dict[str, Any]:
    return {
        "counter": name, "value": value, "pending": 0, "unit": "visits", "phase": "ap", "consistency": "eventual",
        "sequence": 5, "staleness_ms": 3, "children": children,
    }  # fmt: skip


def shown(counters: int = 2, **changes: Any) -> Shown:
    overview = msgspec.convert(OVERVIEW | changes, Overview)
    rows = [msgspec.convert(listed(f"c{number}", number, number % 2), Row) for number in range(counters)]
    return Shown(overview, rows, {"c0": 12.5}, said_s=100.0)


def picture(what: Shown, height: int = 40, width: int = 120, now_s: float = 100.0) -> str:
    console = Console(file=io.StringIO(), width=width, height=height, record=True)
    console.print(draw(what, URL, height, now_s))
    return console.export_text()


def test_everything_that_one_wants_to_know_is_there() -> None:
    text = " ".join(picture(shown()).split())
    for said in (
        "node1 61,234/s 2 counters replicated 16 partitions up",
        "1,000 messages, 3.0 MiB of 10.0 GiB, 0% full; embedded",
        "spool empty",
        "0-2,5",
        "3000 ms",
        "shop 1,000 400 600 2/s open in 5 min",
        "c0 0 12/s",
        "1 →",
        "q quit",
    ):
        assert said in text, said


@pytest.mark.parametrize(
    ("widths", "room", "count"),
    [
        ([5, 5, 5], 19, 3),
        ([5, 5, 5], 18, 2),
        ([5, 5, 5], 3, 2),
        ([200, 5, 5], 30, 3),
        ([200, 5, 5], 29, 2),
        ([9], 1, 1),
    ],
)
def test_columns_that_have_no_room_are_left_out_and_names_become_shorter_before(
    widths: list[int], room: int, count: int
) -> None:
    assert fitting(widths, room) == count


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_values_are_whole_however_narrow_the_window_and_however_long_a_name(width: int) -> None:
    rows = [msgspec.convert(listed(f"{'long-' * 39}{number}", 1234567), Row) for number in range(2)]
    text = picture(Shown(msgspec.convert(OVERVIEW, Overview), rows, said_s=100.0), width=width)
    assert text.count("1,234,567") == 2
    assert "1,000" in text
    assert max(map(len, text.splitlines())) <= width


def test_one_counter_and_one_partition_are_not_several() -> None:
    one = Shown(msgspec.convert(OVERVIEW | {"counters": 1, "partitions": 1}, Overview), said_s=100.0)
    assert "1 counter  replicated  1 partition  up" in picture(one)


def test_what_is_wrong_is_on_top() -> None:
    log = OVERVIEW["log"] | {"connected": False, "embedded": False, "replicas": 3, "servers": ["a", "b", "c"]}
    spool = {"visits": 5, "bytes": 512, "bytes_max": 1024, "age_s": 61.0, "spooling": True}
    text = picture(shown(log=log, spool=spool, problems=["it is stopping"], warnings=["alarm gap"]))
    lines = [line.strip() for line in text.splitlines()]
    assert lines[1:3] == ["! it is stopping", "! alarm gap"]
    assert lines[3].startswith("log    NOT REACHED; 1,000 messages")
    assert "5 visits, 512 B, 50% full, the oldest for 1 min 1 s, and more go there" in lines[4]


def test_a_node_that_does_not_answer_is_shown_as_it_was_and_since_when() -> None:
    what = shown()
    what.trouble = "no node answers"
    text = picture(what, now_s=112.0)
    assert "DISCONNECTED for 12 s: no node answers (trying again)" in text
    assert "61,234/s" in text
    assert "DISCONNECTED: no node answers" in picture(Shown(trouble="no node answers"))
    assert f"asking {URL}" in picture(Shown())


@pytest.mark.parametrize("height", [12, 24, 50])
@pytest.mark.parametrize("chosen", [0, 150, 299])
def test_it_fits_the_window_and_the_chosen_counter_is_seen(height: int, chosen: int) -> None:
    what = shown(300)
    what.chosen = chosen
    text = picture(what, max(height, 18), width=80)
    assert len(text.splitlines()) <= max(height, 18)
    assert f"c{chosen} " in text


@pytest.mark.parametrize(
    ("state", "changes", "said"),
    [
        ("open", {"projected_s": None}, "not at this rate"),
        ("closing", {"value": 1000}, "being judged"),
        ("reached", {"winner": WINNER}, "won by ann"),
    ],
)
def test_a_milestone_tells_when_it_is_reached_or_who_has_won(state: str, changes: dict[str, Any], said: str) -> None:
    milestone = MILESTONE | {"state": state} | changes
    assert top_text.projected(msgspec.convert(milestone, Milestone)) == said
    assert said in picture(shown(milestones=[milestone]))


def test_arrows_choose_a_counter_and_look_below_it_and_back() -> None:
    what = shown(3)
    assert not what.press("up")
    assert not what.press("right"), "there is nothing below c0"
    assert not what.press("down")
    assert what.press("right")
    assert (what.parent, what.counters, what.chosen) == ("c1", (), 0)
    assert not what.press("right")
    what.parent = "a.b.c"
    assert what.press("left")
    assert what.parent == "a.b"
    for _ in range(2):
        assert what.press("left")
    assert not what.press("left")


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        (b"q", ["end"]),
        (b"\x03", ["end"]),
        (b"", ["end"]),
        (b"\x1b[A\x1b[B\x1bOC", ["up", "down", "right"]),
        (b"xyz\x1b[D", ["left"]),
        (b"\x1b", []),
    ],
)
def test_keys_are_found_in_what_a_terminal_sends(typed: bytes, keys: list[str]) -> None:
    assert keys_in(typed) == keys


class Node:
    """A node that answers, refuses or is not there."""

    def __init__(self) -> None:
        self.value = 0
        self.failure: Exception | httpx.Response | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if isinstance(self.failure, Exception):
            raise self.failure
        if self.failure is not None:
            return self.failure
        if request.url.path == "/v1/overview":
            return httpx.Response(200, json=OVERVIEW)
        assert request.url.params["parent"] == ""
        return httpx.Response(200, json={"counters": [listed("shop", self.value)], "next": None})


def test_rates_come_from_two_looks_and_a_lost_node_comes_back() -> None:
    node, now = Node(), [100.0]
    with Client(URL, httpx.MockTransport(node)) as client:
        top = Top(client, clock=lambda: now[0])
        top.look(patient=False)
        assert top.shown.per_s == {}
        now[0], node.value = 102.0, 50
        top.look()
        assert top.shown.per_s == {"shop": 25.0}
        node.failure = httpx.ConnectError("connection refused")
        now[0] = 110.0
        top.look()
        assert "no node answers" in top.shown.trouble
        assert (top.shown.said_s, top.shown.counters[0].value) == (102.0, 50)
        node.failure = None
        top.look()
        assert (top.shown.trouble, top.shown.said_s) == ("", 110.0)


def test_it_does_not_begin_without_a_node_nor_go_on_without_a_token() -> None:
    node = Node()
    node.failure = httpx.ConnectError("connection refused")
    with Client(URL, httpx.MockTransport(node)) as client:
        with pytest.raises(UnreachableError):
            Top(client).look(patient=False)
        node.failure = httpx.Response(401, text="who are you?")
        with pytest.raises(UnauthorizedError):
            Top(client).look()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3_725, "1 h 2 min"), (86_400, "1 d"), (200_000, "2 d 7 h")],
)
def test_times_are_short(seconds: float, said: str) -> None:
    assert top_text.duration(seconds) == said


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 40, "5.0 TiB"), (5 << 50, "5120.0 TiB")]
)
def test_sizes_are_short(count: int, said: str) -> None:
    assert top_text.size(count) == said


def test_logs_and_spools_say_how_they_are() -> None:
    log = LogState(True, False, 5, 512, -1, 3, ["a", "b", "c"])
    assert top_text.log_line(log) == "5 messages, 512 B; 3 copies on 3 servers"
    assert top_text.spool_line(None) == "none"
    assert top_text.spool_line(SpoolState(0, 0, 0, 0.0, True)) == "visits go there now"
    assert top_text.spool_line(SpoolState(1, 9, 0, 5.0, False)) == "1 visit, 9 B, the oldest for 5 s, draining"
    assert top_text.ranges([]) == "-"
    assert top_text.growth({"a": 1}, {"a": 3, "b": 9}, 0.0) == {}
    assert [top_text.rate(one) for one in (None, 0.0, 0.25, 9.994, 12.4)] == ["", "0/s", "0.25/s", "9.99/s", "12/s"]
