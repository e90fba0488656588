"""Bugs for the core, each a plausible slip: the simulation must notice every one of them."""

from array import array
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from footfall.core import cut, cut_writer
from footfall.core.definitions import Definitions
from footfall.core.keys import KeyWindow
from footfall.core.outbox import LOCAL, Outbox
from footfall.core.partition import Partition, Producer
from footfall.core.sealing import Sealer
from footfall.core.table import Table

from .judge_bugs import JUDGE_BUGS


def counts_repeats(patch: pytest.MonkeyPatch) -> None:
    """A batch that comes again counts again."""

    def is_next(self: Partition, batch: Any, alarms: Any) -> bool:
        self.producers[batch.producer] = Producer(batch.born, batch.sequence)
        return batch.chunk is None or self._advances(batch.chunk, alarms)

    patch.setattr(Partition, "_is_next", is_next)


def ignores_source_positions(patch: pytest.MonkeyPatch) -> None:
    """A chunk counts wherever it starts."""

    def advances(self: Partition, chunk: Any, alarms: Any) -> bool:
        self.sources[chunk.source] = max(chunk.end, self.sources.get(chunk.source, 0))
        return True

    patch.setattr(Partition, "_advances", advances)


def forgets_keys(patch: pytest.MonkeyPatch) -> None:
    """A cut restores no idempotency keys."""
    init = KeyWindow.__init__
    patch.setattr(KeyWindow, "__init__", lambda self, closed=(): init(self))


def spreads_keys(patch: pytest.MonkeyPatch) -> None:
    """A visit with a key goes wherever the flush goes, and its retry somewhere else."""
    route = Outbox._route
    patch.setattr(Outbox, "_route", lambda self, visitor, key: LOCAL if key else route(self, visitor, key))


def adds_entries(patch: pytest.MonkeyPatch) -> None:
    """Merging adds instead of keeping the larger entry."""

    def merge_column(self: Table, partition: int, numbers: Any, entries: Any) -> None:
        column = self._columns[partition]
        if len(column) < len(self.totals):
            column.frombytes(bytes(8 * (len(self.totals) - len(column))))
        np.frombuffer(column, np.int64)[numbers] += entries
        self._raise(numbers, entries)

    patch.setattr(Table, "_merge_column", merge_column)


def takes_what_came_last(patch: pytest.MonkeyPatch) -> None:
    """Merging keeps the entry that came last, as if messages could not overtake each other."""

    def merge_column(self: Table, partition: int, numbers: Any, entries: Any) -> None:
        column = self._columns[partition]
        if len(column) < len(self.totals):
            column.frombytes(bytes(8 * (len(self.totals) - len(column))))
        here = np.frombuffer(column, np.int64)
        raised = entries - here[numbers]
        here[numbers] = entries
        np.frombuffer(self.totals, np.int64)[numbers] += raised

    patch.setattr(Table, "_merge_column", merge_column)


def attaches_too_early(patch: pytest.MonkeyPatch) -> None:
    """A fold that has yet to catch up is read at once, though others have counted further."""

    def attach(self: Table, fold: Partition) -> bool:
        number = fold.number
        old = array("q", self._columns[number])
        self._columns[number] = fold.counts
        self.folds[number] = fold
        fold.touched.clear()
        self._grow(max(len(old), len(fold.counts)))
        for counter in range(len(self.totals)):
            before = old[counter] if counter < len(old) else 0
            self.totals[counter] += (fold.counts[counter] if counter < len(fold.counts) else 0) - before
        self.advance(number)
        return True

    patch.setattr(Table, "attach", attach)


def believes_any_log(patch: pytest.MonkeyPatch) -> None:
    """Positions are not compared: a log that lost its tail is counted on."""
    patch.setattr("footfall.log.memory.check", lambda *_: None)


def mixes_cuts(patch: pytest.MonkeyPatch) -> None:
    """Parts of a cut need not be of one barrier: what each was written at is not compared."""
    capture = cut_writer.capture

    def late(partition: Partition) -> Any:
        return capture(partition)._replace(epoch=partition.epoch - partition.number % 2)

    patch.setattr(cut_writer, "capture", late)
    patch.setattr(cut, "check_parts", lambda manifests, epoch, partitions: manifests[0].position)


def drops_segments(patch: pytest.MonkeyPatch) -> None:
    """Of the visitors in a cut only the base is read."""
    restore = cut.restore

    def base_only(manifest: cut.Manifest, fetched: Any) -> Partition:
        partition = restore(manifest, fetched)
        if len(manifest.visitors) > 1:
            short = cut.msgspec.structs.replace(manifest, visitors=manifest.visitors[:1])
            partition.visitors = restore(short, fetched).visitors
        return partition

    patch.setattr(cut, "restore", base_only)


def trusts_blobs(patch: pytest.MonkeyPatch) -> None:
    """What is read of a cut is compared with no digest: neither a blob with its own, nor a manifest with its own."""

    def joined(manifest: cut.Manifest, refs: Iterable[cut.Ref], fetched: Any) -> bytes:
        return b"".join(manifest.inline.get(ref.digest) or fetched.get(cut.blob_key(ref)) or b"" for ref in refs)

    patch.setattr(cut, "joined", joined)
    patch.setattr(cut, "_digest", lambda manifest: manifest[-cut.DIGEST_BYTES :])


def redefines(patch: pytest.MonkeyPatch) -> None:
    """The last definition of a name holds, not the first."""
    append = Definitions._append

    def last(self: Definitions, name: str, unit: Any, since: int) -> None:
        append(self, name, unit, since)
        self.units[self._numbers[name]] = unit == "visitors"
        self._cache.clear()

    patch.setattr(Definitions, "_append", last)


def reuses_a_sequence(patch: pytest.MonkeyPatch) -> None:
    """Now and then a producer gives two batches the same sequence."""
    message = Sealer.message

    def again(self: Sealer, partition: int, sections: Any, chunk: Any = None) -> Any:
        if self.sequences[partition] % 5 == 4:
            self.sequences[partition] -= 1
        return message(self, partition, sections, chunk)

    patch.setattr(Sealer, "message", again)


def ticks_for_every_writer(patch: pytest.MonkeyPatch) -> None:
    """Two writers of one barrier make two epochs in the partitions."""

    def fold_control(self: Partition, sequence: int, message: Any, definitions: Any) -> bool:
        self.sequence = sequence
        if not getattr(message, "epoch", 0):
            return False
        self.epoch += 1
        self.keys.tick(self.epoch)
        return True

    patch.setattr(Partition, "fold_control", fold_control)


BUGS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    bug.__name__: bug
    for bug in (
        counts_repeats,
        ignores_source_positions,
        forgets_keys,
        spreads_keys,
        adds_entries,
        takes_what_came_last,
        attaches_too_early,
        believes_any_log,
        mixes_cuts,
        drops_segments,
        trusts_blobs,
        redefines,
        reuses_a_sequence,
        ticks_for_every_writer,
    )
} | JUDGE_BUGS
