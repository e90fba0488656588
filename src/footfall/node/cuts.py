"""Keeps consistent cuts: writes this node's parts, drops old ones, trims the log.

A pinned cut is kept for the audit of a milestone, though the log above it is trimmed: nothing can be counted from it.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from footfall import tracing
from footfall.core import cut, cut_writer
from footfall.core.position import Position
from footfall.errors import CheckpointError, LogRewoundError, LogTrimmedError, LogUnavailableError
from footfall.node.cut_reader import CutReader, Found, LogAndStore
from footfall.node.waiting import ended

logger = logging.getLogger(__name__)

KEPT = 2  # complete cuts: if the newest turns out to be damaged there is another
SECONDS_MAX = 60.0  # for one part; the next cut is tried then
PINS = "proof.head"  # keys below it end with the epoch of the cut that the proof begins at
COPYING = "pin"  # keys below it end with the epoch of a cut that is being copied
READ_AGAIN_S = 3600.0  # what a disk has lost since is noticed within an hour
YOUNG_S = 5.0  # readers that had read everything so lately do not ask whether the log was trimmed
PASSING_S = 0.5  # who catches up with the log passes barriers faster, and nobody misses their cuts
COPYING_EPOCHS_MAX = 8_640  # a day at one cut every 10 s: who copies for longer has died

Examine: TypeAlias = Callable[[Sequence[Found]], Awaitable[None]]


def pin_key(epoch: int, token: str) -> str:
    """Under which anything keeps a cut from being dropped while it is copied; ``token``: whose key it is."""
    return f"{COPYING}.{token}.{epoch}"


class Cuts(CutReader):
    """The cuts of one log, as one node sees them."""

    def __init__(self, log: LogAndStore, young_s: float = YOUNG_S) -> None:
        super().__init__(log)
        self.taken = self.failed = 0  # parts
        self.bytes = 0
        self.duration_s = 0.0  # of the last part written
        self._writing: dict[str, asyncio.Task[None]] = {}
        self._without = 0  # epoch of the newest cut that is not whole
        self._begun_s: dict[str, float] = {}
        self._young_s = young_s
        self._seen: dict[int, float] = {}  # sequence of a cut that was verified → when that was
        self._verified: set[str] = set()  # keys of blobs
        self._verified_s = time.monotonic()  # since when they are gathered
        self._lost = 0  # epoch of the newest cut of which the store has lost something
        self._pinned: dict[int, set[str]] = {}  # by epoch, the blobs of pinned cuts: they do not change any more

    def take(self, taken: cut_writer.Capture, position: Position, writer: cut_writer.Writer) -> None:
        """Write a part in the background; if the last of its kind is still being written, this cut goes without it."""
        busy, now_s = self._writing.get(taken.part), time.monotonic()
        if busy is not None and not busy.done():
            if now_s - self._begun_s[taken.part] > PASSING_S:
                self._goes_without(taken, "the one before is still being written")
            return
        self._begun_s[taken.part] = now_s
        self._writing[taken.part] = asyncio.create_task(self._write(taken, position, writer), name=f"cut {taken.part}")

    async def _write(self, taken: cut_writer.Capture, position: Position, writer: cut_writer.Writer) -> None:
        started_s = time.monotonic()
        try:
            with tracing.span("part of a cut", epoch=taken.epoch, part=taken.part):
                written = await self._written(taken, position, writer)
        except (LogUnavailableError, CheckpointError, LogRewoundError, TimeoutError) as error:
            self._goes_without(taken, error or "too slow")
            return
        except Exception:  # nobody foresaw it: it costs this cut, not the count, and must be seen
            self.failed += 1
            logger.exception("cut %d goes without %s", taken.epoch, taken.part)
            return
        self.taken += 1
        self.bytes += written
        self.duration_s = time.monotonic() - started_s

    def _goes_without(self, taken: cut_writer.Capture, why: object) -> None:
        """Say it of the first part only: what keeps one from being stored keeps all, most likely."""
        self.failed += 1
        level = logging.WARNING if taken.epoch > self._without else logging.DEBUG
        self._without = max(self._without, taken.epoch)
        logger.log(level, "cut %d goes without %s: %s", taken.epoch, taken.part, why)

    async def _written(self, taken: cut_writer.Capture, position: Position, writer: cut_writer.Writer) -> int:
        """How many bytes it takes. Raises TimeoutError, too."""
        async with asyncio.timeout(SECONDS_MAX):
            if (before := writer.builds_on(taken.epoch)) and await self._log.get(before) is None:
                await self._say_lost(taken.epoch - 1)
                writer.begin_anew()
            manifest, blobs = await asyncio.to_thread(writer.write, taken, position)
            key = cut.manifest_key(taken.epoch, taken.part)
            if await self._log.get(key) is None:  # another owner's is as good, and its blobs are known to be there
                for blob, data in blobs.items():
                    await self._store(blob, data)
                await self._store(key, manifest)
                writer.stored()
        return len(manifest) + sum(map(len, blobs.values()))

    async def _say_lost(self, epoch: int) -> None:
        with contextlib.suppress(
            LogUnavailableError
        ):  # the store itself is gone, perhaps: whoever stores makes it again
            newer = cut.complete(await self._log.keys("cut"), self._log.partitions)
            if newer and newer[0] > epoch:  # this node is behind, and others have dropped that cut for newer ones
                return
        if self._lost < epoch:
            self._lost = epoch
            logger.error(
                "cut %d was stored, and is gone, or a part of it: that is written anew. If stream FOOTFALL_CUTS was "
                "removed, the proofs of milestones went with it",
                epoch,
            )

    async def _store(self, key: str, data: bytes) -> None:
        await self._log.put(key, data)
        if await self._log.get(key) != data:
            raise CheckpointError(f"{key} does not read back as it was stored")

    async def stop(self) -> None:
        """Write no more; a cut without a part is as if it had not been begun."""
        await ended(self._writing.values())

    async def collect(self, holds: Callable[[Position], str], examine: Examine | None = None) -> None:
        """Drop what no kept cut needs, and the log before them.

        Args:
            holds: Given the position of the newest cut, why nothing may be dropped now; empty if it may be.
            examine: Is called before with the newest cuts that are whole, newest first, if there is one.

        Raises:
            LogUnavailableError, LogRewoundError: As ``find``.
        """
        stored = set(await self._log.keys("blob"))
        kept = await self._whole(stored)
        if kept and examine is not None:
            await examine(kept)
        if len(kept) < KEPT:
            return
        newest, oldest = kept[0], kept[-1]
        if why := holds(newest.position):
            logger.info("all cuts and the log are kept: %s", why)
            return
        pinned = {int(key.rpartition(".")[2]) for key in await self._log.keys(PINS)}
        pinned |= await self._copied(newest.epoch)
        self._pinned = {epoch: blobs for epoch, blobs in self._pinned.items() if epoch in pinned}
        kept_keys: dict[int, list[str]] = {}
        for key in await self._log.keys("cut"):
            epoch = int(key.split(".")[1])
            if epoch >= oldest.epoch or epoch in pinned:
                kept_keys.setdefault(epoch, []).append(key)
            else:
                await self._log.delete(key)
        needed = await self._needed(kept_keys, pinned)
        for key in stored:
            # Blobs are stored before the manifest that needs them: those of a cut under way are let be.
            if int(key.split(".")[1]) < newest.epoch and key not in needed:
                await self._log.delete(key)
        await self._trim(oldest.position.sequence)

    async def _whole(self, stored: set[str]) -> list[Found]:
        """The newest cuts that counting could go on from: they were read to the end, and stand in this log."""
        first = (await self._log.state()).first_sequence
        if time.monotonic() - self._verified_s > READ_AGAIN_S:
            self._verified, self._verified_s = set(), time.monotonic()
        self._verified &= stored
        kept: list[Found] = []
        async with contextlib.aclosing(self.each()) as each:
            async for found in each:
                if found.position.sequence < first:  # pinned, like all that are older
                    break
                try:
                    await self._verify(found)
                except (CheckpointError, LogRewoundError, LogTrimmedError) as error:
                    self.tell(f"cut {found.epoch} is passed over, and an older one is kept: {error}")
                    continue
                kept.append(found)
                if len(kept) == KEPT:
                    break
        return kept

    async def _verify(self, found: Found) -> None:
        """Read all of a cut that was not read lately. Raises CheckpointError, LogRewoundError, LogTrimmedError."""
        await self.check(found.position)
        damaged: CheckpointError | None = None
        for part, manifest in found.manifests.items():
            try:
                await self._verify_part(manifest)
            except CheckpointError as error:
                damaged = damaged or error
                if found.epoch == self.newest:  # who counts it would build on it, and no cut would be whole again
                    await self._log.delete(cut.manifest_key(found.epoch, part))
        if damaged is not None:
            raise damaged
        self._seen.setdefault(found.position.sequence, time.monotonic())

    async def _verify_part(self, manifest: cut.Manifest) -> None:
        """Raises CheckpointError."""
        keys = {cut.blob_key(ref) for ref in manifest.refs() if ref.digest not in manifest.inline}
        for key in sorted(keys - self._verified):  # one at a time: a cut may be larger than what a node may hold
            ref = {key: await self._log.get(key)}
            await asyncio.to_thread(cut.verify, manifest, {k: v for k, v in ref.items() if v is not None}, keys - {key})
            self._verified.add(key)
        cut.verify(manifest, {}, keys)

    async def _trim(self, sequence: int) -> None:
        """Trim the log to a cut, or to one before it if that is too young."""
        grown_s = time.monotonic() - self._young_s
        grown = [at for at, seen_s in self._seen.items() if at <= sequence and seen_s <= grown_s]
        self._seen = {at: seen_s for at, seen_s in self._seen.items() if at > max(grown, default=0)}
        if grown:
            await self._log.trim(max(grown))

    async def _copied(self, newest: int) -> set[int]:
        """The epochs of cuts that are being copied; pins that someone has left behind are forgotten."""
        epochs = set()
        for key in await self._log.keys(COPYING):
            epoch = int(key.rpartition(".")[2])
            if epoch > newest - COPYING_EPOCHS_MAX:
                epochs.add(epoch)
            else:
                await self._log.delete(key)
        return epochs

    async def _needed(self, kept: Mapping[int, Iterable[str]], pinned: set[int]) -> set[str]:
        """The blobs that manifests need; ``kept``: their keys, by epoch."""
        needed: set[str] = set()
        for epoch, keys in kept.items():
            blobs = self._pinned.get(epoch)
            if blobs is None:
                blobs = set()
                for key in keys:
                    if (data := await self._log.get(key)) is not None:
                        with contextlib.suppress(CheckpointError):  # the cut cannot be read, with or without its blobs
                            blobs |= {cut.blob_key(ref) for ref in cut.read_manifest(data).refs()}
                if epoch in pinned:
                    self._pinned[epoch] = blobs
            needed |= blobs
        return needed
