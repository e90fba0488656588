"""Reads a server's certificate and key again when they were renewed, and tells a person when they should be.

Open connections keep the old ones.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from footfall.certificates import Life, life_of, load
from footfall.errors import ConfigError

logger = logging.getLogger(__name__)

CHECK_S = 10.0  # certificates are renewed days before they end
LEFT_SHARE_MIN = 0.1  # of its life: who renews by a machine does it with a third left
UNUSABLE = "the renewed certificate cannot be used: the one from before is in force; this node's log says why"


class Renewal:
    """The files of one certificate, which are in a context already.

    Args:
        context: Answers handshakes with them.
        cert: The certificate's file.
        key: Its key's file.
        tell: Called with what a person should know of it, or nothing, whenever that changes; it names no file.
        check_s: How often they are looked at.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        cert: str,
        key: str,
        tell: Callable[[str], None] = lambda warning: None,
        *,
        check_s: float = CHECK_S,
    ) -> None:
        self._context = context
        self._tell = tell
        self._told = ""
        self._unusable = False
        self._cert = cert
        self._key = key
        self._check_s = check_s
        self._seen = self._read()
        self._life = life_of(context, cert)
        self._look()

    def _look(self) -> None:
        """Tell a person how it is, if that has changed."""
        warning = UNUSABLE if self._unusable else remark(self._life, time.time())
        if warning != self._told:
            if warning and not self._unusable:  # why it is unusable was said with the file's name
                logger.warning("%s", warning)
            self._told = warning
            self._tell(warning)

    async def keep(self) -> None:
        """Take what is new, for ever. Files that are not right change nothing, and a person is told."""
        while True:
            await asyncio.sleep(self._check_s)
            try:
                await self._check()
            except Exception:  # nobody foresaw it: the next certificate must be taken all the same
                logger.exception("the certificate cannot be looked at")

    async def _check(self) -> None:
        seen = await asyncio.to_thread(self._read)
        if seen != self._seen:
            self._seen = seen
            self._renew()
        elif isinstance(self._life, str):  # that may pass
            self._life = life_of(self._context, self._cert)
        self._look()

    def _renew(self) -> None:
        try:
            load(self._context, self._cert, self._key)
        except ConfigError as error:
            self._unusable = True
            logger.error("the certificate is still the one from before: %s", error)
        else:
            self._unusable = False
            self._life = life_of(self._context, self._cert)
            logger.info("the certificate in %s is in force", self._cert)

    def _read(self) -> tuple[bytes | str, ...]:
        return _content(self._cert), _content(self._key)


def remark(life: Life | str, now_s: float) -> str:
    """What a person should know of a certificate; nothing, if it is good for long."""
    if isinstance(life, str):
        return f"no client can take this node's certificate now: {life}"
    end = f"{datetime.fromtimestamp(life.end_s, UTC):%Y-%m-%d %H:%M} UTC"
    if now_s > life.end_s:
        return f"this node's certificate has expired, at {end}: no client takes it"
    if life.end_s - now_s < LEFT_SHARE_MIN * (life.end_s - life.begin_s):
        return f"this node's certificate expires at {end}, and was not renewed yet"
    return ""


def _content(path: str) -> bytes | str:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        return str(error)
