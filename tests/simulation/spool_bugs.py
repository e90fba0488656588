"""Bugs of the spool, which the simulation of real nodes must notice too."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from footfall.errors import LogUnavailableError
from footfall.node.draining import Draining
from footfall.node.spool import Spool
from footfall.node.storing import Storing


def keeps_in_memory(patch: pytest.MonkeyPatch) -> None:
    """What is answered "spool" is gone with the process."""

    async def adopt(self: Spool) -> None:
        return

    patch.setattr(Spool, "adopt", adopt)


def goes_on_under_its_id(patch: pytest.MonkeyPatch) -> None:
    """Visits overtake those of the same producer that wait in the spool, which are then taken for repeats."""
    patch.setattr(Storing, "spent", property(lambda self: False, lambda self, value: None), raising=False)


def drains_as_new(patch: pytest.MonkeyPatch) -> None:
    """What is in the spool is published as another batch than the one that may be in the log already."""

    async def publish(self: Draining, rows: Any) -> None:
        for row in rows:
            old = row.data[10:26]  # the producer's id, after the tag and the text's length
            await self._publisher.publish(f"footfall.visits.{row.partition}", row.data.replace(old, old[::-1]))
            self._answered()

    patch.setattr(Draining, "_publish", publish)


def drains_in_any_order(patch: pytest.MonkeyPatch) -> None:
    """A message of the spool overtakes another of its partition."""
    publish = Draining._publish

    async def backwards(self: Draining, rows: Any) -> None:
        await publish(self, rows[::-1])

    patch.setattr(Draining, "_publish", backwards)


def forgets_too_early(patch: pytest.MonkeyPatch) -> None:
    """A message is removed from the spool after one attempt, whether it was acknowledged or not."""

    async def once(self: Draining, rows: Any) -> None:
        for row in rows:
            await self._publisher._log.publish(f"footfall.visits.{row.partition}", row.data)

    async def run(self: Draining) -> None:
        while True:
            await self._spool.filled.wait()
            if (window := await self._spool.window()) is not None:
                with contextlib.suppress(LogUnavailableError):
                    await once(self, window.rows)
                self._answered()
                await self._spool.drained(window)

    patch.setattr(Draining, "run", run)


def does_not_ask_the_spool_twice(patch: pytest.MonkeyPatch) -> None:
    """What was in flight is acknowledged as kept, and only the next flush really is."""
    keep = Spool.keep

    async def lazy(self: Spool, sealed: Any) -> None:
        if self.messages or self._writing is not None:
            await keep(self, sealed)
        else:
            await keep(self, sealed[:-1] or sealed[:0])

    patch.setattr(Spool, "keep", lazy)


SPOOL_BUGS = {
    bug.__name__: bug
    for bug in (
        keeps_in_memory,
        goes_on_under_its_id,
        drains_as_new,
        drains_in_any_order,
        forgets_too_early,
        does_not_ask_the_spool_twice,
    )
}
