"""A consistent cut as bytes: each partition's state at one barrier, in blobs that later cuts share.

Here is what it consists of, and how it is read; ``cut_writer`` writes it. Every byte that is read is compared with a
digest first: a cut that was torn or changed is refused, never counted on.
"""

from array import array
from collections.abc import Container, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Literal

import msgspec
import numpy as np
import xxhash

from footfall.core.batch import UNREADABLE, explain
from footfall.core.definitions import COUNTERS_MAX, Definitions, Imported
from footfall.core.keys import KeyWindow
from footfall.core.milestones import Milestones, Standing
from footfall.core.partition import Partition, Producer
from footfall.core.position import Position
from footfall.core.visitors import Hashes, HashSet, merged
from footfall.errors import CheckpointError, MalformedError

DIGEST_BYTES = 16
DEFINITIONS = "definitions"
UNKNOWN = -1  # since when messages are counted, in a cut of before they were


class Ref(msgspec.Struct, frozen=True, array_like=True):
    """A blob: its SHA-256, its size in bytes, and the epoch of the cut that stored it."""

    digest: bytes
    size: int
    epoch: int


Refs = tuple[Ref, ...]


class Manifest(msgspec.Struct, frozen=True, array_like=True):
    """What one partition's state, or the definitions', at a barrier consists of.

    Attributes:
        tag: Kind and version.
        part: The partition's number, or "definitions".
        partitions: P.
        epoch: The epoch that the barrier began; it names the cut.
        position: The barrier's place in the log; the same for all parts of a cut.
        meta: What is small: producers, sources, tally.
        body: Counts in pages of 65,536 counters; for the definitions their rows in pages of 4,096.
        keys: By epoch, the idempotency keys.
        visitors: The base first, then segments: what was added from cut to cut.
        base_bytes: Size of the base.
        inline: Blobs small enough to be held here, by digest.
        digest: XXH3-128 of all bytes before it; empty in cuts of before it was introduced.
    """

    tag: Literal["cut/1"]
    part: str
    partitions: int
    epoch: int
    position: Position
    meta: Refs
    body: Refs
    keys: tuple[tuple[int, Refs], ...]
    visitors: tuple[Refs, ...]
    base_bytes: int
    inline: dict[bytes, bytes]
    digest: bytes = b""

    def refs(self) -> set[Ref]:
        """All blobs that the state needs."""
        parts = (self.meta, self.body, *(refs for _, refs in self.keys), *self.visitors)
        return {ref for refs in parts for ref in refs}


class PartitionMeta(msgspec.Struct, array_like=True):
    """What is small of a partition's state."""

    sequence: int
    counters: int
    producers: dict[str, tuple[int, int]]
    sources: dict[str, int]
    tally: dict[str, int]
    alarmed: dict[str, tuple[int, int]] = {}
    messages_since: int = UNKNOWN
    messages: int = 0


class DefinitionsMeta(msgspec.Struct, array_like=True):
    """What is small of the definitions."""

    sequence: int
    producers: list[tuple[str, int]]  # in the order in which they are forgotten
    milestones: list[Standing] = []
    imports: dict[str, Imported] = {}
    messages_since: int = UNKNOWN
    messages: int = 0


Row = tuple[str, int, int]  # name, unit (0 or 1), since

_encode = msgspec.msgpack.Encoder().encode
_decode_manifest = msgspec.msgpack.Decoder(Manifest).decode
_decode_partition = msgspec.msgpack.Decoder(PartitionMeta).decode
_decode_definitions = msgspec.msgpack.Decoder(DefinitionsMeta).decode
_decode_rows = msgspec.msgpack.Decoder(list[Row]).decode
_decode_sets = msgspec.msgpack.Decoder(list[tuple[int, bytes]]).decode


def encode_manifest(manifest: Manifest) -> bytes:
    """Its bytes, with their digest."""
    data = _encode(msgspec.structs.replace(manifest, digest=bytes(DIGEST_BYTES)))
    return data[:-DIGEST_BYTES] + _digest(data)


def read_manifest(data: bytes) -> Manifest:
    """The manifest of these bytes. Raises CheckpointError, or FormatError for a newer version."""
    try:
        manifest = _decode_manifest(data)
    except UNREADABLE as error:
        reason = explain(data, "cut/1", error)
    else:
        if manifest.digest and manifest.digest != _digest(data):
            raise CheckpointError(f"the manifest of part {manifest.part} of cut {manifest.epoch} was changed")
        return manifest
    if isinstance(reason, MalformedError):
        raise CheckpointError(f"a manifest of {len(data)} bytes is torn: {reason}")
    raise reason


def moved(manifest: Manifest, position: Position) -> bytes:
    """The manifest of the same state in another log, which goes on from a backup of this one."""
    return encode_manifest(msgspec.structs.replace(manifest, position=position))


def verify(manifest: Manifest, fetched: Mapping[str, bytes], known: Container[str] = ()) -> None:
    """See that a state can be restored, without doing it.

    Args:
        manifest: The part's.
        fetched: The blobs that are not inline, by key.
        known: Keys of blobs that need not be looked at.

    Raises:
        CheckpointError: If a blob is missing, torn or flipped.
    """
    for ref in manifest.refs():
        if ref.digest in manifest.inline or blob_key(ref) not in known:
            joined(manifest, (ref,), fetched)


