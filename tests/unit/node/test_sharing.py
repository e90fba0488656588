"""Topology `replicated`: full vectors of what changed are broadcast; what is lost is noticed, and repaired."""

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest
from node_line import soon
from node_tables import Room, Sharer, lose_all, lose_rows, names

from footfall.core.vector import Vector
from footfall.log.memory import Storage
from footfall.node import messages, sharing
from footfall.node.messages import Beat, Digests, Done, Rows
from footfall.node.sharing import Replicated


def room(storage: Storage, counters: int = 4) -> Room:
    return Room(storage, Replicated, counters)


def vectors(rows: Sequence[Rows]) -> dict[int, tuple[int, ...]]:
    """What some rows say, of whole vectors."""
    found = {}
    for one in rows:
        numbers, entries = messages.arrays(one)
        assert one.columns == [0, 1, 2, 3]
        found.update(zip(numbers.tolist(), map(tuple, entries.tolist()), strict=True))
    return found


async def test_the_requests_own_example() -> None:
    storage = Storage(partitions=7)
    here = room(storage)
    a, b = await here.sharer("a"), await here.sharer("b")
    for sharer, entries in ((a, [5, 1, 7, 0, 0, 24, 2]), (b, [3, 4, 1, 0, 0, 23, 1])):
        sharer.table.merge(np.array([0], np.int32), np.array([entries], np.int64))
    await a.sharing.repair(["b"])
    await b.sharing.repair(["a"])
    await soon()
    assert a.table.vector(0) == b.table.vector(0) == Vector((5, 4, 7, 0, 0, 24, 2))


async def test_the_full_vectors_of_the_counters_that_changed_are_broadcast_and_no_others(storage: Storage) -> None:
    here = room(storage)
    a, b = await here.sharer("a", 0, 1), await here.sharer("b", 2, 3)
    a.count(0, {"c0": 3, "c1": 2})
    await a.beat()
    b.count(3, {"c1": 4})
    await b.beat()
    assert vectors(a.rows()) == {1: (2, 0, 0, 4)}
    assert vectors(b.rows()) == {0: (3, 0, 0, 0), 1: (2, 0, 0, 0)}
    assert [sharer.value("c1") for sharer in (a, b)] == [6, 6]
    a.heard.clear()
    await b.beat()
    assert a.rows() == [], "nothing has changed"


async def test_what_others_said_is_not_broadcast_again(storage: Storage) -> None:
    here = room(storage)
    a, b = await here.sharer("a", 0), await here.sharer("b", 1)
    a.count(0, {"c0": 3})
    await a.beat()
    await b.beat()
    assert a.rows() == []


@pytest.mark.parametrize(("counters", "messages"), [(1, 1), (10, 1), (11, 2), (25, 3)])
async def test_a_message_has_a_bounded_number_of_rows(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, counters: int, messages: int
) -> None:
    monkeypatch.setattr(sharing, "ROWS_MAX", 10)
    here = room(storage, counters)
    a, b, late = await here.sharer("a", 0), await here.sharer("b", 1), await here.sharer("late", 2)
    late.deaf_to = lose_all
    a.count(0, dict.fromkeys(names(counters), 1))
    await a.beat()
    assert len(b.rows()) == messages
    assert [rows.serial for rows in b.rows()] == list(range(b.rows()[0].serial, b.rows()[0].serial + messages))
    late.deaf_to = lambda said: False
    await late.sharing.repair(["a"])
    await soon()
    assert [len(rows.numbers) <= 4 * 10 for rows in late.rows() if rows.node == "a"] == [True] * messages
    assert [late.value(name) for name in names(counters)] == [1] * counters


async def test_without_others_nothing_is_sent_and_whoever_comes_later_knows_that_it_lacks_something(
    storage: Storage,
) -> None:
    here = room(storage)
    a = await here.sharer("a", 0)
    a.count(0, {"c0": 3})
    await a.sharing.tick(False)
    assert a.sharing.sent_messages == 0
    b = await here.sharer("b", 1)
    await asyncio.sleep(1)
    await a.beat()
    assert b.value("c0") == 3
    assert [type(said) for said in b.heard] == [Beat, Rows, Done]


async def test_rows_that_were_lost_are_noticed_at_the_next_ones_and_repaired(storage: Storage) -> None:
    here = room(storage)
    a, b = await here.sharer("a", 0), await here.sharer("b", 1)
    await a.beat()
    await asyncio.sleep(1)
    b.deaf_to = lose_rows
    a.count(0, {"c0": 3})
    await a.sharing.tick(True)
    await soon()
    assert b.value("c0") == 0
    b.deaf_to = lambda said: False
    a.count(0, {"c1": 4})
    await a.sharing.tick(True)
    await soon()
    assert b.value("c0") == 3
    assert b.value("c1") == 4


async def test_the_last_rows_that_were_lost_are_noticed_at_the_next_beat_and_repaired(storage: Storage) -> None:
    here = room(storage)
    a, b = await here.sharer("a", 0), await here.sharer("b", 1)
    await a.beat()
    await asyncio.sleep(1)
    b.deaf_to = lose_rows
    a.count(0, {"c0": 3})
    await a.sharing.tick(True)
    await soon()
    b.deaf_to = lambda said: False
    await a.beat()
    assert b.value("c0") == 3


