"""Generated logs: what well-behaved producers write, and, where faults are wanted, what broken ones do."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from core_logs import Message, Raw, barrier, batch, define, pack, texts_of, told
from hypothesis import strategies as st

PARTITIONS = 3
NAMES = ("a", "a.b", "a.b.c", "a.d", "e", "e.f.g")
TEXTS = [texts_of(number, PARTITIONS, 8) for number in range(PARTITIONS)]  # visitors and keys
SOURCES = [texts_of(number, PARTITIONS, 2, "source") for number in range(PARTITIONS)]
GARBAGE = (b"", b"\xc1", b"\x91\x01", pack("batch/1"), pack(["batch/1"]), pack(["hello/1", 1]), pack({"batch/1": 1}))
HUGE = 2**62  # times: the second such visit overflows
TIMES = (1, 1, 2, HUGE)
PRIOR = (1, 2, 7, 2**63 - 1)  # values of imports

_partition = st.integers(0, PARTITIONS - 1)
_units = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(["visits", "visitors"])), min_size=1, max_size=3)
_steps = st.sampled_from(
    ["define", "tick", *["batch"] * 5, "chunk", "chunk", "again", "restart", "fault", "milestone", "rumour", "import"]
)


class _History:
    """A log under construction. ``faults``: whether anything may be in it that should not be.

    ``rumours``: whether messages name places of the log: verdicts and winners that nobody found out, and imports
    whose writer looked long ago.
    """

    def __init__(self, draw: Any, faults: bool, jumps: bool, rumours: bool) -> None:
        self.log: list[Message] = []
        self._draw = draw
        self._faults = faults
        self._jumps = jumps
        self._rumours = rumours
        self.times: Sequence[int] = TIMES
        self.prior: Sequence[int] = PRIOR
        self._wishes: list[tuple[str, int, int]] = []  # counter, N, where it was set
        self._epoch = 0
        self._born = 0
        self._run = 0
        self._sequences: dict[tuple[str, int | None], int] = defaultdict(int)
        self._positions: dict[str, int] = defaultdict(int)

    def begin(self) -> None:
        """Define most counters, in any order and unit."""
        names = self._draw(st.permutations(NAMES))
        units = [self._draw(st.sampled_from(["visits", "visitors"])) for _ in names]
        self.log.append(define("c0", self._next("c0", None), list(zip(names, units, strict=True))[:-1]))

    def wish(self, most: int) -> None:
        """Set milestones, some of which will be reached."""
        for _ in range(self._draw(st.integers(1, most))):
            self._milestone()

    def step(self, kind: str) -> None:
        getattr(self, f"_{kind}")()

    def _broken(self) -> bool:
        return self._faults and self._draw(st.integers(0, 9)) == 9

    def _next(self, producer: str, partition: int | None) -> int:
        skipped = self._draw(st.integers(0, 2)) if self._broken() else 0
        self._sequences[producer, partition] += 1 + skipped
        return self._sequences[producer, partition]

    def _define(self) -> None:
        producer = self._draw(st.sampled_from(["c0", "c1"]))
        self.log.append(define(producer, self._next(producer, None), self._draw(_units)))

    def _tick(self) -> None:
        for _ in range(self._draw(st.sampled_from([1, 1, 2, 58, 59, 60])) if self._jumps else 1):
            self._epoch += 1
            self.log.append(barrier("c0", self._next("c0", None), self._epoch))

    def _restart(self) -> None:
        self._run += 1
        self._born = self._epoch

    def _batch(self) -> None:
        partition = self._draw(_partition)
        self._store(partition, None)

    def _chunk(self) -> None:
        partition = self._draw(_partition)
        source = self._draw(st.sampled_from(SOURCES[partition]))
        start = self._positions[source]
        end = self._positions[source] = start + self._draw(st.integers(1, 9))
        chunk = [source, start, end]
        if self._broken():
            chunk = self._draw(
                st.sampled_from([[source, start + 1, end], [source, end, start], [source, start, start]])
            )
            self._positions[source] = start
        if self._broken():
            partition = self._draw(_partition)
        self._store(partition, chunk)

    def _store(self, partition: int, chunk: Raw | None) -> None:
        producer = f"p{self._draw(st.integers(0, 1))}.{self._run}"
        sections = [self._section(partition) for _ in range(self._draw(st.integers(0, 3)))]
        self.log.append(batch(partition, producer, self._born, self._next(producer, partition), sections, chunk))

    def _section(self, partition: int) -> Raw:
        draw = self._draw
        if self._broken():
            partition = draw(_partition)
        texts = draw(st.lists(st.sampled_from(TEXTS[partition]), min_size=1, max_size=4))
        leaf = draw(st.sampled_from(NAMES))
        if draw(st.booleans()):
            section = [leaf, "visitors", len(texts), pack(texts), None, 1]
        else:
            keys = pack(texts) if draw(st.booleans()) else None
            section = [leaf, "visits", len(texts), None, keys, draw(st.sampled_from(self.times))]
        if self._broken():
            at, value = draw(
                st.sampled_from([(2, 0), (2, 7), (3, None), (3, b"\xc1"), (3, pack([])), (4, b"\x91\x01"), (5, 0)])
            )
            section[at] = value
        return section

    def _tell(self, tag: str, *rest: object) -> None:
        producer = self._draw(st.sampled_from(["c0", "c1"]))
        self.log.append(told(tag, producer, self._next(producer, None), *rest))

    def _milestone(self) -> None:
        n = self._draw(st.sampled_from([0, -1, 2**63])) if self._broken() else self._draw(st.integers(1, 12))
        counter = self._draw(st.sampled_from(NAMES))
        self._tell("milestone/1", counter, n, "")
        self._wishes.append((counter, n, len(self.log)))

    def _rumour(self) -> None:
        if not self._rumours or not self._wishes:
            return
        draw = self._draw
        counter, n, since = draw(st.sampled_from(self._wishes))
        kind = draw(st.sampled_from(["verdict", "reached", "announced", "claimed"]))
        if kind == "verdict":
            self._tell("verdict/1", counter, n, draw(st.sampled_from([since, since, 1])), draw(st.integers(-1, 13)))
        elif kind == "reached":
            winner = [draw(st.sampled_from([None, "x"])), b"", draw(st.integers(1, 2)), 0, 0]
            self._tell("reached/1", counter, n, winner, [["monday", 0, b""], 0, 0, 1, b""])
        elif kind == "announced":
            self._tell("announced/1", counter, n)
        else:
            self._tell("claimed/1", counter, n, draw(st.sampled_from([b"one", b"two"])))

    def _import(self) -> None:
        draw = self._draw
        value = draw(st.sampled_from([0, 2**63, -1])) if self._broken() else draw(st.sampled_from(self.prior))
        source = draw(st.sampled_from([source for some in SOURCES for source in some]))
        after = draw(st.sampled_from([0, len(self.log) // 2, len(self.log)])) if self._rumours else 2**62
        self._tell("import/1", draw(st.sampled_from(NAMES)), value, source, "", after)

    def _again(self) -> None:
        if self.log:
            self.log.append(self.log[self._draw(st.integers(0, len(self.log) - 1))])

    def _fault(self) -> None:
        if self._faults:
            kind = self._draw(st.integers(0, 2))
            partition = self._draw(_partition)
            if kind == 0:
                self.log.append(Message(partition, self._draw(st.sampled_from(GARBAGE))))
            elif kind == 1:
                self.log.append(batch(partition, f"early{self._epoch}", self._epoch + 1, 1, []))
            else:
                epoch = max(self._epoch + self._draw(st.sampled_from([-1, 0])), 0)
                self.log.append(barrier("c1", self._next("c1", None), epoch))


@st.composite
def histories(draw: Any, faults: bool = True, jumps: bool = True, rumours: bool = True) -> list[Message]:
    """A log; ``jumps``: many epochs may pass at once."""
    history = _History(draw, faults, jumps, rumours)
    history.begin()
    for kind in draw(st.lists(_steps, min_size=1, max_size=30)):
        history.step(kind)
    return history.log


@st.composite
def raffles(draw: Any) -> list[Message]:
    """A log in which most milestones are reached."""
    history = _History(draw, faults=draw(st.booleans()), jumps=False, rumours=False)
    history.times, history.prior = (1, 1, 2, 5), (1, 2, 3)
    history.begin()
    history.wish(8)
    kinds = ["batch"] * 8 + ["chunk", "again", "tick", "tick", "milestone", "import", "define", "restart", "fault"]
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=8, max_size=30)):
        history.step(kind)
    return history.log
