"""What nodes say to each other: it reads back as it was said, and anything else is refused."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.errors import MalformedError
from footfall.node import messages
from footfall.node.messages import Beat, Digests, Done, Gather, Rows, Said, SourceQuery

SEQUENCE = st.integers(0, 2**63 - 1)
PARTITION = st.integers(0, 255)
FOLDED = st.dictionaries(PARTITION, SEQUENCE, max_size=3)
TEXT = st.text(max_size=5)
SAID = st.one_of(
    st.builds(Beat, TEXT, TEXT, TEXT, TEXT, SEQUENCE, FOLDED, st.dictionaries(PARTITION, st.floats(0, 1e6))),
    st.builds(Rows, TEXT, TEXT, SEQUENCE, st.lists(PARTITION), st.lists(SEQUENCE), st.binary(), st.binary(), SEQUENCE),
    st.builds(Done, TEXT, TEXT, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE, FOLDED),
    st.builds(Digests, TEXT, SEQUENCE, st.lists(st.integers(0, 2**64 - 1), max_size=3)),
    st.builds(Gather, TEXT, SEQUENCE, st.dictionaries(TEXT, st.tuples(TEXT, SEQUENCE), max_size=3)),
)
many = settings(max_examples=100, deadline=None)
DEEP = b"\x91" * 100_000 + b"\x01"


def rows(numbers: list[int], entries: list[list[int]], columns: list[int]) -> Rows:
    held = np.array(numbers, np.int32).tobytes(), np.array(entries, np.int64).tobytes()
    return Rows("n", "run", 1, columns, [9] * len(columns), *held)


@many
@given(SAID)
def test_what_is_said_reads_back(said: Said) -> None:
    assert messages.decode(messages.encode(said)) == said


@many
@given(st.text(max_size=9), SEQUENCE)
def test_a_question_and_its_answer_read_back(source: str, sequence: int) -> None:
    query = SourceQuery(source, sequence)
    assert messages.decode_query(messages.encode(query)) == query
    assert messages.decode_position(messages.encode(sequence)) == sequence


@many
@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_refused_or_are_what_they_decode_to(data: bytes) -> None:
    for decode in (messages.decode, messages.decode_query, messages.decode_position):
        try:
            said = decode(data)
        except MalformedError:
            continue
        assert decode(messages.encode(said)) == said


@many
@given(SAID, st.data())
def test_torn_and_flipped_messages_are_refused_or_are_what_they_decode_to(said: Said, data: st.DataObject) -> None:
    whole = messages.encode(said)
    at = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(MalformedError):
        messages.decode(whole[:at])
    flipped = bytearray(whole)
    flipped[at] ^= data.draw(st.integers(1, 255))
    try:
        heard = messages.decode(bytes(flipped))
    except MalformedError:
        return
    if isinstance(heard, Rows):
        try:
            numbers, entries = messages.arrays(heard)
        except MalformedError:
            return
        assert entries.shape == (len(numbers), len(heard.columns))


@pytest.mark.parametrize("tag", ["beat", "rows", "done", "digests", "gather", "source", "new"])
def test_messages_that_are_nested_too_deeply_are_refused(tag: str) -> None:
    start = {"digests": ["digests", "n", 1, [2]], "gather": ["gather", "n", 1, {}], "source": ["source", "a", 1]}
    said = msgspec.msgpack.encode(start.get(tag, [tag]))
    data = bytes([said[0] + 1]) + said[1:] + DEEP
    for decode in (messages.decode, messages.decode_query, messages.decode_position):
        with pytest.raises(MalformedError):
            decode(data)


def test_rows_are_read_as_counters_and_entries() -> None:
    numbers, entries = messages.arrays(rows([3, 5], [[1, 2, 3], [4, 5, 6]], [0, 2, 3]))
    assert numbers.tolist() == [3, 5]
    assert entries.tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    "change",
    [
        {"numbers": b"\0" * 7},
        {"numbers": b"\0" * 12},
        {"entries": b"\0" * 47},
        {"entries": b"\0" * 56},
        {"entries": b""},
        {"numbers": b""},
        {"numbers": b"\0\0\0", "entries": b""},
        {"columns": [0, 1]},
        {"beyond": [9, 9]},
        {"columns": [], "beyond": []},
    ],
)
def test_rows_whose_shapes_do_not_fit_are_refused(change: dict[str, object]) -> None:
    sound = rows([3, 5], [[1, 2, 3], [4, 5, 6]], [0, 2, 3])
    with pytest.raises(MalformedError, match="node n sent"):
        messages.arrays(msgspec.structs.replace(sound, **change))


@many
@given(st.binary(max_size=40), st.binary(max_size=80), st.integers(0, 4), st.integers(0, 4))
def test_rows_of_arbitrary_bytes_are_refused_or_have_the_shape_that_they_say(
    numbers: bytes, entries: bytes, columns: int, beyond: int
) -> None:
    said = Rows("n", "run", 1, list(range(columns)), [9] * beyond, numbers, entries)
    fits = len(numbers) % 4 == 0 and len(entries) == 2 * len(numbers) * columns and columns == beyond
    if fits:
        assert messages.arrays(said)[1].shape == (len(numbers) // 4, columns)
    else:
        with pytest.raises(MalformedError):
            messages.arrays(said)
