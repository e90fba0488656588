"""What ``footfall top`` needs of a node's answers. All has a default: nodes of other versions are watched, too."""

from typing import Any

import msgspec


class Node(msgspec.Struct, frozen=True):
    """A node, as the node asked knows it."""

    id: str
    url: str = ""
    partitions: list[int] = []
    sequence: int = 0
    lag_ms: int = 0
    heard_ms_ago: int = 0
    self: bool = False


class LogState(msgspec.Struct, frozen=True):
    """The log, as a node last heard of it."""

    connected: bool = True
    embedded: bool = False
    messages: int = 0
    bytes: int = 0
    bytes_max: int = -1
    replicas: int = 1
    servers: list[str] = []


class SpoolState(msgspec.Struct, frozen=True):
    """What waits on a node for the log."""

    visits: int = 0
    bytes: int = 0
    bytes_max: int = 0
    age_s: float = 0.0
    spooling: bool = False


class Winner(msgspec.Struct, frozen=True):
    """Who has reached a milestone."""

    visitor: str | None = None


class Milestone(msgspec.Struct, frozen=True):
    """A milestone, and how fast its counter grows."""

    counter: str
    n: int
    state: str = "open"
    value: int = 0
    winner: Winner | None = None
    rate_per_s: float = 0.0
    projected_s: float | None = None


class Overview(msgspec.Struct, frozen=True):
    """All that a node knows of the whole."""

    node: str = ""
    version: str = ""
    started: float = 0.0
    topology: str = ""
    partitions: int = 0
    counters: int = 0
    visits_per_s: float = 0.0
    log: LogState = LogState()
    spool: SpoolState | None = None
    nodes: list[Node] = []
    milestones: list[Milestone] = []
    problems: list[str] = []
    warnings: list[str] = []


class Row(msgspec.Struct, frozen=True):
    """A counter in a list."""

    counter: str
    value: int = 0
    unit: str = ""
    phase: str = ""
    children: int = 0


class Said(msgspec.Struct, frozen=True):
    """The same, as the node said it: every field, also those that are not shown.

    Attributes:
        overview: The whole.
        counters: Those below the counter that was asked for.
    """

    overview: dict[str, Any]
    counters: list[dict[str, Any]]
