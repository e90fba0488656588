"""The HTTP interface: each handler parses, calls the node once, and answers; what counts is the node's business."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Connection

from footfall.core.names import check_name
from footfall.core.visit import Visit
from footfall.errors import InvalidRequestError
from footfall.node.node import Node
from footfall.node.readings import Added
from footfall.web import asking, failures, pages, problems, requests, static, wire
from footfall.web.badges import BadgesApi
from footfall.web.cors import Cors
from footfall.web.door import Door
from footfall.web.events import EventsApi
from footfall.web.events_hub import Events
from footfall.web.exchange import body_of, encode, in_json, path_of, query_of, values_of
from footfall.web.exposition import exposition
from footfall.web.headers import with_common
from footfall.web.milestones import MilestonesApi
from footfall.web.openapi import document
from footfall.web.overview import OverviewApi
from footfall.web.pixel import PixelApi
from footfall.web.pulse import Pulse
from footfall.web.repeats import HEADER, check_age
from footfall.web.tokens import Scope
from footfall.web.traffic import Traffic


class Api:
    """The handlers of one node."""

    def __init__(self, node: Node, traffic: Traffic, door: Door, events: Events) -> None:
        self._node = node
        self._events = events
        self._traffic = traffic
        self._door = door
        self._document = encode(
            document(
                tokens=door.tokens is not None,
                public_reads=door.public_reads,
                public_writes=bool(door.public_writes),
            )
        )
        self._index = encode(
            wire.Index(
                name="footfall",
                version=version("footfall"),
                links={
                    "openapi": "/openapi.json",
                    "counters": "/v1/counters",
                    "milestones": "/v1/milestones",
                    "nodes": "/v1/nodes",
                    "overview": "/v1/overview",
                    "health": "/healthz",
                    "readiness": "/readyz",
                    "metrics": "/metrics",
                },
            )
        )

    def routes(self) -> list[Route]:
        """One route for each path, so that a 405 names all its methods. What is open says nothing of any counter."""
        asks = partial(asking.asks, self._door)
        counter = asks(self.counter, Scope.READ, put=Scope.ADMIN, public=True)
        return [
            Route(
                "/v1/counters/{name}/visits", asks(self.post_counter_visits, Scope.WRITE, public=True), methods=["POST"]
            ),
            *MilestonesApi(self._node, self._door).routes(),
            *OverviewApi(self._node, self._door).routes(),
            *EventsApi(self._node, self._door, self._events).routes(),
            Route("/v1/counters/{name}", counter, methods=["GET", "PUT"]),
            Route("/v1/visits", asks(self.post_visits, Scope.WRITE, public=True, many=True), methods=["POST"]),
            Route("/v1/sources", asks(self.get_sources, Scope.WRITE), methods=["GET"]),
            Route("/v1/sources/{id}", asks(self.get_source, Scope.WRITE), methods=["GET"]),
            Route("/v1/nodes", asks(self.get_nodes, Scope.READ), methods=["GET"]),
            Route("/metrics", asks(self.get_metrics, Scope.READ), methods=["GET"]),
            Route("/healthz", self.get_health, methods=["GET"]),
            Route("/readyz", self.get_readiness, methods=["GET"]),
            Route("/openapi.json", self.get_openapi, methods=["GET"]),
            Route("/problems/{slug}", self.get_problem, methods=["GET"]),
            *BadgesApi(self._node, self._door).routes(),
            *PixelApi(self._node, self._door).routes(),
            *pages.routes(),
            *static.routes(),
            Route("/", self.get_index, methods=["GET"]),
        ]

    async def post_counter_visits(self, request: Request) -> Response:
        """Take visits to one counter."""
        durable = requests.parse_ack(query_of(request, "ack").get("ack"))
        name = check_name(path_of(request, "name"))
        key = self._key(request)
        asked = requests.parse_visits(name, await body_of(request), key)
        added = await self._node.add(self._taken(request, asked.visits), durable)
        return in_json(_accepted(added, asked.single), 202)

    async def post_visits(self, request: Request) -> Response:
        """Take visits to any counters, of a source or of none."""
        durable = requests.parse_ack(query_of(request, "ack").get("ack"))
        key = self._key(request)
        asked = requests.parse_batch(await body_of(request), key)
        token = asking.caller_of(request).token
        several = len(asked.visits) > 1
        for index, visit in enumerate(asked.visits):
            self._door.check_visit(token, visit.counter, index if several else None)
        if asked.chunk is None:
            added = await self._node.add(self._taken(request, asked.visits), durable)
            return in_json(_accepted(added, single=False), 202)
        self._door.check(token, Scope.WRITE)
        self._door.check_counter(token, None)  # whoever moves a source on decides what is never counted from it
        if not durable:
            raise InvalidRequestError("a chunk of a source is always stored durably; leave ack out")
        self._charge(request, asked.visits)
        added = await self._node.add_chunk(*asked.chunk, asked.visits)
        return in_json(_accepted(added, single=False), 202)

    def _key(self, request: Request) -> str | None:
        """What makes the request safe to repeat, as long as it is known."""
        check_age(values_of(request, HEADER), self._node.config.cut_interval_s)
        return requests.parse_key(values_of(request, b"idempotency-key"))

    def _taken(self, request: Request, visits: Sequence[Visit]) -> Sequence[Visit]:
        """Visits that do not come too fast, each with its visitor."""
        return asking.taken(self._door, self._node, request, visits)

    def _charge(self, request: Request, visits: Sequence[Visit]) -> None:
        caller = asking.caller_of(request)
        self._door.charge(caller.sender.client, caller.token, sum(visit.count for visit in visits))

    async def counter(self, request: Request) -> Response:
        """Read or define one counter."""
        name = check_name(path_of(request, "name"))
        if request.method != "PUT":
            exact = requests.parse_consistency(query_of(request, "consistency").get("consistency"))
            if exact:  # it writes to the log, so it is never public
                token = asking.caller_of(request).token
                self._door.check(token, Scope.READ)
                self._door.check_counter(token, name)
            return in_json(await self._node.read_exact(name) if exact else self._node.read(name))
        query_of(request)
        definition, made = await self._node.define(name, requests.parse_definition(await body_of(request)))
        return in_json(wire.CounterDefined(counter=definition.name, unit=definition.unit), 201 if made else 200)

    async def get_source(self, request: Request) -> Response:
        """Say where a source stands in the log."""
        query_of(request)
        position = await self._node.source_position(requests.parse_source(path_of(request, "id")))
        return in_json(wire.SourcePosition(position))

    async def get_sources(self, request: Request) -> Response:
        """Say where several sources stand in the log."""
        ids = requests.parse_sources(query_of(request, "ids").get("ids"))
        positions = await asyncio.gather(*map(self._node.source_position, ids))
        return in_json(wire.SourceList(list(map(wire.SourceStanding, ids, positions))))

    async def get_nodes(self, request: Request) -> Response:
        """List the nodes that were heard from."""
        query_of(request)
        return in_json({"nodes": self._node.nodes()})

    async def get_health(self, request: Request) -> Response:
        """Say that the process answers."""
        return in_json(wire.Health("ok"))

    async def get_readiness(self, request: Request) -> Response:
        """Say whether the node counts and answers."""
        found = [*self._node.problems(), *(["it is stopping"] if self._traffic.leaving else [])]
        return in_json(wire.Readiness(not found, found, self._warnings()), 503 if found else 200)

    def _warnings(self) -> list[str]:
        return [*self._node.warnings(), *self._door.warnings]

    async def get_metrics(self, request: Request) -> Response:
        """Expose metrics for Prometheus."""
        accept = request.headers.get("accept", "")
        content_type, body = exposition(self._node, self._traffic, len(self._warnings()), accept)
        return Response(body, headers={"content-type": content_type})

    async def get_openapi(self, request: Request) -> Response:
        """Describe this interface."""
        return Response(self._document, media_type="application/json")

    async def get_problem(self, request: Request) -> Response:
        """Explain a problem's type."""
        kind = problems.KINDS.get(request.path_params["slug"])
        if kind is None:
            raise HTTPException(404)
        return PlainTextResponse(f"{kind.__doc__}\n")

    async def get_index(self, request: Request) -> Response:
        """Say what this server is: to a person's browser by the dashboard."""
        if static.wants_page(request):
            return static.answer(request, static.files()["index.html"], {"vary": "Accept, Accept-Encoding"})
        return Response(self._index, headers={"vary": "Accept"}, media_type="application/json")


