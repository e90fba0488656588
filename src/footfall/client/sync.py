"""The client for programs with threads: drives the engine from a thread of its own, and asks what is asked at once."""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Self, Unpack

import httpx

from footfall.client import lifetimes, policy
from footfall.client.engine import Engine, Send, Statistics
from footfall.client.network import CLOSED
from footfall.client.nodes import Asks, Nodes
from footfall.client.settings import FLUSH_TIMEOUT_S, KEEP_S_MIN, Options, Settings, settings

logger = logging.getLogger("footfall.client")

ADOPT_AFTER_S = 2.0  # a thread that is in the middle of something when its process forks may harm the child


class Client(Asks):
    """Counts visits at one of some nodes, for all threads of a process.

    ``increment`` puts a visit into memory and returns; a thread sends what has gathered. Use as a context manager, or
    call ``close``; what waits when the process ends is sent then, if nodes answer in time.
    """

    def __init__(
        self,
        url: str | Sequence[str] | None = None,
        *,
        token: str | None = None,
        ca: str | None = None,
        transport: httpx.BaseTransport | None = None,
        **options: Unpack[Options],
    ) -> None:
        """Sends nothing, and starts no thread, before the first visit.

        Args:
            url: A node, or several: the next is asked when one does not answer. Without it FOOTFALL_URL, else
                http://127.0.0.1:8080.
            token: What the nodes let in. Without it FOOTFALL_TOKEN.
            ca: PEM file of who signed the nodes' certificates. Without it FOOTFALL_CA, else public authorities.
            transport: Replaces the network, for tests.
            options: See ``Settings``.

        Raises:
            ConfigError: A value is none that it can have.
        """
        self._begin(settings(url, token, ca, **options), transport)

    @classmethod
    def of(cls, chosen: Settings) -> Self:
        """A client with these settings."""
        made = cls.__new__(cls)
        made._begin(chosen, None)  # noqa: SLF001 - it is one of ours
        return made

    def _begin(self, chosen: Settings, transport: httpx.BaseTransport | None) -> None:
        self.settings = chosen
        self._nodes = Nodes(chosen, transport)
        self._closed = False
        self._renew()
        lifetimes.begin(self)
        if self._engine.left:
            self._start(self._run_later)

    def _renew(self) -> None:
        """Everything that belongs to one process: in a forked one it is made anew, so that nothing is sent twice."""
        self._worker = lifetimes.Worker()
        self._engine = Engine(self.settings, time.time)
        self._enough = self._engine.enough
        self._put: Callable[[str, str | None, int, str | None], int] = self._engine.buffer.put
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()  # may be used by signals' handlers and finalizers
        self._driving = threading.Lock()
        self._changed = threading.Condition()
        self._over = threading.Event()
        self._urgent = 0

    def forked(self) -> None:
        """Begin anew in a process that was forked: the parent sends what waits."""
        self._engine.abandon()
        lifetimes.abandon(self._engine, self._nodes.network)
        self._nodes.renew()
        self._renew()

    def ended(self) -> None:
        """The process ends: close. Who counts later, at its very end, is told, and not by an error."""
        self.close()
        self._put = _too_late

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def increment(self, name: str, visitor: str | None = None, count: int = 1, key: str | None = None) -> None:
        """Count a visit, soon. Returns at once, whether nodes answer or not.

        Args:
            name: The counter; the visit adds to its ancestors too.
            visitor: Who came; None if nobody asked.
            count: How many visits it is.
            key: What makes it this visit: another one of this counter with this key within ten minutes does not count.
                One of 22 characters or more is the visit's receipt.

        Raises:
            InvalidNameError: The counter's name is none.
            InvalidVisitError: The visitor, the count or the key is none.
            BufferFullError: There is no room, and ``on_full`` is "raise".
        """
        waiting = self._put(name, visitor, count, key)
        if waiting == 1 or waiting == self._enough:
            self._wake.put(None)
            self._start()
        elif waiting < 0:
            self._full(name, visitor, count, key)

    def flush(self, timeout_s: float = FLUSH_TIMEOUT_S) -> bool:
        """Send all that was put in before, and wait until it is stored.

        Returns:
            Whether all of it is: False if some still waits, which is then sent later, or was refused.
        """
        ends_s = time.monotonic() + timeout_s
        lost, target = self._engine.lost, self._engine.buffer.entered
        if self._engine.resolved >= target:
            return True
        self._start()
        with self._changed:
            self._urgent += 1
        self._engine.hurry()
        self._wake.put(None)
        try:
            if (
                not self._worker.started and not self._driving.locked()
            ):  # the interpreter ends, and starts none any more
                self._drive(lambda: time.monotonic() < ends_s and self._engine.resolved < target, ends_s)
            with self._changed:
                done = self._changed.wait_for(lambda: self._engine.resolved >= target, ends_s - time.monotonic())
        finally:
            with self._changed:
                self._urgent -= 1
        return done and self._engine.lost == lost

    def close(self, timeout_s: float | None = None) -> bool:
        """Flush, and take no more visits.

        Args:
            timeout_s: For the flush; ``exit_timeout_s`` if None.

        Returns:
            What ``flush`` does.
        """
        if self._closed:
            return True
        try:
            return self.flush(self.settings.exit_timeout_s if timeout_s is None else timeout_s)
        finally:  # also where Ctrl-C ends the wait
            self._closed = True
            self._put = _refuse
            self._over.set()
            self._engine.keep(time.monotonic(), urgent=True)
            self._wake.put(None)
            lifetimes.end(self)
            if not self._worker.started:
                self._end()
            self._worker.join(0.5)  # it may wait for an answer, and must not be waited for
            self._engine.tell_left()

    @property
    def statistics(self) -> Statistics:
        """What became of the visits of this process so far."""
        return self._engine.statistics

    def _full(self, name: str, visitor: str | None, count: int, key: str | None) -> None:
        if self.settings.on_full == "raise":
            raise self._engine.buffer.full_error()
        if self.settings.on_full == "drop":
            self._engine.refuse(count)
            return
        while True:
            with self._changed:
                if self._put(name, visitor, count, key) >= 0:
                    break
                self._wake.put(None)
                self._changed.wait(0.1)
        self._wake.put(None)
        self._start()

    def _start(self, run: Callable[[], None] | None = None) -> None:
        """Start the thread, if it does not run. At the interpreter's end none starts: then ``flush`` does its work."""
        if not self._closed and not self._worker.started:
            self._worker.start(self, run or self._run, *([self._keep] if self.settings.spool else []))

    def _run_later(self) -> None:
        """Look for what dead processes left, when those were forked that a server forks at its start."""
        with contextlib.suppress(queue.Empty):
            self._wake.get(timeout=ADOPT_AFTER_S)
        self._run()

    def _run(self) -> None:
        while not self._closed:
            try:
                self._drive(lambda: not self._closed)
            except Exception:  # a bug: visits must not wait for ever because of it
                logger.exception("visits cannot be sent for a reason that nobody foresaw")
                self._over.wait(policy.PAUSE_MAX_S)
        self._end()

    def _keep(self) -> None:
        """Write visits to the disk in time, though the other thread waits for an answer."""
        while not self._over.wait(max(KEEP_S_MIN, self.settings.flush_interval_s)):
            self._engine.keep(time.monotonic())

    def _end(self) -> None:
        with self._driving:
            self._engine.close()
            self._nodes.close()

    def _drive(self, more: Callable[[], bool], ends_s: float | None = None) -> None:
        engine = self._engine
        with self._driving:
            while more():
                step = engine.step(time.monotonic(), self._urgent > 0)
                with self._changed:
                    self._changed.notify_all()
                if isinstance(step, Send):
                    engine.finish(time.monotonic(), self._nodes.deliver(step))
                else:
                    left_s = step if ends_s is None else max(0.0, min(step or 0.0, ends_s - time.monotonic()))
                    with contextlib.suppress(queue.Empty):
                        self._wake.get(timeout=left_s)


def _refuse(*_: object) -> int:
    raise RuntimeError(CLOSED)


def _too_late(*_: object) -> int:
    logger.warning("a visit came after the process had ended, and is not counted")
    return 0
