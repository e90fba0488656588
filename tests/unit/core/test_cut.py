"""Cuts: a state written at a barrier and read back goes on as if nothing had happened."""

from collections.abc import Iterator

import pytest
from core_cuts import Store, position_of, restored, write_all
from core_golden import golden, kept
from core_histories import PARTITIONS, histories
from core_laws import law
from core_logs import Folds, Message, visitors, visits
from core_patches import patched
from hypothesis import strategies as st

from footfall.core import cut, cut_writer, definitions
from footfall.core.control import Barrier
from footfall.core.cut import blob_key, complete, manifest_key
from footfall.core.cut_writer import Writer, capture, capture_definitions, state_bytes
from footfall.core.definitions import Definitions, Imported
from footfall.core.partition import Partition
from footfall.core.position import Position


def folded(log: list[Message]) -> Folds:
    return Folds(PARTITIONS).take_all(log)


def begins_epoch(folds: Folds, message: Message) -> bool:
    """Fold a message; whether a cut is to be taken after it."""
    epoch = folds.definitions.epoch
    folds.take(message)
    return folds.definitions.epoch != epoch


@pytest.fixture(params=["real", "small"])
def sizes(request: pytest.FixtureRequest) -> Iterator[None]:
    """Blobs as large as they are, and so small that states need many."""
    small = {"BLOB_BYTES_MAX": 64, "INLINE_BYTES_MAX": 200, "SEGMENTS_MAX": 3, "ROWS_PER_BLOB": 2}
    with patched(cut_writer, **(small if request.param == "small" else {})):
        yield


SMALL = {"BLOB_BYTES_MAX": 64, "INLINE_BYTES_MAX": 200, "SEGMENTS_MAX": 3, "ROWS_PER_BLOB": 2}


# --- laws ---


@law(histories(), st.data(), examples=25)
def test_folding_on_from_any_cut_gives_the_same_state_byte_for_byte(log: list[Message], data: st.DataObject) -> None:
    whole = folded(log)
    small = data.draw(st.booleans())
    with patched(cut_writer, **(SMALL if small else {})):
        cuts: list[tuple[int, Folds]] = []
        folds = Folds(PARTITIONS)
        for at, message in enumerate(log, 1):
            if begins_epoch(folds, message) and data.draw(st.integers(0, 1 if len(log) < 50 else 20)) == 0:
                store = Store()
                found = restored(store, write_all(store, folds), PARTITIONS)
                assert found.state() == folds.state()
                cuts.append((at, found))
        for at, found in cuts:
            assert found.take_all(log[at:]).state() == whole.state()


@law(histories(jumps=False), st.data(), examples=25)
def test_every_cut_of_a_chain_restores_its_state_and_what_it_needs_is_in_the_store(
    log: list[Message], data: st.DataObject
) -> None:
    with patched(cut_writer, **SMALL):
        folds, store = Folds(PARTITIONS), Store()
        writers = [Writer() for _ in range(PARTITIONS + 1)]
        for message in log:
            if not begins_epoch(folds, message):
                continue
            captures = [*map(capture, folds.partitions), capture_definitions(folds.definitions, PARTITIONS)]
            manifests = []
            for writer, taken in zip(writers, captures, strict=True):
                fate = data.draw(st.sampled_from(["stored", "stored", "stored", "failed", "never written"]))
                if fate == "stored":
                    manifests.append(store.write(writer, taken, position_of(folds)))
                elif fate == "failed":
                    writer.write(taken, position_of(folds))
            for manifest in manifests:
                if manifest.part == cut.DEFINITIONS:
                    found = Folds(PARTITIONS)
                    found.definitions = store.restore_definitions(manifest)
                    assert found.state()[PARTITIONS:] == folds.state()[PARTITIONS:]
                else:
                    fold = folds.partitions[int(manifest.part)]
                    assert state_bytes(store.restore(manifest)) == state_bytes(fold)
                assert len(manifest.visitors) <= cut_writer.SEGMENTS_MAX
                assert sum(map(len, manifest.inline.values())) <= cut_writer.INLINE_BYTES_MAX
                assert all(ref.size <= cut_writer.BLOB_BYTES_MAX for ref in manifest.refs())


@law(histories(jumps=False), examples=25)
def test_a_chain_may_go_on_from_a_restored_part(log: list[Message]) -> None:
    """An owner that dies, and one that goes on from its last cut, write what one that lives on would have written."""
    with patched(cut_writer, **SMALL):
        folds, store, other = Folds(PARTITIONS), Store(), Store()
        writers = [Writer() for _ in range(PARTITIONS + 1)]
        heir: Folds | None = None
        heirs: list[Writer] = []
        for message in log:
            if heir is not None:
                heir.take(message)
            if not begins_epoch(folds, message):
                continue
            manifests = write_all(store, folds, writers)
            if heir is not None:
                assert write_all(other, heir, heirs) == manifests
            other.values = dict(store.values)
            heir = restored(other, manifests, PARTITIONS)
            heirs = [Writer(manifest) for manifest in manifests]


