"""One node: takes visits for the producer to store, and answers reads from the table."""

import asyncio
import logging
import secrets
import socket
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from footfall.config import SPOOL_AGE_EPOCHS_MAX, Config, Topology
from footfall.core.batch import Chunk
from footfall.core.control import Barrier
from footfall.core.definitions import Definition
from footfall.core.milestones import Standing
from footfall.core.names import Unit, check_name
from footfall.core.routing import partition_of, weight
from footfall.core.vector import ENTRY_MAX
from footfall.core.visit import COUNT_MAX, Visit, check_text
from footfall.errors import InvalidVisitError, SourcePositionError
from footfall.node import log_watch
from footfall.node.acknowledged import Acknowledged
from footfall.node.alarms import alarmed
from footfall.node.catalogue import Catalogue
from footfall.node.checks import check_visits
from footfall.node.counting import Cluster, Counting
from footfall.node.defining import Defining
from footfall.node.health import Health
from footfall.node.history import History, history_of
from footfall.node.history_file import FINE
from footfall.node.log_watch import LogWatch
from footfall.node.members import every
from footfall.node.metrics import metrics_of
from footfall.node.milestones import Milestones
from footfall.node.overview import LOOK_S, Overview
from footfall.node.producer import Producer, Waiter
from footfall.node.readings import (
    Added,
    Metric,
    MilestoneReading,
    NodeInfo,
    Reading,
    Stored,
)
from footfall.node.reads import Reads
from footfall.node.secret import secret_for, visitors_key
from footfall.node.spool import Spool
from footfall.node.waiting import ended, patiently
from footfall.node.watching import Watching

logger = logging.getLogger(__name__)

RIVAL = "another process has this node's name: give each node its own, with --node"
DRAIN_TIMEOUT_S = 5.0
SOURCE_BYTES_MAX = 256


def name_of(config: Config) -> str:
    """A node's name, as the settings give it, or its host and its port do; nothing if it has no port yet."""
    return config.node or (f"{_host()}-{config.http_port}" if config.http_port else "")


def _host() -> str:
    return socket.gethostname().replace(".", "-")


