"""The handler of the pixel: a picture whose loading is a visit, for pages and mails that can run no script.

Whatever it refuses it answers with the picture, so that nobody's page shows a broken one: the status tells, and a
header says why. (A node that is behind with its work refuses ahead of all this.) Who asks for the head alone, or ahead
of time, has not seen the page: that is no visit.
"""

import base64

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from footfall.core.names import check_name
from footfall.core.visit import Visit, check_visit
from footfall.errors import FootfallError
from footfall.node.node import Node
from footfall.web import asking, problems, requests
from footfall.web.badges import EMBEDDED
from footfall.web.door import Door
from footfall.web.exchange import path_of, query_of
from footfall.web.tokens import Scope

GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAAAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")  # transparent
PROBLEM_CHARACTERS_MAX = 300


class PixelApi:
    """The handler of one node."""

    def __init__(self, node: Node, door: Door) -> None:
        self._node = node
        self._door = door
        self._asked = asking.asks(door, self._visited, Scope.WRITE, public=True)

    def routes(self) -> list[Route]:
        """The route. It is let in by the handler, as also who is not let in gets the picture."""
        return [Route("/v1/counters/{name}/pixel.gif", self.get, methods=["GET"])]

    async def get(self, request: Request) -> Response:
        """Take one visit."""
        try:
            return await self._asked(request)
        except FootfallError as error:
            failure = problems.problem(error)
            told = "".join(one if " " <= one <= "~" else "?" for one in str(error)[:PROBLEM_CHARACTERS_MAX])
            return _picture(failure.status, {**failure.headers, "footfall-problem": told})

    async def _visited(self, request: Request) -> Response:
        query = query_of(request, "visitor", "ack")
        durable = "ack" in query and requests.parse_ack(query["ack"])
        visit = Visit(check_name(path_of(request, "name")), query.get("visitor"))
        check_visit(visit, None)
        if request.method == "GET" and not ahead(request):
            await self._node.add(asking.taken(self._door, self._node, request, [visit]), durable)
        return _picture(200)


def ahead(request: Request) -> bool:
    """Whether a browser asks before anyone wants to see it."""
    names = ("sec-purpose", "purpose", "x-purpose", "x-moz")
    told = " ".join(request.headers.get(name, "") for name in names).lower()
    return "prefetch" in told or "preview" in told


def _picture(status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(GIF, status, {**EMBEDDED, **(headers or {})}, "image/gif")