async def test_a_partition_is_known_up_to_where_its_owner_was_only_if_no_rows_are_missing(storage: Storage) -> None:
    here = room(storage)
    a, b = await here.sharer("a", 0), await here.sharer("b", 1)
    await asyncio.sleep(1)
    await a.beat()
    await asyncio.sleep(1)
    known, confirmed_s = b.table.reached[0], b.sharing.confirmed_s[0]
    assert known == a.table.reached[0]
    b.deaf_to = lose_rows
    a.count(0, {"c0": 3})
    await a.beat()
    assert b.table.reached[0] == known, "rows are missing, and so is the answer"
    assert b.sharing.confirmed_s[0] == confirmed_s
    b.deaf_to = lambda said: False
    await asyncio.sleep(1)
    await a.beat()
    assert b.table.reached[0] == a.table.reached[0] > known
    assert b.sharing.confirmed_s[0] > confirmed_s


async def test_a_repair_of_which_a_part_was_lost_is_asked_for_again(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "ROWS_MAX", 1)
    here = room(storage)
    a, b = await here.sharer("a", 0), await here.sharer("b", 1)
    a.count(0, {"c0": 3, "c1": 4, "c2": 5})
    b.deaf_to = lambda said: isinstance(said, Rows) and said.serial != 2
    await asyncio.sleep(1)
    await a.beat()
    assert b.value("c2") == 0
    assert b.table.reached[0] == 0
    b.deaf_to = lambda said: False
    await asyncio.sleep(1)
    await a.beat()
    assert [b.value(name) for name in ("c0", "c1", "c2")] == [3, 4, 5]
    assert b.table.reached[0] == a.table.reached[0]


async def test_the_same_node_is_not_asked_again_and_again_for_what_was_lost(storage: Storage) -> None:
    here = room(storage)
    a, b = await here.sharer("a", 0), await here.sharer("b", 1)
    b.deaf_to = lose_rows
    a.count(0, {"c0": 3})
    await asyncio.sleep(1)
    for _ in range(20):
        await a.beat()
    assert sum(isinstance(said, Digests) for said in a.heard) == 1


async def test_digests_bring_only_the_buckets_that_differ(storage: Storage) -> None:
    here = room(storage, 3_000)
    a, b = await here.sharer("a", 0), await here.sharer("b", 1)
    a.count(0, {"c5": 1, "c2500": 1})
    await a.beat()
    b.deaf_to = lose_rows
    a.count(0, {"c2600": 7})
    await a.sharing.tick(True)
    await soon()
    b.heard.clear()
    b.deaf_to = lambda said: False
    await b.sharing.repair(["a"])
    await soon()
    assert vectors(b.rows()) == {2500: (1, 0, 0, 0), 2600: (7, 0, 0, 0)}
    b.heard.clear()
    await b.sharing.repair(["a"])
    await soon()
    assert b.rows() == []
    assert [type(said) for said in b.heard] == [Done]


async def test_a_node_alone_shows_its_digests_to_nobody(storage: Storage) -> None:
    a = await room(storage).sharer("a", 0)
    await a.sharing.repair([])
    assert a.sharing.sent_messages == 0


async def test_a_node_that_comes_late_gets_everything(storage: Storage) -> None:
    here = room(storage, 2_000)
    a, b = await here.sharer("a", 0, 1), await here.sharer("b", 2, 3)
    for partition, sharer in enumerate((a, a, b, b)):
        sharer.count(partition, dict.fromkeys(names(2_000), partition + 1))
        await sharer.beat()
    late = await here.sharer("late")
    await asyncio.sleep(1)
    await a.beat()
    await b.beat()
    assert {late.value(name) for name in names(2_000)} == {10}
    assert late.table.sequence() == min(a.table.reached[:2] + b.table.reached[2:])


async def test_rows_that_come_twice_or_out_of_order_change_nothing(storage: Storage) -> None:
    here = room(storage)
    a, b = await here.sharer("a", 0), await here.sharer("b", 1)
    for count in (3, 4):
        a.count(0, {"c0": count})
        await a.beat()
    assert b.value("c0") == 7
    for rows in [*b.rows(), *b.rows()[::-1]]:
        await b.take(rows)
    assert b.value("c0") == 7


async def test_a_node_that_was_started_anew_begins_its_serials_anew(storage: Storage) -> None:
    here = room(storage)
    a, b = await here.sharer("a", 0), await here.sharer("b", 1)
    for _ in range(5):
        a.count(0, {"c0": 1})
        await a.beat()
    again = Sharer(here, "a", Replicated, [0])
    again.run = again.sharing._run = "another run"
    await again.join()
    a.deaf_to = lose_all
    await asyncio.sleep(1)
    again.count(0, {"c0": 1})
    await again.beat()
    await asyncio.sleep(1)
    await again.beat()
    assert b.value("c0") == 6
    assert b.table.reached[0] == again.table.reached[0]


async def test_what_was_said_of_a_partition_that_is_counted_here_no_more_is_asked_for_again(storage: Storage) -> None:
    here = room(storage)
    a, b = await here.sharer("a", 0, 1), await here.sharer("b", 1)
    await a.beat()
    here.store(1, {"c0": 9})
    a.catch_up()
    await asyncio.sleep(1)
    await a.beat()
    assert b.value("c0") == 0, "its own fold is behind, and tells nothing of it"
    b.table.detach(1)
    del b.folds[1]
    b.sharing.dropped_partition()
    await asyncio.sleep(1)
    await a.beat()
    assert b.value("c0") == 9


async def test_a_partition_that_was_taken_over_makes_the_others_ask(storage: Storage) -> None:
    here = room(storage)
    a, b = await here.sharer("a"), await here.sharer("b")
    here.store(0, {"c0": 9})
    await a.beat()
    await asyncio.sleep(1)
    b.deaf_to = lose_rows
    a.own(0)
    await a.sharing.tick(True)
    await soon()
    b.deaf_to = lambda said: False
    await a.beat()
    assert b.value("c0") == 9
