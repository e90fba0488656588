"""What a cut stores anew, what it shares with the one before, and what it holds itself."""

from array import array
from hashlib import sha256
from itertools import pairwise

import pytest
from core_cuts import Store, position_of, restored, write_all
from core_logs import Folds, pack, visitors, visits
from core_patches import patched

from footfall.core import cut, cut_writer
from footfall.core.control import Barrier
from footfall.core.cut import Ref, blob_key
from footfall.core.cut_writer import Writer, capture, capture_definitions, state_bytes
from footfall.core.definitions import Definitions
from footfall.core.partition import Partition
from footfall.core.position import Position

PAGE = 65_536  # counters
SEGMENT_BYTES = len(pack([[0, bytes(8 * 8)], [1, bytes(8 * 2)]]))  # of 8 visitors, and 2 of them in another counter


def wide(pages: int) -> Partition:
    """A partition that counts in many counters, each page unlike the others."""
    fold = Partition(0, 1)
    fold.counts = array("q", range(2**62, 2**62 + pages * PAGE))
    return fold


def ticked(fold: Partition) -> Partition:
    fold.fold_control(fold.sequence + 1, Barrier("c", fold.epoch + 1, fold.epoch + 1), Definitions())
    return fold


def at(fold: Partition) -> Position:
    return Position("monday", fold.sequence)


# --- pages of counts and definitions ---


def test_counts_are_stored_in_pages_and_only_those_that_changed_are_stored_again() -> None:
    store, writer, fold = Store(), Writer(), ticked(wide(3))
    first = store.write(writer, capture(fold), at(fold))
    assert [ref.size for ref in first.body] == [8 * PAGE] * 3
    assert set(store.values) == {"cut.1.0", *map(blob_key, first.body)}
    fold.counts[PAGE] += 1
    _, blobs = (second := Writer(first)).write(capture(ticked(fold)), at(fold))
    assert len(blobs) == 1
    store.values |= blobs
    second.stored()
    manifest = second._previous
    assert manifest is not None
    assert [ref.epoch for ref in manifest.body] == [1, 2, 1]
    assert manifest.body[::2] == first.body[::2]
    assert state_bytes(store.restore(manifest)) == state_bytes(fold)


def test_a_state_that_did_not_change_stores_no_blob() -> None:
    store, writer, fold = Store(), Writer(), ticked(wide(2))
    store.write(writer, capture(fold), at(fold))
    _, blobs = writer.write(capture(ticked(fold)), at(fold))
    assert blobs == {}


def test_where_the_store_has_lost_what_a_cut_builds_on_all_is_stored_anew() -> None:
    store, writer, fold = Store(), Writer(), ticked(wide(2))
    assert writer.builds_on(fold.epoch) == ""
    store.write(writer, capture(fold), at(fold))
    ticked(fold)
    assert writer.builds_on(fold.epoch) == "cut.1.0"
    assert writer.builds_on(fold.epoch + 1) == ""
    store.values.clear()
    writer.begin_anew()
    manifest = store.write(writer, capture(fold), at(fold))
    assert state_bytes(store.restore(manifest)) == state_bytes(fold)


def test_counts_end_at_the_last_that_is_not_0() -> None:
    fold = ticked(Partition(0, 1))
    fold.counts = array("q", [0, 256, 0, 0])
    store = Store()
    manifest = store.write(Writer(), capture(fold), at(fold))
    assert [ref.size for ref in manifest.body] == [10]
    assert store.restore(manifest).counts == fold.counts


def test_full_pages_of_definitions_never_change() -> None:
    folds, store, writer = Folds(), Store(), Writer()
    with patched(cut_writer, ROWS_PER_BLOB=4, INLINE_BYTES_MAX=0):
        manifests = []
        for epoch in range(5):
            folds.define(*((f"n{epoch}-{number}", "visits") for number in range(3)))
            folds.tick()
            manifests.append(store.write(writer, capture_definitions(folds.definitions, 1), position_of(folds)))
        for before, after in pairwise(manifests):
            full = 3 * before.epoch // 4
            assert after.body[:full] == before.body[:full]
        found = store.restore_definitions(manifests[-1])
    assert found.names == folds.definitions.names
    assert found.since == folds.definitions.since


