"""Bugs for the nodes, around a sound core: the simulation of real nodes must notice every one of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from footfall.core.partition import Partition
from footfall.errors import LogUnavailableError
from footfall.log.protocol import VISITS_SUBJECT
from footfall.node.aggregator import Aggregator
from footfall.node.cuts import Cuts
from footfall.node.producer import Producer
from footfall.node.publisher import Publisher
from footfall.node.sharing import Link

from .raffle_bugs import RAFFLE_BUGS
from .spool_bugs import SPOOL_BUGS


def answers_too_early(patch: pytest.MonkeyPatch) -> None:
    """A visit is acknowledged before it is stored."""

    async def store(self: Producer, lanes: Any) -> None:
        asyncio.get_running_loop().create_task(_store(self, lanes))

    _store = Producer._store
    patch.setattr(Producer, "_store", store)


def retries_as_new(patch: pytest.MonkeyPatch) -> None:
    """What was not acknowledged is sent again as another batch."""

    async def store_lane(self: Publisher, lane: Any) -> int:
        sequence = 0
        for sealed in lane:
            data = sealed.data
            while True:
                try:
                    sequence = await self._log.publish(VISITS_SUBJECT.format(partition=sealed.partition), data)
                    break
                except LogUnavailableError:
                    data = data.replace(sealed.producer.encode(), sealed.producer[::-1].encode())
                    await asyncio.sleep(0.1)
        return sequence

    patch.setattr(Publisher, "lane", store_lane)


def gives_up(patch: pytest.MonkeyPatch) -> None:
    """A batch that was not acknowledged is dropped, and the next one sent."""
    publish = Publisher.publish

    async def once(self: Publisher, subject: str, data: bytes, timeout_s: float | None = None) -> int:
        try:
            return await publish(self, subject, data, 0.0)
        except LogUnavailableError:
            return 0

    patch.setattr(Publisher, "publish", once)


def takes_over_from_nothing(patch: pytest.MonkeyPatch) -> None:
    """A partition that is taken over begins empty where the newest cut was."""
    newest = Cuts.newest_partition

    async def empty(self: Cuts, number: int) -> Any:
        partition, position, manifest = await newest(self, number)
        fresh = Partition(number, partition.partitions)
        fresh.sequence, fresh.epoch = partition.sequence, partition.epoch
        return fresh, position, manifest

    patch.setattr(Cuts, "newest_partition", empty)


def folds_ahead_of_the_definitions(patch: pytest.MonkeyPatch) -> None:
    """A partition does not wait for the definitions that its next batch may need."""

    async def at_once(sequence: int) -> None:
        return

    read = Aggregator._read

    async def hasty(self: Aggregator, folding: Any) -> None:
        self.definitions_reached.wait = at_once  # type: ignore[method-assign]
        await read(self, folding)

    patch.setattr(Aggregator, "_read", hasty)


def trusts_the_bus(patch: pytest.MonkeyPatch) -> None:
    """What was lost between nodes is not asked for again, and anti-entropy is off."""
    patch.setattr(Link, "receive", lambda self, serial: setattr(self, "last", serial))
    patch.setattr(Link, "complete_to", lambda self, sent: True)
    patch.setattr("footfall.node.sharing.Replicated.repair", lambda self, others: asyncio.sleep(0))


SHELL_BUGS = (
    {
        bug.__name__: bug
        for bug in (
            answers_too_early,
            retries_as_new,
            gives_up,
            takes_over_from_nothing,
            folds_ahead_of_the_definitions,
            trusts_the_bus,
        )
    }
    | RAFFLE_BUGS
    | SPOOL_BUGS
)
