"""A log that was restored from a backup counts on as if nothing had been: the same state, and the same winner."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from node_backups import NEW, Shelf, backed_up, restored, states
from node_cutting import Cutter
from node_line import Line, batches
from node_raffle import SECRET, WINNER, N, Raffle

from footfall.core import cut_writer
from footfall.core.batch import Batch, Section, encode
from footfall.core.names import Unit
from footfall.core.position import Position, at
from footfall.errors import (
    BackupDamagedError,
    BackupFailedError,
    CheckpointError,
    FormatError,
    LogRewoundError,
)
from footfall.log.memory import Storage
from footfall.node.acknowledged import Acknowledged
from footfall.node.audit import audit
from footfall.node.backup_format import MANIFEST
from footfall.node.cuts import Cuts
from footfall.node.judge_begin import newest_below
from footfall.node.restore import ancestors_of, chosen, fill


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def counted_on(line: Line, partition: Cutter, after: int) -> None:
    """Send what one log holds after a sequence to another, as it stands."""
    for message in partition.storage.above(after):
        line.storage.append(message.subject, message.data, message.time_ns)


async def folded(line: Line) -> list[bytes]:
    """The states that a node comes to, who begins at the newest cut."""
    cuts = Cuts(line)
    definitions, _ = await cuts.newest_definitions()
    found = []
    for number in range(line.partitions):
        partition, position, _ = await cuts.newest_partition(number)
        assert position.created == line.created
        for message in line.storage.above(position.sequence):
            if message.subject == f"footfall.visits.{number}":
                assert not partition.fold(message.sequence, message.data, definitions)
        partition.sequence = 0  # each stands at its own last message
        found.append(cut_writer.state_bytes(partition))
    return found


async def test_a_restored_log_holds_the_cut_at_its_first_message_under_its_own_name(shelf: Shelf) -> None:
    raffle = Raffle()
    raffle.visit(5)
    await raffle.cutter.cut()
    raffle.visit(3)
    backup = await backed_up(raffle, shelf)
    line = await restored(shelf)
    barrier = raffle.storage.message(backup.sequence)
    assert barrier is not None
    (first,) = line.storage.messages
    assert first[:3] == barrier[:3]
    found = await Cuts(line).newest_found()
    assert found is not None
    assert (found.epoch, found.position) == (1, Position(NEW, barrier.sequence, raffle.cutter.positions[1].digest))
    assert line.ancestors == {raffle.storage.created: backup.sequence}
    assert await states(line) == raffle.cutter.states[1]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.lists(st.tuples(st.integers(0, 1), st.integers(1, 5), st.sets(st.sampled_from("abcdefgh"))), max_size=8),
    after=st.lists(st.tuples(st.integers(0, 1), st.integers(1, 5), st.sets(st.sampled_from("abcdefgh"))), max_size=8),
    cuts=st.integers(1, 3),
)
async def test_counting_goes_on_from_a_backup_as_it_does_from_the_log(
    before: list[tuple[int, int, set[str]]], after: list[tuple[int, int, set[str]]], cuts: int
) -> None:
    shelf, raffle = Shelf(), Raffle()
    for number in range(cuts):
        for visit in before[number::cuts]:
            raffle.cutter.visit(*visit)
        await raffle.cutter.cut()
    backup = await backed_up(raffle, shelf)
    line = await restored(shelf)
    for visit in after:
        raffle.cutter.visit(*visit)
    counted_on(line, raffle.cutter, backup.sequence)
    assert await folded(line) == await folded(raffle.line)


async def test_a_batch_that_was_counted_before_the_backup_is_known_after_it(shelf: Shelf) -> None:
    raffle = Raffle()
    raffle.visit(6)
    sent = batches(raffle.storage)
    await raffle.cutter.cut()
    await backed_up(raffle, shelf)
    line = await restored(shelf)
    counted = await states(line)
    again = [*sent, Batch("batch/1", "door 1", 1, 4, [Section("a", Unit.VISITS, 9, None, None, 1)])]
    for batch in again:
        line.storage.append(f"footfall.visits.{batch.producer[-1]}", encode(batch))
    cuts = Cuts(line)
    definitions, _ = await cuts.newest_definitions()
    partition, position, _ = await cuts.newest_partition(1)
    for message in line.storage.above(position.sequence):
        if message.subject == "footfall.visits.1":
            assert not partition.fold(message.sequence, message.data, definitions)
    assert partition.tally == {"repeat": 3}
    assert partition.entry("a", definitions) == 3 + 9
    assert counted == raffle.cutter.states[1]


async def test_a_milestone_that_was_open_is_judged_in_the_restored_log(shelf: Shelf) -> None:
    raffle = Raffle()
    raffle.visit(4)
    raffle.set()
    await raffle.cutter.cut()
    backup = await backed_up(raffle, shelf)
    line = await restored(shelf)
    raffle.visit(8)
    counted_on(line, raffle.cutter, backup.sequence)
    definitions, _ = await Cuts(line).newest_definitions()
    judge, position = await newest_below(Cuts(line), line, "a", definitions.milestones)
    assert (judge.value, position.created, position.sequence) == (4, NEW, backup.sequence)
    (crossing,) = [one for message in line.storage.above(position.sequence) for one in judge.fold(message)]
    assert (crossing.n, crossing.visitor) == (N, WINNER)
    assert crossing.proof.cut == position
    assert crossing.receipt(SECRET) == raffle.receipts[WINNER]


@pytest.mark.parametrize("epoch", [0, 1, 2])
@pytest.mark.parametrize("trimmed", [False, True])
async def test_a_winner_of_before_is_audited_from_the_proof_in_the_backup(
    shelf: Shelf, epoch: int, trimmed: bool
) -> None:
    raffle = Raffle()
    await raffle.whole(epoch=epoch)
    await raffle.keep()
    if trimmed:
        await raffle.trim()
    else:
        await raffle.cutter.cut()
    backup = await backed_up(raffle, shelf)
    assert (backup.proofs, backup.unproven) == (1, [])
    line = await restored(shelf)
    report = await audit(line, "a", N, SECRET)
    assert (report.agrees, report.problems, report.unchecked) == (True, [], [])
    assert report.winner.visitor == WINNER
    assert [(start.epoch, start.source) for start in report.starts] == [(epoch, "bundle")]
    assert {"receipt", "digest", "messages", "sum at the cut"} <= {one.what for one in report.comparisons}


async def test_a_restored_log_can_be_backed_up_and_restored_again(shelf: Shelf) -> None:
    raffle = Raffle()
    await raffle.whole()
    await raffle.keep()
    await raffle.cutter.cut()
    first = await backed_up(raffle, shelf)
    second = await restored(shelf)
    from footfall.node.backup import back_up

    again = await back_up(second, shelf)
    assert again.ancestors == {first.log: first.sequence}
    assert (again.states, again.visits, again.proofs) == (first.states, first.visits, 1)
    third = await restored(shelf, again.name, "2026-03-03T00:00:00Z")
    assert third.ancestors == {first.log: first.sequence, NEW: first.sequence}
    assert (await audit(third, "a", N, SECRET)).agrees


async def test_cuts_go_on_after_a_restore_and_old_ones_are_dropped(shelf: Shelf) -> None:
    raffle = Raffle()
    await raffle.whole()
    await raffle.keep()
    await raffle.cutter.cut()
    await backed_up(raffle, shelf)
    line = await restored(shelf)
    on = Cutter.__new__(Cutter)  # the same folds, over the restored log
    on.__dict__.update(raffle.cutter.__dict__)
    on.line, on.storage, on.cuts = line, line.storage, Cuts(line, young_s=0.0)
    on.writers = {part: cut_writer.Writer() for part in on.parts}
    on._reached = line.storage.last
    for number in range(3):
        on.visit(0, number + 1)
        await on.cut()
    await on.cuts.collect(lambda newest: "")
    assert [found.epoch for found in await on.cuts.find()] == [6, 5, 1]  # 1: where the proof begins
    assert line.storage.first == on.positions[5].sequence
    assert await states(line) == on.states[6]
    assert (await audit(line, "a", N, SECRET)).agrees


async def test_what_a_node_remembers_of_the_lost_log_is_no_reason_to_refuse_the_restored_one(
    shelf: Shelf, tmp_path: Path
) -> None:
    raffle = Raffle()
    await raffle.cutter.take(1)
    await backed_up(raffle, shelf)
    raffle.visit(3)
    last = raffle.storage.message(raffle.storage.last)
    assert last is not None
    Acknowledged(tmp_path, "n1").write(at(raffle.storage.created, last))
    line = await restored(shelf)
    await Acknowledged(tmp_path, "n1").check(line)
    empty = Line(Storage(2, created="2026-04-04T00:00:00Z"))
    with pytest.raises(LogRewoundError, match="replaced"):
        await Acknowledged(tmp_path, "n1").check(empty)


# Which backup


async def two(shelf: Shelf) -> tuple[str, str]:
    raffle = Raffle()
    await raffle.cutter.take(1)
    older = await backed_up(raffle, shelf)
    await raffle.cutter.take(1)
    newer = await backed_up(raffle, shelf)
    return older.name, newer.name


async def test_the_newest_is_taken_unless_another_is_named(shelf: Shelf) -> None:
    older, newer = await two(shelf)
    assert (await chosen(shelf, None)).name == newer
    assert (await chosen(shelf, older)).name == older


async def test_if_the_newest_is_damaged_the_one_before_is_offered_by_name(shelf: Shelf) -> None:
    older, newer = await two(shelf)
    part = shelf.objects[newer]["part-00000"]
    shelf.objects[newer]["part-00000"] = part[:50] + bytes([part[50] ^ 1]) + part[51:]
    with pytest.raises(BackupDamagedError, match=f"{newer} is damaged: .*; the one before it is {older}: .*--backup"):
        await chosen(shelf, None)
    shelf.objects[newer][MANIFEST] = b"torn"
    with pytest.raises(BackupDamagedError, match=f"the one before it is {older}"):
        await chosen(shelf, None)
    shelf.objects[older][MANIFEST] = b""
    with pytest.raises(BackupDamagedError, match="there is none before it"):
        await chosen(shelf, older)


async def test_a_backup_of_a_newer_version_is_said_to_be_one(shelf: Shelf) -> None:
    import msgspec

    from footfall.node import backup_catalogue, backup_format

    older, newer = await two(shelf)
    backup = await backup_catalogue.manifest(shelf, newer)
    future = backup_format.encode(msgspec.structs.replace(backup, format="footfall backup 2"))
    shelf.objects[newer][MANIFEST] = future
    with pytest.raises(FormatError, match=f"'footfall backup 2', .*{older}"):
        await chosen(shelf, None)


async def test_where_there_is_none_it_is_said(shelf: Shelf) -> None:
    with pytest.raises(BackupFailedError, match="no backup in shelf"):
        await chosen(shelf, None)
    _, newer = await two(shelf)
    for name in (newer.replace("-", "-9", 1), "x", "../x", "", newer + "/.."):
        with pytest.raises(BackupFailedError, match="there is no backup"):
            await chosen(shelf, name)
    shelf.objects["20260101T000000Z-1-2026-00000000"] = {"part-00000": b""}  # broken off: it is none
    assert (await chosen(shelf, None)).name == newer


async def test_backups_of_a_log_that_began_anew_do_not_hide_those_of_the_lost_one(shelf: Shelf) -> None:
    _, lost = await two(shelf)
    raffle = Raffle()
    raffle.storage.created = NEW
    await raffle.cutter.take(1)
    import asyncio

    await asyncio.sleep(2)
    fresh = await backed_up(raffle, shelf)
    with pytest.raises(BackupFailedError, match=f"several logs: the newest is {fresh.name}, and of another log {lost}"):
        await chosen(shelf, None)
    assert (await chosen(shelf, lost)).name == lost


# A log that is not what it should be


async def test_a_log_that_does_not_begin_at_the_backups_sequence_is_refused(shelf: Shelf) -> None:
    await two(shelf)
    backup = await chosen(shelf, None)
    line = Line(Storage(2, created=NEW, ancestors=ancestors_of(backup)))
    with pytest.raises(LogRewoundError, match=f"begins at sequence 1, and the backup stands at {backup.sequence}"):
        await fill(line, shelf, backup)


@pytest.mark.parametrize("damaged", ["cut", "blob"])
async def test_a_store_that_loses_a_byte_is_noticed(
    shelf: Shelf, damaged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cut_writer, "INLINE_BYTES_MAX", 0)
    await two(shelf)
    backup = await chosen(shelf, None)
    line = Line(Storage(2, created=NEW, first=backup.sequence))
    line.damaged = (damaged,)
    with pytest.raises((CheckpointError, BackupFailedError)):
        await fill(line, shelf, backup)
