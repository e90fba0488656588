"""The network between servers and nodes, in user space: relays on loopback whose directions can be cut, one by one.

A direction that is cut carries nothing and ends nothing, as when packets are dropped: what was sent waits, and arrives
late, when the direction is healed, as TCP sends again. This needs no privilege.
"""

import asyncio
import threading
from concurrent.futures import Future
from typing import Any, Self

Direction = tuple[str, str]  # from whom, to whom
HELD_BYTES_MAX = 1 << 20  # of one connection and direction; then its sender has to wait, as when a window is full


class Wires:
    """Relays between named parties.

    Attributes:
        held: Bytes that a cut has kept back, since the last one began.
    """

    def __init__(self) -> None:
        self.held = 0
        self.cuts: set[Direction] = set()
        self._cut_off: dict[str, set[Direction]] = {}
        self.ends: set[_End] = set()
        self.names: set[str] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wires")
        self._servers: list[asyncio.Server] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._do(self._close).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def relay(self, source: str, target: str, port: int) -> int:
        """A port at which ``source`` reaches what ``target`` has at ``port``."""
        self.names |= {source, target}

        async def listen() -> int:
            server = await self._loop.create_server(lambda: _Near(self, source, target, port), "127.0.0.1", 0)
            self._servers.append(server)
            found: int = server.sockets[0].getsockname()[1]
            return found

        return asyncio.run_coroutine_threadsafe(listen(), self._loop).result()

    def cut(self, name: str, *, inbound: bool = True, outbound: bool = True) -> None:
        """Cut off a party: what is sent to it, what it sends, or both."""
        others = self.names - {name}
        cuts = {(other, name) for other in others if inbound} | {(name, other) for other in others if outbound}
        self._do(lambda: self._set(name, cuts)).result()

    def heal(self, name: str) -> None:
        """Nothing is kept back any more from or to a party, unless the other one is cut off, too."""
        self._do(lambda: self._set(name, set())).result()

    def _set(self, name: str, cuts: set[Direction]) -> None:
        if not self.cuts:
            self.held = 0
        self._cut_off[name] = cuts
        self.cuts = set().union(*self._cut_off.values())
        for end in list(self.ends):
            end.flush()

    def _close(self) -> None:
        for server in self._servers:
            server.close()
        for end in list(self.ends):
            end.transport.abort()

    def _do(self, call: Any) -> "Future[None]":
        async def done() -> None:
            call()

        return asyncio.run_coroutine_threadsafe(done(), self._loop)


class _End(asyncio.Protocol):
    """One end of a connection: what comes here goes out at the other end."""

    transport: asyncio.Transport

    def __init__(self, wires: Wires, source: str, target: str) -> None:
        self.wires = wires
        self.direction = (source, target)
        self.other: _End | None = None
        self.ended = False
        self._waiting = bytearray()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.wires.ends.add(self)

    def data_received(self, data: bytes) -> None:
        if self.direction in self.wires.cuts:
            self.wires.held += len(data)
        self._waiting += data
        if len(self._waiting) > HELD_BYTES_MAX:
            self.transport.pause_reading()
        self.flush()

    def connection_lost(self, error: Exception | None) -> None:
        self.ended = True
        self.flush()
        if self.other is None:
            self.wires.ends.discard(self)

    def pause_writing(self) -> None:
        if self.other is not None and not self.other.ended:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and not self.other.ended:
            self.other.transport.resume_reading()

    def flush(self) -> None:
        """Pass on what has come, and the end, unless this direction is cut or there is no other end yet."""
        if self.other is None or self.direction in self.wires.cuts:
            return
        if self._waiting:
            if not self.other.ended:
                self.other.transport.write(bytes(self._waiting))
            if len(self._waiting) > HELD_BYTES_MAX and not self.ended:
                self.transport.resume_reading()
            self._waiting.clear()
        if self.ended:
            self.other.transport.close()
            self.wires.ends.discard(self)


class _Near(_End):
    """The end that was connected to; it makes the other one once both directions are open."""

    def __init__(self, wires: Wires, source: str, target: str, port: int) -> None:
        super().__init__(wires, source, target)
        self._port = port
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.flush()

    def flush(self) -> None:
        source, target = self.direction
        is_open = not {self.direction, (target, source)} & self.wires.cuts
        if self.other is None and self._connecting is None and is_open and not self.ended:
            self._connecting = asyncio.get_running_loop().create_task(self._connect())
        super().flush()

    async def _connect(self) -> None:
        source, target = self.direction
        far = _End(self.wires, target, source)
        try:
            await asyncio.get_running_loop().create_connection(lambda: far, "127.0.0.1", self._port)
        except OSError:
            self.transport.close()
            return
        self.other, far.other = far, self
        self.flush()
        far.flush()
