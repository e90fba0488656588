"""Generated visits to a few sites, sent to several nodes, and what of them was acknowledged; shows nothing.

Each sender is a source: its visits are numbered, and a chunk says from which to which it goes. When an answer is lost,
or a node dies, the chunk is sent again, to the next node, and still counts once. So what is acknowledged is exact.
"""

import asyncio
import math
import random
import secrets
import time
from collections import Counter
from collections.abc import Sequence

import httpx
import msgspec

from footfall.cli.client import encode_chunk
from footfall.core.names import Unit, lineage
from footfall.core.visit import BATCH_VISITS_MAX, Visit
from footfall.errors import UnavailableError

# As many as the searches that Google answered when this counter was first asked for.
VISITS_PER_S = 60_000
# Shares of the visits. A visit counts in its counter and in the one above: in google too, and in shop, which counts
# each visitor once.
SITES = {"google.search": 0.70, "google.youtube": 0.20, "google.gmail": 0.07, "shop.views": 0.03}
UNITS = {
    "google": Unit.VISITS,
    "google.search": Unit.VISITS,
    "google.youtube": Unit.VISITS,
    "google.gmail": Unit.VISITS,
    "shop": Unit.VISITORS,
    "shop.views": Unit.VISITS,
}
TICK_S = 0.02
CHUNK_VISITS_MAX = BATCH_VISITS_MAX // 4  # a slow machine gets larger chunks, and then fewer visits
RETRY_S = 0.1
GIVE_UP_S = 30.0
VISITORS = 200_000  # that come to choose from
WAVE_S = 7.0  # traffic swells and ebbs, as it does


class _Position(msgspec.Struct):
    position: int


class Traffic:
    """Visits on their way to nodes.

    Attributes:
        acknowledged: For each counter, what it must show when all is counted: visits, or distinct visitors.
        visits: All visits acknowledged.
        resent: Chunks that had to be sent again.
    """

    def __init__(self, urls: Sequence[str], seed: int) -> None:
        self.acknowledged: Counter[str] = Counter(dict.fromkeys(UNITS, 0))
        self.visits = 0
        self.resent = 0
        self._urls = urls
        self._seed = seed
        self._run = secrets.token_hex(6)
        self._shoppers: set[str] = set()
        self._names, weights = zip(*SITES.items(), strict=True)
        self._weights = list(weights)

    async def run(self, until: asyncio.Event) -> None:
        """Send to every node until the event. Raises UnavailableError if nothing was acknowledged for too long."""
        async with httpx.AsyncClient(trust_env=False, timeout=10.0) as http:
            try:
                async with asyncio.TaskGroup() as group:
                    for sender in range(len(self._urls)):
                        group.create_task(self._send(http, sender, until))
            except* UnavailableError as failures:
                raise failures.exceptions[0] from None

    async def _send(self, http: httpx.AsyncClient, sender: int, until: asyncio.Event) -> None:
        chance = random.Random(self._seed * 1_000 + sender)  # noqa: S311 - makes up visits
        position, due, last = 0, 0.0, time.monotonic()
        while not until.is_set():
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            wave = 1 + 0.3 * math.sin(2 * math.pi * now / WAVE_S + sender)
            due = min(due + (now - last) * wave * VISITS_PER_S / len(self._urls), CHUNK_VISITS_MAX)
            last = now
            if due < 1:
                continue
            visits = self._visits(chance, int(due))
            due -= len(visits)
            body = encode_chunk(f"demo-{self._run}-{sender}", position, position + len(visits), visits)
            await self._deliver(http, sender, body, position + len(visits))
            position += len(visits)
            self._acknowledge(visits)

    def _visits(self, chance: random.Random, count: int) -> list[Visit]:
        names = chance.choices(self._names, self._weights, k=count)
        # Few come often, most come seldom.
        numbers = [int(VISITORS * chance.random() ** 3) for _ in range(count)]
        return [
            Visit(name, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
            for name, number in zip(names, numbers, strict=True)
        ]

    async def _deliver(self, http: httpx.AsyncClient, sender: int, body: bytes, end: int) -> None:
        deadline = time.monotonic() + GIVE_UP_S
        why = ""
        for attempt in range(int(GIVE_UP_S / RETRY_S)):
            # A node that does not answer is passed over: any node takes any chunk.
            url = self._urls[(sender + attempt) % len(self._urls)]
            try:
                answer = await http.post(f"{url}/v1/visits", content=body)
            except httpx.TransportError as error:
                why = f"{url}: {type(error).__name__}"
            else:
                if answer.status_code == 202 or (answer.status_code == 409 and _position(answer) == end):
                    return
                why = f"{url} answered {answer.status_code}: {answer.text[:200]}"
            if time.monotonic() > deadline:
                break
            self.resent += 1
            await asyncio.sleep(RETRY_S)
        raise UnavailableError(f"visits were not acknowledged for {GIVE_UP_S:.0f} s ({why})")

    def _acknowledge(self, visits: Sequence[Visit]) -> None:
        self.visits += len(visits)
        for visit in visits:
            if visit.counter == "shop.views" and visit.visitor is not None:
                self._shoppers.add(visit.visitor)
        for name, count in Counter(visit.counter for visit in visits).items():
            for counter in lineage(name):
                if UNITS[counter] is Unit.VISITS:
                    self.acknowledged[counter] += count
        self.acknowledged["shop"] = len(self._shoppers)


def _position(answer: httpx.Response) -> int:
    try:
        return msgspec.json.decode(answer.content, type=_Position).position
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return -1
