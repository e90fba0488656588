"""Damaged messages: each decoder returns or raises what it documents, soon; and no count ever falls because of one."""

import random
import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import corpora
import msgspec
import numpy as np
import pytest
from corpora import PARTITIONS
from mutating import INPUTS, bombard, mutated

from footfall.core import batch, control
from footfall.core.cut import Manifest, Ref, blob_key, read_manifest, restore, restore_definitions, verify
from footfall.core.cut_writer import Writer, capture, capture_definitions
from footfall.core.partition import Partition
from footfall.core.position import Position
from footfall.core.table import Table
from footfall.errors import BackupDamagedError, CheckpointError, FormatError, MalformedError
from footfall.log.protocol import Message
from footfall.node import backup_format, bundles, messages
from footfall.node.bundles import CHUNK_BYTES, Head, framed
from footfall.node.sharing import Sharing


def test_batches_and_their_lists() -> None:
    def take(data: bytes) -> None:
        for section in batch.decode(data).sections:
            for texts in (section.visitors, section.keys):
                if texts is not None:
                    batch.unpack(texts)

    assert bombard(take, corpora.batches(), (FormatError,), INPUTS * 12 // 100) > INPUTS // 100
    assert bombard(batch.unpack, [batch.pack(["a", "bc", "ü" * 40])], (MalformedError,), INPUTS // 50)


def test_control_messages() -> None:
    assert bombard(control.decode, corpora.controls(), (FormatError,), INPUTS * 12 // 100) > INPUTS // 100


class Fold:
    """A partition and the definitions, which fold whatever comes; anew now and then, so that states stay varied."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.partition, self.definitions = Partition(0, PARTITIONS), corpora.definitions()
        self.sequence, self.left = 1, 400

    def take(self, data: bytes) -> None:
        if not self.left:
            self.begin()
        self.left -= 1
        self.sequence += 1
        before = np.array(self.partition.counts)
        names = len(self.definitions)
        self.fold(data)
        after = np.array(self.partition.counts)
        assert (after[: len(before)] >= before).all(), "a count fell"
        assert len(self.definitions) >= names
        assert self.partition.sequence == self.sequence

    def fold(self, data: bytes) -> None:
        try:
            message = control.decode(data)
        except FormatError:
            try:
                self.partition.fold(self.sequence, data, self.definitions)
            except FormatError:  # of a newer format: a node stops here; nothing was changed
                self.partition.sequence = self.sequence
            return
        self.definitions.fold(self.sequence, message)
        self.partition.fold_control(self.sequence, message, self.definitions)


def test_whatever_is_folded_no_count_falls_and_nothing_is_raised() -> None:
    corpus = corpora.batches() * 2 + corpora.controls()
    assert bombard(Fold().take, corpus, (), INPUTS * 20 // 100) == INPUTS * 20 // 100


def _cut() -> list[bytes]:
    partition, definitions = corpora.counted()
    position = Position("2026-01-01T00:00:00Z", 100, bytes(16))
    manifests = [Writer().write(one, position)[0] for one in (capture(partition), capture_definitions(definitions, 2))]
    return manifests + corpora.goldens("cut")


def _restored(manifest: Manifest) -> None:
    if manifest.part not in ("definitions", "0", "1"):  # as ``check_parts`` does ahead of it
        raise CheckpointError
    verify(manifest, {})
    if manifest.part == "definitions":
        restore_definitions(manifest, {})
    else:
        restore(manifest, {})


def test_manifests_of_cuts() -> None:
    assert bombard(lambda data: _restored(read_manifest(data)), _cut(), (CheckpointError, FormatError), INPUTS // 10)


def test_blobs_of_cuts_that_are_damaged_and_sealed_anew() -> None:
    """Whoever can write to the store can do this: the digests fit, and what they are of is nonsense."""
    manifests = [read_manifest(data) for data in _cut()]
    pages = [(manifest, ref) for manifest in manifests for ref in sorted(manifest.refs(), key=lambda ref: ref.digest)]
    pages = [(manifest, ref) for manifest, ref in pages if ref.digest in manifest.inline]

    for manifest, ref in pages:

        def take(data: bytes, manifest: Manifest = manifest, ref: Ref = ref) -> None:
            changed = Ref(sha256(data).digest(), len(data), ref.epoch)
            text = msgspec.msgpack.encode(msgspec.structs.replace(manifest, digest=b"", inline={}))
            text = text.replace(msgspec.msgpack.encode(ref), msgspec.msgpack.encode(changed))
            again = read_manifest(text)
            inline = {**manifest.inline, changed.digest: data}
            _restored(msgspec.structs.replace(again, inline=inline))

        good = bombard(take, [manifest.inline[ref.digest]], (CheckpointError,), max(40, INPUTS // 10 // len(pages)))
        assert good, blob_key(ref)


def test_what_nodes_say_to_each_other() -> None:
    sharing = Sharing("me", "r", None, Table(PARTITIONS), dict)  # type: ignore[arg-type]

    def take(data: bytes) -> None:
        said = messages.decode(data)
        if isinstance(said, messages.Rows):
            totals = np.array(sharing._table.totals)
            corpora.finished(sharing.rows(said))
            assert (np.array(sharing._table.totals)[: len(totals)] >= totals).all()
        elif isinstance(said, messages.Done):
            corpora.finished(sharing.done(said))
        sharing._links.clear()
        if len(sharing._table.totals) > 10_000:  # 4 million are as many as anyone can make it hold
            sharing._table = Table(PARTITIONS)

    assert bombard(take, corpora.said(), (MalformedError,), INPUTS * 12 // 100) > INPUTS // 100


@pytest.mark.parametrize("decode", [messages.decode_query, messages.decode_position])
def test_questions_and_answers_about_sources(decode: Callable[[bytes], object]) -> None:
    assert bombard(decode, corpora.asked(), (MalformedError,), INPUTS * 2 // 100)


class Store:
    """A store that holds what a test puts there."""

    def __init__(self, values: dict[str, bytes]) -> None:
        self.values = values

    async def get(self, key: str) -> bytes | None:
        return self.values.get(key)

    async def keys(self, prefix: str) -> list[str]:
        return list(self.values)


def test_heads_of_proofs() -> None:
    head = Head("shop", 100, 4, 1, Position("2026-01-01T00:00:00Z"), 3, 1, 200)

    def take(data: bytes) -> None:
        corpora.finished(bundles.heads(Store({"proof.head.4.1": data}), 4))  # type: ignore[arg-type]

    assert bombard(take, [msgspec.msgpack.encode(head)], (CheckpointError,), INPUTS * 3 // 100)


def test_chunks_of_proofs_and_of_what_is_inflated_from_them() -> None:
    head = Head("shop", 100, 4, 1, Position("2026-01-01T00:00:00Z"), 3, 1, 200)
    log = b"".join(framed(Message(n, "footfall.visits.0", data, n)) for n, data in enumerate(corpora.batches()[:3], 1))

    async def read(data: bytes) -> int:
        count = 0
        async for _ in bundles.bundle(Store({bundles.chunk_key(4, 1, 0): data}), head):  # type: ignore[arg-type]
            count += 1
        return count

    def inflated(data: bytes) -> None:
        corpora.finished(read(zlib.compress(data, 1)))

    bombs = [zlib.compress(bytes(100 * CHUNK_BYTES), 9)[:20_000]]
    allowed = (CheckpointError,)
    assert bombard(lambda data: corpora.finished(read(data)), [zlib.compress(log), *bombs], allowed, INPUTS * 2 // 100)
    assert bombard(inflated, [log], allowed, INPUTS * 2 // 100)


def test_backups() -> None:
    parts = list(backup_format.pack([("blob", data) for data in corpora.batches()]))
    records = lambda data: list(backup_format.unpack("part", data))  # noqa: E731
    assert bombard(records, parts, (BackupDamagedError,), INPUTS * 2 // 100)

    def manifest(data: bytes) -> None:
        backup_format.decode("name", data + sha256(data).hexdigest().encode() + b"\n")

    line = b'{"format":"footfall-backup/1","name":"name","parts":[],"states":{},"sequence":1}\n'
    bombard(manifest, [line], (BackupDamagedError, FormatError), INPUTS * 2 // 100)


DEEP = b"\x91" * 100_000 + b"\xc0"


@pytest.mark.parametrize(
    "decode", [batch.decode, control.decode, read_manifest, messages.decode, messages.decode_query]
)
@pytest.mark.parametrize(
    "head", [b"", b"\x9e", b"\x9c\xa7batch/1", b"\x93\xa9barrier/1", b"\x9c\xa5cut/1", b"\x9c\xa4beat"]
)
def test_nested_a_hundred_thousand_deep(decode: Callable[[bytes], object], head: bytes) -> None:
    with pytest.raises((FormatError, CheckpointError)):
        decode(head + DEEP)


def test_what_a_newer_version_adds_may_be_nested_deeply_and_is_refused() -> None:
    proof = Head("shop", 100, 4, 1, Position("2026-01-01T00:00:00Z"), 3, 1, 200)
    data = msgspec.msgpack.encode(proof)
    store = Store({"proof.head.4.1": bytes([data[0] + 1]) + data[1:] + DEEP})
    with pytest.raises(CheckpointError):
        corpora.finished(bundles.heads(store, 4))  # type: ignore[arg-type]


def test_the_same_seed_damages_in_the_same_way(tmp_path: Path) -> None:
    one, other = random.Random(5), random.Random(5)
    corpus = corpora.batches()
    assert [mutated(one, corpus) for _ in range(200)] == [mutated(other, corpus) for _ in range(200)]


def test_a_decoder_that_crashes_and_one_that_hangs_are_noticed() -> None:
    def crashes(data: bytes) -> None:
        if data.startswith(b"ab\xff"):
            raise KeyError

    with pytest.raises(KeyError):
        bombard(crashes, [b"abcdef"], (ValueError,), 20_000)

    def hangs(data: bytes) -> None:
        if len(data) > 4_000:
            sum(range(100_000_000))

    with pytest.raises(AssertionError, match="took"):
        bombard(hangs, [b"abcdef"], (), 20_000)
