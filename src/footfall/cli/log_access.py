"""How commands that talk to the log itself, and to no node, reach it: on a cluster, or in a data directory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from footfall.cli.settings import parse_servers
from footfall.errors import EngineFailedError
from footfall.log.engine import Engine, running_url

DATA = "footfall-data"
FILE_STORE_BYTES = 1 << 40  # more than any log has: it was made under the limit that serve was given


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
