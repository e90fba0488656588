"""All clients of this process: what happens to them when it ends, and when it forks."""

import atexit
import os
import sys
import weakref
from typing import Protocol


class Told(Protocol):
    """What a client tells of its visits, as far as it matters here."""

    @property
    def dropped(self) -> int:
        """Visits that will not be counted."""


class Lifetime(Protocol):
    """A client, as far as its process matters to it."""

    def flush(self, timeout_s: float) -> bool:
        """Send what waits; whether all of it is stored."""

    @property
    def statistics(self) -> Told:
        """What became of its visits."""

    def ended(self) -> None:
        """The process ends: send what waits."""

    def forked(self) -> None:
        """This process was forked from the one whose client it is: begin anew, with nothing of what waits."""


_clients: "weakref.WeakSet[Lifetime]" = weakref.WeakSet()


def living() -> list[Lifetime]:
    """The clients that are not closed."""
    return list(_clients)


def begin(client: Lifetime) -> None:
    """A client was made."""
    _clients.add(client)


def end(client: Lifetime) -> None:
    """A client was closed."""
    _clients.discard(client)


def close_where_multiprocessing_ends(client: Lifetime) -> None:
    """A child of multiprocessing ends without what ``atexit`` was told; it has a list of its own for that."""
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is not None and process is not None and process.parent_process() is not None:
        util.Finalize(client, client.ended, exitpriority=0)


def _end_all() -> None:
    for client in living():
        client.ended()


def _fork_all() -> None:
    for client in living():
        client.forked()


atexit.register(_end_all)
os.register_at_fork(after_in_child=_fork_all)
