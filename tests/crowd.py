"""A crowd of clients at real nodes: each asks until it is answered, at another node if need be."""

import asyncio
import contextlib
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

SUM, SITE, PEOPLE = "google", "google.gmail", "google.people"
CLIENTS = 64
ANSWER_S = 2.0  # a node that is slower is passed over: any node takes any visit
PATIENCE_S = 45.0


def path_of(name: str) -> list[str]:
    """A counter and its ancestors."""
    parts = name.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


class UnansweredError(Exception):
    """No answer: the request may have been done, or not.

    Attributes:
        why: What happened to the connection, and whether it had served before.
    """

    def __init__(self, url: str, error: Exception, served: bool) -> None:
        super().__init__(f"{url}: {error!r}")
        ended = isinstance(error, ConnectionResetError | BrokenPipeError | asyncio.IncompleteReadError)
        self.why = "ended while idle" if ended and served else type(error).__name__


class Connection:
    """One client's connection to a node; it is made anew after whatever went wrong."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._port = int(url.rpartition(":")[2])
        self._served = False  # whether there was an answer on this connection
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
            raise UnansweredError(self.url, error, self._served) from None

    async def _exchange(self, request: bytes) -> tuple[int, Any]:
        if self._streams is not None and self._streams[0].at_eof():
            self.close()  # the node has ended it since the last answer
        if self._streams is None:
            self._served = False
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(request)
        status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if line)
        answer = await reader.readexactly(int(headers["content-length"]))
        self._served = True
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
