"""Whatever is killed while a milestone is near, there is one winner, and it is the N-th of the log (invariant 6)."""

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from raffles import MILESTONES, VISITS, Raffle, check, check_audit, check_winner, raffle_at, until

from crowd import PATIENCE_S, PEOPLE, SITE, SUM, Connection, Crowd, Visit, make_visits
from footfall.log.engine import running_url
from footfall.log.streams import STREAM
from processes import HTTP, NatsCluster, NatsServer, NodeProcess, eventually, free_ports

EXACT = f"/v1/counters/{SUM}?consistency=linearizable"
SECRET = ("--secret", "the secret of the raffle")
SETTINGS = ("--closing-share", "0.2", "--cut-interval-s")


@contextlib.contextmanager
def nodes_at(tmp_path: Path, servers: str, *arguments: str, cut_interval_s: int = 1) -> Iterator[list[NodeProcess]]:
    """Three nodes on servers that run, each of which has its share of the partitions."""
    common = ("--nats", servers, *SECRET, *SETTINGS, str(cut_interval_s), *arguments)
    nodes = [NodeProcess(tmp_path / f"node{n}", *common, "--node", f"node{n}") for n in range(3)]
    with ThreadPoolExecutor() as pool:
        try:
            list(pool.map(NodeProcess.start, nodes))
            everything = list(range(16))
            eventually(lambda: sorted(p for node in nodes for p in node.owned()) == everything, what="their shares")
            yield nodes
        finally:
            list(pool.map(NodeProcess.stop, nodes))


@contextlib.asynccontextmanager
async def coming(raffle: Raffle, visits: list[Visit]) -> AsyncIterator[None]:
    """The crowd has come when the block has ended; the block begins when a judge counts."""
    await raffle.set_up()
    async with asyncio.TaskGroup() as group:
        group.create_task(raffle.crowd.come(visits, pause_s=0.03))
        await raffle.closing()
        yield


async def test_a_judge_that_is_killed_is_replaced_and_tells_the_same_winner_when_it_is_back(
    tmp_path: Path, server: NatsServer
) -> None:
    visits = make_visits(VISITS, seed=1)
    with nodes_at(tmp_path, server.url) as nodes:
        urls = [node.url for node in nodes]
        async with raffle_at(urls, [server.url]) as raffle:
            judge = nodes[urls.index(await raffle.judge())]
            async with coming(raffle, visits):
                judge.kill()
            assert raffle.crowd.retries
            winners = await raffle.winners([url for url in urls if url != judge.url])
            await asyncio.to_thread(judge.start)
            assert await raffle.winners([judge.url]) == winners
            await check(raffle, visits, ["--nats", server.url, *SECRET])
            await check_audit(PEOPLE, MILESTONES[PEOPLE], ["--nats", server.url, *SECRET])


async def test_a_judge_that_stands_still_for_a_while_changes_no_winner(tmp_path: Path, server: NatsServer) -> None:
    visits = make_visits(VISITS, seed=2)
    with nodes_at(tmp_path, server.url, "--topology", "sharded") as nodes:
        urls = [node.url for node in nodes]
        async with raffle_at(urls, [server.url]) as raffle:
            judge = nodes[urls.index(await raffle.judge())]
            async with coming(raffle, visits):
                judge.pause()
                await asyncio.sleep(3)  # beyond the silence after which another judges
                judge.resume()
            await check(raffle, visits, ["--nats", server.url, *SECRET])


