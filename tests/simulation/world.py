"""A history: a cluster, its clients and its faults, all drawn from one seed; then it heals and must converge."""

from random import Random
from typing import Any

from footfall.core.cut import complete
from footfall.log.protocol import Message

from . import raffles
from .checks import Checks
from .clients import Clients
from .faults import FAULTS
from .log import Bus, Log, Store
from .node import Node
from .oracle import Oracle
from .producing import SECRET

PARTITIONS = 4
STEPS = 200
ROUNDS_MAX = 60  # of healing
# What a node does next, and how often.
ACTIONS = (
    ("traffic", 10),
    ("store", 16),
    ("read_control", 8),
    ("read_partitions", 12),
    ("beat", 6),
    ("look", 6),
    ("share", 6),
    ("repair", 2),
    ("tick", 3),
    ("write_part", 9),
    ("collect", 2),
    ("raffle", 6),
    ("ask", 8),
    ("judge", 10),
)
HEALING = ("beat", "look", "store", "read_control", "read_partitions", "share", "repair", "write_part", "ask", "work")
EACH_STEP = 4  # actions of one node


class World:
    """Everything there is, and what happens next."""

    def __init__(self, seed: int, steps: int = STEPS) -> None:
        self.random = Random(seed)
        self.steps = steps
        self.partitions = PARTITIONS
        self.sharded = self.random.random() < 0.5
        self.now_s = 0.0
        self.log = Log(self.partitions)
        self.store = Store(self.log)
        self.bus = Bus(self.random)
        self.oracle = Oracle(self.partitions, SECRET)
        self.checks = Checks(self)
        self.rewound = False  # the log has lost acknowledged messages: nodes that know of it must refuse
        self.healing = False
        self.paused: dict[str, float] = {}
        self.isolated: dict[str, float] = {}
        self.late: list[tuple[str, bytes]] = []  # copies of messages that are still on their way to the log
        self.imports = 0
        self.judged = self.random.choice((0.3, 0.3, 0.0))  # how soon a milestone is; with 0 only when all has healed
        self.clients = Clients(self)
        self._last_epoch = 0  # begun when all else was healed
        self.nodes = [Node(self, f"n{number}") for number in range(self.random.randint(1, 4))]
        self._names, self._weights = zip(*ACTIONS, strict=True)
        self._faults, self._fault_weights = zip(*FAULTS, strict=True)

    def run(self) -> None:
        """The history: trouble, then healing."""
        for node in self.nodes:
            node.start()
        for _ in range(self.steps):
            self._step()
        self._heal()
        self.checks.end()

    def fails(self, probability: float) -> bool:
        return not self.healing and self.random.random() < probability

    # The log and the bus, as nodes see them

    def publish(self, subject: str, data: bytes) -> Message | None:
        """Store a message; None if no acknowledgement comes, whatever became of the message."""
        if self.fails(0.12):
            self.late.append((subject, data))
            return None
        if self.fails(0.08):
            return None
        message = self._append(subject, data)
        if self.fails(0.08):
            self.late.append((subject, data))
        return None if self.fails(0.12) else message

    def _append(self, subject: str, data: bytes) -> Message:
        message = self.log.append(subject, data, int(self.now_s * 1e9))
        self.oracle.truth.take(message)
        return message

    def say(self, sender: Node, said: Any, to: str | None = None) -> None:
        for node in self.nodes:
            if node is not sender and to in (None, node.name):
                self.bus.send(node.name, said)

    def _deliver(self) -> None:
        to, said = self.bus.take()
        node = next(node for node in self.nodes if node.name == to)
        if node.counting and not self._is(self.isolated, node):
            node.guarded(node.sharing.hear, said)
            self.checks.node(node)

    # What happens

    def _is(self, states: dict[str, float], node: Node) -> bool:
        return states.get(node.name, 0) > self.now_s

    def serving(self) -> list[Node]:
        return [node for node in self.nodes if node.counting]

    def _step(self) -> None:
        self.now_s += self.random.uniform(0, 0.2)
        if self.late and self.random.random() < 0.05:
            self._append(*self.late.pop(self.random.randrange(len(self.late))))
        for _ in range(min(len(self.bus.on_their_way), self.random.choice((0, 1, 2, 4)))):
            self._deliver()
        if self.random.random() < 0.08:
            fault = self.random.choices(self._faults, self._fault_weights)[0]
            fault(self, self.random.choice(self.nodes))
        node = self.random.choice(self.nodes)
        if self._is(self.paused, node):
            return
        if not node.counting:
            if self.random.random() < 0.1:
                node.start()
            return
        for action in self.random.choices(self._names, self._weights, k=EACH_STEP):
            node.guarded(self._act, node, action)
            if not node.counting:
                return
        self.checks.node(node)

    def _act(self, node: Node, action: str) -> None:
        if action == "traffic":
            self.clients.traffic(node)
        elif action == "store":
            node.producing.store()
        elif action == "read_partitions":
            for number in list(node.foldings):
                if self.random.random() < 0.7:
                    node.read_partition(number)
        elif action == "raffle":
            raffles.act(self, node)
        elif action == "ask":
            node.asking.ask()
            node.asking.settle()
        elif action == "judge":
            node.judging.look()
        elif action == "work":
            node.judging.work()
        elif action in ("share", "repair"):
            getattr(node.sharing, action)()
        else:
            getattr(node, action)()

    # Healing

    def _heal(self) -> None:
        """Faults stop, damage is restored, what is on its way arrives; soon all nodes show what the log holds."""
        self.healing = True
        self.bus.loss = self.bus.repeat = 0.0
        self.bus.on_their_way.clear()
        self.paused.clear()
        self.isolated.clear()
        self.store.repair()
        for copy in self.late:
            self._append(*copy)
        if self.rewound:
            for node in self.nodes:
                node.start()
                self.checks.refusal(node)
        for _ in range(ROUNDS_MAX):
            self._round()
            if self._quiet() and self.checks.converged() and self._sources_done() and self._cut_done() and self._won():
                return
        states = [(n.name, n.failure, n.ready, n.owned()) for n in self.nodes]
        raise AssertionError(f"no convergence in {ROUNDS_MAX} rounds: {states}")

    def _quiet(self) -> bool:
        """Whether nothing is to be stored or read, and each partition is counted once."""
        serving = self.serving()
        counted = sorted(number for node in serving for number in node.foldings)
        return all(node.producing.idle and not node.behind for node in serving) and (
            counted == list(range(self.partitions)) or not serving
        )

    def _sources_done(self) -> bool:
        """Send what is left of the sources; whether nothing is."""
        done = True
        for source, written in self.clients.written.items():
            start = self.oracle.truth.sources[source]
            if start < written and self.serving():
                self.clients.send(self.serving()[0], source, start, written)
                done = False
        return done

    def _cut_done(self) -> bool:
        """Begin epochs until the cut of one is complete: that of one that begins while parts are written may not be."""
        serving = self.serving()
        done = complete(self.store.keys("cut"), self.partitions)
        if not serving or (self._last_epoch and done and done[0] >= self._last_epoch):
            return True
        if not any(node.parts for node in serving):
            self._last_epoch = self._last_epoch or serving[0].definitions.epoch + 1
            serving[0].tick()
        return False

    def _won(self) -> bool:
        """Whether all milestones that were passed have their winners."""
        return self.rewound or not self.oracle.truth.winners.pending()

    def _round(self) -> None:
        self.now_s += 0.5
        for node in self.nodes:
            if not node.counting and not self.rewound:
                node.start()
        for action in HEALING:
            for node in self.serving():
                for _ in range(6 if action == "store" else 1):
                    node.guarded(self._act, node, action)
            while self.bus.on_their_way:
                self._deliver()
        for node in self.serving():
            self.checks.node(node)
