"""The handlers of what pages show: lists and trees of counters, vectors and the overview."""

from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from footfall.core.names import check_name
from footfall.errors import InvalidRequestError
from footfall.node.node import Node
from footfall.node.readings import OverviewReading
from footfall.web import asking, requests
from footfall.web.door import Door
from footfall.web.exchange import in_json, path_of, query_of
from footfall.web.tokens import Scope


class OverviewApi:
    """The handlers of one node."""

    def __init__(self, node: Node, door: Door) -> None:
        self._node = node
        self._door = door

    def routes(self) -> list[Route]:
        """One route for each path."""
        asks = partial(asking.asks, self._door)
        listing = asks(self.list_counters, Scope.READ, public=True, many=True)
        return [
            Route("/v1/counters", listing, methods=["GET"]),
            Route("/v1/counters/{name}/vector", asks(self.get_vector, Scope.READ, public=True), methods=["GET"]),
            Route("/v1/counters/{name}/history", asks(self.get_history, Scope.READ, public=True), methods=["GET"]),
            Route("/v1/overview", asks(self.get_overview, Scope.READ, public=True), methods=["GET"]),
        ]

    async def list_counters(self, request: Request) -> Response:
        """List counters by name: with all that is below one, those directly below one, or those that hold a text."""
        query = query_of(request, "prefix", "parent", "search", "limit", "after")
        if len(query.keys() & {"prefix", "parent", "search"}) > 1:
            raise InvalidRequestError("prefix, parent and search are three kinds of lists; ask for one")
        limit, after = requests.parse_limit(query.get("limit")), query.get("after", "")
        if after:
            check_name(after)
        if "search" in query:
            text = requests.parse_search(query["search"])
            self._check(request, None)
            return in_json(await self._node.answers.search(text, after, limit))
        above = query.get("parent", query.get("prefix", ""))
        if above:
            check_name(above)
        self._check(request, above or None)
        answers = self._node.answers
        found = answers.children if "parent" in query else answers.list
        return in_json(await found(above, after, limit))

    def _check(self, request: Request, counter: str | None) -> None:
        self._door.check_counter(asking.caller_of(request).token, counter, public=True)

    async def get_vector(self, request: Request) -> Response:
        """Show a counter's entries."""
        query_of(request)
        vector = self._node.answers.vector(path_of(request, "name"))
        if not self._door.sees_nodes(asking.caller_of(request).token):
            entries = [msgspec.structs.replace(entry, owner=None) for entry in vector.entries]
            vector = msgspec.structs.replace(vector, entries=entries)
        return in_json(vector)

    async def get_history(self, request: Request) -> Response:
        """Show what a counter was."""
        span = requests.parse_span(query_of(request, "span").get("span"))
        return in_json(await self._node.history.read(path_of(request, "name"), span))

    async def get_overview(self, request: Request) -> Response:
        """Show the whole."""
        query_of(request)
        overview = self._node.overview.read()
        full = self._door.sees_nodes(asking.caller_of(request).token)
        return in_json(overview if full else seen_by_anyone(overview))


def seen_by_anyone(overview: OverviewReading) -> OverviewReading:
    """What of an overview is seen where it is public: nothing of nodes and servers."""
    return msgspec.structs.replace(overview, nodes=[], log=msgspec.structs.replace(overview.log, servers=[]))
