"""A backup is a copy of a cut that can be gone on from, with the proofs of winners; it is verified before it counts."""

import itertools
import time
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from node_backups import Shelf, backed_up, restored
from node_cutting import nothing
from node_line import soon
from node_raffle import N, Raffle

from footfall.core import cut_writer
from footfall.core.control import Milestone, Verdict
from footfall.core.definitions import Definitions
from footfall.core.position import Position
from footfall.errors import BackupDamagedError, BackupFailedError, CheckpointError, FormatError, LogRewoundError
from footfall.node import backup_catalogue, backup_check, backup_format
from footfall.node.backup import back_up
from footfall.node.backup_format import MANIFEST, Backup, Record, pack
from footfall.node.restore import chosen


@pytest.fixture(params=["inline", "blobs"])
async def raffle(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Raffle:
    """What is small is held in manifests, or everything in blobs of its own."""
    if request.param == "blobs":
        monkeypatch.setattr(cut_writer, "INLINE_BYTES_MAX", 0)
    return Raffle()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


async def test_a_backup_says_what_it_is_of(raffle: Raffle, shelf: Shelf) -> None:
    raffle.visit(7)
    raffle.cutter.visit(1, 5, ["alice", "bob", "carol", "dave"])
    await raffle.cutter.cut()
    raffle.visit(2)
    backup = await backed_up(raffle, shelf)
    assert shelf.names == [backup.name]
    assert (backup.log, backup.sequence, backup.epoch) == (
        raffle.storage.created,
        raffle.cutter.positions[1].sequence,
        1,
    )
    assert (backup.counters, backup.visits, backup.visitors) == (2, 12, 1)
    assert (backup.milestones, backup.proofs, backup.unproven) == (0, 0, [])
    assert set(backup.states) == {"definitions", "0", "1"}
    assert set(shelf.objects[backup.name]) == {MANIFEST, *(part.name for part in backup.parts)}
    await backup_check.verify(shelf, backup)


async def test_large_states_are_in_several_parts(raffle: Raffle, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_format, "PART_BYTES_MAX", 300)
    await raffle.whole()
    await raffle.keep()
    await raffle.cutter.cut()
    backup = await backed_up(raffle, shelf)
    assert len(backup.parts) > 4
    assert [part.name for part in backup.parts] == sorted(shelf.objects[backup.name].keys() - {MANIFEST})
    assert await states_of(shelf) == raffle.cutter.states[3]


async def states_of(shelf: Shelf) -> list[bytes]:
    from node_backups import states

    return await states(await restored(shelf))


async def test_without_a_cut_there_is_no_backup(raffle: Raffle, shelf: Shelf) -> None:
    raffle.visit(7)
    with pytest.raises(BackupFailedError, match="no complete cut yet"):
        await back_up(raffle.line, shelf)
    assert shelf.objects == {}


async def test_a_backup_waits_for_the_first_cut(raffle: Raffle, shelf: Shelf) -> None:
    import asyncio

    waiting = asyncio.create_task(back_up(raffle.line, shelf))
    await soon()
    await raffle.cutter.cut()
    assert (await waiting).epoch == 1


@pytest.mark.parametrize("how", ["torn", "flipped", "missing", "empty"])
async def test_a_damaged_cut_is_not_backed_up_and_an_older_one_is(raffle: Raffle, shelf: Shelf, how: str) -> None:
    await raffle.cutter.take(2)
    raffle.cutter.damage("cut.2.1", how)
    assert (await backed_up(raffle, shelf)).epoch == 1


async def test_a_log_that_was_rewound_is_not_backed_up(raffle: Raffle, shelf: Shelf) -> None:
    await raffle.cutter.take(2)
    raffle.storage.truncate(raffle.cutter.positions[1].sequence)
    with pytest.raises(LogRewoundError):
        await back_up(raffle.line, shelf)


async def test_a_cut_that_is_dropped_while_it_is_copied_gives_way_to_a_newer_one(raffle: Raffle, shelf: Shelf) -> None:
    await raffle.cutter.take(2)
    reads = itertools.count()

    async def drop(key: str) -> None:
        if key.startswith(("blob.2", "cut.2")) and next(reads) == 4:
            raffle.line.before_get = nothing_more
            await raffle.cutter.take(3)
            for pin in raffle.cutter.keys("pin"):
                del raffle.storage.blobs[pin]  # as if it had come too late
            await raffle.cuts.collect(nothing)

    async def nothing_more(key: str) -> None:
        pass

    raffle.line.before_get = drop
    assert (await back_up(raffle.line, shelf)).epoch == 5
    assert raffle.cutter.keys("pin") == []


async def test_a_cut_is_kept_while_it_is_copied(raffle: Raffle, shelf: Shelf) -> None:
    await raffle.cutter.take(2)
    dropped = False

    async def drop(key: str) -> None:
        nonlocal dropped
        if raffle.cutter.keys("pin") and not dropped:
            dropped = True
            await raffle.cutter.take(3)
            await raffle.cuts.collect(nothing)

    raffle.line.before_get = drop
    assert (await back_up(raffle.line, shelf)).epoch == 2
    assert dropped


async def test_a_cut_after_a_milestone_that_is_not_decided_is_left_for_an_older_one(
    raffle: Raffle, shelf: Shelf
) -> None:
    raffle.visit(4)
    await raffle.cutter.cut()
    since = raffle.write(lambda name, at: Milestone(name, at, "a", N))
    await raffle.cutter.cut()
    assert (await backed_up(raffle, shelf)).epoch == 1
    raffle.write(lambda name, at: Verdict(name, at, "a", N, since, 4))
    await raffle.cutter.cut()
    assert (await backed_up(raffle, shelf)).epoch == 3


async def test_a_cut_that_has_passed_an_open_milestone_is_left_for_an_older_one(raffle: Raffle, shelf: Shelf) -> None:
    raffle.visit(4)
    raffle.set()
    await raffle.cutter.cut()
    raffle.visit(8)
    await raffle.cutter.cut()
    assert (await backed_up(raffle, shelf)).epoch == 1
    await raffle.reach(1)
    await raffle.cutter.cut()
    await raffle.keep()
    backup = await backed_up(raffle, shelf)
    assert (backup.epoch, backup.proofs, backup.unproven) == (3, 1, [])


async def test_if_no_cut_can_be_gone_on_from_it_is_said_why(raffle: Raffle, shelf: Shelf) -> None:
    raffle.visit(4)
    raffle.set()
    raffle.visit(8)
    await raffle.cutter.cut()
    with pytest.raises(BackupFailedError, match="cut 1 cannot be gone on from alone: the 10th of a has come"):
        await back_up(raffle.line, shelf)


async def test_a_backup_waits_for_a_winners_proof_and_says_if_it_has_none(raffle: Raffle, shelf: Shelf) -> None:
    await raffle.whole()
    await raffle.cutter.cut()
    backup = await backed_up(raffle, shelf)
    assert (backup.proofs, backup.unproven) == (0, ["the 10th of a: it is not kept yet"])


@pytest.mark.parametrize("keep", [True, False])
async def test_that_nothing_is_kept_of_a_winner_is_backed_up_too(raffle: Raffle, shelf: Shelf, keep: bool) -> None:
    await raffle.whole()
    await raffle.keep(raffle.proofs(keep=keep))
    await raffle.cutter.cut()
    backup = await backed_up(raffle, shelf)
    assert (backup.proofs, backup.unproven) == ((1, []) if keep else (0, ["the 10th of a: not kept"]))
    line = await restored(shelf)
    heads = [key for key in line.storage.blobs if key.startswith("proof.head")]
    assert heads == raffle.cutter.keys("proof.head")


async def test_a_damaged_proof_costs_the_proof_and_not_the_backup(raffle: Raffle, shelf: Shelf) -> None:
    await raffle.whole()
    await raffle.keep()
    await raffle.trim()
    (chunk,) = raffle.cutter.keys("proof.log")
    raffle.cutter.damage(chunk, "missing")
    backup = await backed_up(raffle, shelf)
    assert (backup.proofs, backup.unproven) == (0, [f"the 10th of a: {chunk} is missing"])
    assert await states_of(shelf) == raffle.cutter.states[4]


async def test_proofs_of_milestones_that_the_cut_does_not_know_to_be_reached_are_left_out(
    raffle: Raffle, shelf: Shelf
) -> None:
    raffle.visit(4)
    raffle.set()
    await raffle.cutter.cut()
    raffle.visit(8)
    await raffle.reach(1)
    await raffle.keep()
    backup = await backed_up(raffle, shelf)
    assert (backup.epoch, backup.milestones, backup.proofs) == (1, 1, 0)
    line = await restored(shelf)
    assert not [key for key in line.storage.blobs if key.startswith("proof")]


# Damage


async def whole(raffle: Raffle, shelf: Shelf) -> Backup:
    await raffle.whole()
    await raffle.keep()
    await raffle.trim()
    return await backed_up(raffle, shelf)


@pytest.mark.parametrize("torn", [MANIFEST, "part-00000"])
async def test_a_backup_that_does_not_read_back_is_none(raffle: Raffle, shelf: Shelf, torn: str) -> None:
    await raffle.cutter.take(1)
    shelf.torn = (torn,)
    with pytest.raises((BackupDamagedError, BackupFailedError), match=r"does not read back|bytes instead of"):
        await back_up(raffle.line, shelf)
    assert shelf.names == []


async def test_every_flipped_byte_of_a_backup_is_refused(raffle: Raffle, shelf: Shelf) -> None:
    backup = await whole(raffle, shelf)
    objects = shelf.objects[backup.name]
    for name, data in list(objects.items()):
        step = max(1, len(data) // 200)
        for at in range(0, len(data) - 1, step):
            objects[name] = data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]
            with pytest.raises((BackupDamagedError, FormatError)):
                await chosen(shelf, backup.name)
        objects[name] = data
    await chosen(shelf, backup.name)


@pytest.mark.parametrize("how", ["torn", "missing", "foreign", "longer"])
async def test_a_part_that_is_not_whole_is_refused_by_name(raffle: Raffle, shelf: Shelf, how: str) -> None:
    backup = await whole(raffle, shelf)
    objects = shelf.objects[backup.name]
    data = objects["part-00000"]
    changed = {"torn": data[:-1], "foreign": b"<html>" + data[6:], "longer": data + b"\0"}
    if how == "missing":
        del objects["part-00000"]
    else:
        objects["part-00000"] = changed[how]
    with pytest.raises(BackupDamagedError, match=f"backup {backup.name} is damaged: part-00000"):
        await chosen(shelf, None)


def rewritten(shelf: Shelf, backup: Backup, records: list[Record], **changes: object) -> Backup:
    """A backup as a liar would write it: all digests are right."""
    from hashlib import sha256

    (data,) = pack(records)
    part = backup_format.Part("part-00000", len(data), sha256(data).hexdigest())
    changed = msgspec.structs.replace(backup, **{"parts": [part], **changes})
    shelf.objects[backup.name] = {"part-00000": data, MANIFEST: backup_format.encode(changed)}
    return changed


async def records_of(shelf: Shelf, backup: Backup) -> list[Record]:
    return [record async for record in backup_check.records(shelf, backup)]


async def test_records_that_do_not_belong_together_are_refused_though_all_digests_are_right(
    raffle: Raffle, shelf: Shelf
) -> None:
    backup = await whole(raffle, shelf)
    records = await records_of(shelf, backup)
    for left_out in records:
        if left_out.key.startswith("proof.head"):
            continue  # a backup without any of a proof is whole
        changed = rewritten(shelf, backup, [record for record in records if record != left_out])
        with pytest.raises(BackupDamagedError, match=r"(is|are) missing"):
            await backup_check.verify(shelf, changed)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"visits": 1}, "counts 14 visits and 0 visitors, not 1 and 0"),
        ({"states": {}}, "do not count what they counted"),
        ({"epoch": 3}, "its barrier does not begin epoch 3"),
        ({"sequence": 3}, "stands elsewhere"),
        ({"log": "2025-05-05T00:00:00Z"}, "stands elsewhere"),
        ({"partitions": 3}, "is of cut"),
        ({"barrier": backup_format.Barrier("footfall.control", b"?")}, "its barrier cannot be read"),
    ],
)
async def test_a_manifest_that_says_something_else_than_the_cut_is_refused(
    raffle: Raffle, shelf: Shelf, changes: dict[str, object], said: str
) -> None:
    backup = await whole(raffle, shelf)
    with pytest.raises(BackupDamagedError, match=said):
        await backup_check.verify(shelf, msgspec.structs.replace(backup, **changes))


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (Record("blob.1." + "0" * 64, b"x"), "is not what its name says"),
        (Record("cut.4.0", b"x"), "torn"),
        (Record("cut.4.0", b""), "torn"),
        (Record("proof.head.1.1", b"\xc1"), "cannot be read"),
        (Record("proof.head.1.1", b""), "cannot be read"),
        (Record("secret", b"x"), "nothing that a backup has"),
        (Record("proof", b"x"), "nothing that a backup has"),
        (Record("", b""), "nothing that a backup has"),
    ],
)
async def test_a_record_that_is_not_what_it_should_be_is_refused(
    raffle: Raffle, shelf: Shelf, record: Record, said: str
) -> None:
    backup = await whole(raffle, shelf)
    with pytest.raises(BackupDamagedError, match=said):
        await backup_check.verify(shelf, rewritten(shelf, backup, [record, *await records_of(shelf, backup)]))


