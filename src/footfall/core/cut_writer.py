"""Takes a partition's state at a barrier, and turns it into the bytes of a cut: a manifest, and blobs.

``cut`` says what these are, and reads them. What did not change since the cut before is not written again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

import msgspec

from footfall.core.cut import (
    DEFINITIONS,
    DefinitionsMeta,
    Manifest,
    PartitionMeta,
    Ref,
    Refs,
    blob_key,
    encode_manifest,
    manifest_key,
)
from footfall.core.definitions import Definitions
from footfall.core.partition import Partition
from footfall.core.position import Position
from footfall.core.visitors import Hashes, merged

BLOB_BYTES_MAX = 512 * 1024  # below the log's message limit, and 65,536 counts
INLINE_BYTES_MAX = 64 * 1024  # a small state is one message instead of five
SEGMENTS_MAX = 60  # of visitors, before they are written anew as one base
ROWS_PER_BLOB = 4096  # definitions: a full blob never changes again, and at 213 bytes each still is one message

_encode = msgspec.msgpack.Encoder(order="deterministic").encode


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
        DefinitionsMeta(
            definitions.sequence,
            list(definitions.producers.items()),
            list(definitions.milestones),
            definitions.imports,
            definitions.messages_since,
            definitions.messages,
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
        previous = self._previous if self.builds_on(taken.epoch) else None
        pages = _Pages(taken.epoch, previous)
        visitors, base_bytes = _visitors(taken, previous, pages)
        meta = pages.refs(_split(taken.meta))
        body = pages.refs(taken.body())
        keys = tuple((epoch, pages.refs(_split(digests))) for epoch, digests in taken.keys)
        inline, blobs = pages.placed({ref for refs in (meta, body, *dict(keys).values(), *visitors) for ref in refs})
        self._written = Manifest(
            "cut/1", taken.part, taken.partitions, taken.epoch, position, meta, body, keys, visitors, base_bytes, inline
        )
        return encode_manifest(self._written), blobs

    def builds_on(self, epoch: int) -> str:
        """Where the manifest is stored that the next one, of this epoch, builds on; empty if it builds on none."""
        if self._previous is None or self._previous.epoch != epoch - 1:
            return ""  # a cut was not stored: blobs may be gone, and what was added in between is not known
        return manifest_key(self._previous.epoch, self._previous.part)

    def begin_anew(self) -> None:
        """The store has lost what was stored: the next ``write`` builds on nothing."""
        self._previous = None

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


def _partition_meta(partition: Partition) -> bytes:
    meta = PartitionMeta(
        partition.sequence,
        len(partition.counts),
        {name: (known.born, known.sequence) for name, known in partition.producers.items()},
        partition.sources,
        partition.tally,
        partition.alarmed,
        partition.messages_since,
        partition.messages,
    )
    return _encode(meta)


def _sets(sets: Mapping[int, Sequence[Hashes]]) -> list[bytes]:
    whole = [(number, merged(runs).tobytes()) for number, runs in sorted(sets.items())]
    return _split(_encode(whole)) if whole else []


def _split(data: bytes) -> list[bytes]:
    return [data[at : at + BLOB_BYTES_MAX] for at in range(0, len(data), BLOB_BYTES_MAX)]
