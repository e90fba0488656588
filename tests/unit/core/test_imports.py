"""Counts from before: once per source, in the source's own partition, and never past a milestone behind its back."""

import pytest
from core_laws import law
from core_logs import Folds, home, told, visitors, visits
from core_patches import patched
from hypothesis import strategies as st

from footfall.core import control, definitions
from footfall.core.definitions import Imported

ENTRY_MAX = 2**63 - 1
NOW = 10**6  # after everything in these logs


@pytest.fixture
def folds() -> Folds:
    """1: the definitions; ``a`` and ``a.b`` count visits, ``v.w`` and ``v.w.x`` visitors, below ``v``, of visits."""
    folds = Folds(3)
    folds.define(("a.b", "visits"), ("v.w", "visitors"), ("v.w.x", "visitors"))
    return folds


def imported(folds: Folds, counter: str, value: int, source: str = "old", after: int = NOW) -> list[str]:
    return folds.tell("import/1", counter, value, source, "by hand", after)


def test_an_import_adds_to_its_counter_and_the_ancestors_of_the_same_unit(folds: Folds) -> None:
    assert imported(folds, "a.b", 5) == []
    assert imported(folds, "v.w.x", 3, "books") == []
    assert {name: folds.value(name) for name in ("a", "a.b", "v", "v.w", "v.w.x")} == {
        "a": 5,
        "a.b": 5,
        "v": 0,
        "v.w": 3,
        "v.w.x": 3,
    }
    assert folds.definitions.imports == {
        "old": Imported("a.b", 5, "by hand", 2),
        "books": Imported("v.w.x", 3, "by hand", 3),
    }