async def test_a_raffle_outlives_a_killed_engine_and_a_stop_of_everything(tmp_path: Path) -> None:
    visits, late = make_visits(VISITS, seed=3), [Visit(SITE, "late", f"a key of the late visit {n}") for n in range(90)]
    counted, data = len(visits), ["--data", str(tmp_path / "data")]
    with NodeProcess(tmp_path / "data", "--nodes", "3", *SETTINGS, "1", port=free_ports(3)[0]) as all_nodes:
        urls = [f"http://127.0.0.1:{all_nodes.port + n}" for n in range(3)]
        async with raffle_at(urls, [engine_url(tmp_path)]) as raffle:
            async with coming(raffle, visits):
                os.kill(all_nodes.engine_pid, signal.SIGKILL)
            await check(raffle, visits, data)
            await raffle.set(SUM, counted + 50)
            winners = await raffle.winners()
        await asyncio.to_thread(all_nodes.stop)
        await asyncio.to_thread(all_nodes.start)
        async with raffle_at(urls, [engine_url(tmp_path)]) as raffle:
            assert await raffle.winners() == winners
            assert all(winner["claimed"] for winner in winners.values())
            await raffle.crowd.come(late)
            found = await raffle.winner(SUM, counted + 50)
            check_winner(found, raffle.account.order[SUM][49])
            await asyncio.gather(check_audit(SUM, MILESTONES[SUM], data), check_audit(SUM, counted + 50, data))


def engine_url(tmp_path: Path) -> str:
    """Where the engine in the data directory listens now."""
    url = running_url(tmp_path / "data")
    assert url is not None
    return url


@pytest.mark.cluster
@pytest.mark.parametrize(("leads", "topology"), [(True, "replicated"), (False, "sharded")])
async def test_a_killed_server_of_three_changes_no_winner(tmp_path: Path, leads: bool, topology: str) -> None:
    """The one that leads the log's group, who must be followed by another; or one that follows."""
    visits = make_visits(VISITS, seed=4)
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(NatsCluster(tmp_path / "nats"))
        # No cut, so no trim: the test's own reader may be cut off for as long as the servers elect another leader.
        nodes = stack.enter_context(nodes_at(tmp_path, cluster.urls, "--topology", topology, cut_interval_s=60))
        async with raffle_at([node.url for node in nodes], cluster.urls.split(",")) as raffle:
            leader = (await raffle.log.api.info(STREAM))["cluster"]["leader"]
            async with coming(raffle, visits):
                next(server for server in cluster.servers if (server.name == leader) is leads).kill()
            await check(raffle, visits, ["--nats", cluster.urls, *SECRET])


async def test_exact_reads_while_a_node_dies_are_exact_or_name_the_partitions_that_nobody_counts(
    tmp_path: Path, server: NatsServer
) -> None:
    visits = make_visits(VISITS, seed=5)
    with nodes_at(tmp_path, server.url, "--silence-max-s", "5.5") as nodes:  # longer than exact reads wait
        killed, *others = nodes
        crowd, owned = Crowd([node.url for node in nodes]), killed.owned()
        answers: Counter[int] = Counter()
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(read_exactly(node.url, crowd, owned, answers)) for node in others]
            come = group.create_task(crowd.come(visits, clients=16, pause_s=0.06))
            await until(lambda: answers[200] > 20, "exact reads")
            killed.kill()
            await until(lambda: answers[503], "the reads of partitions that nobody counts")
            before = answers[200]
            await until(lambda: answers[200] > before + 20, "exact reads after the takeover")
            await come
            for reader in readers:
                reader.cancel()
        for node in others:
            assert exact(node.url) == len(visits)


async def read_exactly(url: str, crowd: Crowd, owned: list[int], answers: Counter[int]) -> None:
    """Read until this is cancelled: never less than was acknowledged before, nor more than was sent since."""
    connection = Connection(url)
    try:
        while True:
            least = crowd.told[SUM]
            status, answer = await connection.ask("GET", EXACT, timeout_s=PATIENCE_S)
            if status == 200:
                assert least <= answer["value"] <= crowd.sent[SUM]
            else:
                assert (status, answer["type"]) == (503, "/problems/partitions-unowned")
                assert answer["partitions"]
                assert set(answer["partitions"]) <= set(owned)
            answers[status] += 1
            await asyncio.sleep(0.01)
    finally:
        connection.close()


def exact(url: str) -> int:
    value: int = HTTP.get(url + EXACT, timeout=PATIENCE_S).raise_for_status().json()["value"]
    return value
