"""Turns a backup into a new log: it begins with the backup's barrier, and its store holds the cut that stands there.

Sequences go on where the backup stands, so all that names one (definitions, milestones, winners, proofs) keeps its
meaning. Nothing is folded twice: counting goes on behind the barrier, as it does from every cut.
"""

import asyncio
from contextlib import aclosing

from footfall.core import cut
from footfall.core.position import Position, digest
from footfall.errors import BackupDamagedError, BackupFailedError, FormatError, LogRewoundError
from footfall.node import backup_check
from footfall.node.backup_catalogue import complete_names, manifest
from footfall.node.backup_format import Backup, log_label, parse_name
from footfall.node.backup_places import Place
from footfall.node.bundles import LogAndStore
from footfall.node.cuts import Cuts


async def chosen(place: Place, name: str | None) -> Backup:
    """The backup that is to be restored, verified.

    Args:
        place: Where it is.
        name: Which; None for the newest.

    Raises:
        BackupFailedError: There is none, or the newest may not be the one that is meant.
        BackupDamagedError, FormatError: It cannot be restored; the message names the one before it.
    """
    names = complete_names(await asyncio.to_thread(place.contents))
    if not names:
        raise BackupFailedError(f"there is no backup in {place}")
    wanted = names[0] if name is None else name
    try:
        backup = await manifest(place, wanted)
        if name is None:
            _check_others(place, backup, names)
        await backup_check.verify(place, backup)
    except (BackupDamagedError, FormatError) as error:
        older = names[names.index(wanted) + 1 :]
        hint = f"the one before it is {older[0]}: name it with --backup" if older else "there is none before it"
        raise type(error)(f"{error}; {hint}") from None
    return backup


def _check_others(place: Place, newest: Backup, names: list[str]) -> None:
    """Backups of a log that began anew must not hide those of the log that was lost. Raises BackupFailedError."""
    known = {log_label(created) for created in newest.lineage}
    for name in names:
        parsed = parse_name(name)
        if parsed is not None and parsed.log not in known:
            raise BackupFailedError(
                f"{place} holds backups of several logs: the newest is {newest.name}, and of another log {name}; "
                f"footfall backups {place} lists all: say with --backup which is meant"
            )


def ancestors_of(backup: Backup) -> dict[str, int]:
    """The ancestors of a log that is restored from it: see ``Log.ancestors``."""
    return {**backup.ancestors, backup.log: backup.sequence}


async def fill(log: LogAndStore, place: Place, backup: Backup) -> Position:
    """Put a backup into a new log, which begins at its sequence, and see that it counts what was counted.

    Args:
        log: A log and a store in which there is nothing.
        place: Where the backup is.
        backup: Verified.

    Returns:
        The position of the cut in the new log.

    Raises:
        BackupDamagedError, BackupFailedError: The backup cannot be read any more.
        LogRewoundError: The log is not a new one that begins at the backup's sequence.
        CheckpointError: What was stored does not read back.
        LogUnavailableError: Not now.
    """
    barrier = backup.barrier
    sequence = await log.publish(barrier.subject, barrier.data)
    if sequence != backup.sequence:
        raise LogRewoundError(f"the new log begins at sequence {sequence}, and the backup stands at {backup.sequence}")
    position = Position(log.created, sequence, digest(barrier.subject, barrier.data))
    async with aclosing(backup_check.records(place, backup)) as each:
        async for key, data in each:
            own = key.startswith(f"cut.{backup.epoch}.")
            await log.put(key, cut.moved(cut.read_manifest(data), position) if own else data)
    await _check(log, backup, position)
    return position


async def _check(log: LogAndStore, backup: Backup, position: Position) -> None:
    cuts = Cuts(log)
    found = await cuts.newest_found()
    if found is None or found.position != position:
        raise BackupFailedError(f"backup {backup.name} was stored, and its cut is not found there: restore it again")
    states = {cut.DEFINITIONS: backup_check.state_of(await cuts.definitions(found))}
    for number in range(backup.partitions):
        states[str(number)] = backup_check.state_of(await cuts.partition(found, number))
    if states != backup.states:
        raise BackupFailedError(f"backup {backup.name} was stored, and does not read back as it was: restore it again")
