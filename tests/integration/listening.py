"""Listens to a stream of events, as a client does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

import httpx
import msgspec

PATIENCE_S = 20.0


class Event(NamedTuple):
    """An event."""

    name: str
    id: str
    data: Any


class Stream:
    """A stream that is being read."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.last_id = ""
        self.comments = 0
        self.retry_ms = 0
        self._lines = answer.aiter_lines()

    async def next(self, *names: str) -> Event:
        """The next event, of those names if there are any. Raises StopAsyncIteration at the end of the stream."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                event = await self._event()
                if not names or event.name in names:
                    return event

    async def _event(self) -> Event:
        fields: dict[str, str] = {}
        while (line := await anext(self._lines)) or "data" not in fields:
            name, _, value = line.partition(": ")
            if line.startswith(":"):
                self.comments += 1
            elif name == "retry":
                self.retry_ms = int(value)
            elif line:
                fields[name] = value
        self.last_id = fields["id"]
        return Event(fields["event"], fields["id"], msgspec.json.decode(fields["data"]))

    async def value(self, value: int) -> Event:
        """The first event that tells of a value, or of a larger one; values never fall on the way there."""
        before = 0
        while True:
            event = await self.next("value")
            assert event.data["value"] >= before
            before = event.data["value"]
            if before >= value:
                return event

    async def ends(self) -> None:
        """Read on until the stream is over."""
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(StopAsyncIteration):
                while True:
                    await self._event()


@contextlib.asynccontextmanager
async def listen(url: str, counter: str | Sequence[str], last_id: str = "", token: str = "") -> AsyncIterator[Stream]:
    """A stream of one counter; or of many, and of the whole."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if last_id:
        headers["Last-Event-ID"] = last_id
    one = isinstance(counter, str)
    path = f"/v1/counters/{counter}/events" if one else "/v1/events"
    query = {} if one else {"counter": list(counter)}
    async with (
        httpx.AsyncClient(base_url=url, timeout=PATIENCE_S) as client,
        client.stream("GET", path, params=query, headers=headers) as answer,
    ):
        yield Stream(answer)
