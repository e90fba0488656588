"""Counts every visitor of every site. What programs use is here, and is imported when it is first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from footfall.client.counter import Counter as Counter
    from footfall.client.requests import Receipt as Receipt
    from footfall.client.sync import Client as Client

_PLACES = {
    "Client": "footfall.client.sync",
    "Counter": "footfall.client.counter",
    "Receipt": "footfall.client.requests",
    "FootfallMiddleware": "footfall.client.asgi",
    "WSGIMiddleware": "footfall.client.wsgi",
}

__all__ = ["Client", "Counter", "Receipt"]


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'footfall' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(place), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