@law(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_an_import_counts_in_the_partition_of_its_source_and_in_no_other(source: str) -> None:
    folds = Folds(3)
    folds.define(("a", "visits"))
    imported(folds, "a", 7, source)
    assert folds.entries("a") == [7 if number == home(source, 3) else 0 for number in range(3)]
    for fold, entry in zip(folds.partitions, folds.entries("a"), strict=True):
        assert fold.touched == ({0: 7} if entry else {})
        assert fold.entry("a", folds.definitions) == entry


def test_a_source_is_imported_once_whatever_it_is_said_to_hold(folds: Folds) -> None:
    imported(folds, "a", 5)
    assert imported(folds, "a", 6) == imported(folds, "a.b", 5) == []
    assert (folds.value("a"), folds.value("a.b")) == (5, 0)
    assert folds.definitions.imports == {"old": Imported("a", 5, "by hand", 2)}


def test_a_message_that_comes_again_imports_nothing(folds: Folds) -> None:
    message = told("import/1", "c", 1, "a", 5, "old", "", NOW)
    assert folds.take(message) == folds.take(message) == []
    assert folds.value("a") == 5


def test_an_imported_visitor_is_nobody_in_particular(folds: Folds) -> None:
    imported(folds, "v.w", 5)
    for _ in range(2):
        folds.store(visitors("v.w", "x"), partition=home("x", 3))
    assert folds.value("v.w") == 6


# --- milestones ---


@pytest.mark.parametrize("wished", ["a", "a.b"])
def test_an_import_adds_nothing_where_a_milestone_was_set_after_its_writer_looked(folds: Folds, wished: str) -> None:
    folds.tell("milestone/1", wished, 100, "")
    assert imported(folds, "a.b", 5, after=1) == []
    assert (folds.value("a.b"), folds.definitions.imports) == (0, {})
    assert imported(folds, "a.b", 5, after=2) == []  # it looked again
    assert folds.value("a.b") == 5


def test_milestones_that_it_cannot_reach_or_that_are_not_open_do_not_keep_an_import_out(folds: Folds) -> None:
    folds.tell("milestone/1", "v.w", 100, "")
    folds.tell("milestone/1", "a.b", 100, "")
    imported(folds, "a", 1, after=1)  # its milestones are above it, not below
    folds.tell("milestone/1", "a", 100, "")
    folds.tell("verdict/1", "a", 100, folds.sequence, 100)
    folds.tell("reached/1", "a.b", 100, [None, b"", 9, 0, 0], [["monday", 0, b""], 0, 0, 1, b""])
    imported(folds, "a.b", 2, "books", after=1)
    assert (folds.value("a"), folds.value("a.b")) == (3, 2)


# --- what cannot be imported ---


@pytest.mark.parametrize("value", [0, -1, ENTRY_MAX + 1])
def test_a_count_that_is_none_is_an_alarm(folds: Folds, value: int) -> None:
    assert imported(folds, "a", value) == ["malformed"]
    assert folds.alarms[-1].detail == f"{value} cannot be imported into a"
    assert imported(folds, "a", 1) == []
    assert folds.value("a") == 1


@pytest.mark.parametrize("tag", ["import/1", "milestone/1"])
def test_a_counter_must_be_defined_before_anything_is_told_of_it(folds: Folds, tag: str) -> None:
    rest: list[object] = [5, "old", "", NOW] if tag == "import/1" else [5, ""]
    assert folds.tell(tag, "late", *rest) == ["undefined"]
    folds.define(("late", "visits"))
    assert (folds.value("late"), len(folds.definitions.milestones), folds.definitions.imports) == (0, 0, {})
    assert folds.tell(tag, "late", *rest) == []
    assert (folds.value("late"), len(folds.definitions.milestones)) == ((5, 0) if tag == "import/1" else (0, 1))


def test_there_are_no_more_imports_than_a_log_may_have(folds: Folds) -> None:
    with patched(definitions, IMPORTS_MAX=2):
        assert imported(folds, "a", 1, "one") == imported(folds, "a", 1, "two") == []
        assert imported(folds, "a", 1, "three") == ["imports"]
    assert folds.alarms[-1].detail == "a is not imported: there are 2 already"
    assert folds.value("a") == 2


def test_an_import_that_would_pass_the_limit_adds_nothing_and_is_tallied(folds: Folds) -> None:
    source = "old"
    folds.store(visits("a", times=2), partition=home(source, 3))
    assert imported(folds, "a.b", ENTRY_MAX - 1, source) == []
    assert folds.entries("a")[home(source, 3)] == 2
    assert [fold.tally for fold in folds.partitions if fold.tally] == [{"overflow": 1}]
    same = next(f"s{at}" for at in range(99) if home(f"s{at}", 3) == home(source, 3))
    assert imported(folds, "a", ENTRY_MAX - 2, same) == []
    assert folds.entries("a")[home(source, 3)] == ENTRY_MAX


def test_visitors_who_come_when_an_import_has_filled_the_counter_are_an_alarm_and_do_not_stop_the_fold() -> None:
    folds = Folds()
    folds.define(("v", "visitors"))
    imported(folds, "v", ENTRY_MAX - 1)
    assert folds.store(visitors("v", "x", "y")) == ["overflow"]
    assert folds.alarms[-1].detail == "partition 0: v might pass 2**63 - 1"
    assert folds.store(visitors("v", "x")) == []
    assert folds.store(visitors("v", "z")) == ["overflow"]
    assert folds.value("v") == ENTRY_MAX


# --- entries at a place in the log ---


def test_an_entry_is_nothing_for_a_counter_that_is_not_defined_or_was_never_visited_here(folds: Folds) -> None:
    folds.store(visits("a", 3), partition=1)
    found = [[fold.entry(name, folds.definitions) for fold in folds.partitions] for name in ("a", "a.b", "late")]
    assert found == [[0, 3, 0], [0, 0, 0], [0, 0, 0]]


def test_a_partition_that_is_behind_the_definitions_adds_an_import_where_it_stands(folds: Folds) -> None:
    behind = Folds(1)
    log = [
        told("define/1", "c", 1, [["a", "visits"]]),
        told("import/1", "c", 2, "a", 5, "old", "", NOW),
        told("import/1", "c", 3, "a", 7, "old", "", NOW),
    ]
    for sequence, message in enumerate(log, 1):
        behind.definitions.fold(sequence, control.decode(message.data))
    values = []
    for sequence, message in enumerate(log, 1):
        behind.partitions[0].fold_control(sequence, control.decode(message.data), behind.definitions)
        values.append(behind.partitions[0].entry("a", behind.definitions))
    assert values == [0, 5, 5]
