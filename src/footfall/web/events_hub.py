"""Sends events to all streams of a node: one task looks at all counters that are watched, and writes what has changed.

Nothing is queued. A stream that cannot be written to is noted with the last change of a milestone that it was told of.
Once it reads again it gets the changes after that one, which the node knows anyway, and then the newest values.

Whatever there is to send, it takes a quarter of the event loop's time at most, in slices: the more streams, the rarer
the values.
"""

import asyncio
import logging
import random
import time
from collections.abc import Iterable

from footfall.errors import FootfallError, NotReadyError, OverloadedError
from footfall.node.node import Node
from footfall.node.watching import Change, told
from footfall.web.events_frames import HEARTBEAT, PREAMBLE, chunk
from footfall.web.events_streams import Group, Line, Stream, Topic, Watch
from footfall.web.events_telling import OVERVIEW_S, Telling
from footfall.web.traffic import Traffic

logger = logging.getLogger(__name__)

LOOK_S = 0.02  # between two looks at what has changed
VALUES_S = 0.1  # between two events with values of one stream
HEARTBEAT_S = 15.0
RETRY_MS = 2_000  # and up to as much again: those of a node that has died must not come to the next one all at once
SLICE_S = 0.002  # of work, before others get a turn
WRITE_S = 0.000_006  # what the system takes for each write at the end of the turn
SHARE_MAX = 0.25  # of the event loop's time
CATCH_UP_BYTES = 65_536  # written at once to a stream that is behind; the rest in the next round
TOPICS_AT_ONCE = 100  # looked at together: 0.5 ms
TOPICS_MAX = 20_000  # counters watched: a look at all takes 60 ms
UNDEFINED_MAX = 1_000  # of them, names that no counter has: anyone can make up any number