# A backup that is broken off, and old ones


async def test_a_backup_that_is_broken_off_anywhere_leaves_none_and_does_no_harm(
    raffle: Raffle, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_format, "PART_BYTES_MAX", 300)
    before = await whole(raffle, shelf)
    writes = len(before.parts) + 1
    for number in range(writes):
        shelf.writes = number
        with pytest.raises(BackupFailedError, match="killed"):
            await back_up(raffle.line, shelf)
        assert shelf.names == [before.name]
    assert (await chosen(shelf, None)) == before
    shelf.writes = writes
    after = await backed_up(raffle, shelf)
    assert sorted(shelf.names) == sorted([before.name, after.name])


def at(made: datetime, sequence: int, log: str, token: int) -> str:
    return backup_format.name_of(made, Position(log, sequence, b""), f"{token:08x}")


async def test_of_a_log_and_its_ancestors_the_oldest_backups_are_removed(raffle: Raffle, shelf: Shelf) -> None:
    await raffle.cutter.take(1)
    raffle.storage.ancestors["2025-01-01T00:00:00Z"] = 1
    newest = await backed_up(raffle, shelf)
    made = datetime.fromtimestamp(time.time(), UTC)
    old = [at(made - timedelta(hours=hour), 100 - hour, newest.log, hour) for hour in range(1, 4)]
    older = at(made - timedelta(hours=5), 9, "2025-01-01T00:00:00Z", 5)
    others = at(made - timedelta(hours=9), 9, "2024-01-01T00:00:00Z", 6)
    broken = at(made - timedelta(hours=30), 5, newest.log, 7)
    begun = at(made - timedelta(hours=2), 5, newest.log, 8)
    for name in (*old, older, others):
        shelf.objects[name] = {MANIFEST: b"", "part-00000": b""}
    for name in (broken, begun):
        shelf.objects[name] = {"part-00000": b""}
    assert backup_catalogue.tidy(shelf, newest, 0) == [broken]
    assert set(backup_catalogue.tidy(shelf, newest, 3)) == {old[2], older}
    assert shelf.names == [newest.name, *old[:2], others]
    assert backup_catalogue.tidy(shelf, newest, 3) == []
    assert set(shelf.objects) == {newest.name, *old[:2], others, begun}


