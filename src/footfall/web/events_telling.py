"""What there is to tell on streams of events, as chunks that are encoded once for all who get them."""

import time
from collections.abc import Iterable, Sequence

from footfall.node.node import Node
from footfall.node.watching import Change
from footfall.web.events_frames import chunk, event
from footfall.web.events_streams import Topic, Watch
from footfall.web.exchange import encode
from footfall.web.overview import seen_by_anyone

OVERVIEW_S = 1.0  # between two overviews


class Telling:
    """What one node has to tell. ``position`` is the place in the log up to which all is told with an event."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._overviews: dict[bool, tuple[float, bytes]] = {}  # as of when, with and without nodes

    def look(self, topics: Sequence[Topic]) -> None:
        """Take the newest readings of some counters."""
        away = self._node.producer.storing.away
        for topic, reading in zip(topics, self._node.answers.read_all([one.name for one in topics]), strict=True):
            topic.take(reading, away)

    def change(self, change: Change, position: int) -> tuple[bytes, bool]:
        """The event that tells how far a milestone is, and whether it has a winner."""
        reading = self._node.milestone(self._node.milestones.find(change.counter, change.n))
        won = reading.winner is not None
        name = b"winner" if won else b"phase"
        return chunk(event(name, position, self._node.watching.log, encode(reading))), won

    def missed(self, watch: Watch, cursor: Change) -> Sequence[Change]:
        """The changes of milestones that whoever was told of one has yet to be told of."""
        watching = self._node.watching
        if watch.whole:
            return watching.after(cursor, None)
        return sorted(change for name in watch.names for change in watching.after(cursor, name))

    def near(self, name: str, position: int) -> Iterable[bytes]:
        """The events that tell which of a counter's milestones are near now, for no log tells that."""
        return [self._phase(name, n, position) for n in sorted(self._closing(name))]

    def moved(self, topic: Topic, position: int) -> Sequence[bytes]:
        """Those that tell which have come near, or are not near any more; or that the counter is in another phase."""
        if not (topic.moved or topic.closing or topic.name in self._node.watching.open):
            return ()
        open_ = [one.n for one in self._node.counting.definitions.milestones.open_of(topic.name) if not one.undecided]
        closing = self._closing(topic.name)
        numbers = [n for n in open_ if (n in closing) != (n in topic.closing)] or (open_[:1] if topic.moved else [])
        topic.closing, topic.moved = closing, False
        return [self._phase(topic.name, n, position) for n in numbers]

    def overview(self, full: bool, position: int) -> bytes:
        """The overview; it may be a second old, for whoever comes among many."""
        now_s = time.monotonic()
        made_s, data = self._overviews.get(full, (-OVERVIEW_S, b""))
        if now_s - made_s >= OVERVIEW_S:
            overview = self._node.overview.read()
            data = encode(overview if full else seen_by_anyone(overview))
            self._overviews[full] = now_s, data
        return chunk(event(b"overview", position, self._node.watching.log, data))

    def _closing(self, name: str) -> frozenset[int]:
        counting = self._node.counting
        open_ = counting.definitions.milestones.open_of(name)
        return frozenset(one.n for one in open_ if counting.judging.nearness.is_closing(one) and not one.undecided)

    def _phase(self, name: str, n: int, position: int) -> bytes:
        frame, _ = self.change(Change(position, name, n), position)
        return frame
