"""Asks nodes over HTTP, from threads: one after the other, and again, as long as there is time."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

import httpx

from footfall.client import requests
from footfall.client.engine import Send
from footfall.client.patience import Patience
from footfall.client.requests import Asking
from footfall.client.settings import Settings
from footfall.errors import FootfallError

_Answer = TypeVar("_Answer")


class Nodes:
    """The nodes of one client; any thread may ask.

    Args:
        settings: Where they are, and how they are reached.
        transport: Replaces the network, for tests.

    Raises:
        ConfigError: Certificates cannot be read.
    """

    def __init__(self, settings: Settings, transport: httpx.BaseTransport | None) -> None:
        self._urls = settings.urls
        self._transport = transport
        self._options = requests.http_options(settings)
        self._answer_timeout_s = settings.answer_timeout_s
        self.renew()

    def renew(self) -> None:
        """Ask over new connections; those that there are stay open, for the process that this one was forked from."""
        self._answered = 0  # the one that answered last
        self._http = httpx.Client(**self._options, transport=self._transport)

    @property
    def connections(self) -> object:
        """What a forked process must keep, and neither use nor close."""
        return self._http

    def ask(self, asked: Asking, timeout_s: float, read: Callable[[str, httpx.Response], _Answer]) -> _Answer:
        """What ``read`` makes of the first answer. Raises FootfallError: the last one, or one that is final."""
        patience = Patience(self._urls, self._answered, timeout_s, time.monotonic(), counts=asked.body is not None)
        while True:
            attempt = patience.begin(time.monotonic(), self._answer_timeout_s)
            try:
                answer = self.send(attempt.url, asked._replace(age_s=attempt.age_s), read, attempt.longest_s)
            except FootfallError as error:
                time.sleep(patience.failed(error, time.monotonic(), random.random()))  # noqa: S311
            else:
                self._answered = patience.at
                return answer

    def send(
        self, url: str, asked: Asking, read: Callable[[str, httpx.Response], _Answer], longest_s: float
    ) -> _Answer:
        """Ask one node, once. Raises FootfallError."""
        timeout = requests.timeout(longest_s)
        try:
            response = self._http.request(
                asked.method, url + asked.path, content=asked.body, headers=asked.headers, timeout=timeout
            )
        except httpx.TransportError as error:
            raise requests.network_error(url, asked, error) from None
        return read(url, response)

    def deliver(self, send: Send) -> FootfallError | None:
        """Send visits to one node, once; returns what went wrong, if anything did."""
        url, asked = send.url, requests.asking_to_store(send.body, send.age_s)
        try:
            self.send(
                url, asked, lambda url, response: requests.stored_of(url, asked, response), self._answer_timeout_s
            )
        except FootfallError as error:
            return error
        except Exception as error:  # of httpx, or of a bug: visits wait, and are not lost with the thread
            return FootfallError(f"{url} could not be asked: {error!r}")
        return None

    def close(self) -> None:
        """Ask no more."""
        self._http.close()
