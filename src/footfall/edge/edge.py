"""The client that publishes straight to the log: for all threads of a long-lived process with many visits."""

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple, Self, Unpack

import uvloop

from footfall.client import lifetimes
from footfall.client.buffer import Buffer
from footfall.client.network import CLOSED
from footfall.client.nodes import Asks
from footfall.client.settings import FLUSH_TIMEOUT_S, Options, settings
from footfall.client.sync import Client
from footfall.client.trouble import Trouble
from footfall.edge.driving import FLUSH_VISITS_MAX, Driver
from footfall.errors import ConfigError
from footfall.log.access import Access, identity, tls_context
from footfall.ordinals import counted

logger = logging.getLogger("footfall.client")


class Statistics(NamedTuple):
    """What became of the visits of one edge, in this process.

    Attributes:
        stored: Visits that the log has acknowledged to the edge itself.
        sent: Visits that went through a node.
        dropped: Visits that found no room, or that a node refused.
        buffered: What waits in memory; visits that were merged are one.
    """

    stored: int
    sent: int
    dropped: int
    buffered: int


class Edge(Asks):
    """Counts visits as ``Client`` does, and publishes them to the log itself, many in a message, once each.

    It needs a node as well, for what a producer may not do: a visit to a counter that the node does not know yet goes
    through it, as do ``hit``, ``value`` and milestones. What waits in memory when the process is killed is lost.
    """

    def __init__(
        self,
        servers: str | Sequence[str],
        url: str | Sequence[str] | None = None,
        *,
        token: str | None = None,
        ca: str | None = None,
        nats_ca: str = "",
        nats_cert: str = "",
        nats_key: str = "",
        nats_creds: str = "",
        nats_nkey: str = "",
        nats_inbox: str = "_INBOX",
        **options: Unpack[Options],
    ) -> None:
        """Sends nothing, and starts no thread, before the first visit.

        Args:
            servers: The log's, as nats://user:password@host:port or tls://…; several in a list, or with commas.
            url: Nodes of the same log, as for ``Client``.
            token: With the scopes ``read`` and ``write``, where nodes ask for one.
            ca: As for ``Client``.
            nats_ca: PEM file of who signed the servers' certificates, if they are named tls://.
            nats_cert: Our own certificate, if the servers ask for one.
            nats_key: Its private key.
            nats_creds: Who we are to the servers: a .creds file.
            nats_nkey: Or a file with our seed.
            nats_inbox: Below which subject the servers' answers come, for a user who may listen there alone.
            options: As for ``Client``, without a spool.

        Raises:
            ConfigError: A value is none that it can have.
        """
        if options.get("spool") is not None:
            raise ConfigError(f"spool is {options['spool']!r}, and an edge has none: leave it out, or use a Client")
        self._servers = tuple(one.strip() for one in (servers.split(",") if isinstance(servers, str) else servers))
        if any(one.startswith(("http://", "https://")) for one in self._servers):
            raise ConfigError("a node is given, and not the log's servers: give it as url, or use a footfall.Client")
        if not self._servers or not all(one.startswith(("nats://", "tls://")) for one in self._servers):
            raise ConfigError("the log's servers are not named as nats://HOST:PORT or tls://HOST:PORT")
        self._access = Access(
            ca=nats_ca, cert=nats_cert, key=nats_key, creds=nats_creds, nkey=nats_nkey, inbox=nats_inbox
        )
        tls_context(self._access, self._servers)  # what cannot be read is told now
        identity(self._access)
        self.settings = settings(url, token, ca, **options)
        self._client = Client(url, token=token, ca=ca)
        self._nodes = self._client._nodes  # noqa: SLF001 - it is one of ours
        lifetimes.end(self._client)  # it lives as long as this does, and no shorter
        self._closed = False
        self._renew()
        lifetimes.begin(self)

    def _renew(self) -> None:
        """Everything that belongs to one process."""
        self._changed = threading.Condition()
        self._worker = lifetimes.Worker()
        self._trouble = Trouble(self.settings)
        self._dropped = 0
        self._buffer = Buffer(self.settings.buffer_visits_max)
        self._driver = Driver(self._servers, self._access, self.settings, self._buffer, self._client, self._moved)

    def forked(self) -> None:
        """Begin anew in a process that was forked: the parent publishes what waits."""
        lifetimes.abandon(self._driver)
        self._client.forked()
        self._renew()

    def ended(self) -> None:
        """The process ends: close."""
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def increment(self, name: str, visitor: str | None = None, count: int = 1, key: str | None = None) -> None:
        """Count a visit, soon. Returns at once, whether the log answers or not; see ``Client.increment``."""
        if self._closed:
            raise RuntimeError(CLOSED)
        waiting = self._buffer.put(name, visitor, count, key)
        if waiting == 1:
            self._begin()
            self._driver.wake()
        elif waiting == FLUSH_VISITS_MAX:
            self._driver.hurry()
        elif waiting < 0:
            self._full(name, visitor, count, key)

    def flush(self, timeout_s: float = FLUSH_TIMEOUT_S) -> bool:
        """Publish all that was put in before, and wait until it is stored.

        Returns:
            Whether all of it is: False if some still waits, which is then published later, or was refused.
        """
        ends_s = time.monotonic() + timeout_s
        target = self._buffer.entered
        if self._driver.resolved < target:
            self._begin()
            self._driver.hurry()
        with self._changed:
            done = self._changed.wait_for(lambda: self._driver.resolved >= target or not self._worker.runs, timeout_s)
        return done and self._driver.resolved >= target and self._client.flush(max(0.0, ends_s - time.monotonic()))

    def close(self, timeout_s: float | None = None) -> bool:
        """Flush, and take no more visits.

        Args:
            timeout_s: For the flush; ``exit_timeout_s`` if None.

        Returns:
            What ``flush`` does.
        """
        if self._closed:
            return True
        stored = False
        try:
            stored = self.flush(self.settings.exit_timeout_s if timeout_s is None else timeout_s)
            return stored
        finally:  # also where Ctrl-C ends the wait
            self._closed = True
            lifetimes.end(self)
            self._driver.end()
            self._worker.join(0.5)
            if not stored and (left := self.statistics.buffered):
                what = counted(left, "visit was", "visits were")
                logger.warning("at least %s not stored before the end, as far as is known", what)
            self._client.close(0.0)

    @property
    def statistics(self) -> Statistics:
        """What became of the visits of this process so far."""
        through = self._client.statistics
        buffered = len(self._buffer) + self._buffer.held + through.buffered
        return Statistics(self._driver.stored, through.sent, self._dropped + through.dropped, buffered)

    def _begin(self) -> None:
        if not self._closed:
            self._worker.start(self, self._run)

    def _run(self) -> None:
        try:
            uvloop.run(self._driver.run())
        except asyncio.CancelledError:
            pass
        except Exception as error:
            logger.critical("this process publishes no more visits: %s", error, exc_info=error)
        finally:
            self._moved()

    def _moved(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _full(self, name: str, visitor: str | None, count: int, key: str | None) -> None:
        if self.settings.on_full == "raise":
            raise self._buffer.full_error()
        if self.settings.on_full == "drop":
            self._trouble.full(count)
            self._dropped += count
            return
        while not self._closed and self._buffer.put(name, visitor, count, key) < 0:
            self._driver.hurry()
            with self._changed:
                self._changed.wait(0.1)
