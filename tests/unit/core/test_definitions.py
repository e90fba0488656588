"""The counters that exist: the fold of the control subject."""

import pytest
from core_laws import law
from core_patches import patched
from hypothesis import strategies as st

from footfall.core import definitions as module
from footfall.core.control import Barrier, Control, Define, Import, Milestone, Verdict
from footfall.core.definitions import Definition, Definitions
from footfall.core.names import Unit, lineage
from footfall.core.partition import Partition

VISITS, VISITORS = Unit.VISITS, Unit.VISITORS
NAME = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(".".join)
DEFINES = st.lists(st.lists(st.tuples(NAME, st.sampled_from(Unit)), max_size=3).map(tuple), max_size=8)


def folded(*messages: Control) -> Definitions:
    definitions = Definitions()
    for sequence, message in enumerate(messages, 1):
        definitions.fold(sequence, message)
    return definitions


def defined(*counters: tuple[str, Unit]) -> Definitions:
    return folded(*(Define("c", sequence, (counter,)) for sequence, counter in enumerate(counters, 1)))


@law(DEFINES)
def test_the_first_definition_of_a_name_holds_and_ancestors_without_one_count_visits(
    defines: list[tuple[tuple[str, Unit], ...]],
) -> None:
    expected: dict[str, tuple[Unit, int]] = {}
    definitions = Definitions()
    for sequence, counters in enumerate(defines, 1):
        assert definitions.fold(sequence, Define("c", sequence, counters)) == []
        for name, unit in counters:
            for ancestor in lineage(name)[:-1]:
                expected.setdefault(ancestor, (VISITS, sequence))
            expected.setdefault(name, (unit, sequence))
        assert len(definitions) == len(expected)
        for number, (name, (unit, since)) in enumerate(expected.items()):
            path = lineage(name)
            numbers = [list(expected).index(one) for one in path]
            assert definitions.find(name) == Definition(
                name=name,
                unit=unit,
                number=number,
                since=since,
                visits=tuple(n for n, one in zip(numbers, path, strict=True) if expected[one][0] is VISITS),
                visitors=tuple(n for n, one in zip(numbers, path, strict=True) if expected[one][0] is VISITORS),
            )
            assert definitions.number(name) == number
            assert definitions.unit(number) is unit
            assert definitions.names[number] == name


def test_a_counter_that_nobody_defined_is_not_found() -> None:
    definitions = defined(("a.b", VISITS))
    assert definitions.find("a.b.c") is definitions.find("b") is None
    assert definitions.number("b") is None


def test_a_definition_does_not_change_when_more_are_defined() -> None:
    definitions = defined(("a.b", VISITORS))
    before = definitions.find("a.b")
    definitions.fold(2, Define("c", 2, (("a", VISITORS), ("a.b", VISITS), ("a.b.c", VISITS))))
    assert definitions.find("a.b") == before
    assert before == Definition("a.b", VISITORS, 1, 1, (0,), (1,))


def test_a_definition_is_a_value_and_cannot_be_changed() -> None:
    found = defined(("a", VISITS)).find("a")
    with pytest.raises(AttributeError):
        found.since = 9  # type: ignore[union-attr, misc]


def test_definitions_are_found_again_when_there_are_more_than_are_kept_at_hand() -> None:
    definitions = defined(*((f"n{at}", VISITS) for at in range(10)))
    with patched(module, CACHE_MAX=3):
        for _ in range(2):
            for at in range(10):
                assert definitions.find(f"n{at}") == Definition(f"n{at}", VISITS, at, at + 1, (at,), ())
        assert len(definitions._cache) <= 3


def test_a_name_that_is_none_raises_an_alarm_and_the_others_are_defined() -> None:
    definitions = Definitions()
    alarms = definitions.fold(9, Define("c", 1, (("a", VISITS), ("b..", VISITS), ("ü" * 99, VISITS), ("d", VISITS))))
    assert [(alarm.kind, alarm.sequence) for alarm in alarms] == [("malformed", 9)] * 2
    assert "'b..'" in alarms[0].detail
    assert alarms[1].detail == f"'{'ü' * 60}' cannot name a counter"
    assert definitions.names == ["a", "d"]


# --- the bound on counters ---


def test_no_more_counters_are_defined_than_the_log_may_hold() -> None:
    definitions = Definitions()
    with patched(module, COUNTERS_MAX=4):
        counters = (("a.b", VISITS), ("a.b.c.d.e", VISITS), ("x", VISITORS), ("y.z", VISITS), ("a.b.c", VISITS))
        alarms = definitions.fold(1, Define("c", 1, counters))
        assert [alarm.kind for alarm in alarms] == ["counters", "counters"]
        assert alarms[0] == ("counters", "a.b.c.d.e is not defined: the log holds 4 counters", 1)
        assert definitions.names == ["a", "a.b", "x", "a.b.c"]
        assert definitions.fold(2, Define("c", 2, (("a.b", VISITORS), ("x", VISITORS)))) == []
        assert [a.kind for a in definitions.fold(3, Define("c", 3, (("q", VISITORS),)))] == ["counters"]
    assert len(definitions) == 4


