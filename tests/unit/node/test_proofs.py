"""The proof of a reached milestone is kept before anything is dropped, and never holds the trimming up for ever."""

import asyncio
import logging

import pytest
from node_cluster import Cluster, until, visits
from node_cutting import nothing
from node_line import soon
from node_raffle import N, Raffle

from footfall.config import Config
from footfall.core import cut_writer
from footfall.core.position import Position
from footfall.errors import LogFullError, LogUnavailableError
from footfall.node import bundles, proofs
from footfall.node.audit import audit
from footfall.node.bundles import CHUNK_BYTES, bundle, chunk_key, head_key, heads
from footfall.node.proofs import FAILURES_MAX, Proofs
from footfall.ordinals import ordinal


@pytest.fixture
async def raffle() -> Raffle:
    return Raffle()


def kept_keys(raffle: Raffle) -> list[str]:
    return raffle.storage.keys("proof.log")


async def test_the_log_between_the_cut_and_the_winner_is_kept_message_by_message(raffle: Raffle) -> None:
    await raffle.whole()
    head = await raffle.keep()
    winner = raffle.standing.winner
    assert winner is not None
    assert (head.counter, head.n, head.epoch, head.why) == ("a", N, 1, "")
    expected = [one for one in raffle.storage.above(head.cut.sequence) if one.sequence <= winner.sequence]
    assert [message async for message in bundle(raffle.line, head)] == expected
    assert head.messages == len(expected) > 0
    assert head.bytes == sum(len(raffle.storage.blobs[key]) for key in kept_keys(raffle))


