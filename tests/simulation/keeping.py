"""How a simulated node keeps cuts: writes its parts, finds the newest readable one, drops what no kept cut needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from footfall.core import cut, cut_writer
from footfall.core.definitions import Definitions
from footfall.core.partition import Partition
from footfall.core.position import Position
from footfall.errors import CheckpointError

from .log import Log, Store

KEPT = 2


class Found(NamedTuple):
    epoch: int
    position: Position
    manifests: dict[str, cut.Manifest]


class Part(NamedTuple):
    """A part that was captured at a barrier and is not yet written."""

    taken: cut_writer.Capture
    position: Position
    writer: cut_writer.Writer


def blobs_of(store: Store, manifest: cut.Manifest) -> dict[str, bytes]:
    keys = {cut.blob_key(ref) for ref in manifest.refs() if ref.digest not in manifest.inline}
    missing = [key for key in keys if key not in store.blobs]
    if missing:
        raise CheckpointError(f"{missing} missing")
    return {key: store.blobs[key] for key in keys}


def find(log: Log, store: Store, partitions: int) -> list[Found]:
    """The complete cuts of this log, newest first. Raises LogRewoundError if it is not the newest one's log."""
    found: list[Found] = []
    for epoch in cut.complete(store.keys("cut"), partitions):
        try:
            parts = [cut.DEFINITIONS, *map(str, range(partitions))]
            manifests = [cut.read_manifest(store.blobs[cut.manifest_key(epoch, part)]) for part in parts]
            position = cut.check_parts(manifests, epoch, partitions)
        except CheckpointError:
            continue
        if not found:
            log.check(position)
        found.append(Found(epoch, position, {manifest.part: manifest for manifest in manifests}))
    return found


def definitions_of(store: Store, found: Found) -> Definitions:
    manifest = found.manifests[cut.DEFINITIONS]
    return cut.restore_definitions(manifest, blobs_of(store, manifest))


def partition_of_cut(store: Store, found: Found, number: int) -> Partition:
    manifest = found.manifests[str(number)]
    return cut.restore(manifest, blobs_of(store, manifest))


def beginning(log: Log) -> Position:
    if log.first > 1:
        raise CheckpointError("the log was trimmed, and no cut can be read")
    return Position(log.created)


def newest_partition(
    log: Log, store: Store, partitions: int, number: int
) -> tuple[Partition, Position, cut.Manifest | None]:
    """The newest state that a partition can be folded from."""
    for found in find(log, store, partitions):
        try:
            return partition_of_cut(store, found, number), found.position, found.manifests[str(number)]
        except CheckpointError:
            continue
    return Partition(number, partitions), beginning(log), None


def write(store: Store, part: Part, blobs_only: bool) -> None:
    """Store a part; ``blobs_only``: it fails before the manifest is stored."""
    manifest, blobs = part.writer.write(part.taken, part.position)
    key = cut.manifest_key(part.taken.epoch, part.taken.part)
    if key in store.blobs:
        return
    for blob, data in blobs.items():
        store.put(blob, data)
    if not blobs_only:
        store.put(key, manifest)
        part.writer.stored()


def collect(log: Log, store: Store, partitions: int, holds: Callable[[Position], bool]) -> None:
    """Drop what the newest cuts do not need, and the log before them; nothing while a milestone needs them."""
    kept = find(log, store, partitions)[:KEPT]
    if len(kept) < KEPT:
        return
    newest, oldest = kept[0], kept[-1]
    if holds(newest.position):
        return
    needed: set[str] = set()
    for key in store.keys("cut"):
        if int(key.split(".")[1]) < oldest.epoch:
            store.delete(key)
        else:
            try:
                needed |= {cut.blob_key(ref) for ref in cut.read_manifest(store.blobs[key]).refs()}
            except CheckpointError:
                return  # a damaged one does not tell what it needs: nothing is dropped
    for key in store.keys("blob"):
        if int(key.split(".")[1]) < newest.epoch and key not in needed:
            store.delete(key)
    log.trim(oldest.position.sequence)
