"""``footfall audit``: connects to the log itself, as a process of its own, and prints what an audit found."""

import asyncio
import contextlib
from pathlib import Path

from footfall.cli import output
from footfall.cli.arguments import Servers
from footfall.cli.log_access import DATA, access_to, log_servers, quiet
from footfall.cli.settings import parse_servers
from footfall.core.names import check_name
from footfall.core.vector import ENTRY_MAX
from footfall.errors import InvalidRequestError
from footfall.log import opening
from footfall.log.access import Access
from footfall.node.audit import audit
from footfall.node.audit_report import Report, StartReading
from footfall.node.secret import existing_secret
from footfall.ordinals import counted, ordinal


def run(counter: str, n: int, data: str | None, named: Servers, secret: str | None, json: bool) -> int:
    """Audit one milestone; returns 0 if everything agrees, else 1. Raises FootfallError."""
    check_name(counter)
    if not 1 <= n <= ENTRY_MAX:
        raise InvalidRequestError(f"N is {n}; it must be a whole number from 1 to 2**63 - 1")
    quiet()
    servers, access = parse_servers(named.nats), access_to(named)
    directory = Path(data or DATA) if data or not servers else None
    key = secret.encode() if secret else existing_secret(directory) if directory is not None else None
    report = asyncio.run(_audit(counter, n, data, named.nats, access, key))
    if json:
        output.print_json(report)
    else:
        _show(report)
    return 0 if report.agrees else 1


async def _audit(
    counter: str, n: int, data: str | None, nats: tuple[str, ...], access: Access, key: bytes | None
) -> Report:
    async with contextlib.AsyncExitStack() as stack:
        servers = await stack.enter_async_context(log_servers(data, nats))
        log = await opening.connect_existing(servers, name="footfall audit", access=access)
        stack.push_async_callback(log.close)
        return await audit(log, counter, n, key)


def _show(report: Report) -> None:
    winner = report.winner
    print(f"The {ordinal(report.n)} of {report.counter}, as the log tells: {winner.visitor or 'nobody said who'}")
    print(f"  entry {winner.index} of sequence {winner.sequence}, stored {winner.time}")
    for start in report.starts:
        checked = [one.what for one in report.comparisons if one.epoch == start.epoch and one.agrees]
        print(f"Derived again from {_place(start)}")
        print(f"  the same: {', '.join(checked) or 'nothing'}")
    for reason in report.unchecked:
        print(f"Not checked: {reason}")
    for one in report.comparisons:
        if not one.agrees:
            print(f"DIFFERS: {one.what}: the log tells {one.told}, and {_name(one.epoch)} gives {one.found}")
    for problem in report.problems:
        print(f"WRONG: {problem}")
    verdict = "Everything that was checked agrees" if report.agrees else "This does not agree"
    print(f"{verdict} ({report.seconds:.2f} s).")


def _name(epoch: int) -> str:
    return f"cut {epoch}" if epoch else "the log's beginning"


def _place(start: StartReading) -> str:
    where = f"{_name(start.epoch)} (sequence {start.sequence}, {start.value:,} counted)" if start.epoch else _name(0)
    source = "the log itself" if start.source == "log" else "the log that was kept for this"
    return f"{where}: {counted(start.messages, 'message')} of {source}"
