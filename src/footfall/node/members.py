"""Who is there, and who counts which partition: heartbeats in, decisions of the core out."""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping

from footfall.config import Config, Topology
from footfall.core.routing import Peer, alive, ranking, released, wanted
from footfall.errors import SecretMismatchError, TopologyMismatchError
from footfall.node.messages import Beat
from footfall.node.secret import SECRET_FILE, fingerprint

logger = logging.getLogger(__name__)

STALL_S = 1.0  # a loop that stood still for longer has not listened: nobody is silent because of that
OVERLAP_S = 1.0  # a partition is let go once another owner is where this one was this long ago
NODES_MAX = 1_000  # heard of; more are ignored

# Warned of, and not refused as another topology or secret is: who changes one of these restarts nodes one after the
# other, and the first of them must come up among the others.
ALIKE = {
    "cut_interval_s": "a repeat that comes late may count twice, or be refused too early",
    "visitor_from_address": "a visitor of both may count as two",
    "hash_visitors": "a visitor of both may count as two",
    "backup": "the node whose turn it is makes backups where it was told to, or none",
    "webhook": "winners are told to what the node whose turn it is was told of, or to nobody",
    "webhook_secret": "what tells of winners is signed with one or the other",
}
SHOWN = ("cut_interval_s", "visitor_from_address", "hash_visitors")  # the others may hold what is not for everyone


def alike(config: Config) -> dict[str, str]:
    """What a node says of its settings that should be those of the others."""
    values = {name: str(getattr(config, name)) for name in ALIKE} | {
        "cut_interval_s": str(float(config.cut_interval_s))
    }
    return {name: value if name in SHOWN else value and fingerprint(value.encode()) for name, value in values.items()}


class Members:
    """The other nodes as this one hears them."""

    def __init__(
        self,
        node: str,
        run: str,
        partitions: int,
        silence_max_s: float,
        lag_max_s: float,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.node = node
        self.beats: dict[str, Beat] = {}
        self.rivals = 0  # beats of another process with this node's id
        self._run = run
        self._settings = dict(settings or {})  # see ``alike``
        self._partitions = partitions
        self._silence_max_s = silence_max_s
        self._lag_max_s = lag_max_s
        self._heard_s: dict[str, float] = {}
        self._rival_s = -math.inf
        self._looked_s = time.monotonic()
        self._connected = True
        self._before: deque[tuple[float, Mapping[int, int]]] = deque()  # what was owned here, lately

    def hear(self, beat: Beat) -> None:
        """Take in another node's beat."""
        if beat.node == self.node:
            if beat.run != self._run:
                self.rivals += 1
                self._rival_s = time.monotonic()
                if self.rivals == 1:
                    logger.error("another process calls itself node %s: give each node its own name", self.node)
            return
        if beat.leaves:
            self.beats.pop(beat.node, None)
            self._heard_s.pop(beat.node, None)
        elif beat.node in self.beats or len(self.beats) < NODES_MAX:
            known = self.beats.get(beat.node)
            if known is None or known.run != beat.run:
                for difference in self._differences(beat):
                    logger.warning("%s", difference)
            self.beats[beat.node] = beat
            self._heard_s[beat.node] = time.monotonic()

    def check_alike(self, topology: Topology, fingerprint: str) -> None:
        """See that the others were started as this node was. Raises TopologyMismatchError, SecretMismatchError."""
        for beat in self.beats.values():
            if beat.topology != topology:
                raise TopologyMismatchError(
                    f"node {beat.node} runs topology {beat.topology}, this one was started as {topology}: "
                    "start all nodes with the same"
                )
            if beat.secret != fingerprint:
                raise SecretMismatchError(
                    f"node {beat.node} has another secret than this one, and would not know its receipts: start all "
                    f"with the same FOOTFALL_SECRET, or copy {SECRET_FILE} from its data directory into this one's"
                )

    def differences(self) -> list[str]:
        """In which settings the other nodes are not like this one, though they should be."""
        return [difference for beat in self.beats.values() for difference in self._differences(beat)]

    def _differences(self, beat: Beat) -> Iterator[str]:
        for name, own in self._settings.items():
            if (theirs := beat.settings.get(name, own)) != own:
                here, there = (f" {value}" if name in SHOWN else "" for value in (own, theirs))
                yield (
                    f"node {beat.node} has another {name}{there} than this one{here}: {ALIKE[name]}; "
                    "start all nodes with the same"
                )

    @property
    def has_rival(self) -> bool:
        """Whether another process with this node's id was heard lately."""
        return time.monotonic() - self._rival_s < self._silence_max_s

    def heard_ago_s(self, node: str) -> float:
        """How long a node has been silent."""
        return time.monotonic() - self._heard_s[node]

    def look(self, connected: bool) -> None:
        """Note whether this node could hear the others at all since the last look."""
        now_s = time.monotonic()
        if not connected or not self._connected or now_s - self._looked_s > STALL_S:
            for node in self._heard_s:
                self._heard_s[node] = now_s
        self._looked_s, self._connected = now_s, connected

    def alive(self) -> list[Peer]:
        """The other nodes that are there."""
        peers = [Peer(b.node, self._heard_s[b.node], b.folded, b.lag_s) for b in self.beats.values()]
        here = alive(peers, time.monotonic(), self._silence_max_s)
        for gone in {peer.id for peer in peers} - {peer.id for peer in here}:
            if self.heard_ago_s(gone) > 10 * self._silence_max_s:
                del self.beats[gone], self._heard_s[gone]
        return here

    def is_first(self, task: int | str = -1) -> bool:
        """Whether it is this node's turn to do what one node should do: by default, to pace and tidy cuts."""
        return ranking(task, [self.node, *(peer.id for peer in self.alive())])[0] == self.node

    def decide(
        self, owned: Mapping[int, int], catching_up: Mapping[int, int], lag_s: Mapping[int, float]
    ) -> tuple[set[int], set[int]]:
        """The partitions to start counting here, and those to let go.

        Args:
            owned: The partitions counted here, and up to which sequence.
            catching_up: Those that are folded here and not as far yet as others were.
            lag_s: For the partitions that are behind here: since how long.
        """
        now_s = time.monotonic()
        self._before.append((now_s, dict(owned)))
        while len(self._before) > 1 and now_s - self._before[1][0] >= OVERLAP_S:
            self._before.popleft()
        then_s, then = self._before[0]
        others = self.alive()
        mine = wanted(Peer(self.node, now_s, owned, lag_s), others, self._partitions, self._lag_max_s)
        settled = {number: then[number] for number in owned if number in then} if now_s - then_s >= OVERLAP_S else {}
        return mine, released({**catching_up, **settled}, mine, others)


async def every(interval_s: float, work: Callable[[], object]) -> None:
    """Call ``work`` at intervals for ever; awaits what it returns, if that can be awaited."""
    while True:
        await asyncio.sleep(interval_s)
        result = work()
        if asyncio.iscoroutine(result):
            await result
