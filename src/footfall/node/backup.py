"""Makes backups: copies the newest cut that can be gone on from, with the proofs of winners, and verifies the copy."""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

import msgspec

from footfall.core import cut
from footfall.core.definitions import Definitions
from footfall.core.milestones import Standing
from footfall.core.partition import Partition
from footfall.errors import BackupDamagedError, BackupFailedError, CheckpointError, FootfallError, LogUnavailableError
from footfall.log.protocol import Message
from footfall.node import backup_check, backup_format
from footfall.node.backup_format import MANIFEST, Backup, Barrier, Packer, Part, Record
from footfall.node.backup_places import Place
from footfall.node.bundles import Head, LogAndStore, chunk_key, head_key, heads
from footfall.node.cut_reader import Found
from footfall.node.cuts import Cuts, pin_key
from footfall.ordinals import ordinal

logger = logging.getLogger(__name__)

PATIENCE_S = 30.0  # until there is a cut that can be read and gone on from
PROOFS_PATIENCE_S = 10.0  # until the proofs of winners are kept; a backup without one says so
LOOK_AGAIN_S = 0.5


async def back_up(cluster: LogAndStore, place: Place) -> Backup:
    """Make a backup, and verify it.

    Args:
        cluster: The log and the store, connected.
        place: Where it is kept.

    Raises:
        BackupFailedError: It cannot be made now.
        BackupDamagedError: It was made, and does not read back as it was written; it has no manifest then.
        IntegrityError: The log or its cuts are not what they were.
        LogUnavailableError: The log cannot be read now.
    """
    cuts = Cuts(cluster)
    give_up_s = time.monotonic() + PATIENCE_S
    while True:
        why = "there is no complete cut yet; a node takes one every 10 s"
        first = (await cluster.state()).first_sequence
        async with aclosing(cuts.each()) as each:
            async for found in each:
                if found.position.sequence < first:  # pinned: the log above it is gone
                    break
                try:
                    return await _copied(cluster, cuts, found, place)
                except CheckpointError as error:  # damaged, or dropped meanwhile
                    why = str(error)
                    logger.warning("an older cut is backed up: %s", why)
        if time.monotonic() > give_up_s:
            raise BackupFailedError(f"no backup can be made now: {why}")
        await asyncio.sleep(LOOK_AGAIN_S)


class _Source(NamedTuple):
    """The cut that is backed up."""

    cluster: LogAndStore
    cuts: Cuts
    found: Found
    definitions: Definitions
    barrier: Message


async def _copied(cluster: LogAndStore, cuts: Cuts, found: Found, place: Place) -> Backup:
    """A backup of one cut. Raises CheckpointError if it cannot be read, or cannot be gone on from."""
    pin = pin_key(found.epoch, secrets.token_hex(8))
    try:
        await cluster.put(pin, b"")
        barrier = await cluster.message(found.position.sequence)
        if barrier is None:
            raise CheckpointError(f"the log was trimmed beyond cut {found.epoch}")
        definitions = await cuts.definitions(found)
        if unfit := await _unfit(cuts, found, definitions):
            raise CheckpointError(f"cut {found.epoch} cannot be gone on from alone: {unfit}")
        return await _written(_Source(cluster, cuts, found, definitions, barrier), place)
    finally:
        with contextlib.suppress(LogUnavailableError):  # it expires by itself
            await cluster.delete(pin)


async def _unfit(cuts: Cuts, found: Found, definitions: Definitions) -> str:
    """Why a log that goes on from this cut could not decide a milestone; or nothing."""
    milestones = definitions.milestones
    for standing in milestones:
        if standing.undecided:
            return f"the {ordinal(standing.n)} of {standing.counter} is set, and not yet decided"
    if not milestones.open():
        return ""
    sums = dict.fromkeys(milestones.open(), 0)
    for number in range(len(found.manifests) - 1):
        partition = await cuts.partition(found, number)
        for counter in sums:
            sums[counter] += partition.entry(counter, definitions)
    for counter, value in sums.items():
        n = milestones.open_of(counter)[0].n
        if value >= n:
            return f"the {ordinal(n)} of {counter} has come, and is being judged"
    return ""


async def _written(source: _Source, place: Place) -> Backup:
    """Write all parts, verify them, and then write the manifest. Raises as ``back_up``, and CheckpointError."""
    made = datetime.fromtimestamp(time.time(), UTC)
    name = backup_format.name_of(made, source.found.position, secrets.token_hex(4))
    try:
        backup = await _parts(source, _Writing(place, name), f"{made:%Y-%m-%dT%H:%M:%SZ}")
        await backup_check.verify(place, backup)
        data = backup_format.encode(backup)
        await asyncio.to_thread(place.write, name, MANIFEST, data)
        if await asyncio.to_thread(place.read, name, MANIFEST) != data:
            raise BackupDamagedError(f"{MANIFEST} of backup {name} does not read back as it was written")
    except FootfallError:
        with contextlib.suppress(BackupFailedError):  # what is left is removed a day later
            await asyncio.to_thread(place.remove, name)
        raise
    return backup


