"""Asks nodes over HTTP, from threads: one after the other, and again, as long as there is time."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

import httpx

from footfall.client import requests
from footfall.client.access import shown
from footfall.client.engine import Send
from footfall.client.network import Network
from footfall.client.patience import Patience
from footfall.client.requests import Asking
from footfall.client.settings import Settings
from footfall.errors import FootfallError

_Answer = TypeVar("_Answer")


class Nodes:
    """The nodes of one client; any thread may ask.

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

    def ask(self, asked: Asking, timeout_s: float, read: Callable[[str, httpx.Response], _Answer]) -> _Answer:
        """What ``read`` makes of the first answer. Raises FootfallError: the last one, or one that is final."""
        urls = self._settings.urls
        patience = Patience(urls, self._answered, timeout_s, time.monotonic(), counts=asked.body is not None)
        while True:
            url, longest_s, age_s = patience.begin(time.monotonic(), self._settings.answer_timeout_s)
            try:
                answer = read(url, self.network.ask(url, asked._replace(age_s=age_s), longest_s))
            except FootfallError as error:
                time.sleep(patience.failed(error, time.monotonic(), random.random()))  # noqa: S311
            else:
                self._answered = patience.at
                return answer

    def deliver(self, send: Send) -> FootfallError | None:
        """Send visits to one node, once; returns what went wrong, if anything did."""
        asked = requests.asking_to_store(send.body, send.age_s)
        try:
            requests.stored_of(send.url, asked, self.network.ask(send.url, asked, self._settings.answer_timeout_s))
        except FootfallError as error:
            return error
        except Exception as error:  # of httpx, or of a bug: visits wait, and are not lost with the thread
            return FootfallError(f"{shown(send.url)} could not be asked: {error!r}")
        return None

    def close(self) -> None:
        """Ask no more."""
        self.network.close()
