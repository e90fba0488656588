"""The log away from all nodes, and everything restarted: visits are taken all the same, and none is lost."""

import asyncio
from pathlib import Path

import pytest
from nemeses import killed, paused, stopped, together
from site_under_test import Site
from trials import Trial

from conftest import Watched
from processes import HTTP

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]

AWAY_S = 3.0


async def pending(site: Site, counter: str) -> list[int]:
    """What each node holds that the log has not."""

    def found() -> list[int]:
        urls = [f"{url}/v1/counters/{counter}" for url in site.urls.values()]
        return [HTTP.get(url, timeout=5).raise_for_status().json()["pending"] for url in urls]

    return await asyncio.to_thread(found)


async def test_without_any_server_visits_are_spooled_and_a_node_killed_meanwhile_loses_none(
    replicated: Watched, tmp_path: Path
) -> None:
    site = replicated.site
    trial = Trial(site, replicated.copy, "no-server", tmp_path)
    async with trial.traffic():
        victim = site.nodes["node3"]
        async with together(killed(server) for server in site.servers.values()):
            await asyncio.sleep(AWAY_S)
            assert all(await pending(site, "no-server")), "nodes take visits, and say that the log has not got them"
            await asyncio.to_thread(victim.kill)
            await asyncio.sleep(1)
        await asyncio.to_thread(victim.start)
    assert trial.load.spooled > 100
    assert await pending(site, "no-server") == [0, 0, 0]
    await trial.check()
    trial.stalls()


async def test_without_a_quorum_visits_are_spooled_and_none_is_lost(replicated: Watched, tmp_path: Path) -> None:
    site = replicated.site
    trial = Trial(site, replicated.copy, "no-quorum", tmp_path)
    async with trial.traffic():
        leader = site.leader()
        others = [server for server in site.servers.values() if server is not leader]
        async with together([paused(leader), killed(others[0])]):
            await asyncio.sleep(AWAY_S)
            assert all(await pending(site, "no-quorum"))
    assert trial.load.spooled > 100
    assert await pending(site, "no-quorum") == [0, 0, 0]
    await trial.check()
    trial.stalls()


async def test_a_rolling_restart_of_everything_loses_no_request(replicated: Watched, tmp_path: Path) -> None:
    """As docs/cluster.md says: one process after the other, the next one when all is whole again."""
    site = replicated.site
    trial = Trial(site, replicated.copy, "rolling", tmp_path)
    async with trial.traffic():
        for process in [*site.servers.values(), *site.nodes.values()]:
            async with stopped(process):
                pass
            await site.heal()
    await trial.check()
    trial.stalls()
    failures = {attempt.failure for attempt in trial.load.history.attempts if not attempt.stored}
    assert failures <= {"ConnectionRefusedError", "503"}, "whoever is connected is answered"
