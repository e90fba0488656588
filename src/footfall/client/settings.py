"""How a client sends: what may be set, its defaults, and what is refused."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypedDict, Unpack

import msgspec

from footfall.client.access import authorization, check_ca, check_urls
from footfall.core.visit import BATCH_VISITS_MAX
from footfall.errors import ConfigError

OnFull = Literal["drop", "block", "raise"]

BUFFER_VISITS_MAX = 100_000  # some 30 MB with addresses as visitors
FLUSH_INTERVAL_S = 0.5  # a dashboard is about a second old; and two requests a second are no load
KEEP_S_MIN = 0.05  # between two writes to a spool
CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 15.0  # a node tells after 10 s that the outcome is unknown
EXIT_TIMEOUT_S = 5.0  # what service managers wait for is some ten seconds
SPOOL_BYTES_MAX = 256 << 20
HIT_TIMEOUT_S = 30.0
VALUE_TIMEOUT_S = 3.0  # a page shows it, and somebody waits for the page
FLUSH_TIMEOUT_S = 30.0


class Options(TypedDict, total=False):
    """What may be set beside URL, token and certificates; see ``Settings``."""

    spool: str | os.PathLike[str] | None
    spool_bytes_max: int
    buffer_visits_max: int
    on_full: OnFull
    flush_interval_s: float
    answer_timeout_s: float
    exit_timeout_s: float


class Settings(msgspec.Struct, frozen=True):
    """Everything that makes two clients of a process the same.

    Attributes:
        urls: The nodes. The first is asked as long as it answers, then the next.
        token: What the nodes let in.
        ca: PEM file of who signed their certificates, if not a public authority.
        spool: Directory where visits wait on disk until they are sent; None for in memory alone.
        spool_bytes_max: Bound of what this process keeps there.
        buffer_visits_max: Bound of what waits in memory; visits that were merged are one.
        on_full: What becomes of a visit at that bound.
        flush_interval_s: How long a visit waits for others before it is sent.
        answer_timeout_s: How long a node may take to answer.
        exit_timeout_s: How long the process waits at its end until all is sent.
    """

    urls: tuple[str, ...]
    token: str | None = None
    ca: str | None = None
    spool: str | None = None
    spool_bytes_max: int = SPOOL_BYTES_MAX
    buffer_visits_max: int = BUFFER_VISITS_MAX
    on_full: OnFull = "drop"
    flush_interval_s: float = FLUSH_INTERVAL_S
    answer_timeout_s: float = ANSWER_TIMEOUT_S
    exit_timeout_s: float = EXIT_TIMEOUT_S

    def __post_init__(self) -> None:
        authorization(self.token)
        for url in self.urls:
            check_ca(url, self.ca)
        for name, least in (("buffer_visits_max", 1), ("spool_bytes_max", 1 << 20)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise ConfigError(f"{name} is {value!r}; it must be a whole number, {least} or more")
        for name, least_s in (("flush_interval_s", 0.0), ("answer_timeout_s", 0.1), ("exit_timeout_s", 0.0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not least_s <= value <= 3600:
                raise ConfigError(f"{name} is {value!r}; it must be a number of seconds from {least_s:g} to 3600")
        if self.on_full not in ("drop", "block", "raise"):
            raise ConfigError(f"on_full is {self.on_full!r}; it must be drop, block or raise")


def settings(
    url: str | Sequence[str] | None = None, token: str | None = None, ca: str | None = None, **options: Unpack[Options]
) -> Settings:
    """Settings from what was given, and from FOOTFALL_URL, FOOTFALL_TOKEN and FOOTFALL_CA for what was not.

    Raises:
        ConfigError: A value is none that it can have.
    """
    unknown = [name for name in options if name not in Options.__annotations__]
    if unknown:
        raise TypeError(f"there is no option {unknown[0]!r}; there are {', '.join(sorted(Options.__annotations__))}")
    if (spool := options.get("spool")) is not None:
        options["spool"] = str(Path(spool).absolute())
    token = os.environ.get("FOOTFALL_TOKEN") or None if token is None else token
    ca = os.environ.get("FOOTFALL_CA") or None if ca is None else ca
    return Settings(urls=check_urls(url), token=token, ca=ca, **options)  # type: ignore[arg-type]  # spool: see above


assert BUFFER_VISITS_MAX > BATCH_VISITS_MAX  # or a batch could never be full
