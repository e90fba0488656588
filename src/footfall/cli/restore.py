"""``footfall restore``: makes a new log from a backup, on a new data directory or on a cluster without a log."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec

from footfall.cli import output
from footfall.cli.arguments import Servers
from footfall.cli.backup import counted_text
from footfall.cli.log_access import DATA, FILE_STORE_BYTES, access_to, quiet
from footfall.cli.settings import parse_servers
from footfall.config import Config
from footfall.errors import ConfigError, DataInUseError, LogExistsError
from footfall.log import opening
from footfall.log.access import Access
from footfall.log.engine import LOCK, STORE, Engine
from footfall.log.restoring import Restored
from footfall.node.backup_format import Backup
from footfall.node.backup_places import Place, place_of
from footfall.node.restore import ancestors_of, chosen, fill
from footfall.node.secret import SECRET_FILE


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What ``footfall restore --json`` prints.

    Attributes:
        log: The creation time of the new log.
        was: That of the log that was backed up.
    """

    backup: str
    made: str
    log: str
    was: str
    sequence: int
    partitions: int
    counters: int
    visits: int
    visitors: int
    milestones: int
    proofs: int
    seconds: float


def run(
    source: str,
    backup: str | None,
    data: str | None,
    named: Servers,
    replicas: int,
    log_bytes_max: int | None,
    json: bool,
) -> None:
    """Restore a backup. Raises FootfallError; then no log is there that a node would start on."""
    place = place_of(source)
    servers, access = parse_servers(named.nats), access_to(named)
    directory = None if servers else Path(data or DATA)
    config = Config(replicas=replicas, log_bytes_max=Config().log_bytes_max if log_bytes_max is None else log_bytes_max)
    quiet()
    begun_s = time.monotonic()
    done, created = asyncio.run(_restore(place, backup, directory, servers, config, access))
    _say(done, created, directory, time.monotonic() - begun_s, json)


async def _restore(
    place: Place, name: str | None, directory: Path | None, servers: tuple[str, ...], config: Config, access: Access
) -> tuple[Backup, str]:
    """The backup that was restored, and the creation time of the log that it became."""
    backup = await chosen(place, name)
    restored = Restored(backup.name, backup.sequence, ancestors_of(backup))
    config = msgspec.structs.replace(config, partitions=backup.partitions)
    async with contextlib.AsyncExitStack() as stack:
        if directory is not None:
            servers = (await stack.enter_async_context(_beside(directory)),)
        log = await opening.connect_restored(config, servers, restored, name="footfall restore", access=access)
        stack.push_async_callback(log.close)
        await fill(log, place, backup)
        await opening.finish_restoring(log)
        return backup, log.created


@contextlib.asynccontextmanager
async def _beside(directory: Path) -> AsyncIterator[str]:
    """The URL of an engine whose log becomes that of a data directory, whole or not at all, when the block ends.

    What is killed on the way leaves a directory ``restoring-…`` in it, which nobody looks at.
    """
    store = directory / STORE
    _check_free(store)
    with _taken(directory):
        made = Path(tempfile.mkdtemp(prefix="restoring-", dir=directory))
        try:
            async with Engine(made, FILE_STORE_BYTES) as engine:
                yield engine.url
            await asyncio.to_thread(_put, made / STORE, store)
        finally:
            shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def _taken(directory: Path) -> Iterator[None]:
    """The data directory, made if need be, is nobody else's meanwhile."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / LOCK).open("a+")
    except OSError as error:
        raise ConfigError(f"the data directory {directory} cannot be used: {error}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataInUseError(f"the data directory {directory} is in use: stop who uses it") from None
        yield


def _put(made: Path, store: Path) -> None:
    """Rename what is whole to where it belongs, durably."""
    _check_free(store)
    if store.exists():
        shutil.rmtree(store)
    made.rename(store)
    handle = os.open(store.parent, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def _check_free(store: Path) -> None:
    """Raises LogExistsError if there is a log, or what is left of one. An engine that held none has left nothing."""
    if any(store.rglob("streams/*")):
        raise LogExistsError(
            f"there is a log already, in {store}: nothing was changed. Stop the node, move {store.parent} away, "
            "and restore into a new one"
        )


def _say(backup: Backup, created: str, directory: Path | None, seconds: float, json: bool) -> None:
    if json:
        values = {name: getattr(backup, name) for name in Done.__struct_fields__ if hasattr(backup, name)}
        values |= {"backup": backup.name, "log": created, "was": backup.log, "seconds": seconds}
        output.print_json(Done(**values))
        return
    where = "on the cluster" if directory is None else f"in {directory}"
    print(
        f"{backup.name} is restored {where}: {counted_text(backup)}, as of {backup.made} ({seconds:.2f} s).\n"
        f"What was counted after sequence {backup.sequence} of the old log is lost; "
        "footfall ingest, run again, brings back what log files still hold.\n"
        f"Start the nodes with --partitions {backup.partitions}, and with the secret that they had: "
        f"{_secret_place(directory)}. With another one, receipts from before claim nothing."
    )


def _secret_place(directory: Path | None) -> str:
    return "FOOTFALL_SECRET" if directory is None else f"copy the old file secret to {directory / SECRET_FILE}"
