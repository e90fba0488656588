"""The counting side of a node: puts together what folds the log, shares counts, takes cuts and judges."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Protocol

import numpy as np

from footfall.config import Config, Topology
from footfall.core.cut import Manifest
from footfall.core.definitions import Definitions
from footfall.core.partition import Partition
from footfall.core.position import Position
from footfall.core.table import Table
from footfall.errors import (
    IntegrityError,
    LogUnavailableError,
    MalformedError,
    PartDiedError,
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
from footfall.node.holes import Holes
from footfall.node.judging import LOOK_S, Judging
from footfall.node.members import Members, alike, every
from footfall.node.messages import (
    NODE_SUBJECT,
    NODES_SUBJECT,
    Beat,
    Counted,
    Digests,
    Done,
    Gather,
    Rows,
)
from footfall.node.ownership import Ownership
from footfall.node.pacing import Pacing
from footfall.node.proofs import Proofs
from footfall.node.secret import fingerprint
from footfall.node.sharing import Replicated, Sharded
from footfall.node.waiting import ended

logger = logging.getLogger(__name__)

LISTEN_S = 0.3  # at the start, before partitions are taken; taking too many costs work, not counts
AFTERMATH_S = 0.25
VERIFY_S = 1.0  # between two looks at whether the log still holds what it held: two small requests


class Cluster(Log, Store, Bus, Protocol):
    """The log, the store beside it and the bus between nodes, over one connection."""


class Counting:
    """Folds this node's partitions, and knows the counts of all."""

    def __init__(self, config: Config, cluster: Cluster, node: str, run: str, url: str) -> None:
        self.table = Table(cluster.partitions)
        self.cuts = Cuts(cluster)
        self._alike = alike(config)
        self.members = Members(node, run, cluster.partitions, config.silence_max_s, config.lag_max_s, self._alike)
        sharing = Sharded if config.topology is Topology.SHARDED else Replicated
        self.sharing = sharing(node, run, cluster, self.table, lambda: self.aggregator.owned())
        self.aggregator: Aggregator
        self.ownership: Ownership
        self.exact: ExactReads
        self.judging: Judging
        self.proofs: Proofs
        self.announcing: Announcing
        self.backing_up: BackingUp | None = None
        self._place = place_of(config.backup) if config.backup else None
        self._config = config
        self._cluster = cluster
        self.url = url
        self.topology = config.topology
        self._node, self._run = node, run
        self._fingerprint = ""
        self._tasks: list[asyncio.Task[None]] = []
        self._unsubscribe: list[Callable[[], Awaitable[None]]] = []

    @property
    def definitions(self) -> Definitions:
        """All counters, as far as this node has read the log."""
        return self.aggregator.definitions

    async def load(self) -> Mapping[int, State]:
        """Load the newest complete cut into the table, and begin to read the definitions.

        Returns:
            For each partition its state in the cut.

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

    def _begin(self, definitions: Definitions, position: Position, states: Mapping[int, State]) -> Mapping[int, State]:
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

    async def join(self, states: Mapping[int, State], write: Write, secret: bytes) -> None:
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
        self._recur(LOOK_S, lambda: self.judging.look(), "judging")
        self._spawn(self.exact.run(), "exact reads")
        self._spawn(self.exact.run_answers(), "answers to exact reads")
        self._unsubscribe = [
            await self._cluster.subscribe(NODES_SUBJECT, self._heard),
            await self._cluster.subscribe(NODE_SUBJECT.format(node=self._node), self._heard),
        ]
        await self._beat(asks=True)
        await asyncio.sleep(LISTEN_S)
        self.members.check_alike(self.topology, self._fingerprint)
        self.ownership = Ownership(
            self._cluster, self.members, self.cuts, self.aggregator, self.sharing.dropped_partition, self.watched
        )
        await self.ownership.begin(states)
        self._begin_recurring(write)

    def _begin_recurring(self, write: Write) -> None:
        config = self._config
        self._recur(VERIFY_S, self._verify, "integrity")
        self._recur(config.beat_interval_s, self._look, "members")
        others = self.members.alive
        self._recur(
            config.anti_entropy_interval_s, lambda: self.sharing.repair([peer.id for peer in others()]), "anti-entropy"
        )
        examine = Holes(self._cluster, self.cuts, self.aggregator.alarm).look
        pacing = Pacing(config.cut_interval_s, self.cuts, self.members, self.aggregator, self._holds, examine, write)
        look_s = min(config.cut_interval_s / 4, 1.0)
        self._recur(look_s, pacing.look, "cuts")
        self._recur(look_s, self.judging.rebase, "beginnings of proofs")
        if isinstance(self.sharing, Sharded):
            self._recur(config.gather_interval_s, self.sharing.gather, "gather")
        else:
            self._recur(config.broadcast_interval_s, self._broadcast, "broadcast")

    def _begin_aftermath(self, write: Write, key: bytes) -> None:
        """What follows when a milestone was reached: its proof is kept, and its winner announced."""
        cluster, config, definitions = self._cluster, self._config, self.definitions
        keep, bytes_max = config.keep_proofs, config.proof_bytes_max
        self.proofs = Proofs(cluster, self.cuts, self.members, definitions, keep, bytes_max, config.store_room)
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
        self._recur(AFTERMATH_S, self._look_after, "proofs, announcements and backups")

    def _look_after(self) -> None:
        self.proofs.look()
        self.announcing.look()
        if self.backing_up is not None:
            self.backing_up.look()

    def _holds(self, newest: Position) -> str:
        """Why neither cuts nor the log may be dropped now; or nothing."""
        return self.judging.holds(newest) or self.proofs.holds()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.append(self.watched(asyncio.create_task(work, name=name)))

    def _recur(self, interval_s: float, work: Callable[[], object], name: str) -> None:
        """Do something at intervals, for as long as this node counts: what it did then might spread a wrong count."""
        self._spawn(every(interval_s, lambda: None if self.aggregator.failure else work()), name)

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
            await self._broadcast()
        sent, lags_s = self.sharing.sent, self.aggregator.lags_s()
        who, secret, settings = (self._node, self._run, self.url, self.topology), self._fingerprint, self._alike
        await self.sharing.say(Beat(*who, sent, folded, lags_s, asks, leaves, secret, settings))

    async def _verify(self) -> None:
        """Count no more on a log that has lost what this node knows of it, though no reader has stumbled over that."""
        try:
            await self._cluster.verify()
        except LogUnavailableError as error:
            logger.debug("the log cannot be verified now: %s", error)
        except IntegrityError as error:
            self.aggregator.fail(error)

    async def _broadcast(self) -> None:
        await self.sharing.tick(bool(self.members.beats))

    async def _look(self) -> None:
        """One round of membership: beat, and decide what is counted here."""
        self.members.look(self._cluster.connected)
        self.sharing.keep(self.members.beats)
        await self._beat()
        await self.ownership.look()

    async def stop(self) -> None:
        """Leave: the others take over at once."""
        with contextlib.suppress(LogUnavailableError):
            await self._beat(leaves=True)
        await ended(self._tasks)
        await self.exact.stop()
        await self.judging.stop()
        await self.proofs.stop()
        await self.announcing.stop()
        if self.backing_up is not None:
            await self.backing_up.stop()
        await self.ownership.stop()
        for unsubscribe in self._unsubscribe:
            await unsubscribe()
        await self.cuts.stop()
