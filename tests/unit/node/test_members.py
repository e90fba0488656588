"""Who is there, and which partitions this node counts: silence, lag, rivals, and the overlap before letting go."""

import asyncio
import logging

import pytest

from footfall.config import Config
from footfall.core.routing import ranking
from footfall.node.members import NODES_MAX, OVERLAP_S, STALL_S, Members, alike
from footfall.node.messages import Beat

P = 8
SILENCE_S, LAG_S = 2.0, 5.0


def members() -> Members:
    return Members("me", "run", P, SILENCE_S, LAG_S)


def beat(node: str, folded: dict[int, int] | None = None, lag_s: dict[int, float] | None = None) -> Beat:
    return Beat(node, f"{node}'s run", "", "replicated", 0, folded or {}, lag_s or {})


def alive(known: Members) -> list[str]:
    return sorted(peer.id for peer in known.alive())


def first_of(node: str, *nodes: str) -> set[int]:
    """The partitions in which a node ranks first."""
    return {partition for partition in range(P) if ranking(partition, nodes)[0] == node}


async def look_for(known: Members, seconds: float, connected: bool = True) -> None:
    """Look again and again, as a loop does that runs."""
    for _ in range(round(seconds / 0.25)):
        await asyncio.sleep(0.25)
        known.look(connected)


async def test_a_node_is_there_until_it_has_been_silent_for_two_seconds() -> None:
    known = members()
    known.hear(beat("other"))
    await look_for(known, SILENCE_S)
    assert alive(known) == ["other"]
    await look_for(known, 0.25)
    assert alive(known) == []
    known.hear(beat("other"))
    assert alive(known) == ["other"]


async def test_nobody_is_silent_while_this_node_is_cut_off() -> None:
    known = members()
    known.hear(beat("other"))
    await look_for(known, 60.0, connected=False)
    assert alive(known) == ["other"]


async def test_after_a_reconnect_a_node_listens_anew() -> None:
    known = members()
    known.hear(beat("other"))
    await look_for(known, 1.0)
    await look_for(known, 10.0, connected=False)
    await look_for(known, 0.25 + SILENCE_S)
    assert alive(known) == ["other"], "two seconds from when it could hear again"
    await look_for(known, 0.25)
    assert alive(known) == []


async def test_nobody_is_silent_while_the_loop_stood_still() -> None:
    known = members()
    known.hear(beat("other"))
    await look_for(known, 1.0)
    await asyncio.sleep(10 * STALL_S)
    known.look(True)
    assert alive(known) == ["other"]
    await look_for(known, SILENCE_S)
    assert alive(known) == ["other"]
    await look_for(known, 0.25)
    assert alive(known) == []


async def test_a_loop_that_is_a_little_late_has_listened() -> None:
    known = members()
    known.hear(beat("other"))
    for _ in range(3):
        await asyncio.sleep(0.9 * STALL_S)
        known.look(True)
    assert alive(known) == []


async def test_a_node_that_leaves_is_gone_at_once() -> None:
    known = members()
    known.hear(beat("other", {1: 5}))
    known.hear(Beat("other", "other's run", "", "replicated", 0, {}, {}, leaves=True))
    known.hear(Beat("unknown", "run", "", "replicated", 0, {}, {}, leaves=True))
    assert alive(known) == []
    assert known.beats == {}


async def test_a_node_that_was_long_silent_is_forgotten() -> None:
    known = members()
    known.hear(beat("other"))
    await look_for(known, 9 * SILENCE_S)
    assert alive(known) == []
    assert "other" in known.beats
    await look_for(known, 1.5 * SILENCE_S)
    assert alive(known) == []
    assert known.beats == {}


async def test_ones_own_beats_are_nothing_new() -> None:
    known = members()
    known.hear(Beat("me", "run", "", "replicated", 0, {}, {}))
    assert known.rivals == 0
    assert alive(known) == []


async def test_another_process_of_the_same_name_is_counted_and_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    known = members()
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            known.hear(Beat("me", "another run", "", "replicated", 0, {}, {}))
    assert known.rivals == 3
    assert caplog.text.count("give each node its own name") == 1
    assert alive(known) == []


async def test_only_so_many_nodes_are_heard_of() -> None:
    known = members()
    for number in range(NODES_MAX + 5):
        known.hear(beat(f"n{number}"))
    known.hear(beat("n1", {1: 77}))
    assert len(known.beats) == NODES_MAX
    assert known.beats["n1"].folded == {1: 77}, "one that is known is still heard"
    known.hear(Beat("n0", "n0's run", "", "replicated", 0, {}, {}, leaves=True))
    known.hear(beat("new"))
    assert "new" in known.beats


async def test_of_all_nodes_that_are_there_one_is_the_first() -> None:
    names = ["a", "b", "c"]
    known = {name: Members(name, "run", P, SILENCE_S, LAG_S) for name in names}
    assert all(one.is_first() for one in known.values()), "each is alone"
    for one in known.values():
        for name in names:
            one.hear(beat(name))
    (first,) = [name for name, one in known.items() if one.is_first()]
    for one in known.values():
        one.hear(Beat(first, f"{first}'s run", "", "replicated", 0, {}, {}, leaves=True))
    assert [name for name, one in known.items() if name != first and one.is_first()] != []


async def test_a_node_alone_counts_all_partitions() -> None:
    assert members().decide({}, {}, {}) == (set(range(P)), set())


async def test_each_node_takes_the_partitions_in_which_it_ranks_first() -> None:
    known = members()
    known.hear(beat("other"))
    mine, free = known.decide({}, {}, {})
    assert mine == first_of("me", "me", "other")
    assert 0 < len(mine) < P
    assert free == set()


