"""Lets a request to the application through the door before its handler sees it; the handlers say what they need."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from footfall.core.visit import Visit
from footfall.errors import UnknownCounterError
from footfall.node.node import Node
from footfall.web.door import Door, Sender
from footfall.web.exchange import path_of, values_of
from footfall.web.tokens import Scope, Token

Handler = Callable[[Request], Awaitable[Response]]


class Caller(NamedTuple):
    """Who asks: what is shown, and where it comes from."""

    token: Token | None
    sender: Sender


def caller_of(request: Request) -> Caller:
    """Who asks, of a request that came through the door."""
    found: Caller = request.state.caller
    return found


def asks(
    door: Door, handler: Handler, scope: Scope, *, put: Scope | None = None, public: bool = False, many: bool = False
) -> Handler:
    """A handler behind the door.

    Args:
        door: The door.
        handler: What is behind it.
        scope: What a token must be good for.
        put: The same for PUT, where that is another.
        public: Whether it is among what the settings may let anyone do: to read, but not by PUT, to visit and to claim.
        many: The handler itself sees which counters it is about. Otherwise it is the one that the path names; or all,
            if it names none.
    """

    async def asked(request: Request) -> Response:
        writes = request.method == "PUT" and put is not None
        needed, open_ = (put, False) if writes and put is not None else (scope, public)
        if not many:
            counter = path_of(request, "name") if "name" in request.path_params else None
            token = door.admit(request.scope["headers"], needed, counter, open_)
        else:
            token = door.identify(request.scope["headers"])
            if not (open_ and needed is Scope.WRITE and door.public_writes):
                door.check(token, needed, open_)
        peer = request.client.host if request.client else None
        request.state.caller = Caller(token, door.sender(peer, values_of(request, b"x-forwarded-for")))
        return await handler(request)

    return asked


def check_known(door: Door, node: Node, request: Request, visits: Sequence[Visit]) -> None:
    """See that visits define no counter that they may not. Raises UnknownCounterError, with the index of the first."""
    if not door.public_writes:
        return
    token = caller_of(request).token
    for index, visit in enumerate(visits):
        if node.definition(visit.counter) is None and not door.may_define(token, visit.counter):
            raise UnknownCounterError(
                f"there is no counter {visit.counter}, and only a visit with a token defines it: define it first",
                index if len(visits) > 1 else None,
            )


def taken(door: Door, node: Node, request: Request, visits: Sequence[Visit]) -> Sequence[Visit]:
    """Visits that define nothing that they may not and do not come too fast, each with its visitor.

    Raises:
        UnknownCounterError: As ``check_known``.
        RateLimitedError, TooLargeError: As ``Door.charge``.
    """
    check_known(door, node, request, visits)
    caller = caller_of(request)
    door.charge(caller.sender.client, caller.token, sum(visit.count for visit in visits))
    return named(visits, caller.sender)


def named(visits: Sequence[Visit], sender: Sender) -> Sequence[Visit]:
    """Visits of which those that name no visitor are by the client, if that is what the settings say."""
    if sender.visitor is None:
        return visits
    return [
        visit if visit.visitor is not None else Visit(visit.counter, sender.visitor, visit.key, visit.count)
        for visit in visits
    ]
