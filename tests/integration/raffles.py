"""A raffle over real nodes: watchers, the log read by a dumb model, and all that must be true in the end."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from hashlib import sha256
from itertools import cycle
from typing import Any

from commands import footfall

from accounts import Account, Place
from crowd import PATIENCE_S, PEOPLE, SITE, SUM, Connection, Crowd, UnansweredError, Visit, path_of
from footfall.core.position import Position, at
from footfall.core.routing import ranking
from footfall.log.jetstream import JetStreamLog
from footfall.log.opening import connect_existing
from footfall.node.judge_begin import judge_subjects

VISITS = 2_000
MILESTONES = {SUM: 1_400, SITE: 500, PEOPLE: 210}  # none is reached before the sum is at 1,100


class Watcher:
    """Looks at the sum at one node again and again: it never shows less than before, whatever dies."""

    def __init__(self, url: str) -> None:
        self.value = -1
        self.phases: list[str] = []  # as they changed
        self._connection = Connection(url)

    async def run(self) -> None:
        """Look until this is cancelled."""
        try:
            while True:
                with contextlib.suppress(UnansweredError):
                    status, answer = await self._connection.ask("GET", f"/v1/counters/{SUM}")
                    if status == 200:
                        self._see(answer)
                await asyncio.sleep(0.02)
        finally:
            self._connection.close()

    def _see(self, answer: Any) -> None:
        value, phase = answer["value"], answer["phase"]
        assert value >= self.value, f"{self._connection.url} showed {self.value}, and then {answer}"
        self.value = value
        if self.phases[-1:] != [phase]:
            self.phases.append(phase)


class Raffle:
    """Milestones on the sum, on a site and on people; nodes and servers may die while it is held."""

    def __init__(self, urls: Sequence[str], log: JetStreamLog) -> None:
        self.urls = urls
        self.log = log
        self.crowd = Crowd(urls)
        self.account = Account()
        self.watchers = [Watcher(url) for url in urls]

    async def ask(self, method: str, path: str, body: object = None, at: str = "") -> tuple[int, Any]:
        """What a node says, by default the first; it is asked again if it does not answer, or not now."""
        connection = Connection(at or self.urls[0])
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    with contextlib.suppress(UnansweredError):
                        status, answer = await connection.ask(method, path, body, timeout_s=PATIENCE_S)
                        if status != 503:
                            return status, answer
                    await asyncio.sleep(0.05)
        finally:
            connection.close()

    async def set_up(self) -> None:
        """Define the counter of people, and set the milestones."""
        assert (await self.ask("PUT", f"/v1/counters/{PEOPLE}", {"unit": "visitors"}))[0] == 201
        for counter, n in MILESTONES.items():
            await self.set(counter, n)

    async def set(self, counter: str, n: int) -> None:
        """Set a milestone."""
        status, answer = await self.ask("PUT", f"/v1/counters/{counter}/milestones/{n}")
        assert status in (200, 201), answer

    async def read_log(self, begin: Position) -> None:
        """Take account of the log after a position, until this is cancelled."""
        async for delivery in self.log.read(judge_subjects(self.log.partitions), begin):
            for message in delivery.messages:
                self.account.take(message)

    async def judge(self) -> str:
        """The URL of the node that judges the sum."""
        _, answer = await self.ask("GET", "/v1/nodes")
        nodes = {node["id"]: node["url"] for node in answer["nodes"]}
        assert sorted(nodes.values()) == sorted(self.urls)
        return str(nodes[ranking(f"judge {SUM}", nodes)[0]])

    async def closing(self) -> None:
        """Return in the midst of the traffic, when reads come from a judge and no milestone is reached yet."""
        await until(lambda: self.crowd.told[SUM] > MILESTONES[SUM] // 3, "the traffic")
        await until(lambda: any(one.phases[-1] == "cp" for one in self.watchers), "phase cp")
        assert not self.account.reached

    async def winner(self, counter: str, n: int, urls: Sequence[str] = ()) -> Any:
        """The winner, once these nodes, by default all, tell him; they must tell the same."""
        told: list[Any] = []
        path = f"/v1/counters/{counter}/milestones/{n}"

        async def all_tell() -> bool:
            told[:] = [(await self.ask("GET", path, at=url))[1]["winner"] for url in urls or self.urls]
            return all(told)

        await until_async(all_tell, f"the {n}-th of {counter}")
        assert all(one == told[0] for one in told), told
        return told[0]

    async def winners(self, urls: Sequence[str] = ()) -> dict[str, Any]:
        """By counter: the winner that these nodes, by default all, tell."""
        return {counter: await self.winner(counter, n, urls) for counter, n in MILESTONES.items()}


@contextlib.asynccontextmanager
async def raffle_at(urls: Sequence[str], servers: Sequence[str]) -> AsyncIterator[Raffle]:
    """A raffle with its watchers and its reader of the log; what one of these finds wrong is raised."""
    log = await connect_existing(servers, name="test")
    try:
        last = await log.message((await log.state()).last_sequence)
        assert last is not None, "nodes have begun to write"
        raffle = Raffle(urls, log)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(watcher.run()) for watcher in raffle.watchers]
            tasks.append(group.create_task(raffle.read_log(at(log.created, last))))
            await until(lambda: all(watcher.phases for watcher in raffle.watchers), "the watchers")
            yield raffle
            for task in tasks:
                task.cancel()
    finally:
        await log.close()


async def until(true: Callable[[], object], what: str) -> None:
    """Return once it is true."""

    async def is_true() -> bool:
        return bool(true())

    await until_async(is_true, what)


async def until_async(true: Callable[[], Awaitable[bool]], what: str) -> None:
    """Return once it is true."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await true():  # noqa: ASYNC110 - it is other processes that make it true
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"{what} did not come in {PATIENCE_S} s") from None


