"""Counts answered requests without ever being in their way; what all kinds of middleware share."""

import logging
from collections.abc import Callable

from footfall.client.counter import shared
from footfall.client.rules import Increments, Options, Request, Rules
from footfall.client.settings import settings

logger = logging.getLogger("footfall.client")

FLUSH_TIMEOUT_S = 3.0  # when the application stops: then it ends, whatever could not be sent


class Visits:
    """Takes answered requests, and gives those that are visits to a client.

    Nothing raised in here while requests are answered reaches the application: it is logged, each kind of error once.

    Args:
        counter: A counter's name, or a function of a request that returns one; None for a request that is no visit.
        options: The others.

    Raises:
        InvalidNameError: If the counter is no name.
        ConfigError: If an option has a value that it cannot have.
    """

    def __init__(self, counter: str | Callable[[Request], str | None], options: Options) -> None:
        unknown = sorted(set(options) - set(Options.__annotations__))
        if unknown:
            raise TypeError(
                f"there is no option {unknown[0]!r}; there are {', '.join(sorted(Options.__annotations__))}"
            )
        self.rules = Rules(counter, options)
        self._fixed = self.rules.fixed
        self._client: Increments = options.get("client") or shared(settings(options.get("url"), options.get("token")))
        self._told: set[type[Exception]] = set()

    def take(self, status: int, read: Callable[[int], Request]) -> None:
        """A request that may count was answered with this status; ``read`` tells what it was, if that matters."""
        try:
            if self.rules.counts(status):
                visit = self._fixed or self.rules.visit(read(status))
                if visit is not None:
                    self._client.increment(visit.counter, visit.visitor)
        except Exception as error:
            self._tell(error)

    def flush(self) -> None:
        """Send what was taken, if that takes no longer than three seconds; the client tries again at its own end."""
        try:
            self._client.flush(FLUSH_TIMEOUT_S)
        except Exception as error:
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        if type(error) not in self._told:
            self._told.add(type(error))
            logger.warning("a request was not counted, and others may not be: %s", error, exc_info=error)
