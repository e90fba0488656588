"""The log, the store and the bus on NATS JetStream, over one connection; the only package that speaks NATS."""

import asyncio
import base64
import contextlib
import json
import logging
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import nats
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from footfall.config import Config
from footfall.core.position import Position, check
from footfall.errors import (
    ConnectError,
    EngineTooOldError,
    FormatError,
    LogFullError,
    LogRewoundError,
    LogUnavailableError,
    PartitionsMismatchError,
)
from footfall.log.protocol import CONTROL_SUBJECT, PUBLISH_TIMEOUT_S, Delivery, Handler, LogState, Message
from footfall.log.pull import API_TIMEOUT_S, PullLoop

logger = logging.getLogger(__name__)

STREAM = "FOOTFALL"
CUTS = "FOOTFALL_CUTS"
CUT_SUBJECT = "footfall.cuts."
FORMAT = "1"
SERVER_OLDEST = (2, 12, 12)  # earlier 2.12 lost and desynchronised messages
CONNECT_TIMEOUT_S = 5.0
BUS_MESSAGES_MAX = 8_192  # waiting for a handler; the newest are dropped
BUS_BYTES_MAX = 256 << 20
NOT_FOUND = 10037
STREAM_NOT_FOUND = 10059
NO_PEERS = 10005  # a cluster that comes up may not have seen enough of its servers yet
FULL = (10077, 10047, 10023)  # maximum bytes exceeded; insufficient storage; insufficient resources
CLUSTER_REPLICAS = 3


