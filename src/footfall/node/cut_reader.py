"""Finds consistent cuts and reads them: the newest complete one that is whole is where counting goes on from."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import NamedTuple, Protocol, TypeVar

from footfall.core import cut
from footfall.core.definitions import Definitions
from footfall.core.partition import Partition
from footfall.core.position import Position
from footfall.errors import CheckpointError
from footfall.log.protocol import Log, Store

logger = logging.getLogger(__name__)

FETCHES_MAX = 16  # at a time
ATTEMPTS_MAX = 3  # to find a cut that can be read
TOLD_MAX = 1_000  # remembered, of what was said of cuts that cannot be used

T = TypeVar("T")


class LogAndStore(Log, Store, Protocol):
    """The log with the store beside it."""


class Found(NamedTuple):
    """A complete cut."""

    epoch: int
    position: Position
    manifests: dict[str, cut.Manifest]


class CutReader:
    """The cuts of one log, for those who go on from them or examine them.

    Attributes:
        newest: Epoch of the newest complete cut that is known here.
    """

    def __init__(self, log: LogAndStore) -> None:
        self.newest = 0
        self._log = log
        self._told: set[str] = set()

    def tell(self, why: str, what: str = "") -> None:
        """Say once, however often cuts are looked at, why one cannot be used. No traceback: an older one serves.

        ``what``: what is said once, if the words may be others each time.
        """
        what = what or why
        if len(self._told) >= TOLD_MAX:
            self._told.clear()
        if what not in self._told:
            self._told.add(what)
            logger.error("%s", why)

    async def find(self) -> list[Found]:
        """The complete cuts of this log, newest first; one that cannot be read is left out.

        Raises:
            LogRewoundError: The log is not the one, or not any more, that the newest cut was taken of.
            LogUnavailableError: The store cannot be read now.
        """
        return await self._find(sys.maxsize)

    async def newest_found(self) -> Found | None:
        """The newest complete cut. Raises as ``find``."""
        found = await self._find(1)
        return found[0] if found else None

    async def _find(self, cuts_max: int) -> list[Found]:
        """The newest of them."""
        found: list[Found] = []
        async with contextlib.aclosing(self.each()) as each:
            async for one in each:
                found.append(one)
                if len(found) >= cuts_max:
                    break
        return found

    async def each(self) -> AsyncGenerator[Found, None]:
        """One after the other: of pinned ones there may be many, and few want them. Raises as ``find``."""
        newest, strange = True, 0
        for epoch in cut.complete(await self._log.keys("cut"), self._log.partitions):
            try:
                found = await self.at(epoch)
                if found.position.created not in (self._log.created, *self._log.ancestors):
                    strange = strange or epoch
                    raise CheckpointError(f"cut {epoch} is of another log, made at {found.position.created}")
            except CheckpointError as error:
                self.tell(str(error))
                continue
            if newest:
                await self.check(found.position)
                self.newest, newest = epoch, False
            yield found
        if newest and strange:  # not one is of this log
            await self.check((await self.at(strange)).position)

    async def at(self, epoch: int) -> Found:
        """The cut of an epoch. Raises CheckpointError, LogUnavailableError."""
        manifests = await self._manifests(epoch)
        position = cut.check_parts(manifests, epoch, self._log.partitions)
        return Found(epoch, position, {manifest.part: manifest for manifest in manifests})

    async def check(self, position: Position) -> None:
        """See that the log is the one that was counted up to ``position``. Raises as ``Log.check``."""
        await self._log.check(position)

    async def _manifests(self, epoch: int) -> list[cut.Manifest]:
        parts = [cut.DEFINITIONS, *map(str, range(self._log.partitions))]
        fetched = await self.fetch([cut.manifest_key(epoch, part) for part in parts])
        return [cut.read_manifest(data) for data in fetched.values()]

    async def fetch(self, keys: Iterable[str]) -> dict[str, bytes]:
        """What the store holds under these keys. Raises CheckpointError if it has lost something."""
        gate = asyncio.Semaphore(FETCHES_MAX)

        async def one(key: str) -> tuple[str, bytes]:
            async with gate:
                data = await self._log.get(key)
            if data is None:
                raise CheckpointError(f"{key} is missing")
            return key, data

        return dict(await asyncio.gather(*map(one, keys)))

    async def _blobs(self, manifest: cut.Manifest) -> dict[str, bytes]:
        return await self.fetch({cut.blob_key(ref) for ref in manifest.refs() if ref.digest not in manifest.inline})

    async def metas(self, found: Found) -> dict[str, bytes]:
        """The blobs of what is small of all parts, as far as manifests do not hold them. Raises CheckpointError."""
        manifests = found.manifests.values()
        refs = [(manifest, ref) for manifest in manifests for ref in manifest.meta]
        return await self.fetch({cut.blob_key(ref) for manifest, ref in refs if ref.digest not in manifest.inline})

    async def definitions(self, found: Found) -> Definitions:
        """The definitions of a cut. Raises CheckpointError."""
        manifest = found.manifests[cut.DEFINITIONS]
        return await asyncio.to_thread(cut.restore_definitions, manifest, await self._blobs(manifest))

    async def partition(self, found: Found, number: int) -> Partition:
        """A partition's state in a cut. Raises CheckpointError."""
        manifest = found.manifests[str(number)]
        return await asyncio.to_thread(cut.restore, manifest, await self._blobs(manifest))

    async def from_newest(self, read: Callable[[Found], Awaitable[T]]) -> tuple[Position, T | None]:
        """What ``read`` makes of the newest cut that it can read; without any cut, the log's beginning and None.

        Raises:
            CheckpointError: No complete cut can be read, and the log was trimmed.
            LogRewoundError: The log is not the one that the newest cut was taken of.
            LogUnavailableError: The store cannot be read now.
        """
        for attempt in range(1, ATTEMPTS_MAX + 1):
            first = (await self._log.state()).first_sequence
            async with contextlib.aclosing(self.each()) as each:
                async for found in each:
                    if found.position.sequence < first:  # pinned, like all that are older
                        break
                    try:
                        return found.position, await read(found)
                    except CheckpointError as error:
                        self.tell(f"an older cut is tried: {error}", f"cut {found.epoch}, {read.__qualname__}")
            try:
                return await self._beginning(), None
            except CheckpointError:  # or were they dropped for newer ones, while they were read?
                if attempt == ATTEMPTS_MAX:
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def newest_partition(self, number: int) -> tuple[Partition, Position, cut.Manifest | None]:
        """The newest state to fold a partition from; an empty one without a cut. Raises as ``from_newest``."""

        async def read(found: Found) -> tuple[Partition, cut.Manifest]:
            return await self.partition(found, number), found.manifests[str(number)]

        position, made = await self.from_newest(read)
        partition, manifest = made or (Partition(number, self._log.partitions), None)
        return partition, position, manifest

    async def newest_definitions(self) -> tuple[Definitions, Position]:
        """The newest definitions that can be gone on from; none if there is no cut. Raises as ``from_newest``."""
        position, definitions = await self.from_newest(self.definitions)
        return definitions or Definitions(), position

    async def _beginning(self) -> Position:
        """The position before the first message. Raises CheckpointError if the log no longer holds that."""
        state = await self._log.state()
        if state.first_sequence > 1 and state.last_sequence > 0:
            raise CheckpointError(
                f"the log starts at sequence {state.first_sequence} and no complete cut can be read: restore a backup"
            )
        return Position(self._log.created)
