"""Lets a request to the application through the door before its handler sees it; the handlers say what they need."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from footfall.core.visit import Visit
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
        public: Whether GET is among what may be public.
        many: The handler itself sees which counters it is about. Otherwise it is the one that the path names; or all,
            if it names none.
    """

    async def asked(request: Request) -> Response:
        writes = request.method == "PUT" and put is not None
        token = door.identify(request.scope["headers"])
        open_ = public and not writes
        door.check(token, put if writes and put is not None else scope, open_)
        if not many:
            counter = path_of(request, "name") if "name" in request.path_params else None
            door.check_counter(token, counter, public=open_)
        peer = request.client.host if request.client else None
        request.state.caller = Caller(token, door.sender(peer, values_of(request, b"x-forwarded-for")))
        return await handler(request)

    return asked


def named(visits: Sequence[Visit], sender: Sender) -> Sequence[Visit]:
    """Visits of which those that name no visitor are by the client, if that is what the settings say."""
    if sender.visitor is None:
        return visits
    return [
        visit if visit.visitor is not None else Visit(visit.counter, sender.visitor, visit.key, visit.count)
        for visit in visits
    ]