class Node:
    """A node of Footfall over a connected log.

    Attributes:
        id: Its name among the nodes.
        topology: ``replicated`` or ``sharded``.
        counting: What it counts.
        health: Whether it counts and answers.
        producer: What it publishes.
        log_watch: What it sees of the log now and then.
        visitors_key: Keys the hashes of visitors that are addresses.
    """

    def __init__(self, config: Config, cluster: Cluster, url: str = "") -> None:
        self.config = config
        self.id = name_of(config) or f"{_host()}-{secrets.token_hex(3)}"
        self.topology = config.topology
        self.started = time.time()
        self.run = secrets.token_hex(4)
        self.counting = Counting(
            config, cluster, self.id, self.run, url or f"http://{config.http_host}:{config.http_port}"
        )
        self.health = Health(cluster, self.counting)
        self.table = self.counting.table
        self.producer: Producer
        self.defining: Defining
        self.reads: Reads
        self.overview: Overview
        self.history: History
        self.watching: Watching
        self.log_watch: LogWatch
        self.spool: Spool | None = None
        self.milestones: Milestones
        self.catalogue: Catalogue
        self.visitors_key = b""
        self._new_secret = ""
        self._cluster = cluster
        self._acknowledged = Acknowledged(Path(config.data), self.id)
        self._tasks: list[asyncio.Task[None]] = []
        self._local = 0

    async def start(self) -> None:
        """Load the newest cut, join the others, and begin to count. It is ready when ``problems`` is empty.

        Raises:
            IntegrityError: The log or the cuts are not what they were.
            SetupError: The cluster is set up in another way.
            LogUnavailableError: The log cannot be reached; it was asked for 20 s.
        """
        await patiently(lambda: self._acknowledged.check(self._cluster))
        states = await patiently(self.counting.load)
        secret, self._new_secret = await patiently(lambda: secret_for(self.config, self._cluster))
        self.visitors_key = visitors_key(secret)
        hashed = self.topology is Topology.SHARDED
        self.spool = self._spool_of(self.config)
        self.producer = Producer(
            self._cluster, self.counting.definitions, secret, hashed, self._local_partition, self.spool
        )
        self.log_watch = LogWatch(self._cluster, self._acknowledged, self.counting.aggregator, self.producer.storing)
        self.defining = Defining(self.counting, self.producer, self.config)
        catalogue = self.catalogue = Catalogue(self.counting.definitions, self.config.history_counters_max)
        self.reads = Reads(self.counting, self.producer, catalogue)
        self.overview = Overview(self, catalogue)
        self.history = history_of(self)
        self._spawn(self.producer.run(), "producer")
        await self.counting.join(states, self.producer.control, secret)
        if self._new_secret:
            logger.error("%s", self._new_secret)
        self.milestones = Milestones(self.id, self.counting, self.producer.control, self._defined)
        self.watching = Watching(self.counting.definitions, self._cluster.created)
        self.health.target = await self.producer.control(Barrier)
        await self.log_watch.look()  # a log that is full is known before the first visit
        self._spawn(every(log_watch.LOOK_S, self.log_watch.watch), "watch")
        self._spawn(every(LOOK_S, self.overview.look), "rates")
        self._spawn(every(FINE.step_s, self.history.look), "history")
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
            min(config.spool_age_max_s, SPOOL_AGE_EPOCHS_MAX * config.cut_interval_s),
        )

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.append(self.counting.watched(asyncio.create_task(work, name=name)))

    async def stop(self) -> None:
        """Store what was taken, leave, and end."""
        self.health.stopping = True
        if not await self.producer.drain(DRAIN_TIMEOUT_S):
            logger.warning(
                "%d visits could not be stored in time; their senders were not told so", self.producer.gathered
            )
        if self.producer.storing.draining is not None and not self.producer.storing.away:
            await self.producer.storing.draining.finish(DRAIN_TIMEOUT_S)
        await self.counting.stop()
        await ended(self._tasks)
        await self.history.stop()
        if self.spool is not None:
            await self.spool.close()
        self.log_watch.remember()

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
        """Define a counter: see ``Defining.define``. Raises NotReadyError too."""
        check_name(name)
        self.health.check_log()
        return await self.defining.define(name, unit)

    async def _defined(self, name: str) -> Definition:
        """The counter of that name; one of ``visits`` if nobody has defined it. Raises as ``define``."""
        self.health.check_log()
        return await self.defining.defined(name)

    # Visits

    def submit(self, definition: Definition, visitor: str | None, waiter: Waiter, key: str | None = None) -> bool:
        """Take one visit on the hot path; False if ``add`` must be used, which tells why.

        Later, once, ``waiter.stored(receipt, where)`` or ``waiter.failed(error)`` is called.
        """
        health = self.health
        if not health.ready or health.stopping or self.counting.aggregator.failure is not None:
            return False
        if definition.visits and self.table.value(definition.visits[0]) > ENTRY_MAX - COUNT_MAX:
            return False
        return self.producer.submit(definition, visitor, waiter, key)

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
        taken = await self.producer.add(await self.defining.pairs(visits), durable)
        return Added(sum(visit.count for visit in visits), taken.where, taken.receipts)

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
        position = await self.counting.ownership.source_position(partition, source, 0)
        if position != start:
            raise SourcePositionError(source, start, position)
        sequence = await self.producer.add_chunk(
            partition, Chunk(source, start, end), await self.defining.pairs(visits)
        )
        position = await self.counting.ownership.source_position(partition, source, sequence)
        if position < end:  # someone else's chunk was first
            raise SourcePositionError(source, start, position)
        return Added(sum(visit.count for visit in visits), Stored.LOG, [])

    async def source_position(self, source: str) -> int:
        """Up to which byte a source is counted. Raises NotReadyError, InvalidVisitError."""
        check_text("source's id", source, SOURCE_BYTES_MAX)
        self.health.check_log()
        return await self.counting.ownership.source_position(partition_of(source, self._cluster.partitions), source, 0)

    def _check_taking(self) -> None:
        self.producer.check_room()
        self.health.check_counting()

    # Reads

    def problems(self) -> list[str]:
        """Why this node is not ready to count and to answer; empty if it is."""
        problems = self.health.faults()
        if self.health.target >= 0 and (refusal := self.producer.storing.refusal):
            problems.append(refusal)
        return problems

    def warnings(self) -> list[str]:
        """What a person should look at, though this node counts and answers."""
        if self.health.target < 0:
            return []
        aggregator = self.counting.aggregator
        counted = [folding.partition for folding in aggregator.foldings.values()]
        alarms = alarmed(counted, aggregator.control_alarms.found)
        found = [f"{one}; run footfall doctor" for one in alarms if not one.seen(self.config.alarms_seen)]
        if self._new_secret:
            found.insert(0, self._new_secret)
        rival = RIVAL if self.counting.members.has_rival else ""
        found += filter(
            None,
            [
                rival,
                *self.counting.members.differences(),
                self.counting.ownership.cannot,
                *self.log_watch.warnings(),
                self.history.warning,
            ],
        )
        return found if self.spool is None else [*self.spool.warnings(self.producer.storing.away), *found]

    @property
    def answering(self) -> bool:
        """Whether reads are answered."""
        return self.health.answering

    def check_answering(self) -> None:
        """Raises NotReadyError: see ``Health.check_answering``."""
        self.health.check_answering()

    def read(self, name: str) -> Reading:
        """A counter's value, from this node's own copy; 0 for one that nobody has visited.

        Raises:
            InvalidNameError: It is not a name.
            NotReadyError: This node has not yet read what the log held when it started, or counts no more.
        """
        if not self.health.ready or self.counting.aggregator.failure is not None:  # as ``answering``, without a call
            check_name(name)
            self.health.check_answering()
        return self.reads.read(name)

    async def read_exact(self, name: str) -> Reading:
        """A counter's exact value: see ``Reads.read_exact``. Raises NotReadyError too."""
        check_name(name)
        self.health.check_log()
        return await self.reads.read_exact(name)

    def milestone(self, standing: Standing) -> MilestoneReading:
        """A milestone with its counter's value. Raises NotReadyError."""
        self.check_answering()
        return self.reads.milestone(standing)

    @property
    def answers(self) -> Reads:
        """What it answers from its own copy beside single counters. Raises NotReadyError if it does not answer now."""
        self.check_answering()
        return self.reads

    @property
    def connected(self) -> bool:
        """Whether the log can be reached, as far as is known without asking it."""
        return self._cluster.connected

    def nodes(self) -> Sequence[NodeInfo]:
        """The nodes that are there, this one first."""
        return self.reads.nodes()

    def metrics(self) -> Sequence[Metric]:
        """Plain numbers for whoever scrapes."""
        return metrics_of(self)
