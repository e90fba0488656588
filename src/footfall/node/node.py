"""One node: takes visits for the producer to store, and answers reads from the table."""

import asyncio
import contextlib
import logging
import secrets
import socket
import time
from bisect import bisect_left
from collections.abc import Coroutine, MutableSequence, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from footfall.config import Config, Topology
from footfall.core.batch import Chunk
from footfall.core.control import Barrier, Define
from footfall.core.definitions import Definition
from footfall.core.milestones import Standing
from footfall.core.names import Unit, check_name, lineage
from footfall.core.routing import partition_of, weight
from footfall.core.vector import ENTRY_MAX
from footfall.core.visit import COUNT_MAX, Visit, check_text
from footfall.errors import (
    InvalidVisitError,
    LogUnavailableError,
    NotReadyError,
    SourcePositionError,
    TooManyCountersError,
    UnitConflictError,
    UnknownCounterError,
)
from footfall.node.acknowledged import Acknowledged
from footfall.node.alarms import alarmed
from footfall.node.checks import check_visits
from footfall.node.counting import Cluster, Counting
from footfall.node.members import every
from footfall.node.metrics import metrics_of
from footfall.node.milestones import Milestones
from footfall.node.producer import Producer, Waiter
from footfall.node.readings import (
    Added,
    Metric,
    MilestoneReading,
    MilestoneState,
    NodeInfo,
    Phase,
    Reading,
    Stored,
    winner_reading,
)
from footfall.node.secret import kept_secret, visitors_key
from footfall.node.spool import Spool
from footfall.node.waiting import ended

logger = logging.getLogger(__name__)

FILL_MAX = 0.9  # of the log, for visits; the rest is for control messages, or a full log could never be trimmed
FULL = "the log is 90 % full: it takes visits when it was trimmed or made larger"
FILL_CHECK_S = 1.0
DRAIN_TIMEOUT_S = 5.0
SOURCE_BYTES_MAX = 256
DEFINED_TIMEOUT_S = 10.0  # for a definition that is stored to come back
DEFINE_MAX = 1_000  # of one message
FRESHNESS_S = 0.005  # for how long a sequence and a staleness once worked out serve other reads


