"""The counting side of a node: which partitions it folds, how counts travel, when cuts are taken."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Protocol

import numpy as np

from footfall.config import Config, Topology
from footfall.core.control import Barrier
from footfall.core.cut import Manifest
from footfall.core.definitions import Definitions
from footfall.core.partition import Partition
from footfall.core.position import Position
from footfall.core.table import Table
from footfall.errors import (
    IntegrityError,
    LogUnavailableError,
    MalformedError,
    NotReadyError,
    PartDiedError,
    SecretMismatchError,
    TopologyMismatchError,
)
from footfall.log.protocol import Bus, Log, Store
from footfall.node import messages, webhook
from footfall.node.aggregator import Aggregator, State
from footfall.node.announcing import Announcing
from footfall.node.backing_up import BackingUp
from footfall.node.backup_places import place_of
from footfall.node.cut_reader import Found
from footfall.node.cuts import Cuts
from footfall.node.exact import ExactReads, Write
from footfall.node.judging import LOOK_S, Judging
from footfall.node.members import Members, every
from footfall.node.messages import (
    NODE_SUBJECT,
    NODES_SUBJECT,
    SOURCE_SUBJECT,
    Beat,
    Counted,
    Digests,
    Done,
    Gather,
    Rows,
)
from footfall.node.proofs import Proofs
from footfall.node.secret import SECRET_FILE, fingerprint
from footfall.node.sharing import Replicated, Sharded
from footfall.node.waiting import ended

logger = logging.getLogger(__name__)

LISTEN_S = 0.3  # at the start, before partitions are taken; taking too many costs work, not counts
OWNER_TIMEOUT_S = 2.0
AFTERMATH_S = 0.25
VERIFY_S = 1.0  # between two looks at whether the log still holds what it held: two small requests


class Cluster(Log, Store, Bus, Protocol):
    """The log, the store beside it and the bus between nodes, over one connection."""


class Counting:
    """Folds this node's partitions, and knows the counts of all."""

    def __init__(self, config: Config, cluster: Cluster, node: str, run: str, url: str) -> None:
        self.table = Table(cluster.partitions)
        self.cuts = Cuts(cluster)
        self.members = Members(node, run, cluster.partitions, config.silence_max_s, config.lag_max_s)
        sharing = Sharded if config.topology is Topology.SHARDED else Replicated
        self.sharing = sharing(node, run, cluster, self.table, lambda: self.aggregator.owned())
        self.aggregator: Aggregator
        self.exact: ExactReads
        self.judging: Judging
        self.proofs: Proofs
        self.announcing: Announcing
        self.backing_up: BackingUp | None = None
        self._place = place_of(config.backup) if config.backup else None
        self._config = config
        self._cluster = cluster
        self.url = url
        self._node, self._run = node, run
        self._fingerprint = ""
        self._tasks: list[asyncio.Task[None]] = []
        self._taking: asyncio.Task[None] | None = None
        self._unsubscribe: list[Callable[[], Awaitable[None]]] = []
        self._serving: dict[int, Callable[[], Awaitable[None]]] = {}
        self._paced_s = time.monotonic()

    @property
    def definitions(self) -> Definitions:
        """All counters, as far as this node has read the log."""
        return self.aggregator.definitions

    async def load(self) -> dict[int, tuple[Partition, Position, Manifest | None]]:
        """Load the newest complete cut into the table, and begin to read the definitions.

        Returns:
            For each partition its state in the cut, where it stands, and the manifest to build the next on.

        Raises:
            IntegrityError: The log or the cuts are not what they were.
            LogUnavailableError: They cannot be read now.
        """
        position, made = await self.cuts.from_newest(self._read_all)
        if made is None:
            empty = [Partition(number, self.table.partitions) for number in range(self.table.partitions)]
            made = Definitions(), [(partition, None) for partition in empty]
        definitions, states = made
        return self._begin(definitions, position, {p.number: (p, position, manifest) for p, manifest in states})

    async def _read_all(self, found: Found) -> tuple[Definitions, list[tuple[Partition, Manifest | None]]]:
        definitions = await self.cuts.definitions(found)
        return definitions, [
            (await self.cuts.partition(found, number), found.manifests[str(number)])
            for number in range(self.table.partitions)
        ]

    def _begin(
        self,
        definitions: Definitions,
        position: Position,
        states: dict[int, tuple[Partition, Position, Manifest | None]],
    ) -> dict[int, tuple[Partition, Position, Manifest | None]]:
        for number, (partition, _, _) in states.items():
            counts = np.frombuffer(partition.counts, np.int64) if len(partition.counts) else np.empty(0, np.int64)
            numbers = np.flatnonzero(counts).astype(np.int32)
            self.table.merge_column(number, numbers, counts[numbers], partition.sequence)
            self.table.confirm(number, partition.sequence)
        self.aggregator = Aggregator(
            self._node,
            self._cluster,
            self.table,
            self.cuts,
            definitions,
            position,
            self.sharing.changed_owner,
            self.watched,
            lambda reader, counted: self.exact.answer(reader, counted),
        )
        self._spawn(self.aggregator.run_control(), "control")
        logger.info("counting goes on from sequence %d", position.sequence)
        return states

    async def join(
        self, states: dict[int, tuple[Partition, Position, Manifest | None]], write: Write, secret: bytes
    ) -> None:
        """Meet the other nodes, take this node's partitions, and start all that recurs.

        Args:
            states: What ``load`` returned.
            write: Stores a control message.
            secret: The cluster's, which keys receipts.

        Raises:
            TopologyMismatchError: The others run the other topology.
            SecretMismatchError: They have another secret.
        """
        self._fingerprint = fingerprint(secret)
        self.exact = ExactReads(self._node, self._cluster, self.table.partitions, write)
        self.judging = Judging(
            self._node,
            self._cluster,
            self.table,
            self.cuts,
            self.members,
            self.definitions,
            self.aggregator.definitions_reached,
            write,
            secret,
            self._config.closing_share,
            self._config.closing_soon_s,
        )
        self._begin_aftermath(write, webhook.key_of(self._config.webhook_secret, secret))
        self._spawn(every(LOOK_S, self._judge), "judging")
        self._spawn(self.exact.run(), "exact reads")
        self._spawn(self.exact.run_answers(), "answers to exact reads")
        self._unsubscribe = [
            await self._cluster.subscribe(NODES_SUBJECT, self._heard),
            await self._cluster.subscribe(NODE_SUBJECT.format(node=self._node), self._heard),
        ]
        await self._beat(asks=True)
        await asyncio.sleep(LISTEN_S)
        self._check_others()
        mine, _ = self.members.decide({}, {}, {})
        self.aggregator.start(states[number] for number in mine)
        for number in mine:
            await self._serve(number)
        self._spawn(every(VERIFY_S, self._verify), "integrity")
        self._spawn(every(self._config.beat_interval_s, self._look), "members")
        self._spawn(every(self._config.anti_entropy_interval_s, self._repair), "anti-entropy")
        look_s = min(self._config.cut_interval_s / 4, 1.0)
        self._spawn(every(look_s, lambda: self._pace(write)), "cuts")
        self._spawn(every(look_s, self.judging.rebase), "beginnings of proofs")
        if isinstance(self.sharing, Sharded):
            self._spawn(every(self._config.gather_interval_s, self._gather), "gather")
        else:
            self._spawn(every(self._config.broadcast_interval_s, self._broadcast), "broadcast")

    def _check_others(self) -> None:
        """See that the others were started as this node was. Raises TopologyMismatchError, SecretMismatchError."""
        for beat in self.members.beats.values():
            if beat.topology != self._config.topology:
                raise TopologyMismatchError(
                    f"node {beat.node} runs topology {beat.topology}, this one was started as {self._config.topology}: "
                    "start all nodes with the same"
                )
            if beat.secret != self._fingerprint:
                raise SecretMismatchError(
                    f"node {beat.node} has another secret than this one, and would not know its receipts: start all "
                    f"with the same FOOTFALL_SECRET, or copy {SECRET_FILE} from its data directory into this one's"
                )

    def _begin_aftermath(self, write: Write, key: bytes) -> None:
        """What follows when a milestone was reached: its proof is kept, and its winner announced."""
        cluster, config, definitions = self._cluster, self._config, self.definitions
        keep, bytes_max, store_bytes_max = config.keep_proofs, config.proof_bytes_max, config.store_bytes_max
        self.proofs = Proofs(cluster, self.cuts, self.members, definitions, keep, bytes_max, store_bytes_max)
        self.announcing = Announcing(
            cluster,
            cluster.created,
            self.table,
            self.members,
            definitions,
            self.aggregator.definitions_reached,
            write,
            config.webhook,
            key,
        )
        self.judging.tell = self.announcing.tell
        self.aggregator.noticed = self.judging.noticed
        if self._place is not None:
            interval_s, kept = config.backup_interval_s, config.backup_keep
            first = self.members.is_first
            self.backing_up = BackingUp(cluster, self._place, first, definitions, interval_s, kept)
        self._spawn(every(AFTERMATH_S, self._look_after), "proofs, announcements and backups")

    def _look_after(self) -> None:
        if self.aggregator.failure is None:
            self.proofs.look()
            self.announcing.look()
            if self.backing_up is not None:
                self.backing_up.look()

    def _holds(self, newest: Position) -> str:
        """Why neither cuts nor the log may be dropped now; or nothing."""
        return self.judging.holds(newest) or self.proofs.holds()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.append(self.watched(asyncio.create_task(work, name=name)))

    def watched(self, task: asyncio.Task[None]) -> asyncio.Task[None]:
        """The same task; if it dies of an error that nobody foresaw, the node says so and counts no more."""

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()):
                if isinstance(error, IntegrityError):
                    self.aggregator.fail(error)
                    return
                logger.critical("%s died", task.get_name(), exc_info=error)
                self.aggregator.fail(PartDiedError(f"{task.get_name()} died of {error!r}; restart this node"))

        task.add_done_callback(ended)
        return task

    async def _heard(self, data: bytes) -> None:
        if self.aggregator.failure is not None:
            return  # what this node counted may be wrong: nobody may learn it from here
        try:
            said = messages.decode(data)
            if said.node == self._node and not (isinstance(said, Beat) and said.run != self._run):
                return
            self.sharing.count_received(data)
            if isinstance(said, Beat):
                await self._heard_beat(said)
            elif isinstance(said, Rows):
                await self.sharing.rows(said)
            elif isinstance(said, Done):
                await self.sharing.done(said)
            elif isinstance(said, Digests | Gather):
                await self.sharing.asked(said)
            elif isinstance(said, Counted):
                self.exact.take(said)
            else:
                self.judging.hear(said)
        except MalformedError as error:
            logger.error("%s", error)

    async def _heard_beat(self, beat: Beat) -> None:
        self.members.hear(beat)
        if beat.node == self._node or beat.leaves:
            return
        await self.sharing.beat(beat)
        if beat.asks:
            await self._beat()

    async def _beat(self, asks: bool = False, leaves: bool = False) -> None:
        folded = {} if leaves else self.aggregator.owned()  # before the rows: they are as far, or further
        if not isinstance(self.sharing, Sharded):
            await self.sharing.tick(bool(self.members.beats))
        sent, lags_s = self.sharing.sent, self.aggregator.lags_s()
        topology, secret = self._config.topology, self._fingerprint
        beat = Beat(self._node, self._run, self.url, topology, sent, folded, lags_s, asks, leaves, secret)
        await self.sharing.say(beat)

    async def _verify(self) -> None:
        """Count no more on a log that has lost what this node knows of it, though no reader has stumbled over that."""
        if self.aggregator.failure is None:
            try:
                await self._cluster.verify()
            except LogUnavailableError as error:
                logger.debug("the log cannot be verified now: %s", error)
            except IntegrityError as error:
                self.aggregator.fail(error)

    async def _gather(self) -> None:
        if self.aggregator.failure is None and isinstance(self.sharing, Sharded):
            await self.sharing.gather()

    async def _broadcast(self) -> None:
        if self.aggregator.failure is None:
            await self.sharing.tick(bool(self.members.beats))

    async def _judge(self) -> None:
        if self.aggregator.failure is None:
            await self.judging.look()

    async def _repair(self) -> None:
        if self.aggregator.failure is None:
            await self.sharing.repair([peer.id for peer in self.members.alive()])

    async def _look(self) -> None:
        """One round of membership: beat, decide, let go, take over."""
        if self.aggregator.failure is not None:
            return  # a node that cannot count must not say that it does
        self.members.look(self._cluster.connected)
        self.sharing.keep(self.members.beats)
        await self._beat()
        aggregator = self.aggregator
        mine, free = self.members.decide(aggregator.owned(), aggregator.catching_up(), aggregator.lags_s())
        if gone := free | aggregator.overtaken():
            await self._drop(gone)
        if free:
            logger.info("partitions %s are counted elsewhere now", ", ".join(map(str, sorted(free))))
        missing = mine - aggregator.foldings.keys()
        if missing and (self._taking is None or self._taking.done()):
            self._taking = self.watched(asyncio.create_task(self._take_over(missing), name="take over"))

    async def _take_over(self, numbers: set[int]) -> None:
        states: list[State] = []
        for number in sorted(numbers):
            try:
                states.append(await self.cuts.newest_partition(number))
            except LogUnavailableError as error:
                logger.warning("partition %d cannot be taken yet: %s", number, error)
                break  # tried again at the next look
            except IntegrityError as error:
                self.aggregator.fail(error)
                return
        self.aggregator.start(states)
        for partition, _, _ in states:
            await self._serve(partition.number)
        logger.info("partitions %s are counted here now", ", ".join(str(state[0].number) for state in states))

    async def _serve(self, number: int) -> None:
        """Answer other nodes' questions about a partition's sources."""

        async def answer(data: bytes) -> bytes | None:
            try:
                query = messages.decode_query(data)
                position = await self.aggregator.source_position(number, query.source, query.sequence, OWNER_TIMEOUT_S)
            except (MalformedError, NotReadyError) as error:
                logger.warning("%s", error)
                return None
            return messages.encode(position)

        self._serving[number] = await self._cluster.subscribe(SOURCE_SUBJECT.format(partition=number), answer)

    async def _drop(self, numbers: Iterable[int]) -> None:
        numbers = list(numbers)
        await self.aggregator.stop(numbers)
        self.sharing.dropped_partition()
        for number in numbers:
            if unsubscribe := self._serving.pop(number, None):
                await unsubscribe()

    async def source_position(self, number: int, source: str, sequence: int) -> int:
        """Where a source stands, asked of an owner of its partition. Raises NotReadyError."""
        if number in self.aggregator.owned():
            return await self.aggregator.source_position(number, source, sequence, OWNER_TIMEOUT_S)
        query = messages.encode(messages.SourceQuery(source, sequence))
        try:
            subject = SOURCE_SUBJECT.format(partition=number)
            return messages.decode_position(await self._cluster.ask(subject, query, 2 * OWNER_TIMEOUT_S))
        except LogUnavailableError:
            raise NotReadyError(f"no node counts partition {number} now; try again later") from None
        except MalformedError as error:
            raise NotReadyError(
                f"what the node that counts partition {number} answers is no position: {error}"
            ) from None

    async def _pace(self, write: Write) -> None:
        """Begin a new epoch when it is time and this node's turn, and tidy up after the one before."""
        interval_s = max(self._config.cut_interval_s, self.cuts.duration_s)
        if not self.members.is_first():
            interval_s *= 2  # the first may be gone without anyone knowing
        if time.monotonic() - max(self.aggregator.epoch_since_s, self._paced_s) < interval_s or self.aggregator.failure:
            return
        self._paced_s = time.monotonic()
        try:
            await self.cuts.collect(self._holds)
            epoch = self.definitions.epoch + 1
            await write(lambda producer, sequence: Barrier(producer, sequence, epoch))
        except LogUnavailableError as error:
            logger.warning("no cut now: %s", error)
        except IntegrityError as error:
            self.aggregator.fail(error)

    async def stop(self) -> None:
        """Leave: the others take over at once."""
        with contextlib.suppress(LogUnavailableError):
            await self._beat(leaves=True)
        await ended([*self._tasks, self._taking])
        await self.exact.stop()
        await self.judging.stop()
        await self.proofs.stop()
        await self.announcing.stop()
        if self.backing_up is not None:
            await self.backing_up.stop()
        await self._drop(self.aggregator.foldings)
        for unsubscribe in self._unsubscribe:
            await unsubscribe()
        await self.cuts.stop()
