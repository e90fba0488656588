"""Nodes that die, stand still, are cut off, leave or join, under load: nothing lost, nothing twice, one winner."""

import asyncio
import contextlib
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from nemeses import cut_off, killed, paused
from site_under_test import Site
from trials import RESUMED_MAX_S, Trial

from conftest import Watched
from processes import NodeProcess

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]

PAUSE_S = 6.0  # beyond every time-out of a node's peers and clients
CUT_S = 4.0
FAULTS: dict[str, tuple[float, Callable[[Site, NodeProcess], contextlib.AbstractAsyncContextManager[None]]]] = {
    "killed": (3.0, lambda site, node: killed(node)),
    "paused": (PAUSE_S, lambda site, node: paused(node)),
    "cut-off": (CUT_S, lambda site, node: cut_off(site, "node2")),
    "deaf": (CUT_S, lambda site, node: cut_off(site, "node2", outbound=False)),
    "mute": (CUT_S, lambda site, node: cut_off(site, "node2", inbound=False)),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_nothing_is_lost_or_counts_twice_when_a_node_is(fault: str, sharded: Watched, tmp_path: Path) -> None:
    site = sharded.site
    trial = Trial(site, sharded.copy, f"node-{fault}", tmp_path)
    hold_s, nemesis = FAULTS[fault]
    async with trial.traffic(), nemesis(site, site.nodes["node2"]):
        await asyncio.sleep(hold_s)
    await trial.check()
    assert max(trial.stalls(without="node2").values()) < RESUMED_MAX_S


async def test_nodes_join_and_leave_under_load(sharded: Watched, tmp_path: Path) -> None:
    site = sharded.site
    trial = Trial(site, sharded.copy, "joining", tmp_path)
    async with trial.traffic():
        fourth = site.nodes.get("node4") or site.add("node4")
        await asyncio.to_thread(fourth.start)
        trial.load.nodes = site.urls
        await site.heal()
        assert fourth.owned()
        await trial.load.until_acknowledged(trial.load.acknowledged + 200)
        await asyncio.to_thread(site.nodes["node2"].kill, signal.SIGTERM)
        trial.load.nodes = site.urls
        await site.heal()
        await asyncio.to_thread(fourth.kill, signal.SIGTERM)
        await asyncio.to_thread(site.nodes["node2"].start)
        trial.load.nodes = site.urls
    await trial.check()
    assert any(attempt.stored and attempt.node == "node4" for attempt in trial.load.history.attempts)
    assert max(trial.stalls().values()) < RESUMED_MAX_S
