"""What a node answers: values, as data."""

import enum

import msgspec

from footfall.core.names import Unit


class Phase(enum.StrEnum):
    """Whether a counter's reads are available at any time, or exact by its judge."""

    AP = "ap"
    CP = "cp"


class Reading(msgspec.Struct, frozen=True):
    """A counter's value as one node knows it.

    Attributes:
        counter: Its name.
        value: Visits or distinct visitors, up to 2**63 - 1.
        pending: What this node has taken and the log has not acknowledged; not in ``value``.
        unit: What is counted.
        phase: ``ap`` until a milestone is near.
        consistency: How the value was read.
        sequence: All messages of the log up to this one are in ``value``.
        staleness_ms: How old, at most, this node's knowledge of the other nodes' counts is.
    """

    counter: str
    value: int
    pending: int
    unit: Unit
    phase: Phase
    consistency: str
    sequence: int
    staleness_ms: int


class Added(msgspec.Struct, frozen=True):
    """The answer to visits.

    Attributes:
        accepted: How many visits were taken.
        stored: Where they are safe: ``log``; or ``memory``, if the caller did not want to wait.
        receipts: One for each visit sent, 32 hex digits; none from ``memory``.
    """

    accepted: int
    stored: str
    receipts: list[str]


class NodeInfo(msgspec.Struct, frozen=True):
    """A node as this one hears it.

    Attributes:
        id: Its id.
        url: Its HTTP interface.
        topology: ``replicated`` or ``sharded``.
        partitions: Those that it counts.
        sequence: The lowest sequence up to which it has counted any of them; 0 if it counts none.
        lag_ms: How far it is behind in the partition in which it is furthest behind.
        heard_ms_ago: When it was last heard.
        self: Whether it is the node that answers.
    """

    id: str
    url: str
    topology: str
    partitions: list[int]
    sequence: int
    lag_ms: int
    heard_ms_ago: int
    self: bool


class Metric(msgspec.Struct, frozen=True):
    """A metric as Prometheus wants it: name, kind ("counter" or "gauge"), help, and samples of labels and value."""

    name: str
    kind: str
    help: str
    samples: list[tuple[dict[str, str], float]]