async def _parts(source: _Source, writing: "_Writing", made: str) -> Backup:
    """Write all parts; returns the manifest."""
    found, copying = source.found, _Copying(source)
    async with aclosing(copying.records()) as each:
        async for record in each:
            await writing.add(record)
    await writing.end()
    return Backup(
        format=backup_format.FORMAT,
        name=writing.name,
        made=made,
        log=found.position.created,
        sequence=found.position.sequence,
        epoch=found.epoch,
        partitions=len(found.manifests) - 1,
        ancestors=dict(source.cluster.ancestors),
        barrier=Barrier(source.barrier.subject, source.barrier.data),
        counters=len(source.definitions),
        visits=copying.totals.visits,
        visitors=copying.totals.visitors,
        milestones=len(source.definitions.milestones),
        proofs=copying.proofs,
        unproven=copying.unproven,
        states=copying.states,
        parts=writing.parts,
    )


class _Writing:
    """The parts of one backup, as they are written."""

    def __init__(self, place: Place, name: str) -> None:
        self.name = name
        self.parts: list[Part] = []
        self._place = place
        self._packer = Packer()

    async def add(self, record: Record) -> None:
        if (full := self._packer.add(record)) is not None:
            await self._write(full)

    async def end(self) -> None:
        await self._write(self._packer.rest())

    async def _write(self, data: bytes) -> None:
        part = Part(backup_format.part_name(len(self.parts)), len(data), sha256(data).hexdigest())
        await asyncio.to_thread(self._place.write, self.name, part.name, data)
        self.parts.append(part)


class _Copying:
    """What a backup holds, in order: the cut, each of its parts behind its blobs; then cuts of proofs, and the proofs.

    Attributes:
        states: See ``Backup.states``; like the others, whole once all records were taken.
        totals: See ``Backup.visits`` and ``visitors``.
        proofs: See ``Backup.proofs``.
        unproven: See ``Backup.unproven``.
    """

    def __init__(self, source: _Source) -> None:
        self.states: dict[str, str] = {}
        self.totals = backup_check.Totals()
        self.proofs = 0
        self.unproven: list[str] = []
        self._source = source
        self._copied: set[str] = set()  # blobs and manifests

    async def records(self) -> AsyncGenerator[Record, None]:
        source = self._source
        roots = await asyncio.to_thread(backup_check.roots_of, source.definitions)
        for part in (cut.DEFINITIONS, *map(str, range(len(source.found.manifests) - 1))):
            manifest = source.found.manifests[part]
            copied = await self._part(source.found.epoch, manifest)
            state, totals = await asyncio.to_thread(_decoded, manifest, dict(copied), roots)
            self.states[part] = state
            self.totals = self.totals.plus(totals)
            for record in copied:
                yield record
        reached = [standing for standing in source.definitions.milestones if not standing.open]
        give_up_s = time.monotonic() + PROOFS_PATIENCE_S
        for standing in reached:
            async with aclosing(self._proof(standing, give_up_s)) as proof:
                async for record in proof:
                    yield record

    async def _part(self, epoch: int, manifest: cut.Manifest) -> list[Record]:
        """A part of a cut: its blobs, and then its manifest. Raises CheckpointError if the store has lost something."""
        keys = sorted(cut.blob_key(ref) for ref in manifest.refs() if ref.digest not in manifest.inline)
        if epoch != self._source.found.epoch:  # of the cut itself each part is whole, so that it can be decoded alone
            keys = [key for key in keys if key not in self._copied]
        fetched = await self._source.cuts.fetch([*keys, cut.manifest_key(epoch, manifest.part)])
        self._copied.update(keys)
        return [Record(key, data) for key, data in fetched.items()]

    async def _proof(self, standing: Standing, give_up_s: float) -> AsyncGenerator[Record, None]:
        """The proof of a winner, and the cut that it begins at. One that is damaged costs nothing of the count."""
        cluster, proven = self._source.cluster, False
        why = "it is not kept yet"
        try:
            found = await heads(cluster, standing.since)
            while not found and time.monotonic() < give_up_s:
                await asyncio.sleep(LOOK_AGAIN_S)
                found = await heads(cluster, standing.since)
            for head in found:
                async with aclosing(self._bundle(head)) as bundle:
                    async for record in bundle:
                        yield record
                proven, why = proven or not head.why, head.why
        except CheckpointError as error:
            why = str(error)
        self.proofs += proven
        if not proven:
            self.unproven.append(f"the {ordinal(standing.n)} of {standing.counter}: {why}")

    async def _bundle(self, head: Head) -> AsyncGenerator[Record, None]:
        source = self._source
        key = f"cut {head.epoch}"
        if head.epoch and not head.why and key not in self._copied:
            manifests = (await source.cuts.at(head.epoch)).manifests
            for manifest in manifests.values():
                for record in await self._part(head.epoch, manifest):
                    yield record
            self._copied.add(key)
        for number in range(head.chunks):
            chunk = chunk_key(head.since, head.epoch, number)
            yield Record(chunk, (await source.cuts.fetch([chunk]))[chunk])
        yield Record(head_key(head), msgspec.msgpack.encode(head))


def _decoded(
    manifest: cut.Manifest, fetched: dict[str, bytes], roots: backup_check.Roots
) -> tuple[str, backup_check.Totals]:
    """The digest of a part's state, and what it counts."""
    if manifest.part == cut.DEFINITIONS:
        return backup_check.state_of(cut.restore_definitions(manifest, fetched)), backup_check.Totals()
    partition: Partition = cut.restore(manifest, fetched)
    return backup_check.state_of(partition), roots.totals(partition)
