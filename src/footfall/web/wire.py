"""The JSON that is sent and received, as types: they decode requests and, in openapi.py, describe themselves."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from footfall.core.names import NAME_LENGTH_MAX, PARTS_MAX, Unit
from footfall.core.vector import ENTRY_MAX
from footfall.core.visit import BATCH_VISITS_MAX, COUNT_MAX, KEY_BYTES_MAX, VISITOR_BYTES_MAX

NAME_PATTERN = rf"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){{0,{PARTS_MAX - 1}}}$"
SOURCE_PATTERN = r"^[A-Za-z0-9_.:-]{1,200}$"
OFFSET_MAX = 2**63 - 1
RECEIPT_BYTES_MAX = 513  # two keys of 256 bytes, joined
NOTE_BYTES_MAX = 1_000

# A schema cannot say bytes of UTF-8, nor portably which characters can be shown: the descriptions say both.
PRINTABLE = r"^[^\x00-\x1F\x7F-\xA0]+$"
HEADER_PATTERN = r"^[!-~]([ -~]*[!-~])?$"  # blanks around a header's value are not part of it
TEXT = "In 1 to 256 bytes of UTF-8, all of it characters that can be shown."
Name = Annotated[str, Meta(pattern=NAME_PATTERN, max_length=NAME_LENGTH_MAX, examples=["google.gmail"])]
Visitor = Annotated[
    str,
    Meta(pattern=PRINTABLE, max_length=VISITOR_BYTES_MAX, description=f"Who came. {TEXT}", examples=["203.0.113.7"]),
]
Key = Annotated[
    str,
    Meta(
        pattern=PRINTABLE, max_length=KEY_BYTES_MAX, description=f"Idempotency key, unique within the counter. {TEXT}"
    ),
]
Count = Annotated[
    int, Meta(ge=1, le=COUNT_MAX, description="How many visits this is; in digits alone, not 1e3 or 5.0.")
]
N = Annotated[int, Meta(ge=1, le=ENTRY_MAX, description="Whose visit is sought: the N-th.")]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$", description="SHA-256, in hex.")]
Offset = Annotated[int, Meta(ge=0, le=OFFSET_MAX, description="In bytes; in digits alone.")]


class OneVisit(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A visit, or ``count`` visits at once."""

    visitor: Visitor | None = None
    count: Count = 1


