"""Tells of winners: at once on the bus, and to the webhook until that has taken it. One node speaks to the webhook."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec

from footfall.core.control import Announced
from footfall.core.definitions import Definitions
from footfall.core.milestones import Standing
from footfall.core.table import Table
from footfall.errors import LogUnavailableError
from footfall.log.protocol import Bus
from footfall.node import webhook
from footfall.node.exact import Write
from footfall.node.members import Members
from footfall.node.readings import MilestoneReading, MilestoneState, winner_reading
from footfall.node.waiting import Reached, ended
from footfall.ordinals import ordinal

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)

WINNERS_SUBJECT = "footfall.winners"
ATTEMPT_S_MAX = 10.0
BACKOFF_FIRST_S, BACKOFF_MAX_S = 1.0, 300.0
GIVE_UP_S = 3 * 24 * 3600  # after the winner came
ATTEMPTS_AT_ONCE_MAX = 8
NOTICED_S_MAX = 10.0  # for what is stored to come back

Post = Callable[[str, bytes, dict[str, str]], Awaitable[int]]


class Event(msgspec.Struct, frozen=True):
    """What the webhook is told.

    Attributes:
        type: ``milestone.reached``.
        timestamp: When the winner came: RFC 3339, in UTC.
        data: The milestone, as the HTTP API answers it.
    """

    type: str
    timestamp: str
    data: MilestoneReading


class Announcing:
    """What one node tells of winners.

    Attributes:
        attempts: Requests to the webhook.
        failures: Those that it did not take.
        given_up: Winners that it has not taken in three days.
    """

    def __init__(
        self,
        bus: Bus,
        created: str,
        table: Table,
        members: Members,
        definitions: Definitions,
        definitions_reached: Reached,
        write: Write,
        url: str,
        key: bytes,
        post: Post | None = None,
    ) -> None:
        """
        Args:
            bus: Between nodes.
            created: Creation time of the log, which names it.
            table: The counts.
            members: The other nodes.
            definitions: All milestones.
            definitions_reached: How far they are.
            write: Stores a control message.
            url: Of the webhook; empty if there is none.
            key: Signs what it is told.
            post: Makes one request; returns the status. By default over HTTP.
        """
        self.attempts = self.failures = self.given_up = 0
        self._bus = bus
        self._created = created
        self._table = table
        self._members = members
        self._definitions = definitions
        self._definitions_reached = definitions_reached
        self._write = write
        self._url = url
        self._key = key
        self._post = post or self._request
        self._client: httpx.AsyncClient | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}  # by the sequence that set the milestone
        self._failed: dict[int, int] = {}  # attempts in a row
        self._due_s: dict[int, float] = {}
        self._over: set[int] = set()  # taken, or given up; only the log has yet to be told

    async def tell(self, standing: Standing) -> None:
        """Tell the cluster of a winner that this node has found."""
        await self._bus.send(WINNERS_SUBJECT, msgspec.json.encode(self._reading(standing)))

    def _reading(self, standing: Standing) -> MilestoneReading:
        number = self._definitions.number(standing.counter)
        value = standing.n if number is None else max(standing.n, self._table.value(number))
        return MilestoneReading(standing.counter, standing.n, MilestoneState.REACHED, value, winner_reading(standing))

    def look(self) -> None:
        """Begin the attempts that are due here. Called at short intervals."""
        if not self._url:
            return
        self._tasks = {since: task for since, task in self._tasks.items() if not task.done()}
        untold = [one for one in self._definitions.milestones if not one.open and not one.announced]
        self._forget({one.since for one in untold})
        for standing in untold:
            if len(self._tasks) >= ATTEMPTS_AT_ONCE_MAX:
                return
            due = time.monotonic() >= self._due_s.get(standing.since, 0.0)
            if due and standing.since not in self._tasks and self._members.is_first(f"webhook {standing.counter}"):
                task = asyncio.create_task(self._announce(standing), name=f"webhook {standing.counter}")
                self._tasks[standing.since] = task

    def _forget(self, left: set[int]) -> None:
        self._over &= left
        for since in (self._failed.keys() | self._due_s.keys()) - left:
            self._failed.pop(since, None)
            self._due_s.pop(since, None)

    async def _announce(self, standing: Standing) -> None:
        """One attempt; and if there need be no more, the message that says so."""
        try:
            if standing.since not in self._over and not await self._attempt(standing):
                return
            self._over.add(standing.since)
            sequence = await self._write(lambda name, at: Announced(name, at, standing.counter, standing.n))
            async with asyncio.timeout(NOTICED_S_MAX):
                await self._definitions_reached.wait(sequence)
        except (LogUnavailableError, TimeoutError) as error:
            self._due_s[standing.since] = time.monotonic() + BACKOFF_FIRST_S
            logger.warning("the log cannot be told yet that the webhook is done: %s", error or "no answer")
        except Exception:  # nobody foresaw it: it must not end the node, and must be seen
            self._due_s[standing.since] = time.monotonic() + BACKOFF_MAX_S
            logger.exception("the webhook cannot be told of the %s of %s", ordinal(standing.n), standing.counter)

    async def _attempt(self, standing: Standing) -> bool:
        """Whether the webhook has taken it, or is given up."""
        assert standing.winner is not None
        name = f"the {ordinal(standing.n)} of {standing.counter}"
        if time.time() - standing.winner.time_ns / 1e9 > GIVE_UP_S:
            self.given_up += 1
            logger.error("the webhook is not told of %s any more: it has not taken it in three days", name)
            return True
        reading = self._reading(standing)
        assert reading.winner is not None
        body = msgspec.json.encode(Event("milestone.reached", reading.winner.time, reading))
        event = webhook.event_id(self._created, standing.counter, standing.n, standing.since)
        headers = webhook.headers(self._key, event, int(time.time()), body)
        self.attempts += 1
        status = await self._status(body, headers)
        if isinstance(status, int) and 200 <= status < 300:
            logger.info("the webhook was told of %s", name)
            return True
        self.failures += 1
        failed = self._failed[standing.since] = self._failed.get(standing.since, 0) + 1
        pause_s = min(BACKOFF_FIRST_S * 2 ** min(failed - 1, 20), BACKOFF_MAX_S)
        self._due_s[standing.since] = time.monotonic() + pause_s
        logger.warning("the webhook did not take %s (%s); again in %g s", name, status, pause_s)
        return False

    async def _status(self, body: bytes, headers: dict[str, str]) -> int | str:
        """The status of the answer, or what came instead. Never the URL: it may hold a credential."""
        try:
            async with asyncio.timeout(ATTEMPT_S_MAX):
                return await self._post(self._url, body, headers)
        except TimeoutError:
            return f"no answer in {ATTEMPT_S_MAX:g} s"
        except Exception as error:  # a URL that cannot be one, a name that is not known, a certificate ...
            return type(error).__name__

    async def _request(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        import httpx

        if self._client is None:
            logging.getLogger("httpx").setLevel(logging.WARNING)  # below, it logs the whole URL
            self._client = httpx.AsyncClient(timeout=ATTEMPT_S_MAX, follow_redirects=False)
        async with self._client.stream("POST", url, content=body, headers=headers) as answer:
            return answer.status_code  # its body is not read

    async def stop(self) -> None:
        """Tell no more; another node does."""
        await ended(self._tasks.values())
        if self._client is not None:
            await self._client.aclose()