def application(node: Node, traffic: Traffic, door: Door, events: Events, pulse: Pulse | None = None) -> ASGIApp:
    """The ASGI application of a node, behind its door."""
    app = Starlette(
        routes=Api(node, traffic, door, events).routes(),
        exception_handlers=failures.HANDLERS,
    )
    app.router.redirect_slashes = False
    return _Outermost(app, traffic, door.cors, pulse or Pulse())


_SHED = failures.in_json(problems.SHED)


class _Outermost:
    """Routes by the path as it was sent, counts answers and gives them their common headers.

    It answers browsers that ask whether a page of another origin may send a request.

    It sheds what comes while the node is behind, but not questions about its health, by which that is seen. It closes
    after an answer to a body that was not awaited, and after every answer once the server is about to stop.
    """

    def __init__(self, app: ASGIApp, traffic: Traffic, cors: Cors, pulse: Pulse) -> None:
        self._app = app
        self._traffic = traffic
        self._cors = cors
        self._pulse = pulse

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        # A part of a path may hold %2F, and must not become two.
        scope["path"] = scope["raw_path"].decode("ascii")
        # A client that expects 100 Continue and gets another answer sends no body: nothing else may follow.
        owes_body = any(name == b"expect" for name, _ in scope["headers"])
        readable = self._cors.headers(self._cors.reader(scope["headers"]))
        permission = self._cors.preflight(scope["method"], scope["headers"])

        begun_s = time.monotonic()

        async def receive_body() -> Message:
            nonlocal owes_body
            owes_body = False
            return await receive()

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._traffic.answered(message["status"])
                self._traffic.durations.note(time.monotonic() - begun_s)
                message["headers"] = with_common(message["headers"], readable)
                if owes_body or self._traffic.leaving:
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        if permission is not None:
            await Response(status_code=204, headers=permission)(scope, receive_body, send_counted)
        elif scope["path"].startswith("/v1/") and self._pulse.behind():
            self._traffic.shed += 1
            await _SHED(scope, receive_body, send_counted)
        else:
            await self._app(scope, receive_body, send_counted)


def _accepted(added: Added, single: bool) -> wire.Accepted:
    if not added.receipts:
        return wire.Accepted(added.accepted, added.stored)
    if single:
        return wire.Accepted(added.accepted, added.stored, receipt=added.receipts[0])
    return wire.Accepted(added.accepted, added.stored, receipts=added.receipts)
