"""Batches as bytes: read back as written, and anything else refused with the right error."""

import msgspec
import pytest
from core_golden import golden
from core_laws import law
from core_logs import pack as packed
from hypothesis import strategies as st

from footfall.core.batch import Batch, Chunk, Section, decode, encode, pack, unpack
from footfall.core.names import Unit
from footfall.errors import FormatError, MalformedError

NUMBER = st.integers(0, 3) | st.integers(0, 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SECTION = st.builds(
    Section, TEXT, st.sampled_from(Unit), NUMBER, st.none() | st.binary(max_size=8), st.none() | st.binary(max_size=8)
)
BATCH = st.builds(
    Batch,
    tag=st.just("batch/1"),
    producer=TEXT,
    born=NUMBER,
    sequence=NUMBER,
    sections=st.lists(SECTION, max_size=3),
    chunk=st.none() | st.builds(Chunk, TEXT, NUMBER, NUMBER),
)

PLAIN = Batch("batch/1", "a1", 7, 1, [Section("google.gmail", Unit.VISITS, 2, pack(["203.0.113.7", "2001:db8::7"]))])
KEYED = Batch(
    "batch/1", "a1", 7, 2, [Section("google", Unit.VISITS, 2, pack(["203.0.113.7", "ü"]), pack(["k-1", "k-2"]), 300)]
)
VISITORS = Batch(
    "batch/1", "a1", 7, 3, [Section("shop", Unit.VISITORS, 1, pack(["203.0.113.7"])), Section("a", Unit.VISITS, 1000)]
)
CHUNK = Batch("batch/1", "a1", 7, 2**40, [Section("a", Unit.VISITS, 1)], Chunk("file-1", 4096, 2**33))


@pytest.mark.parametrize(
    ("name", "batch"),
    [("batch-plain", PLAIN), ("batch-keyed", KEYED), ("batch-visitors", VISITORS), ("batch-chunk", CHUNK)],
)
def test_the_bytes_of_batches_stay_what_they_are(name: str, batch: Batch) -> None:
    assert decode(golden(name, encode(batch))) == batch


@law(BATCH)
def test_a_batch_is_read_as_it_was_written(batch: Batch) -> None:
    assert decode(encode(batch)) == batch


@law(BATCH)
def test_a_batch_is_written_as_the_plain_array_that_the_page_describes(batch: Batch) -> None:
    chunk = batch.chunk
    plain = [
        "batch/1",
        batch.producer,
        batch.born,
        batch.sequence,
        [[s.leaf, s.unit.value, s.entries, s.visitors, s.keys, s.times] for s in batch.sections],
        None if chunk is None else [chunk.source, chunk.start, chunk.end],
    ]
    assert encode(batch) == packed(plain)


@law(BATCH, BATCH)
def test_batches_are_equal_just_where_their_bytes_are(one: Batch, two: Batch) -> None:
    assert (encode(one) == encode(two)) == (one == two)
    assert encode(one) == encode(msgspec.structs.replace(one, sections=tuple(one.sections)))


def test_batches_are_values_and_cannot_be_changed() -> None:
    for value, name in ((PLAIN, "sequence"), (PLAIN.sections[0], "times"), (CHUNK.chunk, "end")):
        with pytest.raises(AttributeError):
            setattr(value, name, 9)


@law(st.lists(TEXT))
def test_texts_are_unpacked_as_they_were_packed(texts: list[str]) -> None:
    assert unpack(pack(texts)) == texts


@law(st.binary(max_size=64))
def test_arbitrary_bytes_are_refused_as_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError, match=r"is not a message of the log|has the wrong shape"):
        decode(data)


@law(st.binary(max_size=32))
def test_arbitrary_bytes_unpack_to_texts_or_are_malformed(data: bytes) -> None:
    try:
        texts = unpack(data)
    except MalformedError:
        return
    assert unpack(pack(texts)) == texts


@law(BATCH, st.data())
def test_a_changed_batch_is_read_or_refused_and_nothing_else_happens(batch: Batch, data: st.DataObject) -> None:
    changed = bytearray(encode(batch))
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    del changed[data.draw(st.integers(len(changed) // 2, len(changed))) :]
    try:
        read = decode(bytes(changed))
    except FormatError:
        return
    assert decode(encode(read)) == read


@pytest.mark.parametrize("cut", range(1, 55))
def test_a_torn_batch_is_malformed(cut: int) -> None:
    with pytest.raises(MalformedError):
        decode(encode(PLAIN)[:-cut])


@pytest.mark.parametrize("tag", ["batch/2", "batch/10", "batch/12345"])
def test_a_newer_version_asks_for_an_upgrade_whatever_its_shape(tag: str) -> None:
    for message in ([tag], [tag, "a1", 7, 1, []], [tag, {"whatever": None}]):
        with pytest.raises(FormatError, match=f"holds a message of format {tag}, .* upgrade Footfall") as refusal:
            decode(packed(message))
        assert not isinstance(refusal.value, MalformedError)


@pytest.mark.parametrize(
    "message",
    [
        [],
        {},
        "batch/1",
        ["batch/1"],
        ["batch"],
        ["batch/"],
        ["batch/x"],
        ["batch/-2"],
        ["define/2"],
        ["sections/2", "a1", 7, 1, []],
        [1, "a1", 7, 1, []],
        [None],
        [["batch/2"]],
        ["batch/1", "a1", 7, 1],
        ["batch/1", 1, 7, 1, []],
        ["batch/1", "a1", -1.5, 1, []],
        ["batch/1", "a1", 7, 1, [["a", "hits", 1]]],
        ["batch/1", "a1", 7, 1, [["a", "visits"]]],
        ["batch/1", "a1", 7, 1, [["a", "visits", 1, "text, not bytes"]]],
        ["batch/1", "a1", 7, 1, [], ["source", 0]],
    ],
)
def test_a_message_of_another_kind_or_shape_is_malformed(message: object) -> None:
    with pytest.raises(MalformedError):
        decode(packed(message))


@pytest.mark.parametrize("prefix", [b"", b"\x97\xa7batch/1\xa1a\x00\x01\x90\xc0", b"\x92\xa7batch/1", b"\x91"])
def test_arrays_nested_too_deeply_are_malformed(prefix: bytes) -> None:
    with pytest.raises(MalformedError):
        decode(prefix + b"\x91" * 100_000 + b"\x90")


def test_texts_that_are_not_utf8_are_malformed() -> None:
    with pytest.raises(MalformedError):
        decode(b"\x95\xa7batch/1\xa1\xff\x00\x01\x90")
    with pytest.raises(MalformedError):
        decode(b"\x91\xa1\xff")
    for data in (b"\x91\xa1\xff", b"\x91\xa3\xed\xa0\x80", b"\x91\x01", b"\xc1", b"", b"\x91" * 100_000):
        with pytest.raises(MalformedError, match="not a list of texts"):
            unpack(data)


def test_optional_elements_may_be_left_out_and_later_ones_are_ignored() -> None:
    section = ["a", "visits", 3]
    assert decode(packed(["batch/1", "a1", 7, 1, [section]])) == Batch(
        "batch/1", "a1", 7, 1, [Section("a", Unit.VISITS, 3, None, None, 1)], None
    )
    later = ["batch/1", "a1", 7, 1, [[*section, None, None, 1, "new"]], None, "new"]
    assert decode(packed(later)) == decode(packed(["batch/1", "a1", 7, 1, [section]]))