class VisitorList(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One visit by each of these visitors; ``keys``, if given, has one key for each."""

    visitors: Annotated[list[Visitor], Meta(min_length=1, max_length=BATCH_VISITS_MAX)]
    keys: Annotated[list[Key], Meta(min_length=1, max_length=BATCH_VISITS_MAX)] | msgspec.UnsetType = msgspec.UNSET


class VisitItem(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One visit of a list."""

    visitor: Visitor | None = None
    key: Key | None = None
    count: Count = 1


class VisitList(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Visits to one counter."""

    visits: Annotated[list[VisitItem], Meta(min_length=1, max_length=BATCH_VISITS_MAX)]


class CounterVisit(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One visit of a batch over many counters."""

    counter: Name
    visitor: Visitor | None = None
    key: Key | None = None
    count: Count = 1


class Source(msgspec.Struct, forbid_unknown_fields=True):
    """Which bytes of which source a batch was read from: ``from`` included, ``to`` excluded, and larger."""

    id: Annotated[str, Meta(pattern=SOURCE_PATTERN)]
    start: Offset = msgspec.field(name="from")
    end: Offset = msgspec.field(name="to")


class Batch(msgspec.Struct, forbid_unknown_fields=True):
    """Visits to many counters."""

    visits: Annotated[list[CounterVisit], Meta(min_length=1, max_length=BATCH_VISITS_MAX)]


class SourceVisit(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One visit that a source tells of; its place there makes it count once, so it has no key."""

    counter: Name
    visitor: Visitor | None = None
    count: Count = 1


class SourceBatch(msgspec.Struct, forbid_unknown_fields=True):
    """Visits that a source tells of; none where it moves on without one. No Idempotency-Key, and always durable."""

    source: Source
    visits: Annotated[list[SourceVisit], Meta(max_length=BATCH_VISITS_MAX)]


class Claim(msgspec.Struct, forbid_unknown_fields=True):
    """What the N-th visit was answered with; the visit's own idempotency key, if that has 22 characters or more."""

    receipt: Annotated[
        str, Meta(pattern=PRINTABLE, max_length=RECEIPT_BYTES_MAX, description="Only the winner has it.")
    ]


class Import(msgspec.Struct, forbid_unknown_fields=True):
    """A count from before, which is added to the counter and to those above it that have its unit."""

    value: Annotated[int, Meta(ge=1, le=ENTRY_MAX, description="How much; in digits alone.")]
    note: Annotated[
        str,
        Meta(pattern=PRINTABLE, max_length=NOTE_BYTES_MAX, description="What a person should know of it."),
    ]


class CounterDefinition(msgspec.Struct, forbid_unknown_fields=True):
    """What a counter counts: every request, or each distinct visitor once."""

    unit: Unit


class Accepted(msgspec.Struct, omit_defaults=True):
    """Visits were taken, and are where ``stored`` says; ``receipt`` names one visit, ``receipts`` each of a list."""

    accepted: Annotated[int, Meta(ge=0)]
    stored: Annotated[str, Meta(examples=["log", "spool", "memory"])]
    receipt: str | None = None
    receipts: list[str] | None = None


class CounterValue(msgspec.Struct):
    """What a node knows of a counter. ``pending`` visits it holds itself, and has not counted yet."""

    counter: Name
    value: Annotated[int, Meta(ge=0, le=ENTRY_MAX)]
    pending: Annotated[int, Meta(ge=0)]
    unit: Unit
    phase: Literal["ap", "cp"]
    consistency: Literal["eventual", "linearizable"]
    sequence: Annotated[int, Meta(ge=0)]
    staleness_ms: Annotated[int, Meta(ge=0)]


class CounterDefined(msgspec.Struct):
    """A counter that exists."""

    counter: Name
    unit: Unit


class SourcePosition(msgspec.Struct):
    """Where a source stands in the log: the byte offset at which its next chunk must start."""

    position: Offset


class SourceStanding(msgspec.Struct):
    """A source, and where it stands in the log: 0 for one that nobody sent from."""

    id: Annotated[str, Meta(pattern=SOURCE_PATTERN)]
    position: Offset


class SourceList(msgspec.Struct):
    """Where several sources stand in the log, in the order in which they were asked for."""

    sources: list[SourceStanding]


class Proof(msgspec.Struct):
    """From what a winner was derived: all messages of a log above a cut, where the counter was below N."""

    log: str
    sequence: Annotated[int, Meta(ge=0)]
    epoch: Annotated[int, Meta(ge=0)]
    value: Annotated[int, Meta(ge=0)]
    messages: Annotated[int, Meta(ge=1)]
    digest: Digest


class Winner(msgspec.Struct):
    """The N-th visit: entry ``index`` of the message at ``sequence``, and a commitment to its receipt."""

    visitor: str | None
    receipt_sha256: Digest
    sequence: Annotated[int, Meta(ge=1)]
    index: Annotated[int, Meta(ge=0)]
    time: Annotated[str, Meta(examples=["2026-01-31T12:00:00.000000Z"])]
    claimed: bool
    proof: Proof


class Milestone(msgspec.Struct):
    """Whose visit is the N-th; ``value`` is what the counter shows now."""

    counter: Name
    n: N
    state: Literal["open", "closing", "reached"]
    value: Annotated[int, Meta(ge=0, le=ENTRY_MAX)]
    winner: Winner | None


class MilestoneList(msgspec.Struct):
    """A counter's milestones, the lowest first; or all, in the order in which they were set."""

    milestones: list[Milestone]


class Imported(msgspec.Struct):
    """A count from before that was taken over."""

    counter: Name
    source: Annotated[str, Meta(pattern=SOURCE_PATTERN)]
    value: Annotated[int, Meta(ge=1, le=ENTRY_MAX)]
    note: str


class ImportList(msgspec.Struct):
    """What was imported into a counter itself, in order."""

    imports: list[Imported]


class NodeEntry(msgspec.Struct):
    """A node, as the answering node hears it."""

    id: str
    url: str
    topology: Literal["replicated", "sharded"]
    partitions: list[int]
    sequence: int
    lag_ms: int
    heard_ms_ago: int
    self: bool


class NodeList(msgspec.Struct):
    """The nodes that were heard from."""

    nodes: list[NodeEntry]


class Health(msgspec.Struct):
    """The process answers."""

    status: Literal["ok"]


class Readiness(msgspec.Struct):
    """Whether the node counts and answers, and if not, why; ``warnings`` tell what a person should look at anyway."""

    ready: bool
    problems: list[str]
    warnings: list[str]


class Problem(msgspec.Struct, omit_defaults=True):
    """RFC 9457 problem details.

    ``index`` says which visit of a batch; ``position`` where the source stands; ``value`` what the counter exactly is;
    ``partitions`` which of them were counted by no node.
    """

    type: str
    title: str
    status: int
    detail: str
    index: int | None = None
    position: int | None = None
    value: int | None = None
    partitions: list[int] | None = None


class Index(msgspec.Struct):
    """What this server is, and where to look next."""

    name: Literal["footfall"]
    version: str
    links: dict[str, str]


class Badge(msgspec.Struct, frozen=True, rename="camel"):
    """What shields.io's endpoint badges are told: its schema, version 1."""

    label: str
    message: str
    color: str
    label_color: str
    style: Annotated[str, Meta(description="How it is drawn, by the names of shields.io.")]
    schema_version: Literal[1] = 1
    cache_seconds: Annotated[int, Meta(description="How long it may be kept: they keep it so long at least.")] = 300
