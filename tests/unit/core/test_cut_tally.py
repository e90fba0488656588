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
from footfall.core.cut_tally import Tally, nothing, tally
from footfall.errors import CheckpointError

ALL_IN_BLOBS = {"INLINE_BYTES_MAX": 0}


def told(store: Store, manifests: list[Manifest]) -> Tally:
    return tally(manifests, {key: value for manifest in manifests for key, value in store.blobs(manifest).items()})


@law(histories(), st.data(), examples=25)
def test_a_cut_lacks_as_many_messages_as_were_not_folded_also_where_it_goes_on_from_another(
    log: list[Message], data: st.DataObject
) -> None:
    with patched(cut_writer, **(ALL_IN_BLOBS if data.draw(st.booleans()) else {})):
        folds, lost, before, lost_before = Folds(PARTITIONS), 0, nothing(PARTITIONS), 0
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
                cut_now = told(store, manifests)
                assert cut_now.lacks() == lost
                assert cut_now.lacks_above(before) == lost - lost_before
                before, lost_before = cut_now, lost
                folds = restored(store, manifests, PARTITIONS)


def before() -> list[Manifest]:
    """A cut of before messages were counted, at sequence 5."""
    return [cut.read_manifest(kept(f"cut-{part}-before-tallies")) for part in ("0", "definitions")]


def test_a_cut_from_before_messages_were_counted_tells_nothing_and_from_there_on_they_are() -> None:
    older = tally(before(), {})
    assert older.lacks() is None
    assert older.lacks_above(older) is None
    store = Store()
    folds = restored(store, before(), 1)
    folds.store(visits("google"), producer="r")
    folds.sequence += 2
    folds.take(barrier("another", 1, 2))
    assert folds.definitions.epoch == 2
    newer = told(store, write_all(store, folds))
    assert (newer.lacks(), newer.lacks_above(older)) == (2, 2)


def test_parts_that_count_since_different_messages_tell_what_the_log_lacks_between_their_cuts_alone() -> None:
    """As after nodes were updated one after the other: each went on from another cut of before."""
    store, folds = Store(), Folds(2)
    folds.tick()
    folds.partitions[1].messages_since = 7
    earlier = told(store, write_all(store, folds))
    assert (earlier.lacks(), earlier.lacks_above(nothing(2))) == (None, None)
    folds.sequence += 3
    folds.tick()
    assert told(store, write_all(store, folds)).lacks_above(earlier) == 3


def test_a_part_whose_tally_cannot_be_read_is_a_damaged_cut() -> None:
    store, folds = Store(), Folds(1)
    folds.tick()
    part, definitions = write_all(store, folds)
    with pytest.raises(CheckpointError, match=r"part definitions of cut 1 cannot be read"):
        tally([changed(part, part="definitions")], {})
    with pytest.raises(CheckpointError, match="is missing"):
        tally([part, changed(definitions, inline={})], {})