class Node:
    """A node of Footfall over a connected log.

    Attributes:
        id: Its name among the nodes.
        topology: ``replicated`` or ``sharded``.
        counting: What it counts.
        producer: What it publishes.
        visitors_key: Keys the hashes of visitors that are addresses.
    """

    def __init__(self, config: Config, cluster: Cluster, url: str = "") -> None:
        self.config = config
        self.id = config.node or f"{socket.gethostname().replace('.', '-')}-{config.http_port or secrets.token_hex(3)}"
        self.topology = config.topology
        self.started = time.time()
        self.run = secrets.token_hex(4)
        self.counting = Counting(
            config, cluster, self.id, self.run, url or f"http://{config.http_host}:{config.http_port}"
        )
        self.table = self.counting.table
        self.producer: Producer
        self.spool: Spool | None = None
        self.milestones: Milestones
        self.visitors_key = b""
        self._cluster = cluster
        self._acknowledged = Acknowledged(Path(config.data), self.id)
        self._tasks: list[asyncio.Task[None]] = []
        self._target = -1  # the sequence that must be readable before this node is ready
        self._ready = self._stopping = False
        self._define_lock = asyncio.Lock()
        self._local = 0
        self._sorted: list[str] = []
        self._fresh: tuple[float, int, int] = (0.0, 0, 0)

    async def start(self) -> None:
        """Load the newest cut, join the others, and begin to count. It is ready when ``problems`` is empty.

        Raises:
            IntegrityError: The log or the cuts are not what they were.
            SetupError: The cluster is set up in another way.
            LogUnavailableError: The log cannot be reached.
        """
        await self._acknowledged.check(self._cluster)
        states = await self.counting.load()
        secret = self.config.secret.encode() or await asyncio.to_thread(kept_secret, Path(self.config.data))
        self.visitors_key = visitors_key(secret)
        hashed = self.topology is Topology.SHARDED
        self.spool = self._spool_of(self.config)
        self.producer = Producer(
            self._cluster, self.counting.definitions, secret, hashed, self._local_partition, self.spool
        )
        self._spawn(self.producer.run(), "producer")
        await self.counting.join(states, self.producer.control, secret)
        self.milestones = Milestones(self.id, self.counting, self.producer.control, self._defined)
        self._target = await self.producer.control(Barrier)
        self._spawn(every(FILL_CHECK_S, self._watch), "watch")
        if self.producer.storing.draining is not None:
            self._spawn(self.producer.storing.draining.run(), "spool")

    def _spool_of(self, config: Config) -> Spool | None:
        if not config.spool_bytes_max:
            return None
        definitions = self.counting.definitions
        return Spool(
            Path(config.data),
            self.id,
            self.run,
            self._cluster,
            definitions,
            config.spool_bytes_max,
            config.spool_age_max_s,
        )

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.append(self.counting.watched(asyncio.create_task(work, name=name)))

    async def stop(self) -> None:
        """Store what was taken, leave, and end."""
        self._stopping = True
        if not await self.producer.drain(DRAIN_TIMEOUT_S):
            logger.warning(
                "%d visits could not be stored in time; their senders were not told so", self.producer.gathered
            )
        if self.producer.storing.draining is not None and not self.producer.storing.away:
            await self.producer.storing.draining.finish(DRAIN_TIMEOUT_S)
        await self.counting.stop()
        await ended(self._tasks)
        if self.spool is not None:
            await self.spool.close()
        self._remember()

    async def _watch(self) -> None:
        """Note now and then how full the log is, and how far it is known."""
        await asyncio.to_thread(self._remember)
        with contextlib.suppress(LogUnavailableError):
            state = await self._cluster.state()
            full = 0 <= state.bytes_max * FILL_MAX < state.bytes
            failure = self.counting.aggregator.failure
            self.producer.storing.hold = str(failure) if failure else FULL if full else ""

    def _remember(self) -> None:
        if (known := self._cluster.known).sequence:
            try:
                self._acknowledged.write(known)
            except OSError as error:
                logger.warning("the acknowledged position cannot be written: %s", error)

    def _local_partition(self) -> int:
        """Where visits go that may go anywhere: to this node's partitions in turn, or to one that it ranks high for."""
        mine = sorted(self.counting.aggregator.owned())
        self._local += 1
        if mine:
            return mine[self._local % len(mine)]
        return max(range(self._cluster.partitions), key=lambda partition: weight(self.id, partition))

    # Definitions

    def definition(self, name: str) -> Definition | None:
        """The counter of that name, or None if it is not defined."""
        return self.counting.definitions.find(name)

    async def define(self, name: str, unit: Unit) -> tuple[Definition, bool]:
        """Define a counter; returns it, and whether this made it.

        Raises:
            InvalidNameError: It is not a name.
            UnitConflictError: It is defined with the other unit; the first definition holds for ever.
            TooManyCountersError: There are as many counters as there may be.
            UnavailableError: The log cannot take it now.
        """
        check_name(name)
        self._check_log()
        made = await self._define([(name, unit)])
        found = self.definition(name)
        if found is None:  # others have defined the last that there may be meanwhile
            raise TooManyCountersError(f"there are as many counters as there may be: {self.config.counters_max}")
        if found.unit is not unit:
            raise UnitConflictError(f"{name} counts {found.unit} already, not {unit}; a counter's unit never changes")
        return found, made

    async def _defined(self, name: str) -> Definition:
        """The counter of that name; one of ``visits`` if nobody has defined it. Raises as ``define``."""
        self._check_log()
        await self._define([(name, Unit.VISITS)])
        found = self.definition(name)
        if found is None:
            raise TooManyCountersError(f"there are as many counters as there may be: {self.config.counters_max}")
        return found

    async def _define(self, wanted: Sequence[tuple[str, Unit]]) -> bool:
        """Define what is not defined yet; returns whether anything was not."""
        async with self._define_lock:
            definitions = self.counting.definitions
            missing = [(name, unit) for name, unit in dict(wanted).items() if definitions.number(name) is None]
            if not missing:
                return False
            if self.producer.storing.silent:
                raise LogUnavailableError(
                    f"there is no counter {missing[0][0]} yet, and the log, which cannot be reached, would have to "
                    "tell all nodes of it: try again later"
                )
            new = {
                ancestor for name, _ in missing for ancestor in lineage(name) if definitions.number(ancestor) is None
            }
            if len(definitions) + len(new) > self.config.counters_max:
                raise TooManyCountersError(
                    f"there are {len(definitions)} counters; {self.config.counters_max} is the limit"
                )
            for start in range(0, len(missing), DEFINE_MAX):
                part = tuple(missing[start : start + DEFINE_MAX])
                sequence = await self.producer.control(lambda name, at, part=part: Define(name, at, part))  # type: ignore[misc]
                try:
                    async with asyncio.timeout(DEFINED_TIMEOUT_S):
                        await self.counting.aggregator.definitions_reached.wait(sequence)
                except TimeoutError:
                    raise LogUnavailableError("the definition is stored but does not come back; try again") from None
            return True

    # Visits

    def submit(self, definition: Definition, visitor: str | None, waiter: Waiter) -> bool:
        """Take one visit without a key on the hot path; False if ``add`` must be used, which tells why.

        Later, once, ``waiter.stored(receipt, where)`` or ``waiter.failed(error)`` is called.
        """
        if not self._ready or self._stopping or self.counting.aggregator.failure:
            return False
        if definition.visits and self.table.value(definition.visits[0]) > ENTRY_MAX - COUNT_MAX:
            return False
        return self.producer.submit(definition, visitor, waiter)

    async def add(self, visits: Sequence[Visit], durable: bool = True) -> Added:
        """Count visits: all of them, or none.

        Args:
            visits: From 1 to 10,000.
            durable: Whether to wait until they are in the log.

        Raises:
            CallerError: One of them cannot be counted; nothing was changed.
            UnavailableError: Not now.
        """
        check_visits(visits, self.counting.definitions, self.table)
        self._check_taking()
        taken = await self.producer.add(await self._pairs(visits), durable)
        return Added(sum(visit.count for visit in visits), taken.where, taken.receipts)

    async def _pairs(self, visits: Sequence[Visit]) -> list[tuple[Definition, Visit]]:
        find = self.counting.definitions.find
        names = {visit.counter for visit in visits}
        if unknown := [name for name in names if find(name) is None]:
            if not self.config.define_on_visit:
                index = next(index for index, visit in enumerate(visits) if visit.counter in unknown)
                raise UnknownCounterError(
                    f"there is no counter {visits[index].counter}, and visits define none here: define it first",
                    index if len(visits) > 1 else None,
                )
            await self._define([(name, Unit.VISITS) for name in sorted(unknown)])
        found = {name: definition for name in names if (definition := find(name)) is not None}
        if len(found) < len(names):
            raise TooManyCountersError(f"there are as many counters as there may be: {self.config.counters_max}")
        for index, visit in enumerate(visits):  # someone else may have defined it meanwhile, in visitors
            if visit.visitor is None and found[visit.counter].visitors:
                raise InvalidVisitError(f"{visit.counter} counts visitors, so the visit must name one", index)
        return [(found[visit.counter], visit) for visit in visits]

    async def add_chunk(self, source: str, start: int, end: int, visits: Sequence[Visit]) -> Added:
        """Count the visits of the bytes ``start`` to ``end`` of a source, once.

        Raises:
            SourcePositionError: The source does not stand at ``start``; nothing was changed.
            CallerError, UnavailableError: As ``add``. After UnavailableError, ask for the position.
        """
        check_text("source's id", source, SOURCE_BYTES_MAX)
        if not 0 <= start < end <= ENTRY_MAX:
            raise InvalidVisitError(f"a chunk from byte {start} to byte {end} is none; 'to' must be above 'from'")
        if visits:
            check_visits(visits, self.counting.definitions, self.table)
        for index, visit in enumerate(visits):
            if visit.key is not None:
                raise InvalidVisitError(
                    "a visit of a source has no key: its place in the source makes it count once", index
                )
        self._check_taking()
        partition = partition_of(source, self._cluster.partitions)
        position = await self.counting.source_position(partition, source, 0)
        if position != start:
            raise SourcePositionError(source, start, position)
        sequence = await self.producer.add_chunk(partition, Chunk(source, start, end), await self._pairs(visits))
        position = await self.counting.source_position(partition, source, sequence)
        if position < end:  # someone else's chunk was first
            raise SourcePositionError(source, start, position)
        return Added(sum(visit.count for visit in visits), Stored.LOG, [])

    async def source_position(self, source: str) -> int:
        """Up to which byte a source is counted. Raises NotReadyError, InvalidVisitError."""
        check_text("source's id", source, SOURCE_BYTES_MAX)
        self._check_log()
        return await self.counting.source_position(partition_of(source, self._cluster.partitions), source, 0)

    def _check_counting(self) -> None:
        if problems := self._faults():
            raise NotReadyError(f"this node does not count now: {'; '.join(problems)}")

    def _check_log(self) -> None:
        """Raises NotReadyError, LogUnavailableError: what is asked for needs the log."""
        self._check_counting()
        if not self._cluster.connected:
            raise LogUnavailableError("the log cannot be reached; try again later")

    def _check_taking(self) -> None:
        self.producer.check_room()
        self._check_counting()

    # Reads

    def problems(self) -> list[str]:
        """Why this node is not ready to count and to answer; empty if it is."""
        problems = self._faults()
        if self._target >= 0 and (refusal := self.producer.storing.refusal):
            problems.append(refusal)
        return problems

    def _faults(self) -> list[str]:
        """Problems of its own: with none, it counts and answers."""
        problems = []
        if self._target < 0:
            return ["it is starting"]
        if failure := self.counting.aggregator.failure:
            problems.append(str(failure))
        if not self._ready:
            if self.table.sequence() >= self._target:
                self._ready = True
            else:
                problems.append(f"it has read the log up to {self.table.sequence()}, and starts at {self._target}")
        if self._stopping:
            problems.append("it is stopping")
        return problems

    def warnings(self) -> list[str]:
        """What a person should look at, though this node counts and answers."""
        if self._target < 0:
            return []
        aggregator = self.counting.aggregator
        counted = [folding.partition for folding in aggregator.foldings.values()]
        found = [f"{one}; run footfall doctor" for one in alarmed(counted, aggregator.control_alarms.found)]
        return found if self.spool is None else [*self.spool.warnings(self.producer.storing.away), *found]

    def check_answering(self) -> None:
        """Raises NotReadyError until this node has read what the log held when it started, and if it counts no more."""
        problems = self._faults()
        if not self._ready or self.counting.aggregator.failure is not None:
            raise NotReadyError("this node does not answer now: " + "; ".join(problems))

    def read(self, name: str) -> Reading:
        """A counter's value, from this node's own copy; 0 for one that nobody has visited.

        Raises:
            InvalidNameError: It is not a name.
            NotReadyError: This node has not yet read what the log held when it started, or counts no more.
        """
        number = self.counting.definitions.number(name)
        if number is None:
            check_name(name)
        if not self._ready or self.counting.aggregator.failure is not None:
            self.check_answering()
        sequence, staleness_ms = self._freshness()
        if number is None:
            return Reading(name, 0, 0, Unit.VISITS, Phase.AP, "eventual", sequence, staleness_ms)
        unit = self.counting.definitions.unit(number)
        value, phase, sequence, staleness_ms = self.counting.judging.showing.read(number, sequence, staleness_ms)
        return Reading(name, value, self.producer.pending(number), unit, phase, "eventual", sequence, staleness_ms)

    async def read_exact(self, name: str) -> Reading:
        """A counter's exact value: of all visits acknowledged before this call, and maybe some that came since.

        Raises:
            InvalidNameError: It is not a name.
            NotReadyError: This node does not count.
            PartitionsUnownedError, LogUnavailableError, OverloadedError: As ``ExactReads.read``.
        """
        check_name(name)
        self._check_log()
        exact = await self.counting.exact.read(name)
        try:
            async with asyncio.timeout(DEFINED_TIMEOUT_S):
                await self.counting.aggregator.definitions_reached.wait(exact.sequence)
        except TimeoutError:
            raise LogUnavailableError("this node has not read the log as far as the exact count; try again") from None
        number = self.counting.definitions.number(name)
        unit, phase, pending = Unit.VISITS, Phase.AP, 0
        if number is not None:
            entries = np.array([exact.vector.entries], np.int64)
            self.table.merge(np.array([number], np.int32), entries, [exact.sequence] * self.table.partitions)
            unit, pending = self.counting.definitions.unit(number), self.producer.pending(number)
            showing = self.counting.judging.showing
            showing.exact(number, exact.sequence, exact.vector.value)
            if number in showing.closing:
                phase = Phase.CP
        return Reading(name, exact.vector.value, pending, unit, phase, "linearizable", exact.sequence, 0)

    def milestone(self, standing: Standing) -> MilestoneReading:
        """A milestone with its counter's value. Raises NotReadyError."""
        state = MilestoneState.OPEN if standing.open else MilestoneState.REACHED
        if self.counting.judging.nearness.is_closing(standing):
            state = MilestoneState.CLOSING
        number = self.counting.definitions.number(standing.counter)
        if number is not None and not standing.open:
            self.counting.judging.showing.at_least(
                number, standing.n
            )  # so many have come, though not all is heard here
        value = self.read(standing.counter).value
        return MilestoneReading(standing.counter, standing.n, state, value, winner_reading(standing))

    def _freshness(self) -> tuple[int, int]:
        """(sequence, staleness_ms) of the table."""
        now_s = time.monotonic()
        at_s, sequence, staleness_ms = self._fresh
        if now_s - at_s > FRESHNESS_S:
            foldings = self.counting.aggregator.foldings
            oldest_s = now_s
            for number, confirmed_s in enumerate(self.counting.sharing.confirmed_s):
                folding = foldings.get(number)
                if folding is None or not folding.attached:
                    oldest_s = min(oldest_s, confirmed_s)
                elif folding.lag_s:
                    oldest_s = min(oldest_s, folding.caught_up_s)
            sequence, staleness_ms = self.table.sequence(), int((now_s - oldest_s) * 1000)
            self._fresh = (now_s, sequence, staleness_ms)
        return sequence, staleness_ms

    def list(self, prefix: str, after: str, limit: int) -> Sequence[Reading]:
        """A counter and its descendants (all, for an empty prefix) whose names come after ``after``, in order."""
        if prefix:
            check_name(prefix)
        names = self._names()
        found: MutableSequence[Reading] = []
        ranges = [(prefix, prefix + "\0"), (prefix + ".", prefix + "/")] if prefix else [("", "~")]
        for low, high in ranges:
            at = bisect_left(names, max(low, after + "\0" if after else ""))
            while at < len(names) and names[at] < high and len(found) < limit:
                found.append(self.read(names[at]))
                at += 1
        return found

    def _names(self) -> Sequence[str]:
        """All names, sorted; sorting a nearly sorted list costs little."""
        names = self.counting.definitions.names
        if len(self._sorted) < len(names):
            self._sorted += names[len(self._sorted) :]
            self._sorted.sort()
        return self._sorted

    def nodes(self) -> Sequence[NodeInfo]:
        """The nodes that are there, this one first."""
        aggregator, members = self.counting.aggregator, self.counting.members
        beats = [(members.beats[peer.id], int(members.heard_ago_s(peer.id) * 1000)) for peer in members.alive()]
        owned = aggregator.owned()
        lag_ms = int(max(aggregator.lags_s().values(), default=0.0) * 1000)
        url = self.counting.url
        me = NodeInfo(self.id, url, self.topology, sorted(owned), min(owned.values(), default=0), lag_ms, 0, True)
        others = [
            NodeInfo(
                beat.node,
                beat.url,
                beat.topology,
                sorted(beat.folded),
                min(beat.folded.values(), default=0),
                int(max(beat.lag_s.values(), default=0.0) * 1000),
                heard_ms,
                False,
            )
            for beat, heard_ms in beats
        ]
        return [me, *sorted(others, key=lambda node: node.id)]

    def metrics(self) -> Sequence[Metric]:
        """Plain numbers for whoever scrapes."""
        return metrics_of(self)
