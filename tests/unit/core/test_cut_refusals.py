"""A checkpoint that is not what was written is refused, never counted on."""

from collections.abc import Iterator
from hashlib import sha256

import msgspec
import pytest
from core_cuts import Store, changed, position_of, refused, restored, write_all
from core_logs import Folds, home, pack, visitors, visits
from core_patches import patched
from hypothesis import given
from hypothesis import strategies as st

from footfall.core import cut, cut_writer
from footfall.core.cut import Manifest, Ref, blob_key, check_parts, read_manifest
from footfall.core.position import Position
from footfall.errors import CheckpointError, FormatError, IntegrityError

PARTITIONS = 2


def folds_of() -> Folds:
    folds = Folds(PARTITIONS)
    folds.define(("a.b", "visits"), ("v", "visitors"))
    for partition in range(PARTITIONS):
        folds.store(visits("a.b", 1 + partition, times=10**6), partition=partition)
    folds.store(visitors("v", "x"), partition=home("x", PARTITIONS))
    folds.store(visits("a.b", keys=["k"]), partition=home("k", PARTITIONS))
    folds.tick()
    return folds


@pytest.fixture
def nothing_inline() -> Iterator[None]:
    with patched(cut_writer, INLINE_BYTES_MAX=0):
        yield


@pytest.fixture
def store() -> Store:
    return Store()


# --- blobs ---


@pytest.mark.usefixtures("nothing_inline")
def test_every_blob_that_is_missing_torn_flipped_or_foreign_is_noticed(store: Store) -> None:
    for manifest in write_all(store, folds_of()):
        blobs = store.blobs(manifest)
        assert len(blobs) >= 2
        for key, data in blobs.items():
            where = f"{key} of part {manifest.part} of cut 1"
            assert refused(manifest, {k: v for k, v in blobs.items() if k != key}) == f"{where} is missing"
            foreign = next(other for other in blobs if other != key)
            for wrong in (b"", data[:-1], data + b"\0", bytes([data[0] ^ 1]) + data[1:], blobs[foreign]):
                assert refused(manifest, {**blobs, key: wrong}) == f"{where} was changed"


def test_an_inline_blob_that_was_changed_is_noticed(store: Store) -> None:
    for manifest in write_all(store, folds_of()):
        assert store.blobs(manifest) == {}
        for digest, data in manifest.inline.items():
            torn = changed(manifest, inline={**manifest.inline, digest: data[:-1] + b"\xff\xff"})
            assert refused(torn, {}).endswith("was changed")
            gone = changed(manifest, inline={d: v for d, v in manifest.inline.items() if d != digest})
            assert refused(gone, {}).endswith("is missing")


@pytest.mark.parametrize("content", [b"", b"\xc1", b"text", pack(5), pack([1]), pack([[1, 2, 3]]), b"\x91\xa1\xff"])
@pytest.mark.parametrize("place", ["meta", "body", "visitors"])
def test_blobs_that_are_whole_and_still_make_no_state_are_refused(store: Store, content: bytes, place: str) -> None:
    """What a broken writer could store."""
    content = content * 40 if place == "body" else content
    ref = Ref(sha256(content).digest(), len(content), 1)
    for manifest in write_all(store, folds_of()):
        if (place, manifest.part) in (("body", "0"), ("body", "1")) and not content:
            continue
        if place == "visitors" and manifest.part == cut.DEFINITIONS:
            continue
        refs = ((ref,),) if place == "visitors" else (ref,)
        inline = {digest: data for digest, data in manifest.inline.items() if digest != ref.digest}
        message = refused(changed(manifest, inline=inline, **{place: refs}), {blob_key(ref): content})
        assert message.startswith(("partition ", "the definitions of cut 1 cannot be read"))
        assert "cannot be read" in message


def test_hashes_of_a_wrong_size_are_refused(store: Store) -> None:
    content = pack([[0, b"1234567"]])
    ref = Ref(sha256(content).digest(), len(content), 1)
    manifest = changed(write_all(store, folds_of())[0], visitors=((ref,),))
    assert "partition 0 of cut 1 cannot be read" in refused(manifest, {blob_key(ref): content})


# --- manifests ---


@pytest.mark.parametrize("part", [0, PARTITIONS])
def test_a_flipped_bit_of_a_manifest_is_noticed_or_changes_nothing(store: Store, part: int) -> None:
    folds = folds_of()
    manifests = write_all(store, folds)
    data = store.values[cut.manifest_key(1, manifests[part].part)]
    noticed = 0
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            parts = [*manifests[:part], read_manifest(bytes(flipped)), *manifests[part + 1 :]]
            found = restored(store, parts, PARTITIONS)
        except IntegrityError:
            noticed += 1
        else:
            assert found.state() == folds.state()
    assert noticed > 7 * len(data)


@given(st.data())
def test_whatever_is_written_over_a_manifest_is_noticed(drawn: st.DataObject) -> None:
    store = Store()
    write_all(store, folds_of())
    data = store.values["cut.1.0"]
    at = drawn.draw(st.integers(0, len(data) - 1))
    over = drawn.draw(st.binary(min_size=1, max_size=64))
    changed_data = (data[:at] + over + data[at + len(over) :])[: len(data)]
    if changed_data == data:
        assert read_manifest(changed_data) == read_manifest(data)
    else:
        with pytest.raises(IntegrityError):
            read_manifest(changed_data)


