"""A consistent cut as bytes: each partition's state at one barrier, in blobs that later cuts share."""

from array import array
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Literal, NamedTuple

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

BLOB_BYTES_MAX = 512 * 1024  # below the log's message limit, and 65,536 counts
INLINE_BYTES_MAX = 64 * 1024  # a small state is one message instead of five
SEGMENTS_MAX = 60  # of visitors, before they are written anew as one base
ROWS_PER_BLOB = 4096  # definitions: a full blob never changes again, and at 213 bytes each still is one message
DIGEST_BYTES = 16
DEFINITIONS = "definitions"


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


class Capture(NamedTuple):
    """A state at a barrier, held by reference where it does not change: taken at once, written when there is time."""

    part: str
    partitions: int
    epoch: int
    meta: bytes
    body: Callable[[], list[bytes]]
    keys: tuple[tuple[int, bytes], ...]
    added: dict[int, Hashes]
    visitors: dict[int, tuple[Hashes, Hashes, Hashes]]


class _PartitionMeta(msgspec.Struct, array_like=True):
    sequence: int
    counters: int
    producers: dict[str, tuple[int, int]]
    sources: dict[str, int]
    tally: dict[str, int]
    alarmed: dict[str, tuple[int, int]] = {}


class _DefinitionsMeta(msgspec.Struct, array_like=True):
    sequence: int
    producers: list[tuple[str, int]]  # in the order in which they are forgotten
    milestones: list[Standing] = []
    imports: dict[str, Imported] = {}


Row = tuple[str, int, int]  # name, unit (0 or 1), since

_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_encode_unsealed = msgspec.msgpack.Encoder().encode
_decode_manifest = msgspec.msgpack.Decoder(Manifest).decode
_decode_partition = msgspec.msgpack.Decoder(_PartitionMeta).decode
_decode_definitions = msgspec.msgpack.Decoder(_DefinitionsMeta).decode
_decode_rows = msgspec.msgpack.Decoder(list[Row]).decode
_decode_sets = msgspec.msgpack.Decoder(list[tuple[int, bytes]]).decode


def capture(partition: Partition) -> Capture:
    """The partition's state just after a barrier that began an epoch."""
    counts = partition.counts.tobytes()
    return Capture(
        part=str(partition.number),
        partitions=partition.partitions,
        epoch=partition.epoch,
        meta=_partition_meta(partition),
        body=lambda: _split(counts.rstrip(b"\0")),
        keys=partition.keys.segments(),
        added={number: seen.take_added() for number, seen in partition.visitors.items() if seen.added},
        visitors={number: seen.runs() for number, seen in partition.visitors.items()},
    )


def capture_definitions(definitions: Definitions, partitions: int) -> Capture:
    """The definitions just after a barrier that began an epoch."""
    names, units, since = definitions.names[:], definitions.units[:], definitions.since[:]

    def body() -> list[bytes]:
        rows = list(zip(names, units, since, strict=True))
        return [_encode(rows[at : at + ROWS_PER_BLOB]) for at in range(0, len(rows), ROWS_PER_BLOB)]

    meta = _encode(
        _DefinitionsMeta(
            definitions.sequence,
            list(definitions.producers.items()),
            list(definitions.milestones),
            definitions.imports,
        )
    )
    return Capture(DEFINITIONS, partitions, definitions.epoch, meta, body, (), {}, {})


def state_bytes(partition: Partition) -> bytes:
    """The whole state as bytes: equal for equal states, however they came about."""
    sets = [(number, merged(seen.runs()).tobytes()) for number, seen in sorted(partition.visitors.items())]
    counts = partition.counts.tobytes().rstrip(b"\0")
    return _encode((partition.epoch, _partition_meta(partition), counts, partition.keys.segments(), sets))


class Writer:
    """Turns one part's captures into manifests and blobs, cut after cut; remembers what is stored already."""

    def __init__(self, previous: Manifest | None = None) -> None:
        self._previous = previous

    def write(self, taken: Capture, position: Position) -> tuple[bytes, dict[str, bytes]]:
        """The manifest's bytes, and by key the blobs that must be stored before it."""
        previous = self._previous
        if previous is not None and previous.epoch != taken.epoch - 1:
            previous = None  # its blobs may be gone, and what was added in between is not known
        self._previous = None  # until ``stored``: a cut that was not written breaks the chain of segments
        pages = _Pages(taken.epoch, previous)
        visitors, base_bytes = _visitors(taken, previous, pages)
        meta = pages.refs(_split(taken.meta))
        body = pages.refs(taken.body())
        keys = tuple((epoch, pages.refs(_split(digests))) for epoch, digests in taken.keys)
        inline, blobs = pages.placed({ref for refs in (meta, body, *dict(keys).values(), *visitors) for ref in refs})
        self._written = Manifest(
            "cut/1", taken.part, taken.partitions, taken.epoch, position, meta, body, keys, visitors, base_bytes, inline
        )
        return _encode_manifest(self._written), blobs

    def stored(self) -> None:
        """The last ``write`` is durable: the next one may build on it."""
        self._previous = self._written


