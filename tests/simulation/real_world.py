"""A history of real nodes, ``footfall.node`` whole, on the memory log and in virtual time.

World (world.py) puts the core together in its own way, to reach states that are rare; this one runs what users run.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from random import Random
from typing import Any

from footfall.config import Topology
from footfall.core.names import Unit
from footfall.core.visit import Visit
from footfall.errors import FootfallError, SourcePositionError
from footfall.log.protocol import Message
from footfall.node.node import Node

from . import real_raffles
from .log import Log
from .network import Network
from .oracle import Oracle
from .real_faults import Faults
from .site import SECRET, Site
from .virtual_time import virtual_time

PARTITIONS = 4
TROUBLE_S = 30.0
HEALED_S_MAX = 60.0
CLIENT_TIMEOUT_S = 15.0  # a node answers within 10 s, or is dead
NAMES = ("a", "a.b", "a.b.c", "a.d", "w", "w.x", "w.x.y", "z")
SOURCE = "a file"
SOURCE_VISITS = 60


class Ordered(dict[Any, None]):
    """A set in the order of its making: that of a real one changes from run to run."""

    def add(self, one: Any) -> None:
        self[one] = None

    def discard(self, one: Any) -> None:
        self.pop(one, None)


class RecordedLog(Log):
    """Tells the oracle of every message."""

    def __init__(self, oracle: Oracle) -> None:
        super().__init__(PARTITIONS)
        self.waiting = Ordered()  # type: ignore[assignment]
        self._oracle = oracle

    def append(self, subject: str, data: bytes, time_ns: int = 0) -> Message:
        message = super().append(subject, data, time_ns)
        self._oracle.truth.take(message)
        return message


class RealWorld:
    """Everything there is."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.topology = self.random.choice(list(Topology))
        self.closing_share = self.random.choice((0.5, 0.999, 1.0))
        self.soon_s = self.random.choice((0.0, 1.0, 60.0))  # with 0: judges begin when N was passed
        self.oracle = Oracle(PARTITIONS, SECRET.encode())
        self.log = RecordedLog(self.oracle)
        self.network = Network(self.random)
        self.sites = [Site(self, f"n{number}") for number in range(self.random.randint(1, 3))]
        self.trouble = True
        self.keyed: list[Visit] = []
        self.made = 0  # counters with names that nobody used before
        self.written = 0  # visits in the source's file
        self.claims = self.imports = self.spooled = 0

    def run(self) -> None:
        with tempfile.TemporaryDirectory() as self.directory, virtual_time(self.random) as self.loop:
            self.loop.run_until_complete(self._history())

    async def _history(self) -> None:
        await asyncio.gather(*(asyncio.create_task(site.start()) for site in self.sites))
        for name in self.random.sample(("w", "w.x", "w.x.y"), self.random.randrange(4)):
            with contextlib.suppress(FootfallError):  # of one that an ancestor's definition made
                await self.sites[0].node.define(name, Unit.VISITORS)
        clients = [asyncio.create_task(self._client()) for _ in range(4)]
        clients.append(asyncio.create_task(self._ingester()))
        clients += [asyncio.create_task(self._raffles()) for _ in range(3)]
        faults = asyncio.create_task(Faults(self).run())
        checking = asyncio.create_task(self._checks())
        await asyncio.sleep(TROUBLE_S)
        self.trouble = False
        for task in (faults, *clients):
            task.cancel()
        done = await asyncio.gather(faults, *clients, return_exceptions=True)
        await self._heal()
        checking.cancel()
        done += await asyncio.gather(checking, return_exceptions=True)
        for result in done:
            if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
                raise result
        self._check_end()
        await real_raffles.claim_all(self)
        for site in self.sites:
            await site.stop()

    async def _checks(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            for site in self.sites:
                site.check()

    # Clients

    async def _raffles(self) -> None:
        while True:
            await asyncio.sleep(self.random.uniform(0, 0.5))
            site = self.random.choice(self.sites)
            if site.node is not None and site.node.health.target >= 0:
                with contextlib.suppress(FootfallError, TimeoutError):
                    async with asyncio.timeout(CLIENT_TIMEOUT_S):
                        await real_raffles.act(self, site, site.node)

    def _any_node(self) -> Node | None:
        nodes = [site.node for site in self.sites if site.node is not None]
        return self.random.choice(nodes) if nodes else None

    async def _client(self) -> None:
        while True:
            await asyncio.sleep(self.random.uniform(0, 0.3))
            node = self._any_node()
            if node is not None:
                with contextlib.suppress(FootfallError, TimeoutError):
                    async with asyncio.timeout(CLIENT_TIMEOUT_S):
                        await self._request(node)

    async def _request(self, node: Node) -> None:
        kind = self.random.random()
        name = self.random.choice(NAMES)
        if kind < 0.03:
            await node.define(name, self.random.choice(list(Unit)))
        elif kind < 0.1:
            self.made += 1
            await self._send(node, [Visit(f"made.{self.made}", self._visitor())])  # its definition is on its way, too
        elif kind < 0.2:
            await self._single(node, name)
        elif kind < 0.4 and self.keyed:
            await self._send(node, [self.random.choice(self.keyed)])  # a client that retries
        elif kind < 0.6:
            key = f"key {len(self.keyed)}" + self.random.choice(("", " that is the receipt"))
            visit = Visit(name, self._visitor(), key, self.random.choice((1, 1, 3)))
            self.keyed.append(visit)
            await self._send(node, [visit])
        else:
            count = self.random.choice((1, 2, 5, 40))
            await self._send(node, [Visit(self.random.choice(NAMES), self._visitor()) for _ in range(count)])

    def _visitor(self) -> str:
        return f"visitor {self.random.randrange(200)}"

    async def _send(self, node: Node, visits: list[Visit]) -> None:
        sent = self.oracle.attempted(visits)
        added = await node.add(visits)
        assert added.accepted == sum(visit.count for visit in visits)
        self._acknowledged(visits, added.receipts, added.stored, sent)

    def _acknowledged(self, visits: list[Visit], receipts: list[str], where: str, sent: int) -> None:
        self.spooled += where == "spool"
        self.oracle.acknowledged(visits, receipts, sent, kept=where == "spool")

    async def _single(self, node: Node, name: str) -> None:
        """The hot path's way."""
        leaf = node.definition(name) if node.health.target >= 0 else None
        if leaf is None:
            return
        answer: asyncio.Future[tuple[str, str]] = self.loop.create_future()
        visit = Visit(name, self._visitor())
        if node.submit(leaf, visit.visitor, _Waiter(answer)):
            sent = self.oracle.attempted([visit])
            receipt, where = await answer
            self._acknowledged([visit], [receipt], where, sent)

    async def _ingester(self) -> None:
        """Reads a file that grows, and goes on from the position that the log knows."""
        while True:
            await asyncio.sleep(self.random.uniform(0, 1))
            if self.trouble:
                self.written = min(SOURCE_VISITS, self.written + self.random.randrange(6))
            node = self._any_node()
            if node is not None:
                with contextlib.suppress(FootfallError, TimeoutError):
                    async with asyncio.timeout(CLIENT_TIMEOUT_S):
                        await self._ingest(node)

    async def _ingest(self, node: Node) -> None:
        start = await node.source_position(SOURCE)
        if start < self.written:
            end = self.random.randint(start + 1, self.written)
            visits = [self._line(at) for at in range(start, end)]
            self.oracle.ingested(SOURCE, start, visits, whole=False)
            with contextlib.suppress(SourcePositionError):
                await node.add_chunk(SOURCE, start, end, visits)

    @staticmethod
    def _line(at: int) -> Visit:
        return Visit(NAMES[at * 5 % len(NAMES)], f"visitor {at * 3 % 50}")

    # The end

    async def _heal(self) -> None:
        self.network.stalling = self.network.failing = self.network.losing = self.network.repeating = 0.0
        await asyncio.gather(*self.network.late)
        for site in self.sites:
            if site.node is None:
                await asyncio.create_task(site.start())
            elif not site.connection.connected:
                site.connection.reconnect()
        deadline_s = self.loop.time() + HEALED_S_MAX
        while not await self._healed():
            await asyncio.sleep(0.2)
            assert self.loop.time() < deadline_s, f"not healed: {[self._state(site) for site in self.sites]}"

    async def _healed(self) -> bool:
        node = self.sites[0].node
        assert node is not None
        with contextlib.suppress(FootfallError):
            await self._ingest(node)
        truth = self.oracle.truth
        told = {(key, known.since, known.winner is None) for key, known in truth.winners.standings.items()}
        return (
            truth.sources[SOURCE] == self.written
            and not truth.winners.pending()
            and all(
                site.node is not None
                and told == {((m.counter, m.n), m.since, m.open) for m in site.node.counting.definitions.milestones}
                and not site.node.problems()
                and not site.node.producer.gathered
                and not site.node.spool.messages  # type: ignore[union-attr]
                and all(site.node.read(name).value == value for name, value in truth.values().items())
                for site in self.sites
            )
        )

    def _state(self, site: Site) -> Any:
        node = site.node
        if node is None:
            return site.name, "down"
        truth = self.oracle.truth.values()
        wrong = {
            name: (shown, value)
            for name, value in truth.items()
            if (shown := node.table.value(node.counting.definitions.number(name) or 0)) != value
        }
        judges = {counter: judge.sequence for counter, judge in node.counting.judging.judges.items()}
        pending = self.oracle.truth.winners.pending()
        return site.name, node.problems(), sorted(node.counting.aggregator.owned()), wrong, judges, pending

    def _check_end(self) -> None:
        self.oracle.ingested(SOURCE, 0, [self._line(at) for at in range(self.written)], whole=True)
        self.oracle.check_bounds()
        self.oracle.check_winners()
        self.oracle.check_order()
        self.oracle.exact.check()
        owned = sorted(n for site in self.sites if site.node for n in site.node.counting.aggregator.owned())
        assert set(owned) == set(range(PARTITIONS)), f"partitions {owned} are owned"


class _Waiter:
    def __init__(self, answer: asyncio.Future[tuple[str, str]]) -> None:
        self._answer = answer

    def stored(self, receipt: str, where: str) -> None:
        if not self._answer.done():
            self._answer.set_result((receipt, where))

    def failed(self, error: FootfallError) -> None:
        if not self._answer.done():
            self._answer.set_exception(error)
