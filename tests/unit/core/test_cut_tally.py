"""A cut tells whether every message of the log up to it was folded."""

import pytest
from core_cuts import Store, changed, restored, write_all
from core_golden import kept
from core_histories import PARTITIONS, histories
from core_laws import law
from core_logs import Folds, Message, barrier, visits
from core_patches import patched
from hypothesis import strategies as st

from footfall.core import cut, cut_writer
from footfall.core.cut import Manifest
from footfall.core.cut_tally import uncounted
from footfall.errors import CheckpointError

ALL_IN_BLOBS = {"INLINE_BYTES_MAX": 0}


def lacks(store: Store, manifests: list[Manifest]) -> int | None:
    return uncounted(manifests, {key: value for manifest in manifests for key, value in store.blobs(manifest).items()})


@law(histories(), st.data(), examples=25)
def test_a_cut_lacks_as_many_messages_as_were_not_folded_also_where_it_goes_on_from_another(
    log: list[Message], data: st.DataObject
) -> None:
    with patched(cut_writer, **(ALL_IN_BLOBS if data.draw(st.booleans()) else {})):
        folds, lost, told = Folds(PARTITIONS), 0, None
        for message in log:
            if message.partition is not None and data.draw(st.integers(0, 9)) == 0:
                folds.sequence += 1
                lost += 1
                continue
            epoch = folds.definitions.epoch
            folds.take(message)
            if folds.definitions.epoch != epoch:
                store = Store()
                manifests = write_all(store, folds)
                told = lacks(store, manifests)
                assert told == lost
                folds = restored(store, manifests, PARTITIONS)


def before() -> list[Manifest]:
    """A cut of before messages were counted, at sequence 5."""
    return [cut.read_manifest(kept(f"cut-{part}-before-tallies")) for part in ("0", "definitions")]


def test_a_cut_from_before_messages_were_counted_tells_nothing_and_from_there_on_they_are() -> None:
    assert uncounted(before(), {}) is None
    store = Store()
    folds = restored(store, before(), 1)
    folds.store(visits("google"), producer="r")
    folds.sequence += 2
    folds.take(barrier("another", 1, 2))
    assert folds.definitions.epoch == 2
    assert lacks(store, write_all(store, folds)) == 2


def test_parts_that_count_since_different_messages_tell_nothing() -> None:
    store, folds = Store(), Folds(2)
    folds.tick()
    folds.partitions[1].messages_since = 7
    assert lacks(store, write_all(store, folds)) is None


def test_a_part_whose_tally_cannot_be_read_is_a_damaged_cut() -> None:
    store, folds = Store(), Folds(1)
    folds.tick()
    part, definitions = write_all(store, folds)
    with pytest.raises(CheckpointError, match=r"part definitions of cut 1 cannot be read"):
        uncounted([changed(part, part="definitions")], {})
    with pytest.raises(CheckpointError, match="is missing"):
        uncounted([part, changed(definitions, inline={})], {})
