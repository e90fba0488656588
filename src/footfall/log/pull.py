"""Reads a stream in order, without a gap, for ever: a pull loop of our own over JetStream's API.

The client's own ordered consumer loses messages for good when it is slow, and its ``fetch`` can drop what it has
collected. Here every message's consumer sequence is checked, and on any doubt the consumer is made anew after the
last message delivered.

What those sequences cannot tell: a trim may take messages that a slow reader was not sent yet, and the consumer goes on
behind them as if they had never been. So a reader that is behind asks where the stream begins, before it delivers. And
so does one that was sent nothing for a while: a server that is cut off from the others says that nothing is new.
"""

import asyncio
import contextlib
import json
import logging
import math
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from footfall.core.position import Position, at
from footfall.errors import LogUnavailableError
from footfall.log.api import AGAIN_S
from footfall.log.protocol import Delivery, Message

logger = logging.getLogger(__name__)

BATCH_MESSAGES = 256  # asked for at a time: what waits here is bounded by one request
BATCH_BYTES = 4 << 20
EXPIRES_S = 1.0  # of a request: a log with nothing new says so by letting it run out
SILENCE_MAX_S = 2.5 * EXPIRES_S
BEHIND_MAX_S = 2.0 * EXPIRES_S  # who had read everything so lately is not asked for: nobody trims what is so young
INACTIVE_S = 30.0  # after which the server drops a consumer that nobody asks
RETRY_FIRST_S, RETRY_MAX_S = 0.05, 1.0
BATCH_DONE = ("Batch Completed", "Message Size Exceeds MaxBytes")  # as the server says it, of messages or of bytes


class _RestartError(Exception):
    """The consumer is in doubt and is made anew."""


