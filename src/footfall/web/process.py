"""One node as one process: puts engine, log, node and HTTP server together, and takes them apart in order."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import uvloop

from footfall import tracing
from footfall.certificates import server_context
from footfall.config import Config, is_loopback
from footfall.errors import ConfigError, FootfallError, PartDiedError
from footfall.kinds import slug
from footfall.log import opening
from footfall.log.engine import Engine
from footfall.node.acknowledged import remembered
from footfall.node.node import Node, name_of
from footfall.ordinals import counted
from footfall.web.allocator import keep_columns_apart
from footfall.web.connection import Limits
from footfall.web.descriptors import room_for
from footfall.web.door import Door
from footfall.web.logs import log_to_stderr
from footfall.web.name_lock import take_name
from footfall.web.renewal import Renewal
from footfall.web.server import LEAVE_S, HttpServer, advertised, bind, listening_at
from footfall.web.systemd import Systemd
from footfall.web.token_file import TokenFile

logger = logging.getLogger("footfall.web.process")  # also where it is run as __main__

BEAT_S = 1.0  # a supervisor takes one that is silent for half a minute for dead
ORPHAN_STOP_S = 30  # a node whose supervisor has died stops cleanly within this time, or at once after it


STREAMS_SHARE_MAX = 0.8  # of the connections: who only watches must not keep visits out
READY_CHECK_S = 0.02
WATCH_S = 1.0


class Failure(msgspec.Struct):
    """Why a node does not run, as it tells its supervisor."""

    kind: str
    detail: str


class Running(NamedTuple):
    """A node that was started, and its HTTP server."""

    node: Node
    server: HttpServer

    @property
    def title(self) -> str:
        """Where it is, and what it is."""
        config = self.node.config
        where = listening_at(self.server.host, self.server.port, secure=bool(config.tls_cert))
        return f"ready at {where} ({config.topology}, {counted(config.partitions, 'partition')})"

    async def ready(self) -> None:
        """Return once it counts and answers. Raises PartDiedError if it never will."""
        while self.node.problems():
            self.check()
            await asyncio.sleep(READY_CHECK_S)

    def check(self) -> None:
        """Raises PartDiedError if only a new start can make it count again. (On a log that was rewound none can.)"""
        failure = self.node.counting.aggregator.failure
        if isinstance(failure, PartDiedError):
            raise failure

    async def watch(self, systemd: Systemd) -> None:
        """Tell systemd how it is, for ever. Raises PartDiedError: who started the process has to do it again."""
        told = ""
        while True:
            self.check()
            problems = "; ".join(self.node.problems())
            if problems != told:
                systemd.status(problems or self.title)
                told = problems
            await asyncio.sleep(WATCH_S)


@contextlib.asynccontextmanager
async def running(config: Config, hung_up: asyncio.Event | None = None) -> AsyncIterator[Running]:
    """A node with everything that it needs, started; stopped at the end.

    Args:
        config: Its settings.
        hung_up: Set by whoever wants the file of tokens to be read again at once.

    Raises:
        SetupError: Something of it cannot be had.
        IntegrityError: The log or the checkpoints are not what they were.
        UnavailableError: The log is away.
    """
    token_file = TokenFile(config, hung_up)
    tokens = token_file.first()
    tls = server_context(config.tls_cert, config.tls_key) if config.tls_cert else None
    bound = bind(config.http_host, config.http_port)
    config = msgspec.structs.replace(config, http_port=bound.getsockname()[1])
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(bound.close)
        if tracing.wanted(config.otlp_endpoint, os.environ):
            stack.push_async_callback(asyncio.to_thread, _begin_tracing(config))
        urls = config.nats
        if not urls:
            engine = Engine(Path(config.data), config.log_bytes_max)
            urls = (await engine.start(),)
            stack.push_async_callback(engine.stop)
        stack.enter_context(take_name(Path(config.data), config.node))
        known = remembered(Path(config.data))
        log = await opening.connect(config, urls, name=config.node or "footfall", known=known)
        stack.push_async_callback(log.close)
        url = config.advertise_url or advertised(config.http_host, config.http_port, secure=tls is not None)
        node = Node(config, log, url)
        await node.start()
        stack.push_async_callback(node.stop)
        door = Door(config, tokens, node.visitors_key)
        server = HttpServer(
            node,
            config.http_host,
            config.http_port,
            leave_s=LEAVE_S,
            bound=bound,
            tls=tls,
            door=door,
            limits=_limits(config, door),
        )
        await server.start()
        if tls is not None:
            renewing = asyncio.create_task(
                Renewal(tls, config.tls_cert, config.tls_key, door.warn_of_certificate).keep(), name="certificate"
            )
            stack.callback(renewing.cancel)
        keeping = asyncio.create_task(token_file.keep(door), name="tokens")
        stack.callback(keeping.cancel)
        stack.push_async_callback(server.stop)  # ahead of the node, which stores what the server has yet to answer
        yield Running(node, server)


def _begin_tracing(config: Config) -> Callable[[], None]:
    """Send traces; returns what ends that. Raises ConfigError if our own setting asks for them, and they cannot be."""
    try:
        return tracing.begin(config.otlp_endpoint, name_of(config))
    except ConfigError as error:
        if config.otlp_endpoint:
            raise
        logger.warning("there are no traces, though the environment names where to send them: %s", error)
        return lambda: None


def _limits(config: Config, door: Door) -> Limits:
    connections_max = room_for(config.connections_max)
    if connections_max < config.connections_max:
        logger.warning("only %d connections can be taken: the system allows no more descriptors", connections_max)
    if not (is_loopback(config.http_host) or config.tls_cert):
        logger.warning(
            "listening at %s without TLS: tokens and receipts can be read on their way, "
            "unless a proxy in front speaks TLS and nobody else hears the network between",
            config.http_host,
        )
    if (config.public_reads or config.public_writes) and not (config.tokens_file or config.tokens):
        logger.warning("public_reads and public_writes do nothing without tokens: who reaches this node may do all")
    streams_max = min(config.event_streams_max, int(connections_max * STREAMS_SHARE_MAX))
    return Limits(
        connections_max, config.connections_per_address_max, config.request_timeout_s, door.proxies, streams_max
    )


def run_node(config: Config, ready: Callable[[str], None] | None = None, pipe: int | None = None) -> None:
    """Run one node until SIGTERM or SIGINT.

    Args:
        config: Its settings.
        ready: Called with the node's URL once it counts and answers.
        pipe: Where it says, from its start on, that its event loop comes round.

    Raises:
        FootfallError: It cannot start; one line of explanation.
    """
    log_to_stderr(config.log_format, config.log_level, name_of(config))
    keep_columns_apart()
    systemd = Systemd()  # before anything is started that would inherit what names it
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(config, ready, systemd, pipe))


async def _run(config: Config, ready: Callable[[str], None] | None, systemd: Systemd, pipe: int | None) -> None:
    stop, hung_up = asyncio.Event(), asyncio.Event()
    beating = asyncio.create_task(beat(pipe), name="beats") if pipe is not None else None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if config.tokens_file:  # otherwise a terminal that is closed ends what runs in it, as ever
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hung_up.set)
    async with systemd.watching():
        serving = asyncio.create_task(_serve(config, ready, hung_up, systemd))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        systemd.tell("STOPPING=1")
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        stopping.cancel()
        if beating is not None:
            beating.cancel()


async def _serve(config: Config, ready: Callable[[str], None] | None, hung_up: asyncio.Event, systemd: Systemd) -> None:
    async with running(config, hung_up) as one:
        await one.ready()
        logger.info("%s", one.title)
        systemd.tell("READY=1", f"STATUS={one.title}")
        if ready is not None:
            ready(one.server.url)
        try:
            await one.watch(systemd)
        finally:
            logger.info("stopping")


def follow(lifeline: int) -> None:
    """Stop this process when the other end of ``lifeline`` is closed: its supervisor is gone, however it ended."""

    def watch() -> None:
        while os.read(lifeline, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(ORPHAN_STOP_S)
        os._exit(1)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


async def beat(pipe: int) -> None:
    """Say on a pipe, again and again, that this event loop comes round. Where nobody reads, nothing waits for it."""
    os.set_blocking(pipe, False)
    while True:
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(pipe, b"\n")
        await asyncio.sleep(BEAT_S)


def main() -> None:
    """Run one node of a supervisor: settings come on stdin; its URL goes to stdout, and beats, or why it has none."""
    config = msgspec.json.decode(_line(sys.stdin.fileno()), type=Config)
    follow(sys.stdin.fileno())
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        print(line, flush=True)  # noqa: T201 - the supervisor reads it

    try:
        run_node(config, tell, sys.stdout.fileno())
    except FootfallError as error:
        if told:
            sys.exit(f"footfall: {error}")
        tell(msgspec.json.encode(Failure(slug(type(error)), str(error))).decode())
        sys.exit(1)


def _line(descriptor: int) -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        part = os.read(descriptor, 1)
        if not part:
            sys.exit("footfall: no settings on stdin; start nodes with footfall serve")
        line += part
    return bytes(line)


if __name__ == "__main__":
    main()