def restore(manifest: Manifest, fetched: Mapping[str, bytes]) -> Partition:
    """The partition's state.

    Args:
        manifest: The partition's.
        fetched: The blobs that are not inline, by key.

    Raises:
        CheckpointError: If a blob is missing, torn or flipped.
    """
    try:
        partition = Partition(int(manifest.part), manifest.partitions)
        meta = _decode_partition(joined(manifest, manifest.meta, fetched))
        if not 0 <= meta.counters <= COUNTERS_MAX:
            raise ValueError(f"it has {meta.counters} counters")
        partition.counts = array("q", bytes(8 * meta.counters))
        counts = joined(manifest, manifest.body, fetched)
        np.frombuffer(partition.counts, np.uint8)[: len(counts)] = np.frombuffer(counts, np.uint8)
        sets: dict[int, list[Hashes]] = {}
        for refs in manifest.visitors:
            for number, hashes in _decode_sets(joined(manifest, refs, fetched)):
                sets.setdefault(number, []).append(np.frombuffer(hashes, np.uint64))
    except (*UNREADABLE, ValueError) as error:
        raise CheckpointError(f"partition {manifest.part} of cut {manifest.epoch} cannot be read: {error}") from None
    partition.sequence, partition.epoch = meta.sequence, manifest.epoch
    partition.producers = {name: Producer(*known) for name, known in meta.producers.items()}
    partition.sources, partition.tally, partition.alarmed = meta.sources, meta.tally, meta.alarmed
    partition.messages_since, partition.messages = _since(meta.messages_since, manifest), meta.messages
    partition.keys = KeyWindow((epoch, joined(manifest, refs, fetched)) for epoch, refs in manifest.keys)
    partition.visitors = {number: HashSet(merged(runs)) for number, runs in sets.items()}
    return partition


def restore_definitions(manifest: Manifest, fetched: Mapping[str, bytes]) -> Definitions:
    """The definitions; raises as ``restore`` does."""
    definitions = Definitions()
    try:
        meta = _decode_definitions(joined(manifest, manifest.meta, fetched))
        for ref in manifest.body:
            definitions.restore(_decode_rows(joined(manifest, (ref,), fetched)))
    except UNREADABLE as error:
        raise CheckpointError(f"the definitions of cut {manifest.epoch} cannot be read: {error}") from None
    definitions.sequence, definitions.epoch = meta.sequence, manifest.epoch
    definitions.messages_since, definitions.messages = _since(meta.messages_since, manifest), meta.messages
    definitions.producers = dict(meta.producers)
    definitions.milestones, definitions.imports = Milestones(meta.milestones, meta.sequence), meta.imports
    return definitions


def check_parts(manifests: Sequence[Manifest], epoch: int, partitions: int) -> Position:
    """The one position of a cut's parts.

    Raises:
        CheckpointError: If a part is missing, stands elsewhere, or is of another log.
    """
    expected = {DEFINITIONS, *map(str, range(partitions))}
    found = {manifest.part for manifest in manifests}
    if found != expected:
        raise CheckpointError(
            f"cut {epoch} lacks {', '.join(sorted(expected - found)) or 'nothing, but has strange parts'}"
        )
    strange = [m.part for m in manifests if m.epoch != epoch or m.partitions != partitions]
    if strange or len({manifest.position for manifest in manifests}) != 1:
        raise CheckpointError(
            f"the parts of cut {epoch} are not of one barrier of one log: {strange or 'positions differ'}"
        )
    return manifests[0].position


def complete(keys: Iterable[str], partitions: int) -> list[int]:
    """The epochs of the cuts that have all parts, newest first, given the keys stored under "cut"."""
    parts: dict[int, set[str]] = {}
    for key in keys:
        _, epoch, part = key.split(".")
        parts.setdefault(int(epoch), set()).add(part)
    expected = {DEFINITIONS, *map(str, range(partitions))}
    return sorted((epoch for epoch, found in parts.items() if found >= expected), reverse=True)


def manifest_key(epoch: int, part: str) -> str:
    """Where a manifest is stored."""
    return f"cut.{epoch}.{part}"


def blob_key(ref: Ref) -> str:
    """Where a blob is stored: under its epoch, so that none of a cut under way is taken for an old one."""
    return f"blob.{ref.epoch}.{ref.digest.hex()}"


def _since(since: int, manifest: Manifest) -> int:
    """Above which sequence messages are counted: in all parts of a cut of before they were, above the cut."""
    return manifest.position.sequence if since == UNKNOWN else since


def _digest(manifest: bytes) -> bytes:
    """Of all that comes before the digest, which is last."""
    return xxhash.xxh3_128_digest(manifest[:-DIGEST_BYTES])


def joined(manifest: Manifest, refs: Refs, fetched: Mapping[str, bytes]) -> bytes:
    """The bytes of these blobs, one after the other. Raises CheckpointError if one is missing, torn or flipped."""
    pages = []
    for ref in refs:
        page = manifest.inline.get(ref.digest) or fetched.get(blob_key(ref))
        if page is None or sha256(page).digest() != ref.digest:
            what = "is missing" if page is None else "was changed"
            raise CheckpointError(f"{blob_key(ref)} of part {manifest.part} of cut {manifest.epoch} {what}")
        pages.append(page)
    return b"".join(pages)
