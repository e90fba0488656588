"""Reads a backup back: everything is compared with the manifest, and the cut is decoded and compared again."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from hashlib import sha256
from typing import NamedTuple

import msgspec

from footfall.core import control, cut
from footfall.core.batch import UNREADABLE
from footfall.core.definitions import Definitions
from footfall.core.partition import Partition
from footfall.core.position import Position, digest
from footfall.core.visitors import merged
from footfall.errors import BackupDamagedError, FormatError, IntegrityError
from footfall.node.backup_format import Backup, Record, check_part, unpack
from footfall.node.backup_places import Place
from footfall.node.bundles import Head, chunk_key


def state_of(state: Partition | Definitions) -> str:
    """SHA-256 of what was counted, or defined: equal for equal states.

    Of what a state is in this version of a backup, field by field: what later versions add to states must not make
    older backups look damaged.
    """
    told: tuple[object, ...]
    if isinstance(state, Partition):
        counts = state.counts.tobytes().rstrip(b"\0")
        producers = sorted((name, known.born, known.sequence) for name, known in state.producers.items())
        visitors = [(number, merged(seen.runs()).tobytes()) for number, seen in sorted(state.visitors.items())]
        sources, keys = sorted(state.sources.items()), state.keys.segments()
        told = (state.sequence, state.epoch, counts, producers, sources, keys, visitors)
    else:
        counters = (state.names, bytes(state.units), state.since.tobytes())
        milestones = [(one.counter, one.n, one.since, one.value, one.reached) for one in state.milestones]
        imports = sorted((source, one.counter, one.value, one.sequence) for source, one in state.imports.items())
        told = (state.sequence, state.epoch, counters, list(state.producers.items()), milestones, imports)
    return sha256(msgspec.msgpack.encode(told)).hexdigest()


class Totals(NamedTuple):
    """What all counters that have none of their unit above them count together."""

    visits: int = 0
    visitors: int = 0

    def plus(self, other: "Totals") -> "Totals":
        """The sum of both."""
        return Totals(self.visits + other.visits, self.visitors + other.visitors)


class Roots(NamedTuple):
    """The numbers of these counters."""

    visits: list[int]
    visitors: list[int]

    def totals(self, partition: Partition) -> Totals:
        """What a partition has counted in them."""
        counts = partition.counts
        return Totals(*(sum(counts[number] for number in one if number < len(counts)) for one in self))


def roots_of(definitions: Definitions) -> Roots:
    """The counters that have none of their unit above them: half a second for a million."""
    roots, above = Roots([], []), bytearray(len(definitions))  # by number: the units on its path, as bits
    for number, name in enumerate(definitions.names):
        parent = definitions.number(name.rpartition(".")[0])
        unit = 2 if definitions.units[number] else 1
        path = 0 if parent is None else above[parent]
        above[number] = path | unit
        if not path & unit:
            roots[unit - 1].append(number)
    return roots


async def records(place: Place, backup: Backup) -> AsyncGenerator[Record, None]:
    """All that a backup holds, in order. Raises BackupDamagedError, BackupFailedError."""
    for part in backup.parts:
        data = await asyncio.to_thread(place.read, backup.name, part.name)
        await asyncio.to_thread(check_part, backup, part, data)
        for record in unpack(f"backup {backup.name}: {part.name}", data or b""):
            yield record


async def verify(place: Place, backup: Backup) -> None:
    """Read all of a backup, decode its cut, and compare.

    Raises:
        BackupDamagedError: It is not what was written.
        BackupFailedError: It cannot be read now.
    """
    checker = Checker(backup)
    async with aclosing(records(place, backup)) as each:
        async for record in each:
            await asyncio.to_thread(checker.take, record)
    checker.end()


class Checker:
    """Follows the records of a backup, and sees that they are a whole cut and whole proofs."""

    def __init__(self, backup: Backup) -> None:
        self._backup = backup
        self._blobs: dict[str, bytes] = {}  # of the part of the cut that is being read
        self._seen: set[str] = set()  # keys
        self._states: dict[str, str] = {}
        self._roots = Roots([], [])
        self._totals = Totals()
        barrier = backup.barrier
        self._position = Position(backup.log, backup.sequence, digest(barrier.subject, barrier.data))
        self._check_barrier()

    def _damaged(self, what: str) -> BackupDamagedError:
        return BackupDamagedError(f"backup {self._backup.name} is damaged: {what}")

    def _check_barrier(self) -> None:
        try:
            barrier = control.decode(self._backup.barrier.data)
        except FormatError as error:
            raise self._damaged(f"its barrier cannot be read: {error}") from None
        if not isinstance(barrier, control.Barrier) or barrier.epoch != self._backup.epoch:
            raise self._damaged(f"its barrier does not begin epoch {self._backup.epoch}")

    def take(self, record: Record) -> None:
        """The next record. Raises BackupDamagedError."""
        key, data = record
        kind, *rest = key.split(".")
        try:
            if kind == "blob" and len(rest) == 2:
                self._take_blob(key, rest[1], data)
            elif kind == "cut" and len(rest) == 2:
                self._take_manifest(key, data)
            elif kind == "proof" and rest[:1] == ["log"]:
                self._seen.add(key)
            elif kind == "proof" and rest[:1] == ["head"]:
                self._take_head(key, data)
            else:
                raise self._damaged(f"it holds {key[:100]!r}, which is nothing that a backup has")
        except UNREADABLE as error:
            raise self._damaged(f"{key[:100]} cannot be read: {error}") from None
        except BackupDamagedError:
            raise
        except IntegrityError as error:
            raise self._damaged(str(error)) from None

    def _take_blob(self, key: str, digest_: str, data: bytes) -> None:
        if sha256(data).hexdigest() != digest_:
            raise self._damaged(f"{key} is not what its name says")
        self._blobs[key] = data
        self._seen.add(key)

    def _take_manifest(self, key: str, data: bytes) -> None:
        backup = self._backup
        found = cut.read_manifest(data)
        if key != cut.manifest_key(found.epoch, found.part) or found.partitions != backup.partitions:
            raise self._damaged(f"{key} is of cut {found.epoch}, part {found.part}")
        needed = {cut.blob_key(ref) for ref in found.refs() if ref.digest not in found.inline}
        if missing := needed - self._seen:
            raise self._damaged(f"{min(missing)} of {key} is missing")
        if found.epoch == backup.epoch:
            if found.position != self._position:
                raise self._damaged(f"{key} stands elsewhere than at sequence {backup.sequence} of {backup.log}")
            self._decode(found)
        self._blobs = {}
        self._seen.add(key)

    def _decode(self, found: cut.Manifest) -> None:
        state: Partition | Definitions
        if found.part == cut.DEFINITIONS:
            state = cut.restore_definitions(found, self._blobs)
            self._roots = roots_of(state)
        else:
            state = cut.restore(found, self._blobs)
            self._totals = self._totals.plus(self._roots.totals(state))
        self._states[found.part] = state_of(state)

    def _take_head(self, key: str, data: bytes) -> None:
        head = msgspec.msgpack.decode(data, type=Head)
        needed = {chunk_key(head.since, head.epoch, number) for number in range(head.chunks)}
        if head.epoch and not head.why:
            parts = (cut.DEFINITIONS, *range(self._backup.partitions))
            needed |= {cut.manifest_key(head.epoch, str(part)) for part in parts}
        if missing := needed - self._seen:
            raise self._damaged(f"{min(missing)} of {key} is missing")

    def end(self) -> None:
        """There are no more records. Raises BackupDamagedError."""
        told = self._backup.states
        parts = {cut.DEFINITIONS, *map(str, range(self._backup.partitions))}
        if strange := parts ^ self._states.keys():
            raise self._damaged(f"the cut's parts {', '.join(sorted(strange))} are missing")
        if changed := sorted(part for part in parts if told.get(part) != self._states[part]):
            raise self._damaged(f"the cut's parts {', '.join(changed)} do not count what they counted")
        counted, backup = self._totals, self._backup
        if counted != (backup.visits, backup.visitors):
            raise self._damaged(
                f"it counts {counted.visits} visits and {counted.visitors} visitors, "
                f"not {backup.visits} and {backup.visitors}"
            )