def test_blobs_of_definitions_fit_into_a_message_however_long_the_names() -> None:
    count = 20_000
    folds, store = Folds(), Store()
    folds.definitions.restore((f"{number:0200d}", 1, 2**62 + number) for number in range(count))
    manifest = store.write(Writer(), capture_definitions(folds.definitions, 1), position_of(folds))
    assert max(map(len, store.values.values())) <= 1_000_000  # the log takes no larger message
    assert sum(ref.size for ref in manifest.body) < count * 220  # and none is there twice
    assert store.restore_definitions(manifest).names == folds.definitions.names


# --- visitors ---


def visited(count: int, epochs: int, writer: Writer, store: Store) -> tuple[Folds, list[cut.Manifest]]:
    """So many new visitors in each epoch, and a cut after each."""
    folds, manifests = Folds(), []
    folds.define(("v", "visitors"), ("w", "visitors"))
    for epoch in range(epochs):
        names = [f"{epoch}-{number}" for number in range(count)]
        folds.store(visitors("v", *names), visitors("w", *names[:2]))
        folds.tick()
        manifests.append(store.write(writer, capture(folds.partitions[0]), position_of(folds)))
        assert state_bytes(store.restore(manifests[-1])) == state_bytes(folds.partitions[0])
    return folds, manifests


def test_each_cut_adds_a_segment_of_new_visitors_until_there_are_too_many() -> None:
    assert cut_writer.SEGMENTS_MAX == 60
    with patched(cut_writer, SEGMENTS_MAX=4):
        _, manifests = visited(3, 10, Writer(), Store())
    assert [len(manifest.visitors) for manifest in manifests] == [1, 2, 3, 4, 1, 2, 3, 4, 1, 2]
    assert [manifest.base_bytes for manifest in manifests[4:8]] == [manifests[4].visitors[0][0].size] * 4


def test_a_chain_of_hundreds_of_cuts_never_has_more_than_sixty_segments() -> None:
    folds, manifests = visited(2, 150, Writer(), Store())
    assert max(len(manifest.visitors) for manifest in manifests) == 60
    assert [manifest.epoch for manifest in manifests if len(manifest.visitors) == 1] == [1, 61, 121]
    assert folds.value("v") == 300


@pytest.mark.parametrize("least", [64, SEGMENT_BYTES, 2 * SEGMENT_BYTES - 1, 2 * SEGMENT_BYTES, 4 * SEGMENT_BYTES])
def test_visitors_are_written_anew_when_the_segments_would_be_more_than_half_as_large_as_the_base(least: int) -> None:
    with patched(cut_writer, BLOB_BYTES_MAX=least):
        _, manifests = visited(8, 16, Writer(), Store())
    for before, after in pairwise(manifests):
        segments = SEGMENT_BYTES * len(before.visitors)
        anew = 2 * segments > max(before.base_bytes, least)
        assert len(after.visitors) == (1 if anew else len(before.visitors) + 1)
        assert after.base_bytes == (sum(ref.size for ref in after.visitors[0]) if anew else before.base_bytes)
    assert {1, 2, 3} <= {len(manifest.visitors) for manifest in manifests}


def test_an_epoch_without_new_visitors_adds_no_segment() -> None:
    folds, store, writer = Folds(), Store(), Writer()
    folds.define(("v", "visitors"))
    sizes = []
    for names in (("x",), ("x",), ("x", "y"), ("y",)):
        folds.store(visitors("v", *names))
        folds.tick()
        manifest = store.write(writer, capture(folds.partitions[0]), position_of(folds))
        sizes.append(len(manifest.visitors))
    assert sizes == [1, 1, 2, 2]


