"""Examines the cuts and proofs beside a log, the alarms that they remember, and, if asked to, the log above them."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from typing import NamedTuple

import msgspec

from footfall.core import control, cut
from footfall.core.cut_tally import tally
from footfall.core.definitions import Definitions
from footfall.core.partition import Alarm, Partition
from footfall.core.position import Position
from footfall.errors import (
    CheckpointError,
    FormatError,
    IntegrityError,
    LogRewoundError,
    LogTrimmedError,
    MalformedError,
)
from footfall.log.protocol import CONTROL_SUBJECT, Message
from footfall.node.alarms import MEANING, MEANING_OF_CONTROL, alarmed
from footfall.node.bundles import Head, bundle, log_between
from footfall.node.cut_reader import CutReader, LogAndStore
from footfall.node.cuts import PINS
from footfall.node.doctor import Finding, bad, ok, warn
from footfall.node.holes import explained, lacking
from footfall.ordinals import counted, ordinal

SLICE_S = 0.05  # of folding, before the connection gets its turn
LOSSES = ("gap", "missing")  # alarms that mean that the log lacks something
RESTORE = "see docs/recovery.md: restore a backup"


class State(NamedTuple):
    """What counting would go on from: all at one position, and how many messages up to there are in no part of it."""

    position: Position
    definitions: Definitions
    partitions: list[Partition]
    lacks: int = 0


class CutsExamination:
    """Examines the cuts of one log.

    Attributes:
        state: That of the newest cut that can be used, or of the log's beginning; None if there is none.
    """

    def __init__(self, log: LogAndStore) -> None:
        self.state: State | None = None
        self._log = log
        self._cuts = CutReader(log)

    async def run(self) -> AsyncIterator[Finding]:
        """Findings on each complete cut, and on which is used. Raises LogUnavailableError."""
        first = (await self._log.state()).first_sequence
        usable = 0
        for epoch in cut.complete(await self._log.keys("cut"), self._log.partitions):
            try:
                state = await self._read(epoch)
                if state.position.created in self._log.ancestors:
                    raise LogTrimmedError(f"cut {epoch} was taken before the log was restored")
                await self._cuts.check(state.position)
            except LogTrimmedError:
                yield ok("cuts", f"cut {epoch}", f"cut {epoch} is whole; it is kept for an audit, below the log")
            except LogRewoundError as error:
                yield self._strange(epoch, error, newest=not usable)
            except (CheckpointError, FormatError) as error:
                if epoch in cut.complete(await self._log.keys("cut"), self._log.partitions):  # or a node has dropped it
                    yield self._damaged(epoch, error)
            else:
                usable += 1
                self.state = self.state or state
                used = ", and is the one that counting would go on from" if usable == 1 else ""
                yield ok("cuts", f"cut {epoch}", f"cut {epoch} (sequence {state.position.sequence}) is whole{used}")
        yield self._verdict(usable, first)
        if self.state is not None and self.state.lacks:
            do = "see docs/troubleshooting.md, where the alarms missing and foreign are explained"
            yield warn("cuts", "uncounted", lacking(self.state.lacks, self.state.position.sequence), do)

    async def _read(self, epoch: int) -> State:
        """All of a cut. Raises CheckpointError."""
        found = await self._cuts.at(epoch)
        definitions = await self._cuts.definitions(found)
        partitions = [await self._cuts.partition(found, number) for number in range(self._log.partitions)]
        told = tally(found.manifests.values(), await self._cuts.metas(found))
        return State(found.position, definitions, partitions, told.lacks() or 0)

    def _damaged(self, epoch: int, error: IntegrityError) -> Finding:
        do = "nothing at once: an older one serves, and a newer one is taken soon; but look at the disk"
        return bad("cuts", f"cut {epoch}", f"cut {epoch} cannot be used: {error}", do)

    def _strange(self, epoch: int, error: IntegrityError, *, newest: bool) -> Finding:
        if newest:
            return bad("cuts", f"cut {epoch}", f"the log is not what cut {epoch} was taken of: {error}", RESTORE)
        return bad(
            "cuts", f"cut {epoch}", f"cut {epoch} is not of this log: {error}", "who put it there? It is not used"
        )

    def _verdict(self, usable: int, first: int) -> Finding:
        if usable > 1:
            return ok("cuts", "usable", f"{usable} cuts can be used")
        if first > 1:
            if usable:
                do = "see in the nodes' logs why no newer one is whole, and make a backup: footfall backup"
                return warn("cuts", "usable", "only one cut can be used, and the log before it was trimmed", do)
            return bad("cuts", "usable", f"no cut can be used, and the log begins at sequence {first}", RESTORE)
        if not usable:
            numbers = range(self._log.partitions)
            empty = [Partition(number, self._log.partitions) for number in numbers]
            self.state = State(Position(self._log.created), Definitions(), empty)
        return ok("cuts", "usable", f"{usable or 'no'} cut, and the log from its beginning: all can be counted again")

    async def deep(self) -> list[Finding]:
        """Fold the log from the state on, and tell what is wrong in it. Raises LogUnavailableError."""
        if self.state is None:
            return [bad("log", "deep", "there is nothing to fold the log from", RESTORE)]
        last = (await self._log.state()).last_sequence
        folding = _Folding(self.state)
        try:
            await folding.run(self._log, last)
        except (LogRewoundError, LogTrimmedError, FormatError) as error:
            found = f"the log cannot be read beyond sequence {folding.sequence}: {error}"
            return [bad("log", "deep", found, RESTORE)]
        begin = self.state.position.sequence
        findings = [
            ok("log", "deep", f"{counted(folding.messages, 'message')} counted, from sequence {begin} to {last}")
        ]
        for kind, times in sorted(folding.alarms.items()):
            found = f"above the newest cut: {kind} ({counted(times, 'time')}, first at sequence {folding.first[kind]})"
            said = bad if kind in LOSSES else warn
            findings.append(
                said(
                    "alarms", kind, found, f"{(MEANING | MEANING_OF_CONTROL).get(kind, 'see docs/troubleshooting.md')}"
                )
            )
        return findings


class _Folding:
    """The fold of a log above a state."""

    def __init__(self, state: State) -> None:
        self.messages = 0
        self.sequence = state.position.sequence
        self.alarms: Counter[str] = Counter()
        self.first: dict[str, int] = {}
        self._state = state

    async def run(self, log: LogAndStore, last: int) -> None:
        """Fold up to and including a sequence. Raises as ``Log.read``, and FormatError."""
        slice_end_s = time.monotonic() + SLICE_S
        async with contextlib.aclosing(log_between(log, self._state.position, last)) as messages:
            async for message in messages:
                if message.sequence != self.sequence + 1:
                    self._note(await explained(log, self.sequence + 1, message.sequence - 1))
                self.messages += 1
                self.sequence = message.sequence
                self._note(self._fold(message))
                if time.monotonic() > slice_end_s:
                    await asyncio.sleep(0)
                    slice_end_s = time.monotonic() + SLICE_S

    def _fold(self, message: Message) -> Iterable[Alarm]:
        definitions, partitions = self._state.definitions, self._state.partitions
        if message.subject != CONTROL_SUBJECT:
            partition = partitions[int(message.subject.rpartition(".")[2])]
            return partition.fold(message.sequence, message.data, definitions)
        try:
            said = control.decode(message.data)
        except MalformedError as error:
            return [Alarm("malformed", str(error), message.sequence)]
        alarms = definitions.fold(message.sequence, said)
        for partition in partitions:
            partition.fold_control(message.sequence, said, definitions)
        return alarms

    def _note(self, alarms: Iterable[Alarm]) -> None:
        for alarm in alarms:
            self.alarms[alarm.kind] += 1
            self.first.setdefault(alarm.kind, alarm.sequence)


def examine_alarms(state: State | None) -> list[Finding]:
    """What the newest cut remembers of alarms."""
    found = alarmed(state.partitions) if state else []
    if not found:
        return [ok("alarms", "none", "the newest cut remembers no alarm")]
    return [
        warn("alarms", one.kind, str(one), "see docs/troubleshooting.md, where each kind is explained") for one in found
    ]


async def examine_proofs(log: LogAndStore) -> list[Finding]:
    """Whether what is kept of reached milestones is whole. Raises LogUnavailableError."""
    findings = []
    for key in await log.keys(PINS):
        name = f"milestone {key.split('.')[2]}"
        try:
            head = msgspec.msgpack.decode(await log.get(key) or b"", type=Head)
            name = f"the {ordinal(head.n)} of {head.counter}"
            findings.append(await _proof(log, name, head))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            findings.append(_proof_damaged(name, f"{key} was changed"))
        except (CheckpointError, FormatError) as error:
            findings.append(_proof_damaged(name, str(error)))
    return findings or [ok("proofs", "none", "no milestone was reached yet")]


async def _proof(log: LogAndStore, name: str, head: Head) -> Finding:
    if head.why:
        return ok("proofs", name, f"of {name} no proof was kept: {head.why}")
    messages = 0
    async with contextlib.aclosing(bundle(log, head)) as kept:
        async for _ in kept:
            messages += 1
    if messages != head.messages:
        raise CheckpointError(f"{head.messages} messages were kept, and {messages} are there")
    if head.epoch:
        cuts = CutReader(log)
        found = await cuts.at(head.epoch)
        await cuts.definitions(found)
        for number in range(log.partitions):
            await cuts.partition(found, number)
    return ok("proofs", name, f"the proof of {name} is whole: {counted(messages, 'message')}")


def _proof_damaged(name: str, why: str) -> Finding:
    do = "the winner stands; to be able to audit it, restore the proof from a backup: see docs/recovery.md"
    return bad("proofs", name, f"the proof of {name} is damaged: {why}", do)
