"""How commands that talk to the log itself, and to no node, reach it: on a cluster, or in a data directory."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from footfall.cli.arguments import Servers, typed
from footfall.cli.settings import parse_servers
from footfall.config import Config
from footfall.errors import ConfigError, EngineFailedError
from footfall.log.access import API, Access, access_of
from footfall.log.engine import Engine, running_url

DATA = "footfall-data"
FILE_STORE_BYTES = 1 << 40  # more than any log has: it was made under the limit that serve was given


def access_to(servers: Servers) -> Access:
    """How servers that were named are reached. Raises ConfigError for what does not go together."""
    config = Config(
        nats=parse_servers(servers.nats),
        nats_ca=typed(servers.nats_ca) or "",
        nats_cert=typed(servers.nats_cert) or "",
        nats_key=typed(servers.nats_key) or "",
        nats_creds=typed(servers.nats_creds) or "",
        nats_nkey=typed(servers.nats_nkey) or "",
    )
    api = (servers.nats_api or API).removesuffix(".")
    if not api.isprintable() or not api.isascii() or any(mark in api for mark in " *>") or not all(api.split(".")):
        raise ConfigError(
            f"--nats-api is {api[:60]!r}; it must be the beginning of a subject, such as footfall.audit.API"
        )
    return msgspec.structs.replace(access_of(config), api=api)


def quiet() -> None:
    """Loggers say nothing: what is printed says all that a reader needs."""
    logger = logging.getLogger("footfall")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False


@asynccontextmanager
async def log_servers(
    data: str | None, nats: tuple[str, ...], *, started: bool = True
) -> AsyncIterator[tuple[str, ...]]:
    """The URLs of the servers that have the log.

    Args:
        data: The data directory, if one was named.
        nats: What --nats was given.
        started: Whether an engine may be started on the directory, for as long as the block takes, if none runs there.

    Raises:
        SetupError: They cannot be had.
    """
    if servers := parse_servers(nats):
        yield servers
        return
    directory = Path(data or DATA)
    if url := running_url(directory):
        yield (url,)
    elif started:
        async with Engine(directory, FILE_STORE_BYTES) as engine:
            yield (engine.url,)
    else:
        raise EngineFailedError(f"nothing runs on {directory}")