class PullLoop:
    """One reader of some subjects of a stream."""

    def __init__(
        self,
        client: Client,
        call: Callable[[str, dict[str, Any], float], Awaitable[dict[str, Any]]],
        stream: str,
        subjects: Sequence[str],
        after: Position,
        check: Callable[[Position], Awaitable[None]],
        first_sequence: Callable[[], Awaitable[int]],
    ) -> None:
        self.restarts = -1
        self._client = client
        self._call = call  # JetStream's API
        self._stream = stream
        self._subjects = list(subjects)
        self._after = after
        self._check = check
        self._first_sequence = first_sequence
        self._last: Message | None = None  # delivered last; its digest is only worked out at a resumption
        self._subscription: Any = None
        self._name = self._inbox = ""
        self._pending = 0  # when the last message was sent, or before the first
        self._arrived: list[Msg] = []
        self._woken = asyncio.Event()
        self._reconnections = 0

    def reconnected(self) -> None:
        """The connection was lost and is back: begin anew at once, instead of after the silence."""
        self._reconnections += 1
        self._woken.set()
        self._arrived.append(_RECONNECTED)

    async def deliveries(self) -> AsyncGenerator[Delivery, None]:
        """Deliver for ever. Raises LogRewoundError and LogTrimmedError (from ``check``)."""
        pause_s = RETRY_FIRST_S
        try:
            while True:
                try:
                    if self._last is not None:
                        self._after = at(self._after.created, self._last)
                        self._last = None
                    reconnections = self._reconnections
                    await self._check(self._after)
                    await self._create()
                    if self._reconnections != reconnections:
                        raise _RestartError("the connection was lost after the check")
                    async for delivery in self._consume():
                        pause_s = RETRY_FIRST_S
                        yield delivery
                except (_RestartError, LogUnavailableError, nats.errors.Error, TimeoutError, OSError) as error:
                    logger.debug("reading %s begins anew: %s", self._subjects, error)
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, RETRY_MAX_S)
        finally:
            await self._drop()

    async def _drop(self) -> None:
        """Let the consumer go; if that fails, the server drops it after a while."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None and self._client.is_connected:
            with contextlib.suppress(nats.errors.Error):
                await subscription.unsubscribe()
                await self._client.publish(f"$JS.API.CONSUMER.DELETE.{self._stream}.{self._name}", b"")

    async def _create(self) -> None:
        await self._drop()
        self.restarts += 1
        # All names are fresh, so that nothing late of the consumer before can mix in.
        self._name, self._inbox = "pull-" + secrets.token_hex(8), self._client.new_inbox()
        arrived = self._arrived = []
        woken = self._woken = asyncio.Event()

        async def arrive(message: Msg) -> None:
            arrived.append(message)
            woken.set()

        self._subscription = await self._client.subscribe(
            self._inbox + ".*", cb=arrive, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        config = {
            "name": self._name,
            "ack_policy": "none",
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": self._after.sequence + 1,
            "filter_subjects": self._subjects,
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": int(INACTIVE_S * 1e9),
        }
        body = {"stream_name": self._stream, "config": config}
        answer = await self._call(f"CONSUMER.CREATE.{self._stream}.{self._name}", body, AGAIN_S)
        if "error" in answer:
            raise _RestartError(f"no consumer: {answer['error']}")
        self._pending = answer["num_pending"]

    async def _ask(self, request: int) -> None:
        body = {"batch": BATCH_MESSAGES, "max_bytes": BATCH_BYTES, "expires": int(EXPIRES_S * 1e9)}
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._name}"
        await self._client.publish(subject, json.dumps(body).encode(), reply=f"{self._inbox}.{request}")

    async def _consume(self) -> AsyncIterator[Delivery]:
        consumed = request = left = 0
        sent_s = caught_up_s = -math.inf  # what arrives was sent later than that; nothing more was pending then
        heard_s = -math.inf  # the same, and there were messages: the server was not cut off
        while True:
            if left <= 0:
                request += 1
                left = BATCH_MESSAGES
                sent_s = time.monotonic()
                await self._ask(request)
            messages: list[Message] = []
            idle = False
            doubt: _RestartError | None = None
            try:
                for message in await self._arrivals():
                    if message.reply.startswith("$JS.ACK."):
                        *_, sequence, consumer_sequence, time_ns, waiting = message.reply.split(".")
                        consumed += 1
                        if int(consumer_sequence) != consumed:
                            raise _RestartError(
                                f"the consumer sent message {consumer_sequence}, and {consumed} was next"
                            )
                        messages.append(Message(int(sequence), message.subject, message.data, int(time_ns)))
                        self._pending = int(waiting)
                        left -= 1
                    else:
                        ended, expired = _ended(message)
                        if ended == request:
                            left = 0
                            idle = expired
                            sent_s += EXPIRES_S if expired else 0.0
            except _RestartError as error:
                doubt = error
            if messages or idle:
                if time.monotonic() - (heard_s if messages else caught_up_s) > BEHIND_MAX_S:
                    await self._check_not_trimmed()
                if self._pending == 0:
                    caught_up_s = sent_s
                    heard_s = sent_s if messages else heard_s
                if messages:
                    self._last = messages[-1]
                yield Delivery(messages, self._pending)
            if doubt is not None:  # only now: what came before it is in order, and the reader gets on
                raise doubt

    async def _arrivals(self) -> list[Msg]:
        if not self._arrived:
            self._woken.clear()
            async with asyncio.timeout(SILENCE_MAX_S):
                await self._woken.wait()
        arrived = self._arrived[:]
        self._arrived.clear()
        return arrived

    async def _check_not_trimmed(self) -> None:
        """See that no trim has taken what comes after the message delivered last; then what has arrived does."""
        delivered = self._last.sequence if self._last is not None else self._after.sequence
        first = await self._first_sequence()
        if first > delivered + 1:
            raise _RestartError(f"the log was trimmed to {first}, and {delivered} was read")


_RECONNECTED = Msg(_client=None, headers={"Status": "reconnected"})  # type: ignore[arg-type]  # stands for no message


def _ended(status: Msg) -> tuple[int, bool]:
    """Which request a status ends, and whether that ran out; raises _RestartError if it tells of something wrong."""
    headers = status.headers or {}
    code, text = headers.get("Status"), headers.get("Description", "")
    if code == "408" or (code == "409" and text in BATCH_DONE):
        return int(status.subject.rpartition(".")[2]), code == "408"
    raise _RestartError(f"{code} {text}")
