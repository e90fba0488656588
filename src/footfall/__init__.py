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
    from footfall.client.milestones import AsyncMilestone as AsyncMilestone
    from footfall.client.milestones import Milestone as Milestone
    from footfall.client.milestones import MilestoneStatus as MilestoneStatus
    from footfall.client.milestones import Proof as Proof
    from footfall.client.milestones import Winner as Winner
    from footfall.client.requests import Receipt as Receipt
    from footfall.client.requests import new_receipt as new_receipt
    from footfall.client.rules import Request as Request
    from footfall.client.rules import by_host as by_host
    from footfall.client.rules import by_path as by_path
    from footfall.client.sync import Client as Client
    from footfall.client.wsgi import WSGIMiddleware as WSGIMiddleware
    from footfall.edge.edge import Edge as Edge

_PLACES = {
    "AsyncClient": "footfall.client.asynchronous",
    "AsyncMilestone": "footfall.client.milestones",
    "Client": "footfall.client.sync",
    "Counter": "footfall.client.counter",
    "Edge": "footfall.edge.edge",
    "Event": "footfall.client.events",
    "FootfallMiddleware": "footfall.client.asgi",
    "Milestone": "footfall.client.milestones",
    "MilestoneStatus": "footfall.client.milestones",
    "Proof": "footfall.client.milestones",
    "Receipt": "footfall.client.requests",
    "Request": "footfall.client.rules",
    "Statistics": "footfall.client.engine",
    "WSGIMiddleware": "footfall.client.wsgi",
    "Winner": "footfall.client.milestones",
    "by_host": "footfall.client.rules",
    "by_path": "footfall.client.rules",
    "connect": "footfall.client.asynchronous",
    "flushing": "footfall.client.flushing",
    "new_receipt": "footfall.client.requests",
}

__all__ = [
    "AsyncClient",
    "AsyncMilestone",
    "Client",
    "Counter",
    "Edge",
    "Event",
    "FootfallMiddleware",
    "Milestone",
    "MilestoneStatus",
    "Proof",
    "Receipt",
    "Request",
    "Statistics",
    "WSGIMiddleware",
    "Winner",
    "by_host",
    "by_path",
    "connect",
    "errors",
    "flushing",
    "new_receipt",
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
    return __all__
