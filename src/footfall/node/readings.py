"""What a node answers: values, as data."""

import enum
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from footfall.core.milestones import Standing
from footfall.core.names import Unit
from footfall.node.histogram import Histogram


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


class Listed(Reading, frozen=True):
    """A counter in a list.

    Attributes:
        children: How many counters are directly below it.
    """

    children: int


class Page(msgspec.Struct, frozen=True):
    """A part of a list of counters; ``next``: behind which name it goes on, None at its end."""

    counters: Sequence[Listed]
    next: str | None


class EntryReading(msgspec.Struct, frozen=True):
    """One entry of a counter's vector.

    Attributes:
        partition: Which.
        value: What it has counted.
        owner: The node that counts it, if one is known that does.
        sequence: All of its messages up to this one are in ``value``.
    """

    partition: int
    value: int
    owner: str | None
    sequence: int


class VectorReading(msgspec.Struct, frozen=True):
    """A counter's vector as one node knows it; ``value`` is the sum of the entries."""

    counter: str
    value: int
    entries: list[EntryReading]


class ProofReading(msgspec.Struct, frozen=True):
    """From what a winner was derived: see ``footfall.core.control.Proof``.

    Attributes:
        log: Creation time of the log.
        sequence: Where the cut stands, from which the judge counted on.
        epoch: Names the cut; 0 for the log's beginning.
        value: What the counter was there.
        messages: How many messages of the log lie between, the winner's included.
        digest: Their SHA-256, in hex.
    """

    log: str
    sequence: int
    epoch: int
    value: int
    messages: int
    digest: str


class WinnerReading(msgspec.Struct, frozen=True):
    """The N-th visit.

    Attributes:
        visitor: Who came; None if nobody said.
        receipt_sha256: SHA-256 of the receipt, in hex: whoever can show the receipt is the winner.
        sequence: Where in the log the visit is.
        index: Which entry of the message there it is, from 0.
        time: When the log stored it, by the log's clock: RFC 3339, in UTC.
        claimed: Whether the receipt was shown.
        proof: From what it was derived.
    """

    visitor: str | None
    receipt_sha256: str
    sequence: int
    index: int
    time: str
    claimed: bool
    proof: ProofReading


class MilestoneState(enum.StrEnum):
    """How far a milestone is: ``closing`` when a judge counts, ``reached`` when there is a winner."""

    OPEN = "open"
    CLOSING = "closing"
    REACHED = "reached"


class MilestoneReading(msgspec.Struct, frozen=True):
    """A milestone.

    Attributes:
        counter: Its counter.
        n: Whose visit is sought: the N-th.
        state: How far it is.
        value: What the counter shows now.
        winner: The N-th visit, once it has come.
    """

    counter: str
    n: int
    state: MilestoneState
    value: int
    winner: WinnerReading | None


def winner_reading(standing: Standing) -> WinnerReading | None:
    """A milestone's winner, for people and machines; None before it has come."""
    winner, proof = standing.winner, standing.proof
    if winner is None or proof is None:
        return None
    told = datetime.fromtimestamp(winner.time_ns // 10**9, UTC).replace(microsecond=winner.time_ns // 1000 % 10**6)
    return WinnerReading(
        winner.visitor,
        winner.receipt_sha256.hex(),
        winner.sequence,
        winner.index,
        told.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        standing.claim is not None,
        ProofReading(
            proof.cut.created, proof.cut.sequence, proof.epoch, proof.value, proof.messages, proof.digest.hex()
        ),
    )


class Stored(enum.StrEnum):
    """Where visits are that were taken."""

    LOG = "log"  # counted, or about to be
    SPOOL = "spool"  # durable on the node that took them, until the log is back
    MEMORY = "memory"  # not durable: the caller did not want to wait


class Added(msgspec.Struct, frozen=True):
    """The answer to visits.

    Attributes:
        accepted: How many visits were taken.
        stored: Where they are.
        receipts: One for each visit sent, 32 hex digits; none from ``memory``.
    """

    accepted: int
    stored: Stored
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


class LogReading(msgspec.Struct, frozen=True):
    """The log, as a node last heard of it.

    Attributes:
        connected: Whether it can be reached.
        embedded: Whether the node brings it itself.
        messages: How many it holds.
        bytes: How large they are.
        bytes_max: How large they may be; -1: there is no limit.
        replicas: How many servers hold it.
        servers: Where they are, as the settings say; none if it is embedded.
    """

    connected: bool
    embedded: bool
    messages: int
    bytes: int
    bytes_max: int
    replicas: int
    servers: list[str]


class SpoolReading(msgspec.Struct, frozen=True):
    """Visits that wait on a node while the log is away; ``spooling`` says that it is.

    Attributes:
        visits: How many.
        bytes: How large they are.
        bytes_max: How large they may be.
        age_s: How long the oldest has waited.
        spooling: Whether visits go there now.
    """

    visits: int
    bytes: int
    bytes_max: int
    age_s: float
    spooling: bool


class PacedMilestone(MilestoneReading, frozen=True):
    """A milestone, and when it will be reached.

    Attributes:
        rate_per_s: How fast its counter grows, over the last ten seconds.
        projected_s: In how many seconds it is reached at this rate; None if it is reached, or the counter stands.
    """

    rate_per_s: float
    projected_s: float | None


class OverviewReading(msgspec.Struct, frozen=True):
    """All that one node knows of the whole.

    Attributes:
        node: Its id.
        version: Of Footfall.
        started: When it was started, in Unix time.
        topology: ``replicated`` or ``sharded``.
        partitions: How many there are.
        counters: How many there are.
        total: The visits of the counters at the top of the tree that count visits, together, as of the last second.
        visitors: What those at the top of the tree that count visitors have together: one in two of them counts twice.
        visits_per_s: How fast ``total`` grows, over the last ten seconds.
        sequence: All messages of the log up to this one are in what it shows.
        epoch: The present one: whoever publishes straight to the log is born in it.
        log: The log.
        spool: What waits for it; None if the node has no spool.
        nodes: The nodes that are there, this one first.
        milestones: The open ones, the nearest first, and then those that were reached, the last first; 100 at most.
        problems: Why it is not ready; empty if it is.
        warnings: What a person should look at anyway.
    """

    node: str
    version: str
    started: float
    topology: str
    partitions: int
    counters: int
    total: int
    visitors: int
    visits_per_s: float
    sequence: int
    epoch: int
    log: LogReading
    spool: SpoolReading | None
    nodes: Sequence[NodeInfo]
    milestones: Sequence[PacedMilestone]
    problems: Sequence[str]
    warnings: Sequence[str]


class Metric(msgspec.Struct, frozen=True):
    """A metric as Prometheus wants it.

    Attributes:
        name: Its name.
        kind: ``counter``, ``gauge`` or ``histogram``.
        help: What it tells.
        samples: Labels and value of each; none of a histogram.
        histogram: What it is a histogram of.
    """

    name: str
    kind: str
    help: str
    samples: list[tuple[dict[str, str], float]]
    histogram: Histogram | None = None
