"""A block at whose end all that was counted in it is sent: for tasks, cron jobs and functions that are frozen."""

import contextlib
import inspect
import logging
import time
from collections.abc import Callable
from typing import Any, Self, TypeVar

from footfall.client import lifetimes
from footfall.client.lifetimes import Lifetime

logger = logging.getLogger("footfall.client")

TIMEOUT_S = 5.0

_Function = TypeVar("_Function", bound=Callable[..., Any])


class flushing(contextlib.ContextDecorator):  # noqa: N801 - it is used like a function, as contextlib's are
    """At the end of the block, send what all clients of this process hold; also if the block raises.

    It raises nothing itself. May decorate a function instead, if that is not async: its end would be too early.

    Attributes:
        done: Whether all that was counted in the block is stored; None before its end.
    """

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        """How long the end may take.

        Args:
            timeout_s: For all clients together. What was not sent by then waits on, as if there were no block.
        """
        self._timeout_s = timeout_s
        self._dropped: dict[Lifetime, int] = {}
        self.done: bool | None = None

    def __call__(self, func: _Function) -> _Function:
        """Decorate a function. Raises TypeError if it is async."""
        if inspect.iscoroutinefunction(func) or inspect.isasyncgenfunction(func):
            raise TypeError(f"{func.__name__} is async: there, use a client of footfall.connect, and await its flush()")
        return super().__call__(func)

    def __enter__(self) -> Self:
        self.done = None
        self._dropped = {client: client.statistics.dropped for client in lifetimes.living()}
        return self

    def __exit__(self, *_: object) -> None:
        ends_s = time.monotonic() + self._timeout_s
        self.done = True
        for client in lifetimes.living():
            sent = client.flush(max(0.0, ends_s - time.monotonic()))
            if not sent or client.statistics.dropped > self._dropped.get(client, 0):
                self.done = False
                logger.warning("not all visits were sent within %g s: %s", self._timeout_s, client.statistics)
