"""Servers that die, stand still, are cut off or cannot write, under load: nothing lost, nothing twice, one winner."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from nemeses import cut_off, disk_lost, full_disk, killed, paused
from site_under_test import Site
from trials import RESUMED_MAX_S, Trial

from conftest import Watched
from processes import NatsServer

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]

PAUSE_S = 6.0
FAULTS: dict[str, Callable[[Site, NatsServer], contextlib.AbstractAsyncContextManager[None]]] = {
    "killed": lambda site, server: killed(server),
    "paused": lambda site, server: paused(server),
    "cut-off": lambda site, server: cut_off(site, server.name),
    "deaf": lambda site, server: cut_off(site, server.name, outbound=False),
    "disk-full": full_disk,
    "disk-lost": disk_lost,
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_nothing_is_lost_or_counts_twice_when_the_leading_server_is(
    fault: str, replicated: Watched, tmp_path: Path
) -> None:
    site = replicated.site
    trial = Trial(site, replicated.copy, f"leader-{fault}", tmp_path)
    async with trial.traffic():
        server = site.leader()
        async with FAULTS[fault](site, server):
            await asyncio.sleep(PAUSE_S)
    await trial.check()
    stalls = trial.stalls()
    assert stalls["visits"] < RESUMED_MAX_S
    assert max(stalls.values()) < 3 * RESUMED_MAX_S, "a log that elects is not awaited by those who visit"
