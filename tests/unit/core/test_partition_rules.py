"""Each rule of the fold, at its boundary."""

import pytest
from core_logs import Folds, batch, home, pack, texts_of, visitors, visits
from core_patches import patched

from footfall.core import partition
from footfall.core.control import Barrier, Define
from footfall.core.definitions import Definitions
from footfall.core.partition import FORGET_EPOCHS, PRODUCER_EPOCHS, Partition, Producer

ENTRY_MAX = 2**63 - 1


@pytest.fixture
def folds() -> Folds:
    folds = Folds()
    folds.define(("a", "visits"), ("v", "visitors"))
    return folds


# --- exactly once ---


def test_a_producers_sequence_counts_once(folds: Folds) -> None:
    assert folds.store(visits("a"), sequence=1) == []
    assert folds.store(visits("a"), sequence=1) == []
    assert folds.value("a") == 1
    assert folds.partitions[0].tally == {"repeat": 1}


def test_each_producer_has_its_own_sequences(folds: Folds) -> None:
    folds.store(visits("a"), producer="p", sequence=1)
    folds.store(visits("a"), producer="q", sequence=1)
    assert folds.value("a") == 2


def test_a_gap_raises_an_alarm_and_what_comes_after_it_counts(folds: Folds) -> None:
    folds.store(visits("a"), sequence=1)
    assert folds.store(visits("a"), sequence=4) == ["gap"]
    assert folds.alarms[-1].detail == "partition 0: producer p: batches 2 to 3 lost"
    assert folds.value("a") == 2


def test_a_producer_that_begins_above_one_has_lost_something(folds: Folds) -> None:
    assert folds.store(visits("a"), sequence=2) == ["gap"]
    assert "batches 1 to 1 lost" in folds.alarms[-1].detail


def test_a_batch_that_was_overtaken_is_taken_for_a_repeat(folds: Folds) -> None:
    folds.store(visits("a"), sequence=2)
    assert folds.store(visits("a"), sequence=1) == []
    assert folds.value("a") == 1


@pytest.mark.parametrize("sequence", [0, -1])
def test_sequences_begin_at_one(folds: Folds, sequence: int) -> None:
    folds.store(visits("a"), sequence=sequence)
    assert folds.value("a") == 0


# --- producers end after seven days of epochs ---


def test_a_producer_counts_up_to_its_last_epoch_and_is_refused_from_then_on(folds: Folds) -> None:
    with patched(partition, PRODUCER_EPOCHS=10):
        folds.tick(9)
        assert folds.store(visits("a"), born=0) == []
        folds.tick()
        assert folds.store(visits("a"), born=0) == ["expired"]
        assert folds.store(visits("a"), producer="q", born=1) == []
    assert folds.value("a") == 2
    assert folds.alarms[-1].detail == "partition 0: producer p was born in epoch 0; now it is 10"


def test_a_producer_is_not_born_in_an_epoch_to_come(folds: Folds) -> None:
    assert folds.store(visits("a"), producer="q", born=1) == ["expired"]
    folds.tick()
    assert folds.store(visits("a"), producer="q", born=1, sequence=1) == []
    assert folds.value("a") == 1


def test_a_producers_life_is_seven_days_of_ten_seconds_and_those_that_ended_are_looked_for_hourly() -> None:
    assert PRODUCER_EPOCHS == 7 * 24 * FORGET_EPOCHS
    assert FORGET_EPOCHS == 360


def test_producers_that_ended_are_forgotten_from_time_to_time(folds: Folds) -> None:
    with patched(partition, PRODUCER_EPOCHS=10, FORGET_EPOCHS=6):
        folds.tick()
        folds.store(visits("a"), producer="old", born=1)
        folds.tick()
        folds.store(visits("a"), producer="young", born=2)
        folds.tick(9)
        assert set(folds.partitions[0].producers) == {"old", "young"}
        folds.tick()
        assert folds.partitions[0].producers == {}
        folds.store(visits("a"), producer="new", born=3)
        folds.tick(6)
        assert folds.partitions[0].producers == {}


def test_a_producer_that_may_still_count_is_never_forgotten(folds: Folds) -> None:
    with patched(partition, PRODUCER_EPOCHS=10, FORGET_EPOCHS=1):
        folds.tick()
        folds.store(visits("a"), producer="q", born=1, sequence=1)
        folds.tick(9)
        assert folds.partitions[0].producers == {"q": Producer(1, 1)}
        assert folds.store(visits("a"), producer="q", born=1, sequence=1) == []
        folds.tick()
        assert folds.partitions[0].producers == {}
        assert folds.store(visits("a"), producer="q", born=1, sequence=1) == ["expired"]
    assert folds.value("a") == 1


# --- sources, by position ---


def test_chunks_count_in_the_order_of_their_source(folds: Folds) -> None:
    folds.store(visits("a", 2), chunk=["log", 0, 10])
    folds.store(visits("a", 3), chunk=["log", 10, 11])
    assert folds.value("a") == 5
    assert folds.partitions[0].sources == {"log": 11}


