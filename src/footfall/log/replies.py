"""Requests over one connection to NATS, and their replies; knows nothing of what is asked.

The client's own ``request`` waits out its time when the connection is lost, though no reply can come any more.
"""

import asyncio

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from footfall.errors import LogUnavailableError

NOBODY = "503"  # the status that the server replies with itself


class Replies:
    """The replies that are waited for."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._inbox = ""
        self._waiting: dict[str, asyncio.Future[bytes]] = {}  # by the reply's subject
        self._asked = 0

    async def listen(self) -> None:
        """Begin to take replies."""
        self._inbox = self._client.new_inbox()
        await self._client.subscribe(self._inbox + ".*", cb=self._take)

    async def _take(self, message: Msg) -> None:
        waiting = self._waiting.get(message.subject)
        if waiting is None or waiting.done():
            return
        if message.headers and message.headers.get("Status") == NOBODY:
            waiting.set_exception(LogUnavailableError("nobody is there to answer"))
        else:
            waiting.set_result(message.data)

    def lost(self) -> None:
        """The connection is lost, and with it the replies: whoever waits may ask again at once."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(LogUnavailableError("the connection was lost"))

    async def ask(self, subject: str, data: bytes, timeout_s: float, again_s: float | None = None) -> bytes:
        """The first reply. Raises LogUnavailableError.

        Args:
            subject: Of the request.
            data: Of the request.
            timeout_s: How long a reply is waited for.
            again_s: After so long the request is sent once more, and so on: a cluster that has no leader just now drops
                it without a word. None for what must not be done a second time, after its reply.
        """
        if not self._client.is_connected:  # the client would wait for the connection, and for as long as it likes
            raise LogUnavailableError("the log cannot be reached")
        self._asked += 1
        reply = f"{self._inbox}.{self._asked}"
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[bytes] = loop.create_future()
        self._waiting[reply] = waiting
        timer = loop.call_later(timeout_s, _time_out, waiting, timeout_s)
        try:
            while not waiting.done():
                await self._client.publish(subject, data, reply=reply)
                await asyncio.wait([waiting], timeout=again_s)
            return waiting.result()
        except (nats.errors.Error, OSError) as error:
            raise LogUnavailableError(str(error) or type(error).__name__) from None
        finally:
            timer.cancel()
            del self._waiting[reply]
            if not waiting.cancel():
                waiting.exception()  # or asyncio prints it, if the asker was cancelled as the connection was lost


def _time_out(waiting: asyncio.Future[bytes], timeout_s: float) -> None:
    if not waiting.done():
        waiting.set_exception(LogUnavailableError(f"no answer within {timeout_s:g} s"))
