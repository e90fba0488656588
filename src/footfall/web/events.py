"""The handlers of streams of events: each finds out what is asked for, and gives its connection to the hub."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Send
from starlette.types import Scope as Asked

from footfall.core.names import check_name
from footfall.errors import FootfallError, ForbiddenError, InvalidRequestError
from footfall.node.node import Node
from footfall.node.watching import Change
from footfall.web import asking
from footfall.web.connection import CONNECTION
from footfall.web.door import Door
from footfall.web.events_frames import parse_last_id
from footfall.web.events_hub import Events
from footfall.web.events_streams import Watch
from footfall.web.exchange import path_of, values_of
from footfall.web.requests import parse_query
from footfall.web.tokens import Scope, Token

COUNTERS_MAX = 100  # of one stream

HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "x-accel-buffering": "no",  # nginx would hold events back
    "connection": "close",  # where the stream ends nothing more comes
}


class EventsApi:
    """The handlers of one node."""

    def __init__(self, node: Node, door: Door, events: Events) -> None:
        self._node = node
        self._door = door
        self._events = events
        door.watchers.append(events.end)  # whoever may still see it comes again

    def routes(self) -> list[Route]:
        """One route for each path."""
        asks = partial(asking.asks, self._door)
        return [
            Route("/v1/counters/{name}/events", asks(self.of_counter, Scope.READ, public=True), methods=["GET"]),
            Route("/v1/events", asks(self.of_many, Scope.READ, public=True, many=True), methods=["GET"]),
        ]

    async def of_counter(self, request: Request) -> Response:
        """Stream what happens to one counter."""
        query = parse_query(request.query_params.multi_items(), ("last_event_id",))
        watch = Watch((check_name(path_of(request, "name")),))
        return self._stream(request, watch, query.get("last_event_id"))

    async def of_many(self, request: Request) -> Response:
        """Stream what happens to some counters, and to the whole."""
        pairs = request.query_params.multi_items()
        names = tuple(dict.fromkeys(check_name(value) for name, value in pairs if name == "counter"))
        if len(names) > COUNTERS_MAX:
            raise InvalidRequestError(f"{len(names)} counters are named; a stream is about {COUNTERS_MAX} at most")
        query = parse_query([pair for pair in pairs if pair[0] != "counter"], ("last_event_id", "counter"))
        token = asking.caller_of(request).token
        for name in names:
            self._door.check_counter(token, name, public=True)
        watch = Watch(names, True, whole=self._sees_all(token, must=not names), full=self._door.sees_nodes(token))
        return self._stream(request, watch, query.get("last_event_id"))

    def _sees_all(self, token: Token | None, must: bool) -> bool:
        try:
            self._door.check_counter(token, None, public=True)
        except ForbiddenError:
            if must:
                raise
            return False
        return True

    def _stream(self, request: Request, watch: Watch, last_id: str | None) -> Response:
        given = [value.decode("latin-1") for value in values_of(request, b"last-event-id")]
        cursor = parse_last_id([*given, *([last_id] if last_id is not None else [])], self._node.watching.log)
        self._events.check_room(watch)
        return _EventStream(self._events, watch, cursor)


class _EventStream(Response):
    """An answer that has no end: the hub writes it."""

    def __init__(self, events: Events, watch: Watch, cursor: Change | None) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._events = events
        self._watch = watch
        self._cursor = cursor

    async def __call__(self, scope: Asked, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if scope["method"] == "GET":
            await self._follow(scope)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _follow(self, scope: Asked) -> None:
        connection, events = scope[CONNECTION], self._events
        if connection.transport.is_closing():
            return
        try:
            stream = events.begin(connection, self._watch, self._cursor)
        except FootfallError:  # since it was found that there is room
            return
        connection.stream(partial(events.forget, stream))
        try:
            await stream.over
        finally:
            events.forget(stream)
        if connection.clogged:
            connection.transport.abort()  # nobody would read that it is over