class Events:
    """The streams of one node.

    Args:
        node: The node.
        traffic: Where what is done is counted.
        streams_max: How many there may be.
    """

    def __init__(self, node: Node, traffic: Traffic, streams_max: int) -> None:
        self._node = node
        self._telling = Telling(node)
        self._traffic = traffic
        self._streams_max = streams_max
        self._streams: set[Stream] = set()
        self._groups: dict[Watch, Group] = {}
        self._topics: dict[str, Topic] = {}
        self._undefined: set[str] = set()  # of the topics, those that were not counters when they were last looked at
        self._behind: dict[Stream, Change] = {}  # the last change that each was told of
        self._head = Change(0)  # all who are not behind were told up to here
        self._overview: dict[bool, bytes] = {}  # as it was sent last, with and without nodes
        self._overview_s = self._beaten_s = 0.0
        self._slice_end_s = self._busy_s = 0.0
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    # Streams come and go

    def check_room(self, watch: Watch) -> None:
        """Raises OverloadedError if there may be no more streams, or no more counters watched; NotReadyError."""
        self._node.check_answering()
        new = [name for name in watch.names if name not in self._topics]
        if self._stopping:
            raise NotReadyError("this node is stopping")
        if len(self._streams) >= self._streams_max:
            self._traffic.streams_refused += 1
            raise OverloadedError(
                f"this node has {self._streams_max} streams of events, which is the most; ask another"
            )
        if len(self._topics) + len(new) > TOPICS_MAX:
            self._traffic.streams_refused += 1
            raise OverloadedError(f"{TOPICS_MAX} counters are watched at this node, which is the most; ask another")
        undefined = sum(map(self._is_undefined, new))
        if undefined and len(self._undefined) + undefined > UNDEFINED_MAX:
            self._undefined = set(filter(self._is_undefined, self._undefined))
            if len(self._undefined) + undefined > UNDEFINED_MAX:
                self._traffic.streams_refused += 1
                raise OverloadedError(
                    f"{UNDEFINED_MAX} names that no counter has are watched at this node, which is the most; "
                    "come again once there is such a counter, or ask another"
                )

    def _is_undefined(self, name: str) -> bool:
        return self._node.definition(name) is None

    def begin(self, line: Line, watch: Watch, cursor: Change | None) -> Stream:
        """Begin a stream, which ``check_room`` was asked for: what is missed is written, and what holds now.

        Args:
            line: Where to write.
            watch: What it is about.
            cursor: The last change that it was told of, elsewhere; None if it is new.

        Raises:
            NotReadyError: The node does not answer any more.
        """
        if not self._streams:
            self._node.watching.look()
            self._head = Change(self._node.watching.position)
        stream = Stream(line, self._group(watch))
        stream.resumed = cursor is not None
        stream.write(chunk(PREAMBLE % random.randint(RETRY_MS, 2 * RETRY_MS)), time.monotonic())  # noqa: S311
        stream.group.streams.add(stream)
        self._streams.add(stream)
        self._traffic.streams = len(self._streams)
        try:
            self._catch_up(stream, self._head if cursor is None else cursor)
        except FootfallError:
            self.forget(stream)
            raise
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="events")
        return stream

    def forget(self, stream: Stream, slow: bool = False) -> None:
        """A stream is over; ``slow``: because it was not read."""
        if stream not in self._streams:
            return
        self._traffic.streams_slow += slow
        self._streams.remove(stream)
        self._traffic.streams = len(self._streams)
        self._behind.pop(stream, None)
        stream.end()
        group = stream.group
        group.streams.remove(stream)
        if not group.streams:
            del self._groups[group.watch]
            for topic in group.topics:
                topic.groups.remove(group)
                if not topic.groups:
                    del self._topics[topic.name]
                    self._undefined.discard(topic.name)

    def end(self) -> None:
        """End all streams: whoever reads comes again, here or elsewhere."""
        for stream in list(self._streams):
            self.forget(stream)

    def stop(self) -> None:
        """End all, and begin no more."""
        self._stopping = True
        self.end()
        if self._task is not None:
            self._task.cancel()

    def _group(self, watch: Watch) -> Group:
        group = self._groups.get(watch)
        if group is None:
            readings = self._node.answers.read_all(watch.names)
            topics = [self._topics.get(one.counter) or Topic(one.counter, one) for one in readings]
            self._undefined.update(topic.name for topic in topics if self._is_undefined(topic.name))
            group = self._groups[watch] = Group(watch, topics)
            for topic in topics:
                self._topics[topic.name] = topic
                topic.groups.add(group)
        return group

    # Rounds

    async def _run(self) -> None:
        try:
            while self._streams:
                self._busy_s = 0.0
                self._slice_end_s = time.monotonic() + SLICE_S
                await self._round()
                self._busy_s += time.monotonic() + SLICE_S - self._slice_end_s
                await asyncio.sleep(max(LOOK_S, self._busy_s * (1 / SHARE_MAX - 1)))
        except FootfallError as error:
            logger.warning("all streams of events end: %s", error)
            self.end()
        except Exception:  # nobody foresaw it: it must not end the node, and must be seen
            logger.exception("all streams of events end")
            self.end()
        finally:
            self._task = None

    async def _breathe(self) -> None:
        """Let others have a turn, if it is time."""
        now_s = time.monotonic()
        if now_s > self._slice_end_s:
            self._busy_s += now_s + SLICE_S - self._slice_end_s
            await asyncio.sleep(0)
            self._slice_end_s = time.monotonic() + SLICE_S

    async def _round(self) -> None:
        node, watching, telling = self._node, self._node.watching, self._telling
        node.check_answering()
        before, changes = self._head, watching.look()
        self._head = Change(watching.position)
        for change, position in told(changes):
            await self._tell(change, position, before)
            before = change
        topics = list(self._topics.values())
        for begin in range(0, len(topics), TOPICS_AT_ONCE):
            part = topics[begin : begin + TOPICS_AT_ONCE]
            telling.look(part)
            for topic in part:
                for frame in telling.moved(topic, self._head.position):
                    await self._send([group for group in topic.groups if not group.watch.many], frame, self._head)
                await self._breathe()
        now_s = time.monotonic()
        for group in list(self._groups.values()):
            if group.dirty and now_s - group.sent_s >= VALUES_S:
                frame = group.values(group.dirty, self._head.position, watching.log)
                group.dirty.clear()
                group.sent_s = now_s
                await self._send([group], frame, self._head)
        await self._round_of_all(now_s)

    async def _tell(self, change: Change, position: int, before: Change) -> None:
        """A milestone was set, reached or claimed."""
        frame, won = self._telling.change(change, position)
        topic = self._topics.get(change.counter)
        groups = set(topic.groups) if topic is not None else set()
        if won:
            groups.update(group for group in self._groups.values() if group.watch.whole)
        await self._send([group for group in groups if won or not group.watch.many], frame, before)

    async def _round_of_all(self, now_s: float) -> None:
        """What is not of one counter: the overview, those who are behind, and heartbeats."""
        if now_s - self._overview_s >= OVERVIEW_S:
            self._overview_s = now_s
            for full in (False, True):
                groups = [group for group in self._groups.values() if group.watch.whole and group.watch.full is full]
                frame = self._telling.overview(full, self._head.position) if groups else b""
                if frame != self._overview.get(full):
                    self._overview[full] = frame
                    await self._send(groups, frame, self._head)
        for stream, cursor in list(self._behind.items()):
            if not stream.line.clogged and stream in self._streams:
                self._catch_up(stream, cursor)
                await self._breathe()
        if now_s - self._beaten_s >= 1.0:
            self._beaten_s = now_s
            beat = chunk(HEARTBEAT)
            for stream in list(self._streams):
                if now_s - stream.sent_s >= HEARTBEAT_S and not stream.line.clogged:
                    stream.write(beat, now_s)
                    await self._breathe()

    async def _send(self, groups: Iterable[Group], frame: bytes, before: Change) -> None:
        """Write to all streams of some groups; those that cannot take it were told up to ``before``."""
        now_s = time.monotonic()
        for stream in [stream for group in groups for stream in group.streams]:  # who joins now has it, or better
            if stream in self._behind or stream.over.done():
                continue
            if stream.line.clogged:
                self._behind[stream] = before
                continue
            stream.write(frame, now_s)
            self._traffic.events += 1
            self._slice_end_s -= WRITE_S
            await self._breathe()

    def _catch_up(self, stream: Stream, cursor: Change) -> None:
        """Write what a stream has missed, and what holds now; as much as may be written at once."""
        now_s, room, watch = time.monotonic(), CATCH_UP_BYTES, stream.group.watch
        for change, position in told(self._telling.missed(watch, cursor)):
            frame, won = self._telling.change(change, position)
            if won or not watch.many:
                stream.write(frame, now_s)
                self._traffic.events += 1
                room -= len(frame)
            if room < 0:
                self._behind[stream] = change
                return
        self._behind.pop(stream, None)
        for frame in self._present(stream):
            stream.write(frame, now_s)
            self._traffic.events += 1
        stream.resumed = True

    def _present(self, stream: Stream) -> Iterable[bytes]:
        """What holds now."""
        group, position = stream.group, self._head.position
        self._telling.look(group.topics)
        for topic in group.topics:
            if stream.resumed and not group.watch.many:
                yield from self._telling.near(topic.name, position)
        if group.topics:
            yield group.values(group.topics, position, self._node.watching.log)
        if group.watch.whole:
            yield self._telling.overview(group.watch.full, position)
