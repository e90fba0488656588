"""Judges, where a milestone is near: which of them run here, what they say, and what reads show meanwhile."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

import numpy as np

from footfall.core.closing import Rate, is_near
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
from footfall.node.readings import Phase
from footfall.node.waiting import Reached as ReachedSequence
from footfall.node.waiting import ended

logger = logging.getLogger(__name__)

LOOK_S = 0.05  # between two looks at what is near; also between two reports of a judge
SLICE_S = 0.005  # of folding, before other work of the node goes on
HEARD_MAX_S = 1.0  # a judge unheard for longer is not asked any more
HOLD_S = 60.0  # a milestone that was near is judged for so long, though the rate that made it near has fallen
UNDECIDED_MAX_S = 1.0  # for the node that set a milestone to tell its verdict, before a judge does it
JUDGES_MAX = 16  # at a time on one node; the others wait for their turn, which changes no winner
OVERDUE_S = 10.0  # after N was passed: then every node judges
RETRY_S = 0.5


class Closing:
    """What this node shows of a counter whose milestone is near.

    Before the judge, reads came from the table; its values may be ahead of the judge's, who reads the log in order. So
    the value shown stands still until he has come as far. Then it is his, and exact, until the milestone is reached.
    """

    def __init__(self, n: int, value: int) -> None:
        self.n = n
        self.near_s = time.monotonic()  # when it was last found near
        self.passed_s = math.inf  # when the count was first seen to have passed N
        self.shown = value
        self.sequence = 0
        self._value = -1
        self._heard_s = -HEARD_MAX_S

    def hear(self, sequence: int, value: int) -> None:
        """The judge has counted so much."""
        if sequence >= self.sequence:
            self.sequence, self._value, self._heard_s = sequence, value, time.monotonic()

    def show(self, value: int, sequence: int, staleness_ms: int) -> tuple[int, Phase, int, int]:
        """(value, phase, sequence, staleness_ms), given the table's."""
        silent_s = time.monotonic() - self._heard_s
        if silent_s > HEARD_MAX_S:
            self.shown = max(self.shown, value)
            return self.shown, Phase.AP, sequence, staleness_ms
        if self._value < self.shown:
            return self.shown, Phase.AP, sequence, staleness_ms
        self.shown = self._value
        return self._value, Phase.CP, self.sequence, int(silent_s * 1000)


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
        self.closing: dict[int, Closing] = {}  # by the counter's number
        self.judges: dict[str, Judge] = {}  # that run here, by counter
        self.won = 0  # winners found here
        self.tell: Callable[[Standing], Coroutine[Any, Any, None]] = _untold  # of a winner whose message is this node's
        self._share = share
        self._soon_s = soon_s
        self._node = node
        self._cluster = cluster
        self._table = table
        self._cuts = cuts
        self._members = members
        self._definitions = definitions
        self._definitions_reached = definitions_reached
        self._write = write
        self._secret = secret
        self._floors: dict[int, int] = {}  # counter's number → what was shown, where this node's folds are not as far
        self._rates: dict[str, Rate] = {}
        self._far: dict[str, tuple[int, int]] = {}  # (value, sequence of the milestones) at which all was far away
        self._forgotten = -1  # sequence of the milestones at which the rest was forgotten
        self._name = ""  # of this node's producer, once it has told of a winner
        self._telling: set[asyncio.Task[None]] = set()
        self._undecided_s: dict[tuple[str, int], float] = {}  # (counter, since) → when it was first seen
        self._tasks: dict[str, asyncio.Task[None]] = {}

    # What reads show

    def show(self, number: int, value: int) -> None:
        """An exact value is shown: nothing smaller may be, though the folds here may have yet to come as far."""
        if closing := self.closing.get(number):
            closing.shown = max(closing.shown, value)
        elif value > self._table.value(number):
            self._floors[number] = max(self._floors.get(number, 0), value)

    def at_least(self, number: int, value: int) -> int:
        """The table's value, or what was shown already."""
        return max(value, self._floors.get(number, 0))

    def _open(self, counter: str, standing: Standing, number: int) -> Closing:
        logger.info("%s is near its %d-th", counter, standing.n)
        value = self.at_least(number, self._table.value(number))
        closing = self.closing[number] = Closing(standing.n, value)
        return closing

    def _close(self, number: int) -> None:
        self.show(number, self.closing.pop(number).shown)

    # What is near

    async def look(self) -> None:
        """Start the judges that should run here, end the others, and report. Called at short intervals."""
        now_s = time.monotonic()
        turns = self._turns(now_s)
        self._forget(now_s)
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

    def _turns(self, now_s: float) -> list[str]:
        """The counters to judge here: where there are too many, those first whose winner or verdict is overdue.

        With these a judge is done soon. With others he may be for days, and the N-th of the rest would never be told.
        """
        mine: list[tuple[float, str]] = []
        milestones = self._definitions.milestones
        for counter in milestones.open():
            number = self._definitions.number(counter)
            assert number is not None, "a milestone is on a counter that is defined"
            seen = self._table.value(number), milestones.sequence
            if self._far.get(counter) == seen:  # nothing is new: of a thousand milestones most cost no more than this
                continue
            near = self._is_closing(counter, number, now_s)
            undecided = [one for one in milestones.open_of(counter) if one.undecided]
            stuck = self._is_stuck(undecided, now_s)  # also of one that is near: its judge tells the verdict
            if near or undecided:
                self._far.pop(counter, None)
            else:
                self._far[counter] = seen
            if (near or stuck) and self._is_mine(counter, now_s):
                closing = self._closing_of(counter)
                mine.append((-1 if stuck or closing is None else closing.passed_s, counter))
        return [counter for _, counter in sorted(mine)[:JUDGES_MAX]]

    def _closing_of(self, counter: str) -> Closing | None:
        number = self._definitions.number(counter)
        return None if number is None else self.closing.get(number)

    def _is_mine(self, counter: str, now_s: float) -> bool:
        """Whether this node judges. One does; if that one finds no winner in time, all do, and find the same."""
        closing = self._closing_of(counter)
        overdue = closing is not None and now_s - closing.passed_s > OVERDUE_S
        return overdue or self._members.is_first(f"judge {counter}")

    def _is_closing(self, counter: str, number: int, now_s: float) -> bool:
        """Whether a milestone of the counter is near, or was not long ago."""
        value = self._table.value(number)
        rate = self._rates.setdefault(counter, Rate())
        rate.see(now_s, value)
        standing = self._definitions.milestones.open_of(counter)[0]
        closing = self.closing.get(number)
        near = self.is_near(standing, value)
        if closing is not None and closing.n != standing.n:  # that one was reached
            if near:
                closing.n, closing.passed_s = standing.n, math.inf
            else:
                self._close(number)
                closing = None
        if near:
            if closing is None:
                closing = self._open(counter, standing, number)
            closing.near_s = now_s
            if value >= standing.n:
                closing.passed_s = min(closing.passed_s, now_s)
        return closing is not None and now_s - closing.near_s <= HOLD_S

    def _is_stuck(self, undecided: Sequence[Standing], now_s: float) -> bool:
        """Whether one of these waits for its verdict: whoever set it may be gone."""
        seen_s = [self._undecided_s.setdefault((one.counter, one.since), now_s) for one in undecided]
        return any(now_s - at_s > UNDECIDED_MAX_S for at_s in seen_s)

    def _forget(self, now_s: float) -> None:
        """Drop what is known of counters without open milestones, and of milestones that are decided."""
        milestones, table = self._definitions.milestones, self._table
        for number, closing in list(self.closing.items()):
            if not milestones.open_of(self._definitions.names[number]) or now_s - closing.near_s > HOLD_S:
                self._close(number)
        self._floors = {number: shown for number, shown in self._floors.items() if shown > table.value(number)}
        if milestones.sequence == self._forgotten:
            return
        self._forgotten = milestones.sequence
        counters = set(milestones.open())
        self._far = {counter: seen for counter, seen in self._far.items() if counter in counters}
        self._rates = {counter: rate for counter, rate in self._rates.items() if counter in counters}
        self._undecided_s = {
            (counter, since): seen_s
            for (counter, since), seen_s in self._undecided_s.items()
            if any(one.undecided and one.since == since for one in milestones.open_of(counter))
        }

    def is_closing(self, standing: Standing) -> bool:
        """Whether a milestone is near."""
        number = self._definitions.number(standing.counter)
        if number is None or number not in self.closing or not standing.open:
            return False
        return self.is_near(standing, self._table.value(number))

    def is_near(self, standing: Standing, value: int) -> bool:
        """Whether a milestone would be near at some value of its counter, which grows as it does now."""
        rate = self._rates.get(standing.counter)
        return is_near(standing.n, value, rate.per_s if rate is not None else 0.0, self._share, self._soon_s)

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
        if closing := self.closing.get(number):
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
            "visitor %s is the %d-th of %s: sequence %d, entry %d",
            winner.visitor,
            crossing.n,
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
            seen_s = self._undecided_s.get((standing.counter, standing.since))
            if standing.undecided and value is not None and seen_s is not None:
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
                    return f"the {standing.n}-th of {counter} is not known yet"
        return ""

    async def stop(self) -> None:
        """Judge no more; another node does."""
        await ended([*self._tasks.values(), *self._telling])
