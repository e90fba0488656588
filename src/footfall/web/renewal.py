"""Reads a server's certificate and key again when they were renewed; open connections keep the old ones."""

import asyncio
import logging
import ssl
from pathlib import Path

from footfall.certificates import load
from footfall.errors import ConfigError

logger = logging.getLogger(__name__)

CHECK_S = 10.0  # certificates are renewed days before they end


class Renewal:
    """The files of one certificate, which are in a context already.

    Args:
        context: Answers handshakes with them.
        cert: The certificate's file.
        key: Its key's file.
        check_s: How often they are looked at.
    """

    def __init__(self, context: ssl.SSLContext, cert: str, key: str, *, check_s: float = CHECK_S) -> None:
        self._context = context
        self._cert = cert
        self._key = key
        self._check_s = check_s
        self._seen = self._read()

    async def keep(self) -> None:
        """Take what is new, for ever. Files that are not right change nothing, and a person is told."""
        while True:
            await asyncio.sleep(self._check_s)
            seen = await asyncio.to_thread(self._read)
            if seen == self._seen:
                continue
            self._seen = seen
            try:
                load(self._context, self._cert, self._key)
            except ConfigError as error:
                logger.error("the certificate is still the one from before: %s", error)
            else:
                logger.info("the certificate in %s is in force", self._cert)

    def _read(self) -> tuple[bytes | str, ...]:
        return _content(self._cert), _content(self._key)


def _content(path: str) -> bytes | str:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        return str(error)
