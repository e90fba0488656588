"""Counters by name, as a module's global: all counters of a process with the same settings send together."""

import threading
from collections.abc import Sequence
from typing import Unpack

from footfall.client.buffer import check_counter
from footfall.client.milestones import Milestone
from footfall.client.requests import Receipt
from footfall.client.settings import FLUSH_TIMEOUT_S, HIT_TIMEOUT_S, VALUE_TIMEOUT_S, Options, Settings, settings
from footfall.client.sync import Client

_shared: dict[Settings, Client] = {}
_sharing = threading.Lock()


def shared(chosen: Settings) -> Client:
    """This process's client with these settings; it is closed when the process ends."""
    with _sharing:
        if (found := _shared.get(chosen)) is None:
            found = _shared[chosen] = Client.of(chosen)
        return found


class Counter:
    """One counter, from any number of threads and processes: the count is in the log, and shared by all."""

    def __init__(
        self,
        name: str,
        *,
        url: str | Sequence[str] | None = None,
        token: str | None = None,
        ca: str | None = None,
        **options: Unpack[Options],
    ) -> None:
        """Sends nothing, and starts no thread, before the first visit.

        Args:
            name: Its name, such as google.gmail.
            url: As for ``Client``.
            token: As for ``Client``.
            ca: As for ``Client``.
            options: See ``Settings``.

        Raises:
            InvalidNameError: It is no name.
            ConfigError: A value is none that it can have.
        """
        self.name = check_counter(name)
        self.client = shared(settings(url, token, ca, **options))

    def __repr__(self) -> str:
        return f"Counter({self.name!r})"

    def increment(self, visitor: str | None = None, count: int = 1, key: str | None = None) -> None:
        """Count a visit, soon; see ``Client.increment``."""
        self.client.increment(self.name, visitor, count, key)

    def hit(
        self,
        visitor: str | None = None,
        count: int = 1,
        key: str | None = None,
        *,
        timeout_s: float = HIT_TIMEOUT_S,
    ) -> Receipt:
        """Count a visit, and wait until it is durable; see ``Client.hit``."""
        return self.client.hit(self.name, visitor, count, key, timeout_s=timeout_s)

    def value(self, exact: bool = False, *, timeout_s: float = VALUE_TIMEOUT_S) -> int:
        """Its value; see ``Client.value``."""
        return self.client.value(self.name, exact, timeout_s=timeout_s)

    def milestone(self, n: int) -> Milestone:
        """Its N-th visit, to set, read, wait for and claim; see ``Client.milestone``."""
        return self.client.milestone(self.name, n)

    def flush(self, timeout_s: float = FLUSH_TIMEOUT_S) -> bool:
        """Send what waits, of all counters with these settings; see ``Client.flush``."""
        return self.client.flush(timeout_s)