@pytest.mark.parametrize("part", range(PARTITIONS + 1))
def test_a_state_is_verified_without_being_restored(store: Store, part: int) -> None:
    manifest = write_all(store, folds_of())[part]
    cut.verify(manifest, {})
    bare = changed(manifest, inline={})
    blobs = {blob_key(ref): manifest.inline[ref.digest] for ref in manifest.refs()}
    cut.verify(bare, blobs)
    for key, data in blobs.items():
        with pytest.raises(CheckpointError, match="was changed"):
            cut.verify(bare, {**blobs, key: data + b"x"})
        others = {other: blobs[other] for other in blobs if other != key}
        with pytest.raises(CheckpointError, match="is missing"):
            cut.verify(bare, others)
        cut.verify(bare, others, known={key})
        torn = changed(manifest, inline=dict.fromkeys(manifest.inline, b"x"))
        with pytest.raises(CheckpointError, match="was changed"):
            cut.verify(torn, {}, known=set(blobs))


def test_a_manifest_that_is_torn_anywhere_or_nothing_at_all_is_refused(store: Store) -> None:
    write_all(store, folds_of())
    data = store.values["cut.1.0"]
    for size in range(len(data)):
        with pytest.raises(CheckpointError, match=f"a manifest of {size} bytes is torn"):
            read_manifest(data[:size])
    for other in (b"\xc1", b"\x91\xa1\xff", data + b"\0", pack(["batch/2"]), b"\x91" * 100_000):
        with pytest.raises(CheckpointError, match="is torn"):
            read_manifest(other)


def test_a_manifest_with_a_deeply_nested_end_is_refused(store: Store) -> None:
    write_all(store, folds_of())
    data = store.values["cut.1.0"]
    with pytest.raises(CheckpointError, match="is torn"):
        read_manifest(bytes([data[0] + 1]) + data[1:] + b"\x91" * 100_000 + b"\x90")


def test_a_manifest_of_a_newer_version_asks_for_an_upgrade(store: Store) -> None:
    for message in (["cut/2"], ["cut/17", "0", {}]):
        with pytest.raises(FormatError, match=f"{message[0]}, and this version reads cut/1: upgrade"):
            read_manifest(pack(message))


# --- the parts of a cut ---


@pytest.fixture
def manifests(store: Store) -> list[Manifest]:
    return write_all(store, folds_of())


def test_the_parts_of_a_cut_have_one_position(manifests: list[Manifest]) -> None:
    assert check_parts(manifests, 1, PARTITIONS) == position_of(folds_of())
    assert check_parts(manifests[::-1], 1, PARTITIONS) == manifests[0].position


@pytest.mark.parametrize(("part", "name"), [(0, "0"), (1, "1"), (2, "definitions")])
def test_a_cut_that_lacks_a_part_is_refused(manifests: list[Manifest], part: int, name: str) -> None:
    with pytest.raises(CheckpointError, match=f"cut 1 lacks {name}$"):
        check_parts([manifest for at, manifest in enumerate(manifests) if at != part], 1, PARTITIONS)


def test_a_cut_of_no_parts_lacks_all() -> None:
    with pytest.raises(CheckpointError, match=r"cut 1 lacks 0, 1, definitions$"):
        check_parts([], 1, PARTITIONS)


def test_a_cut_with_a_part_too_many_is_refused(manifests: list[Manifest]) -> None:
    with pytest.raises(CheckpointError, match="cut 1 lacks nothing, but has strange parts"):
        check_parts([*manifests, changed(manifests[0], part="2")], 1, PARTITIONS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epoch": 2},
        {"partitions": 3},
        {"position": Position("tuesday", 6, b"\0" * 15 + b"\x06")},
        {"position": Position("monday", 5, b"\0" * 15 + b"\x06")},
        {"position": Position("monday", 6, b"\0" * 15 + b"\x05")},
    ],
)
@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_part_of_another_barrier_or_log_is_refused(
    manifests: list[Manifest], part: int, wrong: dict[str, object]
) -> None:
    assert manifests[0].position == Position("monday", 6, b"\0" * 15 + b"\x06")
    manifests[part] = changed(manifests[part], **wrong)
    with pytest.raises(CheckpointError, match="the parts of cut 1 are not of one barrier of one log"):
        check_parts(manifests, 1, PARTITIONS)


def test_parts_that_all_are_of_another_epoch_or_number_of_partitions_are_refused(manifests: list[Manifest]) -> None:
    for wrong in ({"epoch": 2}, {"partitions": 3}):
        with pytest.raises(CheckpointError, match="not of one barrier"):
            check_parts([changed(manifest, **wrong) for manifest in manifests], 1, PARTITIONS)


def test_a_manifest_is_read_as_it_was_written(store: Store, manifests: list[Manifest]) -> None:
    for manifest in manifests:
        data = store.values[cut.manifest_key(1, manifest.part)]
        assert msgspec.msgpack.encode(manifest) == data


def test_a_manifest_that_moved_into_another_log_is_read_there_and_is_else_the_same(store: Store) -> None:
    elsewhere = Position("tuesday", 7, bytes(16))
    for manifest in write_all(store, folds_of()):
        found = read_manifest(cut.moved(manifest, elsewhere))
        assert (found.position, found.digest) != (manifest.position, manifest.digest)
        assert changed(found, position=manifest.position, digest=manifest.digest) == manifest
