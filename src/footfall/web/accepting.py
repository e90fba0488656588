"""Accepts connections: all that wait, whenever the event loop comes round.

uvloop accepts one a round, and a round of a busy loop serves hundreds of requests: new clients would wait for seconds,
and then, when the system's queue of them is full, for as long as their system waits until it tries again.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable

logger = logging.getLogger(__name__)

AT_ONCE_MAX = 512  # in one round; the rest waits in the system's queue for the next
OPENING_MAX = 2_048  # TLS handshakes under way; more are closed
PAUSE_S = 0.5  # without descriptors or memory: those that wait go on waiting


class Acceptor:
    """Accepts on one socket until it is closed.

    Args:
        listening: The socket, which listens.
        made: Makes the protocol of a connection.
        tls: What TLS is spoken with, if it is.
    """

    def __init__(
        self, listening: socket.socket, made: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None
    ) -> None:
        self._listening = listening
        self._made = made
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[None]] = set()
        self._paused: asyncio.TimerHandle | None = None
        self._loop.add_reader(listening, self._accept)

    def close(self) -> None:
        """Accept those who wait in the system's queue, whom it would cut off with the socket, and nobody more."""
        if self._listening.fileno() < 0:
            return
        if self._paused is not None:
            self._paused.cancel()
            self._paused = None
        while self._accept_some():
            pass
        if self._paused is not None:
            self._paused.cancel()
        self._loop.remove_reader(self._listening)
        self._listening.close()

    async def wait_closed(self) -> None:
        """Return once nothing is opened any more."""
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)

    def _accept(self) -> None:
        self._accept_some()

    def _accept_some(self) -> bool:
        """Accept some of those who wait; returns whether there may be more of them."""
        for _ in range(AT_ONCE_MAX):
            try:
                connection, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError):
                return False
            except ConnectionAbortedError:
                continue
            except OSError as error:
                logger.error("no connection can be accepted now: %s", error)
                self._loop.remove_reader(self._listening)
                self._paused = self._loop.call_later(PAUSE_S, self._resume)
                return False
            connection.setblocking(False)
            if len(self._opening) >= OPENING_MAX:
                connection.close()
                continue
            task = self._loop.create_task(self._open(connection))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
        return True

    def _resume(self) -> None:
        self._paused = None
        self._loop.add_reader(self._listening, self._accept)

    async def _open(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._made, connection, ssl=self._tls)
        except OSError as error:  # of TLS too: whoever came speaks something else, or went away
            logger.debug("a connection was not made: %s", error)
            connection.close()
        except asyncio.CancelledError:
            connection.close()
            raise