async def test_a_partition_is_let_go_once_its_owner_was_where_this_node_was_a_second_before() -> None:
    known = members()
    theirs = first_of("other", "me", "other")
    owned = dict.fromkeys(range(P), 100)
    known.hear(beat("other", dict.fromkeys(theirs, 100)))
    assert known.decide(owned, {}, {}) == (first_of("me", "me", "other"), set()), "they overlap"
    await asyncio.sleep(OVERLAP_S / 2)
    assert known.decide(dict.fromkeys(range(P), 150), {}, {})[1] == set()
    await asyncio.sleep(OVERLAP_S / 2)
    assert known.decide(dict.fromkeys(range(P), 200), {}, {})[1] == theirs


async def test_a_partition_is_kept_while_its_owner_is_not_as_far_as_this_node_was_a_second_before() -> None:
    known = members()
    theirs = first_of("other", "me", "other")
    known.hear(beat("other", dict.fromkeys(theirs, 99)))
    for _ in range(8):
        assert known.decide(dict.fromkeys(range(P), 100), {}, {})[1] == set()
        await asyncio.sleep(0.25)
    known.hear(beat("other", dict.fromkeys(theirs, 100)))
    assert known.decide(dict.fromkeys(range(P), 900), {}, {})[1] == theirs


async def test_a_partition_that_came_a_moment_ago_is_not_let_go_yet() -> None:
    known = members()
    theirs = first_of("other", "me", "other")
    known.hear(beat("other", dict.fromkeys(theirs, 100)))
    for _ in range(8):
        known.decide({}, {}, {})
        await asyncio.sleep(0.25)
    assert known.decide(dict.fromkeys(range(P), 100), {}, {})[1] == set()


async def test_what_is_still_catching_up_is_let_go_at_once() -> None:
    known = members()
    theirs = first_of("other", "me", "other")
    known.hear(beat("other", dict.fromkeys(theirs, 100)))
    assert known.decide({}, dict.fromkeys(theirs, 50), {})[1] == theirs


async def test_a_first_in_rank_that_lags_gets_a_substitute() -> None:
    known = members()
    theirs = first_of("other", "me", "other")
    known.hear(beat("other", dict.fromkeys(theirs, 10), dict.fromkeys(theirs, LAG_S)))
    assert known.decide({}, {}, {})[0] == first_of("me", "me", "other")
    known.hear(beat("other", dict.fromkeys(theirs, 10), dict.fromkeys(theirs, LAG_S + 0.1)))
    assert known.decide({}, {}, {})[0] == set(range(P))


async def test_a_first_in_rank_that_lags_goes_on_beside_its_substitute() -> None:
    known = members()
    mine = first_of("me", "me", "other")
    known.hear(beat("other", dict.fromkeys(range(P), 900)))
    for _ in range(8):
        wanted, free = known.decide(dict.fromkeys(mine, 10), {}, dict.fromkeys(mine, LAG_S + 9))
        assert (wanted, free) == (mine, set())
        await asyncio.sleep(0.25)


async def test_a_substitute_lets_go_once_the_first_has_caught_up() -> None:
    known = members()
    theirs = first_of("other", "me", "other")
    known.hear(beat("other", dict.fromkeys(theirs, 10), dict.fromkeys(theirs, LAG_S + 0.1)))
    for _ in range(8):
        assert known.decide(dict.fromkeys(range(P), 100), {}, {}) == (set(range(P)), set())
        await asyncio.sleep(0.25)
    known.hear(beat("other", dict.fromkeys(theirs, 100)))
    assert known.decide(dict.fromkeys(range(P), 100), {}, {})[1] == theirs


async def test_partitions_of_a_silent_node_are_taken() -> None:
    known = members()
    known.hear(beat("other", dict.fromkeys(range(P), 100)))
    await look_for(known, SILENCE_S + 0.25)
    assert known.decide({}, {}, {})[0] == set(range(P))


def test_a_program_that_writes_seconds_without_a_fraction_has_no_other_settings() -> None:
    assert alike(Config(cut_interval_s=10)) == alike(Config(cut_interval_s=10.0))


SETTINGS = {"cut_interval_s": 10.0, "hash_visitors": True, "webhook": "https://example.org/secret"}


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("cut_interval_s", 20.0, "node other has another cut_interval_s 20.0 than this one 10.0: a repeat"),
        ("hash_visitors", False, "node other has another hash_visitors False than this one True: a visitor of both"),
        ("webhook", "https://example.org/other", "node other has another webhook than this one: winners"),
        ("webhook", "", "node other has another webhook than this one: winners"),
    ],
)
async def test_a_node_that_was_started_with_other_settings_is_told_once_and_for_as_long_as_it_is_there(
    setting: str, value: object, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    own, theirs = Config(**SETTINGS), Config(**{**SETTINGS, setting: value})  # type: ignore[arg-type]
    known = Members("me", "run", P, SILENCE_S, LAG_S, alike(own))
    for run, config in (("1", own), ("2", theirs), ("2", theirs)):
        known.hear(Beat("other", run, "", "replicated", 0, {}, {}, settings=alike(config)))
    [difference] = known.differences()
    assert difference.startswith(said)
    assert "secret" not in difference
    assert caplog.messages == [difference]
    known.hear(Beat("other", "3", "", "replicated", 0, {}, {}, settings=alike(own)))
    known.hear(beat("of before this was told"))
    assert known.differences() == []