# --- producers ---


def test_a_repeat_of_a_definition_defines_nothing() -> None:
    definitions = folded(Define("c", 1, (("a", VISITS),)), Define("c", 2, (("b", VISITS),)))
    assert definitions.fold(3, Define("c", 2, (("z", VISITS),))) == []
    assert definitions.fold(4, Define("c", 1, (("z", VISITS),))) == []
    assert definitions.names == ["a", "b"]
    assert definitions.sequence == 4


def test_a_gap_in_a_producers_control_messages_raises_an_alarm_and_the_message_counts() -> None:
    definitions = folded(Define("c", 1, ()))
    (alarm,) = definitions.fold(2, Define("c", 4, (("a", VISITS),)))
    assert alarm == ("gap", "producer c: control 2 to 3 lost", 2)
    assert definitions.names == ["a"]
    assert definitions.fold(3, Barrier("c", 5)) == []
    assert [alarm.kind for alarm in definitions.fold(4, Barrier("d", 2))] == ["gap"]


def test_the_producer_that_came_first_is_forgotten_when_there_are_too_many() -> None:
    definitions = Definitions()
    with patched(module, PRODUCERS_MAX=3):
        for at, producer in enumerate("abcd", 1):
            assert definitions.fold(at, Define(producer, 1, ())) == []
        assert definitions.producers == {"b": 1, "c": 1, "d": 1}
        assert definitions.fold(5, Define("b", 2, ())) == []
        assert list(definitions.producers.items()) == [("b", 2), ("c", 1), ("d", 1)]


def test_a_forgotten_producer_causes_no_more_than_a_false_alarm() -> None:
    definitions = Definitions()
    with patched(module, PRODUCERS_MAX=1):
        definitions.fold(1, Define("a", 1, (("x", VISITORS),)))
        definitions.fold(2, Define("b", 1, ()))
        assert [alarm.kind for alarm in definitions.fold(3, Define("a", 2, (("x", VISITS),)))] == ["gap"]
    assert definitions.unit(0) is VISITORS


# --- epochs ---


@law(st.lists(st.tuples(st.sampled_from("cd"), st.integers(0, 4), st.integers(0, 4)), max_size=12))
def test_epochs_begin_in_the_definitions_just_where_they_begin_in_a_partition(
    drawn: list[tuple[str, int, int]],
) -> None:
    definitions, partition = Definitions(), Partition(0, 1)
    epoch = 0
    for at, (producer, sequence, to) in enumerate(drawn, 1):
        message = Barrier(producer, sequence, to)
        epoch += to == epoch + 1
        definitions.fold(at, message)
        partition.fold_control(at, message, definitions)
        assert definitions.epoch == partition.epoch == epoch


def test_control_messages_are_taken_in_log_order_only() -> None:
    definitions = folded(Barrier("c", 1, 1))
    for sequence in (0, 1):
        with pytest.raises(AssertionError):
            definitions.fold(sequence, Barrier("c", 2, 2))


# --- passing over what another has folded ---


@law(DEFINES, st.data())
def test_definitions_that_catch_up_with_later_ones_are_what_folding_would_have_made_of_them(
    defines: list[tuple[tuple[str, Unit], ...]], data: st.DataObject
) -> None:
    messages: list[Control] = [Define("cd"[at % 2], at // 2 + 1, counters) for at, counters in enumerate(defines)]
    messages += [Barrier("d", len(defines), 1)]
    milestones = [Define("e", 1, (("a", VISITS),)), Milestone("e", 2, "a", 7), Import("e", 3, "a", 5, "old", "", 999)]
    messages = [*milestones, *messages, Verdict("e", 4, "a", 7, 2, 3)]
    until = data.draw(st.integers(0, len(messages)))
    definitions, later = folded(*messages[: data.draw(st.integers(0, until))]), folded(*messages[:until])
    assert all(definitions.find(name) for name in definitions.names)  # some are at hand already
    definitions.catch_up(later)
    for sequence, message in enumerate(messages[until:], until + 1):
        definitions.fold(sequence, message)
    whole = folded(*messages)
    assert [definitions.find(name) for name in whole.names] == [whole.find(name) for name in whole.names]
    for what in ("names", "units", "since", "sequence", "epoch", "producers", "imports"):
        assert getattr(definitions, what) == getattr(whole, what)
    assert list(definitions.milestones) == list(whole.milestones)


def test_definitions_do_not_go_back_to_earlier_ones() -> None:
    with pytest.raises(AssertionError):
        folded(Barrier("c", 1), Barrier("c", 2)).catch_up(folded(Barrier("c", 1)))


# --- as a cut holds them ---


@law(DEFINES)
def test_restored_rows_are_the_same_counters(defines: list[tuple[tuple[str, Unit], ...]]) -> None:
    definitions = folded(*(Define("c", sequence, counters) for sequence, counters in enumerate(defines, 1)))
    restored = Definitions()
    restored.restore(zip(definitions.names, definitions.units, definitions.since, strict=True))
    assert [restored.find(name) for name in definitions.names] == [definitions.find(n) for n in definitions.names]
    assert len(restored) == len(definitions)
