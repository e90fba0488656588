"""Where the hot path's visits go."""

import pytest
from node_desk import Desk, Single
from node_line import Line, counted

from footfall.core.batch import decode, unpack
from footfall.core.definitions import Definition
from footfall.core.names import Unit
from footfall.core.routing import partition_of


async def stored(desk: Desk, *singles: Single) -> None:
    """All of them are told that they are, each with a receipt of its own."""
    assert await desk.producer.drain(10)
    receipts = [receipt for single in singles for receipt in single.receipts]
    assert len(set(receipts)) == len(receipts) == len(singles)


def routed(desk: Desk, leaf: str) -> dict[str, int]:
    """The visitors of a leaf, and the partition that each went to."""
    found = {}
    for message in desk.storage.messages:
        _, kind, partition = message.subject.rpartition("visits.")
        for section in decode(message.data).sections if kind else ():
            if section.leaf == leaf:
                found |= dict.fromkeys(unpack(section.visitors or b"\x90"), int(partition))
    return found


@pytest.mark.parametrize(("hashed", "name"), [(True, "a"), (True, "people"), (False, "people")])
async def test_single_visits_go_where_their_visitors_belong(line: Line, hashed: bool, name: str) -> None:
    desk = Desk(line, hashed)
    await stored(desk, *(desk.submit(name, f"visitor {number}") for number in range(50)))
    belong = {f"visitor {n}": partition_of(f"visitor {n}", desk.storage.partitions) for n in range(50)}
    assert routed(desk, name) == belong
    assert counted(desk.storage, name) == 50


async def test_single_visits_by_nobody_are_spread_when_hashed(line: Line) -> None:
    desk = Desk(line, hashed=True)
    await stored(desk, *(desk.submit("a.b") for _ in range(desk.storage.partitions)))
    batches = desk.batches()
    assert len(batches) == desk.storage.partitions
    assert counted(desk.storage, "a") == desk.storage.partitions


async def test_single_visits_to_one_counter_wait_for_each_others_flush_whatever_their_partitions(line: Line) -> None:
    desk = Desk(line, hashed=True)
    singles = [desk.submit("people", f"visitor {number % 10}") for number in range(40)]
    await stored(desk, *singles)
    assert desk.producer.flushes == 1
    assert counted(desk.storage, "people") == 10


async def test_the_hot_path_takes_no_visit_that_needs_two_sections_or_lacks_its_visitor(line: Line) -> None:
    desk = Desk(line)
    mixed = Definition("people.a", Unit.VISITS, 9, 1, (9,), (3,))
    assert not desk.producer.submit(mixed, "x", Single())
    assert not desk.producer.submit(desk.counter("people"), None, Single())
    assert desk.producer.gathered == 0