# --- what a raffle promises, once all its visits were acknowledged and all nodes are back ----------------------------


async def check(raffle: Raffle, visits: Sequence[Visit], audit: Sequence[str]) -> None:
    """The winners are the log's, each can claim, an audit agrees, and every visit is counted once; ``audit``: where."""
    winners = await raffle.winners()
    await check_counts(raffle, visits)
    for counter, n in MILESTONES.items():
        check_winner(winners[counter], raffle.account.order[counter][n - 1])
        said = raffle.account.reached[counter]
        assert said
        assert all(one == said[0] for one in said), "two judges agree"
        await check_claims(raffle, counter, n)
    await check_audit(SUM, MILESTONES[SUM], audit)


async def check_counts(raffle: Raffle, visits: Sequence[Visit]) -> None:
    """Each visit is counted once, by the log and by every node; no judge is needed any more."""
    assert raffle.crowd.receipts.keys() == {visit.key for visit in visits}
    expected = Counter(counter for visit in visits for counter in path_of(visit.counter))
    expected[PEOPLE] = len({visit.visitor for visit in visits if visit.counter == PEOPLE})
    order = raffle.account.order
    # While the servers elected another leader, nodes answered for visits in their spools.
    await until(lambda: all(len(order[counter]) >= value for counter, value in expected.items()), "every visit")
    end = (await raffle.log.state()).last_sequence
    await until(lambda: raffle.account.sequence >= end, "the end of the log")
    for counter, value in expected.items():
        assert len(order[counter]) == value, counter
        for url in raffle.urls:
            _, answer = await raffle.ask("GET", f"/v1/counters/{counter}?consistency=linearizable", at=url)
            assert answer["value"] == value
    over = [expected[SUM], "ap", "ap"]
    await until(lambda: all([one.value, one.phases[0], one.phases[-1]] == over for one in raffle.watchers), f"{over}")


def check_winner(winner: Any, place: Place) -> None:
    """A winner as nodes tell him is who stands there in the log."""
    told = winner["sequence"], winner["index"], winner["visitor"], winner["receipt_sha256"]
    assert told == (place.sequence, place.entry, place.visitor, sha256(place.key.encode()).hexdigest())


async def check_claims(raffle: Raffle, counter: str, n: int) -> None:
    """The winner can claim with what he was answered, once, and nobody else can."""
    before, his, after = [raffle.crowd.receipts[place.key] for place in raffle.account.order[counter][n - 2 : n + 1]]
    path = f"/v1/counters/{counter}/milestones/{n}/claim"
    shown = zip([before, after, his, his, before], cycle(raffle.urls), strict=False)
    statuses = [(await raffle.ask("POST", path, {"receipt": receipt}, url))[0] for receipt, url in shown]
    assert statuses == [403, 403, 200, 409, 403]


async def check_audit(counter: str, n: int, where: Sequence[str]) -> None:
    """Another process derives the same winner from the log."""
    done = await asyncio.to_thread(footfall, "audit", counter, str(n), *where, "--json")
    assert json.loads(done.stdout)["agrees"]
