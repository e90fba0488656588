"""Judges, where a milestone is near: which of them run here, and what they say."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

import numpy as np

from footfall.core.control import Control, Reached, Verdict, Winner
from footfall.core.definitions import Definitions
from footfall.core.judge import Crossing, Judge
from footfall.core.milestones import Standing
from footfall.core.position import Position
from footfall.core.table import Table
from footfall.errors import IntegrityError, LogTrimmedError, LogUnavailableError, MalformedError
from footfall.log.protocol import Bus, Log, Message
from footfall.node import messages
from footfall.node.cuts import Cuts
from footfall.node.exact import Write
from footfall.node.judge_begin import judge_subjects, newest_below
from footfall.node.members import Members
from footfall.node.messages import NODES_SUBJECT, Judged
from footfall.node.nearness import Due, Nearness
from footfall.node.showing import Showing
from footfall.node.waiting import Reached as ReachedSequence
from footfall.node.waiting import ended
from footfall.ordinals import ordinal

logger = logging.getLogger(__name__)

LOOK_S = 0.05  # between two looks at what is near; also between two reports of a judge
SLICE_S = 0.005  # of folding, before other work of the node goes on
JUDGES_MAX = 16  # at a time on one node; the others wait for their turn, which changes no winner
OVERDUE_S = 10.0  # after N was passed: then every node judges
RETRY_S = 0.5


async def _untold(standing: Standing) -> None:
    """Nobody is told."""


class LogAndBus(Log, Bus, Protocol):
    """The log, and the bus between nodes."""


class Judging:
    """The judges of one node."""

    def __init__(
        self,
        node: str,
        cluster: LogAndBus,
        table: Table,
        cuts: Cuts,
        members: Members,
        definitions: Definitions,
        definitions_reached: ReachedSequence,
        write: Write,
        secret: bytes,
        share: float,
        soon_s: float,
    ) -> None:
        self.showing = Showing(table)
        self.nearness = Nearness(table, definitions, self.showing, share, soon_s)
        self.judges: dict[str, Judge] = {}  # that run here, by counter
        self.won = 0  # winners found here
        self.tell: Callable[[Standing], Coroutine[Any, Any, None]] = _untold  # of a winner whose message is this node's
        self._node = node
        self._cluster = cluster
        self._table = table
        self._cuts = cuts
        self._members = members
        self._definitions = definitions
        self._definitions_reached = definitions_reached
        self._write = write
        self._secret = secret
        self._name = ""  # of this node's producer, once it has told of a winner
        self._telling: set[asyncio.Task[None]] = set()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def look(self) -> None:
        """Start the judges that should run here, end the others, and report. Called at short intervals."""
        now_s = time.monotonic()
        turns = self._turns(self.nearness.look(now_s), now_s)
        for counter, task in list(self._tasks.items()):
            if task.done() or counter not in turns:
                del self._tasks[counter]
                await ended([task])
                self.judges.pop(counter, None)
        for counter in turns:
            if counter not in self._tasks:
                self._tasks[counter] = asyncio.create_task(self._judge(counter), name=f"judge {counter}")
        for judge in list(self.judges.values()):  # one more may come while a report is sent
            await self._report(judge)

    def _turns(self, due: Sequence[Due], now_s: float) -> list[str]:
        """The counters to judge here: where there are too many, those first whose winner or verdict is overdue.

        With these a judge is done soon. With others he may be for days, and the N-th of the rest would never be told.
        One node judges a counter; if that one finds no winner in time, all do, and find the same.
        """
        mine = [
            one for one in due if now_s - one.passed_s > OVERDUE_S or self._members.is_first(f"judge {one.counter}")
        ]
        return [one.counter for one in sorted(mine)[:JUDGES_MAX]]

    # Reports

    async def _report(self, judge: Judge) -> None:
        said = Judged(self._node, judge.counter, judge.sequence, judge.entries, judge.reached)
        self.hear(said)
        await self._cluster.send(NODES_SUBJECT, messages.encode(said))

    def hear(self, said: Judged) -> None:
        """What a judge has counted: reads show it, and the table is never behind what was shown.

        Raises:
            MalformedError: It is no vector of this log.
        """
        number = self._definitions.number(said.counter)
        if number is None:
            return
        told = [*said.entries, *said.beyond]
        if (
            not len(said.entries) == len(said.beyond) == self._table.partitions
            or not 0 <= min(told) <= max(told) < 2**63
        ):
            raise MalformedError(f"the judge at {said.node} said {len(said.entries)} entries of {said.counter}")
        self._table.merge(np.array([number], np.int32), np.array([said.entries], np.int64), said.beyond)
        if closing := self.showing.closing.get(number):
            closing.hear(said.sequence, sum(said.entries))

    # Judges

    async def _judge(self, counter: str) -> None:
        """Judge a counter until this is cancelled; begin anew where the log was trimmed meanwhile."""
        while True:
            try:
                judge, begin = await newest_below(self._cuts, self._cluster, counter, self._definitions.milestones)
                self.judges[counter] = judge
                logger.info("judging %s from sequence %d, where it counts %d", counter, begin.sequence, judge.value)
                await self._follow(judge, begin)
            except (LogTrimmedError, LogUnavailableError) as error:
                logger.warning("the judge of %s begins anew: %s", counter, error)
            except IntegrityError as error:
                logger.error("the judge of %s cannot go on: %s", counter, error)
            except Exception:  # nobody foresaw it: it costs this node's judge, not the count, and must be seen
                logger.exception("the judge of %s cannot go on", counter)
            await asyncio.sleep(RETRY_S)

    async def _follow(self, judge: Judge, begin: Position) -> None:
        reported_s = 0.0
        async for delivery in self._cluster.read(judge_subjects(self._cluster.partitions), begin):
            slice_end_s = time.monotonic() + SLICE_S
            for message in delivery.messages:
                for crossing in judge.fold(message):
                    await self._reached(judge.counter, crossing, message)
                if time.monotonic() > slice_end_s:
                    await asyncio.sleep(0)
                    slice_end_s = time.monotonic() + SLICE_S
            await self._decide(judge)
            if time.monotonic() - reported_s > LOOK_S:
                reported_s = time.monotonic()
                await self._report(judge)

    async def _reached(self, counter: str, crossing: Crossing, message: Message) -> None:
        winner = crossing.winner(self._secret, message.time_ns)
        logger.info(
            "%s is the %s of %s: sequence %d, entry %d",
            "a visit without a name" if winner.visitor is None else f"visitor {winner.visitor}",
            ordinal(crossing.n),
            counter,
            winner.sequence,
            winner.index,
        )
        while (standing := self._definitions.milestones.find(counter, crossing.n)) is None or standing.open:
            try:
                await self._write(lambda name, at: self._told(name, at, counter, crossing, winner))
                return
            except LogUnavailableError as error:
                logger.warning("the winner of %d of %s cannot be stored yet: %s", crossing.n, counter, error)
                await asyncio.sleep(RETRY_S)

    def _told(self, name: str, at: int, counter: str, crossing: Crossing, winner: Winner) -> Reached:
        self._name = name
        return Reached(name, at, counter, crossing.n, winner, crossing.proof)

    def noticed(self, sequence: int, message: Control) -> None:
        """This node has read a control message: if it is its own, and the first that tells of a winner, tell all.

        Here, and not where it was written: by then the judge may have been ended, as nothing is left for him to do.
        """
        if isinstance(message, Reached) and message.producer == self._name:
            standing = self._definitions.milestones.find(message.counter, message.n)
            if standing is not None and standing.reached == sequence:
                self.won += 1
                telling = asyncio.create_task(self.tell(standing), name=f"winner of {standing.counter}")
                self._telling.add(telling)
                telling.add_done_callback(self._telling.discard)

    async def _decide(self, judge: Judge) -> None:
        """Tell the verdict on milestones whose own node has not told it in time."""
        for standing in self._definitions.milestones.open_of(judge.counter):
            value = judge.sums.get(standing.since)
            if standing.undecided and value is not None and self.nearness.was_noticed(standing):
                sequence = await self._write(
                    lambda name, at, one=standing, value=value: Verdict(name, at, one.counter, one.n, one.since, value)  # type: ignore[misc]
                )
                await self._definitions_reached.wait(sequence)

    async def rebase(self) -> None:
        """Let proofs begin at the newest complete cut: the one that a judge began at is soon dropped."""
        if not any(len(judge.epochs) > 1 for judge in self.judges.values()):
            return
        try:
            newest = await self._cuts.newest_found()
        except (LogUnavailableError, IntegrityError) as error:  # whoever reads the log finds it too, and says so
            logger.debug("proofs begin where they did: %s", error)
            return
        if newest is not None:
            for judge in self.judges.values():
                judge.rebase(newest.epoch)

    def holds(self, newest: Position) -> str:
        """Why neither cuts nor the log before them may be dropped now, where ``newest`` is the newest cut; or nothing.

        An open milestone needs a cut that counts less than N. The two newest do if this node, which has counted all
        that they hold, counts less. A milestone that this node does not know of was set after them.
        """
        if self._definitions.sequence < newest.sequence or self._table.sequence() < newest.sequence:
            return "this node has not counted as far as the newest cut"
        milestones = self._definitions.milestones
        for counter in milestones.open():
            number = self._definitions.number(counter)
            for standing in milestones.open_of(counter):
                if standing.undecided or number is None or self._table.value(number) >= standing.n:
                    return f"the {ordinal(standing.n)} of {counter} is not known yet"
        return ""

    async def stop(self) -> None:
        """Judge no more; another node does."""
        await ended([*self._tasks.values(), *self._telling])
