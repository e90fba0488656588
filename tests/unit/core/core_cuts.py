"""A store of cuts in a dict, and the parts of a cut written and read back as nodes do."""

from collections.abc import Iterable
from typing import Any

import msgspec
from core_logs import Folds

from footfall.core import cut, cut_writer
from footfall.core.cut import Manifest
from footfall.core.cut_writer import Writer
from footfall.core.definitions import Definitions
from footfall.core.partition import Partition
from footfall.core.position import Position
from footfall.errors import CheckpointError


def position_of(folds: Folds) -> Position:
    """The position after the last message; its digest only has to differ from place to place."""
    return Position("monday", folds.sequence, folds.sequence.to_bytes(16))


class Store:
    """What was stored, by key. The definitions are a part like the partitions."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    def write(self, writer: Writer, taken: cut_writer.Capture, position: Position) -> Manifest:
        """Write a part whole."""
        data, blobs = writer.write(taken, position)
        self.values |= blobs
        self.values[cut.manifest_key(taken.epoch, taken.part)] = data
        writer.stored()
        return cut.read_manifest(data)

    def blobs(self, manifest: Manifest) -> dict[str, bytes]:
        """The blobs that the manifest does not hold itself, as far as they are there."""
        keys = {cut.blob_key(ref) for ref in manifest.refs() if ref.digest not in manifest.inline}
        return {key: self.values[key] for key in keys if key in self.values}

    def restore(self, manifest: Manifest) -> Partition:
        return cut.restore(manifest, self.blobs(manifest))

    def restore_definitions(self, manifest: Manifest) -> Definitions:
        return cut.restore_definitions(manifest, self.blobs(manifest))


def write_all(store: Store, folds: Folds, writers: Iterable[Writer] | None = None) -> list[Manifest]:
    """All parts of a cut of these folds; the definitions last."""
    captures = [
        *map(cut_writer.capture, folds.partitions),
        cut_writer.capture_definitions(folds.definitions, len(folds.partitions)),
    ]
    position = position_of(folds)
    chosen = [Writer() for _ in captures] if writers is None else writers
    return [store.write(writer, taken, position) for writer, taken in zip(chosen, captures, strict=True)]


def restored(store: Store, manifests: list[Manifest], partitions: int) -> Folds:
    """The folds as they were at a cut."""
    folds = Folds(partitions)
    position = cut.check_parts(manifests, manifests[0].epoch, partitions)
    folds.sequence = position.sequence
    *parts, definitions = manifests
    folds.partitions = [store.restore(manifest) for manifest in parts]
    folds.definitions = store.restore_definitions(definitions)
    return folds


def changed(manifest: Manifest, **parts: Any) -> Manifest:
    return msgspec.structs.replace(manifest, **parts)


def refused(manifest: Manifest, blobs: dict[str, bytes]) -> str:
    """Why a part cannot be restored."""
    try:
        cut.restore(manifest, blobs) if manifest.part != cut.DEFINITIONS else cut.restore_definitions(manifest, blobs)
    except CheckpointError as error:
        return str(error)
    raise AssertionError("it was restored")
