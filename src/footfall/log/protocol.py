"""What Footfall asks of an ordered, durable log, of the store for cuts beside it, and of the bus between nodes."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from footfall.core.position import Position

VISITS_SUBJECT = "footfall.visits.{partition}"
CONTROL_SUBJECT = "footfall.control"
MESSAGE_BYTES_MAX = 1_000_000  # below the engine's max_payload of 1 MiB, headers included
PUBLISH_TIMEOUT_S = 5.0


class Message(NamedTuple):
    """One message as the log stored it."""

    sequence: int
    subject: str
    data: bytes
    time_ns: int  # the log's clock, Unix time: reported, never folded


class Delivery(NamedTuple):
    """Consecutive messages of the subjects asked for, in log order.

    Attributes:
        messages: May be empty: the log says that it is alive and has nothing new.
        pending: How many more the log held when it sent the last of these.
    """

    messages: Sequence[Message]
    pending: int


class LogState(NamedTuple):
    """What the log holds."""

    first_sequence: int
    last_sequence: int
    bytes: int
    bytes_max: int  # -1: unlimited
    replicas: int = 1  # how many servers hold it
    quorum: bool = True  # whether the server that says so has lately heard most of them


class Log(Protocol):
    """An ordered, durable log, split by subject into P partitions and a control subject."""

    @property
    def partitions(self) -> int:
        """P, fixed when the log was made."""

    @property
    def created(self) -> str:
        """The log's creation time, which names it; the same at every connection to it."""

    @property
    def ancestors(self) -> Mapping[str, int]:
        """The logs that this one goes on from, as a person restored it: by creation time, up to which sequence of it.

        Sequences go on too: those up to there name the same messages, though this log does not hold them. Empty for
        a log that began anew. What the ancestor took after that sequence is lost.
        """

    @property
    def connected(self) -> bool:
        """Whether the log can be reached, as far as is known without asking it."""

    async def publish(self, subject: str, data: bytes, timeout_s: float = PUBLISH_TIMEOUT_S) -> int:
        """Store one message durably; returns its sequence.

        Raises:
            LogFullError: The log is at its size limit: nothing was stored.
            LogUnavailableError: No acknowledgement in time: it may or may not be stored. Retry the same bytes.
        """

    def read(self, subjects: Sequence[str], after: Position) -> AsyncIterator[Delivery]:
        """Every message of ``subjects`` after a position, in order, without a gap, for ever.

        Survives reconnections and restarts of the log. At the start and at every resumption the message at the
        position is read again and compared. An idle log yields an empty delivery about once a second.

        Raises:
            LogRewoundError: The log is not the one that was read up to the position, or has lost some of it.
            LogTrimmedError: The log was trimmed beyond the position: what comes next has to come from a checkpoint.
        """

    @property
    def known(self) -> Position:
        """The highest place in the log that was acknowledged or delivered over this connection, or remembered."""

    def remember(self, position: Position) -> None:
        """Take a place for known: it was reached before this connection was made."""

    async def check(self, position: Position) -> None:
        """See that this is the log that was counted up to a position.

        Raises:
            LogRewoundError: It is another one, or has lost something, of that or of what is ``known``.
            LogTrimmedError: It no longer holds what was there.
            LogUnavailableError: It cannot be told now.
        """

    async def verify(self) -> None:
        """See that the log still holds what is ``known`` of it; readers do the same whenever they resume.

        Raises:
            LogRewoundError: It was replaced, or has lost something that had been acknowledged or delivered.
            LogUnavailableError: It cannot be told now.
        """

    async def message(self, sequence: int) -> Message | None:
        """The message at a sequence; None if the log does not hold it. Raises LogUnavailableError."""

    async def state(self) -> LogState:
        """Raises LogUnavailableError."""

    async def change_server(self) -> None:
        """Go to another of the log's servers, if there are several: this one does not answer for the log."""

    async def trim(self, before_sequence: int) -> None:
        """Drop every message below ``before_sequence``; that one is kept. Raises LogUnavailableError.

        A reader that was not sent all of them raises LogTrimmedError, if they are older than a few seconds: nothing
        younger may be dropped.
        """


class Store(Protocol):
    """Blobs by key, as durable as the log: where cuts are kept. Keys: 1 to 6 dot-separated parts of [A-Za-z0-9_-]."""

    async def put(self, key: str, data: bytes) -> None:
        """Store, replacing what was there; at most MESSAGE_BYTES_MAX. Raises LogUnavailableError."""

    async def get(self, key: str) -> bytes | None:
        """What was put last, or None. Raises LogUnavailableError."""

    async def delete(self, key: str) -> None:
        """Forget the key and its data; nothing to do is no error. Raises LogUnavailableError."""

    async def keys(self, prefix: str) -> list[str]:
        """The keys stored below ``prefix`` ("a.b" covers "a.b.c", not "a.bc"), sorted. Raises LogUnavailableError."""

    async def size(self) -> int:
        """Bytes that all blobs take, keys included. Raises LogUnavailableError."""


Handler = Callable[[bytes], Awaitable[bytes | None]]


class Bus(Protocol):
    """Messages from node to node: fast, in order from one sender, at most once. Losing any of them loses no count."""

    async def send(self, subject: str, data: bytes) -> None:
        """To every subscriber, this one too; dropped when the bus is away."""

    async def subscribe(self, subject: str, handler: Handler) -> Callable[[], Awaitable[None]]:
        """Call ``handler`` for every message, one at a time, in order; what it returns answers an ``ask``.

        Returns a function that ends the subscription. The queue of messages waiting for the handler is bounded;
        at the bound the newest are dropped. What a handler raises is logged, and the next message is handled.
        """

    async def ask(self, subject: str, data: bytes, timeout_s: float) -> bytes:
        """The first answer. Raises LogUnavailableError if none comes in time."""
