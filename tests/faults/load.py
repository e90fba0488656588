"""Clients of all nodes: they pay visits, read, and watch milestones until they are told to end, and write it down."""

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Self

from history import UNANSWERED_S, Attempt, History, Read, Winner

from crowd import PATIENCE_S, Connection, UnansweredError

CLIENTS = 16
PAUSE_S = 0.04
READ_PAUSE_S = 0.05
EXACT_PAUSE_S = 0.1
EXACT_ANSWER_S = 6.0  # more than a node waits for all partitions
VISITORS = 300
RETRY_PAUSE_S = 0.05


class Load:
    """Traffic on some counters, and a milestone on their sum.

    Attributes:
        nodes: Where clients go, by name; may be changed while they run.
        acknowledged: How many visits were, so far.
    """

    def __init__(self, name: str, nodes: Mapping[str, str], seed: int = 0) -> None:
        self.name = name
        self.nodes = dict(nodes)
        self.history = History()
        self.acknowledged = 0
        self.spooled = 0
        self.leaves = [f"{name}.mail", f"{name}.maps", f"{name}.people"]
        self.people = frozenset({f"{name}.people"})
        self._chance = random.Random(seed)
        self._ending = False
        self._milestones: dict[int, None] = {}

    @property
    def counters(self) -> list[str]:
        """Everything that is visited."""
        return [self.name, *self.leaves]

    async def set_up(self, *milestones: int) -> None:
        """Define the counters, and set the milestones of their sum."""
        for leaf in self.leaves:
            unit = "visitors" if leaf in self.people else "visits"
            status, answer = await self.ask("PUT", f"/v1/counters/{leaf}", {"unit": unit})
            assert status in (200, 201), answer
        for n in milestones:
            status, answer = await self.ask("PUT", f"/v1/counters/{self.name}/milestones/{n}")
            assert status in (200, 201), answer
            self._milestones[n] = None

    async def ask(self, method: str, path: str, body: object = None, only: str = "") -> tuple[int, Any]:
        """What any node, or only one, answers once it does."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                name = only or self._chance.choice(list(self.nodes))
                with contextlib.closing(Connection(self.nodes[name])) as one, contextlib.suppress(UnansweredError):
                    status, answer = await one.ask(method, path, body, timeout_s=EXACT_ANSWER_S)
                    if status != 503:
                        return status, answer
                await asyncio.sleep(RETRY_PAUSE_S)

    @contextlib.asynccontextmanager
    async def running(self, clients: int = CLIENTS) -> AsyncIterator[None]:
        """Clients run as long as the block; when it ends, each gets its last visit acknowledged."""
        self._ending = False
        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(self._visit())
            group.create_task(self._read(exact=False, pause_s=READ_PAUSE_S))
            group.create_task(self._read(exact=True, pause_s=EXACT_PAUSE_S))
            group.create_task(self._watch())
            try:
                yield
            finally:
                self._ending = True

    async def until_acknowledged(self, count: int, timeout_s: float = PATIENCE_S) -> None:
        """Return once so many visits were acknowledged, all in all."""
        await until(lambda: self.acknowledged >= count, f"{count} visits", timeout_s)

    # --- clients -----------------------------------------------------------------------------------------------------

    async def _visit(self) -> None:
        async with _Connections(self) as connections:
            while not self._ending:
                node = self._chance.choice(list(self.nodes))
                counter = self._chance.choice(self.leaves)
                visitor, key = f"visitor {self._chance.randrange(VISITORS)}", secrets.token_hex(12)
                await self._pay(connections, node, counter, visitor, key)
                await asyncio.sleep(PAUSE_S)

    async def _pay(self, connections: "_Connections", node: str, counter: str, visitor: str, key: str) -> None:
        """Send a visit until it is acknowledged, at another node if need be."""
        path, body = f"/v1/counters/{counter}/visits", {"visitor": visitor}
        async with asyncio.timeout(2 * PATIENCE_S):
            while True:
                begin_s, failure = time.monotonic(), ""
                try:
                    status, answer = await connections.to(node).ask("POST", path, body, key)
                except UnansweredError as unanswered:
                    status, answer, failure = 0, {}, unanswered.why
                assert status in (0, 202, 503), answer
                end_s = time.monotonic() if status else UNANSWERED_S
                stored, receipt = (answer["stored"], answer["receipt"]) if status == 202 else ("", "")
                self.history.attempts.append(
                    Attempt(begin_s, end_s, node, counter, visitor, key, stored, receipt, failure or str(status))
                )
                if stored:
                    self.acknowledged += 1
                    self.spooled += stored == "spool"
                    return
                names = sorted(self.nodes)
                node = names[(names.index(node) + 1) % len(names)] if node in names else names[0]
                await asyncio.sleep(RETRY_PAUSE_S)

    async def _read(self, exact: bool, pause_s: float) -> None:
        """Each counter at each node, again and again."""

        async def one(node: str, connections: _Connections) -> None:
            while not self._ending:
                counter = self._chance.choice(self.counters)
                path = f"/v1/counters/{counter}" + ("?consistency=linearizable" if exact else "")
                begin_s = time.monotonic()
                with contextlib.suppress(UnansweredError):
                    status, said = await connections.to(node).ask("GET", path, timeout_s=EXACT_ANSWER_S)
                    assert status in (200, 503), said
                    if status == 200:
                        end_s, value, pending = time.monotonic(), said["value"], said["pending"]
                        self.history.reads.append(
                            Read(begin_s, end_s, node, counter, value, exact, said["sequence"], pending)
                        )
                await asyncio.sleep(pause_s)

        await self._at_each(one)

    async def _watch(self) -> None:
        """Each milestone at each node: whoever tells of a winner has told."""

        async def one(node: str, connections: _Connections) -> None:
            while not self._ending:
                for n in self._milestones:
                    with contextlib.suppress(UnansweredError):
                        path = f"/v1/counters/{self.name}/milestones/{n}"
                        status, said = await connections.to(node).ask("GET", path)
                        if status == 200:
                            self._note(node, n, said["winner"])
                await asyncio.sleep(2 * EXACT_PAUSE_S)

        await self._at_each(one)

    def _note(self, node: str, n: int, winner: dict[str, Any] | None) -> None:
        if winner is not None:
            told = (winner[name] for name in ("sequence", "index", "visitor"))
            self.history.winners.append(Winner(time.monotonic(), node, self.name, n, *told))

    async def winners(self) -> None:
        """Every node is asked for every winner, until it tells him."""
        for node in self.nodes:
            for n in self._milestones:
                async with asyncio.timeout(PATIENCE_S):
                    told = None
                    while told is None:
                        _, said = await self.ask("GET", f"/v1/counters/{self.name}/milestones/{n}", only=node)
                        told = said["winner"]
                        await asyncio.sleep(RETRY_PAUSE_S)
                self._note(node, n, told)

    async def _at_each(self, one: Callable[[str, "_Connections"], Awaitable[None]]) -> None:
        """Do this at each node, those that join included."""
        begun: set[str] = set()
        async with _Connections(self) as connections, asyncio.TaskGroup() as group:
            while not self._ending:
                for node in self.nodes.keys() - begun:
                    begun.add(node)
                    group.create_task(one(node, connections))
                await asyncio.sleep(READ_PAUSE_S)


class _Connections:
    """One client's connections."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._urls = dict(load.nodes)
        self._open: dict[str, Connection] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        for connection in self._open.values():
            connection.close()

    def to(self, node: str) -> Connection:
        self._urls |= self._load.nodes
        return self._open.setdefault(node, Connection(self._urls[node]))


async def until(true: Callable[[], object], what: str, timeout_s: float = PATIENCE_S) -> None:
    """Return once it is true."""
    deadline_s = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline_s, f"{what} did not come in {timeout_s} s"
        await asyncio.sleep(0.02)
