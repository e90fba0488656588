"""What is done to a site, and undone at the end of the block. Each sees to it that it really happened."""

import asyncio
import contextlib
import resource
import shutil
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from site_under_test import Site

from footfall.log.streams import STREAM
from load import until
from processes import NatsServer, Process, eventually

STARTS_MAX = 20
STORED_BYTES_MAX = 4_096  # of any file that a server with a full disk may write

Nemesis = AbstractAsyncContextManager[None]


def state_of(process: Process) -> str:
    """How the system sees it: R and S run, T is stopped."""
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]


@contextlib.asynccontextmanager
async def killed(process: Process) -> AsyncIterator[None]:
    """``kill -9``; it is started again on its data."""
    await asyncio.to_thread(process.kill)
    assert not process.running()
    try:
        yield
    finally:
        await started(process)


@contextlib.asynccontextmanager
async def stopped(process: Process) -> AsyncIterator[None]:
    """Asked to end, as for an upgrade, and started again."""
    await asyncio.to_thread(process.kill, signal.SIGTERM)
    assert not process.running()
    try:
        yield
    finally:
        await started(process)


async def started(process: Process) -> None:
    """Start it as a service manager does: again, if it ends because there is no log now."""
    for attempt in range(STARTS_MAX):
        with contextlib.suppress(AssertionError):
            await asyncio.to_thread(process.start)
            return
        assert not process.running(), f"it runs, and is not ready: {process.said()[-2000:]}"
        assert attempt + 1 < STARTS_MAX, process.said()[-2000:]


@contextlib.asynccontextmanager
async def paused(process: Process) -> AsyncIterator[None]:
    """Stopped in its tracks; its connections stay."""
    process.pause()
    await until(lambda: state_of(process) == "T", "the pause")
    try:
        yield
        assert state_of(process) == "T"
    finally:
        process.resume()
    await until(lambda: state_of(process) != "T", "the end of the pause")


@contextlib.asynccontextmanager
async def cut_off(site: Site, name: str, *, inbound: bool = True, outbound: bool = True) -> AsyncIterator[None]:
    """A server or a node that hears nothing from the others, or is not heard by them, or both."""
    site.wires.cut(name, inbound=inbound, outbound=outbound)
    before = site.wires.held
    try:
        yield
        assert site.wires.held > before, f"nothing was sent to or by {name}"
    finally:
        site.wires.heal(name)


@contextlib.asynccontextmanager
async def full_disk(site: Site, server: NatsServer) -> AsyncIterator[None]:
    """A server whose writes fail, as on a full disk (EFBIG instead of ENOSPC: that needs no privilege)."""
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (STORED_BYTES_MAX, resource.RLIM_INFINITY))

    def is_behind() -> bool:
        return last_sequence(server) < max(map(last_sequence, site.servers.values()))

    try:
        yield
        await asyncio.to_thread(eventually, is_behind, what=f"{server.name} that cannot write what the others do")
    finally:
        await asyncio.to_thread(server.kill)  # a nats-server that could not write asks for that
        await started(server)


@contextlib.asynccontextmanager
async def disk_lost(site: Site, server: NatsServer) -> AsyncIterator[None]:
    """``kill -9``, and it comes back with an empty disk."""
    await asyncio.to_thread(server.kill)
    shutil.rmtree(server.store)
    yield
    await started(server)
    first = await asyncio.to_thread(eventually, lambda: last_sequence(server), what="its copy of the log")
    assert first > 0


@contextlib.asynccontextmanager
async def together(nemeses: Iterable[Nemesis]) -> AsyncIterator[None]:
    """Several at once, begun and ended at the same time."""
    entered = list(nemeses)
    await asyncio.gather(*(one.__aenter__() for one in entered))
    try:
        yield
    finally:
        await asyncio.gather(*(one.__aexit__(None, None, None) for one in entered))


def last_sequence(server: NatsServer) -> int:
    """Of the log, as far as a server has it."""
    details = server.jsz("streams=true").get("account_details", [])
    streams = (stream for account in details for stream in account.get("stream_detail", []))
    return max((stream["state"]["last_seq"] for stream in streams if stream["name"] == STREAM), default=0)
