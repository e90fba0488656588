"""Several nodes on one machine: an engine here, a process for each node, restarted when it dies or hangs; none is left.

A node says on its pipe, again and again, that its event loop comes round. How long it is silent is counted in looks of
this process's own loop, and not by a clock: if all of them stood still together, nobody hangs.
"""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import uvloop

from footfall.config import Config
from footfall.errors import ConfigError, FootfallError
from footfall.kinds import revive
from footfall.log.engine import Engine
from footfall.web.logs import log_to_stderr
from footfall.web.process import Failure
from footfall.web.server import url_of
from footfall.web.systemd import Systemd

logger = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "footfall.web.process")
NODES_MAX = 64  # more on one machine share its cores without gain
BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.5, 10.0
STEADY_S = 30.0  # a node that ran for so long starts anew with the first backoff
STOP_S = 30.0  # a node's own stop is bounded below that
LOOK_S = 1.0
START_LOOKS_MAX = 600  # until it says anything at its start; to count all of a full log may take longer
SILENT_LOOKS_MAX = 30  # then it hangs, and is ended: as systemd does with a node alone


class NodeFailedError(FootfallError):
    """A node could not be started; its own line on stderr says why."""


class _Child:
    """One node's process, and its restarts."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.url = ""
        self.restarts = 0
        self._process: Process | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def _where(self) -> str:
        return self.url or url_of(self.config.http_host, self.config.http_port, secure=bool(self.config.tls_cert))

    async def start(self) -> None:
        """Start it, and wait until it counts and answers. Raises FootfallError: what it says, or NodeFailedError."""
        self._process = process = await asyncio.create_subprocess_exec(
            *COMMAND,
            stdin=PIPE,
            stdout=PIPE,
            start_new_session=True,  # Ctrl-C is for the supervisor, which stops its nodes in order
        )
        assert process.stdin is not None
        # Settings hold credentials, so they go through the pipe. It stays open: its end tells the node to stop.
        process.stdin.write(msgspec.json.encode(self.config) + b"\n")
        with contextlib.suppress(ConnectionError):
            await process.stdin.drain()
        while (line := await self._line(process, START_LOOKS_MAX)) == b"\n":
            pass  # it comes round, and counts what the log holds
        told = line.decode().strip()
        if not told.startswith("http"):
            code = await process.wait()
            if told:
                failure = msgspec.json.decode(told, type=Failure)
                raise revive(failure.kind, failure.detail)
            raise NodeFailedError(f"the node at {self._where} did not start (exit code {code}); see above")
        self.url = told
        port = int(self.url.rpartition(":")[2])
        self.config = msgspec.structs.replace(self.config, http_port=port)

    async def keep(self) -> None:
        """Start it again whenever it dies."""
        backoff_s = BACKOFF_FIRST_S
        while self._process is not None:
            started_s = time.monotonic()
            while await self._line(self._process, SILENT_LOOKS_MAX):
                pass  # it comes round
            code = await self._process.wait()
            if time.monotonic() - started_s > STEADY_S:
                backoff_s = BACKOFF_FIRST_S
            logger.warning("the node at %s died (exit code %d); again in %.1f s", self.url, code, backoff_s)
            await asyncio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, BACKOFF_MAX_S)
            self.restarts += 1
            try:
                await self.start()
            except (FootfallError, OSError) as error:  # also where the system has no room for a process
                logger.error("the node at %s does not start: %s", self.url, error)

    async def _line(self, process: Process, looks_max: int) -> bytes:
        """The next line that a node says; empty at its end. One that is silent for too long is ended."""
        assert process.stdout is not None
        reading = asyncio.create_task(process.stdout.readline())
        try:
            for _ in range(looks_max):
                await asyncio.wait({reading}, timeout=LOOK_S)
                if reading.done():
                    return reading.result()
            silent_s = looks_max * LOOK_S
            logger.error("the node at %s hangs: it was silent for %.0f s, and is ended", self._where, silent_s)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            return await reading
        finally:
            reading.cancel()

    def hang_up(self) -> None:
        """Let it read its file of tokens again."""
        if self.url and self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGHUP)

    async def stop(self) -> None:
        """Stop it cleanly, or after STOP_S at once."""
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), STOP_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


class Supervisor:
    """Nodes on consecutive ports of one machine.

    Args:
        config: The settings of all of them; the port is the first node's, and 0 gives each any that is free.
        nodes: How many.

    Raises:
        ConfigError: There cannot be so many.
    """

    def __init__(self, config: Config, nodes: int) -> None:
        last = config.http_port + nodes - 1
        if not 1 <= nodes <= NODES_MAX:
            raise ConfigError(f"{nodes} nodes cannot be started; choose from 1 to {NODES_MAX}")
        if config.http_port and last > 65535:
            raise ConfigError(f"{nodes} nodes need the ports {config.http_port} to {last}; the highest is 65535")
        if config.advertise_url and nodes > 1:
            raise ConfigError(f"advertise_url is one node's, and there are {nodes} here; leave it out")
        self._config = config
        self._nodes = nodes
        self._engine: Engine | None = None
        self._children: list[_Child] = []
        self._keeping: list[asyncio.Task[None]] = []

    @property
    def urls(self) -> list[str]:
        """Where the nodes are."""
        return [child.url for child in self._children]

    @property
    def pids(self) -> list[int | None]:
        """Their processes now."""
        return [child.pid for child in self._children]

    async def start(self) -> list[str]:
        """Start the engine, if there is no other log, and all nodes; returns their URLs once they count and answer.

        Raises:
            FootfallError: Something cannot be had, or a node does not start. Nothing is left running.
        """
        config = self._config
        if not config.nats:
            self._engine = Engine(Path(config.data), config.log_bytes_max)
            config = msgspec.structs.replace(config, nats=(await self._engine.start(),))
        try:
            for index in range(self._nodes):
                self._children.append(_Child(self._settings(config, index)))
            async with asyncio.TaskGroup() as starting:
                for child in self._children:
                    starting.create_task(child.start())
        except ExceptionGroup as group:
            await self.stop()
            raise group.exceptions[0] from None
        except asyncio.CancelledError:
            await self.stop()
            raise
        self._keeping = [asyncio.create_task(child.keep()) for child in self._children]
        return self.urls

    def hang_up(self) -> None:
        """Let all nodes read their file of tokens again."""
        for child in self._children:
            child.hang_up()

    async def stop(self) -> None:
        """Stop the nodes together, then the engine."""
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        await asyncio.gather(*(child.stop() for child in self._children))
        if self._engine is not None:
            await self._engine.stop()
            self._engine = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _settings(self, config: Config, index: int) -> Config:
        """A node's own settings: ids stay the same over restarts, as a node remembers by its id what it wrote."""
        port = config.http_port + index if config.http_port else 0
        host = "".join(letter if letter.isalnum() else "-" for letter in socket.gethostname().partition(".")[0])
        node = f"{config.node}-{index + 1}" if config.node else f"{host}-{port or index + 1}"
        return msgspec.structs.replace(config, http_port=port, node=node)


def run(config: Config, nodes: int, ready: Callable[[str], None] | None = None) -> None:
    """Run nodes until SIGTERM or SIGINT.

    Args:
        config: The settings of all of them.
        nodes: How many.
        ready: Called with the first one's URL once all count and answer.

    Raises:
        FootfallError: They cannot be started.
    """
    log_to_stderr(config.log_format, config.log_level)
    systemd = Systemd()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(config, nodes, ready, systemd))


async def _run(config: Config, nodes: int, ready: Callable[[str], None] | None, systemd: Systemd) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    supervisor = Supervisor(config, nodes)
    if config.tokens_file:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, supervisor.hang_up)
    async with systemd.watching():
        starting = asyncio.create_task(supervisor.start())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            systemd.tell("STOPPING=1")
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await starting
            return
        urls = await starting
        title = f"{nodes} nodes are ready: {' '.join(urls)}"
        logger.info("%s", title)
        systemd.tell("READY=1", f"STATUS={title}")
        if ready is not None:
            ready(urls[0])
        await stopping
        systemd.tell("STOPPING=1")
        await supervisor.stop()
