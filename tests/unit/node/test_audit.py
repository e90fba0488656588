"""An audit derives the winner again, and names whatever does not agree; it writes nothing."""

import zlib
from typing import Any

import msgspec
import pytest
from node_raffle import SECRET, WINNER, N, Raffle

from footfall.core import control, cut, cut_writer
from footfall.core.control import Milestone, Reached, Verdict
from footfall.core.position import Position
from footfall.errors import CheckpointError, NotReachedError, UnknownMilestoneError
from footfall.log.protocol import CONTROL_SUBJECT, LogState
from footfall.node.audit import audit
from footfall.node.audit_report import Report
from footfall.node.bundles import chunk_key
from footfall.ordinals import ordinal


@pytest.fixture
async def raffle() -> Raffle:
    return Raffle()


async def audited(raffle: Raffle, secret: bytes | None = SECRET) -> Report:
    before = list(raffle.storage.messages), dict(raffle.storage.blobs)
    report = await audit(raffle.line, "a", N, secret)
    assert (raffle.storage.messages, raffle.storage.blobs) == before
    assert not raffle.line.attempts
    return report


def differing(report: Report) -> set[str]:
    return {one.what for one in report.comparisons if not one.agrees}


def sources(report: Report) -> list[tuple[int, str]]:
    return [(start.epoch, start.source) for start in report.starts]


ALL = {"visitor", "sequence", "index", "time", "receipt", "sum at the cut", "messages", "digest"}


async def test_the_log_itself_gives_the_same_winner_from_two_cuts(raffle: Raffle) -> None:
    await raffle.whole()
    report = await audited(raffle)
    assert report.agrees
    assert report.winner.visitor == WINNER
    assert sources(report) == [(1, "log"), (2, "log")]
    assert {one.what for one in report.comparisons if one.epoch == 1} == ALL | {"sum where it was set"}
    assert report.unchecked == report.problems == []


@pytest.mark.parametrize("trimmed", [False, True])
async def test_a_proof_from_the_logs_beginning_is_audited_too(raffle: Raffle, trimmed: bool) -> None:
    await raffle.whole(epoch=0)
    if trimmed:
        await raffle.keep()
        await raffle.trim()
    report = await audited(raffle)
    assert report.agrees
    assert sources(report) == ([(0, "bundle")] if trimmed else [(0, "log"), (2, "log")])
    assert {one.what for one in report.comparisons if one.epoch == 0} >= ALL


async def test_without_cuts_beside_its_own_the_beginning_of_the_log_is_the_second_start(raffle: Raffle) -> None:
    raffle.visit(4)
    await raffle.cutter.cut()
    raffle.set()
    raffle.visit(8)
    await raffle.reach(1)
    report = await audited(raffle)
    assert report.agrees
    assert sources(report) == [(1, "log"), (0, "log")]


async def test_after_the_log_was_trimmed_the_bundle_gives_the_same_winner(raffle: Raffle) -> None:
    await raffle.whole()
    await raffle.keep()
    await raffle.trim()
    report = await audited(raffle)
    assert report.agrees
    assert sources(report) == [(1, "bundle")]
    assert {one.what for one in report.comparisons} >= ALL
    assert report.unchecked == []


async def test_where_only_a_later_cut_was_kept_the_winner_is_checked_and_the_digest_is_not(raffle: Raffle) -> None:
    await raffle.whole()
    for key in raffle.storage.keys("cut.1"):
        del raffle.storage.blobs[key]
    await raffle.keep()
    await raffle.trim()
    report = await audited(raffle)
    assert report.agrees
    assert sources(report) == [(2, "bundle")]
    assert {one.what for one in report.comparisons} == ALL - {"sum at the cut", "messages", "digest"}
    assert report.unchecked == ["sum at the cut, messages, digest: the cut that the judge began at was not kept"]


async def test_without_the_secret_all_but_the_receipt_is_checked(raffle: Raffle) -> None:
    await raffle.whole()
    report = await audited(raffle, None)
    assert report.agrees
    assert {one.what for one in report.comparisons if one.epoch == 1} == ALL - {"receipt"} | {"sum where it was set"}
    assert report.unchecked == ["receipt: the cluster's secret is not at hand"]


async def test_another_secret_gives_another_receipt(raffle: Raffle) -> None:
    await raffle.whole()
    report = await audited(raffle, b"another")
    assert not report.agrees
    assert differing(report) == {"receipt"}


