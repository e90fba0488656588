"""Minutes of traffic on three servers and three nodes, with a fault every five seconds, from a seed; then the check.

    SOAK_S=300 SOAK_RATE=20000 SOAK_SEED=1 SOAK_TOPOLOGY=replicated make soak

Exits with 1 if any invariant fails; the history is kept then.
"""

import asyncio
import contextlib
import logging
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from batches import BULK, LEAVES, VISITS, Batches, BulkAccount, check_batches
from checker import check
from history import Fault, History, stalls_s
from nemeses import Nemesis, cut_off, disk_lost, full_disk, killed, paused, stopped, together
from observer import copying
from site_under_test import SECRET, Site, running_site
from trials import Trial

from processes import Process

EVERY_S = 5.0
HOLD_S = (1.0, 3.0)
LONG_S = (6.0, 18.0)  # beyond every time-out
LONG_SHARE = 0.25
QUIET_S = 20.0  # at the end, without a new fault
MILESTONES = 10
SETTINGS = ("--secret", SECRET, "--cut-interval-s", "5")

KINDS: dict[str, Callable[[Site, Process, str], Nemesis]] = {
    "killed": lambda site, process, name: killed(process),
    "stopped": lambda site, process, name: stopped(process),
    "paused": lambda site, process, name: paused(process),
    "cut off": lambda site, process, name: cut_off(site, name),
    "deaf": lambda site, process, name: cut_off(site, name, outbound=False),
    "mute": lambda site, process, name: cut_off(site, name, inbound=False),
}


class Faults:
    """Random faults: at most one server and one node at a time, or all servers, or two of them."""

    def __init__(self, site: Site, history: History, seed: int) -> None:
        self._site = site
        self._history = history
        self._chance = random.Random(seed)
        self._busy: dict[str, str] = {}  # "servers", "nodes" → who

    async def run(self, end_s: float) -> None:
        """Begin one every five seconds."""
        async with asyncio.TaskGroup() as group:
            while time.monotonic() < end_s:
                what, kind, nemesis = self._draw()
                if what:
                    group.create_task(self._do(what, kind, nemesis))
                await asyncio.sleep(EVERY_S)

    def _draw(self) -> tuple[str, str, Nemesis]:
        site, chance = self._site, self._chance
        free = [what for what in ("servers", "nodes") if what not in self._busy]
        if not free:
            return "", "", contextlib.nullcontext()
        what = chance.choice(free)
        if what == "nodes":
            name = chance.choice(list(site.nodes))
            kind = chance.choice(list(KINDS))
            return what, f"a node {kind}", KINDS[kind](site, site.nodes[name], name)
        servers = list(site.servers.values())
        kind = chance.choice([*KINDS, "disk full", "disk lost", "two killed", "all killed"])
        server = chance.choice(servers)
        if kind == "disk full":
            return what, "a server's disk full", full_disk(site, server)
        if kind == "disk lost":
            return what, "a server's disk lost", disk_lost(site, server)
        if kind in ("two killed", "all killed"):
            victims = servers if kind == "all killed" else [one for one in servers if one is not server]
            return what, f"servers: {kind}", together(killed(victim) for victim in victims)
        return what, f"a server {kind}", KINDS[kind](site, server, server.name)

    async def _do(self, what: str, kind: str, nemesis: Nemesis) -> None:
        self._busy[what] = kind
        hold = LONG_S if self._chance.random() < LONG_SHARE else HOLD_S
        begin_s = time.monotonic()
        async with nemesis:
            await asyncio.sleep(self._chance.uniform(*hold))
        self._history.faults.append(Fault(begin_s, time.monotonic(), kind))
        say(f"  {kind}, for {time.monotonic() - begin_s:.1f} s")
        await asyncio.sleep(1)
        del self._busy[what]


