"""A node makes a backup every so often, if it is its turn; what fails is said and tried again."""

import asyncio
import time
from pathlib import Path

import pytest
from node_backups import Shelf
from node_cluster import Cluster, until, visits
from node_raffle import Raffle

from footfall.errors import ConfigError
from footfall.node.backing_up import WINNER_S, BackingUp

INTERVAL_S = 100.0


class Turn:
    def __init__(self) -> None:
        self.mine = True

    def __call__(self) -> bool:
        return self.mine


@pytest.fixture
async def raffle() -> Raffle:
    raffle = Raffle()
    await raffle.cutter.take(1)
    return raffle


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def turn() -> Turn:
    return Turn()


@pytest.fixture
def backing(raffle: Raffle, shelf: Shelf, turn: Turn) -> BackingUp:
    return BackingUp(raffle.line, shelf, turn, raffle.definitions, INTERVAL_S, 3)


async def looked(backing: BackingUp, seconds: float) -> None:
    """So much time passes, and it looks every second."""
    for _ in range(int(seconds)):
        backing.look()
        await asyncio.sleep(1.0)


async def test_the_first_backup_is_made_at_once_and_then_one_an_interval(backing: BackingUp, shelf: Shelf) -> None:
    await looked(backing, INTERVAL_S - 15)
    assert (backing.made, len(shelf.names)) == (1, 1)
    begun_s = backing.newest_s
    await looked(backing, 30)
    assert backing.made == 2
    assert INTERVAL_S <= backing.newest_s - begun_s <= INTERVAL_S + 15
    assert backing.failures == 0


async def test_only_so_many_are_kept(backing: BackingUp, shelf: Shelf) -> None:
    for _ in range(5):
        await looked(backing, 3)
        await asyncio.sleep(INTERVAL_S)
    assert backing.made == 5
    assert len(shelf.names) == 3


async def test_a_node_whose_turn_it_is_not_makes_none_and_knows_when_another_did(
    raffle: Raffle, shelf: Shelf, backing: BackingUp, turn: Turn
) -> None:
    turn.mine = False
    await looked(backing, 20)
    assert (backing.made, backing.newest_s) == (0, 0.0)
    other = BackingUp(raffle.line, shelf, lambda: True, raffle.definitions, INTERVAL_S, 3)
    await looked(other, 3)
    await looked(backing, 20)
    assert abs(backing.newest_s - other.newest_s) <= 1.0
    turn.mine = True  # the other is gone
    await looked(backing, 20)
    assert backing.made == 0  # there is one that is young enough


async def test_two_at_once_make_two_backups_and_no_harm(raffle: Raffle, shelf: Shelf) -> None:
    both = [BackingUp(raffle.line, shelf, lambda: True, raffle.definitions, INTERVAL_S, 3) for _ in range(2)]
    for one in both:
        one.look()
    await asyncio.sleep(5)
    assert [one.made for one in both] == [1, 1]
    assert len(shelf.names) == 2


async def test_a_failure_is_said_and_tried_again(
    backing: BackingUp, shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    shelf.away = True
    await looked(backing, 125)
    assert (backing.made, backing.failures) == (0, 3)
    assert "no backup in shelf now, it is tried again: the backups in shelf cannot be used: it is away" in caplog.text
    shelf.away = False
    await looked(backing, 61)
    assert (backing.made, backing.failures) == (1, 3)


async def test_what_nobody_foresaw_does_not_end_it(
    backing: BackingUp, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "contents", lambda: 1 / 0)
    await looked(backing, 3)
    assert backing.failures == 1
    monkeypatch.undo()
    shelf.objects.clear()


async def test_a_winner_is_backed_up_soon_and_once(raffle: Raffle, shelf: Shelf, backing: BackingUp) -> None:
    await looked(backing, 30)
    raffle.visit(4)
    await raffle.cutter.cut()
    raffle.set()
    raffle.visit(8)
    (epoch,) = (1,)
    await raffle.reach(epoch)
    await raffle.keep()
    await looked(backing, 1)
    await raffle.cutter.cut()
    await looked(backing, 4 * WINNER_S)
    newest = backing.made
    assert newest in (2, 3)  # one may have come before the cut that knows of the winner
    await looked(backing, 4 * WINNER_S)
    assert backing.made == newest


async def test_a_clock_that_was_far_ahead_does_not_keep_backups_away(
    backing: BackingUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 1_000_000)
    await looked(backing, 3)
    assert backing.made == 1
    monkeypatch.setattr(time, "time", real)
    await looked(backing, 20)
    assert backing.made == 2


async def test_what_was_begun_ends_with_the_node(raffle: Raffle, shelf: Shelf, backing: BackingUp) -> None:
    held = asyncio.Event()

    async def wait(key: str) -> None:
        await held.wait()

    raffle.line.before_get = wait
    backing.look()
    await asyncio.sleep(1)
    await backing.stop()
    assert shelf.names == []


def told(cluster: Cluster, name: str) -> dict[str, float]:
    found = {metric.name: metric.samples[0][1] for metric in cluster.nodes[name].metrics() if "backup" in metric.name}
    return {key.removeprefix("footfall_backup"): value for key, value in found.items()}


async def test_of_two_nodes_the_first_makes_backups_and_both_know(cluster: Cluster, tmp_path: Path) -> None:
    cluster.settings |= {"backup": str(tmp_path / "backups"), "cut_interval_s": 2.0, "backup_interval_s": 60.0}
    for name in ("n1", "n4"):
        await cluster.start(name)
    await cluster.nodes["n1"].add(visits("a", 7))
    nodes = cluster.nodes.values()
    await until(lambda: all(told(cluster, node.id)["_timestamp_seconds"] for node in nodes))
    assert sorted(told(cluster, node.id)["s_total"] for node in nodes) == [0, 1]
    assert all(told(cluster, node.id)["_failures_total"] == 0 for node in nodes)
    first = next(node.id for node in nodes if told(cluster, node.id)["s_total"])
    await cluster.kill(first)
    (left,) = cluster.nodes
    await until(lambda: told(cluster, left)["s_total"] == 1, 120)


async def test_a_node_without_a_place_for_backups_tells_nothing_of_them(cluster: Cluster) -> None:
    await cluster.start("n1")
    assert told(cluster, "n1") == {}


@pytest.mark.parametrize("target", ["ftp://x/y", "s3://", " ", "gs:///"])
async def test_a_place_that_cannot_keep_backups_is_refused_before_the_node_starts(
    cluster: Cluster, target: str
) -> None:
    with pytest.raises(ConfigError, match="s3://, gs:// or az://"):
        cluster.node("n1", backup=target)
