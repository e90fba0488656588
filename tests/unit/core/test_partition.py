"""The fold against a naive model, and its laws over generated logs."""

from collections.abc import Iterator

import msgspec
import pytest
from core_histories import NAMES, PARTITIONS, SOURCES, histories
from core_laws import law
from core_logs import Folds, Message, batch, pack
from core_model import Model
from core_patches import patched
from hypothesis import strategies as st

from footfall.core import control, cut, cut_writer, partition
from footfall.core.partition import Partition
from footfall.core.visitors import hashes_of
from footfall.errors import FormatError, MalformedError

EPOCHS = 100  # of a producer's life here, so that generated ones end


@pytest.fixture(autouse=True, scope="module")
def short_lives() -> Iterator[None]:
    with patched(partition, PRODUCER_EPOCHS=EPOCHS, FORGET_EPOCHS=7):
        yield


def folded(log: list[Message]) -> Folds:
    return Folds(PARTITIONS).take_all(log)


def counted(folds: Folds) -> list[object]:
    """All that decides a count, now and later; not how far the log went, nor how often what was refused."""
    return [
        (
            {name: folds.entries(name)[number] for name in NAMES},
            {name: folds.seen(name, number) for name in NAMES},
            fold.producers,
            fold.sources,
            fold.keys.segments(),
            fold.epoch,
        )
        for number, fold in enumerate(folds.partitions)
    ]


@law(histories(), examples=80)
def test_the_fold_counts_and_refuses_what_the_page_says(log: list[Message]) -> None:
    folds = folded(log)
    model = Model(PARTITIONS, EPOCHS)
    for message in log:
        model.take(message)
    assert [(alarm.sequence, alarm.kind) for alarm in folds.alarms] == model.alarms
    for alarm in folds.alarms:
        where = log[alarm.sequence - 1].partition
        assert where is None or alarm.detail.startswith(f"partition {where}: ")
    assert {name: folds.definitions.unit(folds.definitions.number(name) or 0) for name in model.units} == model.units
    imported = {source: msgspec.structs.astuple(one) for source, one in folds.definitions.imports.items()}
    assert imported == model.imported
    for number, fold in enumerate(folds.partitions):
        assert fold.tally == model.tallies[number]
        assert (fold.epoch, fold.sequence) <= (model.epoch, model.sequence)
        for name in NAMES:
            assert folds.entries(name)[number] == model.counts[name, number]
            assert folds.seen(name, number) == sorted(hashes_of(list(model.seen[name, number])).tolist())
        for source in SOURCES[number]:
            assert fold.sources.get(source, 0) == model.positions[source]


@law(histories(), examples=20)
def test_folding_the_log_again_gives_the_same_state_byte_for_byte(log: list[Message]) -> None:
    assert folded(log).state() == folded(log).state()


@law(histories(jumps=False))
def test_a_fold_may_be_behind_the_definitions(log: list[Message]) -> None:
    apace = folded(log)
    for fold in apace.partitions:
        behind = Partition(fold.number, PARTITIONS)
        for sequence, message in enumerate(log, 1):
            if message.partition is None:
                behind.fold_control(sequence, control.decode(message.data), apace.definitions)
            elif message.partition == fold.number:
                behind.fold(sequence, message.data, apace.definitions)
        assert cut_writer.state_bytes(behind) == cut_writer.state_bytes(fold)


@law(histories(faults=False, rumours=False), st.data())
def test_messages_that_come_again_anywhere_later_count_nothing(log: list[Message], data: st.DataObject) -> None:
    again = list(log)
    for _ in range(data.draw(st.integers(1, 5)) if log else 0):
        first = data.draw(st.integers(0, len(again) - 1))
        later = data.draw(st.integers(first + 1, len(again)))
        again.insert(later, again[first])
    once, twice = folded(log), folded(again)
    assert counted(once) == counted(twice)
    assert {alarm.kind for alarm in twice.alarms} <= {alarm.kind for alarm in once.alarms} | {"expired"}


@law(histories(), examples=30)
def test_entries_never_fall_and_touched_tells_exactly_by_how_much_they_rose(log: list[Message]) -> None:
    folds = Folds(PARTITIONS)
    for message in log:
        before = [fold.counts[:] for fold in folds.partitions]
        folds.take(message)
        for fold, old in zip(folds.partitions, before, strict=True):
            rose = {number: new - old[number] if number < len(old) else new for number, new in enumerate(fold.counts)}
            assert fold.touched == {number: by for number, by in rose.items() if by}
            assert all(by > 0 for by in fold.touched.values())
            fold.touched = {}


@law(histories(), st.data())
def test_whatever_bytes_come_the_fold_goes_on_and_its_state_can_be_kept(
    log: list[Message], data: st.DataObject
) -> None:
    folds = Folds(PARTITIONS)
    for message in log:
        changed = bytearray(message.data)
        if message.partition is not None and changed and data.draw(st.booleans()):
            changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
        try:
            folds.take(message._replace(data=bytes(changed)))
        except MalformedError:
            pytest.fail("bytes that are no message must be an alarm")
        except FormatError:
            break  # a newer version: counting ends here
    for fold in folds.partitions:
        assert all(0 <= entry <= 2**63 - 1 for entry in fold.counts)
        manifest, blobs = cut_writer.Writer().write(cut_writer.capture(fold), cut.Position("t"))
        restored = cut.restore(cut.read_manifest(manifest), blobs)
        assert cut_writer.state_bytes(restored) == cut_writer.state_bytes(fold)


@law(st.binary(max_size=64))
def test_arbitrary_bytes_are_an_alarm_and_nothing_else(data: bytes) -> None:
    folds = Folds()
    assert folds.take(Message(0, data)) == ["malformed"]
    assert folds.partitions[0].sequence == 1
    assert folds.partitions[0].tally == {"malformed": 1}


@law(histories(), examples=10)
def test_a_batch_of_a_newer_version_stops_the_fold_and_changes_nothing(log: list[Message]) -> None:
    folds = folded(log)
    before = folds.state()
    with pytest.raises(FormatError, match="batch/2"):
        folds.take(Message(0, pack(["batch/2", "p", 0, 1, []])))
    assert folds.state() == before


def test_a_fold_takes_messages_in_log_order_only() -> None:
    folds = Folds()
    folds.tick()
    fold = folds.partitions[0]
    for sequence in (0, 1):
        with pytest.raises(AssertionError):
            fold.fold(sequence, batch(0, "p", 0, 1, []).data, folds.definitions)
        with pytest.raises(AssertionError):
            fold.fold_control(sequence, control.Barrier("c", 2, 2), folds.definitions)
    assert fold.sequence == 1