def test_a_cut_that_was_not_stored_or_not_taken_breaks_the_chain_and_loses_no_visitor() -> None:
    folds, store, writer = Folds(), Store(), Writer()
    folds.define(("v", "visitors"))
    for epoch, fate in enumerate(["stored", "stored", "failed", "stored", "stored", "not taken", "stored", "stored"]):
        folds.store(visitors("v", f"x{epoch}"))
        folds.tick()
        taken = capture(folds.partitions[0])
        if fate == "failed":
            writer.write(taken, position_of(folds))
        elif fate == "stored":
            manifest = store.write(writer, taken, position_of(folds))
            assert len(manifest.visitors) == {1: 1, 2: 2, 4: 1, 5: 2, 7: 1, 8: 2}[epoch + 1]
            assert state_bytes(store.restore(manifest)) == state_bytes(folds.partitions[0])


# --- inline or stored ---


def test_small_blobs_are_in_the_manifest_up_to_its_room_and_the_smallest_first() -> None:
    fold = ticked(Partition(0, 1))
    fold.counts = array("q", [2**40 + number for number in range(20)])  # 64 + 64 + 30 bytes
    with patched(cut_writer, BLOB_BYTES_MAX=64):
        sizes = sorted(ref.size for ref in cut.read_manifest(Writer().write(capture(fold), at(fold))[0]).refs())
        for room in range(sum(sizes) + 2):
            with patched(cut_writer, INLINE_BYTES_MAX=room):
                data, blobs = Writer().write(capture(fold), at(fold))
            manifest = cut.read_manifest(data)
            fitting = max(count for count in range(len(sizes) + 1) if sum(sizes[:count]) <= room)
            assert sorted(map(len, manifest.inline.values())) == sizes[:fitting]
            assert len(blobs) == len(sizes) - fitting
            assert state_bytes(cut.restore(manifest, blobs)) == state_bytes(fold)


@pytest.mark.parametrize("rooms", [(10_000, 0, 0), (0, 10_000, 0), (10_000, 10_000, 0), (60, 90, 60)])
def test_a_blob_that_no_longer_fits_in_the_manifest_is_stored_and_one_that_is_stored_is_not_moved(
    rooms: tuple[int, ...],
) -> None:
    folds, store = Folds(), Store()
    folds.define(("a", "visits"), ("v", "visitors"))
    folds.store(visits("a", 2, keys=["k", "l"]), visitors("v", "x", "y", "z"))
    writers = [Writer(), Writer()]
    for room in rooms:
        folds.store(visits("a"), visitors("v", f"{folds.sequence}"))
        folds.tick()
        with patched(cut_writer, INLINE_BYTES_MAX=room):
            manifests = write_all(store, folds, writers)
        assert restored(store, manifests, 1).state() == folds.state()
        for ref in manifests[0].refs():
            assert (ref.digest in manifests[0].inline) != (blob_key(ref) in store.values)


def test_equal_pages_are_one_blob() -> None:
    fold = ticked(Partition(0, 1))
    fold.counts = array("q", [2**62] * (3 * PAGE))
    data, blobs = Writer().write(capture(fold), at(fold))
    manifest = cut.read_manifest(data)
    assert len(manifest.body) == 3
    assert len(set(manifest.body)) == len(blobs) == 1
    assert cut.restore(manifest, blobs).counts == fold.counts


def test_a_ref_tells_digest_size_and_epoch() -> None:
    fold = ticked(ticked(Partition(0, 1)))
    fold.counts = array("q", [1])
    data, _ = Writer().write(capture(fold), at(fold))
    assert cut.read_manifest(data).body == (Ref(sha256(b"\x01").digest(), 1, 2),)


def test_a_blob_that_the_manifest_held_before_is_stored_under_the_epoch_of_now() -> None:
    """Under the older one it would be taken for superfluous, until the manifest that needs it is there."""
    store, fold = Store(), ticked(Partition(0, 1))
    fold.counts.extend(range(1, 100))
    first = store.write(Writer(), capture(fold), at(fold))
    assert first.inline.keys() == {ref.digest for ref in first.refs()}
    with patched(cut_writer, INLINE_BYTES_MAX=0):
        data, blobs = Writer(first).write(capture(ticked(fold)), at(fold))
    assert first.body[0].digest in {ref.digest for ref in cut.read_manifest(data).refs()}
    assert {key.split(".")[1] for key in blobs} == {"2"}
