"""Tells systemd how this process is, as sd_notify(3) has it; where nobody wants to know, nothing is told."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, MutableMapping

logger = logging.getLogger(__name__)

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
TELL_S = 0.5  # the event loop waits for so long at most if systemd is behind with its reading
KEEP_ALIVE_SHARE = 0.5  # of the time after which systemd takes the process for dead: as its manual asks


class Systemd:
    """Who watches this process.

    Args:
        environment: Where it is named. What names it is taken out: it is not for the processes that are started here.
    """

    def __init__(self, environment: MutableMapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        path, watchdog_us, pid = (environment.pop(name, "") for name in VARIABLES)
        # A name that begins with @ is in the abstract namespace, in which the kernel has a NUL there.
        self._address = f"\0{path[1:]}" if path.startswith("@") else path
        watched = bool(path) and watchdog_us.isdecimal() and pid in ("", str(os.getpid()))
        self.keep_alive_s = int(watchdog_us) / 1e6 * KEEP_ALIVE_SHARE if watched else 0.0

    def tell(self, *states: str) -> None:
        """Tell it something, such as ``READY=1``. What cannot be told is not worth ending for."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
            one.settimeout(TELL_S)
            try:
                one.sendto("\n".join(states).encode(), self._address)
            except OSError as error:
                logger.warning("systemd cannot be told %s: %s", states[0], error)

    def status(self, text: str) -> None:
        """What ``systemctl status`` shows."""
        self.tell(f"STATUS={' '.join(text.split())}")

    async def keep_alive(self) -> None:
        """Tell it again and again that this event loop comes round; until cancelled, if it wants to know at all."""
        while self.keep_alive_s:
            self.tell("WATCHDOG=1")
            await asyncio.sleep(self.keep_alive_s)

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Keep alive as long as it goes on, and tell when the process is about to end."""
        beating = asyncio.create_task(self.keep_alive(), name="watchdog")
        try:
            yield
        finally:
            beating.cancel()
