"""Serves a node over HTTP: binds, starts and stops uvicorn in the running event loop; knows nothing of the requests."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator

import uvicorn

from footfall.errors import PortInUseError
from footfall.node.node import Node
from footfall.web.api import application
from footfall.web.hot import HotProtocol, protocol
from footfall.web.traffic import Traffic

BACKLOG = 2048
KEEP_ALIVE_S = 75  # above the 60 s of common proxies, which must be the first to close
STOP_S = 5  # how long answers may take that are outstanding at a stop: a flush is given up after that time too


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say when it is done."""
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the process's business, not the server's."""
        yield


class HttpServer:
    """HTTP for one node.

    Args:
        node: The node; started before or after the server, which answers 503 until then.
        host: The address to listen at.
        port: The port, or 0 for any that is free.
        hot: Whether the protocol answers single visits and eventual reads by itself.
        keep_alive_s: How long an idle connection is kept; at most twice as long.
        traffic: Where to count requests.
    """

    def __init__(
        self,
        node: Node,
        host: str,
        port: int,
        *,
        hot: bool = True,
        keep_alive_s: int = KEEP_ALIVE_S,
        traffic: Traffic | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.traffic = traffic or Traffic()
        self._keep_alive_s = keep_alive_s
        self._uvicorn = _Server(
            uvicorn.Config(
                application(node, self.traffic),
                http=protocol(node, self.traffic, hot),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=keep_alive_s,
                timeout_graceful_shutdown=STOP_S,
            )
        )
        self._serving: asyncio.Task[None] | None = None
        self._sweeping: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it can be reached from this machine."""
        host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - read, not bound
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    async def start(self) -> None:
        """Listen.

        Raises:
            PortInUseError: If the address cannot be had.
        """
        listening = self._bind()
        self.port = listening.getsockname()[1]
        self._serving = asyncio.create_task(self._uvicorn.serve([listening]), name="http")
        await self._uvicorn.listening.wait()
        self._sweeping = asyncio.create_task(self._sweep(), name="http-sweep")

    async def stop(self) -> None:
        """Accept nothing more, answer what is outstanding, for STOP_S at most, and close."""
        if self._serving is None or self._sweeping is None:
            return
        self._sweeping.cancel()
        self._uvicorn.should_exit = True
        await self._serving
        self._serving = None
        for connection in self._connections():
            connection.transport.abort()

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((self.host, self.port))
            listening.listen(BACKLOG)
        except OSError as error:
            listening.close()
            if error.errno == errno.EADDRINUSE:
                raise PortInUseError(
                    f"port {self.port} at {self.host} is in use by another program; "
                    "stop it, or choose another port with --http HOST:PORT"
                ) from None
            raise PortInUseError(f"cannot listen at {self.host}:{self.port}: {error.strerror}") from None
        listening.setblocking(False)
        return listening

    def _connections(self) -> list[HotProtocol]:
        return [one for one in self._uvicorn.server_state.connections if isinstance(one, HotProtocol)]

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._keep_alive_s)
            for connection in self._connections():
                connection.sweep()
