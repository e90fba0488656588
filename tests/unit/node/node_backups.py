"""A place for backups in memory, that a test looks at and spoils; and logs restored from it."""

from node_line import Line
from node_raffle import Raffle

from footfall.core import cut_writer
from footfall.errors import BackupFailedError
from footfall.log.memory import Storage
from footfall.node.backup import back_up
from footfall.node.backup_catalogue import complete_names
from footfall.node.backup_format import Backup
from footfall.node.backup_places import removal_order
from footfall.node.cuts import Cuts
from footfall.node.restore import ancestors_of, chosen, fill

NEW = "2026-02-02T00:00:00Z"


class Shelf:
    """The place.

    Attributes:
        objects: By backup and name.
        away: Whether it cannot be used now.
        torn: Objects whose names begin so lose their last byte when they are written.
        writes: How many more are taken; then it is away, as for a node that was killed.
    """

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, bytes]] = {}
        self.away = False
        self.torn: tuple[str, ...] = ()
        self.writes = 1_000_000

    def __str__(self) -> str:
        return "shelf"

    def _reach(self) -> None:
        if self.away:
            raise BackupFailedError("the backups in shelf cannot be used: it is away")

    @property
    def names(self) -> list[str]:
        """The complete ones, newest first."""
        return complete_names(self.contents())

    def contents(self) -> dict[str, set[str]]:
        self._reach()
        return {backup: set(objects) for backup, objects in self.objects.items()}

    def read(self, backup: str, name: str) -> bytes | None:
        self._reach()
        return self.objects.get(backup, {}).get(name)

    def write(self, backup: str, name: str, data: bytes) -> None:
        self._reach()
        if self.writes <= 0:
            raise BackupFailedError("killed")
        self.writes -= 1
        if self.torn and name.startswith(self.torn):
            data = data[:-1]
        self.objects.setdefault(backup, {})[name] = data

    def remove(self, backup: str) -> None:
        self._reach()
        for name in removal_order(set(self.objects.get(backup, {}))):
            del self.objects[backup][name]
        self.objects.pop(backup, None)


async def backed_up(raffle: Raffle, shelf: Shelf) -> Backup:
    """A backup; and the log is as it was before."""
    before = list(raffle.storage.messages), dict(raffle.storage.blobs)
    backup = await back_up(raffle.line, shelf)
    assert (raffle.storage.messages, raffle.storage.blobs) == before
    return backup


async def restored(shelf: Shelf, name: str | None = None, created: str = NEW) -> Line:
    """A new log from a backup, by default the newest."""
    backup = await chosen(shelf, name)
    storage = Storage(backup.partitions, created=created, ancestors=ancestors_of(backup), first=backup.sequence)
    line = Line(storage)
    await fill(line, shelf, backup)
    return line


async def states(line: Line) -> list[bytes]:
    """The bytes of what the partitions counted at the newest cut."""
    cuts = Cuts(line)
    found = await cuts.newest_found()
    assert found is not None
    return [cut_writer.state_bytes(await cuts.partition(found, number)) for number in range(line.partitions)]
