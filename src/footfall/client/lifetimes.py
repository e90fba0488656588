"""All clients of this process: their threads, and what happens to them when it ends, and when it forks."""

import atexit
import contextlib
import os
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Protocol

START_S_MAX = 1.0  # for another thread that starts ours; a signal's handler may be what it waits for


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


class Worker:
    """The threads of one client in one process: they start once, and end with the process."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def started(self) -> bool:
        """Whether it runs, or did."""
        return self._thread is not None

    @property
    def runs(self) -> bool:
        """Whether it runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, client: Lifetime, *works: Callable[[], None]) -> None:
        """Start a thread for each work, unless that was done before. At the interpreter's end nothing starts."""
        if self._thread is not None or not self._starting.acquire(timeout=START_S_MAX):
            return
        try:
            with contextlib.suppress(RuntimeError):
                for work in works if self._thread is None else ():
                    thread = threading.Thread(target=work, name="footfall", daemon=True)
                    thread.start()
                    if self._thread is None:  # it runs, though there may be no room for the next
                        self._thread = thread
                        _close_where_multiprocessing_ends(client)
        finally:
            self._starting.release()

    def join(self, timeout_s: float) -> None:
        """Wait for the end of the first work, unless that is what asks."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)


_abandoned: list[object] = []
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


def abandon(*things: object) -> None:
    """What a forked process got from its parent, and must neither use nor close: it is kept, so that nothing does."""
    _abandoned.extend(things)


def _close_where_multiprocessing_ends(client: Lifetime) -> None:
    """A child of multiprocessing ends without what ``atexit`` was told; it has a list of its own for that."""
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is not None and process is not None and process.parent_process() is not None:
        util.Finalize(client, client.ended, exitpriority=0)


def _end_all() -> None:
    for client in living():
        with contextlib.suppress(KeyboardInterrupt):  # of who will not wait; it has told what was lost by it
            client.ended()


def _fork_all() -> None:
    for client in living():
        client.forked()


atexit.register(_end_all)
os.register_at_fork(after_in_child=_fork_all)