@law(histories(), st.data())
def test_states_are_equal_just_where_their_bytes_are(log: list[Message], data: st.DataObject) -> None:
    """Of a log, and of one that differs from it in one message at most."""
    other = list(log)
    other[data.draw(st.integers(0, len(log) - 1))] = data.draw(st.sampled_from(log))
    for mine, theirs in zip(folded(log).partitions, folded(other).partitions, strict=True):
        assert (state_bytes(mine) == state_bytes(theirs)) == (plain(mine) == plain(theirs))


def plain(fold: Partition) -> tuple[object, ...]:
    """All of a state, as Python compares it."""
    seen = {number: cut.merged(found.runs()).tolist() for number, found in fold.visitors.items()}
    parts = (fold.sequence, fold.epoch, fold.counts, fold.producers, fold.sources, fold.tally, fold.alarmed)
    return (*parts, fold.keys.segments(), seen)


def test_states_that_came_about_in_another_order_have_the_same_bytes_and_the_same_blobs() -> None:
    one, two = Folds(), Folds()
    for folds, order in ((one, (0, 1)), (two, (1, 0))):
        folds.define(("v", "visitors"), ("w", "visitors"))
        for at in order:
            folds.store(visitors("vw"[at], "x"), producer="pq"[at], chunk=[f"source{at}", 0, 9])
        for at in order:
            folds.store(visitors("vw"[at], "y"), producer="pq"[at], **({"sequence": 1} if at else {"born": 99}))
        folds.tick()
    assert list(one.partitions[0].producers) != list(two.partitions[0].producers)
    assert list(one.partitions[0].tally) != list(two.partitions[0].tally)
    assert one.partitions[0].alarmed == {"expired": (4, 4)}
    assert two.partitions[0].alarmed == {"expired": (5, 5)}
    two.partitions[0].alarmed = one.partitions[0].alarmed  # where an alarm came is all that differs
    assert state_bytes(one.partitions[0]) == state_bytes(two.partitions[0])
    written = [Writer().write(capture(folds.partitions[0]), position_of(folds)) for folds in (one, two)]
    assert written[0] == written[1]


def test_a_manifest_is_a_value_and_cannot_be_changed() -> None:
    folds = Folds()
    manifest = Store().write(Writer(), capture(folds.partitions[0]), position_of(folds))
    with pytest.raises(AttributeError):
        manifest.epoch = 7  # type: ignore[misc]


# --- what is held by reference ---


def test_a_capture_does_not_change_while_the_folds_go_on() -> None:
    folds = Folds()
    folds.define(("a", "visits"), ("v", "visitors"))
    folds.store(visits("a", 3, keys=["k", "l", "m"]), visitors("v", "x"))
    folds.tick()
    expected, position = folds.state(), position_of(folds)
    captures = [capture(folds.partitions[0]), capture_definitions(folds.definitions, 1)]
    folds.define(("b", "visits"))
    folds.store(visits("a", 3, keys=["n", "k", "o"]), visits("b"), visitors("v", "y"))
    folds.tick(70)
    store = Store()
    manifests = [store.write(Writer(), taken, position) for taken in captures]
    assert restored(store, manifests, 1).state() == expected


@pytest.mark.usefixtures("sizes")
def test_a_state_of_nothing_is_restored() -> None:
    store = Store()
    manifest = store.write(Writer(), capture(Partition(0, 1)), Position("monday"))
    assert state_bytes(store.restore(manifest)) == state_bytes(Partition(0, 1))
    manifest = store.write(Writer(), capture_definitions(Definitions(), 1), Position("monday"))
    assert len(store.restore_definitions(manifest)) == 0


def test_restored_definitions_forget_producers_in_the_same_order() -> None:
    folds, store = Folds(), Store()
    for at, producer in enumerate(("z", "a", "m"), 1):
        folds.definitions.fold(at, Barrier(producer, 1))
    found = store.restore_definitions(
        store.write(Writer(), capture_definitions(folds.definitions, 1), position_of(folds))
    )
    with patched(definitions, PRODUCERS_MAX=3):
        found.fold(4, Barrier("b", 1))
    assert list(found.producers) == ["a", "m", "b"]


# --- keys of the store ---


def test_keys_name_the_epoch_first() -> None:
    assert manifest_key(12, "3") == "cut.12.3"
    assert manifest_key(12, "definitions") == "cut.12.definitions"
    assert blob_key(cut.Ref(b"\x01\xff", 9, 12)) == "blob.12.01ff"


