"""The raffle's visits: a stream of them in batches, and the last ones by single visitors; shows nothing.

Each sender of batches is a source: its visits are numbered, and a chunk says from which to which it goes. A single
visitor sends an idempotency key. So what must be sent again, to the same node or another one, still counts once, and
what was acknowledged is exact, whatever dies on the way.
"""

import asyncio
import math
import random
import secrets
import time
from collections import Counter, deque
from collections.abc import Sequence

import httpx
import msgspec

from footfall.cli.client import encode_chunk
from footfall.core.names import lineage
from footfall.core.visit import BATCH_VISITS_MAX, Visit
from footfall.errors import UnavailableError

# As many as the searches that Google answered when this counter was first asked for.
VISITS_PER_S = 60_000.0
SITES = {"google.search": 0.70, "google.youtube": 0.20, "google.gmail": 0.10}  # shares of the visits
SUM = "google"  # counts all of them
COUNTERS = (SUM, *SITES)
TICK_S = 0.02
CHUNK_VISITS_MAX = BATCH_VISITS_MAX // 4  # a slow machine gets larger chunks, and then fewer visits
RETRY_S = 0.1
GIVE_UP_S = 30.0
VISITORS = 200_000  # that come to choose from
WAVE_S = 7.0  # traffic swells and ebbs, as it does
SINGLE_CLIENTS = 12
SINGLES_PER_S = 400.0
RECEIPTS_MAX = 100_000  # of single visitors, remembered


class _Position(msgspec.Struct):
    position: int


class _Accepted(msgspec.Struct):
    receipt: str


class Traffic:
    """Visits on their way to nodes.

    Attributes:
        acknowledged: For each counter, what it must show when all is counted.
        visits: All visits acknowledged.
        resent: Requests that had to be sent again.
        receipts: Of the visitors that came by themselves, the latest last.
    """

    def __init__(self, urls: Sequence[str], seed: int, rate: float, batched: int, start: int) -> None:
        """Prepare.

        Args:
            urls: The nodes.
            seed: Of what is made up.
            rate: Visits a second, as long as they come in batches.
            batched: So many come in batches; then visitors come one by one.
            start: What was imported into the sum.
        """
        self.acknowledged: Counter[str] = Counter(dict.fromkeys(COUNTERS, 0))
        self.acknowledged[SUM] = start
        self.visits = self.resent = 0
        self.receipts: deque[tuple[str, str]] = deque(maxlen=RECEIPTS_MAX)
        self._urls = urls
        self._seed = seed
        self._rate = rate
        self._left = batched
        self._run = secrets.token_hex(6)
        self._singles = 0
        self._names, weights = zip(*SITES.items(), strict=True)
        self._weights = list(weights)

    async def run(self, until: asyncio.Event) -> None:
        """Send to every node until the event. Raises UnavailableError if nothing was acknowledged for too long."""
        async with httpx.AsyncClient(trust_env=False, timeout=10.0) as http:
            try:
                async with asyncio.TaskGroup() as group:
                    for sender in range(len(self._urls)):
                        group.create_task(self._batches(http, sender, until))
                if not until.is_set():
                    async with asyncio.TaskGroup() as group:
                        for client in range(SINGLE_CLIENTS):
                            group.create_task(self._come_alone(http, client, until))
            except* UnavailableError as failures:
                raise failures.exceptions[0] from None

    async def _batches(self, http: httpx.AsyncClient, sender: int, until: asyncio.Event) -> None:
        chance = random.Random(self._seed * 1_000 + sender)  # noqa: S311 - makes up visits
        position, due, last = 0, 0.0, time.monotonic()
        while self._left > 0 and not until.is_set():
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            wave = 1 + 0.3 * math.sin(2 * math.pi * now / WAVE_S + sender)
            due = min(due + (now - last) * wave * self._rate / len(self._urls), CHUNK_VISITS_MAX)
            last = now
            count = min(int(due), self._left)
            if count < 1:
                continue
            self._left -= count
            due -= count
            visits = self._visits(chance, count)
            body = encode_chunk(f"demo-{self._run}-{sender}", position, position + count, visits)
            position += count
            await self._deliver(http, sender, "/v1/visits", body, {}, position)
            self._acknowledge(visits)

    def _visits(self, chance: random.Random, count: int) -> list[Visit]:
        names = chance.choices(self._names, self._weights, k=count)
        # Few come often, most come seldom.
        numbers = [int(VISITORS * chance.random() ** 3) for _ in range(count)]
        return [
            Visit(name, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
            for name, number in zip(names, numbers, strict=True)
        ]

    async def _come_alone(self, http: httpx.AsyncClient, client: int, until: asyncio.Event) -> None:
        chance = random.Random(self._seed * 2_000 + client)  # noqa: S311 - makes up visits
        next_s = time.monotonic()
        while not until.is_set():
            next_s = max(next_s + chance.expovariate(SINGLES_PER_S / SINGLE_CLIENTS), time.monotonic())
            await asyncio.sleep(next_s - time.monotonic())
            self._singles += 1
            visitor = f"198.18.{self._singles >> 8 & 255}.{self._singles & 255}"
            (name,) = chance.choices(self._names, self._weights)
            body = msgspec.json.encode({"visitor": visitor})
            headers = {"idempotency-key": secrets.token_urlsafe(18)}  # long enough to be the receipt, too
            answer = await self._deliver(http, client, f"/v1/counters/{name}/visits", body, headers)
            self.receipts.append((visitor, msgspec.json.decode(answer, type=_Accepted).receipt))
            self._acknowledge([Visit(name, visitor)])

    async def _deliver(
        self, http: httpx.AsyncClient, sender: int, path: str, body: bytes, headers: dict[str, str], end: int = -1
    ) -> bytes:
        """Send until it is acknowledged; returns the answer. ``end``: where the source stands once it was counted."""
        deadline = time.monotonic() + GIVE_UP_S
        why = ""
        for attempt in range(int(GIVE_UP_S / RETRY_S)):
            # A node that does not answer is passed over: any node takes any visit.
            url = self._urls[(sender + attempt) % len(self._urls)]
            try:
                answer = await http.post(url + path, content=body, headers=headers)
            except httpx.TransportError as error:
                why = f"{url}: {type(error).__name__}"
            else:
                if answer.status_code == 202 or (answer.status_code == 409 and _position(answer) == end):
                    return answer.content
                why = f"{url} answered {answer.status_code}: {answer.text[:200]}"
            if time.monotonic() > deadline:
                break
            self.resent += 1
            await asyncio.sleep(RETRY_S)
        raise UnavailableError(f"visits were not acknowledged for {GIVE_UP_S:.0f} s ({why})")

    def _acknowledge(self, visits: Sequence[Visit]) -> None:
        self.visits += len(visits)
        for name, count in Counter(visit.counter for visit in visits).items():
            for counter in lineage(name):
                self.acknowledged[counter] += count


def _position(answer: httpx.Response) -> int:
    try:
        return msgspec.json.decode(answer.content, type=_Position).position
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return -1
