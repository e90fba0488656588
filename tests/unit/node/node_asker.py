"""One node's exact reads by themselves: a test stores their barriers, and says what each partition had counted."""

import asyncio
from collections.abc import Callable

from node_line import Line, soon

from footfall.core.control import Barrier, Control, Milestone
from footfall.errors import FootfallError
from footfall.node.exact import Exact, ExactReads
from footfall.node.messages import Counted

PRODUCER = "door"


class Asker:
    """The exact reads of n1, on a log of four partitions that nobody folds.

    Attributes:
        stored: The messages that ask, in the order in which they were stored: the first at sequence 1.
        away: What storing raises, if anything.
    """

    def __init__(self, line: Line) -> None:
        self.line = line
        self.stored: list[Barrier | Milestone] = []
        self.away: FootfallError | None = None
        self.storing = asyncio.Event()
        self.storing.set()
        self.exact = ExactReads("n1", line, line.partitions, self.control)
        self.running = [asyncio.create_task(self.exact.run()), asyncio.create_task(self.exact.run_answers())]

    async def control(self, build: Callable[[str, int], Control]) -> int:
        """Store a message; while ``storing`` is not set it waits."""
        message = build(PRODUCER, len(self.stored) + 1)
        await self.storing.wait()
        if self.away is not None:
            raise self.away
        assert isinstance(message, Barrier | Milestone)
        self.stored.append(message)
        return len(self.stored)

    def read(self, counter: str) -> asyncio.Task[Exact]:
        """An exact read; it has begun."""
        return asyncio.create_task(self.exact.read(counter))

    def say(
        self,
        entries: dict[int, list[int]],
        asked: int = 0,
        producer: str = PRODUCER,
        sequence: int = 0,
    ) -> None:
        """Tell what partitions had counted; by default at the last barrier, where it was stored."""
        asked = asked or len(self.stored)
        self.exact.take(Counted("n4", producer, asked, sequence or asked, entries))

    async def answered(self, asked: int, entry: int) -> None:
        """Let every partition answer one barrier with as much of each counter."""
        message = self.stored[asked - 1]
        assert isinstance(message, Barrier)
        self.say({partition: [entry] * len(message.counters) for partition in range(4)}, asked)
        await soon()
