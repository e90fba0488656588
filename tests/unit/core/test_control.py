"""Control messages as bytes."""

import msgspec
import pytest
from core_golden import golden
from core_laws import law
from core_logs import pack
from hypothesis import strategies as st

from footfall.core.control import (
    Announced,
    Barrier,
    Claimed,
    Control,
    Define,
    Import,
    Milestone,
    Proof,
    Reached,
    Verdict,
    Winner,
    asked,
    decode,
    encode,
)
from footfall.core.names import Unit
from footfall.core.position import Position
from footfall.errors import FormatError, MalformedError

NUMBER = st.integers(0, 3) | st.integers(0, 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
BYTES = st.binary(max_size=8)
WINNER = st.builds(Winner, st.none() | TEXT, BYTES, NUMBER, NUMBER, NUMBER)
PROOF = st.builds(Proof, st.builds(Position, TEXT, NUMBER, BYTES), NUMBER, NUMBER, NUMBER, BYTES)
CONTROL = st.one_of(
    st.builds(Define, TEXT, NUMBER, st.lists(st.tuples(TEXT, st.sampled_from(Unit)), max_size=3).map(tuple)),
    st.builds(Barrier, TEXT, NUMBER, NUMBER, TEXT, st.lists(TEXT, max_size=3).map(tuple)),
    st.builds(Milestone, TEXT, NUMBER, TEXT, NUMBER, TEXT),
    st.builds(Verdict, TEXT, NUMBER, TEXT, NUMBER, NUMBER, NUMBER),
    st.builds(Reached, TEXT, NUMBER, TEXT, NUMBER, WINNER, PROOF),
    st.builds(Announced, TEXT, NUMBER, TEXT, NUMBER),
    st.builds(Claimed, TEXT, NUMBER, TEXT, NUMBER, BYTES),
    st.builds(Import, TEXT, NUMBER, TEXT, NUMBER, TEXT, TEXT, NUMBER),
)
KINDS = ("define", "barrier", "milestone", "verdict", "reached", "announced", "claimed", "import")
REACHED = Reached(
    "b2",
    4,
    "google.gmail",
    100,
    Winner("203.0.113.7", bytes(range(32)), 17, 2, 1_700_000_000_000_000_000),
    Proof(Position("2026-01-01T00:00:00Z", 12, b"\xab" * 16), 3, 97, 5, bytes(range(32, 64))),
)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("define", Define("a1", 1, (("shop", Unit.VISITORS), ("shop.books", Unit.VISITS)))),
        ("barrier", Barrier("a1", 2, 300)),
        ("barrier-asked", Barrier("a1", 3, 0, "b2", ("shop", "shop.books"))),
        ("milestone", Milestone("b2", 2, "google.gmail", 100, "b2")),
        ("verdict", Verdict("b2", 3, "google.gmail", 100, 9, 64)),
        ("reached", REACHED),
        ("announced", Announced("b2", 5, "google.gmail", 100)),
        ("claimed", Claimed("a1", 6, "google.gmail", 100, bytes(range(32)))),
        ("import", Import("a1", 7, "google", 10**9, "analytics-2019", "counted by the old program", 20)),
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
    tag, *rest = msgspec.msgpack.decode(encode(message))
    assert tag == f"{type(message).__name__.lower()}/1"
    assert rest == [plain(value) for value in msgspec.structs.astuple(message)]


def plain(value: object) -> object:
    """A value as an array of arrays: a struct is its fields in their order, a unit its name."""
    if isinstance(value, msgspec.Struct):
        return [plain(one) for one in msgspec.structs.astuple(value)]
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    return value.value if isinstance(value, Unit) else value


@law(CONTROL, CONTROL)
def test_control_messages_are_equal_just_where_their_bytes_are(one: Control, two: Control) -> None:
    assert (encode(one) == encode(two)) == (one == two)


def test_control_messages_are_values_and_cannot_be_changed() -> None:
    for value in (Define("a1", 1, ()), Barrier("a1", 1), REACHED, REACHED.winner, REACHED.proof.cut):
        with pytest.raises(AttributeError):
            value.sequence = 9  # type: ignore[misc]


def test_a_barrier_without_an_epoch_asks_for_no_cut() -> None:
    assert decode(pack(["barrier/1", "a1", 2])) == Barrier("a1", 2, 0)


def test_a_barrier_as_it_was_written_before_there_were_readers_asks_for_nothing() -> None:
    assert decode(pack(["barrier/1", "a1", 2, 300])) == Barrier("a1", 2, 300, "", ())


# --- who wants to know what ---


@law(CONTROL)
def test_barriers_and_milestones_ask_for_their_counters_and_nothing_else_asks(message: Control) -> None:
    if isinstance(message, Barrier):
        assert asked(message) == (message.reader, message.counters)
    elif isinstance(message, Milestone):
        assert asked(message) == (message.reader, (message.counter,))
    else:
        assert asked(message) == ("", ())


def test_a_barrier_asks_for_the_counters_that_it_names_and_a_milestone_for_its_own() -> None:
    assert asked(Barrier("a1", 1, 0, "b2", ("google", "shop"))) == ("b2", ("google", "shop"))
    assert asked(Milestone("b2", 1, "google", 10, "b2")) == ("b2", ("google",))


# --- what is no control message ---


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


@pytest.mark.parametrize("tag", ["barrier/10", *(f"{kind}/2" for kind in KINDS)])
def test_a_newer_version_asks_for_an_upgrade(tag: str) -> None:
    known = " ".join(f"{kind}/1" for kind in KINDS)
    with pytest.raises(FormatError, match=f"{tag}, and this version reads {known}: upgrade") as refusal:
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
        ["barrier/1", "a1", 1, 0, None],
        ["barrier/1", "a1", 1, 0, "b2", "shop"],
        ["milestone/1", "a1", 1],
        ["milestone/1", "a1", 1, "shop", "100"],
        ["verdict/1", "a1", 1, "shop", 100, 9],
        ["reached/1", "a1", 1, "shop", 100, ["x", b"", 1, 2, 3], None],
        ["reached/1", "a1", 1, "shop", 100, ["x", b"", 1, 2], [["t", 0, b""], 0, 0, 0, b""]],
        ["claimed/1", "a1", 1, "shop", 100, "text"],
        ["import/1", "a1", 1, "shop", 100, "source", "note"],
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
