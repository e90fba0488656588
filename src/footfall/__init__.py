"""Counts every visitor of every site. What programs use is here, and is imported when it is first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from footfall.client.asgi import FootfallMiddleware as FootfallMiddleware
    from footfall.client.counter import Counter as Counter
    from footfall.client.requests import Receipt as Receipt
    from footfall.client.rules import Request as Request
    from footfall.client.rules import by_host as by_host
    from footfall.client.rules import by_path as by_path
    from footfall.client.sync import Client as Client
    from footfall.client.wsgi import WSGIMiddleware as WSGIMiddleware

_PLACES = {
    "Client": "footfall.client.sync",
    "Counter": "footfall.client.counter",
    "Receipt": "footfall.client.requests",
    "FootfallMiddleware": "footfall.client.asgi",
    "Request": "footfall.client.rules",
    "WSGIMiddleware": "footfall.client.wsgi",
    "by_host": "footfall.client.rules",
    "by_path": "footfall.client.rules",
}

__all__ = ["Client", "Counter", "FootfallMiddleware", "Receipt", "Request", "WSGIMiddleware", "by_host", "by_path"]


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'footfall' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(place), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