def say(text: str) -> None:
    """To whoever waits."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Soak:
    """One run."""

    def __init__(self, site: Site, trial: Trial, seconds: float, rate: float, seed: int) -> None:
        self._site = site
        self._trial = trial
        self._load = trial.load
        self._batches = Batches(trial.load)
        self._seconds = seconds
        self._rate = rate
        self._faults = Faults(site, trial.load.history, seed)
        self._took_s = 0.0

    async def run(self) -> None:
        """Traffic and faults, and then quiet."""
        milestones = [int(self._seconds * 15 * (number + 1)) for number in range(MILESTONES)]
        await self._load.set_up(*milestones)
        for number in range(LEAVES):
            await self._load.ask("PUT", f"/v1/counters/{BULK}.{number}", {"unit": "visits"})
        begin_s = time.monotonic()
        async with self._load.running(), asyncio.TaskGroup() as group:
            group.create_task(self._batches.run(self._rate))
            await self._faults.run(begin_s + self._seconds - QUIET_S)
            await self._site.heal()
            await asyncio.sleep(begin_s + self._seconds - time.monotonic())
            self._batches.end()
            await self._load.until_acknowledged(milestones[-1] + 50)
        self._took_s = time.monotonic() - begin_s

    async def check(self, account: BulkAccount) -> list[str]:
        """What must not be."""
        await self._site.heal()
        outcome = await self._trial.outcome()
        shown = {node: await self._bulk(node) for node in self._load.nodes}
        await self._trial.read_on()
        await self._load.winners()
        found = check(self._load.history, outcome)
        found += check_batches(self._batches.acknowledged, self._batches.sent, account.bulk, shown)
        self._report(account, min(shown.values()), len(outcome.order[self._load.name]))
        if alarms := self._site.alarms():
            found.append(f"the nodes raised {alarms:.0f} alarms")
        return found

    async def _bulk(self, node: str) -> int:
        _, answer = await self._load.ask("GET", f"/v1/counters/{BULK}?consistency=linearizable", only=node)
        self._trial.must_read(answer["sequence"])
        value: int = answer["value"]
        return value

    def _report(self, account: BulkAccount, bulk: int, single: int) -> None:
        batches, history = self._batches, self._load.history
        acknowledged = self._load.acknowledged + len(batches.acknowledged) * VISITS
        keys = {place.key for place in account.order[self._load.name]}
        told = {attempt.key for attempt in history.attempts if attempt.stored}
        held = sum(map(sum, account.bulk.values()))
        lost = len(told - keys) + sum(VISITS - sum(account.bulk.get(number, b"")) for number in batches.acknowledged)
        doubled = single - len(keys) + bulk - held
        again = sum(not attempt.stored for attempt in history.attempts)
        kinds = Counter(fault.what for fault in history.faults)
        say(f"\n{len(history.faults)} faults: " + ", ".join(f"{kind} {times}" for kind, times in kinds.most_common()))
        say(
            f"acknowledged {acknowledged:,} visits in {self._took_s:.0f} s, {acknowledged / self._took_s:,.0f} a second"
        )
        say(f"counted {bulk + single:,}   lost {lost:,}   doubled {doubled:,}")
        spooled = self._load.spooled + batches.spooled * VISITS
        say(f"{spooled:,} of them were spooled; {again:,} visits and {batches.retries:,} batches were sent again")
        say(f"{len({winner.n for winner in history.winners})} of {MILESTONES} milestones have a winner")
        stalls = [stalls_s(history, fault.begin_s, fault.end_s + EVERY_S) for fault in history.faults]
        for kind in stalls[0] if stalls else ():
            found = sorted(stall[kind] for stall in stalls)
            median_s, most_s = found[len(found) // 2], found[-1]
            say(f"longest without an answer around a fault, {kind}: p50 {median_s:.2f} s, max {most_s:.2f} s")


async def soak(directory: Path, topology: str, seconds: float, rate: float, seed: int) -> list[str]:
    """Run it; returns what must not be."""
    account = BulkAccount()
    with running_site(directory, topology, SETTINGS) as site:
        async with copying(site.observed(), account) as copy:
            trial = Trial(site, copy, "soak", directory)
            run = Soak(site, trial, seconds, rate, seed)
            try:
                await run.run()
                return await run.check(account)
            finally:
                trial.load.history.write(directory / "history.jsonl")


def main() -> int:
    """Run it as the environment says."""
    logging.getLogger("footfall").setLevel(logging.ERROR)
    seconds, rate = float(os.environ.get("SOAK_S", "300")), float(os.environ.get("SOAK_RATE", "20000"))
    seed = int(os.environ.get("SOAK_SEED") or random.randrange(1 << 32))
    topology = os.environ.get("SOAK_TOPOLOGY", "replicated")
    directory = Path(tempfile.mkdtemp(prefix="footfall-soak-"))
    say(f"SOAK_SEED={seed} SOAK_S={seconds:g} SOAK_RATE={rate:g} SOAK_TOPOLOGY={topology}")
    found = asyncio.run(soak(directory, topology, seconds, rate, seed))
    if found:
        say("\n".join(["", *found, f"everything is kept in {directory}"]))
        return 1
    shutil.rmtree(directory)
    say("every invariant holds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
