"""What a node refuses to hear in either topology, what it forgets, and what it measures."""

import asyncio

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from node_tables import Room, names

from footfall.core.definitions import COUNTERS_MAX
from footfall.errors import MalformedError
from footfall.log.memory import Storage
from footfall.node import messages
from footfall.node.messages import Beat, Digests, Done, Gather, Rows
from footfall.node.sharing import Link, Replicated, Sharded, Sharing


@pytest.mark.parametrize(
    ("kind", "question"), [(Replicated, Gather("other", 1, {})), (Sharded, Digests("other", 1, []))]
)
async def test_a_question_of_the_other_topology_is_refused(
    storage: Storage, kind: type[Sharing], question: Gather | Digests
) -> None:
    here = await Room(storage, kind).sharer("here", 0)
    sent = here.sharing.sent_messages
    with pytest.raises(MalformedError, match="other topology"):
        await here.sharing.asked(question)
    assert here.sharing.sent_messages == sent


SOUND = Rows("n", "r", 1, [0, 1], [9, 9], np.array([1], "i4").tobytes(), np.array([[5, 5]], "i8").tobytes())


@pytest.mark.parametrize("kind", [Replicated, Sharded])
@pytest.mark.parametrize(
    "change",
    [
        {"columns": [0, 4]},
        {"columns": [-1, 1]},
        {"columns": [0, 1, 2]},
        {"beyond": [9]},
        {"entries": b"\0" * 8},
        {"numbers": b"\0" * 5},
        {"numbers": np.array([-1], "i4").tobytes()},
        {"numbers": np.array([COUNTERS_MAX], "i4").tobytes()},
    ],
)
async def test_rows_that_cannot_be_are_refused_and_change_nothing(
    storage: Storage, kind: type[Sharing], change: dict[str, object]
) -> None:
    here = await Room(storage, kind).sharer("here", 3)
    with pytest.raises(MalformedError):
        await here.sharing.rows(msgspec.structs.replace(SOUND, **change))
    assert len(here.table.totals) == 0
    assert here.table.beyond[:3] == [0, 0, 0]
    assert here.sharing._links == {}
    await here.sharing.rows(SOUND)
    assert here.value("c1") == 10


async def test_a_foreign_end_of_an_exchange_confirms_nothing(storage: Storage) -> None:
    here = await Room(storage, Sharded).sharer("here", 3)
    await here.sharing.done(Done("n", "r", 1, 2, 0, 7, {0: 99}))
    assert here.table.reached[0] == 0, "rows of it are missing"
    await here.sharing.done(Done("n", "r", 2, 0, 0, 7, {9: 99, -1: 99, 1: 99}))
    assert here.table.reached[:3] == [0, 99, 0]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    said=st.builds(
        Rows,
        st.just("n"),
        st.just("r"),
        st.integers(-1, 9),
        st.lists(st.integers(-2, 5), max_size=3),
        st.lists(st.integers(0, 9), max_size=3),
        st.lists(st.integers(-2, 9), max_size=3, unique=True).map(lambda numbers: np.array(numbers, "i4").tobytes()),
        st.lists(st.integers(-(2**63), 2**63 - 1), max_size=9).map(lambda held: np.array(held, "i8").tobytes()),
        st.integers(-1, 3),
    ),
    kind=st.sampled_from([Replicated, Sharded]),
)
async def test_whatever_rows_say_no_value_falls_and_nothing_counted_here_is_touched(
    said: Rows, kind: type[Sharing]
) -> None:
    storage = Storage(partitions=4)
    here = await Room(storage, kind).sharer("here", 0)
    here.count(0, {"c1": 5})
    await here.sharing.beat(Beat("n", "r", "", "", 0, {}, {}))
    before = [here.value(name) for name in names(4)]
    try:
        await here.sharing.rows(said)
    except MalformedError:
        assert [here.value(name) for name in names(4)] == before
    assert all(now >= then for now, then in zip([here.value(name) for name in names(4)], before, strict=True))
    assert here.table.vector(1).entries[0] == 5


