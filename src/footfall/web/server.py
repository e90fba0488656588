"""Serves a node over HTTP: binds, starts and stops uvicorn in the running event loop; knows nothing of the requests."""

import asyncio
import contextlib
import errno
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any, cast

import uvicorn

from footfall.config import Config
from footfall.errors import PortInUseError
from footfall.node.node import Node
from footfall.web.accepting import Acceptor
from footfall.web.api import application
from footfall.web.connection import Limits
from footfall.web.door import Door
from footfall.web.events_hub import Events
from footfall.web.hot import HotProtocol, protocol
from footfall.web.pulse import Pulse
from footfall.web.traces import traced
from footfall.web.traffic import Traffic

BACKLOG = 2048
KEEP_ALIVE_S = 75  # above the 60 s of common proxies, which must be the first to close
HURRY_S_MAX = 1.0  # between looks at what is slow: 10,000 connections take 2 ms
LEAVE_S = 1.0  # before a stop: clients that send again so soon do not find a closed connection
LEAVE_CHECK_S = 0.02
GOODBYE_S = 1.0  # at a stop: for a client that has its answers to read on, and over TLS to say goodbye
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - who listens so, and where this machine reaches it
STOP_S = 12  # how long answers may take that are outstanding at a stop; a node gives up a visit after 10 s


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to an address, so that it is had before anything else is started.

    Raises:
        PortInUseError: If the address cannot be had.
    """
    # Told that it is TCP, asyncio sends at once: a keep-alive answer in two writes would otherwise wait 40 ms.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setblocking(False)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise _refused(host, port, error) from None
    return bound


def _refused(host: str, port: int, error: OSError) -> PortInUseError:
    if error.errno == errno.EADDRINUSE:
        return PortInUseError(
            f"port {port} at {host} is in use by another program; stop it, or choose another with --http HOST:PORT"
        )
    return PortInUseError(f"cannot listen at {host}:{port}: {error.strerror}")


def url_of(host: str, port: int, *, secure: bool = False) -> str:
    """Where a server that listens at an address can be reached from this machine; ``secure``: over TLS."""
    return _url(EVERYWHERE.get(host, host), port, secure)


def advertised(host: str, port: int, *, secure: bool = False) -> str:
    """Where a server that listens at an address is for other machines: at the host's name, if it listens everywhere."""
    return _url(socket.gethostname() if host in EVERYWHERE else host, port, secure)


def listening_at(host: str, port: int, *, secure: bool = False) -> str:
    """Where a server listens, for a person: ``https://0.0.0.0:8443, every address of this machine``."""
    return _url(host, port, secure) + (", every address of this machine" if host in EVERYWHERE else "")


def _url(host: str, port: int, secure: bool) -> str:
    scheme = "https" if secure else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen at the sockets ourselves, and say when it is done."""
        await super().startup([])
        for bound in sockets or []:
            bound.listen(self.config.backlog)
            acceptor: Any = Acceptor(bound, self._connection, self.config.ssl)  # stands for a server: uvicorn closes it
            self.servers.append(acceptor)
        self.listening.set()

    def _connection(self) -> asyncio.Protocol:
        made: Any = self.config.http_protocol_class
        return cast(
            "asyncio.Protocol",
            made(config=self.config, server_state=self.server_state, app_state=self.lifespan.state),
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the process's business, not the server's."""
        yield