class JetStreamLog:
    """Log, Store and Bus (see ``footfall.log.protocol``) over one connection to NATS."""

    def __init__(self, client: Client) -> None:
        self.partitions = 0
        self.created = ""
        self._client = client
        self._loops: set[PullLoop] = set()
        self._inbox = ""  # where acknowledgements come
        self._publishing: dict[str, asyncio.Future[bytes]] = {}  # by the reply's subject
        self._published = 0

    @property
    def connected(self) -> bool:
        """Whether the connection is up."""
        return self._client.is_connected

    async def close(self) -> None:
        """End the connection."""
        await self._client.close()

    def reconnected(self) -> None:
        """The connection is back: readers begin anew at once."""
        for loop in self._loops:
            loop.reconnected()

    def disconnected(self) -> None:
        """The connection is lost, and with it the acknowledgements under way: whoever waits may retry at once."""
        for waiting in self._publishing.values():
            if not waiting.done():
                waiting.set_exception(LogUnavailableError("the connection was lost"))

    # The log

    async def publish(self, subject: str, data: bytes, timeout_s: float = PUBLISH_TIMEOUT_S) -> int:
        """See ``Log.publish``."""
        if not self._client.is_connected:  # the client would wait for the connection, and for as long as it likes
            raise LogUnavailableError("the log cannot be reached")
        self._published += 1
        reply = f"{self._inbox}.{self._published}"
        loop = asyncio.get_running_loop()
        waiting = self._publishing[reply] = loop.create_future()
        timer = loop.call_later(timeout_s, _time_out, waiting)
        try:
            await self._client.publish(subject, data, reply=reply)
            acknowledgement = await waiting
        except (nats.errors.Error, OSError) as error:
            raise LogUnavailableError(f"no acknowledgement: {_said(error)}") from None
        finally:
            timer.cancel()
            del self._publishing[reply]
        try:
            answer = json.loads(acknowledgement)
        except ValueError:
            raise LogUnavailableError("nobody stores this: the log is being made, or has no leader now") from None
        if "error" in answer:
            code, text = answer["error"].get("err_code"), answer["error"].get("description")
            raise (LogFullError if code in FULL else LogUnavailableError)(f"the log refused: {text} ({code})")
        sequence: int = answer["seq"]
        return sequence

    async def read(self, subjects: Sequence[str], after: Position) -> AsyncGenerator[Delivery, None]:
        """See ``Log.read``."""
        loop = PullLoop(self._client, STREAM, subjects, after, self._check, self._first_sequence)
        self._loops.add(loop)
        try:
            async with contextlib.aclosing(loop.deliveries()) as deliveries:
                async for delivery in deliveries:
                    yield delivery
        finally:
            self._loops.discard(loop)

    async def _check(self, position: Position) -> None:
        message = await self.message(position.sequence)
        info = await self._info(STREAM)  # later: a message that a trim takes in between is seen to be trimmed
        check(position, info["created"], info["state"]["first_seq"], info["state"]["last_seq"], message)

    async def _first_sequence(self) -> int:
        return (await self.state()).first_sequence

    async def message(self, sequence: int) -> Message | None:
        """See ``Log.message``."""
        return await self._get(STREAM, {"seq": sequence}) if sequence > 0 else None

    async def state(self) -> LogState:
        """See ``Log.state``."""
        info = await self._info(STREAM)
        state = info["state"]
        first = max(1, state["first_seq"])  # 0 before the first message
        return LogState(first, state["last_seq"], state["bytes"], info["config"]["max_bytes"])

    async def trim(self, before_sequence: int) -> None:
        """See ``Log.trim``."""
        end = (await self.state()).last_sequence + 1
        if (before := min(before_sequence, end)) > 1:  # purged beyond its end, a stream would leave sequences out
            await self._ask(f"STREAM.PURGE.{STREAM}", {"seq": before})

    # The store

    async def put(self, key: str, data: bytes) -> None:
        """See ``Store.put``."""
        await self.publish(CUT_SUBJECT + key, data)

    async def get(self, key: str) -> bytes | None:
        """See ``Store.get``."""
        found = await self._get(CUTS, {"last_by_subj": CUT_SUBJECT + key})
        return None if found is None else found.data

    async def delete(self, key: str) -> None:
        """See ``Store.delete``."""
        await self._ask(f"STREAM.PURGE.{CUTS}", {"filter": CUT_SUBJECT + key})

    async def keys(self, prefix: str) -> list[str]:
        """See ``Store.keys``."""
        found: list[str] = []
        while True:
            body = {"subjects_filter": f"{CUT_SUBJECT}{prefix}.>", "offset": len(found)}
            info = await self._ask(f"STREAM.INFO.{CUTS}", body)
            page = info["state"].get("subjects") or {}
            found += page
            if not page or len(found) >= info.get("total", 0):
                return sorted(subject.removeprefix(CUT_SUBJECT) for subject in found)

    # The bus

    async def send(self, subject: str, data: bytes) -> None:
        """See ``Bus.send``."""
        if self._client.is_connected:
            with contextlib.suppress(nats.errors.Error):
                await self._client.publish(subject, data)

    async def subscribe(self, subject: str, handler: Handler) -> Callable[[], Awaitable[None]]:
        """See ``Bus.subscribe``."""

        async def handle(message: Msg) -> None:
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
            answer: bytes = (await self._client.request(subject, data, timeout=timeout_s)).data
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise LogUnavailableError(f"{subject} does not answer: {_said(error)}") from None
        return answer

    # JetStream's API

    async def _call(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        if not self._client.is_connected:
            raise LogUnavailableError("the log cannot be reached")
        try:
            data = json.dumps(body).encode()
            answer = (await self._client.request(f"$JS.API.{what}", data, timeout=API_TIMEOUT_S)).data
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise LogUnavailableError(f"{what}: {_said(error)}") from None
        decoded: dict[str, Any] = json.loads(answer)
        return decoded

    async def _ask(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self._call(what, body)
        if "error" in answer:
            raise LogUnavailableError(
                f"{what}: {answer['error'].get('description')} ({answer['error'].get('err_code')})"
            )
        return answer

    async def _of_stream(self, what: str, stream: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask about a stream; empty if it is not there, or does not hold that."""
        answer = await self._call(f"STREAM.{what}.{stream}", body)
        if "error" not in answer:
            return answer
        code = answer["error"].get("err_code")
        if code == STREAM_NOT_FOUND and stream == STREAM and self.created:
            raise LogRewoundError(f"stream {stream} is gone: it was removed while it was being counted; restore it")
        if code not in (NOT_FOUND, STREAM_NOT_FOUND):
            raise LogUnavailableError(f"stream {stream}: {answer['error'].get('description')} ({code})")
        return {}

    async def _info(self, stream: str) -> dict[str, Any]:
        return await self._of_stream("INFO", stream, {})

    async def _get(self, stream: str, which: dict[str, Any]) -> Message | None:
        answer = await self._of_stream("MSG.GET", stream, which)
        if not answer:
            return None
        found = answer["message"]
        data = base64.b64decode(found.get("data", ""))
        return Message(found["seq"], found["subject"], data, _unix_ns(found["time"]))

    async def _acknowledged(self, message: Msg) -> None:
        waiting = self._publishing.get(message.subject)
        if waiting is not None and not waiting.done():
            waiting.set_result(message.data)

    async def listen(self) -> None:
        """Begin to take acknowledgements."""
        self._inbox = self._client.new_inbox()
        await self._client.subscribe(self._inbox + ".*", cb=self._acknowledged)

    async def open(self, config: Config, replicas: int) -> None:
        """Find the streams, or make them, and see that they are what this node was started for."""
        info = await self._info(STREAM)
        if not info:
            streams = [(CUTS, _cuts_config(replicas)), (STREAM, _log_config(config, replicas))]
            for name, body in streams:
                answer = await self._call(f"STREAM.CREATE.{name}", body)  # the same again is no error
                if "error" in answer and not await self._info(name):
                    raise (LogUnavailableError if answer["error"].get("err_code") == NO_PEERS else ConnectError)(
                        f"stream {name} cannot be made: {answer['error'].get('description')} "
                        f"(the log may take {config.log_bytes_max} bytes on {replicas} servers)"
                    )
            info = await self._info(STREAM)
        metadata = info["config"].get("metadata") or {}
        if (found := metadata.get("footfall-format")) != FORMAT:
            raise FormatError(
                f"the log is of format {found}, and this version reads {FORMAT}: use the version that made it"
            )
        partitions = int(metadata["footfall-partitions"])
        if partitions != config.partitions:
            raise PartitionsMismatchError(
                f"the log has {partitions} partitions, and this node was started for {config.partitions}: "
                f"start it with --partitions {partitions}; the number never changes"
            )
        self.partitions, self.created = partitions, info["created"]


async def connect(config: Config, urls: Sequence[str], *, name: str) -> JetStreamLog:
    """Connect to NATS, and to the log on it; the log is made if there is none.

    Args:
        config: For a log that is made: partitions, replicas, size. For one that exists: what it must be.
        urls: Of the servers, as nats://[user:password@]host:port.
        name: Of the connection, for the server's own reports.

    Raises:
        ConnectError: No server answers in 5 s, or none has JetStream.
        EngineTooOldError: The server is too old to be trusted with a log.
        PartitionsMismatchError, FormatError: The log is another one than was asked for.
    """
    shown = ", ".join(_without_password(url) for url in urls)
    failure = ""  # the client's last: it tries again, and says nothing but that time is up
    client = Client()
    log = JetStreamLog(client)

    async def reconnected() -> None:
        logger.warning("connected to the log again")
        log.reconnected()

    async def disconnected() -> None:
        log.disconnected()
        if not client.is_closed:
            logger.warning("the connection to the log was lost")

    async def failed(error: Exception) -> None:
        nonlocal failure
        failure = _said(error)
        logger.debug("nats: %s", failure)

    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await client.connect(
                list(urls),
                name=name,
                allow_reconnect=True,
                max_reconnect_attempts=-1,  # the default gives up after 60
                reconnect_time_wait=0.1,  # type: ignore[arg-type]  # it only sleeps for as long
                connect_timeout=2,
                ping_interval=2,
                max_outstanding_pings=2,
                pending_size=0,  # nothing is sent later than its time-out by a client that had no connection
                reconnected_cb=reconnected,
                disconnected_cb=disconnected,
                error_cb=failed,
            )
    except (nats.errors.Error, TimeoutError, OSError, ValueError) as error:
        await _give_up(client)
        raise ConnectError(
            f"cannot connect to a nats-server at {shown}: {failure or _said(error)}; is it running, and is the credential right?"
        ) from None
    try:
        _check_version(str(client.connected_server_version))
        await log.listen()
        replicas = config.replicas or (CLUSTER_REPLICAS if _clustered(client) else 1)
        async with asyncio.timeout(4 * CONNECT_TIMEOUT_S):
            while True:
                try:
                    await log.open(config, replicas)
                    return log
                except LogUnavailableError as error:  # a cluster that has just come up has no leader yet
                    why = error
                    await asyncio.sleep(0.2)
    except TimeoutError:
        await _give_up(client)
        raise ConnectError(
            f"the nats-server at {shown} has no JetStream ready: {why}; enable it, or wait for it"
        ) from None
    except BaseException:
        await _give_up(client)
        raise


async def _give_up(client: Client) -> None:
    with contextlib.suppress(Exception):
        await client.close()


def _clustered(client: Client) -> bool:
    return bool(client._server_info.get("cluster"))  # noqa: SLF001  # the client does not show it in another way


def _check_version(version: str) -> None:
    numbers = tuple(map(int, re.findall(r"\d+", version)[:3]))
    if numbers < SERVER_OLDEST:
        oldest = ".".join(map(str, SERVER_OLDEST))
        raise EngineTooOldError(f"nats-server {version} can lose acknowledged messages; use {oldest} or newer")


def _log_config(config: Config, replicas: int) -> dict[str, Any]:
    return {
        "name": STREAM,
        "subjects": ["footfall.visits.*", CONTROL_SUBJECT],
        "retention": "limits",
        "discard": "new",  # a full log refuses, it never drops
        "max_bytes": config.log_bytes_max,
        "max_age": 0,
        "max_msgs": -1,
        "storage": "file",
        "num_replicas": replicas,
        "duplicate_window": 100_000_000,  # the shortest: the fold knows repeats by itself
        "deny_delete": True,
        "metadata": {"footfall-format": FORMAT, "footfall-partitions": str(config.partitions)},
    }


def _cuts_config(replicas: int) -> dict[str, Any]:
    return {
        "name": CUTS,
        "subjects": [CUT_SUBJECT + ">"],
        "retention": "limits",
        "discard": "old",
        "max_msgs_per_subject": 1,
        "storage": "file",
        "num_replicas": replicas,
        "duplicate_window": 100_000_000,
    }


def _unix_ns(text: str) -> int:
    """The Unix time of an RFC 3339 time with up to nine digits of a second."""
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    whole = int(datetime.fromisoformat(seconds + "+00:00").timestamp())
    return whole * 1_000_000_000 + int(fraction.ljust(9, "0")[:9] or "0")


def _without_password(url: str) -> str:
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return "that URL"


def _time_out(waiting: asyncio.Future[bytes]) -> None:
    if not waiting.done():
        waiting.set_exception(LogUnavailableError("the log did not acknowledge in time"))


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