class _Pages:
    """The blobs of one manifest: those that the manifest before it holds already, and new ones."""

    def __init__(self, epoch: int, previous: Manifest | None) -> None:
        self._epoch = epoch
        self._data = dict(previous.inline) if previous else {}  # they must go on being held somewhere
        self._known = {ref.digest: self.again(ref) for ref in previous.refs()} if previous else {}

    def again(self, ref: Ref) -> Ref:
        """The ref of a blob of the manifest before; one that was held inline counts as stored now, if it is stored."""
        return Ref(ref.digest, ref.size, self._epoch) if ref.digest in self._data else ref

    def refs(self, pages: Iterable[bytes]) -> Refs:
        """One ref a page."""
        refs = []
        for page in pages:
            digest = sha256(page).digest()
            ref = self._known.get(digest)
            if ref is None:
                ref = self._known[digest] = Ref(digest, len(page), self._epoch)
                self._data[digest] = page
            refs.append(ref)
        return tuple(refs)

    def placed(self, used: set[Ref]) -> tuple[dict[bytes, bytes], dict[str, bytes]]:
        """The data at hand of the refs used: what the manifest holds itself, and by key what must be stored."""
        inline: dict[bytes, bytes] = {}
        blobs: dict[str, bytes] = {}
        room = INLINE_BYTES_MAX
        for ref in sorted(used, key=lambda ref: (ref.size, ref.digest)):
            data = self._data.get(ref.digest)
            if data is not None and ref.size <= room:
                inline[ref.digest] = data
                room -= ref.size
            elif data is not None:
                blobs[blob_key(ref)] = data
        return inline, blobs


def _visitors(taken: Capture, previous: Manifest | None, pages: _Pages) -> tuple[tuple[Refs, ...], int]:
    """The base and the segments of visitors, and the size of the base."""
    if previous is not None:
        segment = pages.refs(_sets({number: (added,) for number, added in taken.added.items()}))
        before = tuple(tuple(map(pages.again, refs)) for refs in previous.visitors)
        visitors = (*before, segment) if segment else before
        added_bytes = sum(ref.size for refs in visitors[1:] for ref in refs)
        if len(visitors) <= SEGMENTS_MAX and 2 * added_bytes <= max(previous.base_bytes, BLOB_BYTES_MAX):
            return visitors, previous.base_bytes
    base = pages.refs(_sets(taken.visitors))
    return (base,) if base else (), sum(ref.size for ref in base)


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
    return _encode_manifest(msgspec.structs.replace(manifest, position=position))


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
            _joined(manifest, (ref,), fetched)


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
        meta = _decode_partition(_joined(manifest, manifest.meta, fetched))
        if not 0 <= meta.counters <= COUNTERS_MAX:
            raise ValueError(f"it has {meta.counters} counters")
        partition.counts = array("q", bytes(8 * meta.counters))
        counts = _joined(manifest, manifest.body, fetched)
        np.frombuffer(partition.counts, np.uint8)[: len(counts)] = np.frombuffer(counts, np.uint8)
        sets: dict[int, list[Hashes]] = {}
        for refs in manifest.visitors:
            for number, hashes in _decode_sets(_joined(manifest, refs, fetched)):
                sets.setdefault(number, []).append(np.frombuffer(hashes, np.uint64))
    except (*UNREADABLE, ValueError) as error:
        raise CheckpointError(f"partition {manifest.part} of cut {manifest.epoch} cannot be read: {error}") from None
    partition.sequence, partition.epoch = meta.sequence, manifest.epoch
    partition.producers = {name: Producer(*known) for name, known in meta.producers.items()}
    partition.sources, partition.tally, partition.alarmed = meta.sources, meta.tally, meta.alarmed
    partition.keys = KeyWindow((epoch, _joined(manifest, refs, fetched)) for epoch, refs in manifest.keys)
    partition.visitors = {number: HashSet(merged(runs)) for number, runs in sets.items()}
    return partition


def restore_definitions(manifest: Manifest, fetched: Mapping[str, bytes]) -> Definitions:
    """The definitions; raises as ``restore`` does."""
    definitions = Definitions()
    try:
        meta = _decode_definitions(_joined(manifest, manifest.meta, fetched))
        for ref in manifest.body:
            definitions.restore(_decode_rows(_joined(manifest, (ref,), fetched)))
    except UNREADABLE as error:
        raise CheckpointError(f"the definitions of cut {manifest.epoch} cannot be read: {error}") from None
    definitions.sequence, definitions.epoch = meta.sequence, manifest.epoch
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


def _partition_meta(partition: Partition) -> bytes:
    meta = _PartitionMeta(
        partition.sequence,
        len(partition.counts),
        {name: (known.born, known.sequence) for name, known in partition.producers.items()},
        partition.sources,
        partition.tally,
        partition.alarmed,
    )
    return _encode(meta)


def _encode_manifest(manifest: Manifest) -> bytes:
    sealed = _encode_unsealed(msgspec.structs.replace(manifest, digest=bytes(DIGEST_BYTES)))
    return sealed[:-DIGEST_BYTES] + _digest(sealed)


def _digest(manifest: bytes) -> bytes:
    """Of all that comes before the digest, which is last."""
    return xxhash.xxh3_128_digest(manifest[:-DIGEST_BYTES])


def _sets(sets: Mapping[int, Sequence[Hashes]]) -> list[bytes]:
    whole = [(number, merged(runs).tobytes()) for number, runs in sorted(sets.items())]
    return _split(_encode(whole)) if whole else []


def _split(data: bytes) -> list[bytes]:
    return [data[at : at + BLOB_BYTES_MAX] for at in range(0, len(data), BLOB_BYTES_MAX)]


def _joined(manifest: Manifest, refs: Refs, fetched: Mapping[str, bytes]) -> bytes:
    pages = []
    for ref in refs:
        page = manifest.inline.get(ref.digest) or fetched.get(blob_key(ref))
        if page is None or sha256(page).digest() != ref.digest:
            what = "is missing" if page is None else "was changed"
            raise CheckpointError(f"{blob_key(ref)} of part {manifest.part} of cut {manifest.epoch} {what}")
        pages.append(page)
    return b"".join(pages)
