"""One trial: traffic on a site, a fault, its end, and the check of all that was done and seen."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from checker import Outcome, check
from history import Fault, stalls_s
from observer import LogCopy
from site_under_test import Place

from load import Load, until

BEFORE_S, AFTER_S = 1.0, 1.0
MILESTONE = 400  # so that a judge counts while the fault lasts
RESUMED_MAX_S = 15.0  # generous: it is measured, and a slow machine is no fault


class Trial:
    """Traffic that began before a fault and ends after it; what is left is the check."""

    def __init__(self, site: Place, copy: LogCopy, name: str, directory: Path, milestone: int = MILESTONE) -> None:
        self.site = site
        self.load = Load(name, site.urls)
        self._last = 0  # sequence of the log that an exact read told
        self._milestone = milestone
        self._copy = copy
        self._directory = directory

    @contextlib.asynccontextmanager
    async def traffic(self) -> AsyncIterator[None]:
        """Clients come before the block begins, and leave once all is healed and the milestone was passed."""
        await self.load.set_up(self._milestone)
        async with self.load.running():
            await self.load.until_acknowledged(50)
            await asyncio.sleep(BEFORE_S)
            begin_s = time.monotonic()
            yield
            self.load.history.faults.append(Fault(begin_s, time.monotonic(), self.load.name))
            await self.site.heal()
            self.load.nodes = self.site.urls
            await self.load.until_acknowledged(self._milestone + 50)
            await asyncio.sleep(AFTER_S)

    async def check(self) -> None:
        """Raises AssertionError with everything that is wrong, and where the history is."""
        await self.load.winners()
        problems = check(self.load.history, await self.outcome())
        problems += [f"two servers told different messages at {sequence}" for sequence in self._copy.conflicts]
        if alarms := await asyncio.to_thread(self.site.alarms):
            problems.append(f"the nodes raised {alarms:.0f} alarms")
        if problems:
            file = self._directory / f"{self.load.name}.jsonl"
            self.load.history.write(file)
            raise AssertionError("\n".join([*problems, f"the history is in {file}"]))

    async def outcome(self) -> Outcome:
        """What the log holds, and what nodes show once they have converged."""
        counters = self.load.counters
        shown = {node: await self._exact(node) for node in self.load.nodes}
        await self.read_on()
        folded = self._copy.values()
        order = {counter: self._copy.account.order[counter] for counter in counters}
        for node, values in shown.items():
            await self._converges(node, values)
        return Outcome(order, folded, shown, self.load.people)

    def must_read(self, sequence: int) -> None:
        """The copy of the log is needed up to here."""
        self._last = max(self._last, sequence)

    async def read_on(self) -> None:
        """Return once it is there."""
        await until(lambda: self._copy.sequence >= self._last, "the copy of the log")

    async def _exact(self, node: str) -> dict[str, int]:
        values: dict[str, int] = {}
        for counter in self.load.counters:
            path = f"/v1/counters/{counter}?consistency=linearizable"
            _, answer = await self.load.ask("GET", path, only=node)
            values[counter] = answer["value"]
            self.must_read(answer["sequence"])
        return values

    async def _converges(self, node: str, values: dict[str, int]) -> None:
        """What is read without exactness becomes the same."""
        for counter, value in values.items():
            async with asyncio.timeout(RESUMED_MAX_S):
                shown = -1
                while shown != value:
                    _, answer = await self.load.ask("GET", f"/v1/counters/{counter}", only=node)
                    shown = answer["value"]
                    assert shown <= value, f"{node} shows {shown} of {counter}, and read {value} exactly"
                    await asyncio.sleep(0.02)

    def stalls(self, without: str = "") -> dict[str, float]:
        """How long each kind of answer stayed away, while the fault lasted and until now."""
        history = self.load.history
        fault, end_s = history.faults[-1], max(attempt.end_s for attempt in history.attempts if attempt.stored)
        found = stalls_s(history, fault.begin_s, end_s, without)
        told = ", ".join(f"{kind} {seconds:.2f} s" for kind, seconds in found.items())
        spooled = f"{self.load.spooled} of {self.load.acknowledged} visits were spooled"
        sys.stdout.write(f"{self.load.name}: longest without an answer: {told}; {spooled}\n")
        return found
