"""Reads the file of tokens, and reads it again when it has changed; what it says is for tokens.py."""

import asyncio
import contextlib
import logging
import stat
from pathlib import Path

from footfall.config import Config
from footfall.errors import ConfigError
from footfall.web.door import Door
from footfall.web.tokens import Tokens, parse_tokens

logger = logging.getLogger(__name__)

UNUSABLE = "the file of tokens cannot be used now: the tokens in force are those from before; this node's log says why"
CHECK_S = 2.0  # a token that was taken away is good for so long at most
FILE_BYTES_MAX = 10_000_000


class TokenFile:
    """The tokens that the settings name, wherever they are.

    Args:
        config: The settings.
        hung_up: Set by SIGHUP: the file is read at once.
    """

    def __init__(self, config: Config, hung_up: asyncio.Event | None = None) -> None:
        self._text = config.tokens
        self._path = Path(config.tokens_file) if config.tokens_file else None
        self._hung_up = hung_up or asyncio.Event()
        self._seen: bytes | str = b""  # the file's bytes, or why it cannot be read

    def first(self) -> Tokens | None:
        """The tokens; None if none are named. Raises ConfigError."""
        if self._path is None:
            return parse_tokens(self._text, "the text of the tokens") if self._text else None
        self._seen = seen = self._read()
        tokens = self._parse(seen)
        self._check_mode(self._path)
        return tokens

    async def keep(self, door: Door) -> None:
        """Let the door know of every change. A file that is not right changes nothing, and a person is told."""
        while self._path is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hung_up.wait(), CHECK_S)
            asked = self._hung_up.is_set()
            self._hung_up.clear()
            try:
                await self._look(door, asked)
            except Exception:  # nobody foresaw it: a token that is taken away must not stay good for ever
                self._seen, door.warning = "", UNUSABLE  # until it was read
                logger.exception("the file of tokens cannot be looked at")

    async def _look(self, door: Door, asked: bool) -> None:
        seen = await asyncio.to_thread(self._read)
        if seen == self._seen and not asked:
            return
        self._seen = seen
        try:
            tokens = self._parse(seen)
        except ConfigError as error:
            door.warning = UNUSABLE  # anyone may see it: neither where the file is, nor what is in it
            logger.error("the tokens in force are those from before: %s", error)
        else:
            door.warning = ""
            door.replace(tokens)
            logger.info("%d tokens are in force, of %s", len(tokens), self._path)

    def _check_mode(self, path: Path) -> None:
        """Warn if every user of the machine can read it: tokens may be written in it as they are shown."""
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & stat.S_IROTH:
            logger.warning("%s has mode %04o: every user of this machine can read the tokens; chmod o-r", path, mode)

    def _read(self) -> bytes | str:
        assert self._path is not None
        try:
            with self._path.open("rb") as file:
                content = file.read(FILE_BYTES_MAX + 1)
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        return content if len(content) <= FILE_BYTES_MAX else f"has more than {FILE_BYTES_MAX} bytes"

    def _parse(self, seen: bytes | str) -> Tokens:
        if isinstance(seen, str):
            raise ConfigError(f"the file of tokens {self._path} {seen}")
        try:
            text = seen.decode()
        except UnicodeDecodeError:
            raise ConfigError(f"{self._path} is not UTF-8") from None
        return parse_tokens(text, str(self._path))