async def test_a_node_that_is_gone_is_forgotten_and_heard_anew_when_it_comes_back(storage: Storage) -> None:
    room = Room(storage, Replicated)
    a, b = await room.sharer("a", 0), await room.sharer("b", 1)
    a.count(0, {"c0": 3})
    await asyncio.sleep(1)
    await a.beat()
    assert list(b.sharing._links) == ["a"]
    b.sharing.keep({"b": 1})
    assert b.sharing._links == {}
    a.count(0, {"c0": 3})
    await a.beat()
    await asyncio.sleep(1)
    await a.beat()
    assert b.value("c0") == 6
    assert b.table.reached[0] == a.table.reached[0]


async def test_what_is_sent_and_received_is_measured(storage: Storage) -> None:
    here = Room(storage, Replicated)
    a = await here.sharer("a", 0)
    said = Beat("a", "r", "", "", 0, {}, {})
    await a.sharing.say(said)
    a.sharing.count_received(b"12345")
    assert (a.sharing.sent_messages, a.sharing.sent_bytes) == (1, len(messages.encode(said)))
    assert (a.sharing.received_messages, a.sharing.received_bytes) == (1, 5)


def test_a_gap_is_closed_only_by_what_was_sent_after_it() -> None:
    link = Link("run")
    link.receive(1)
    assert link.complete_to(1)
    link.receive(5)
    assert not link.complete_to(5)
    link.repaired(3)
    assert not link.complete_to(5), "4 is missing still"
    link.repaired(4)
    assert link.complete_to(5)
    assert not link.complete_to(6)


async def test_what_changed_while_nobody_was_heard_is_missed_later(storage: Storage) -> None:
    room = Room(storage, Replicated)
    a, b = await room.sharer("a", 0), await room.sharer("b", 1)
    await asyncio.sleep(1)
    await a.beat()
    await asyncio.sleep(1)
    a.count(0, {"c0": 3})
    await a.sharing.tick(False)
    assert b.value("c0") == 0
    await a.beat()
    assert b.value("c0") == 3


async def test_rows_of_a_new_run_that_were_lost_are_noticed_though_the_run_before_had_sent_more(
    storage: Storage,
) -> None:
    room = Room(storage, Replicated)
    a, b = await room.sharer("a", 0), await room.sharer("b", 1)
    for _ in range(9):
        await asyncio.sleep(1)
        a.count(0, {"c0": 1})
        await a.beat()
    a.deaf_to = b.deaf_to = lambda said: said.node == "a" and isinstance(said, Rows)
    again = await room.sharer("a", 0)
    again.run = again.sharing._run = "another run"
    again.count(0, {"c0": 1})
    await again.sharing.tick(True)
    await asyncio.sleep(1)
    b.deaf_to = lambda said: False
    await again.beat()
    assert b.value("c0") == 10


@pytest.mark.parametrize("kind", [Replicated, Sharded])
async def test_who_takes_over_makes_up_for_what_the_owner_before_had_told_in_vain(
    storage: Storage, kind: type[Sharing]
) -> None:
    room = Room(storage, kind)
    old, heir, other = await room.sharer("old", 0), await room.sharer("heir", 1), await room.sharer("other", 2)
    await asyncio.sleep(1)
    for sharer in (old, heir, other):
        await sharer.beat()
    await asyncio.sleep(1)
    if kind is Sharded:
        await room.gather(old, heir, other)
    other.deaf_to = lambda said: said.node == "old"
    old.count(0, {"c0": 3})
    await old.beat()
    if kind is Sharded:
        await room.gather(heir, other)
    assert [heir.value("c0"), other.value("c0")] == [3, 0]
    heir.own(0)
    await asyncio.sleep(1)
    await heir.beat()
    if kind is Sharded:
        await room.gather(other)
    assert other.value("c0") == 3
