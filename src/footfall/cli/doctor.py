"""``footfall doctor``: examines a data directory and a log, prints what it finds, and says what to do."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from footfall.cli import output
from footfall.cli.arguments import Servers
from footfall.cli.log_access import DATA, access_to, log_servers, quiet
from footfall.core.position import Position
from footfall.errors import DataVersionError, IntegrityError, LogUnavailableError, SetupError
from footfall.log import jetstream, opening
from footfall.log.access import Access
from footfall.log.engine import running_url
from footfall.log.facts import syncs_always
from footfall.node.acknowledged import remembered
from footfall.node.doctor import Finding, Level, bad, examination, ok
from footfall.node.doctor_cuts import CutsExamination, examine_alarms, examine_proofs
from footfall.node.doctor_data import examine_data
from footfall.node.doctor_log import examine_acknowledged, examine_streams, examine_sync

NEEDED = ("directory", "version", "engine")  # of a data directory: no engine runs where one of these is wrong
MARKS = {Level.OK: ("OK  ", "32"), Level.WARN: ("WARN", "33"), Level.BAD: ("BAD ", "1;31")}


def run(data: str | None, named: Servers, monitors: tuple[str, ...], deep: bool, json: bool) -> int:
    """Examine; returns 0 if nothing is wrong, else 1. Raises FootfallError for wrong use."""
    quiet()
    access = access_to(named)
    directory = Path(data or DATA) if data or not named.nats else None
    return asyncio.run(_run(_Patient(directory, named.nats, access, monitors, deep), json))


class _Patient(NamedTuple):
    """What is examined, and how: a data directory, a log on a cluster, or both."""

    directory: Path | None
    nats: tuple[str, ...]
    access: Access
    monitors: tuple[str, ...]
    deep: bool


async def _run(patient: _Patient, json: bool) -> int:
    findings = []
    async for finding in _examined(patient):
        findings.append(finding)
        if not json:
            _show(finding)
    found = examination(findings)
    if json:
        output.print_json(found)
    else:
        counts = [sum(one.level is level for one in findings) for level in Level]
        print("{} all right, {} to look at, {} wrong.".format(*counts))
    return 1 if found.level is Level.BAD else 0


async def _examined(patient: _Patient) -> AsyncIterator[Finding]:
    directory, nats = patient.directory, patient.nats
    if directory is not None:
        found = await asyncio.to_thread(lambda: list(examine_data(directory)))
        for finding in found:
            yield finding
        if not nats and any(one.level is Level.BAD and one.name in NEEDED for one in found):
            do = "put right what is said above, and run this again"
            yield bad("log", "reached", "the log cannot be examined: no engine can run on this directory", do)
            return
        if not nats and not (directory / "jetstream").is_dir():
            yield ok("log", "reached", "no log was made here yet; one of a cluster is examined with --nats")
            return
    try:
        async with contextlib.AsyncExitStack() as stack:
            if directory is not None and not nats:
                runs = await asyncio.to_thread(running_url, directory)
                how = "of the engine that runs here" if runs else "of an engine that was started for this, and is ended"
                yield ok("log", "reached", f"the log {how}")
            servers = await stack.enter_async_context(log_servers(str(directory) if directory else None, nats))
            known = await asyncio.to_thread(_remembered, directory)
            log = await opening.connect_existing(servers, name="footfall doctor", access=patient.access, known=known)
            stack.push_async_callback(log.close)
            async for finding in _examined_log(log, patient):
                yield finding
    except (LogUnavailableError, SetupError, IntegrityError) as error:
        yield bad("log", "reached", f"the log cannot be examined: {error}", "put that right, and run this again")


async def _examined_log(log: jetstream.JetStreamLog, patient: _Patient) -> AsyncIterator[Finding]:
    stream, cuts = await log.facts()
    for finding in examine_streams(stream, cuts, time.time_ns()):
        yield finding
    monitors = patient.monitors or _own_monitor(patient)
    for finding in examine_sync([(server, await asyncio.to_thread(_syncs, server)) for server in monitors]):
        yield finding
    if patient.directory is not None:
        for finding in await examine_acknowledged(patient.directory, log):
            yield finding
    if not cuts.config:
        return
    cutting = CutsExamination(log)
    async for finding in cutting.run():
        yield finding
    for finding in examine_alarms(cutting.state):
        yield finding
    for finding in await examine_proofs(log):
        yield finding
    if patient.deep:
        for finding in await cutting.deep():
            yield finding


def _remembered(directory: Path | None) -> list[Position]:
    """What nodes of a directory know of the log; what cannot be read is told where it is compared with the log."""
    with contextlib.suppress(DataVersionError):
        return remembered(directory) if directory is not None else []
    return []


def _own_monitor(patient: _Patient) -> tuple[str, ...]:
    """The monitoring port of the engine on a data directory, as its configuration says."""
    if patient.directory is None or patient.nats:
        return ()
    with contextlib.suppress(OSError):
        if found := re.search(r'^http: "([\w.:]+)"$', (patient.directory / "nats.conf").read_text(), re.MULTILINE):
            return (f"http://{found[1]}",)
    return ()


def _syncs(server: str) -> bool | str:
    try:
        return syncs_always(server)
    except LogUnavailableError as error:
        return str(error)


def _show(finding: Finding) -> None:
    mark, colour = MARKS[finding.level]
    do = f"; {finding.do}" if finding.do else ""
    print(f"{output.painted(mark, colour)} {finding.part}: {' '.join(finding.found.split())}{do}", flush=True)
