"""The log, the store and the bus on NATS JetStream, over one connection; the only package that speaks NATS."""

import asyncio
import contextlib
import json
import logging
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from footfall.core.position import Position, check
from footfall.errors import LogFullError, LogRewoundError, LogUnavailableError
from footfall.log import connection
from footfall.log.api import Api, said
from footfall.log.facts import StreamFacts, has_quorum, stream_facts
from footfall.log.known import Known
from footfall.log.protocol import PUBLISH_TIMEOUT_S, Delivery, Handler, LogState, Message
from footfall.log.pull import PullLoop
from footfall.log.replies import Replies
from footfall.log.streams import CUT_SUBJECT, CUTS, STREAM, ancestors_of, cuts_config

logger = logging.getLogger(__name__)

BUS_MESSAGES_MAX = 8_192  # waiting for a handler; the newest are dropped
BUS_BYTES_MAX = 256 << 20
FULL = (10077, 10047, 10023)  # maximum bytes exceeded; insufficient storage; insufficient resources
STALE_MAX_S = 15.0  # a leader that was cut off answers from the past until it steps down, after 10 s without a quorum
DOUBT_GAP_S = 5.0


class JetStreamLog:
    """Log, Store and Bus (see ``footfall.log.protocol``) over one connection to NATS."""

    def __init__(self, client: Client) -> None:
        self.partitions = 0
        self.created = ""
        self.ancestors: Mapping[str, int] = {}
        self._client = client
        self._known = Known()
        self._replicated = False
        self._doubted_s = 0.0  # since when a replicated log seems to have lost something
        self._doubted_last_s = -math.inf  # and when that was seen last
        self._loops: set[PullLoop] = set()
        self._making = asyncio.Lock()  # the store, if it is gone
        self._replies = Replies(client)
        self.api = Api(self._replies)

    @property
    def connected(self) -> bool:
        """Whether the connection is up."""
        return self._client.is_connected

    async def close(self) -> None:
        """End the connection."""
        await connection.close(self._client)

    def reconnected(self) -> None:
        """The connection is back: readers begin anew at once."""
        for loop in self._loops:
            loop.reconnected()

    def disconnected(self) -> None:
        """The connection is lost: whoever waits for an answer may ask again at once."""
        self._known.doubt()
        self._replies.lost()

    async def listen(self) -> None:
        """Begin to take answers."""
        await self._replies.listen()

    # The log

    async def publish(self, subject: str, data: bytes, timeout_s: float = PUBLISH_TIMEOUT_S) -> int:
        """See ``Log.publish``."""
        before = self._known.sequence
        sequence = await self._publish(subject, data, timeout_s)
        self._known.acknowledged(Message(sequence, subject, data, 0), before)
        return sequence

    async def _publish(self, subject: str, data: bytes, timeout_s: float = PUBLISH_TIMEOUT_S) -> int:
        answer = json.loads(await self._replies.ask(subject, data, timeout_s))
        if "error" in answer:
            full = answer["error"].get("err_code") in FULL
            raise (LogFullError if full else LogUnavailableError)(f"the log refused: {said(answer)}")
        sequence: int = answer["seq"]
        return sequence

    async def read(self, subjects: Sequence[str], after: Position) -> AsyncGenerator[Delivery, None]:
        """See ``Log.read``."""
        loop = PullLoop(self._client, self.api.call, STREAM, subjects, after, self._check, self._first_sequence)
        self._loops.add(loop)
        try:
            async with contextlib.aclosing(loop.deliveries()) as deliveries:
                async for delivery in deliveries:
                    if delivery.messages:
                        self._known.remember(delivery.messages[-1])
                    yield delivery
        finally:
            self._loops.discard(loop)

    @property
    def known(self) -> Position:
        """See ``Log.known``."""
        return self._known.position(self.created)

    def remember(self, position: Position) -> None:
        """See ``Log.remember``."""
        self._known.remember(position)

    async def check(self, position: Position) -> None:
        """See ``Log.check``."""
        await self._check(position)

    async def verify(self) -> None:
        """See ``Log.verify``."""
        await self._check()  # no position: whatever is not known may have been trimmed

    async def _check(self, position: Position | None = None) -> None:
        """Raises as ``check`` does for this position, and LogRewoundError if what is known is not there."""
        known = self._known.to_check(self.created)
        positions = known if position is None else [*known, position]
        found = [await self.message(one.sequence) for one in positions]
        info = await self.api.info(STREAM)  # later: a message that a trim takes in between is seen to be trimmed
        created, first, last = info["created"], info["state"]["first_seq"], info["state"]["last_seq"]
        # Each answer may come from another server: the message is there, and the next tells of an end below it.
        missing = any(
            one.sequence > last or (message is None and one.sequence > 0)
            for one, message in zip(positions, found, strict=True)
        )
        try:
            self._known.check(known, created, first, last, found[: len(known)])
            if position is not None:
                check(position, created, first, last, found[-1])
        except LogRewoundError as error:
            if missing and created == self.created and self._may_be_stale(info):
                raise LogUnavailableError(
                    f"a server of the log may answer from the past ({error}); asked again"
                ) from None
            raise
        self._doubted_last_s = -math.inf
        if position is not None:
            self._known.remember(position)

    def _may_be_stale(self, info: dict[str, Any]) -> bool:
        """Whether something that is missing may be on another server of a replicated log."""
        if not self._replicated:
            return False
        now_s = time.monotonic()
        if not has_quorum(info) or now_s - self._doubted_last_s > DOUBT_GAP_S:
            self._doubted_s = now_s  # what was doubted long ago, and not seen since, is no evidence
        self._doubted_last_s = now_s
        return now_s - self._doubted_s <= STALE_MAX_S

    async def _first_sequence(self) -> int:
        return (await self.state()).first_sequence

    async def message(self, sequence: int) -> Message | None:
        """See ``Log.message``."""
        return await self.api.message(STREAM, {"seq": sequence}) if sequence > 0 else None

    async def state(self) -> LogState:
        """See ``Log.state``."""
        info = await self.api.info(STREAM)
        state = info["state"]
        first = max(1, state["first_seq"])  # 0 before the first message
        config = info["config"]
        return LogState(
            first,
            state["last_seq"],
            state["bytes"],
            config["max_bytes"],
            config["num_replicas"],
            not self._replicated or has_quorum(info),
        )

    async def change_server(self) -> None:
        """See ``Log.change_server``. To one at random, so this may have to be done again."""
        if len(self._client.servers) > 1:
            logger.warning("the nats-server that this node is connected to does not answer for the log; trying another")
            await self._client.force_reconnect()

    async def trim(self, before_sequence: int) -> None:
        """See ``Log.trim``."""
        end = (await self.state()).last_sequence + 1
        if (before := min(before_sequence, end)) > 1:  # purged beyond its end, a stream would leave sequences out
            await self.api.ask(f"STREAM.PURGE.{STREAM}", {"seq": before})

    async def facts(self) -> list[StreamFacts]:
        """What the server says of the log's stream and of the store's."""
        return [stream_facts(name, await self.api.info(name)) for name in (STREAM, CUTS)]

    # The store

    async def put(self, key: str, data: bytes) -> None:
        """See ``Store.put``."""
        try:
            await self._publish(CUT_SUBJECT + key, data)
        except LogUnavailableError:
            async with self._making:
                if not await self.api.info(CUTS):
                    await self._make_cuts_again()
            await self._publish(CUT_SUBJECT + key, data)

    async def _make_cuts_again(self) -> None:
        """Someone has removed the store while nodes count: what they hold may be all that there is, so it is kept."""
        replicas = (await self.api.info(STREAM))["config"]["num_replicas"]
        await self.api.ask(f"STREAM.CREATE.{CUTS}", cuts_config(replicas))
        logger.error("stream %s was gone, and is made again: the next cut is stored there", CUTS)

    async def get(self, key: str) -> bytes | None:
        """See ``Store.get``."""
        found = await self.api.message(CUTS, {"last_by_subj": CUT_SUBJECT + key})
        return None if found is None else found.data

    async def delete(self, key: str) -> None:
        """See ``Store.delete``."""
        await self.api.ask(f"STREAM.PURGE.{CUTS}", {"filter": CUT_SUBJECT + key})

    async def keys(self, prefix: str) -> list[str]:
        """See ``Store.keys``."""
        found: list[str] = []
        while True:
            body = {"subjects_filter": f"{CUT_SUBJECT}{prefix}.>", "offset": len(found)}
            info = await self.api.ask(f"STREAM.INFO.{CUTS}", body)
            page = info["state"].get("subjects") or {}
            found += page
            if not page or len(found) >= info.get("total", 0):
                return sorted(subject.removeprefix(CUT_SUBJECT) for subject in found)

    async def size(self) -> int:
        """See ``Store.size``."""
        return int((await self.api.info(CUTS))["state"]["bytes"])

    # The bus

    async def send(self, subject: str, data: bytes) -> None:
        """See ``Bus.send``."""
        if self._client.is_connected:
            with contextlib.suppress(nats.errors.Error):
                await self._client.publish(subject, data)

    async def subscribe(self, subject: str, handler: Handler) -> Callable[[], Awaitable[None]]:
        """See ``Bus.subscribe``."""

        async def handle(message: Msg) -> None:
            if message.subject != subject:
                return  # of the log: a consumer may send it to any subject, and a producer may have written anything
            try:
                answer = await handler(message.data)
            except Exception:
                logger.exception("a handler of %s failed", subject)
                return
            if answer is not None and message.reply:
                await self.send(message.reply, answer)

        subscription = await self._client.subscribe(
            subject, cb=handle, pending_msgs_limit=BUS_MESSAGES_MAX, pending_bytes_limit=BUS_BYTES_MAX
        )

        async def end() -> None:
            if not self._client.is_closed:
                with contextlib.suppress(nats.errors.Error):
                    await subscription.unsubscribe()

        return end

    async def ask(self, subject: str, data: bytes, timeout_s: float) -> bytes:
        """See ``Bus.ask``."""
        try:
            return await self._replies.ask(subject, data, timeout_s)
        except LogUnavailableError as error:
            raise LogUnavailableError(f"{subject} does not answer: {error}") from None

    async def use(self, info: dict[str, Any], partitions: int) -> None:
        """Take the stream that ``info`` describes for the log: from now on it must be there."""
        await self.api.info(CUTS)  # on a cluster it has a leader of its own, who may be elected later
        self.ancestors = ancestors_of(info)
        self.partitions, self.created, self.api.required = partitions, info["created"], STREAM
        self._replicated = info["config"]["num_replicas"] > 1
