"""Counts every visitor of every site. What programs use is here, and is imported when it is first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from footfall import errors as errors
    from footfall.client.asgi import FootfallMiddleware as FootfallMiddleware
    from footfall.client.asynchronous import AsyncClient as AsyncClient
    from footfall.client.asynchronous import connect as connect
    from footfall.client.counter import Counter as Counter
    from footfall.client.engine import Statistics as Statistics
    from footfall.client.events import Event as Event
    from footfall.client.flushing import flushing as flushing
    from footfall.client.requests import Receipt as Receipt
    from footfall.client.rules import Request as Request
    from footfall.client.rules import by_host as by_host
    from footfall.client.rules import by_path as by_path
    from footfall.client.sync import Client as Client
    from footfall.client.wsgi import WSGIMiddleware as WSGIMiddleware
    from footfall.edge.edge import Edge as Edge

_PLACES = {
    "AsyncClient": "footfall.client.asynchronous",
    "Client": "footfall.client.sync",
    "Counter": "footfall.client.counter",
    "Edge": "footfall.edge.edge",
    "Event": "footfall.client.events",
    "Receipt": "footfall.client.requests",
    "FootfallMiddleware": "footfall.client.asgi",
    "Request": "footfall.client.rules",
    "WSGIMiddleware": "footfall.client.wsgi",
    "Statistics": "footfall.client.engine",
    "by_host": "footfall.client.rules",
    "by_path": "footfall.client.rules",
    "connect": "footfall.client.asynchronous",
    "flushing": "footfall.client.flushing",
}

__all__ = [
    "AsyncClient",
    "Client",
    "Counter",
    "Edge",
    "Event",
    "FootfallMiddleware",
    "Receipt",
    "Request",
    "Statistics",
    "WSGIMiddleware",
    "by_host",
    "by_path",
    "connect",
    "errors",
    "flushing",
]


def _find(name: str) -> Any:
    if name == "errors":
        return import_module("footfall.errors")
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'footfall' has no attribute {name!r}")
    try:
        module = import_module(place)
    except ModuleNotFoundError as error:
        if name != "Edge" or error.name is None or error.name.startswith("footfall"):
            raise
        raise ImportError(f"{error.name} is not installed, which Edge needs: pip install 'footfall[edge]'") from None
    found = globals()[name] = getattr(module, name)
    return found


if not TYPE_CHECKING:  # or checkers would believe that there is every name
    __getattr__ = _find


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
