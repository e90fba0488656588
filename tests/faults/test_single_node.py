"""One node with the log that it brings: whatever happens to either under load, each visit counts once."""

import asyncio
import contextlib
import os
import resource
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from nemeses import STORED_BYTES_MAX, killed, paused, stopped
from observer import copying
from site_under_test import Embedded
from trials import RESUMED_MAX_S, Trial

from load import until

HOLD_S = 1.0


@contextlib.asynccontextmanager
async def engine_killed(site: Embedded) -> AsyncIterator[None]:
    """Its engine gets a ``kill -9``; the node starts another."""
    before = site.node.engine_pid
    os.kill(before, signal.SIGKILL)
    yield
    await until(lambda: not Path(f"/proc/{before}").exists(), "the engine's end")
    assert site.node.engine_pid != before


@contextlib.asynccontextmanager
async def engine_paused(site: Embedded) -> AsyncIterator[None]:
    """Its engine stands still, and is not woken up: the node has to find out, and replace it."""
    before = site.node.engine_pid
    os.kill(before, signal.SIGSTOP)
    yield
    await until(lambda: not Path(f"/proc/{before}").exists(), "the engine's end")


@contextlib.asynccontextmanager
async def engine_full(site: Embedded) -> AsyncIterator[None]:
    """Its engine cannot write for a while, and has to be replaced before it can again."""
    before = site.node.engine_pid
    resource.prlimit(before, resource.RLIMIT_FSIZE, (STORED_BYTES_MAX, resource.RLIM_INFINITY))
    yield
    await until(lambda: not Path(f"/proc/{before}").exists(), "the engine's end")


FAULTS: list[Callable[[Embedded], contextlib.AbstractAsyncContextManager[None]]] = [
    lambda site: killed(site.node),
    lambda site: stopped(site.node),
    lambda site: paused(site.node),
    engine_killed,
    engine_paused,
    engine_full,
]


async def test_nothing_is_lost_or_counts_twice_whatever_happens_to_a_single_node(tmp_path: Path) -> None:
    site = Embedded(tmp_path / "data")
    with site.node:
        async with copying(site.observed()) as copy:
            trial = Trial(site, copy, "single", tmp_path)
            async with trial.traffic():
                for nemesis in FAULTS:
                    async with nemesis(site):
                        await asyncio.sleep(HOLD_S)
                    await site.heal()
            await trial.check()
            assert trial.stalls()["visits"] < RESUMED_MAX_S