@pytest.mark.parametrize("chunk", [[0, 10], [0, 20], [5, 20], [9, 20], [11, 20], [10, 10], [10, 9], [10, 0]])
def test_a_chunk_that_does_not_start_at_its_sources_position_or_is_empty_adds_nothing(
    folds: Folds, chunk: list[int]
) -> None:
    folds.store(visits("a", 2), chunk=["log", 0, 10])
    assert folds.store(visits("a", 3), visitors("v", "x"), chunk=["log", *chunk]) == []
    assert (folds.value("a"), folds.value("v")) == (2, 0)
    assert folds.partitions[0].sources == {"log": 10}
    assert folds.partitions[0].tally == {"chunk": 1}
    assert folds.store(visits("a"), chunk=["log", 10, 20]) == []
    assert folds.value("a") == 3


def test_sources_do_not_know_of_each_other(folds: Folds) -> None:
    folds.store(visits("a"), chunk=["one", 0, 10])
    folds.store(visits("a"), chunk=["two", 0, 7])
    assert folds.value("a") == 2
    assert folds.partitions[0].sources == {"one": 10, "two": 7}


def test_a_source_in_another_partition_than_its_own_is_misrouted() -> None:
    folds = Folds(2)
    folds.define(("a", "visits"))
    (source,) = texts_of(1, 2, 1)
    assert folds.store(visits("a"), partition=0, chunk=[source, 0, 10]) == ["misrouted"]
    assert folds.store(visits("a"), partition=1, chunk=[source, 0, 10]) == []
    assert folds.entries("a") == [0, 1]


# --- idempotency keys ---


@pytest.mark.parametrize(("epochs", "total"), [(0, 1), (1, 1), (59, 1), (60, 2), (61, 2)])
def test_a_key_counts_again_only_after_sixty_epochs(folds: Folds, epochs: int, total: int) -> None:
    folds.tick(3)
    folds.store(visits("a", keys=["k"]))
    folds.tick(epochs)
    folds.store(visits("a", keys=["k"]))
    assert folds.value("a") == total
    assert folds.partitions[0].tally == ({} if total == 2 else {"key": 1})


def test_a_repeat_does_not_keep_a_key_any_longer(folds: Folds) -> None:
    folds.store(visits("a", keys=["k"]))
    folds.tick(59)
    folds.store(visits("a", keys=["k"]))
    folds.tick()
    folds.store(visits("a", keys=["k"]))
    assert folds.value("a") == 2


def test_a_key_is_unique_within_its_leaf_and_counts_as_often_as_its_entry_says(folds: Folds) -> None:
    folds.define(("a.b", "visits"))
    folds.store(visits("a", 3, keys=["k", "l", "k"], times=5))
    folds.store(visits("a.b", 1, keys=["k"], times=7))
    assert folds.value("a.b") == 7
    assert folds.value("a") == 2 * 5 + 7
    assert folds.partitions[0].tally == {"key": 1}


def test_a_section_of_nothing_but_known_keys_adds_nothing(folds: Folds) -> None:
    folds.store(visits("a", 2, keys=["k", "l"]))
    folds.partitions[0].touched = {}
    assert folds.store(visits("a", 2, keys=["l", "k"])) == []
    assert folds.value("a") == 2
    assert folds.partitions[0].touched == {}


def test_keys_in_another_partition_than_theirs_are_misrouted_and_not_remembered() -> None:
    folds = Folds(2)
    folds.define(("a", "visits"))
    mine, other = texts_of(0, 2, 1)[0], texts_of(1, 2, 1)[0]
    assert folds.store(visits("a", 2, keys=[mine, other]), visits("a", 5)) == ["misrouted"]
    assert folds.store(visits("a", 1, keys=[mine])) == []
    assert folds.entries("a") == [6, 0]


# --- units and roll-ups ---


def test_a_visit_adds_to_every_counter_on_its_path_in_the_sections_unit() -> None:
    folds = Folds()
    folds.define(("a", "visitors"), ("a.b.c", "visitors"), ("a.b.d", "visits"))
    folds.store(visits("a.b.c", 4), visitors("a.b.c", "x", "y"), visitors("a.b.d", "y", "z"), visits("a.b.d", 1))
    assert {name: folds.value(name) for name in ("a", "a.b", "a.b.c", "a.b.d")} == {
        "a": 3,
        "a.b": 5,
        "a.b.c": 2,
        "a.b.d": 1,
    }


def test_a_visitor_counts_once_in_each_counter_however_often_he_comes(folds: Folds) -> None:
    for names in (("x",), ("x", "y", "x"), ("y",)):
        folds.store(visitors("v", *names))
    assert folds.value("v") == 2


def test_a_section_in_a_unit_that_no_counter_of_the_path_has_adds_nothing(folds: Folds) -> None:
    assert folds.store(visits("v", 3), visitors("a", "x")) == []
    assert (folds.value("a"), folds.value("v")) == (0, 0)


