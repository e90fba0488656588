"""Messages as they should be, of every kind: what the fuzzer damages."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from footfall.core import batch, control
from footfall.core.batch import Batch, Chunk, Section
from footfall.core.control import (
    Announced,
    Barrier,
    Claimed,
    Define,
    Import,
    Milestone,
    Proof,
    Reached,
    Verdict,
    Winner,
)
from footfall.core.definitions import Definitions
from footfall.core.names import Unit
from footfall.core.partition import Partition
from footfall.core.position import Position
from footfall.core.routing import partition_of
from footfall.node import messages
from footfall.node.messages import Beat, Counted, Digests, Done, Gather, Judged, Rows, SourceQuery

PARTITIONS = 2
GOLDEN = Path(__file__).parents[1] / "unit" / "core" / "golden"


def texts_of(partition: int, count: int, what: str) -> list[str]:
    """Texts that belong to a partition."""
    found = (text for number in range(10_000) if partition_of(text := f"{what}{number}", PARTITIONS) == partition)
    return [next(found) for _ in range(count)]


def _sections() -> list[Section]:
    visitors, keys = texts_of(0, 3, "v"), texts_of(0, 3, "k")
    return [
        Section("shop", Unit.VISITS, 5),
        Section("shop.books", Unit.VISITS, 3, batch.pack(["a", "", "ü"]), None, 7),
        Section("shop.books", Unit.VISITS, 3, None, batch.pack(keys)),
        Section("people", Unit.VISITORS, 3, batch.pack(visitors)),
        Section("nobody", Unit.VISITS, 1),
    ]


def batches() -> list[bytes]:
    """Batches of partition 0, of one producer after the other."""
    source = next(text for text in texts_of(0, 1, "log"))
    made = [Batch("batch/1", f"{number:016x}", 0, 1, [section]) for number, section in enumerate(_sections())]
    made += [Batch("batch/1", f"{7:016x}", 0, number, _sections()) for number in (1, 2, 3)]
    made += [Batch("batch/1", f"{8:016x}", 0, 1, _sections()[:2], Chunk(source, 0, 900))]
    return [batch.encode(one) for one in made] + goldens("batch")


def controls() -> list[bytes]:
    """Control messages, in an order in which they make sense."""
    cut = Position("2026-01-01T00:00:00Z")
    winner = Winner("203.0.113.7", bytes(32), 9, 0, 1)
    made = [
        Define("p", 1, (("shop.books", Unit.VISITS), ("people", Unit.VISITORS), ("a.b.c.d.e.f.g.h", Unit.VISITS))),
        Barrier("p", 2, 1),
        Barrier("q", 1, 0, "node", ("shop", "people")),
        Milestone("p", 3, "shop", 100, "node"),
        Verdict("p", 4, "shop", 100, 4, 7),
        Reached("p", 5, "shop", 100, winner, Proof(cut, 0, 7, 3, bytes(32))),
        Announced("p", 6, "shop", 100),
        Claimed("p", 7, "shop", 100, bytes(32)),
        Import("p", 8, "shop", 1_000, "old", "from before", 3),
        Barrier("p", 9, 2),
    ]
    kinds = ("define", "barrier", "milestone", "verdict", "reached", "announced", "claimed", "import")
    return [control.encode(one) for one in made] + goldens(*kinds)


def goldens(*kinds: str) -> list[bytes]:
    """The golden files of these kinds."""
    paths = [path for kind in kinds for path in sorted(GOLDEN.glob(f"{kind}*.hex"))]
    return [bytes.fromhex("".join(path.read_text().split())) for path in paths]


def said() -> list[bytes]:
    """What nodes say to each other."""
    numbers, entries = np.arange(3, dtype=np.int32), np.ones((3, 2), np.int64)
    made = [
        Beat("n1", "r", "http://h:1", "replicated", 3, {0: 7, 1: 9}, {0: 0.5}, True, False, "ab"),
        Rows("n1", "r", 1, [0, 1], [7, 9], numbers.tobytes(), entries.tobytes()),
        Rows("n1", "r", 1, [1], [9], numbers.tobytes(), entries[:, 0].tobytes(), 4),
        Done("n1", "r", 4, 1, 3, 8, {0: 7}),
        Digests("n1", 4, [1, 2**63]),
        Gather("n1", 4, {"n2": ("r", 5)}),
        Counted("n1", "p", 3, 9, {0: [1, 2], 1: [3, 4]}),
        Judged("n1", "shop", 9, [1, 2], [8, 9]),
    ]
    return [messages.encode(one) for one in made]


def asked() -> list[bytes]:
    """What nodes ask, and are answered."""
    return [messages.encode(SourceQuery("log", 9)), messages.encode(17), messages.encode(2**40)]


def definitions() -> Definitions:
    """Definitions that all of the above fit to."""
    found = Definitions()
    found.fold(1, control.decode(controls()[0]))
    return found


def counted() -> tuple[Partition, Definitions]:
    """A state with something of everything."""
    partition, known = Partition(0, PARTITIONS), definitions()
    for sequence, data in enumerate(batches(), 2):
        partition.fold(sequence, data, known)
    barrier = Barrier("p", 2, 1)
    known.fold(100, barrier)
    partition.fold_control(100, barrier, known)
    return partition, known


def finished(work: Coroutine[Any, Any, Any]) -> object:
    """What a coroutine returns that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")


def reencoded(data: bytes, change: Callable[[Any], Any]) -> bytes:
    """Msgpack with something of it changed."""
    return msgspec.msgpack.encode(change(msgspec.msgpack.decode(data)))
