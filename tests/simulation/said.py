"""What simulated nodes say to each other."""

from typing import Any, NamedTuple


class Beat(NamedTuple):
    node: str
    folded: dict[int, int]
    lag_s: dict[int, float]


class Rows(NamedTuple):
    """Entries of some counters in some partitions, which go no further than ``beyond``."""

    columns: list[int]
    beyond: list[int]
    numbers: Any
    entries: Any


class Digests(NamedTuple):
    """Anti-entropy: send me what differs."""

    node: str
    buckets: list[int]


class Gather(NamedTuple):
    """Scatter-gather: send me what your partitions hold."""

    node: str


class Answer(NamedTuple):
    """All that was asked for; whoever has merged it has these partitions up to these sequences."""

    rows: list[Rows]
    folded: dict[int, int]


class Counted(NamedTuple):
    """What a partition had counted at a message of the log that asked for it."""

    asked: tuple[str, int]
    sequence: int
    partition: int
    entries: list[int]
