"""A raffle over real nodes: a crowd that asks until it is answered, watchers, and the log read by a dumb model."""

import asyncio
import contextlib
import json
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from hashlib import sha256
from itertools import cycle
from typing import Any, NamedTuple

import msgspec
from commands import footfall

from footfall.core.position import Position, at
from footfall.core.routing import ranking
from footfall.log.jetstream import JetStreamLog, connect_existing
from footfall.log.protocol import CONTROL_SUBJECT, Message
from footfall.node.judge_begin import judge_subjects

SUM, SITE, PEOPLE = "google", "google.gmail", "google.people"
VISITS = 2_000
MILESTONES = {SUM: 1_400, SITE: 500, PEOPLE: 190}  # none is reached before the sum is at 1,000
CLIENTS = 64
ANSWER_S = 2.0  # a node that is slower is passed over: any node takes any visit
PATIENCE_S = 45.0


class UnansweredError(Exception):
    """No answer: the request may have been done, or not."""


class Connection:
    """One client's connection to a node; it is made anew after whatever went wrong."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._port = int(url.rpartition(":")[2])
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(
        self, method: str, path: str, body: object = None, key: str | None = None, timeout_s: float = ANSWER_S
    ) -> tuple[int, Any]:
        """Status and JSON. Raises UnansweredError."""
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {len(data)}\r\n"
        head += "Content-Type: application/json\r\n" if data else ""
        head += "" if key is None else f"Idempotency-Key: {key}\r\n"
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(head.encode() + b"\r\n" + data)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            self.close()
            raise UnansweredError(f"{self.url}: {error!r}") from None

    async def _exchange(self, request: bytes) -> tuple[int, Any]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(request)
        status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if line)
        answer = await reader.readexactly(int(headers["content-length"]))
        if headers.get("connection") == "close":
            self.close()
        return int(status.split(" ")[1]), json.loads(answer)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


class Visit(NamedTuple):
    """A visit that some client is to pay; its key makes it count once, and is its receipt."""

    counter: str
    visitor: str
    key: str


def make_visits(count: int, seed: int) -> list[Visit]:
    """Visits to three sites, and to a counter of people, many of whom come again."""
    chance = random.Random(seed)
    counters = chance.choices([SITE, "google.youtube", "google.search", PEOPLE], [40, 20, 20, 20], k=count)
    return [
        Visit(counter, f"visitor {chance.randrange(500)}", f"key {number} of raffle {seed} {chance.randbytes(8).hex()}")
        for number, counter in enumerate(counters)
    ]


class Crowd:
    """Clients that pay visits through all nodes, each until it is acknowledged."""

    def __init__(self, urls: Sequence[str]) -> None:
        self.sent: Counter[str] = Counter()  # by counter and ancestor: visits that were sent, once or more
        self.told: Counter[str] = Counter()  # those that were acknowledged
        self.receipts: dict[str, str] = {}  # key → what the visit was answered with
        self.retries = 0
        self._urls = urls

    async def come(self, visits: Sequence[Visit], clients: int = CLIENTS, pause_s: float = 0.0) -> None:
        """All visits, by so many clients at a time."""
        left = iter(visits)
        async with asyncio.TaskGroup() as group:
            for number in range(clients):
                group.create_task(self._client(number, left, pause_s))

    async def _client(self, number: int, visits: Iterator[Visit], pause_s: float) -> None:
        connections = [Connection(url) for url in self._urls]
        try:
            for visit in visits:
                number = await self._pay(visit, connections, number)
                await asyncio.sleep(pause_s)
        finally:
            for connection in connections:
                connection.close()

    async def _pay(self, visit: Visit, connections: list[Connection], number: int) -> int:
        """Send a visit until it is acknowledged; returns which node did so."""
        for counter in path_of(visit.counter):
            self.sent[counter] += 1
        path, body = f"/v1/counters/{visit.counter}/visits", {"visitor": visit.visitor}
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with contextlib.suppress(UnansweredError):
                    connection = connections[number % len(connections)]
                    status, answer = await connection.ask("POST", path, body, visit.key)
                    assert status in (202, 503), answer
                    if status == 202:
                        break
                self.retries += 1
                number += 1
                await asyncio.sleep(0.05)
        self.receipts[visit.key] = answer["receipt"]
        for counter in path_of(visit.counter):
            self.told[counter] += 1
        return number


class Place(NamedTuple):
    """Where a counted visit stands in the log: which entry of which message; who came, and its key."""

    sequence: int
    entry: int
    visitor: str
    key: str


class Account:
    """What a log of keyed visits holds, worked out anew: for each counter its visits, one after the other."""

    def __init__(self) -> None:
        self.sequence = 0
        self.order: dict[str, list[Place]] = defaultdict(list)
        self.reached: dict[str, list[Any]] = defaultdict(list)  # counter → what judges said, in the log's order
        self._units: dict[str, str] = {}
        self._seen: set[tuple[str, ...]] = set()

    def take(self, message: Message) -> None:
        assert message.sequence > self.sequence
        self.sequence = message.sequence
        raw = msgspec.msgpack.decode(message.data)
        number = raw[2] if message.subject == CONTROL_SUBJECT else raw[3]
        if not self._is_first("message", message.subject, raw[1], str(number)):
            return  # a producer's repeat
        if raw[0] == "define/1":
            self._units |= {name: unit for name, unit in raw[3] if name not in self._units}
        elif raw[0] == "reached/1":
            self.reached[raw[3]].append(raw[5])
        elif raw[0] == "batch/1":
            self._batch(message.sequence, raw[4])

    def _batch(self, sequence: int, sections: Any) -> None:
        index = -1
        for leaf, unit, entries, visitors, keys, times in sections:
            assert times == 1
            names, own = msgspec.msgpack.decode(visitors), msgspec.msgpack.decode(keys)
            assert len(names) == len(own) == entries
            for visitor, key in zip(names, own, strict=True):
                index += 1
                if unit == "visits" and not self._is_first("key", leaf, key):
                    continue
                for counter in path_of(leaf):
                    if self._units.get(counter, "visits") != unit:
                        continue
                    if unit == "visits" or self._is_first("visitor", counter, visitor):
                        self.order[counter].append(Place(sequence, index, visitor, key))

    def _is_first(self, *what: str) -> bool:
        first = what not in self._seen
        self._seen.add(what)
        return first


def path_of(name: str) -> list[str]:
    """A counter and its ancestors."""
    parts = name.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


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
        await until(lambda: all(one.value > MILESTONES[SUM] // 3 for one in self.watchers), "the traffic")
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
    end = (await raffle.log.state()).last_sequence
    await until(lambda: raffle.account.sequence >= end, "the end of the log")
    for counter, value in expected.items():
        assert len(raffle.account.order[counter]) == value, counter
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