class HttpServer:
    """HTTP for one node.

    Args:
        node: The node, started.
        host: The address to listen at.
        port: The port, or 0 for any that is free.
        hot: Whether the protocol answers single visits and eventual reads by itself.
        keep_alive_s: How long an idle connection is kept; at most twice as long.
        stop_s: How long a stop waits for answers that are outstanding.
        leave_s: How long connections are kept before, for requests that are on their way.
        bound: What ``bind`` returned, if it was called for this address before.
        tls: What TLS is spoken with, if it is.
        door: Who may do what, and how often; anyone, all, if it is left out.
        limits: What connections may take.
    """

    def __init__(
        self,
        node: Node,
        host: str,
        port: int,
        *,
        hot: bool = True,
        keep_alive_s: int = KEEP_ALIVE_S,
        stop_s: int = STOP_S,
        leave_s: float = 0.0,
        bound: socket.socket | None = None,
        tls: ssl.SSLContext | None = None,
        door: Door | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.traffic = Traffic()
        self._pulse = Pulse()
        self._bound = bound
        self._secure = tls is not None
        self._keep_alive_s = keep_alive_s
        door = door or Door(Config())
        limits = limits or Limits()
        self._leave_s = leave_s
        self._protocol = protocol(node, self.traffic, hot, door, limits, self._pulse)
        self._events = Events(node, self.traffic, limits.streams_max)
        self._hurry_s = min(HURRY_S_MAX, limits.request_timeout_s / 4)
        self._uvicorn = _Server(
            uvicorn.Config(
                traced(application(node, self.traffic, door, self._events, self._pulse)),
                http=self._protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=keep_alive_s,
                timeout_graceful_shutdown=stop_s,
                ssl_context_factory=None if tls is None else lambda *_: tls,
            )
        )
        self._serving: asyncio.Task[None] | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it can be reached from this machine."""
        return url_of(self.host, self.port, secure=self._secure)

    async def start(self) -> None:
        """Listen.

        Raises:
            PortInUseError: If the address cannot be had.
        """
        bound = self._bound or bind(self.host, self.port)
        self.port = bound.getsockname()[1]
        self._serving = asyncio.create_task(self._uvicorn.serve([bound]), name="http")
        listening = asyncio.create_task(self._uvicorn.listening.wait())
        await asyncio.wait({self._serving, listening}, return_when=asyncio.FIRST_COMPLETED)
        if self._serving.done():
            listening.cancel()
            bound.close()
            try:
                self._serving.result()
            except OSError as error:
                raise _refused(self.host, self.port, error) from None
        self._sweeping = asyncio.create_task(self._sweep(), name="http-sweep")
        self._beating = asyncio.create_task(self._pulse.keep(), name="http-pulse")

    async def stop(self) -> None:
        """Accept nobody more, answer what is outstanding, within ``stop_s``, and close. Silent clients get no time.

        To close a connection that is idle, as far as one knows here, is to break a request that is on its way over it.
        So for ``leave_s`` all is answered as before, but that the connection is closed after the answer; and then, when
        nobody new can come, those who came last, for as long again at most.
        """
        if self._serving is None or self._sweeping is None or self._beating is None:
            return
        self.traffic.leaving = True
        self._events.stop()
        self._protocol.heads.clear()
        await self._leave()
        for server in self._uvicorn.servers:
            server.close()
        await asyncio.sleep(LEAVE_CHECK_S)  # those who were accepted last are connected
        await self._leave()
        self._sweeping.cancel()
        self._beating.cancel()
        self._uvicorn.should_exit = True
        parting = asyncio.create_task(self._part(), name="http-part")
        await self._serving
        parting.cancel()
        self._serving = None
        for connection in self._connections():
            connection.transport.abort()

    async def _part(self) -> None:
        """Wait no more for clients that are answered, and silent: a pool's idle connection over TLS always is."""
        silent: dict[HotProtocol, tuple[int, float]] = {}  # how much was left to read, and since when
        while True:
            await asyncio.sleep(GOODBYE_S / 10)
            now_s = time.monotonic()
            for connection in self._connections():
                transport = connection.transport
                left = transport.get_write_buffer_size()
                waits_for_it = transport.is_closing() or connection.clogged
                if not waits_for_it or silent.get(connection, (-1, 0.0))[0] != left:
                    silent[connection] = (left, now_s)
                elif now_s - silent[connection][1] > GOODBYE_S:
                    transport.abort()

    async def _leave(self) -> None:
        leave_at_s = time.monotonic() + self._leave_s
        while self._connections() and time.monotonic() < leave_at_s:  # noqa: ASYNC110 - each ends by itself
            await asyncio.sleep(LEAVE_CHECK_S)

    def _connections(self) -> list[HotProtocol]:
        return [one for one in self._uvicorn.server_state.connections if isinstance(one, HotProtocol)]

    async def _sweep(self) -> None:
        swept_s = time.monotonic()
        while True:
            await asyncio.sleep(min(self._hurry_s, self._keep_alive_s))
            now_s = time.monotonic()
            for connection in self._connections():
                connection.hurry(now_s)
            if now_s - swept_s >= self._keep_alive_s:
                swept_s = now_s
                for connection in self._connections():
                    connection.sweep()
