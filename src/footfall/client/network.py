"""Carries requests to nodes and answers back, over connections that are kept. What they mean is not known here.

httpx's transports are used without its clients, which write a line to the program's log for each request; and without
``trust_env``, as a proxy from the environment would hide loopback.
"""

import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping

import httpx

from footfall.client.access import authorization, shown, verification
from footfall.client.refusals import cause
from footfall.client.requests import Asking
from footfall.client.settings import CONNECT_TIMEOUT_S, Settings
from footfall.errors import UnavailableError, UnreachableError

CLOSED = "the client is closed"


class Network:
    """For threads.

    Args:
        settings: What is shown to nodes.
        transport: Replaces the network, for tests.

    Raises:
        ConfigError: Certificates cannot be read.
    """

    def __init__(self, settings: Settings, transport: httpx.BaseTransport | None = None) -> None:
        self._headers = authorization(settings.token)
        self._transport = transport or httpx.HTTPTransport(verify=_verify(settings), trust_env=False)
        self._closed = False

    def ask(self, url: str, asked: Asking, longest_s: float) -> httpx.Response:
        """The answer of the node at a URL, whole. Raises UnavailableError."""
        if self._closed:
            raise RuntimeError(CLOSED)
        request = _request(url, asked, self._headers, longest_s)
        try:
            with contextlib.closing(self._transport.handle_request(request)) as response:
                response.read()
                return response
        except httpx.TransportError as error:
            raise _failure(url, asked, request, error) from None

    def close(self) -> None:
        """End the connections."""
        self._closed = True
        self._transport.close()


class AsyncNetwork:
    """The same for an event loop."""

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._headers = authorization(settings.token)
        self._transport = transport or httpx.AsyncHTTPTransport(verify=_verify(settings), trust_env=False)
        self._closed = False

    async def ask(self, url: str, asked: Asking, longest_s: float) -> httpx.Response:
        """The answer of the node at a URL, whole. Raises UnavailableError."""
        async with self.stream(url, asked, longest_s, {}) as response:
            await response.aread()
            return response

    @contextlib.asynccontextmanager
    async def stream(
        self, url: str, asked: Asking, silence_s_max: float, headers: Mapping[str, str]
    ) -> AsyncIterator[httpx.Response]:
        """An answer that is read while it comes. Raises UnavailableError."""
        if self._closed:
            raise RuntimeError(CLOSED)
        request = _request(url, asked, {**self._headers, **headers}, silence_s_max)
        try:
            response = await self._transport.handle_async_request(request)
            try:
                yield response
            finally:
                await response.aclose()
        except httpx.TransportError as error:
            raise _failure(url, asked, request, error) from None

    async def close(self) -> None:
        """End the connections."""
        self._closed = True
        await self._transport.aclose()


def _verify(settings: Settings) -> ssl.SSLContext | bool:
    secure = [url for url in settings.urls if url.startswith("https:")]
    return verification(secure[0], settings.ca) if secure else False


def _request(url: str, asked: Asking, headers: Mapping[str, str], longest_s: float) -> httpx.Request:
    timeout = httpx.Timeout(longest_s, connect=min(CONNECT_TIMEOUT_S, longest_s))
    request = httpx.Request(
        asked.method,
        url + asked.path,
        content=asked.body,
        headers=httpx.Headers({**headers, **asked.headers}, encoding="utf-8"),
        extensions={"timeout": timeout.as_dict()},
    )
    if request.url.userinfo:  # what a proxy in front of the nodes asks for
        next(httpx.BasicAuth(request.url.username, request.url.password).auth_flow(request))
    return request


def _failure(url: str, asked: Asking, request: httpx.Request, error: httpx.TransportError) -> UnavailableError:
    """What it means that nothing was answered: UnreachableError if nothing was sent either."""
    error.request = request
    why = cause(error)
    if not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return UnavailableError(f"{shown(url)} broke off {asked}: {why}")
    unknown = "issuer" in why or "self-signed" in why
    do = ": give the certificate of whoever signed it as ca, or in FOOTFALL_CA" if unknown else ""
    return UnreachableError(f"no node answers at {shown(url)} ({why}){do}")
