"""Which backups a place holds: the complete ones in order, what each says of itself, and which may go."""

import asyncio

from footfall.errors import BackupFailedError
from footfall.node.backup_format import LEFTOVER_AGE, MANIFEST, Backup, decode, log_label, parse_name
from footfall.node.backup_places import Place


def complete_names(contents: dict[str, set[str]]) -> list[str]:
    """The backups that have a manifest, the newest first."""
    return sorted((name for name, objects in contents.items() if MANIFEST in objects), key=_age, reverse=True)


def _age(name: str) -> tuple[str, int, str]:
    """By time, and in one second by sequence: as text, 9 would come after 10."""
    parsed = parse_name(name)
    assert parsed is not None, "a place shows backups alone"
    return name.partition("-")[0], parsed.sequence, name


async def manifest(place: Place, name: str) -> Backup:
    """A backup's manifest. Raises BackupFailedError if there is none, BackupDamagedError, FormatError."""
    data = await asyncio.to_thread(place.read, name, MANIFEST) if parse_name(name) else None
    if data is None:
        raise BackupFailedError(
            f"there is no backup {name[:200]} in {place}; footfall backups {place} lists those that are there"
        )
    return decode(name, data)


def tidy(place: Place, newest: Backup, keep: int) -> list[str]:
    """Remove the oldest complete backups of a log and of its ancestors, and what broken ones have left behind.

    Args:
        place: Where they are.
        newest: Which was verified just now.
        keep: How many complete ones are left; 0: all.

    Returns:
        The names of those removed.

    Raises:
        BackupFailedError: The place cannot be used now.
    """
    labels = {log_label(created) for created in newest.lineage}
    contents = place.contents()
    parsed = {name: parse_name(name) for name in contents}
    mine = {name: contents[name] for name, one in parsed.items() if one is not None and one.log in labels}
    complete = complete_names(mine)
    removed = [name for name in complete[keep:] if name != newest.name] if keep else []
    made = parse_name(newest.name)
    for name in mine.keys() - set(complete):
        one = parsed[name]
        if made is not None and one is not None and made.made - one.made > LEFTOVER_AGE:
            removed.append(name)
    for name in removed:
        place.remove(name)
    return removed
