"""Exact reads: a barrier in the log, what every partition had counted there, and the sum. It never guesses."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import chain
from typing import NamedTuple, TypeAlias

from footfall.core.control import Barrier, Control
from footfall.core.vector import ENTRY_MAX, Vector
from footfall.errors import FootfallError, NotReadyError, OverloadedError, PartitionsUnownedError
from footfall.log.protocol import Bus
from footfall.node import messages
from footfall.node.messages import NODE_SUBJECT, Counted
from footfall.node.waiting import ended

TIMEOUT_S = 5.0  # for all partitions to answer: longer than it takes to replace a node that died
WAITING_MAX = 10_000  # exact reads; more are refused
COUNTERS_MAX = 1_000  # of one barrier
QUESTIONS_MAX = 256  # whose answers are awaited; at the bound reads wait for their barrier
COPIES_MAX = 16  # of one question in the log: it is published again until it is acknowledged
STOPPING = "this node is stopping"

Write: TypeAlias = Callable[[Callable[[str, int], Control]], Awaitable[int]]


class Exact(NamedTuple):
    """A counter at one place of the log: everything before it, and nothing after it, is counted."""

    sequence: int
    vector: Vector


Answer: TypeAlias = "asyncio.Future[Exact]"


class _Question:
    """A message of the log that asks, and the answers to it."""

    def __init__(self, counters: Sequence[str]) -> None:
        self.counters = counters
        self.key = ("", 0)
        self.answers: dict[int, dict[int, list[int]]] = {}  # sequence → partition → entries
        self.complete: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def take(self, said: Counted, partitions: int) -> None:
        """Note an answer. Those to a second copy of the message, at another sequence, are kept apart."""
        if said.sequence not in self.answers and len(self.answers) >= COPIES_MAX:
            return
        found = self.answers.setdefault(said.sequence, {})
        for partition, entries in said.parts.items():
            fits = len(entries) == len(self.counters) and all(0 <= entry <= ENTRY_MAX for entry in entries)
            if 0 <= partition < partitions and fits:
                found[partition] = entries
        if len(found) == partitions and not self.complete.done():
            self.complete.set_result(said.sequence)

    def missing(self, partitions: int) -> list[int]:
        """The partitions that have not answered."""
        fullest = max(self.answers.values(), key=len, default={})
        return [partition for partition in range(partitions) if partition not in fullest]

    def exact(self, sequence: int) -> list[Exact]:
        """What each counter is at a sequence that all have answered for."""
        found = self.answers[sequence]
        return [
            Exact(sequence, Vector(tuple(found[partition][at] for partition in sorted(found))))
            for at in range(len(self.counters))
        ]


class ExactReads:
    """The exact reads of one node, and what it tells others for theirs."""

    def __init__(self, node: str, bus: Bus, partitions: int, control: Write, timeout_s: float = TIMEOUT_S) -> None:
        self.barriers = self.reads = self.failed = 0
        self._node = node
        self._bus = bus
        self._partitions = partitions
        self._control = control
        self._timeout_s = timeout_s
        self._waiting: deque[tuple[str, Answer]] = deque()
        self._unanswered: set[Answer] = set()  # those that wait, and those whose barrier is under way
        self._stopped = False
        self._wake = asyncio.Event()
        self._questions: dict[tuple[str, int], _Question] = {}
        self._asked = asyncio.Semaphore(QUESTIONS_MAX)
        self._telling: set[asyncio.Task[None]] = set()
        self._outgoing: dict[tuple[str, str, int, int], Counted] = {}
        self._outgoing_wake = asyncio.Event()

    async def read(self, counter: str) -> Exact:
        """What a counter is now: all that was acknowledged before this call, and maybe some of what came since.

        Raises:
            PartitionsUnownedError: Some partitions did not answer in time.
            LogUnavailableError: The barrier could not be stored.
            OverloadedError: Too many wait already.
            NotReadyError: This node is stopping.
        """
        if self._stopped:
            raise NotReadyError(STOPPING)
        if len(self._waiting) >= WAITING_MAX:
            raise OverloadedError(f"{WAITING_MAX} exact reads are waiting already; try again later")
        answer: Answer = asyncio.get_running_loop().create_future()
        self._unanswered.add(answer)
        answer.add_done_callback(self._unanswered.discard)
        self._waiting.append((counter, answer))
        self._wake.set()
        self.reads += 1
        return await answer

    async def ask(self, counter: str, build: Callable[[str, int], Control]) -> Exact:
        """What a counter is at a message that asks for it, which this stores. Raises as ``read``."""
        async with self._asked:
            question = await self._store([counter], build)
            return (await self._answered(question))[0]

    async def run(self) -> None:
        """Write a barrier for all reads that wait, for ever. While it is being stored, the next ones gather."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._asked.acquire()
                readers = self._gathered()
                names = tuple(readers)
                try:
                    question = await self._store(names, lambda p, s, names=names: Barrier(p, s, 0, self._node, names))  # type: ignore[misc]
                except FootfallError as error:
                    self._asked.release()
                    _fail(chain.from_iterable(readers.values()), error)
                    continue
                self.barriers += 1
                telling = asyncio.create_task(self._tell(question, readers), name="exact read")
                self._telling.add(telling)
                telling.add_done_callback(self._told)

    def _gathered(self) -> dict[str, list[Answer]]:
        """Those who wait, by counter; not all if they want too many counters."""
        readers: dict[str, list[Answer]] = {}
        while self._waiting and len(readers) < COUNTERS_MAX:
            counter, answer = self._waiting.popleft()
            readers.setdefault(counter, []).append(answer)
        return readers

    async def _store(self, counters: Sequence[str], build: Callable[[str, int], Control]) -> _Question:
        question = _Question(counters)

        def built(producer: str, sequence: int) -> Control:
            question.key = (producer, sequence)
            self._questions[question.key] = question  # before it is stored: the answers may be quicker than the log's
            return build(producer, sequence)

        try:
            await self._control(built)
        except BaseException:
            self._questions.pop(question.key, None)
            raise
        return question

    async def _answered(self, question: _Question) -> list[Exact]:
        try:
            async with asyncio.timeout(self._timeout_s):
                return question.exact(await question.complete)
        except TimeoutError:
            self.failed += 1
            raise PartitionsUnownedError(question.missing(self._partitions), self._timeout_s) from None
        finally:
            self._questions.pop(question.key, None)

    async def _tell(self, question: _Question, readers: dict[str, list[Answer]]) -> None:
        try:
            found = await self._answered(question)
        except FootfallError as error:
            _fail(chain.from_iterable(readers.values()), error)
            return
        for exact, answers in zip(found, readers.values(), strict=True):
            for answer in answers:
                if not answer.done():
                    answer.set_result(exact)

    def _told(self, telling: asyncio.Task[None]) -> None:
        self._telling.discard(telling)
        self._asked.release()

    def take(self, said: Counted) -> None:
        """Note what some partitions had counted."""
        if question := self._questions.get((said.producer, said.asked)):
            question.take(said, self._partitions)

    def answer(self, reader: str, said: Counted) -> None:
        """Tell a node what a partition had counted; what a node's partitions say in one moment goes together."""
        if reader == self._node:
            self.take(said)
            return
        key = reader, said.producer, said.asked, said.sequence
        if before := self._outgoing.get(key):
            before.parts.update(said.parts)
        else:
            self._outgoing[key] = said
        self._outgoing_wake.set()

    async def run_answers(self) -> None:
        """Send what other nodes want to know, for ever."""
        while True:
            await self._outgoing_wake.wait()
            self._outgoing_wake.clear()
            while self._outgoing:
                reader, *_ = key = next(iter(self._outgoing))
                said = self._outgoing.pop(key)
                await self._bus.send(NODE_SUBJECT.format(node=reader), messages.encode(said))

    async def stop(self) -> None:
        """End what is under way; whoever waits is told, also for a barrier that was on its way."""
        self._stopped = True
        self._waiting.clear()
        _fail(list(self._unanswered), NotReadyError(STOPPING))
        await ended(self._telling)


def _fail(answers: Iterable[Answer], error: FootfallError) -> None:
    for answer in answers:
        if not answer.done():
            answer.set_exception(error)