LIES = [
    ("visitor", "mallory", "visitor"),
    ("sequence", 18, "sequence"),
    ("index", 3, "index"),
    ("time_ns", 5, "time"),
    ("receipt_sha256", bytes(32), "receipt"),
    ("value", 3, "sum at the cut"),
    ("messages", 2, "messages"),
    ("digest", bytes(32), "digest"),
]


@pytest.mark.parametrize(("name", "lie", "what"), LIES)
@pytest.mark.parametrize("trimmed", [False, True])
async def test_each_thing_that_the_log_tells_wrongly_is_named(
    raffle: Raffle, name: str, lie: Any, what: str, trimmed: bool
) -> None:
    await raffle.whole(**{name: lie})
    if trimmed:
        await raffle.keep()
        await raffle.trim()
    report = await audited(raffle)
    assert not report.agrees
    assert differing(report) == {what}
    assert not report.problems


async def test_another_winner_than_the_log_gives_is_named_with_both(raffle: Raffle) -> None:
    await raffle.whole(visitor="visitor 11", sequence=18)
    report = await audited(raffle)
    found = {one.what: (one.told, one.found) for one in report.comparisons if not one.agrees}
    assert found["visitor"] == ("visitor 11", WINNER)
    assert set(found) == {"visitor", "sequence"}


async def test_a_winner_before_the_nth_came_is_found_not_to_be(raffle: Raffle) -> None:
    other = Raffle()
    await other.whole(epoch=0)
    winner, proof = other.standing.winner, other.standing.proof
    assert winner is not None
    assert proof is not None
    raffle.visit(4)
    raffle.set()
    raffle.visit(2)
    raffle.write(lambda name, at: Reached(name, at, "a", N, winner, proof))
    report = await audited(raffle)
    assert not report.agrees
    (one,) = (one for one in report.comparisons if one.what == "winner")
    assert "where a counts 6" in str(one.found)


async def test_a_second_and_different_winner_in_the_log_is_told(raffle: Raffle) -> None:
    await raffle.whole()
    winner, proof = raffle.standing.winner, raffle.standing.proof
    assert winner is not None
    assert proof is not None
    lie = Reached("liar", 1, "a", N, msgspec.structs.replace(winner, visitor="mallory"), proof)
    raffle.storage.append(CONTROL_SUBJECT, control.encode(lie))
    report = await audited(raffle)
    assert not report.agrees
    assert "another judge found" in report.problems[0]
    assert "mallory" in report.problems[0]


@pytest.mark.parametrize("how", ["torn", "flipped", "empty", "missing"])
async def test_a_damaged_chunk_is_named(raffle: Raffle, how: str) -> None:
    await raffle.whole()
    head = await raffle.keep()
    await raffle.trim()
    key = chunk_key(head.since, head.epoch, 0)
    raffle.cutter.damage(key, how)
    report = await audited(raffle)
    assert not report.agrees
    (problem,) = report.problems
    assert key in problem
    assert not report.comparisons


FORGED = {
    "far too long a message": (1 << 30).to_bytes(4) + b"x",
    "an end amid a message": (100).to_bytes(4) + b"x",
    "an end amid a length": b"\0\0",
    "what is no message": (5).to_bytes(4) + b"aaaaa",
    "a bomb": bytes(50_000_000),
}


@pytest.mark.parametrize("stream", FORGED.values(), ids=FORGED)
async def test_a_chunk_that_holds_no_messages_is_refused(raffle: Raffle, stream: bytes) -> None:
    await raffle.whole()
    head = await raffle.keep()
    await raffle.trim()
    raffle.storage.blobs[chunk_key(head.since, head.epoch, 0)] = zlib.compress(stream)
    report = await audited(raffle)
    assert not report.agrees
    assert "was changed" in report.problems[0] or "ends amid a message" in report.problems[0]


async def test_where_the_log_is_trimmed_under_the_audit_it_goes_on_with_the_bundle(
    raffle: Raffle, monkeypatch: pytest.MonkeyPatch
) -> None:
    await raffle.whole()
    await raffle.keep()
    state = raffle.line.state

    async def first() -> LogState:
        """As it was a moment ago."""
        return (await state())._replace(first_sequence=1)

    await raffle.trim()
    monkeypatch.setattr(raffle.line, "state", first)
    report = await audited(raffle)
    assert report.agrees
    assert sources(report) == [(1, "bundle")]