def test_visitors_in_another_partition_than_theirs_are_misrouted_and_not_counted() -> None:
    folds = Folds(2)
    folds.define(("v", "visitors"))
    mine, other = texts_of(1, 2, 1)[0], texts_of(0, 2, 1)[0]
    assert home(mine, 2) == 1
    assert folds.store(visitors("v", mine, other), partition=1) == ["misrouted"]
    assert folds.store(visitors("v", mine), partition=1) == []
    assert folds.entries("v") == [0, 1]


# --- what cannot be counted ---


def test_a_counter_counts_from_its_definition_on() -> None:
    folds = Folds()
    assert folds.store(visits("a")) == ["undefined"]
    folds.define(("a.b", "visits"))
    assert folds.store(visits("a"), visits("a.b"), visits("c")) == ["undefined"]
    assert folds.alarms[-1].detail == "partition 0: counter 'c' is not defined at this point of the log"
    assert (folds.value("a"), folds.value("a.b")) == (2, 1)


def test_a_fold_that_is_behind_the_definitions_knows_what_was_not_defined_yet() -> None:
    definitions = Folds()
    definitions.define(("a", "visits"))  # 1
    definitions.sequence = 2
    definitions.define(("b", "visits"))  # 3
    behind = Partition(0, 1)
    for sequence, kinds in ((2, ["undefined"]), (4, [])):
        data = batch(0, "p", 0, sequence // 2, [visits("a"), visits("b")]).data
        assert [alarm.kind for alarm in behind.fold(sequence, data, definitions.definitions)] == kinds
    assert behind.counts.tolist() == [2, 1]


@pytest.mark.parametrize(
    "section",
    [
        ["a", "visits", 0],
        ["a", "visits", -1],
        ["a", "visits", 1, None, None, 0],
        ["a", "visits", -1, None, None, -1],
        ["a", "visits", 1, None, pack(["k", "l"])],
        ["a", "visits", 2, None, pack(["k"])],
        ["a", "visits", 1, None, b""],
        ["a", "visits", 1, None, b"\xc1"],
        ["v", "visitors", 1, None],
        ["v", "visitors", 0, pack([])],
        ["v", "visitors", 2, pack(["x"])],
        ["v", "visitors", 1, pack(["x", "y"])],
        ["v", "visitors", 1, b"\xc1"],
    ],
)
def test_a_section_that_contradicts_itself_is_malformed_and_the_others_count(
    folds: Folds, section: list[object]
) -> None:
    assert folds.store(visits("a"), section, visitors("v", "z"), visits("a", keys=["k"])) == ["malformed"]
    assert (folds.value("a"), folds.value("v")) == (2, 1)
    assert folds.alarms[-1].detail.startswith(f"partition 0: {section[0]}: ")


def test_a_section_that_would_take_a_counter_past_the_limit_is_not_counted_at_all(folds: Folds) -> None:
    folds.define(("a.b", "visits"), ("a.c", "visits"))
    folds.store(visits("a.b", times=ENTRY_MAX - 1))
    assert folds.store(visits("a.c", 2)) == ["overflow"]
    assert (folds.value("a"), folds.value("a.c")) == (ENTRY_MAX - 1, 0)
    assert folds.store(visits("a.c", 1)) == []
    assert (folds.value("a"), folds.value("a.c")) == (ENTRY_MAX, 1)
    assert folds.store(visits("a.c", 1), visits("a", 2**62, times=2**62)) == ["overflow", "overflow"]
    assert folds.value("a") == ENTRY_MAX
    assert folds.alarms[-2].detail == "partition 0: a.c would pass 2**63 - 1"


# --- epochs ---


def test_an_epoch_begins_only_with_the_barrier_that_follows_the_present_one() -> None:
    fold = Partition(0, 1)
    messages = [Barrier("c", 1, 1), Barrier("d", 1, 1), Barrier("c", 2, 0), Barrier("c", 3, 3), Define("c", 4, ())]
    assert [fold.fold_control(at, message, Definitions()) for at, message in enumerate(messages, 1)] == [
        True,
        *[False] * 4,
    ]
    assert (fold.epoch, fold.sequence) == (1, 5)
    assert fold.fold_control(6, Barrier("d", 2, 2), Definitions()) is True
    assert fold.epoch == 2


def test_beyond_as_many_sources_as_there_may_be_a_new_one_is_not_taken_and_those_known_go_on(folds: Folds) -> None:
    sources = ["one", "two", "three"]
    with patched(partition, SOURCES_MAX=2):
        for sequence, source in enumerate(sources[:2], 1):
            assert folds.store(visits("a"), sequence=sequence, chunk=(source, 0, 10)) == []
        assert folds.store(visits("a"), sequence=3, chunk=(sources[2], 0, 10)) == ["sources"]
        assert folds.store(visits("a"), sequence=4, chunk=(sources[0], 10, 20)) == []
    assert folds.value("a") == 3
    assert sorted(folds.partitions[0].sources) == sorted(sources[:2])
