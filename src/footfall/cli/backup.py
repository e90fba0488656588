"""``footfall backup`` and ``footfall backups``: connect to the log itself, make backups, and tell which there are."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Coroutine
from typing import Any

import msgspec

from footfall.cli import output
from footfall.cli.arguments import Servers
from footfall.cli.log_access import access_to, log_servers, quiet
from footfall.errors import ConfigError, FootfallError, IntegrityError
from footfall.log import opening
from footfall.node import backup as making
from footfall.node import backup_check
from footfall.node.backup_catalogue import complete_names, manifest, tidy
from footfall.node.backup_format import Backup
from footfall.node.backup_places import Place, place_of
from footfall.ordinals import counted


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What ``footfall backup --json`` prints: a backup that was verified."""

    name: str
    target: str
    made: str
    log: str
    sequence: int
    counters: int
    visits: int
    visitors: int
    milestones: int
    proofs: int
    unproven: list[str]
    bytes: int
    removed: list[str]
    seconds: float


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One of what ``footfall backups --json`` prints; ``state`` is complete, verified, damaged or unfinished."""

    name: str
    state: str
    why: str = ""
    made: str | None = None
    log: str | None = None
    sequence: int | None = None
    counters: int | None = None
    visits: int | None = None
    visitors: int | None = None
    milestones: int | None = None
    proofs: int | None = None
    bytes: int | None = None


def run(target: str, data: str | None, servers: Servers, every_s: float | None, keep: int, json: bool) -> None:
    """Make a backup, or one every so often until stopped. Raises FootfallError."""
    if every_s is not None and not every_s >= 1:
        raise ConfigError(f"--every is {every_s:g}; it must be 1 second or more")
    if keep < 0:
        raise ConfigError(f"--keep is {keep}; it must be 0, which keeps all, or more")
    access_to(servers)
    place = place_of(target)
    quiet()
    if every_s is None:
        asyncio.run(_once(place, data, servers, keep, json, started=True))
    else:
        asyncio.run(_until_stopped(place, data, servers, every_s, keep, json))


async def _once(place: Place, data: str | None, servers: Servers, keep: int, json: bool, *, started: bool) -> None:
    begun_s = time.monotonic()
    async with contextlib.AsyncExitStack() as stack:
        urls = await stack.enter_async_context(log_servers(data, servers.nats, started=started))
        log = await opening.connect_existing(urls, name="footfall backup", access=access_to(servers))
        stack.push_async_callback(log.close)
        backup = await making.back_up(log, place)
    removed = await asyncio.to_thread(tidy, place, backup, keep)
    _say(place, backup, removed, time.monotonic() - begun_s, json)


async def _until_stopped(
    place: Place, data: str | None, servers: Servers, every_s: float, keep: int, json: bool
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    stopping = asyncio.create_task(stop.wait())
    while not stop.is_set():
        due_s = time.monotonic() + every_s
        making_one = asyncio.create_task(_or_said(_once(place, data, servers, keep, json, started=False)))
        await asyncio.wait({making_one, stopping}, return_when=asyncio.FIRST_COMPLETED)
        making_one.cancel()  # what was begun has no manifest, and is no backup
        with contextlib.suppress(asyncio.CancelledError):
            await making_one
        await asyncio.wait({stopping}, timeout=max(0.0, due_s - time.monotonic()))


async def _or_said(work: Coroutine[Any, Any, None]) -> None:
    """What fails is said, and tried again the next time."""
    try:
        await work
    except (FootfallError, OSError) as error:
        output.error(f"no backup now: {error}")


def _say(place: Place, backup: Backup, removed: list[str], seconds: float, json: bool) -> None:
    for reason in backup.unproven:
        output.note(f"without the proof of {reason}")
    if json:
        values = {name: getattr(backup, name) for name in Made.__struct_fields__ if hasattr(backup, name)}
        output.print_json(Made(**values, target=str(place), removed=removed, seconds=seconds))
        return
    gone = f"; {counted(len(removed), 'old one')} removed" if removed else ""
    print(
        f"{backup.name} in {place}: {counted_text(backup)} up to sequence {backup.sequence}, "
        f"{backup.bytes:,} bytes, verified ({seconds:.2f} s){gone}",
        flush=True,
    )


def counted_text(backup: Backup) -> str:
    """What is in a backup, in a few words."""
    visits = f"{counted(backup.visits, 'visit')} and {counted(backup.visitors, 'visitor')}"
    return f"{visits} of {counted(backup.counters, 'counter')}"


def run_list(target: str, verify: bool, json: bool) -> int:
    """Tell which backups there are; returns 1 if one is damaged. Raises FootfallError."""
    place = place_of(target)
    listed = asyncio.run(_listed(place, verify))
    if json:
        output.print_json(listed)
    elif listed:
        header = ("backup", "sequence", "counters", "visits", "visitors", "milestones", "bytes", "state")
        output.print_table(header, [_row(one) for one in listed])
    else:
        output.note(f"there is no backup in {place}")
    return int(not listed or any(one.state == "damaged" for one in listed))


async def _listed(place: Place, verify: bool) -> list[Listed]:
    """The newest first, and then what is unfinished."""
    contents = await asyncio.to_thread(place.contents)
    complete = complete_names(contents)
    unfinished = sorted(contents.keys() - set(complete), reverse=True)
    return [await _one(place, name, verify) for name in complete] + [
        Listed(name=name, state="unfinished", why="it is being made, or that was broken off") for name in unfinished
    ]


async def _one(place: Place, name: str, verify: bool) -> Listed:
    try:
        backup = await manifest(place, name)
        if verify:
            await backup_check.verify(place, backup)
    except IntegrityError as error:
        return Listed(name=name, state="damaged", why=str(error))
    values = {field: getattr(backup, field) for field in Listed.__struct_fields__ if hasattr(backup, field)}
    return Listed(**values, state="verified" if verify else "complete")


def _row(one: Listed) -> tuple[str | int, ...]:
    numbers = (one.sequence, one.counters, one.visits, one.visitors, one.milestones, one.bytes)
    told = ("" if number is None else number for number in numbers)
    return (one.name, *told, f"{one.state}: {one.why}" if one.why else one.state)
