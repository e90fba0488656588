"""The handlers of badges: a counter's value as a picture, and as shields.io wants it. A badge never counts."""

from functools import partial
from hashlib import sha256
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from footfall.core.names import check_name
from footfall.node.node import Node
from footfall.web import asking, wire
from footfall.web.badge_drawing import Half, draw
from footfall.web.badge_options import PARAMETERS, parse_options, say
from footfall.web.door import Door
from footfall.web.exchange import encode, path_of, query_of
from footfall.web.tokens import Scope

MAX_AGE_S = 60  # a badge may be so old; the README of a busy project asks for it every second
STALE_S = 600  # for so long after it, the old one is shown while a new one is fetched
STALE_IF_ERROR_S = 86_400  # better an old badge than none

EMBEDDED = {"cross-origin-resource-policy": "cross-origin"}  # into pages of whoever likes
CACHED = EMBEDDED | {
    "cache-control": f"max-age={MAX_AGE_S}, stale-while-revalidate={STALE_S}, stale-if-error={STALE_IF_ERROR_S}"
}


class BadgesApi:
    """The handlers of one node."""

    def __init__(self, node: Node, door: Door) -> None:
        self._node = node
        self._door = door

    def routes(self) -> list[Route]:
        """One route for each path."""
        asks = partial(asking.asks, self._door)
        return [
            Route("/v1/counters/{name}/badge.svg", asks(self.get_svg, Scope.READ, public=True), methods=["GET"]),
            Route("/v1/counters/{name}/badge.json", asks(self.get_json, Scope.READ, public=True), methods=["GET"]),
        ]

    async def get_svg(self, request: Request) -> Response:
        """Draw a badge."""
        options = parse_options(query_of(request, *PARAMETERS))
        name = check_name(path_of(request, "name"))
        said = say(name, self._node.read(name).value, options)
        drawn = draw(Half(said.label, options.label_color), Half(said.message, said.color), options.style)
        return _cached(request, drawn.encode(), "image/svg+xml")

    async def get_json(self, request: Request) -> Response:
        """Tell shields.io, or whoever speaks its schema, what a badge says."""
        options = parse_options(query_of(request, *PARAMETERS))
        name = check_name(path_of(request, "name"))
        said = say(name, self._node.read(name).value, options)
        color, label_color = (
            said.color.removeprefix("#"),
            options.label_color.removeprefix("#"),
        )  # as shields.io writes it
        badge = wire.Badge(said.label, said.message, color, label_color, options.style)
        return _cached(request, encode(badge), "application/json")


def _cached(request: Request, body: bytes, media_type: str) -> Response:
    """An answer that may be kept, or the word that it is the one that was kept."""
    etag = f'W/"{sha256(body).hexdigest()[:20]}"'
    headers = {**CACHED, "etag": etag}
    shown = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if etag.removeprefix("W/") in shown or shown == ["*"]:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, headers=headers, media_type=media_type)
