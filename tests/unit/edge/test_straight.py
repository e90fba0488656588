"""An edge's producer on a log in memory: the log holds each visit once, as its format asks, whatever happens to it."""

import asyncio
from collections import defaultdict

import msgspec
import pytest

from footfall.client.buffer import Waiting
from footfall.core.definitions import Definition, Definitions
from footfall.edge import straight
from footfall.edge.nodes import Row, Site
from footfall.edge.straight import Straight
from footfall.errors import LogRewoundError, LogUnavailableError
from footfall.log.memory import MemoryLog, Storage


def defined(*names: str) -> Definitions:
    definitions = Definitions()
    definitions.restore(Row(name, 0, 0) for name in names)
    return definitions


def pairs(*visits: Waiting) -> list[tuple[Definition, Waiting]]:
    known = defined("shop", "blog")
    found = [(known.find(visit.counter), visit) for visit in visits]
    return [(leaf, visit) for leaf, visit in found if leaf is not None]


def counted(storage: Storage) -> dict[str, int]:
    """What the log's visits come to, each producer's repeats left out; its sequences must have no gap."""
    last: dict[tuple[str, str], int] = defaultdict(int)
    counts: dict[str, int] = defaultdict(int)
    for message in storage.messages:
        _, producer, _, sequence, sections, *_ = msgspec.msgpack.decode(message.data)
        at = (message.subject, producer)
        assert sequence <= last[at] + 1
        if sequence == last[at] + 1:
            last[at] = sequence
            for leaf, _, entries, _, _, *times in sections:
                counts[leaf] += entries * (times[0] if times else 1)
    return counts


class LosesAnswers(MemoryLog):
    """A log that stores every message, and loses every other answer."""

    lost = 0

    async def publish(self, subject: str, data: bytes, timeout_s: float = 5.0) -> int:
        sequence = await super().publish(subject, data, timeout_s)
        self.lost += 1
        if self.lost % 2:
            raise LogUnavailableError("no answer")
        return sequence


async def test_visits_of_all_kinds_are_in_the_log_once() -> None:
    storage = Storage(partitions=4)
    edge = Straight(MemoryLog(storage), 0)
    for _ in range(3):
        await edge.store(
            pairs(Waiting("shop"), Waiting("shop", "ann"), Waiting("blog", count=7), Waiting("shop", key="k"))
        )
    assert counted(storage) == {"shop": 9, "blog": 21}


async def test_a_lost_answer_is_followed_by_the_same_bytes() -> None:
    storage = Storage(partitions=4)
    edge = Straight(LosesAnswers(storage), 0)
    for number in range(5):
        await edge.store(pairs(Waiting("shop", f"v{number}")))
    assert len(storage.messages) == 10
    assert counted(storage) == {"shop": 5}


async def test_a_log_that_is_away_is_waited_for() -> None:
    storage = Storage(partitions=4)
    log = MemoryLog(storage)
    edge = Straight(log, 0)
    log.disconnect()
    storing = asyncio.create_task(edge.store(pairs(Waiting("shop"))))
    done, _ = await asyncio.wait([storing], timeout=0.05)
    assert not done
    log.reconnect()
    await storing
    assert counted(storage) == {"shop": 1}


async def test_an_id_is_renewed_daily() -> None:
    storage = Storage(partitions=1)
    edge = Straight(MemoryLog(storage), 5)
    for epoch in (5, 5 + straight.RENEWAL_EPOCHS - 1, 5 + straight.RENEWAL_EPOCHS, 6 + straight.RENEWAL_EPOCHS):
        edge.epoch = epoch
        await edge.store(pairs(Waiting("shop")))
    said = [msgspec.msgpack.decode(message.data) for message in storage.messages]
    assert [(one[2], one[3]) for one in said] == [
        (5, 1), (5, 2), (5 + straight.RENEWAL_EPOCHS, 1), (5 + straight.RENEWAL_EPOCHS, 2),
    ]  # fmt: skip
    assert len({one[1] for one in said}) == 2


async def test_a_log_that_lost_what_it_had_acknowledged_gets_no_more() -> None:
    storage = Storage(partitions=4)
    edge = Straight(MemoryLog(storage), 0)
    for _ in range(3):
        await edge.store(pairs(Waiting("shop")))
    storage.truncate(1)
    with pytest.raises(LogRewoundError, match="stored visits at 2, though it had stored others at 3"):
        await edge.store(pairs(Waiting("shop")))


@pytest.mark.parametrize(("held", "bytes_max", "full"), [(90, 100, False), (91, 100, True), (10**9, -1, False)])
def test_a_log_is_full_for_visits_at_90_percent(held: int, bytes_max: int, full: bool) -> None:
    told = {"partitions": 4, "epoch": 0, "log": {"bytes": held, "bytes_max": bytes_max, "connected": True}}
    assert msgspec.convert(told, Site).full is full