async def test_a_long_log_is_kept_in_chunks_of_bounded_size(raffle: Raffle, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (bundles, proofs):
        monkeypatch.setattr(module, "CHUNK_BYTES", 100)
    await raffle.whole()
    head = await raffle.keep()
    assert head.chunks == len(kept_keys(raffle)) > 5
    messages = [message async for message in bundle(raffle.line, head)]
    assert messages == raffle.storage.messages[head.cut.sequence :][: head.messages]


def test_a_chunk_that_does_not_compress_is_below_the_stores_limit() -> None:
    assert CHUNK_BYTES + 1_000 < 1_000_000


async def test_nothing_is_dropped_until_the_proof_is_kept(raffle: Raffle) -> None:
    keeper = raffle.proofs()
    assert not keeper.holds()
    await raffle.whole()
    assert keeper.holds() == f"the proof of the {ordinal(N)} of a is not kept yet"
    await raffle.keep(keeper)
    assert not keeper.holds()
    assert (keeper.kept, keeper.given_up) == (1, 0)


async def test_a_node_that_is_not_first_waits_for_the_head_and_takes_over_from_the_dead(raffle: Raffle) -> None:
    await raffle.whole()
    keeper = raffle.proofs()
    turn = False
    raffle.members.is_first = lambda task=-1: turn  # type: ignore[method-assign]
    for _ in range(5):
        keeper.look()
        await asyncio.sleep(1.5)
    assert keeper.holds()
    assert not kept_keys(raffle)
    turn = True
    keeper.look()
    await soon()
    assert not keeper.holds()
    other = raffle.proofs()
    assert other.holds()
    turn = False
    other.look()
    await soon()
    assert not other.holds()
    assert other.kept == 0


async def test_what_a_dead_node_left_half_done_is_done_by_the_next(
    raffle: Raffle, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (bundles, proofs):
        monkeypatch.setattr(module, "CHUNK_BYTES", 100)
    await raffle.whole()
    dying = raffle.proofs()
    raffle.line.hold_blobs()
    dying.look()
    await soon()
    await dying.stop()
    raffle.line.release()
    assert not await heads(raffle.line, raffle.standing.since)
    head = await raffle.keep()
    assert len([message async for message in bundle(raffle.line, head)]) == head.messages


async def test_by_choice_nothing_is_kept_and_the_head_says_so(raffle: Raffle) -> None:
    await raffle.whole()
    keeper = raffle.proofs(keep=False)
    head = await raffle.keep(keeper)
    assert (head.why, head.epoch, head.chunks) == ("not kept", 0, 0)
    assert not kept_keys(raffle)
    assert not keeper.holds()
    assert keeper.given_up == 0


async def test_a_log_that_is_too_large_is_not_kept_not_even_in_part(
    raffle: Raffle, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (bundles, proofs):
        monkeypatch.setattr(module, "CHUNK_BYTES", 100)
    await raffle.whole()
    keeper = raffle.proofs(bytes_max=200)
    head = await raffle.keep(keeper)
    assert head.why == "too large: more than 200 bytes"
    assert not kept_keys(raffle)
    assert not keeper.holds()
    assert keeper.given_up == 1


def test_proofs_leave_room_for_cuts_unless_it_is_said_how_much() -> None:
    assert Config(log_bytes_max=1 << 30).store_room == 2 << 30
    assert Config(log_bytes_max=1 << 30, store_bytes_max=5).store_room == 5


async def test_where_cuts_and_proofs_take_all_that_they_may_no_more_are_kept(raffle: Raffle) -> None:
    await raffle.whole()
    size = await raffle.line.size()
    keeper = raffle.proofs(store_bytes_max=size)
    head = await raffle.keep(keeper)
    assert head.why == f"no room: cuts and proofs take {size} bytes, and store_bytes_max is {size}"
    assert not kept_keys(raffle)
    assert not keeper.holds(), "the log is trimmed all the same"
    assert keeper.given_up == 1


async def test_where_the_store_has_no_room_the_log_is_trimmed_all_the_same(
    raffle: Raffle, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (bundles, proofs):
        monkeypatch.setattr(module, "CHUNK_BYTES", 100)
    await raffle.whole()
    put = raffle.line.put

    async def full(key: str, data: bytes) -> None:
        if key.startswith("proof.log") and key.endswith(".3"):
            raise LogFullError("the store is full")
        await put(key, data)

    monkeypatch.setattr(raffle.line, "put", full)
    keeper = raffle.proofs()
    head = await raffle.keep(keeper)
    assert head.why == "no room: the store is full"
    assert not kept_keys(raffle)
    assert not keeper.holds()


async def test_a_milestone_whose_log_is_gone_already_holds_nothing_up(raffle: Raffle) -> None:
    await raffle.whole()
    await raffle.trim()
    keeper = raffle.proofs()
    head = await raffle.keep(keeper)
    assert head.why.startswith("gone")
    assert head.epoch == 0
    assert not keeper.holds()


async def test_where_the_winners_cut_is_gone_the_newest_below_the_winner_is_kept(raffle: Raffle) -> None:
    await raffle.whole()
    for key in raffle.storage.keys("cut.1"):
        del raffle.storage.blobs[key]
    head = await raffle.keep()
    assert (head.epoch, head.why) == (2, "")
    assert head.cut == raffle.cutter.positions[2]


async def test_a_cut_of_another_place_is_not_the_winners(raffle: Raffle) -> None:
    await raffle.whole(cut=Position(raffle.storage.created, 3))
    head = await raffle.keep()
    assert head.epoch == 2


async def test_while_the_store_is_away_it_is_tried_again(raffle: Raffle) -> None:
    await raffle.whole()
    keeper = raffle.proofs()
    raffle.line.disconnect()
    for _ in range(3):
        keeper.look()
        await asyncio.sleep(1.5)
    assert keeper.holds()
    raffle.line.reconnect()
    keeper.look()
    await soon()
    assert not keeper.holds()


async def test_a_failure_that_nobody_foresaw_is_given_up_after_some_attempts(
    raffle: Raffle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await raffle.whole()
    keeper = raffle.proofs()
    attempts = 0

    async def fail(standing: object) -> None:
        nonlocal attempts
        attempts += 1
        raise ZeroDivisionError("as seen in a test")

    monkeypatch.setattr(keeper, "_own_cut", fail)
    caplog.set_level(logging.CRITICAL)
    while keeper.holds():
        keeper.look()
        await asyncio.sleep(1.5)
    assert attempts == FAILURES_MAX
    (head,) = await heads(raffle.line, raffle.standing.since)
    assert "as seen in a test" in head.why


async def test_one_failure_after_another_does_not_end_the_attempts_of_a_log_that_is_away(
    raffle: Raffle, monkeypatch: pytest.MonkeyPatch
) -> None:
    await raffle.whole()
    keeper = raffle.proofs()

    async def away(standing: object) -> None:
        raise LogUnavailableError("it is away")

    with monkeypatch.context() as patch:
        patch.setattr(keeper, "_own_cut", away)
        for _ in range(3 * FAILURES_MAX):
            keeper.look()
            await asyncio.sleep(1.5)
    assert keeper.holds()
    assert (await raffle.keep(keeper)).why == ""


# --- pinned cuts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inline", [0, 64 * 1024])
async def test_a_pinned_cut_is_kept_whole_however_many_come_after_it(
    raffle: Raffle, monkeypatch: pytest.MonkeyPatch, inline: int
) -> None:
    monkeypatch.setattr(cut_writer, "INLINE_BYTES_MAX", inline)
    await raffle.whole()
    await raffle.keep()
    for _ in range(4):
        await raffle.trim()
    assert [found.epoch for found in await raffle.cuts.find()] == [raffle.cutter.epoch, raffle.cutter.epoch - 1, 1]
    found = await raffle.cuts.at(1)
    states = [cut_writer.state_bytes(await raffle.cuts.partition(found, number)) for number in range(2)]
    assert states == raffle.cutter.states[1]
    assert (await raffle.cuts.definitions(found)).epoch == 1


async def test_nothing_is_counted_from_a_pinned_cut(raffle: Raffle) -> None:
    await raffle.whole()
    await raffle.keep()
    await raffle.trim()
    newest = raffle.cutter.epoch
    assert (await raffle.cuts.newest_definitions())[0].epoch == newest
    for number in (newest, newest - 1):
        raffle.cutter.damage(
            next(key for key in raffle.storage.keys(f"cut.{number}") if key.endswith("definitions")), "torn"
        )
    with pytest.raises(Exception, match="the log starts at sequence"):
        await raffle.cuts.newest_definitions()


async def test_of_a_proof_from_the_logs_beginning_no_cut_is_pinned(raffle: Raffle) -> None:
    await raffle.whole(epoch=0)
    head = await raffle.keep()
    assert head_key(head) == f"proof.head.{raffle.standing.since}.0"
    assert chunk_key(head.since, 0, 0) in kept_keys(raffle)
    await raffle.trim()
    assert len(await raffle.cuts.find()) == 2
    await raffle.cuts.collect(nothing)


# --- whole nodes -----------------------------------------------------------------------------------------------------


def all_keepers(cluster: Cluster) -> list[Proofs]:
    return [node.counting.proofs for node in cluster.nodes.values()]


async def test_nodes_keep_the_proof_from_a_cut_that_was_new_when_the_winner_came(cluster: Cluster) -> None:
    """However long the judge was at it: the one that it began at is long gone."""
    cluster.settings["cut_interval_s"] = 2.0
    for name in ("n1", "n4"):
        await cluster.start(name)
    node = cluster.nodes["n1"]
    await node.add(visits("a", 995))
    await node.milestones.add("a", 1_000)
    judging = [one.counting.judging for one in cluster.nodes.values()]
    await node.add(visits("a", 4))
    await until(lambda: any(one.judges for one in judging))
    await asyncio.sleep(40)
    await node.add(visits("a", 6))
    await until(lambda: all(one.milestones.find("a", 1_000).winner for one in cluster.nodes.values()))
    await until(lambda: not any(keeper.holds() for keeper in all_keepers(cluster)))
    assert sum(keeper.kept for keeper in all_keepers(cluster)) == 1
    standing = node.milestones.find("a", 1_000)
    assert standing.proof is not None
    assert standing.proof.value == 999
    assert standing.proof.epoch >= 15
    (head,) = await heads(cluster.lines["n1"], standing.since)
    assert (head.epoch, head.why) == (standing.proof.epoch, "")


async def test_a_node_trims_its_log_once_the_proof_is_kept_and_not_before(cluster: Cluster) -> None:
    cluster.settings["cut_interval_s"] = 2.0
    node = await cluster.start("n1")
    keeper = node.counting.proofs
    look, keeper.look = keeper.look, lambda: None  # type: ignore[method-assign]
    await node.milestones.add("a", 5)
    await node.add(visits("a", 7))
    await until(lambda: node.milestones.find("a", 5).winner)
    reached = node.milestones.find("a", 5).reached
    await asyncio.sleep(30)
    assert cluster.storage.first < reached
    keeper.look = look  # type: ignore[method-assign]
    await until(lambda: cluster.storage.first > reached)
    assert keeper.kept == 1
    report = await audit(cluster.lines["n1"], "a", 5, b"the cluster's")
    assert report.agrees
    assert [start.source for start in report.starts] == ["bundle"]
