"""Asks nodes over HTTP: one after the other, and again, as long as there is time."""

import asyncio
import random
import time
from typing import TypeVar

import httpx

from footfall.client import requests
from footfall.client.access import shown
from footfall.client.engine import Send
from footfall.client.milestones import Milestone
from footfall.client.network import AsyncNetwork, Network
from footfall.client.requests import Asking, Receipt
from footfall.client.retries import Retries
from footfall.client.settings import HIT_TIMEOUT_S, VALUE_TIMEOUT_S, Settings
from footfall.errors import FootfallError

_Answer = TypeVar("_Answer")


class Nodes:
    """The nodes of one client for threads; any of them may ask.

    Attributes:
        network: Connections to them: what a forked process must keep, and neither use nor close.

    Args:
        settings: Where they are, and how they are reached.
        transport: Replaces the network, for tests.

    Raises:
        ConfigError: Certificates cannot be read.
    """

    def __init__(self, settings: Settings, transport: httpx.BaseTransport | None) -> None:
        self._settings = settings
        self._transport = transport
        self.renew()

    def renew(self) -> None:
        """Ask over new connections; those that there are stay open, for the process that this one was forked from."""
        self._answered = 0  # the one that answered last
        self.network = Network(self._settings, self._transport)

    def ask(self, asked: Asking, timeout_s: float, shape: type[_Answer]) -> _Answer:
        """The first answer. Raises FootfallError: the last one, or one that is final."""
        urls = self._settings.urls
        retries = Retries(urls, self._answered, timeout_s, time.monotonic(), counts=asked.counts)
        while True:
            url, longest_s, age_s = retries.begin(time.monotonic(), self._settings.answer_timeout_s)
            try:
                response = self.network.ask(url, asked._replace(age_s=age_s), longest_s)
                answer = requests.decoded(url, asked, response, shape)
            except FootfallError as error:
                pause_s = retries.failed(error, time.monotonic(), random.random())  # noqa: S311
            else:
                self._answered = retries.at
                return answer
            time.sleep(pause_s)  # out here, so that Ctrl-C is told alone

    def deliver(self, send: Send) -> FootfallError | None:
        """Send visits to one node, once; returns what went wrong, if anything did."""
        try:
            response = self.network.ask(send.url, send.asked, self._settings.answer_timeout_s)
            requests.decoded(send.url, send.asked, response, requests.Stored)
        except FootfallError as error:
            return error
        except Exception as error:  # of httpx, or of a bug: visits wait, and are not lost with the thread
            return _unforeseen(send, error)
        return None

    def close(self) -> None:
        """Ask no more."""
        self.network.close()


class AsyncNodes:
    """The same for an event loop.

    Attributes:
        network: Connections to them.
        answered: Which of the URLs answered last.
    """

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self.network = AsyncNetwork(settings, transport)
        self.answered = 0

    async def ask(self, asked: Asking, timeout_s: float, shape: type[_Answer]) -> _Answer:
        """The first answer. Raises FootfallError: the last one, or one that is final."""
        retries = Retries(self._settings.urls, self.answered, timeout_s, time.monotonic(), counts=asked.counts)
        while True:
            url, longest_s, age_s = retries.begin(time.monotonic(), self._settings.answer_timeout_s)
            try:
                response = await self.network.ask(url, asked._replace(age_s=age_s), longest_s)
                answer = requests.decoded(url, asked, response, shape)
            except FootfallError as error:
                pause_s = retries.failed(error, time.monotonic(), random.random())  # noqa: S311
            else:
                self.answered = retries.at
                return answer
            await asyncio.sleep(pause_s)

    async def deliver(self, send: Send) -> FootfallError | None:
        """Send visits to one node, once; returns what went wrong, if anything did."""
        try:
            response = await self.network.ask(send.url, send.asked, self._settings.answer_timeout_s)
            requests.decoded(send.url, send.asked, response, requests.Stored)
        except FootfallError as error:
            return error
        except Exception as error:  # as above
            return _unforeseen(send, error)
        return None

    async def close(self) -> None:
        """Ask no more."""
        await self.network.close()


def _unforeseen(send: Send, error: Exception) -> FootfallError:
    return FootfallError(f"{shown(send.url)} could not be asked: {error!r}")


class Asks:
    """What a client asks of nodes at once, from any thread, and waits for."""

    _nodes: Nodes

    def hit(
        self,
        name: str,
        visitor: str | None = None,
        count: int = 1,
        key: str | None = None,
        *,
        timeout_s: float = HIT_TIMEOUT_S,
    ) -> Receipt:
        """Count a visit, and wait until it is durable. It is tried again until then, and counts once.

        Args:
            name: As for ``increment``.
            visitor: As for ``increment``.
            count: As for ``increment``.
            key: As for ``increment``. Without one, a random one is made.
            timeout_s: For how long to try: all nodes, each several times if need be. What may have been counted is sent
                again for 540 s at most, as nodes remember keys for ten minutes.

        Raises:
            CallerError: It is no visit, or the nodes refuse it.
                One of them, KeysForgottenError, says that it may have been counted.
            UnavailableError: No node took it in time. It may count yet: call again with the same key, if it had one,
                within ten minutes of the first call.
        """
        asked = requests.asking_to_count(name, visitor, count, key)
        return requests.receipt_of(name, self._nodes.ask(asked, timeout_s, requests.HitStored))

    def value(self, name: str, exact: bool = False, *, timeout_s: float = VALUE_TIMEOUT_S) -> int:
        """A counter's value; 0 if nobody has visited it.

        Args:
            name: The counter.
            exact: Whether every visit counts that was stored before; else it may be some 50 to 500 ms old.
            timeout_s: For how long to try, at all nodes together.

        Raises:
            CallerError: It is no name, or the nodes refuse to tell.
            UnavailableError: No node told in time.
        """
        return self._nodes.ask(requests.asking_for(name, exact), timeout_s, requests.Reading).value

    def milestone(self, name: str, n: int) -> Milestone:
        """A milestone of a counter: whose visit is the N-th. Asks nothing yet.

        Args:
            name: The counter.
            n: N.

        Raises:
            InvalidNameError: The counter's name is none.
            InvalidRequestError: N is not from 1 to 2**63 - 1.
        """
        return Milestone(self._nodes.ask, name, n)
