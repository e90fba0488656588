"""The JSON that pages show of the whole and of its past, as types: they describe themselves in openapi_live.py."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from footfall.core.vector import ENTRY_MAX
from footfall.web.wire import CounterValue, Milestone, Name, NodeEntry

Value = Annotated[int, Meta(ge=0, le=ENTRY_MAX)]
Natural = Annotated[int, Meta(ge=0)]


class ListedCounter(CounterValue):
    """A counter in a list; ``children``: how many counters are directly below it."""

    children: Natural


class CounterPage(msgspec.Struct):
    """Counters in the order of their names; ``next`` continues the list as ``after``, and is null at its end.

    A page of a search may hold fewer than there are, and still go on: one request looks at a million names at most.
    """

    counters: list[ListedCounter]
    next: Name | None


class VectorEntry(msgspec.Struct):
    """What one partition has counted, up to ``sequence``, and the node that counts it."""

    partition: Natural
    value: Value
    owner: str | None
    sequence: Natural


class CounterVector(msgspec.Struct):
    """A counter's vector as the node knows it; ``value`` is the sum. Owners are told to those who show a token."""

    counter: Name
    value: Value
    entries: list[VectorEntry]


class LogOverview(msgspec.Struct):
    """The log as the node last heard of it; ``bytes_max`` of -1 is no limit."""

    connected: bool
    embedded: bool
    messages: Natural
    bytes: Natural
    bytes_max: int
    replicas: Natural
    servers: list[str]


class SpoolOverview(msgspec.Struct):
    """Visits that wait on the node while the log is away."""

    visits: Natural
    bytes: Natural
    bytes_max: Natural
    age_s: float
    spooling: bool


class PacedMilestone(Milestone):
    """A milestone, how fast its counter grows, and in how many seconds it is reached so; null if it is not moving."""

    rate_per_s: float
    projected_s: float | None


class Overview(msgspec.Struct):
    """All that the node knows of the whole. Of nodes and servers it tells who shows a token, where one is needed."""

    node: str
    version: str
    started: float
    topology: Literal["replicated", "sharded"]
    partitions: int
    counters: Natural
    total: Natural
    visitors: Natural
    visits_per_s: float
    sequence: Natural
    log: LogOverview
    spool: SpoolOverview | None
    nodes: list[NodeEntry]
    milestones: list[PacedMilestone]
    problems: list[str]
    warnings: list[str]


class History(msgspec.Struct):
    """What a counter was: Unix time in seconds and value, in order. Times without a sample are left out."""

    counter: Name
    step_s: Literal[10, 3600]
    points: list[Annotated[list[float], Meta(min_length=2, max_length=2)]]