async def test_a_milestone_before_the_one_that_is_audited_does_not_stand_in_for_it(raffle: Raffle) -> None:
    raffle.set()
    since = raffle.write(lambda name, at: Milestone(name, at, "a", 3))
    raffle.write(lambda name, at: Verdict(name, at, "a", 3, since, 0))
    raffle.visit(12)
    crossings = [crossing async for crossing in raffle.crossings(0)]
    assert [crossing.n for crossing, _ in crossings] == [3, N]
    winner = crossings[1][0].winner(SECRET, crossings[1][1])
    raffle.write(lambda name, at: Reached(name, at, "a", N, winner, crossings[1][0].proof))
    report = await audited(raffle)
    assert report.agrees
    assert report.winner.visitor == WINNER


async def test_a_chunk_with_another_log_in_it_is_seen(raffle: Raffle) -> None:
    await raffle.whole()
    head = await raffle.keep()
    other = Raffle()
    other.cutter.visit(0, 3)
    await other.whole()
    await other.keep()
    await raffle.trim()
    key = chunk_key(head.since, head.epoch, 0)
    raffle.storage.blobs[key] = other.storage.blobs[other.storage.keys("proof.log")[0]]
    report = await audited(raffle)
    assert not report.agrees
    assert "after sequence" in report.problems[0]


@pytest.mark.parametrize("how", ["torn", "flipped", "missing"])
@pytest.mark.parametrize("part", ["0", "definitions"])
@pytest.mark.parametrize("inline", [0, 64 * 1024])
async def test_a_damaged_cut_is_named(
    raffle: Raffle, monkeypatch: pytest.MonkeyPatch, how: str, part: str, inline: int
) -> None:
    monkeypatch.setattr(cut_writer, "INLINE_BYTES_MAX", inline)
    await raffle.whole()
    await raffle.keep()
    await raffle.trim()
    raffle.cutter.damage(f"cut.1.{part}", how)
    report = await audited(raffle)
    assert not report.agrees
    assert any("cut 1" in problem or "cut.1" in problem for problem in report.problems)


async def test_a_blob_changed_in_a_cut_is_named(raffle: Raffle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut_writer, "INLINE_BYTES_MAX", 0)
    await raffle.whole()
    await raffle.keep()
    await raffle.trim()
    manifest = cut.read_manifest(raffle.storage.blobs["cut.1.0"])
    raffle.cutter.damage(cut.blob_key(manifest.body[0]), "flipped")
    report = await audited(raffle)
    assert not report.agrees
    assert "was changed" in report.problems[0]


async def test_a_cut_forged_without_a_flaw_gives_another_sum(raffle: Raffle) -> None:
    await raffle.whole()
    await raffle.keep()
    await raffle.trim()
    found = await raffle.cuts.at(1)
    partition = await raffle.cuts.partition(found, 0)
    partition.counts[0] += 1
    forged, _ = cut_writer.Writer().write(cut_writer.capture(partition), found.position)
    raffle.storage.blobs["cut.1.0"] = forged
    report = await audited(raffle)
    assert not report.agrees
    assert differing(report) >= {"visitor", "sequence", "sum at the cut"}


async def test_a_cut_that_counts_n_already_cannot_be_the_judges(raffle: Raffle) -> None:
    raffle.visit(4)
    raffle.set()
    raffle.visit(8)
    await raffle.cutter.cut()
    raffle.visit(1)
    await raffle.reach(0, cut=raffle.cutter.positions[1], epoch=1)
    report = await audited(raffle)
    assert not report.agrees
    assert f"counts 12 there already, so the {ordinal(N)} came before" in report.problems[0]


async def test_a_cut_at_another_place_than_the_log_tells_is_named(raffle: Raffle) -> None:
    await raffle.whole(cut=Position(raffle.storage.created, 3))
    report = await audited(raffle)
    assert not report.agrees
    assert "not at 3" in report.problems[0]


async def test_a_head_that_cannot_be_read_is_named(raffle: Raffle) -> None:
    await raffle.whole()
    await raffle.keep()
    raffle.cutter.damage(raffle.storage.keys("proof.head")[0], "torn")
    report = await audited(raffle)
    assert not report.agrees
    assert "proof.head" in report.problems[0]


async def test_where_nothing_was_kept_that_is_said(raffle: Raffle) -> None:
    await raffle.whole()
    await raffle.keep(raffle.proofs(keep=False))
    await raffle.trim()
    with pytest.raises(CheckpointError, match=r"trimmed, and no proof is there .*not kept"):
        await audited(raffle)


async def test_what_is_not_there_or_not_reached_is_told_apart(raffle: Raffle) -> None:
    raffle.visit(1)
    with pytest.raises(UnknownMilestoneError, match="a has no milestone 10"):
        await audited(raffle)
    raffle.set()
    raffle.barrier()
    with pytest.raises(NotReachedError, match="10th of a has not come"):
        await audited(raffle)
