"""Control messages as bytes."""

import pytest
from core_golden import golden
from core_laws import law
from core_logs import pack
from hypothesis import strategies as st

from footfall.core.control import Barrier, Control, Define, decode, encode
from footfall.core.names import Unit
from footfall.errors import FormatError, MalformedError

NUMBER = st.integers(0, 3) | st.integers(0, 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
CONTROL = st.builds(
    Define, TEXT, NUMBER, st.lists(st.tuples(TEXT, st.sampled_from(Unit)), max_size=3).map(tuple)
) | st.builds(Barrier, TEXT, NUMBER, NUMBER)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("define", Define("a1", 1, (("shop", Unit.VISITORS), ("shop.books", Unit.VISITS)))),
        ("barrier", Barrier("a1", 2, 300)),
    ],
)
def test_the_bytes_of_control_messages_stay_what_they_are(name: str, message: Control) -> None:
    assert decode(golden(name, encode(message))) == message


@law(CONTROL)
def test_a_control_message_is_read_as_it_was_written(message: Control) -> None:
    assert decode(encode(message)) == message
    assert type(decode(encode(message))) is type(message)


@law(CONTROL)
def test_a_control_message_is_written_as_the_plain_array_that_the_page_describes(message: Control) -> None:
    if isinstance(message, Define):
        counters = [[name, unit.value] for name, unit in message.counters]
        assert encode(message) == pack(["define/1", message.producer, message.sequence, counters])
    else:
        assert encode(message) == pack(["barrier/1", message.producer, message.sequence, message.epoch])


@law(CONTROL, CONTROL)
def test_control_messages_are_equal_just_where_their_bytes_are(one: Control, two: Control) -> None:
    assert (encode(one) == encode(two)) == (one == two)


def test_control_messages_are_values_and_cannot_be_changed() -> None:
    for value in (Define("a1", 1, ()), Barrier("a1", 1)):
        with pytest.raises(AttributeError):
            value.sequence = 9  # type: ignore[misc]


def test_a_barrier_without_an_epoch_asks_for_no_cut() -> None:
    assert decode(pack(["barrier/1", "a1", 2])) == Barrier("a1", 2, 0)


@law(st.binary(max_size=64))
def test_arbitrary_bytes_are_refused_as_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError):
        decode(data)


@law(CONTROL, st.data())
def test_a_changed_message_is_read_or_refused_and_nothing_else_happens(message: Control, data: st.DataObject) -> None:
    changed = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = decode(bytes(changed))
    except FormatError:
        return
    assert decode(encode(read)) == read


@pytest.mark.parametrize("tag", ["define/2", "barrier/2", "barrier/10"])
def test_a_newer_version_asks_for_an_upgrade(tag: str) -> None:
    with pytest.raises(FormatError, match=f"{tag}, and this version reads define/1 barrier/1: upgrade") as refusal:
        decode(pack([tag, "a1", 1, "whatever"]))
    assert not isinstance(refusal.value, MalformedError)


@pytest.mark.parametrize(
    "message",
    [
        ["define/1"],
        ["define/1", "a1", 1, "a"],
        ["define/1", "a1", 1, [["a"]]],
        ["define/1", "a1", 1, [["a", "hits"]]],
        ["define/1", "a1", 1, [["a", "visits", 1]]],
        ["define/one", "a1", 1, []],
        ["barrier/1", "a1"],
        ["barrier/1", "a1", "1"],
        ["batch/1", "a1", 0, 1, []],
        ["batch/2"],
        ["milestone/1", "a1", 1],
        [],
    ],
)
def test_a_message_of_another_kind_or_shape_is_malformed(message: object) -> None:
    with pytest.raises(MalformedError):
        decode(pack(message))


def test_arrays_nested_too_deeply_are_malformed() -> None:
    for prefix in (b"", b"\x95\xa9barrier/1\xa1a\x01\x00", b"\x94\xa8define/1\xa1a\x01"):
        with pytest.raises(MalformedError):
            decode(prefix + b"\x91" * 100_000 + b"\x90")
