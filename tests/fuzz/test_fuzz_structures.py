"""Messages of the right shape with any values in them, made by hypothesis."""

from collections.abc import Sequence

import corpora
from corpora import PARTITIONS
from hypothesis import given, settings
from hypothesis import strategies as st
from mutating import INPUTS

from footfall.core import batch, control
from footfall.core.batch import Batch, Chunk, Section
from footfall.core.control import Barrier, Control, Define, Import, Milestone, Verdict
from footfall.core.names import Unit
from footfall.core.partition import Partition

EXAMPLES = max(50, INPUTS // 300)

whole = st.integers(-(2**63), 2**64 - 1) | st.integers(-2, 9)
texts = st.sampled_from(["shop", "shop.books", "people", "nobody", "a..b", "", "p", "q"]) | st.text(max_size=20)
lists = st.none() | st.binary(max_size=20) | st.lists(texts, max_size=4).map(batch.pack)
units = st.sampled_from(Unit)
sections = st.builds(Section, texts, units, whole, lists, lists, whole)
chunks = st.none() | st.builds(Chunk, texts, whole, whole)
batches = st.builds(Batch, st.just("batch/1"), texts, whole, whole, st.lists(sections, max_size=4), chunks)
counters = st.lists(st.tuples(texts, units), max_size=4).map(tuple)
controls = (
    st.builds(Define, texts, whole, counters)
    | st.builds(Barrier, texts, whole, whole, texts, st.lists(texts, max_size=3).map(tuple))
    | st.builds(Milestone, texts, whole, texts, whole, texts)
    | st.builds(Verdict, texts, whole, texts, whole, whole, whole)
    | st.builds(Import, texts, whole, texts, whole, texts, texts, whole)
)


@settings(max_examples=EXAMPLES, deadline=1000)
@given(st.lists(batches | controls, max_size=12))
def test_any_log_of_well_formed_messages_is_folded_and_no_count_falls(log: Sequence[Batch | Control]) -> None:
    partition, definitions = Partition(0, PARTITIONS), corpora.definitions()
    for sequence, message in enumerate(log, 2):
        before = list(partition.counts)
        if isinstance(message, Batch):
            partition.fold(sequence, batch.encode(message), definitions)
        else:
            again = control.decode(control.encode(message))
            definitions.fold(sequence, again)
            partition.fold_control(sequence, again, definitions)
        assert all(old <= new for old, new in zip(before, partition.counts, strict=False))
        assert len(partition.counts) >= len(before)
