"""Reads a stream in order, without a gap, for ever: a pull loop of our own over JetStream's API.

The client's own ordered consumer loses messages for good when it is slow, and its ``fetch`` can drop what it has
collected. Here every message's consumer sequence is checked, and on any doubt the consumer is made anew after the
last message delivered.
"""

import asyncio
import contextlib
import json
import logging
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from footfall.core.position import Position, at
from footfall.errors import LogUnavailableError
from footfall.log.protocol import Delivery, Message

logger = logging.getLogger(__name__)

BATCH_MESSAGES = 256  # asked for at a time: what waits here is bounded by one request
BATCH_BYTES = 4 << 20
HEARTBEAT_S = 1.0
SILENCE_MAX_S = 2.5 * HEARTBEAT_S
EXPIRES_S = 30.0
INACTIVE_S = 30.0  # after which the server drops a consumer that nobody asks
RETRY_FIRST_S, RETRY_MAX_S = 0.05, 1.0
API_TIMEOUT_S = 5.0


class _RestartError(Exception):
    """The consumer is in doubt and is made anew."""


class PullLoop:
    """One reader of some subjects of a stream."""

    def __init__(
        self,
        client: Client,
        stream: str,
        subjects: Sequence[str],
        after: Position,
        check: Callable[[Position], Awaitable[None]],
    ) -> None:
        self.restarts = -1
        self._client = client
        self._stream = stream
        self._subjects = list(subjects)
        self._after = after
        self._check = check
        self._last: Message | None = None  # delivered last; its digest is only worked out at a resumption
        self._subscription: Any = None
        self._name = self._inbox = ""
        self._arrived: list[Msg] = []
        self._woken = asyncio.Event()

    def reconnected(self) -> None:
        """The connection was lost and is back: begin anew at once, instead of after the silence."""
        self._woken.set()
        self._arrived.append(_RECONNECTED)

    async def deliveries(self) -> AsyncGenerator[Delivery, None]:
        """Deliver for ever. Raises LogRewoundError (from ``check``)."""
        pause_s = RETRY_FIRST_S
        try:
            while True:
                try:
                    if self._last is not None:
                        self._after = at(self._after.created, self._last)
                        self._last = None
                    await self._check(self._after)
                    await self._create()
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
        body = json.dumps({"stream_name": self._stream, "config": config}).encode()
        subject = f"$JS.API.CONSUMER.CREATE.{self._stream}.{self._name}"
        answer = json.loads((await self._client.request(subject, body, timeout=API_TIMEOUT_S)).data)
        if "error" in answer:
            raise _RestartError(f"no consumer: {answer['error']}")

    async def _ask(self, request: int) -> None:
        body = {
            "batch": BATCH_MESSAGES,
            "max_bytes": BATCH_BYTES,
            "expires": int(EXPIRES_S * 1e9),
            "idle_heartbeat": int(HEARTBEAT_S * 1e9),
        }
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._name}"
        await self._client.publish(subject, json.dumps(body).encode(), reply=f"{self._inbox}.{request}")

    async def _consume(self) -> AsyncIterator[Delivery]:
        consumed = request = left = 0
        while True:
            if left <= 0:
                request += 1
                left = BATCH_MESSAGES
                await self._ask(request)
            if not self._arrived:
                self._woken.clear()
                async with asyncio.timeout(SILENCE_MAX_S):
                    await self._woken.wait()
            arrived = self._arrived[:]
            self._arrived.clear()
            messages: list[Message] = []
            pending = 0
            for message in arrived:
                if message.reply.startswith("$JS.ACK."):
                    *_, sequence, consumer_sequence, time_ns, waiting = message.reply.split(".")
                    consumed += 1
                    if int(consumer_sequence) != consumed:
                        raise _RestartError(f"message {consumer_sequence} of the consumer came, {consumed} was next")
                    messages.append(Message(int(sequence), message.subject, message.data, int(time_ns)))
                    pending = int(waiting)
                    left -= 1
                elif _ends(message, request):
                    left = 0
            if messages:
                self._last = messages[-1]
                yield Delivery(messages, pending)
            elif arrived:
                yield Delivery((), 0)


_RECONNECTED = Msg(_client=None, headers={"Status": "reconnected"})  # type: ignore[arg-type]  # stands for no message


def _ends(status: Msg, request: int) -> bool:
    """Whether a status ends the present request; raises _RestartError if it says that something is wrong."""
    headers = status.headers or {}
    code, text = headers.get("Status"), headers.get("Description", "")
    if code == "100":  # idle heartbeat
        return False
    if code == "408" or (code == "409" and "MaxBytes" in text.replace(" ", "")):
        return status.subject.endswith(f".{request}")
    raise _RestartError(f"{code} {text}")
