"""Cuts whose digests fit, and which say what cannot be: refused, not believed and not run into."""

from hashlib import sha256

import msgspec
import pytest

from footfall.core.cut import Ref, read_manifest, restore
from footfall.core.cut_writer import Writer, capture
from footfall.core.partition import Partition
from footfall.core.position import Position
from footfall.errors import CheckpointError


@pytest.mark.parametrize("counters", [-1, 4_000_001, 2**62])
def test_a_state_of_more_counters_than_there_may_be_is_refused_before_room_is_made_for_them(counters: int) -> None:
    partition = Partition(0, 1)
    manifest = read_manifest(Writer().write(capture(partition), Position("log"))[0])
    [ref] = manifest.meta
    meta = msgspec.msgpack.decode(manifest.inline[ref.digest])
    meta[1] = counters
    data = msgspec.msgpack.encode(meta)
    changed = Ref(sha256(data).digest(), len(data), ref.epoch)
    nonsense = msgspec.structs.replace(manifest, meta=(changed,), inline={changed.digest: data})
    with pytest.raises(CheckpointError, match="counters"):
        restore(nonsense, {})


def test_a_part_that_is_no_partition_is_refused() -> None:
    manifest = read_manifest(Writer().write(capture(Partition(0, 1)), Position("log"))[0])
    with pytest.raises(CheckpointError):
        restore(msgspec.structs.replace(manifest, part="definitionz"), {})