@law(st.sets(st.tuples(st.integers(0, 12), st.sampled_from(["0", "1", "2", "definitions"]))))
def test_a_cut_is_complete_when_all_parts_are_there_and_the_newest_comes_first(stored: set[tuple[int, str]]) -> None:
    found = complete([manifest_key(epoch, part) for epoch, part in stored], 3)
    whole = [
        epoch for epoch in range(13) if {part for at, part in stored if at == epoch} >= {"0", "1", "2", "definitions"}
    ]
    assert found == whole[::-1]


def test_parts_of_more_partitions_do_not_make_a_cut_incomplete() -> None:
    stored = ["cut.9.0", "cut.9.definitions", "cut.8.0", "cut.10.0", "cut.10.definitions", "cut.10.1"]
    assert complete(stored, 1) == [10, 9]
    assert complete([], 1) == []


# --- golden ---


def golden_folds() -> Folds:
    folds = Folds(1)
    folds.define(("google.gmail", "visits"), ("shop", "visitors"))
    folds.store(visits("google.gmail", 2, keys=["k-1", "k-2"], times=300), visitors("shop", "203.0.113.7", "ü"))
    folds.store(visits("google", 1), producer="q", sequence=3)
    folds.store(visits("google.gmail", 5), producer="q", chunk=["file-1", 0, 4096], sequence=4)
    folds.tick()
    return folds


def test_the_bytes_of_a_state_stay_what_they_are() -> None:
    fold = golden_folds().partitions[0]
    assert state_bytes(fold) == golden("state", state_bytes(fold))


def milestone_folds() -> Folds:
    folds = Folds(1)
    folds.define(("google.gmail", "visits"), ("shop", "visitors"))
    winner = ["203.0.113.7", bytes(32), 17, 2, 1_700_000_000_000_000_000]
    proof = [["2025-01-01T00:00:00Z", 3, bytes(16)], 1, 7, 14, bytes(32)]
    folds.tell("milestone/1", "google", 10, "b2")
    folds.tell("verdict/1", "google", 10, folds.sequence, 7)
    folds.tell("reached/1", "google", 10, winner, proof)
    folds.tell("announced/1", "google", 10)
    folds.tell("claimed/1", "google", 10, bytes(32))
    folds.tell("milestone/1", "google.gmail", 100, "b2")
    folds.tell("milestone/1", "shop", 5, "b2")
    folds.tell("verdict/1", "shop", 5, folds.sequence, 0)
    folds.tell("import/1", "shop", 2, "old books", "by hand", folds.sequence)
    folds.tick()
    return folds


def test_the_bytes_of_milestones_and_imports_in_a_cut_stay_what_they_are_and_are_read() -> None:
    folds = milestone_folds()
    data, blobs = Writer().write(capture_definitions(folds.definitions, 1), Position("2025-01-01T00:00:00Z"))
    assert blobs == {}
    found = cut.restore_definitions(cut.read_manifest(golden("cut-milestones", data)), {})
    assert list(found.milestones) == list(folds.definitions.milestones)
    assert len(found.milestones) == 3
    assert found.imports == folds.definitions.imports == {"old books": Imported("shop", 2, "by hand", 10)}


def test_a_cut_from_before_there_were_milestones_has_none() -> None:
    found = cut.restore_definitions(cut.read_manifest(kept("cut-definitions-before-milestones")), {})
    assert found.names == ["google", "google.gmail", "shop"]
    assert (len(found.milestones), found.imports) == (0, {})


@pytest.mark.parametrize("part", ["0", "definitions"])
def test_a_cut_from_before_manifests_had_digests_is_read(part: str) -> None:
    folds = golden_folds()
    manifest = cut.read_manifest(kept(f"cut-{part}-before-digests"))
    assert manifest.digest == b""
    if part == "0":
        found = cut.restore(manifest, {})
        assert found.alarmed == {}
        assert (found.messages_since, found.messages) == (manifest.position.sequence, 0)
        whole = folds.partitions[0]
        found.alarmed, found.messages_since, found.messages = whole.alarmed, whole.messages_since, whole.messages
        assert state_bytes(found) == state_bytes(folds.partitions[0])
    else:
        assert cut.restore_definitions(manifest, {}).names == folds.definitions.names


@pytest.mark.parametrize("part", ["0", "definitions"])
def test_the_bytes_of_a_cut_stay_what_they_are_and_are_read(part: str) -> None:
    folds = golden_folds()
    taken = capture(folds.partitions[0]) if part == "0" else capture_definitions(folds.definitions, 1)
    data, blobs = Writer().write(taken, Position("2025-01-01T00:00:00Z", 5, bytes(range(16))))
    assert blobs == {}
    manifest = cut.read_manifest(golden(f"cut-{part}", data))
    if part == "0":
        assert state_bytes(cut.restore(manifest, {})) == state_bytes(folds.partitions[0])
    else:
        found = cut.restore_definitions(manifest, {})
        assert [found.find(name) for name in found.names] == [folds.definitions.find(name) for name in found.names]
