"""Middleware for ASGI applications: FastAPI, Starlette and others."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any, Unpack

from footfall.client.middleware import Visits
from footfall.client.rules import Options, Request

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class FootfallMiddleware:
    """Counts the requests that an ASGI application answers.

    Args:
        app: The application.
        counter: A counter's name, or a function of a request that returns one; None for a request that is no visit.
        options: See ``Options``.

    Raises:
        InvalidNameError: If the counter is no name.
        ConfigError: If an option has a value that it cannot have.
    """

    def __init__(
        self, app: Application, counter: str | Callable[[Request], str | None], **options: Unpack[Options]
    ) -> None:
        self._app = app
        self._visits = Visits(counter, options)
        self._may_count = self._visits.rules.may_count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does."""
        kind = scope["type"]
        if kind == "http" and self._may_count(scope["method"], scope["path"]):
            send = self._counting(scope, send)
        elif kind == "lifespan":
            await self._live(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _counting(self, scope: Scope, send: Send) -> Send:
        async def counting(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.start":
                self._visits.take(message["status"], partial(self._read, scope))

        return counting

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The server's start and end: servers end by a signal, and run nothing else of ours.

        An application that knows nothing of them, such as Django's, says nothing: then they are answered here.
        """
        concerned = False

        async def receiving() -> Message:
            nonlocal concerned
            concerned = True
            return await receive()

        async def sending(message: Message) -> None:
            nonlocal concerned
            concerned = True
            if message["type"].startswith("lifespan.shutdown"):  # complete or failed: afterwards the server may end
                await asyncio.to_thread(self._visits.flush)
            await send(message)

        try:
            await self._app(scope, receiving, sending)
        except Exception:
            if concerned:
                raise
        if not concerned:
            for event in ("startup", "shutdown"):
                await receive()
                await sending({"type": f"lifespan.{event}.complete"})

    def _read(self, scope: Scope, status: int) -> Request:
        headers: dict[str, str] = {}
        for raw_name, raw_value in scope["headers"]:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        peer = scope.get("client")
        return self._visits.rules.request(scope["method"], scope["path"], headers, peer[0] if peer else None, status)