async def test_the_newest_is_kept_even_if_others_seem_newer(raffle: Raffle, shelf: Shelf) -> None:
    await raffle.cutter.take(1)
    newest = await backed_up(raffle, shelf)
    ahead = [at(datetime(2099, 1, day, tzinfo=UTC), 1, newest.log, day) for day in (1, 2)]
    for name in ahead:
        shelf.objects[name] = {MANIFEST: b""}
    assert backup_catalogue.tidy(shelf, newest, 1) == [ahead[0]]
    assert shelf.names == [ahead[1], newest.name]


def test_backups_of_one_second_are_in_the_order_of_their_sequences(shelf: Shelf) -> None:
    made = datetime(2026, 1, 1, tzinfo=UTC)
    names = [at(made, sequence, "2026-01-01T00:00:00Z", 9 - token) for token, sequence in enumerate((9, 10, 100))]
    for name in names:
        shelf.objects[name] = {MANIFEST: b""}
    assert shelf.names == names[::-1]


async def test_an_unreadable_cut_is_said_after_the_last_attempt(raffle: Raffle, shelf: Shelf) -> None:
    await raffle.cutter.take(1)

    async def lose(key: str) -> None:
        if raffle.cutter.keys("pin"):
            raffle.storage.blobs.pop("cut.1.0", None)

    raffle.line.before_get = lose
    with pytest.raises((CheckpointError, BackupFailedError)):
        await back_up(raffle.line, shelf)
    assert shelf.names == []


async def test_what_later_versions_add_to_a_state_does_not_make_a_backup_look_damaged(raffle: Raffle) -> None:
    raffle.cutter.visit(0, 5, ["alice", "bob"])
    partition = raffle.cutter.partitions[0]
    before = backup_check.state_of(partition)
    partition.tally["of a later version"] = 1
    assert backup_check.state_of(partition) == before
    partition.counts[0] += 1
    assert backup_check.state_of(partition) != before


def test_the_total_is_of_counters_that_have_none_of_their_unit_above_them() -> None:
    definitions = Definitions()
    definitions.restore(
        [("a", 0, 1), ("a.b", 0, 1), ("a.c", 1, 1), ("a.c.d", 1, 1), ("p", 1, 1), ("p.q", 0, 1), ("p.q.r", 0, 1)]
    )
    roots = backup_check.roots_of(definitions)
    assert [definitions.names[number] for number in roots.visits] == ["a", "p.q"]
    assert [definitions.names[number] for number in roots.visitors] == ["a.c", "p"]
