"""The handlers of milestones, claims and imports: each parses, calls the node once, and answers."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from footfall.core.definitions import Imported
from footfall.core.names import check_name
from footfall.node.node import Node
from footfall.web import asking, requests, wire
from footfall.web.door import Door
from footfall.web.exchange import body_of, in_json, path_of, query_of, values_of
from footfall.web.milestone_requests import check_nothing, parse_claim, parse_import, parse_n
from footfall.web.tokens import Scope


class MilestonesApi:
    """The handlers of one node."""

    def __init__(self, node: Node, door: Door) -> None:
        self._node = node
        self._door = door

    def routes(self) -> list[Route]:
        """One route for each path. A claim is written by who writes visits: the winner's site passes his receipt on, or
        he shows it himself, where anyone may visit.
        """
        asks = partial(asking.asks, self._door)
        milestone = asks(self.milestone, Scope.READ, put=Scope.ADMIN, public=True)
        listing = asks(self.list_milestones, Scope.READ, public=True)
        imports = asks(self.list_imports, Scope.READ, public=True)
        return [
            Route(
                "/v1/counters/{name}/milestones/{n}/claim",
                asks(self.post_claim, Scope.WRITE, public=True),
                methods=["POST"],
            ),
            Route("/v1/counters/{name}/milestones/{n}", milestone, methods=["GET", "PUT"]),
            Route("/v1/counters/{name}/milestones", listing, methods=["GET"]),
            Route("/v1/milestones", listing, methods=["GET"]),
            Route("/v1/counters/{name}/imports/{source}", asks(self.put_import, Scope.ADMIN), methods=["PUT"]),
            Route("/v1/counters/{name}/imports", imports, methods=["GET"]),
        ]

    async def milestone(self, request: Request) -> Response:
        """Read or set one milestone."""
        query_of(request)
        name, n = _milestone_of(request)
        if request.method != "PUT":
            self._node.check_answering()
            return in_json(self._node.milestone(self._node.milestones.find(name, n)))
        check_nothing(await body_of(request))
        standing, made = await self._node.milestones.add(name, n)
        return in_json(self._node.milestone(standing), 201 if made else 200)

    async def list_milestones(self, request: Request) -> Response:
        """List all milestones, or a counter's."""
        query_of(request)
        name = check_name(path_of(request, "name")) if "name" in request.path_params else None
        self._node.check_answering()
        found = [self._node.milestone(standing) for standing in self._node.milestones.list(name)]
        return in_json({"milestones": found})

    async def post_claim(self, request: Request) -> Response:
        """Take the winner's receipt."""
        query_of(request)
        name, n = _milestone_of(request)
        key = requests.parse_key(values_of(request, b"idempotency-key"))
        receipt = parse_claim(await body_of(request))
        self._node.check_answering()
        standing, _ = await self._node.milestones.claim(name, n, receipt, key)
        return in_json(self._node.milestone(standing))

    async def put_import(self, request: Request) -> Response:
        """Take over a prior count."""
        query_of(request)
        name = check_name(path_of(request, "name"))
        source = requests.parse_source(path_of(request, "source"))
        asked = parse_import(await body_of(request))
        imported, made = await self._node.milestones.take_over(name, asked.value, source, asked.note)
        return in_json(_imported(source, imported), 201 if made else 200)

    async def list_imports(self, request: Request) -> Response:
        """List what was imported into a counter."""
        query_of(request)
        name = check_name(path_of(request, "name"))
        self._node.check_answering()
        imports = self._node.counting.definitions.imports
        found = [_imported(source, imported) for source, imported in imports.items() if imported.counter == name]
        return in_json(wire.ImportList(found))


def _milestone_of(request: Request) -> tuple[str, int]:
    return check_name(path_of(request, "name")), parse_n(path_of(request, "n"))


def _imported(source: str, imported: Imported) -> wire.Imported:
    return wire.Imported(imported.counter, source, imported.value, imported.note)
