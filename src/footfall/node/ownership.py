"""Which partitions this node folds: it takes those that are its own, lets others go, and answers for their sources."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping

from footfall.errors import CheckpointError, IntegrityError, LogUnavailableError, MalformedError, NotReadyError
from footfall.log.protocol import Bus
from footfall.node import messages
from footfall.node.aggregator import Aggregator, State
from footfall.node.cuts import Cuts
from footfall.node.members import Members
from footfall.node.messages import SOURCE_SUBJECT, SourceQuery
from footfall.node.waiting import ended

logger = logging.getLogger(__name__)

OWNER_TIMEOUT_S = 2.0


class Ownership:
    """The partitions of one node. Two nodes may own one for a while: that costs work, and changes no count.

    Attributes:
        cannot: Which partition could not be taken at the last attempt, and why; or nothing.

    Args:
        bus: Over which nodes ask the owner of a partition.
        members: Who decides which are this node's.
        cuts: From which a partition that is taken goes on.
        aggregator: Folds them.
        dropped: Called when this node has let some go.
        watched: Sees to it that a task that dies is noticed.
    """

    def __init__(
        self,
        bus: Bus,
        members: Members,
        cuts: Cuts,
        aggregator: Aggregator,
        dropped: Callable[[], None],
        watched: Callable[[asyncio.Task[None]], asyncio.Task[None]],
    ) -> None:
        self.cannot = ""
        self._bus = bus
        self._members = members
        self._cuts = cuts
        self._aggregator = aggregator
        self._dropped = dropped
        self._watched = watched
        self._taking: asyncio.Task[None] | None = None
        self._serving: dict[int, Callable[[], Awaitable[None]]] = {}  # what ends it

    async def begin(self, states: Mapping[int, State]) -> None:
        """Take this node's partitions; ``states``: all of them as the newest cut has them."""
        mine, _ = self._members.decide({}, {}, {})
        self._aggregator.start(states[number] for number in mine)
        for number in mine:
            await self._serve(number)

    async def look(self) -> None:
        """Let go of what others count, and take what this node should."""
        aggregator = self._aggregator
        mine, free = self._members.decide(aggregator.owned(), aggregator.catching_up(), aggregator.lags_s())
        if gone := free | aggregator.overtaken():
            await self._drop(gone)
        if free:
            logger.info("partitions %s are counted elsewhere now", ", ".join(map(str, sorted(free))))
        missing = mine - aggregator.foldings.keys()
        if not missing:
            self.cannot = ""
        elif self._taking is None or self._taking.done():
            self._taking = self._watched(asyncio.create_task(self._take_over(missing), name="take over"))

    async def _take_over(self, numbers: set[int]) -> None:
        states: list[State] = []
        for number in sorted(numbers):
            try:
                states.append(await self._cuts.newest_partition(number))
            except (LogUnavailableError, CheckpointError) as error:  # without a cut now, the next may serve
                cannot = f"partition {number} is not counted: it cannot be taken yet, and is tried on: {error}"
                if self.cannot != cannot:
                    logger.warning("%s", cannot)
                self.cannot = cannot
                break  # tried again at the next look
            except IntegrityError as error:
                self._aggregator.fail(error)
                return
        if not states:
            return
        self.cannot = ""
        self._aggregator.start(states)
        for partition, _, _ in states:
            await self._serve(partition.number)
        logger.info("partitions %s are counted here now", ", ".join(str(state[0].number) for state in states))

    async def _serve(self, number: int) -> None:
        """Answer other nodes' questions about a partition's sources."""

        async def answer(data: bytes) -> bytes | None:
            try:
                query = messages.decode_query(data)
                position = await self._aggregator.source_position(number, query.source, query.sequence, OWNER_TIMEOUT_S)
            except (MalformedError, NotReadyError) as error:
                logger.warning("%s", error)
                return None
            return messages.encode(position)

        self._serving[number] = await self._bus.subscribe(SOURCE_SUBJECT.format(partition=number), answer)

    async def _drop(self, numbers: Iterable[int]) -> None:
        numbers = list(numbers)
        await self._aggregator.stop(numbers)
        self._dropped()
        for number in numbers:
            if unsubscribe := self._serving.pop(number, None):
                await unsubscribe()

    async def source_position(self, number: int, source: str, sequence: int) -> int:
        """Where a source stands, once its partition is folded up to ``sequence``: asked of an owner.

        Raises:
            NotReadyError: No owner can tell now.
        """
        if number in self._aggregator.owned():
            return await self._aggregator.source_position(number, source, sequence, OWNER_TIMEOUT_S)
        query = messages.encode(SourceQuery(source, sequence))
        try:
            subject = SOURCE_SUBJECT.format(partition=number)
            return messages.decode_position(await self._bus.ask(subject, query, 2 * OWNER_TIMEOUT_S))
        except LogUnavailableError:
            raise NotReadyError(f"no node counts partition {number} now; try again later") from None
        except MalformedError as error:
            raise NotReadyError(
                f"what the node that counts partition {number} answers is no position: {error}"
            ) from None

    async def stop(self) -> None:
        """Let all go."""
        await ended([self._taking])
        await self._drop(self._aggregator.foldings)
