"""Topology `sharded`: what changed is gathered from the owners."""

import pytest
from node_tables import Room, Sharer, lose_all, names

from footfall.log.memory import Storage
from footfall.node import messages, sharing
from footfall.node.messages import Done, Rows
from footfall.node.sharing import Sharded


async def pair(storage: Storage, counters: int = 4) -> tuple[Room, Sharer, Sharer]:
    """Two nodes that have heard of each other: a counts partitions 0 and 1, b counts 2 and 3."""
    room = Room(storage, Sharded, counters)
    a, b = await room.sharer("a", 0, 1), await room.sharer("b", 2, 3)
    await a.beat()
    await b.beat()
    await room.gather(a, b, a, b)
    for sharer in (a, b):
        sharer.heard.clear()
    return room, a, b


def told(sharer: Sharer) -> set[int]:
    """The counters of which a sharer was told something."""
    return {number for rows in sharer.rows() for number in messages.arrays(rows)[0].tolist()}


async def test_what_changed_since_the_last_time_is_gathered_and_no_more(storage: Storage) -> None:
    room, a, b = await pair(storage)
    a.count(0, {"c0": 3})
    a.count(1, {"c1": 2})
    assert b.value("c0") == 0, "nothing is pushed"
    await room.gather(b)
    assert told(b) == {0, 1}
    assert [b.value("c0"), b.value("c1")] == [3, 2]
    b.heard.clear()
    a.count(1, {"c1": 1, "c2": 1})
    await room.gather(b)
    assert told(b) == {1, 2}
    b.heard.clear()
    await room.gather(b)
    assert [type(said) for said in b.heard] == [Done]


async def test_an_owner_sends_only_its_own_partitions_entries(storage: Storage) -> None:
    room, a, b = await pair(storage)
    a.count(0, {"c0": 3})
    b.count(2, {"c0": 4})
    await room.gather(a, b)
    assert [rows.columns for rows in b.rows()] == [[0, 1]]
    assert [rows.columns for rows in a.rows()] == [[2, 3]]
    assert a.value("c0") == b.value("c0") == 7


async def test_each_who_asks_gets_what_changed_since_he_asked(storage: Storage) -> None:
    room, a, b = await pair(storage)
    late = await room.sharer("late")
    a.count(0, {"c0": 3})
    await room.gather(b)
    a.count(0, {"c1": 3})
    await room.gather(b)
    await a.beat()
    await b.beat()
    await room.gather(late)
    assert told(late) == {0, 1}
    assert [late.value("c0"), late.value("c1")] == [3, 3]
    assert late.table.reached[:2] == a.table.reached[:2]


async def test_an_answer_of_which_a_part_was_lost_is_asked_for_again(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "ROWS_MAX", 1)
    room, a, b = await pair(storage)
    reached = b.table.reached[0]
    a.count(0, {"c0": 3, "c1": 3})
    b.deaf_to = lambda said: isinstance(said, Rows) and said.serial == 2
    await room.gather(b)
    assert [b.value("c0"), b.value("c1")] == [3, 0]
    assert b.table.reached[0] == reached
    b.deaf_to = lambda said: False
    await room.gather(b)
    assert [b.value("c0"), b.value("c1")] == [3, 3]
    assert b.table.reached[0] == a.table.reached[0]


async def test_after_an_owner_changed_everything_is_gathered(storage: Storage) -> None:
    room, a, b = await pair(storage)
    a.count(0, {"c0": 3})
    await room.gather(b)
    b.heard.clear()
    a.own(2, b.folds.pop(2))
    b.table.detach(2)
    b.sharing.dropped_partition()
    await room.gather(b)
    assert told(b) == {0}, "though it has not changed since"
    b.heard.clear()
    await room.gather(b)
    assert told(b) == set()


async def test_whoever_let_a_partition_go_asks_for_everything(storage: Storage) -> None:
    room, a, b = await pair(storage)
    a.count(0, {"c0": 3})
    await room.gather(b)
    b.heard.clear()
    b.sharing.dropped_partition()
    await room.gather(b)
    assert told(b) == {0}


async def test_whoever_is_further_behind_than_is_remembered_gets_everything(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "CHANGES_ROWS_MAX", 3)
    room, a, b = await pair(storage, 8)
    other = await room.sharer("other")
    await a.beat()
    a.count(0, dict.fromkeys(names(8), 1))
    await room.gather(b)
    b.heard.clear()
    for number in range(4):
        a.count(0, {f"c{number}": 1})
        await room.gather(other)
    await room.gather(b)
    assert told(b) == set(range(8))
    assert [b.value(name) for name in names(8)] == [2, 2, 2, 2, 1, 1, 1, 1]


async def test_whoever_is_just_as_far_behind_as_is_remembered_gets_what_changed(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "CHANGES_ROWS_MAX", 3)
    room, a, b = await pair(storage, 8)
    other = await room.sharer("other")
    await a.beat()
    a.count(0, {"c7": 1})
    await room.gather(b)
    b.heard.clear()
    for number in range(3):
        a.count(0, {f"c{number}": 1})
        await room.gather(other)
    await room.gather(b)
    assert told(b) == {0, 1, 2}


async def test_a_node_that_does_not_answer_keeps_its_last_entries(storage: Storage) -> None:
    room, a, b = await pair(storage)
    a.count(0, {"c0": 3})
    b.count(2, {"c0": 4})
    await room.gather(b)
    assert b.value("c0") == 7
    confirmed_s = list(b.sharing.confirmed_s)
    a.deaf_to = lose_all
    for _ in range(10):
        b.count(2, {"c0": 1})
        await room.gather(b)
        assert b.value("c0") >= 7
    assert b.value("c0") == 17
    assert b.sharing.confirmed_s[:2] == confirmed_s[:2], "a's entries grow old"


async def test_a_node_that_was_started_anew_is_asked_for_everything(storage: Storage) -> None:
    room, a, b = await pair(storage)
    a.count(0, {"c0": 3})
    await room.gather(b)
    a.deaf_to = lose_all
    again = Sharer(room, "a", Sharded, [0, 1])
    again.run = again.sharing._run = "another run"
    await again.join()
    again.count(1, {"c1": 5})
    await room.gather(b, b)
    assert [b.value("c0"), b.value("c1")] == [3, 5]
    assert b.table.reached[1] == again.table.reached[1]


async def test_who_counts_nothing_has_nothing_to_answer(storage: Storage) -> None:
    room, a, _ = await pair(storage)
    await room.sharer("idle")
    a.heard.clear()
    await room.gather(a)
    assert {said.node for said in a.heard} == {"b"}


async def test_in_topology_sharded_nobody_broadcasts_or_repairs(storage: Storage) -> None:
    _, a, b = await pair(storage)
    sent = a.sharing.sent_messages
    a.count(0, {"c0": 3})
    await a.sharing.tick(True)
    await a.sharing.repair(["b"])
    assert a.sharing.sent_messages == sent
    assert b.rows() == []
