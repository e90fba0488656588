"""One stream of events, and the groups of streams that get the same; knows nothing of when something is sent."""

import asyncio
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from footfall.node.readings import Reading
from footfall.web.events_frames import chunk, event
from footfall.web.exchange import encode


class Line(Protocol):
    """What a stream needs of its connection."""

    def send(self, data: bytes) -> None:
        """Write; it is buffered."""

    @property
    def clogged(self) -> bool:
        """Whether the other end does not read as fast as is written."""


class Stream:
    """A stream: a connection to which events are written.

    Attributes:
        over: Done when the stream is.
        group: Those that get the same.
        sent_s: When something was written last.
        resumed: Whether it has missed something, or may have.
    """

    __slots__ = ("group", "line", "over", "resumed", "sent_s")

    def __init__(self, line: Line, group: "Group") -> None:
        self.line = line
        self.group = group
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sent_s = 0.0
        self.resumed = False

    def write(self, frame: bytes, now_s: float) -> None:
        """Write what is a chunk already."""
        self.line.send(frame)
        self.sent_s = now_s

    def end(self) -> None:
        """End it; whoever reads is told that there is no more."""
        if not self.over.done():
            self.over.set_result(None)


class Watch(NamedTuple):
    """What a stream is about; those about the same get the same bytes.

    Attributes:
        names: The counters.
        many: Whether it is a stream over many counters, even if it names one.
        whole: Whether it tells of the whole too, and of the winners of all counters.
        full: Whether that includes nodes and servers.
    """

    names: tuple[str, ...]
    many: bool = False
    whole: bool = False
    full: bool = False


class Group:
    """The streams about the same.

    Attributes:
        watch: What they are about.
        topics: Its counters.
        streams: The streams.
        dirty: Topics with news, in the order in which they had it.
        sent_s: When values were sent last.
    """

    __slots__ = ("dirty", "sent_s", "streams", "topics", "watch")

    def __init__(self, watch: Watch, topics: list["Topic"]) -> None:
        self.watch = watch
        self.topics = topics
        self.streams: set[Stream] = set()
        self.dirty: dict[Topic, None] = {}
        self.sent_s = 0.0

    def values(self, topics: Iterable["Topic"], position: int, log: str) -> bytes:
        """The event that tells of some of its counters, as a chunk; nothing if there are none."""
        data = [topic.data() for topic in topics]
        if not data:
            return b""
        if not self.watch.many:
            return chunk(event(b"value", position, log, data[0]))
        return chunk(event(b"values", position, log, b"[%b]" % b",".join(data)))


class Topic:
    """A counter that someone watches.

    Attributes:
        name: Its name.
        groups: Who watches.
        reading: What it was when someone looked last.
        moved: Whether its phase has changed, and nobody was told yet.
        closing: N of its milestones that are near.
    """

    __slots__ = ("_data", "_key", "closing", "groups", "moved", "name", "reading")

    def __init__(self, name: str, reading: Reading) -> None:
        self.name = name
        self.groups: set[Group] = set()
        self.reading = reading
        self.moved = False
        self.closing: frozenset[int] = frozenset()
        self._key = _key(reading, away=False)
        self._data: bytes | None = None

    def take(self, reading: Reading, away: bool) -> None:
        """Take a newer reading; if it is worth an event, the groups have news. ``away``: whether the log is."""
        key = _key(reading, away)
        if key == self._key:
            return
        self.moved = self.moved or reading.phase is not self.reading.phase
        self.reading, self._key, self._data = reading, key, None
        for group in self.groups:
            group.dirty[self] = None

    def data(self) -> bytes:
        """Its reading in JSON, encoded once for all who get it."""
        if self._data is None:
            self._data = encode(self.reading)
        return self._data


def _key(reading: Reading, away: bool) -> tuple[int, int, str, str, int]:
    """What is worth an event when it changes; of staleness, that it has doubled, in seconds.

    What waits for the log is worth one while that is away. Otherwise each visit waits for some milliseconds.
    """
    doubled = (reading.staleness_ms // 1000).bit_length()
    return reading.value, reading.pending if away else 0, reading.unit, reading.phase, doubled
